"""Byte-exact progress, counted where bodies are read and shared by all workers of one transfer.

Where a client's speed is limited, bytes also wait here (``_throttle.py``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from storagekit._clock import Cancel
from storagekit._throttle import LARGEST_BLOCK, Throttle
from storagekit.types import Progress


class Meter:
    """Counts the bytes that went out. A body that is rewound takes its bytes back."""

    def __init__(
        self,
        start: Progress,
        listener: Callable[[Progress], None] | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        self.block = throttle.block if throttle else LARGEST_BLOCK
        """Bytes that should pass at a time."""
        self._throttle = throttle
        self._lock = threading.Lock()
        self._start = start
        self._moved = 0
        self._kept = start.kept
        self._listener = listener
        self.add(0)

    @property
    def now(self) -> Progress:
        """The state at this moment."""
        start = self._start
        return Progress(start.done + self._moved, start.total, self._kept, start.workers, start.part_size)

    def let_pass(self, count: int, cancel: Cancel) -> None:
        """Count ``count`` bytes that are on their way, when the limit on speed allows it. Raises TransferCancelled."""
        if self._throttle is not None:
            self._throttle.wait(count, cancel)
        self.add(count)

    def add(self, count: int) -> None:
        """Count ``count`` bytes, which may be negative, and tell the listener, one call at a time."""
        with self._lock:
            self._moved += count
            if self._listener is not None:
                self._listener(self.now)

    def keep(self, count: int) -> None:
        """Count ``count`` bytes that turned out to be on the service already."""
        with self._lock:
            self._kept += count
        self.add(count)
