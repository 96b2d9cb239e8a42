"""The XML that S3 and its relatives (OBS, OSS) answer with, and the two documents that all are sent.

Read by local names: MinIO and AWS use S3's namespace, older servers none. Keys arrive percent-encoded when the server
says so (``EncodingType``), because XML cannot hold most control characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from storagekit.transport.dialect import Dialect
from storagekit.types import Part


def parse(data: bytes | None) -> ET.Element | None:
    """Return the document's root, or None where the bytes are no XML.

    Leading white space is dropped: AWS sends blanks before the document to keep a slow answer's connection alive.
    """
    try:
        return ET.fromstring((data or b"").strip())  # noqa: S314  # expat bounds entity expansion since 2.4.1
    except ET.ParseError:
        return None


def local_name(element: ET.Element) -> str:
    """Return the tag without its namespace."""
    return element.tag.rpartition("}")[2]


def children(element: ET.Element, name: str) -> list[ET.Element]:
    """Return the direct children of that name, in order."""
    return [child for child in element if local_name(child) == name]


def text(element: ET.Element | None, name: str) -> str | None:
    """Return the text of the first child of that name; None where there is none or it is empty."""
    found = children(element, name) if element is not None else []
    return (found[0].text or None) if found else None


def etag(element: ET.Element) -> str | None:
    """Return the child ``ETag`` without quotes."""
    found = text(element, "ETag")
    return (found.strip('"') or None) if found else None


def flag(element: ET.Element, name: str) -> bool:
    """Return whether the child says ``true``."""
    return (text(element, name) or "").lower() == "true"


def key(root: ET.Element, element: ET.Element | None, name: str) -> str:
    """Return a key, prefix or marker, decoded where ``root`` says that it is encoded.

    A blank may be written ``+`` (MinIO, AWS) or ``%20`` (Swift); a plus is ``%2B`` with all of them.
    """
    found = text(element, name) or ""
    return unquote_plus(found) if text(root, "EncodingType") == "url" else found


def time(element: ET.Element, name: str) -> datetime | None:
    """Return an aware UTC time from ``2026-01-02T03:04:05.678Z``; Swift leaves the fraction out for some."""
    found = text(element, name)
    if found is None:
        return None
    pattern = "%Y-%m-%dT%H:%M:%S.%fZ" if "." in found else "%Y-%m-%dT%H:%M:%SZ"
    return datetime.strptime(found, pattern).replace(tzinfo=timezone.utc)


def complete_document(dialect: Dialect, parts: Sequence[Part]) -> bytes:
    """Return the body of a complete."""
    items = "".join(
        f"<Part><PartNumber>{part.number}</PartNumber><ETag>{escape(_quoted(part.etag))}</ETag>{dialect.of_part(part)}</Part>"
        for part in parts
    )
    return _root(dialect, "CompleteMultipartUpload", items)


def delete_document(dialect: Dialect, keys: Iterable[str]) -> bytes:
    """Return the body of a multiple delete, which answers with the failures only.

    A carriage return is written as a reference: a plain one is read as a line feed, and names another object.
    """
    items = "".join(f"<Object><Key>{escape(name, {chr(13): '&#13;'})}</Key></Object>" for name in keys)
    return _root(dialect, "Delete", f"<Quiet>true</Quiet>{items}")


def can_hold(name: str) -> bool:
    """Whether XML 1.0 has all the characters of ``name``."""
    return all(char >= " " or char in "\t\n\r" for char in name) and not {"\ufffe", "\uffff"} & set(name)


def _quoted(plain: str) -> str:
    return f'"{plain}"'


def _root(dialect: Dialect, name: str, content: str) -> bytes:
    return f"<{name}{dialect.namespace}>{content}</{name}>".encode()
