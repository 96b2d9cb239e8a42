"""Documents and the pieces that several of them have."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from urllib.parse import quote

from storagekit.testing.emulator import xml
from storagekit.testing.emulator.answer import Answer
from storagekit.testing.emulator.operations.store import Call


def xml_answer(call: Call, node: xml.Node, headers: Mapping[str, str] | None = None) -> Answer:
    """Return a 200 with a document."""
    return Answer(200, {"Content-Type": "application/xml", **(headers or {})}, xml.render(node, call.dialect.namespace))


def iso(call: Call, when: datetime | None) -> str:
    """Return a time as documents have it; OSS's are of whole seconds, and end in ``.000Z`` or ``oss2`` fails."""
    moment = when or datetime.fromtimestamp(0, timezone.utc)
    ms = 0 if call.dialect.full else moment.microsecond // 1000
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms:03d}Z"


def owner_node(call: Call, name: str = "Owner") -> xml.Node:
    """Return who owns; most dialects have a name besides the id."""
    shown: list[xml.Node] = [("ID", call.owner)]
    return name, [*shown, ("DisplayName", call.owner)] if call.dialect.owner_names else shown


def coded(text: str, encoding: str) -> str:
    """Return a key as the client wants it: ``url`` is percent-encoded."""
    return quote(text, safe="/") if encoding == "url" else text


def named(call: Call, *more: xml.Node) -> list[xml.Node]:
    """Return the elements that say which object an answer is about, encoded where the client asks for that."""
    encoding = "url" if call.request.param("encoding-type") == "url" else ""
    rows: list[xml.Node] = [("EncodingType", encoding)] if encoding else []
    return [*rows, ("Bucket", call.bucket), ("Key", coded(call.key, encoding)), *more]
