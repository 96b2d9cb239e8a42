"""Where memory is bounded: a budget in bytes, handed out as buffers in the order in which they were asked for.

A worker holds a slot from the first byte that it reads until the service has acknowledged the part, so the bytes
in flight, and with them what a kill can cost, are at most ``slots x part size``. Buffers go back to a pool: a part
costs no allocation once the transfer runs. Buffers in use and buffers in the pool together stay inside the budget.
Waiters are served first come, first served: with several uploads on one uploader none starves.

An upload opens its source only when it has a first slot (``Share``): a source that is open but not read would time
out, and two streams of which one cannot go on before the other is read would wait for each other for ever. As they
are, each holds at most one slot that waits for bytes; all others are on their way to the service and come back.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from storagekit._clock import Cancel
from storagekit._memory import Memory, allocate

_POLL_S = 0.2  # how soon a waiter sees a cancellation; a freed slot wakes it at once


class Slot:
    """A buffer of the window. ``view`` is its bytes; ``release`` gives it back, once."""

    def __init__(self, window: Window, buffer: Memory, size: int) -> None:
        self._window = window
        self._buffer: Memory | None = buffer
        self.view = memoryview(buffer)[:size]

    def release(self) -> None:
        """Give the buffer back; the second time nothing happens."""
        buffer, self._buffer = self._buffer, None
        if buffer is not None:
            self.view.release()  # who still reads through it gets an error; not so a slice: who sends it, releases it
            self._window.give_back(buffer)


class Window:
    """A memory budget that many threads draw buffers from."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()
        self._in_use = 0
        self._pool: list[Memory] = []

    @contextmanager
    def slot(self, size: int, cancel: Cancel) -> Iterator[memoryview]:
        """Yield a buffer of ``size`` bytes, which is at most the budget; waits while the budget is used up.

        Raises TransferCancelled when ``cancel`` is set while waiting.
        """
        slot = self.take(size, cancel)
        try:
            yield slot.view
        finally:
            slot.release()

    def take(self, size: int, cancel: Cancel) -> Slot:
        """Return a slot of ``size`` bytes, as ``slot`` does; the caller releases it."""
        self.reserve(size, cancel)
        return self.redeem(size)

    def reserve(self, size: int, cancel: Cancel) -> None:
        """Wait until ``size`` bytes are free and set them aside; no memory is touched yet."""
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                while self._queue[0] is not ticket or self._in_use + size > self.budget:
                    self._changed.wait(_POLL_S)
                    cancel.check()
                self._in_use += size
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()

    def redeem(self, size: int) -> Slot:
        """Return a slot for ``size`` bytes that were reserved."""
        try:
            with self._changed:
                return Slot(self, self._from_pool(size), size)
        except MemoryError:
            self.forgo(size)
            raise

    def forgo(self, size: int) -> None:
        """Give back ``size`` bytes that were reserved and are not wanted."""
        with self._changed:
            self._in_use -= size
            self._changed.notify_all()

    def give_back(self, buffer: Memory) -> None:
        """Take a slot's buffer back."""
        with self._changed:
            self._in_use -= len(buffer)
            self._pool.append(buffer)
            self._changed.notify_all()

    def _from_pool(self, size: int) -> Memory:
        """Return the smallest pooled buffer that will do, or a new one, for ``size`` bytes that are counted as in use.

        A larger one for the last part of a transfer spares memory: what is freed is not given back to the system at
        once. But none of more than half of the budget, or two streams that feed each other could wait for ever.
        """
        most = max(size, min(self.budget // 2, self.budget - self._in_use + size))
        best = min((buffer for buffer in self._pool if size <= len(buffer) <= most), key=len, default=None)
        if best is not None:
            self._pool = [buffer for buffer in self._pool if buffer is not best]
            self._in_use += len(best) - size
            return best
        while self._pool and self._in_use + sum(map(len, self._pool)) > self.budget:
            self._pool.pop(0)
        return allocate(size)


class Share:
    """The window as one upload uses it: its first slot was reserved before its source was opened."""

    def __init__(self, window: Window, size: int, cancel: Cancel) -> None:
        window.reserve(size, cancel)
        self._window = window
        self._lock = threading.Lock()
        self._reserved = size

    @property
    def budget(self) -> int:
        """Bytes of the whole window."""
        return self._window.budget

    def take(self, size: int, cancel: Cancel) -> Slot:
        """Return a slot: the first time the reserved one, as far as it is large enough."""
        reserved = self._draw()
        if reserved < size:
            self._window.forgo(reserved)
            return self._window.take(size, cancel)
        self._window.forgo(reserved - size)
        return self._window.redeem(size)

    @contextmanager
    def slot(self, size: int, cancel: Cancel) -> Iterator[memoryview]:
        """Yield a buffer of ``size`` bytes; see ``Window.slot``."""
        slot = self.take(size, cancel)
        try:
            yield slot.view
        finally:
            slot.release()

    def close(self) -> None:
        """Give back what was reserved and never used."""
        self._window.forgo(self._draw())

    def _draw(self) -> int:
        with self._lock:
            reserved, self._reserved = self._reserved, 0
            return reserved
