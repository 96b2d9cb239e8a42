"""What the answers of an HTTP source mean: versions, pins, identities, failures. Pure; requests are elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from enum import Enum
from urllib.parse import urlsplit, urlunsplit

from storagekit._source import Identity, strong_identity, weak_identity
from storagekit.driver import Code, Failure
from storagekit.errors import ConfigurationError

_SETTLED_S = 60.0  # a Last-Modified younger than this may cover two versions: its grain is one second


class Pin(Enum):
    """How a range request is tied to one version, strongest first; see ``_http.py``."""

    IF_MATCH = 0
    IF_RANGE = 1
    COMPARE = 2


@dataclass(frozen=True)
class Validators:
    """What identifies one version of a resource. ``etag`` is verbatim, quotes and weak mark included."""

    total: int
    etag: str | None = None
    last_modified: str | None = None
    settled: bool = False

    @property
    def strong_etag(self) -> str | None:
        """The ETag, unless it is a weak one, which says nothing about bytes (RFC 9110, 8.8.1)."""
        return self.etag if self.etag and not self.etag.startswith("W/") else None


def validators_of(headers: Mapping[str, str], total: int) -> Validators:
    """Read the validators out of an answer's headers."""
    modified = headers.get("Last-Modified")
    return Validators(total, headers.get("ETag"), modified, _age_s(modified, headers.get("Date")) >= _SETTLED_S)


def _age_s(modified: str | None, date: str | None) -> float:
    try:
        then = parsedate_to_datetime(modified or "")
        now = parsedate_to_datetime(date) if date else datetime.now(timezone.utc)
    except (TypeError, ValueError):
        return 0.0
    return (now.replace(tzinfo=timezone.utc) - then.replace(tzinfo=timezone.utc)).total_seconds()


def same_version(known: Validators, seen: Validators) -> bool:
    """Tell whether an answer belongs to the known version.

    A 206 must carry the ETag that a 200 would (RFC 9110, 15.3.7), so a missing one is a difference; it may leave
    out Last-Modified, so that is compared only where it is there.
    """
    dates_differ = known.last_modified and seen.last_modified and known.last_modified != seen.last_modified
    return known.total == seen.total and known.etag == seen.etag and not dates_differ


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


def identify(url: str, known: Validators) -> Identity:
    """Return the identity of a URL in one version; weak without a strong ETag or a settled Last-Modified."""
    shown = public_url(url)
    if known.strong_etag:
        return strong_identity(shown, kind="http", url=shown, size=known.total, etag=known.strong_etag)
    if known.last_modified and known.settled:
        return strong_identity(shown, kind="http", url=shown, size=known.total, modified=known.last_modified)
    return weak_identity(shown)


def public_url(url: str) -> str:
    """Return ``url`` without user info, query and fragment: what may be shown, logged and recorded.

    Raises ConfigurationError for what is no URL.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigurationError(f"this is not a URL: {error}", hint="Write http(s)://host/path") from error
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


_STATUS_CODES = {
    401: Code.ACCESS_DENIED,
    403: Code.ACCESS_DENIED,
    404: Code.NOT_FOUND,
    408: Code.TIMEOUT,
    410: Code.NOT_FOUND,
    429: Code.THROTTLED,
    503: Code.THROTTLED,
}


def status_failure(status: int, headers: Mapping[str, str], shown: str) -> Failure:
    """Classify an answer that carries no bytes of the source."""
    code = _STATUS_CODES.get(status, Code.SERVER if status >= 500 else Code.REFUSED)
    wait = headers.get("Retry-After", "")
    return Failure(
        code,
        f"the source {shown} answered {status}",
        retry_after_s=float(wait) if wait.isdecimal() else None,
        status=status,
    )


def timestamp(date: str | None) -> float | None:
    """Return an HTTP date in seconds since 1970, or None for what is none."""
    try:
        return parsedate_to_datetime(date or "").timestamp()
    except (TypeError, ValueError):
        return None
