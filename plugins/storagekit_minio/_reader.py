"""The bytes of a GET, checked against what was asked for.

A range that came back as something else is never passed on: the answer must say where its bytes begin
(Content-Range; rclone sends it with a 200) or, without saying so, be the whole object, of which the front is taken.
"""

from __future__ import annotations

import re
from types import TracebackType

from urllib3.response import BaseHTTPResponse

from storagekit.driver import Code, DriverError, Failure, Reader
from storagekit_minio._answers import etag_of_object
from storagekit_minio._connections import BLOCK

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


class _ObjectReader:
    def __init__(self, response: BaseHTTPResponse, etag: str, total: int, wanted: int, announced: int) -> None:
        self._response = response
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
        """Fill at most 1 MiB: urllib3 reads into bytes of its own first, and a whole part of them would count."""
        room = min(len(buffer), BLOCK, self._left)
        if room == 0:
            return 0
        block = self._response.read(room, decode_content=False)
        if not block:
            raise DriverError(Failure(Code.NETWORK, f"the body ended {self._left} bytes early"))
        buffer[: len(block)] = block
        self._left -= len(block)
        return len(block)

    def __enter__(self) -> _ObjectReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._left or self._unasked:
            _discard(self._response)
        else:
            self._response.drain_conn()  # nothing is left but the end of a chunked body
            self._response.release_conn()
