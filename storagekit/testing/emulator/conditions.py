"""Conditional requests and ranges, as functions of what the object is."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from storagekit.testing.emulator.operations.dialect import Dialect
from storagekit.testing.emulator.refusal import Refusal
from storagekit.testing.emulator.request import Request
from storagekit.types import ObjectInfo

_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)", re.ASCII)


def is_unchanged(request: Request, info: ObjectInfo, dialect: Dialect, prefix: str = "") -> bool:
    """Tell whether the answer is 304. Raises Refusal where it is 412. ``prefix``: that of a copy's conditions.

    If-Match goes before If-Unmodified-Since, and If-None-Match before If-Modified-Since (RFC 9110, 13.2.2).
    """
    match, none_match = request.header(f"{prefix}if-match"), request.header(f"{prefix}if-none-match")
    since = _time(request.header(f"{prefix}if-modified-since"))
    until = _time(request.header(f"{prefix}if-unmodified-since"))
    modified = (info.modified or datetime.fromtimestamp(0, timezone.utc)).replace(microsecond=0)
    if match is not None and not _names(match, info.etag, dialect):
        raise _failed("If-Match")
    if match is None and until is not None and modified > until:
        raise _failed("If-Unmodified-Since")
    if none_match is not None:
        return _names(none_match, info.etag, dialect)
    return since is not None and modified <= since


def _failed(condition: str) -> Refusal:
    return Refusal(
        "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", Condition=condition
    )


def _names(listed: str, etag: str, dialect: Dialect) -> bool:
    return any(one.strip().strip('"') == "*" or dialect.is_etag(one, etag) for one in listed.split(","))


def _time(text: str | None) -> datetime | None:
    """Return a time; None for one that is none, which is then ignored."""
    try:
        found = parsedate_to_datetime(text) if text is not None else None
    except (ValueError, TypeError, IndexError):
        return None
    return found.astimezone(timezone.utc) if found is not None else None


def parse_range(text: str | None, size: int, *, ignored: bool = False) -> tuple[int, int] | None:
    """Return start and length of a range; None for the whole object, also where the header is not understood.

    Raises Refusal where nothing of the range is in the object. ``ignored``: one that is not all in it counts as none.
    """
    match = _RANGE.fullmatch(text or "")
    if match is None or match[0] == "bytes=-":
        return None
    if ignored and max(int(match[1] or 0), int(match[2] or 0) - (not match[1])) >= size:
        return None
    if not match[1]:
        start, end = max(0, size - int(match[2])), size - 1
    else:
        start, end = int(match[1]), min(int(match[2] or size), size - 1)
        if match[2] and int(match[2]) < start:
            return None
    if start >= size or match[0] == "bytes=-0":
        raise Refusal("InvalidRange", "The requested range cannot be satisfied.", ActualObjectSize=str(size))
    return start, end - start + 1
