"""What the answers of an HTTP source mean: versions, pins, framing, identities, failures. Pure: requests are elsewhere.

Where an answer is not what HTTP allows, DriverError(SERVER) is raised, which is retried; where it is allowed but
cannot be read here, UnsupportedSourceError.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from enum import Enum
from urllib.parse import unquote, urlsplit, urlunsplit

from storagekit._source import Identity, strong_identity, weak_identity
from storagekit.driver import Code, DriverError, Failure
from storagekit.errors import ConfigurationError, UnsupportedSourceError

_SETTLED_S = 60.0  # a Last-Modified younger than this may cover two versions: its grain is one second
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)", re.ASCII)
_CODINGS = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
_FETCH_FIRST = "Download the file first and upload it from disk"


class Pin(Enum):
    """How a range request is tied to one version, strongest first; see ``_http_ranges.py``."""

    IF_MATCH = 0
    IF_RANGE = 1
    COMPARE = 2


@dataclass(frozen=True)
class Validators:
    """What identifies one version of a resource. ``etag`` is verbatim, quotes and weak mark included."""

    total: int | None
    etag: str | None = None
    last_modified: str | None = None
    settled: bool = False

    @property
    def strong_etag(self) -> str | None:
        """The ETag, unless it is a weak one, which says nothing about bytes (RFC 9110, 8.8.1)."""
        return self.etag if self.etag and not self.etag.startswith("W/") else None

    @property
    def strong(self) -> bool:
        """Whether equal validators mean equal bytes, as far as the server can promise it."""
        return self.total is not None and bool(self.strong_etag or (self.last_modified and self.settled))


def validators_of(headers: Mapping[str, str], total: int | None) -> Validators:
    """Read the validators out of an answer's headers."""
    modified = headers.get("Last-Modified")
    age = _seconds_between(modified, headers.get("Date"))
    return Validators(total, headers.get("ETag"), modified, age is not None and age >= _SETTLED_S)


def _seconds_between(then: str | None, now: str | None) -> float | None:
    """Seconds from one HTTP date to another; None for what is none. Without a second one, our own clock counts."""
    try:
        start = parsedate_to_datetime(then or "")
        end = parsedate_to_datetime(now) if now else datetime.now(timezone.utc)
    except (TypeError, ValueError):
        return None
    return (end.replace(tzinfo=timezone.utc) - start.replace(tzinfo=timezone.utc)).total_seconds()


def same_version(known: Validators, seen: Validators) -> bool:
    """Tell whether an answer belongs to the known version.

    A 206 must carry the ETag that a 200 would (RFC 9110, 15.3.7), so a missing one is a difference. It may leave out
    Last-Modified, and a chunked answer has no length, so these are compared only where both are there.
    """
    dates_differ = known.last_modified and seen.last_modified and known.last_modified != seen.last_modified
    sizes_differ = known.total is not None and seen.total is not None and known.total != seen.total
    return known.etag == seen.etag and not dates_differ and not sizes_differ


def pins_for(known: Validators) -> tuple[Pin, ...]:
    """Return the pins that the validators allow, strongest first."""
    return (
        *((Pin.IF_MATCH,) if known.strong_etag else ()),
        *((Pin.IF_RANGE,) if known.last_modified and known.settled else ()),
        Pin.COMPARE,
    )


def pin_headers(pin: Pin, known: Validators) -> dict[str, str]:
    """Return the request headers of a pin."""
    if pin is Pin.IF_MATCH:
        return {"If-Match": known.strong_etag or ""}
    if pin is Pin.IF_RANGE:
        return {"If-Range": known.last_modified or ""}
    return {}


@dataclass(frozen=True)
class Whole:
    """A whole answer: its version, how its body is coded and how long it is on the wire, and how it ends.

    ``validators.total`` is the number of bytes of the source: None where chunked, coded or ended by closing.
    """

    validators: Validators
    coding: str | None
    length: int | None
    ends_itself: bool


def whole_of(headers: Mapping[str, str], shown: str) -> Whole:
    """Read out of a 200 what its body is going to be."""
    chunked = _is_chunked(headers, shown)
    length = None if chunked else _announced(headers, shown)
    coding = None if length == 0 else coding_of(headers, shown)
    total = length if coding is None else None
    return Whole(validators_of(headers, total), coding, length, chunked or length is not None)


def _is_chunked(headers: Mapping[str, str], shown: str) -> bool:
    transfer = headers.get("Transfer-Encoding", "").strip().lower()
    if transfer not in ("", "identity", "chunked"):
        raise UnsupportedSourceError(f"{shown} comes with Transfer-Encoding {transfer}", hint=_FETCH_FIRST)
    return transfer == "chunked"


