"""An HTTP source that is read in parallel ranges, each pinned to the version that the look saw.

Every range is asked for under a pin, and every 206 is compared with the known validators whatever the pin, because
servers exist that honour a range although the condition no longer holds (aiohttp#13480). The pins, strongest first;
a server that answers 412 or 200 to one although it still has the known version refuses that pin (CDNs do this with
ETags, aria2-next#43), and the next one is used from then on:

    IF_MATCH    If-Match: <strong etag>          412 when changed
    IF_RANGE    If-Range: <Last-Modified>        200 when changed
    COMPARE     no condition                     only the comparison

A 206 may carry less than was asked for (some servers cap their ranges): the reader asks for the rest. It never carries
more, or anything else. Before publishing, ``verify`` asks for all from the last byte on: that catches a replacement
after the last range, and a server that understates the total, because what it sends then ends elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from requests import Response

from storagekit._clock import Cancel
from storagekit._guard import Guard
from storagekit._http_failures import read
from storagekit._http_rules import (
    Pin,
    Validators,
    base_name,
    coding_of,
    garbled,
    identify,
    piece_of,
    pin_headers,
    pins_for,
    same_version,
    timestamp,
    validators_of,
    whole_of,
)
from storagekit._http_session import Requester
from storagekit._source import Access, RangeReader, changed
from storagekit.driver import Code, DriverError, Failure


class OpenRanges:
    """An opened URL. ``_pin`` only ever moves to a weaker pin, so threads need no lock for it."""

    access = Access.RANGES
    ends_itself = True

    def __init__(self, requester: Requester, guard: Guard, headers: Mapping[str, str], known: Validators) -> None:
        self._requester = requester
        self._guard = guard
        self._known = known
        self._pins = pins_for(known)
        self._pin = self._pins[0]
        self.size: int = known.total or 0
        self.identity = identify(requester.url, known)
        self.etag = known.etag
        self.name = base_name(requester.url)
        self.content_type: str | None = headers.get("Content-Type")
        self.mtime = timestamp(known.last_modified)

    def open_range(self, offset: int, length: int | None, cancel: Cancel) -> RangeReader:
        """Return a reader that goes on by itself after a cut connection."""
        end = self.size if length is None else offset + length
        return _RangeReader(self, replace(self._guard, cancel=cancel), offset, end)

    def request(self, offset: int, end: int) -> tuple[Response, int]:
        """Return the open answer for bytes from ``offset`` of the known version, and where it ends, at most ``end``."""
        while True:
            pin = self._pin
            wanted = {"Range": f"bytes={offset}-{end - 1}", **pin_headers(pin, self._known)}
            answer = self._requester.checked(self._requester.get(wanted), 206, 200, 412, 416)
            if answer.status_code == 206:
                return answer, self._end_of(answer, offset, end - 1)
            answer.close()
            if answer.status_code == 416:
                raise changed(self.identity.shown)
            self._weaken(pin, answer)

    def _end_of(self, answer: Response, first: int, last: int | None) -> int:
        """Return where a 206 ends, or close it and raise."""
        shown = self.identity.shown
        try:
            if coding_of(answer.headers, shown) is not None:
                raise garbled(shown, "a range of compressed bytes")  # those of another form of the resource
            piece = piece_of(answer.headers, first, last, shown)
            self._compare(validators_of(answer.headers, piece.total))
        except BaseException:
            answer.close()
            raise
        return piece.last + 1

    def _compare(self, seen: Validators) -> None:
        if not same_version(self._known, seen):
            raise changed(self.identity.shown)

    def _weaken(self, pin: Pin, answer: Response) -> None:
        """After a 200 or 412: the resource changed, or the server refuses this pin and the next is used."""
        if answer.status_code == 200:
            self._compare(whole_of(answer.headers, self.identity.shown).validators)
        else:
            self._compare(self._requester.look())
        if pin is self._pins[-1]:
            raise garbled(self.identity.shown, f"{answer.status_code} to a range, which it served before")
        self._pin = max(self._pin, self._pins[self._pins.index(pin) + 1], key=lambda p: p.value)

    def verify(self) -> None:
        """Look once more, at the end."""
        self._guard.call("verify", self._look_at_end)

    def _look_at_end(self) -> None:
        wanted = {"Range": f"bytes={self.size - 1}-"}
        with self._requester.checked(self._requester.get(wanted), 206, 200, 416) as answer:
            if answer.status_code == 416:
                raise changed(self.identity.shown)
            if answer.status_code == 200:
                self._compare(whole_of(answer.headers, self.identity.shown).validators)
            elif self._end_of(answer, self.size - 1, None) != self.size:
                raise changed(self.identity.shown)

    def check(self) -> None:
        """Every answer was compared when it came."""

    def close(self) -> None:
        """Close the connections."""
        self._requester.close()


class _RangeReader:
    """Reads one range; each ``readinto`` is retried by itself and goes on at the byte it had reached."""

    def __init__(self, source: OpenRanges, guard: Guard, offset: int, end: int) -> None:
        self._source = source
        self._guard = guard
        self._offset = offset
        self._end = end
        self._answer: Response | None = None
        self._answer_end = offset

    def readinto(self, buffer: memoryview) -> int:
        """Fill up to ``len(buffer)`` bytes; 0 at the end of the range."""
        if self._offset == self._end or not buffer:
            return 0
        return self._guard.call("read", lambda: self._some(buffer[: self._end - self._offset]))

    def _some(self, buffer: memoryview) -> int:
        if self._answer is None:
            self._answer, self._answer_end = self._source.request(self._offset, self._end)
        try:
            count = _read_of(self._answer, buffer, self._answer_end - self._offset)
        except BaseException:
            self.close()
            raise
        self._offset += count
        if self._offset == self._answer_end:
            self.close()
        return count

    def close(self) -> None:
        """Give the connection back when the answer was read whole, else close it."""
        if self._answer is not None:
            self._answer.close()
            self._answer = None


def _read_of(answer: Response, buffer: memoryview, left: int) -> int:
    """Read of an answer that has ``left`` bytes to come. One that ends before was cut; one that goes on is none."""
    data = read(answer, min(len(buffer), left))
    if not data:
        raise DriverError(Failure(Code.NETWORK, "the source closed the connection early"))
    if len(data) == left and "Content-Length" not in answer.headers and read(answer, 1):
        raise DriverError(Failure(Code.SERVER, "the source answered a longer range than it announced"))
    buffer[: len(data)] = data
    return len(data)
