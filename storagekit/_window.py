"""Where memory is bounded: a budget in bytes, handed out as buffers in the order in which they were asked for.

A worker holds a slot from the first byte that it reads until the service has acknowledged the part, so the bytes
in flight, and with them what a kill can cost, are at most ``slots x part size``. Buffers go back to a pool: a part
costs no allocation once the transfer runs. Buffers in use and buffers in the pool together stay inside the budget.
Waiters are served first come, first served: with several uploads on one uploader none starves.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from storagekit._clock import Cancel

_POLL_S = 0.2  # how soon a waiter sees a cancellation; a freed slot wakes it at once


class Window:
    """A memory budget that many threads draw buffers from."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()
        self._in_use = 0
        self._pool: list[bytearray] = []

    @contextmanager
    def slot(self, size: int, cancel: Cancel) -> Iterator[memoryview]:
        """Yield a buffer of ``size`` bytes, which is at most the budget; waits while the budget is used up.

        Raises TransferCancelled when ``cancel`` is set while waiting.
        """
        buffer = self._acquire(size, cancel)
        view = memoryview(buffer)
        try:
            yield view[:size]
        finally:
            view.release()
            self._release(buffer)

    def _acquire(self, size: int, cancel: Cancel) -> bytearray:
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                while self._queue[0] is not ticket or self._in_use + size > self.budget:
                    self._changed.wait(_POLL_S)
                    cancel.check()
                buffer = self._from_pool(size)
                self._in_use += size
                return buffer
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()

    def _from_pool(self, size: int) -> bytearray:
        for index, buffer in enumerate(self._pool):
            if len(buffer) == size:
                return self._pool.pop(index)
        while self._pool and self._in_use + size + sum(map(len, self._pool)) > self.budget:
            self._pool.pop(0)
        return bytearray(size)

    def _release(self, buffer: bytearray) -> None:
        with self._changed:
            self._in_use -= len(buffer)
            self._pool.append(buffer)
            self._changed.notify_all()
