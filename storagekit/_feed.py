"""A queue of one between the thread that reads a stream and those that send its parts.

One, so that at most one finished part waits while all workers send: more would only hold memory.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Generic, TypeVar

from storagekit._clock import Cancel

T = TypeVar("T")

_LOOK_S = 0.1  # how soon a waiter sees that the transfer was stopped


class Feed(Generic[T]):
    """An iterator that waits for what another thread puts in; it ends when that closes it or the transfer stops."""

    def __init__(self, stop: Cancel) -> None:
        self._stop = stop
        self._changed = threading.Condition()
        self._waiting: list[T] = []
        self._closed = False

    def put(self, item: T) -> None:
        """Hand over one item; waits while another one is still there. Raises TransferCancelled."""
        with self._changed:
            while self._waiting:
                self._stop.check()
                self._changed.wait(_LOOK_S)
            self._stop.check()
            self._waiting.append(item)
            self._changed.notify_all()

    def close(self) -> None:
        """Say that nothing follows."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def drain(self) -> list[T]:
        """Return what nobody took; after a failure."""
        with self._changed:
            left, self._waiting = self._waiting, []
            return left

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        with self._changed:
            while not self._waiting:
                if self._closed or self._stop.is_set:
                    raise StopIteration
                self._changed.wait(_LOOK_S)
            item = self._waiting.pop()
            self._changed.notify_all()
            return item
