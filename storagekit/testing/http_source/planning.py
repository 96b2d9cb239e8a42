"""From request headers to an answer, without sockets: preconditions and ranges as in RFC 9110, and the lies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from typing import TypeAlias

from .behaviour import Behaviour
from .content import Content


@dataclass(frozen=True)
class Version:
    """The content at one time, with its validators."""

    content: Content
    etag: str
    modified: int


@dataclass(frozen=True)
class Plan:
    """An answer: status, headers (framing excepted) and the range of content that is its body."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    start: int = 0
    length: int = 0

    @property
    def has_body(self) -> bool:
        """Whether content follows, unless the request was a HEAD."""
        return self.status in (200, 206)


Headers: TypeAlias = Mapping[str, str]


def make_plan(headers: Headers, version: Version, behaviour: Behaviour) -> Plan:
    """Evaluate the preconditions and then the range, in the order of RFC 9110 section 13.2.2."""
    shown = _validators(version, behaviour)
    refusal = _precondition(headers, version, behaviour)
    if refusal is not None:
        return Plan(refusal, shown)
    size = version.content.size
    wanted = _wanted_range(headers, version, behaviour)
    if wanted is None:
        return Plan(200, shown + _description(behaviour), 0, size)
    start, stop = wanted
    if start >= stop:
        return Plan(416, (*shown, ("Content-Range", f"bytes */{size}")))
    total = size if behaviour.content_range_total is None else behaviour.content_range_total
    where = ("Content-Range", f"bytes {start}-{stop - 1}/{total}")
    return Plan(206, (*shown, *_description(behaviour), where), start, stop - start)


def _shown_etag(version: Version, behaviour: Behaviour) -> str | None:
    return {"strong": version.etag, "weak": "W/" + version.etag, "none": None}[behaviour.etag]


def _validators(version: Version, behaviour: Behaviour) -> tuple[tuple[str, str], ...]:
    etag = _shown_etag(version, behaviour)
    found = [("ETag", etag)] if etag else []
    if behaviour.last_modified:
        found.append(("Last-Modified", formatdate(version.modified, usegmt=True)))
    return tuple(found)


def _description(behaviour: Behaviour) -> tuple[tuple[str, str], ...]:
    found = [] if behaviour.ignore_range else [("Accept-Ranges", "bytes")]
    if behaviour.content_encoding is not None:
        found.append(("Content-Encoding", behaviour.content_encoding))
    return tuple(found)


def _precondition(headers: Headers, version: Version, behaviour: Behaviour) -> int | None:
    """412, 304 or None for "go on"."""
    if_match, if_none_match = headers.get("if-match"), headers.get("if-none-match")
    if if_match is not None:
        if not _strong_match(if_match, version, behaviour):
            return 412
    elif _modified_after(headers.get("if-unmodified-since"), version) is True:
        return 412
    if if_none_match is not None:
        return 304 if _weak_match(if_none_match, version, behaviour) else None
    return 304 if _modified_after(headers.get("if-modified-since"), version) is False else None


def _listed_etags(text: str) -> list[str]:
    return re.findall(r'(?:W/)?"[^"]*"', text)


def _strong_match(text: str, version: Version, behaviour: Behaviour) -> bool:
    if behaviour.refuse_etag:
        return False
    return text.strip() == "*" or (behaviour.etag == "strong" and version.etag in _listed_etags(text))


def _weak_match(text: str, version: Version, behaviour: Behaviour) -> bool:
    if text.strip() == "*":
        return True
    return behaviour.etag != "none" and version.etag in [etag.removeprefix("W/") for etag in _listed_etags(text)]


def _modified_after(date: str | None, version: Version) -> bool | None:
    """None without a readable date: such a header is to be ignored."""
    try:
        return None if date is None else version.modified > parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None


def _wanted_range(headers: Headers, version: Version, behaviour: Behaviour) -> tuple[int, int] | None:
    """Start and stop (empty: not satisfiable), None for the whole content."""
    text = headers.get("range")
    if text is None or behaviour.ignore_range or not _range_applies(headers.get("if-range"), version, behaviour):
        return None
    return parse_range(text, version.content.size)


def _range_applies(if_range: str | None, version: Version, behaviour: Behaviour) -> bool:
    if if_range is None:
        return True
    if '"' in if_range:
        return if_range.strip() != "*" and _strong_match(if_range, version, behaviour)
    return behaviour.last_modified and if_range.strip() == formatdate(version.modified, usegmt=True)


def parse_range(text: str, size: int) -> tuple[int, int] | None:
    """``bytes=a-b``, ``bytes=a-`` or ``bytes=-n`` as start and stop; None (ignore it) for anything else.

    Several ranges in one header are ignored too, which RFC 9110 allows.
    """
    match = re.fullmatch(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", text, re.IGNORECASE)
    if match is None or match.group(1) == match.group(2) == "":
        return None
    first, last = match.groups()
    if first == "":
        return max(0, size - int(last)), size
    if last and int(last) < int(first):
        return None
    return int(first), min(size, int(last) + 1) if last else size
