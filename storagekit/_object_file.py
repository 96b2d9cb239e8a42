"""An object as a binary file: seekable, buffered, reading ahead, pinned to the version it was opened in.

Three layers, the upper two from ``io``:

    ObjectFile (io.BufferedReader)   small reads, lines, ``tell``
    _RawObject (io.RawIOBase)        a position; copies out of blocks
    _Blocks                          which blocks to have, and which to fetch next

Every block is fetched by a daemon thread of its own, also the one that the caller waits for, so that a cancellation is
seen at once even if the server stalls. Blocks come in runs. A run starts where the caller seeks to, with what was asked
for and at least 64 KiB: at 100 MB/s that is 0.7 ms beside 10 to 50 ms of latency, where a whole block of 4 MiB would
take 42 ms. It becomes sequential when the caller reads past what it had asked for: then each block is twice as long as
the one before, up to ``block_size``, and up to ``ahead`` blocks are on their way while the caller consumes one; the
last of them starts before three times what the run has consumed. So random access fetches what it asks for, in one
request where it fits a block; one who stops early has cost a few times what he read; and a sequential reader has whole
blocks after 6 doublings, the first block ahead from the third on.
"""

from __future__ import annotations

import io
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from storagekit._clock import LAST_WORDS_S, Cancel
from storagekit._memory import allocate
from storagekit._plan import MIB, Span
from storagekit._ranges import Ranges
from storagekit._store import Store
from storagekit.errors import ConfigurationError
from storagekit.types import ObjectInfo

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK_SIZE = 4 * MIB
"""Sequential reading, two blocks ahead, 30 ms to the first byte and 100 MB/s a connection, measured: blocks of 1 MiB
63 MB/s, of 4 MiB 119 MB/s, of 16 MiB 126 MB/s for four times the memory; 4 MiB with none ahead 52, with one 97 MB/s."""

AHEAD = 2

_PACE = 2
"""A block ahead starts at most this many times as far off as the run has come. Without it the member of a zip file, a
header of 64 KiB and 300 KiB that follow, cost 3.5 MB; with it 364 KiB."""

_BUFFER = 32 * 1024
"""What BufferedReader asks for at a time. It takes a large read in two: whole buffers directly, the rest through its
buffer. So a block that is asked for is this much longer than asked, and the rest costs no request of its own."""

_LOOK_S = 0.1  # how often a waiting reader looks whether it was stopped


def open_object(
    store: Store,
    bucket: str,
    key: str,
    *,
    block_size: int = BLOCK_SIZE,
    ahead: int = AHEAD,
    cancel: Cancel | None = None,
) -> ObjectFile:
    """Open an object for reading, as ``open(path, "rb")`` opens a file. Costs one HEAD.

    Args:
        store: where the object is.
        bucket: the bucket's name.
        key: the object's key.
        block_size: bytes per request once reading is sequential.
        ahead: blocks fetched ahead of a sequential reader; 0 for none.
        cancel: ends every read with TransferCancelled when it is set.

    Memory is at most ``(ahead + 1) * (block_size + 32 KiB)``, 12 MiB by default, besides what a read returns. It is not
    drawn from the client's budget: a file that is kept open, or uploaded, must not wait for slots it holds itself.

    Raises:
        ObjectNotFoundError: there is no such object.
        ConfigurationError: ``block_size`` is below 1 or ``ahead`` below 0.
    """
    if block_size < 1 or ahead < 0:
        raise ConfigurationError(f"block_size={block_size} and ahead={ahead}: at least 1 and 0 are needed")
    stop = Cancel(cancel)
    info = store.with_cancel(stop).head(bucket, key)
    buffer = min(_BUFFER, block_size)
    raw = _RawObject(info, _Blocks(Ranges(store, bucket, info), info.size, _Sizes(block_size, ahead, buffer), stop))
    return ObjectFile(raw, buffer)


class ObjectFile(io.BufferedReader):
    """One object in one version, open for reading.

    For one thread at a time, as files are. Reads raise the errors of ``storagekit.errors``, SourceChangedError when
    the object has been replaced since. After one that failed, ``seek`` first: where the file stands is not known.
    """

    def __init__(self, raw: _RawObject, buffer_size: int) -> None:
        super().__init__(raw, buffer_size)
        self._object = raw

    @property
    def size(self) -> int:
        """Bytes of the object."""
        return self._object.info.size

    @property
    def etag(self) -> str:
        """Etag of the version that is read."""
        return self._object.info.etag

    def close(self) -> None:
        """Stop reading ahead. Returns within 2 s; no fetch begins afterwards."""
        self._object.blocks.close()  # before the lock that a read in another thread holds
        super().close()