def _announced(headers: Mapping[str, str], shown: str) -> int | None:
    """Return the Content-Length; repeated, it must say the same (RFC 9110, 8.6)."""
    text = headers.get("Content-Length")
    if text is None:
        return None
    said = {one.strip() for one in text.split(",")}
    length = said.pop()
    if said or not (length.isascii() and length.isdecimal()):
        raise garbled(shown, "a Content-Length that is no length")
    return int(length)


def coding_of(headers: Mapping[str, str], shown: str) -> str | None:
    """Return ``gzip``, ``deflate`` or None: how the body is compressed, although we asked for identity."""
    coding = headers.get("Content-Encoding", "").strip().lower()
    if coding in ("", "identity"):
        return None
    if coding not in _CODINGS:
        raise UnsupportedSourceError(
            f"the server of {shown} answers with Content-Encoding {coding}, although asked not to", hint=_FETCH_FIRST
        )
    return _CODINGS[coding]


@dataclass(frozen=True)
class Piece:
    """The range that a 206 carries: ``last`` is included; ``total`` is None for ``*``."""

    first: int
    last: int
    total: int | None


def piece_of(headers: Mapping[str, str], first: int, last: int | None, shown: str) -> Piece:
    """Return the range of a 206, which may be shorter than ``first`` to ``last``, but no other and no longer."""
    placed = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if placed is None:
        raise garbled(shown, "a part without saying which")
    piece = Piece(int(placed[1]), int(placed[2]), None if placed[3] == "*" else int(placed[3]))
    wrong = piece.first != first or piece.last < first or (last is not None and piece.last > last)
    if wrong or (piece.total is not None and piece.last >= piece.total):
        raise garbled(shown, "another range than was asked for")
    if not _is_chunked(headers, shown) and _announced(headers, shown) not in (None, piece.last - piece.first + 1):
        raise garbled(shown, "a range and a Content-Length that contradict each other")
    return piece


def validators_of_piece(headers: Mapping[str, str], shown: str) -> Validators:
    """Return the version that a 206 with the first byte tells of."""
    coded = coding_of(headers, shown) is not None  # then its total counts other bytes than ours
    return validators_of(headers, None if coded else piece_of(headers, 0, 0, shown).total)


def garbled(shown: str, what: str) -> DriverError:
    """Return the failure for an answer that HTTP does not allow; it is tried again, as any failure of a server."""
    return DriverError(Failure(Code.SERVER, f"the source {shown} answered {what}"))


def identify(url: str, known: Validators) -> Identity:
    """Return the identity of a URL in one version; weak without length, strong ETag or settled Last-Modified."""
    shown = public_url(url)
    if known.total is None or not known.strong:
        return weak_identity(shown, kind="http", url=shown)
    if known.strong_etag:
        return strong_identity(shown, kind="http", url=shown, size=known.total, etag=known.strong_etag)
    return strong_identity(shown, kind="http", url=shown, size=known.total, modified=known.last_modified or "")


def public_url(url: str) -> str:
    """Return ``url`` without user info, query and fragment: what may be shown, logged and recorded.

    Raises ConfigurationError for what is no URL.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigurationError(f"this is not a URL: {error}", hint="Write http(s)://host/path") from error
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def base_name(url: str) -> str:
    """Return the last part of the URL's path, for a target that ends in a slash."""
    return unquote(urlsplit(url).path.rpartition("/")[2])


STATUS_CODES = {
    401: Code.ACCESS_DENIED,
    403: Code.ACCESS_DENIED,
    404: Code.NOT_FOUND,
    407: Code.ACCESS_DENIED,
    408: Code.TIMEOUT,
    410: Code.NOT_FOUND,
    429: Code.THROTTLED,
    451: Code.ACCESS_DENIED,
    501: Code.REFUSED,
    503: Code.THROTTLED,
    505: Code.REFUSED,
}
"""What a status means; any other from 500 on is SERVER, the rest REFUSED (204, 205 and 203, too: not these bytes)."""


def status_failure(status: int, headers: Mapping[str, str], shown: str) -> Failure:
    """Classify an answer that carries no bytes of the source."""
    code = STATUS_CODES.get(status, Code.SERVER if status >= 500 else Code.REFUSED)
    return Failure(code, f"the source {shown} answered {status}", retry_after_s=_retry_after_s(headers), status=status)


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the Retry-After in seconds; a date counts from the answer's own Date, as the two clocks are one."""
    wait = headers.get("Retry-After", "").strip()
    if wait.isascii() and wait.isdecimal():
        return float(wait)
    ago = _seconds_between(wait, headers.get("Date"))
    return None if ago is None else max(0.0, -ago)


def timestamp(date: str | None) -> float | None:
    """Return an HTTP date in seconds since 1970, or None for what is none."""
    try:
        return parsedate_to_datetime(date or "").timestamp()
    except (TypeError, ValueError):
        return None
