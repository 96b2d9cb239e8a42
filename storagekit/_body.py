"""The bodies of puts and parts: what a driver reads from.

Everything that is to happen to bytes on their way happens inside ``read``: progress is counted, a cancellation is
seen, a streamed part is hashed. ``failed`` keeps what ``read`` raised, because an SDK may wrap it (urllib3 turns any
OSError into its own ProtocolError) and a broken source must not look like a broken service.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from storagekit._clock import Cancel
from storagekit._hash import NO_CHECKSUM, Hasher, new_hasher
from storagekit._meter import Meter
from storagekit._plan import Span
from storagekit._source import OpenSource, RangeReader
from storagekit._throttle import LARGEST_BLOCK
from storagekit.errors import SourceTruncatedError
from storagekit.types import Checksum

BLOCK = 1024**2
"""Bytes of the first ``read``, and of a stream's buffer."""

_READ = BLOCK // 4
"""Bytes of the first read from a source."""

_QUICK_S = 0.01
"""A block that is gone sooner is followed by a larger one: 100 MB/s. On a slower line small ones show the progress."""


class MemoryBody:
    """A body that lies in memory; sliced, never copied."""

    def __init__(
        self,
        data: memoryview,
        checksum: Checksum | None,
        meter: Meter,
        cancel: Cancel,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._data = data
        self._offset = 0
        self._now = now
        self._asked_at: float | None = None
        self._block = BLOCK
        self._meter = meter
        self._cancel = cancel
        self.checksum = None if checksum == NO_CHECKSUM else checksum
        self.failed: BaseException | None = None

    @property
    def size(self) -> int:
        """Number of bytes."""
        return len(self._data)

    def read(self, n: int = -1) -> memoryview:
        """Return the next slice, at most ``n``, of 1 to 4 MiB, or less where the speed is limited."""
        try:
            self._cancel.check()
            self._pace()
            block = self._data[self._offset : self._offset + _at_most(n, min(self._block, self._meter.block))]
            self._meter.let_pass(len(block), self._cancel)
            self._offset += len(block)
        except Exception as error:
            self.failed = error
            raise
        return block

    def _pace(self) -> None:
        """Choose the next block's size by how long the last one took."""
        asked_at, self._asked_at = self._asked_at, self._now()
        if asked_at is not None:
            self._block = next_block(self._block, self._asked_at - asked_at)

    def rewind(self) -> None:
        """Go back to the first byte; progress goes back with it."""
        self._meter.add(-self._offset)
        self._offset = 0
        self._asked_at, self._block = None, BLOCK

    def view(self) -> memoryview:
        """Return all bytes."""
        return self._data


class StreamBody:
    """A part that is larger than the memory budget: read from the source again for each attempt, through ``buffer``.

    Its checksum is known only when the last byte has passed: the caller compares ``seen`` with the answer, or lets
    ``look_ahead`` read everything once more beforehand, so that the server can verify it.
    """

    def __init__(
        self, source: OpenSource, span: Span, buffer: memoryview, algorithm: str, meter: Meter, cancel: Cancel
    ) -> None:
        self._source = source
        self._span = span
        self._buffer = buffer
        self._algorithm = algorithm
        self._meter = meter
        self._cancel = cancel
        self.checksum: Checksum | None = None
        self._reader: RangeReader | None = None
        self._offset = 0
        self._hasher: Hasher = new_hasher(algorithm)
        self.failed: BaseException | None = None

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self._span.length

    @property
    def seen(self) -> Checksum:
        """Checksum of the bytes that were read since the last rewind."""
        return self._hasher.checksum()

    def look_ahead(self) -> None:
        """Read the part once to learn its checksum, and go back to the first byte."""
        self.rewind()
        while self.read():
            pass
        self.checksum = self.seen
        self.rewind()

    def read(self, n: int = -1) -> memoryview:
        """Return the next bytes; they are overwritten by the next ``read``."""
        try:
            self._cancel.check()
            return self._read(_at_most(n, self._meter.block))
        except Exception as error:
            self.failed = error
            raise

    def _read(self, n: int) -> memoryview:
        wanted = min(n, self.size - self._offset, len(self._buffer))
        if wanted == 0:
            return memoryview(b"")
        if self._reader is None:
            self._reader = self._source.open_range(self._span.offset, self._span.length, self._cancel)
        count = self._reader.readinto(self._buffer[:wanted])
        if count == 0:
            raise truncated(self._source.identity.shown, self._span.offset + self._offset, self._source.size or 0)
        block = self._buffer[:count]
        self._hasher.update(block)
        self._meter.let_pass(count, self._cancel)
        self._offset += count
        if self._offset == self.size:
            self._source.check()  # before the last byte goes out, with which the server has a part
        return block

    def rewind(self) -> None:
        """Go back to the first byte: the source is opened again."""
        self.close()
        self._meter.add(-self._offset)
        self._offset = 0
        self._hasher = new_hasher(self._algorithm)

    def view(self) -> None:
        """Return None: the bytes are not in memory."""

    def close(self) -> None:
        """Close the source's reader."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def next_block(last: int, took_s: float, least: int = BLOCK) -> int:
    """Return how many bytes to pass next, where the ``last`` ones took so long: twice as many on a quick line."""
    return min(2 * last, LARGEST_BLOCK) if took_s < _QUICK_S else least


def _at_most(n: int, block: int) -> int:
    """Bytes that ``read(n)`` may return: a negative ``n`` asks for what is convenient."""
    return block if n < 0 else min(n, block)


def truncated(shown: str, offset: int, size: int) -> SourceTruncatedError:
    """Return the error for a source that ended at ``offset`` instead of at its size."""
    return SourceTruncatedError(
        f"{shown} ended after {offset:,} of {size:,} bytes",
        hint="Nothing was published; run again when the source is whole",
    )


def fill(
    source: OpenSource,
    span: Span,
    buffer: memoryview,
    hasher: Hasher,
    cancel: Cancel,
    now: Callable[[], float] = time.monotonic,
) -> None:
    """Read one part into ``buffer`` and hash it as it passes.

    In blocks of 256 KiB, so that a cancellation is seen soon where the source is slow, and up to 4 MiB where it is
    quick: each gives the interpreter lock away twice, and four threads reach 0.90 instead of 0.83 of a bare loop.

    Raises SourceTruncatedError when the source ends early, SourceChangedError when it is not what it was: no byte of
    another version is ever sent, so none is ever kept. And whatever the source raises.
    """
    reader = source.open_range(span.offset, span.length, cancel)
    try:
        done, block = 0, _READ
        while done < span.length:
            cancel.check()
            began = now()
            count = reader.readinto(buffer[done : min(done + block, span.length)])
            block = next_block(block, now() - began, _READ)
            if count == 0:
                raise truncated(source.identity.shown, span.offset + done, source.size or 0)
            hasher.update(buffer[done : done + count])
            done += count
    finally:
        reader.close()
    source.check()