class _RawObject(io.RawIOBase):
    """A position in the object. ``readinto`` fills the whole buffer unless the object ends."""

    def __init__(self, info: ObjectInfo, blocks: _Blocks) -> None:
        super().__init__()
        self.info = info
        self.name = info.key
        self.mode = "rb"
        self.blocks = blocks
        self._position = 0
        self._lost = False

    def readable(self) -> bool:
        self._check_open()
        return True

    def seekable(self) -> bool:
        self._check_open()
        return True

    def tell(self) -> int:
        self._check_open()
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._check_open()
        if whence == io.SEEK_CUR:
            self._check_place()
        bases = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.info.size}
        if whence not in bases:
            raise ValueError(f"invalid whence {whence}")
        if bases[whence] + offset < 0:
            raise ValueError(f"negative seek position {bases[whence] + offset}")
        self._position = bases[whence] + offset
        self._lost = False
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        self._check_open()
        self._check_place()
        self._lost = True
        view = memoryview(buffer).cast("B")
        start, end = self._position, min(self._position + len(view), self.info.size)
        while self._position < end:
            self._position += self.blocks.copy(self._position, end, view[self._position - start :])
        self._lost = False
        return self._position - start

    def readall(self) -> bytes:
        self._check_open()
        buffer = bytearray(max(0, self.info.size - self._position))
        self.readinto(buffer)
        return bytes(buffer)

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")

    def _check_place(self) -> None:
        """After a failed read: what BufferedReader had of it is gone, and going on from here would leave it out."""
        if self._lost:
            raise ValueError("the last read failed: seek to where to go on")


@dataclass(frozen=True)
class _Sizes:
    """The most bytes of a block, the blocks to fetch ahead, the bytes that a block is stretched by."""

    block: int
    ahead: int
    slack: int

    def first(self, asked: int) -> int:
        """Return how long a block is that only what was ``asked`` calls for."""
        return asked + self.slack if asked <= self.block else self.block

    def next(self, last: int, asked: int) -> int:
        """Return how long the next block of a sequential run is."""
        return max(min(2 * last, self.block), self.first(asked))


class _Blocks:
    """The block that is being consumed, and the ones after it that are on their way: see the module docstring."""

    def __init__(self, ranges: Ranges, size: int, sizes: _Sizes, stop: Cancel) -> None:
        self._ranges = ranges
        self._size = size
        self._sizes = sizes
        self._stop = stop
        self._current: _Block | None = None
        self._coming: deque[_Block] = deque()
        self._dropped: list[_Block] = []
        self._begin = 0  # of the run
        self._asked = 0  # where what was asked for ends
        self._sequential = False

    def copy(self, position: int, end: int, target: memoryview) -> int:
        """Copy bytes from ``position`` on, as many as there are up to ``end``, and return how many."""
        self._stop.check()
        if self._current is None or position not in self._current:
            self._current = self._move(position, end)
        begin = position - self._current.span.offset
        data = self._current.data[begin : begin + end - position]
        target[: len(data)] = data
        return len(data)

    def _move(self, position: int, end: int) -> _Block:
        """Return the block at ``position``, and send for those after it."""
        last = self._current.span if self._current else Span(0, 0, 0)
        self._current = None  # its memory is free before more is asked for
        self._skip_to(position)
        goes_on = bool(self._coming) or (last.length > 0 and position == last.offset + last.length)
        self._sequential = goes_on and (self._sequential or position >= self._asked)
        self._begin = self._begin if goes_on else position
        self._asked = end
        horizon = max(end, position + _PACE * (position - self._begin)) if self._sequential else end
        if not self._coming:
            self._send(position, last.length)
        while self._has_room and self._coming[-1].end < min(horizon, self._size):
            self._send(self._coming[-1].end, self._coming[-1].span.length)
        block = self._coming.popleft()
        try:
            block.wait(self._stop)
        except BaseException:
            self._drop(block)
            raise
        return block

    def _skip_to(self, position: int) -> None:
        while self._coming and position not in self._coming[0]:
            self._drop(self._coming.popleft())

    @property
    def _has_room(self) -> bool:
        self._dropped = [block for block in self._dropped if not block.done.is_set()]
        return len(self._coming) + len(self._dropped) <= self._sizes.ahead

    def _send(self, position: int, last: int) -> None:
        asked = self._asked - position
        length = self._sizes.next(last, asked) if self._sequential else self._sizes.first(asked)
        self._coming.append(_Block(self._ranges, Span(0, position, min(length, self._size - position)), self._stop))

    def _drop(self, block: _Block) -> None:
        """Give a block up. It counts until its thread has seen that: a stalled one still holds its memory."""
        block.stop.set()
        self._dropped.append(block)

    def close(self) -> None:
        """Give everything up; wait for the threads' last words."""
        self._stop.set()
        looks = LAST_WORDS_S / _LOOK_S
        for block in [*self._coming, *self._dropped]:
            while looks > 0 and not block.done.wait(_LOOK_S):
                looks -= 1


class _Block:
    """One range, on its way from the moment it is made."""

    def __init__(self, ranges: Ranges, span: Span, stop: Cancel) -> None:
        self.span = span
        self.stop = Cancel(stop)
        self.done = threading.Event()
        self.data = memoryview(allocate(span.length))
        self._error: BaseException | None = None
        threading.Thread(target=self._run, args=(ranges,), name=f"storagekit-at-{span.offset}", daemon=True).start()

    def __contains__(self, position: int) -> bool:
        return self.span.offset <= position < self.end

    @property
    def end(self) -> int:
        """Offset behind the last byte."""
        return self.span.offset + self.span.length

    def wait(self, stop: Cancel) -> None:
        """Return when the bytes are there. Raises what the fetch raised."""
        while not self.done.wait(_LOOK_S):
            stop.check()
        if self._error is not None:
            raise self._error

    def _run(self, ranges: Ranges) -> None:
        try:
            ranges.read(self.span, self.data, self.stop)
        except BaseException as error:  # noqa: BLE001  # carried to the thread that reads
            self._error = error
        finally:
            self.done.set()
