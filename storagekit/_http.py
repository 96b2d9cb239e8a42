"""HTTP sources: ranges that are read in parallel and pinned to one version of the resource.

``open`` sends one GET for the first byte. Its answer gives the size and the validators (ETag, Last-Modified); every
later range is asked for under a pin, and every 206 is compared with the validators whatever the pin, because servers
exist that honour a range although the condition no longer holds (aiohttp#13480).

The pins, strongest first. A server that answers 412 or 200 to a pin although a plain look shows the same validators
refuses that pin (CDNs do this with ETags, aria2-next#43), and the next one is used from then on:

    IF_MATCH    If-Match: <strong etag>          412 when changed
    IF_RANGE    If-Range: <Last-Modified>        200 when changed
    COMPARE     no condition                     only the comparison
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

from storagekit._clock import Cancel, Clock
from storagekit._guard import Guard
from storagekit._retry import RetryPolicy
from storagekit._source import Identity, OpenSource, RangeReader, changed, strong_identity, weak_identity
from storagekit.driver import Code, DriverError, Failure
from storagekit.errors import ConfigurationError, UnsupportedSourceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import Response, Session

_SETTLED_S = 60.0  # a Last-Modified younger than this may cover two versions: its grain is one second
_TIMEOUT_S = (10.0, 60.0)  # connect, and silence between two reads
_CONNECTIONS = 64  # kept alive; more workers than this is beyond what one source gives
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)$")


class Pin(Enum):
    """How a range request is tied to one version; see the module docstring."""

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


def failure_of(error: BaseException) -> Failure:
    """Classify what ``requests`` and ``urllib3`` raise. Pure, as a driver's ``classify`` is."""
    import requests
    import urllib3

    if isinstance(error, (requests.exceptions.SSLError, urllib3.exceptions.SSLError)):
        return Failure(Code.REFUSED, "the source's TLS certificate was not accepted")
    if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)):
        return Failure(Code.TIMEOUT, "the source did not answer in time")
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)):
        return Failure(Code.REFUSED, "this is not a URL that can be read")
    if isinstance(error, (requests.RequestException, urllib3.exceptions.HTTPError, OSError)):
        return Failure(Code.NETWORK, f"the connection to the source failed ({type(error).__name__})")
    return Failure(Code.UNKNOWN, f"{type(error).__name__} while reading the source")


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


