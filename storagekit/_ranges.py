"""Ranges of one object in one version: what downloads and ``open_object`` read with.

Every range is asked for under If-Match, and the answer's own etag and total are compared as well, because some
servers ignore the condition: bytes of two versions never meet.
"""

from __future__ import annotations

from storagekit._clock import Cancel
from storagekit._meter import Meter
from storagekit._plan import Span
from storagekit._store import Store
from storagekit.driver import Code, DriverError, Failure, Reader
from storagekit.errors import ConflictError, IntegrityError, SourceChangedError
from storagekit.types import ObjectInfo, Progress


class Ranges:
    """Reads ranges of the object that ``info`` describes; from any number of threads."""

    def __init__(self, store: Store, bucket: str, info: ObjectInfo, meter: Meter | None = None) -> None:
        self._store = store
        self._bucket = bucket
        self._info = info
        self._meter = meter or store.meter(Progress(0, info.size))

    def read(self, span: Span, buffer: memoryview, stop: Cancel) -> None:
        """Fill ``buffer`` with one range, read again from its start after a failure.

        Raises SourceChangedError when the object was replaced, TransferCancelled, and what the service's refusals
        become.
        """
        store = self._store.with_cancel(stop)
        try:
            store.call("read", lambda: self._read(span, buffer, stop), self._bucket, self._info.key)
        except ConflictError as error:
            raise self._replaced() from error

    def _read(self, span: Span, buffer: memoryview, stop: Cancel) -> None:
        driver = self._store.driver
        done = 0
        try:
            with driver.read(self._bucket, self._info.key, span.offset, span.length, self._info.etag) as reader:
                self._check(reader)
                while done < span.length:
                    stop.check()
                    count = reader.readinto(buffer[done : min(done + self._meter.block, span.length)])
                    if not count:
                        raise DriverError(Failure(Code.NETWORK, "the object's bytes ended early"))
                    self._meter.let_pass(count, stop)
                    done += count
        except BaseException:
            self._meter.add(-done)
            raise

    def _check(self, reader: Reader) -> None:
        if reader.etag != self._info.etag:
            raise self._replaced()
        if reader.total != self._info.size:
            raise IntegrityError(f"{self._info.key} has {reader.total:,} bytes, and HEAD said {self._info.size:,}")

    def _replaced(self) -> SourceChangedError:
        return SourceChangedError(f"{self._info.key} was replaced while it was read", hint="Run again")
