"""The bytes of a GET, checked against what was asked for.

A range that came back as something else is never passed on: the answer must say where its bytes begin
(Content-Range; rclone sends it with a 200) or, without saying so, be the whole object, of which the front is taken.
"""

from __future__ import annotations

import re
from types import TracebackType
from typing import Any

from urllib3.response import BaseHTTPResponse

from storagekit.driver import Code, DriverError, Failure, Reader
from storagekit.transport.answers import etag_of_object

_MOST = 4 * 1024**2
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


def open_reader(response: BaseHTTPResponse, start: int, length: int | None) -> Reader:
    """Return the reader of ``length`` bytes from ``start``. Raises DriverError where the answer is something else."""
    try:
        etag = etag_of_object(response.headers)
        total, announced = _extent(response, start)
    except BaseException:
        _discard(response)
        raise
    wanted = max(total - start, 0)
    return _ObjectReader(response, etag, total, wanted if length is None else min(length, wanted), announced)


def _extent(response: BaseHTTPResponse, start: int) -> tuple[int, int]:
    """Size of the object and of this body."""
    said = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if said is not None:
        first, last, total = map(int, said.groups())
        if first == start:
            return total, last - first + 1
    elif response.status == 200 and start == 0:
        size = int(response.headers.get("Content-Length", "-1"))
        if size >= 0:
            return size, size
    raise DriverError(Failure(Code.UNSUPPORTED, f"the service did not answer with the bytes from {start}"))


def _discard(response: BaseHTTPResponse) -> None:
    """Close the connection, whose rest nobody reads, and tell the pool."""
    response.close()
    response.release_conn()


def _receive(response: Any, buffer: memoryview, left: int) -> int:
    """Read into ``buffer`` itself. What urllib3 offers reads into bytes of its own and copies them: 0.7 of the speed.

    Its errors are kept, and that it closes a connection that failed; the bytes that are ``left`` are counted here.
    """
    with response._error_catcher():  # noqa: SLF001  # the one place that makes urllib3's errors of the socket's
        count = int(response._fp.readinto(buffer))  # noqa: SLF001  # http.client's response: no copy, no decoding
        if not count:
            raise DriverError(Failure(Code.NETWORK, f"the body ended {left} bytes early"))
    return count


class _ObjectReader:
    def __init__(self, response: BaseHTTPResponse, etag: str, total: int, wanted: int, announced: int) -> None:
        self._response: Any = response  # urllib3's HTTPResponse, of which its base class does not tell all
        self._left = wanted
        self._unasked = announced - wanted
        self._total = total
        self._etag = etag

    @property
    def etag(self) -> str:
        """Etag of the object that the bytes belong to."""
        return self._etag

    @property
    def total(self) -> int:
        """Size of the whole object."""
        return self._total

    def readinto(self, buffer: memoryview) -> int:
        """Fill at most 4 MiB, so that the caller has a say now and then."""
        room = min(len(buffer), _MOST, self._left)
        if room == 0:
            return 0
        count = _receive(self._response, buffer[:room], self._left)
        self._left -= count
        return count

    def __enter__(self) -> _ObjectReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._left or self._unasked:
            _discard(self._response)
            return
        if not self._response.isclosed():
            self._response.drain_conn()  # nothing is left but the end of a chunked body
        self._response.release_conn()