@dataclass(frozen=True)
class HTTPSource:
    """A URL (http or https) whose server answers ranges. ``headers`` are sent with every request, never shown."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    clock: Clock = field(default_factory=Clock)

    def open(self, cancel: Cancel) -> OpenSource:
        """Ask for the first byte and learn size, type and validators.

        Raises ObjectNotFoundError, PermissionDeniedError, ServiceError, and UnsupportedSourceError for a server
        that answers no ranges.
        """
        import requests
        from requests.adapters import HTTPAdapter

        session = requests.Session()
        session.mount("http://", HTTPAdapter(pool_maxsize=_CONNECTIONS))
        session.mount("https://", HTTPAdapter(pool_maxsize=_CONNECTIONS))
        session.headers.update({"Accept-Encoding": "identity", **dict(self.headers)})
        guard = Guard("http", failure_of, self.policy, self.clock, cancel)
        try:
            return _OpenURL(self.url, session, guard)
        except BaseException:
            session.close()
            raise


class _OpenURL:
    """An opened URL. ``_pin`` only ever moves to a weaker pin, so threads need no lock for it."""

    def __init__(self, url: str, session: Session, guard: Guard) -> None:
        self._shown = public_url(url)
        self._url = url
        self._session = session
        self.guard = guard
        headers, self._known = guard.call("open", self._look)
        self._pins = pins_for(self._known)
        self._pin = self._pins[0]
        self.size = self._known.total
        self.identity = identify(url, self._known)
        self.name = unquote(urlsplit(url).path.rpartition("/")[2])
        self.content_type: str | None = headers.get("Content-Type")
        self.mtime = _timestamp(self._known.last_modified)

    def _look(self) -> tuple[Mapping[str, str], Validators]:
        """Ask for the first byte without any condition."""
        with self._session.get(self._url, headers={"Range": "bytes=0-0"}, stream=True, timeout=_TIMEOUT_S) as answer:
            placed = _CONTENT_RANGE.match(answer.headers.get("Content-Range", ""))
            if answer.status_code == 200:
                raise self._no_ranges(answer.headers)
            if answer.status_code not in (206, 416) or placed is None:
                raise DriverError(status_failure(answer.status_code, answer.headers, self._shown))
            return answer.headers, validators_of(answer.headers, int(placed[3]))

    def _no_ranges(self, headers: Mapping[str, str]) -> UnsupportedSourceError:
        size = headers.get("Content-Length", "an unknown number of")
        return UnsupportedSourceError(
            f"the server of {self._shown} answers no ranges ({size} bytes offered whole)",
            hint="Download the file first and upload it from disk",
        )

    def open_range(self, offset: int, length: int) -> RangeReader:
        """Return a reader that goes on by itself after a cut connection."""
        return _RangeReader(self, offset, offset + length)

    def request(self, offset: int, end: int) -> Response:
        """Return the open answer for bytes ``offset`` to ``end`` of the known version."""
        while True:
            pin = self._pin
            answer = self._session.get(
                self._url,
                headers={"Range": f"bytes={offset}-{end - 1}", **pin_headers(pin, self._known)},
                stream=True,
                timeout=_TIMEOUT_S,
            )
            if answer.status_code == 206:
                return self._checked(answer, offset)
            answer.close()
            if answer.status_code in (200, 412):
                self._weaken(pin)
            elif answer.status_code == 416:
                raise changed(self._shown)
            else:
                raise DriverError(status_failure(answer.status_code, answer.headers, self._shown))

    def _checked(self, answer: Response, offset: int) -> Response:
        placed = _CONTENT_RANGE.match(answer.headers.get("Content-Range", ""))
        encoded = answer.headers.get("Content-Encoding", "identity") != "identity"
        if placed and placed[1] == str(offset) and not encoded:
            if same_version(self._known, validators_of(answer.headers, int(placed[3]))):
                return answer
            answer.close()
            raise changed(self._shown)
        answer.close()
        raise DriverError(Failure(Code.SERVER, f"the source {self._shown} answered another range than was asked for"))

    def _weaken(self, pin: Pin) -> None:
        """After a 200 or 412: the resource changed, or the server refuses this pin and the next is used."""
        _, seen = self._look()
        if not same_version(self._known, seen):
            raise changed(self._shown)
        if pin is self._pins[-1]:
            raise DriverError(Failure(Code.SERVER, f"the source {self._shown} stopped to answer ranges"))
        self._pin = max(self._pin, self._pins[self._pins.index(pin) + 1], key=lambda p: p.value)

    def verify(self) -> None:
        """Look once more: a resource that was replaced after its last range was read is still caught."""
        _, seen = self.guard.call("verify", self._look)
        if not same_version(self._known, seen):
            raise changed(self._shown)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


class _RangeReader:
    """Reads one range; each ``readinto`` is retried by itself and goes on at the byte it had reached."""

    def __init__(self, source: _OpenURL, offset: int, end: int) -> None:
        self._source = source
        self._offset = offset
        self._end = end
        self._answer: Response | None = None

    def readinto(self, buffer: memoryview) -> int:
        """Fill up to ``len(buffer)`` bytes; 0 at the end of the range."""
        if self._offset == self._end or not buffer:
            return 0
        return self._source.guard.call("read", lambda: self._some(buffer))

    def _some(self, buffer: memoryview) -> int:
        if self._answer is None:
            self._answer = self._source.request(self._offset, self._end)
        try:
            data = self._answer.raw.read(min(len(buffer), self._end - self._offset), decode_content=False)
        except BaseException:
            self.close()
            raise
        if not data:
            self.close()
            raise DriverError(Failure(Code.NETWORK, "the source closed the connection early"))
        buffer[: len(data)] = data
        self._offset += len(data)
        return len(data)

    def close(self) -> None:
        """Give the connection back when the answer was read whole, else close it."""
        if self._answer is not None:
            self._answer.close()
            self._answer = None


def _timestamp(date: str | None) -> float | None:
    try:
        return parsedate_to_datetime(date or "").timestamp()
    except (TypeError, ValueError):
        return None
