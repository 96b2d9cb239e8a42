"""HTTP sources: ranges that are read in parallel and pinned to one version of the resource.

``open`` sends one GET for the first byte. Its answer gives the size and the validators (ETag, Last-Modified); every
later range is asked for under a pin, and every 206 is compared with the validators whatever the pin, because servers
exist that honour a range although the condition no longer holds (aiohttp#13480).

The pins, strongest first. A server that answers 412 or 200 to a pin although a plain look shows the same validators
refuses that pin (CDNs do this with ETags, aria2-next#43), and the next one is used from then on:

    IF_MATCH    If-Match: <strong etag>          412 when changed
    IF_RANGE    If-Range: <Last-Modified>        200 when changed
    COMPARE     no condition                     only the comparison

A resource without a strong validator could change between two ranges unseen, so it is read in one single answer, from
its first byte to its last, by one worker; where that breaks off, the upload fails. What the answers mean is decided in
``_http_rules.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from storagekit._clock import Cancel, Clock
from storagekit._guard import Guard
from storagekit._http_rules import (
    Pin,
    Validators,
    identify,
    pin_headers,
    pins_for,
    public_url,
    same_version,
    status_failure,
    timestamp,
    validators_of,
)
from storagekit._retry import RetryPolicy
from storagekit._source import OpenSource, RangeReader, changed
from storagekit.driver import Code, DriverError, Failure
from storagekit.errors import ServiceError, UnsupportedSourceError

if TYPE_CHECKING:
    from requests import Response, Session

_TIMEOUT_S = (10.0, 60.0)  # connect, and silence between two reads
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)$")


@dataclass(frozen=True)
class HTTPSource:
    """A URL (http or https) whose server answers ranges.

    ``headers`` are sent with every request to the URL's own host. Neither they nor the URL show in the repr.
    """

    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    clock: Clock = field(default_factory=Clock, repr=False)

    def open(self, cancel: Cancel) -> OpenSource:
        """Ask for the first byte and learn size, type and validators.

        Raises ObjectNotFoundError, PermissionDeniedError, ServiceError, ConfigurationError for what is no URL, and
        UnsupportedSourceError for a server that answers no ranges or compresses.
        """
        from storagekit._http_session import failure_of, make_session

        public_url(self.url)
        session = make_session(dict(self.headers))
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
        self.sequential = not self.identity.strong
        self.name = unquote(urlsplit(url).path.rpartition("/")[2])
        self.content_type: str | None = headers.get("Content-Type")
        self.mtime = timestamp(self._known.last_modified)
        self._single: _SingleAnswer | None = None

    def _get(self, headers: Mapping[str, str]) -> Response:
        from storagekit._http_session import told

        with told():
            return self._session.get(self._url, headers=dict(headers), stream=True, timeout=_TIMEOUT_S)

    def _look(self) -> tuple[Mapping[str, str], Validators]:
        """Ask for the first byte without any condition."""
        with self._get({"Range": "bytes=0-0"}) as answer:
            self._refuse_encoding(answer)
            if answer.status_code == 200 and answer.headers.get("Content-Length") == "0":
                return answer.headers, validators_of(answer.headers, 0)  # there is no first byte
            if answer.status_code == 200:
                raise self._no_ranges(answer.headers)
            placed = _CONTENT_RANGE.match(answer.headers.get("Content-Range", ""))
            if answer.status_code not in (206, 416) or placed is None:
                raise DriverError(status_failure(answer.status_code, answer.headers, self._shown))
            return answer.headers, validators_of(answer.headers, int(placed[3]))

    def _refuse_encoding(self, answer: Response) -> None:
        encoding = answer.headers.get("Content-Encoding", "identity")
        if encoding != "identity" and answer.status_code in (200, 206):
            answer.close()
            raise UnsupportedSourceError(
                f"the server of {self._shown} answers with Content-Encoding {encoding}, although asked not to",
                hint="Download the file first and upload it from disk",
            )

    def _no_ranges(self, headers: Mapping[str, str]) -> UnsupportedSourceError:
        size = headers.get("Content-Length", "an unknown number of")
        return UnsupportedSourceError(
            f"the server of {self._shown} answers no ranges ({size} bytes offered whole)",
            hint="Download the file first and upload it from disk",
        )

    def open_range(self, offset: int, length: int, cancel: Cancel) -> RangeReader:
        """Return a reader that goes on by itself after a cut connection; of a weak source, one of a single answer."""
        guard = replace(self.guard, cancel=cancel)
        if not self.sequential or not length:
            return _RangeReader(self, guard, offset, offset + length)
        if self._single is None or offset == 0:
            self._single = _SingleAnswer(guard.call("read", lambda: self.request(0, self.size)))
        return _SingleReader(self._single, self._shown, offset, offset + length)

    def request(self, offset: int, end: int) -> Response:
        """Return the open answer for bytes ``offset`` to ``end`` of the known version."""
        while True:
            pin = self._pin
            answer = self._get({"Range": f"bytes={offset}-{end - 1}", **pin_headers(pin, self._known)})
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
        self._refuse_encoding(answer)
        placed = _CONTENT_RANGE.match(answer.headers.get("Content-Range", ""))
        if placed and placed[1] == str(offset):
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

    def check(self) -> None:
        """Every answer was compared when it came."""

    def close(self) -> None:
        """Close the connections."""
        if self._single is not None:
            self._single.answer.close()
        self._session.close()


def _read(answer: Response, buffer: memoryview) -> int:
    """Fill up to ``len(buffer)`` bytes as they are stored; an answer that ends here was cut short."""
    from storagekit._http_session import told

    with told():
        data = answer.raw.read(len(buffer), decode_content=False)
    if not data:
        raise DriverError(Failure(Code.NETWORK, "the source closed the connection early"))
    buffer[: len(data)] = data
    return len(data)


class _RangeReader:
    """Reads one range; each ``readinto`` is retried by itself and goes on at the byte it had reached."""

    def __init__(self, source: _OpenURL, guard: Guard, offset: int, end: int) -> None:
        self._source = source
        self._guard = guard
        self._offset = offset
        self._end = end
        self._answer: Response | None = None

    def readinto(self, buffer: memoryview) -> int:
        """Fill up to ``len(buffer)`` bytes; 0 at the end of the range."""
        if self._offset == self._end or not buffer:
            return 0
        return self._guard.call("read", lambda: self._some(buffer[: self._end - self._offset]))

    def _some(self, buffer: memoryview) -> int:
        if self._answer is None:
            self._answer = self._source.request(self._offset, self._end)
        try:
            count = _read(self._answer, buffer)
        except BaseException:
            self.close()
            raise
        self._offset += count
        return count

    def close(self) -> None:
        """Give the connection back when the answer was read whole, else close it."""
        if self._answer is not None:
            self._answer.close()
            self._answer = None


@dataclass
class _SingleAnswer:
    """The one answer of a source without a strong validator, and how far it was read."""

    answer: Response
    offset: int = 0


class _SingleReader:
    """One range of a single answer; the next range goes on where this one ended."""

    def __init__(self, single: _SingleAnswer, shown: str, offset: int, end: int) -> None:
        self._single = single
        self._shown = shown
        self._end = end
        if single.offset != offset:
            raise self._broken()

    def readinto(self, buffer: memoryview) -> int:
        """Fill up to ``len(buffer)`` bytes; 0 at the end of the range. ServiceError where the answer breaks off."""
        room = min(len(buffer), self._end - self._single.offset)
        if not room:
            return 0
        try:
            count = _read(self._single.answer, buffer[:room])
        except DriverError as error:
            raise self._broken() from error
        self._single.offset += count
        return count

    def _broken(self) -> ServiceError:
        return ServiceError(
            f"{self._shown} broke off and cannot be read on: it has no strong ETag and no old enough date",
            hint="Run again; the upload begins afresh",
        )

    def close(self) -> None:
        """The answer stays open for the next range."""
