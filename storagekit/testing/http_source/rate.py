"""The rate limit: one token bucket over all connections."""

from __future__ import annotations

import threading
import time

BURST_SECONDS = 0.05
"""Lateness the token bucket makes good: a 50 ms scheduling hiccup costs no throughput, a long pause is not repaid."""
PIECE = 64 * 1024
"""Largest piece sent while a rate or a trigger wants precision."""
LARGE_PIECE = 256 * 1024
"""Piece sent when nothing wants precision: where the per-piece cost stops showing."""


class RateLimit:
    """Token bucket over all connections, kept as the time at which the line is next free.

    Each piece books the next slot; slots are handed out in the order of the calls, so connections share fairly.
    """

    def __init__(self, rate: float | None) -> None:
        self._lock = threading.Lock()
        self._free_at = 0.0
        self.rate = rate

    def piece(self) -> int:
        """Largest piece to send at once: 64 KiB, or what 20 ms carry when the rate is below 3.2 MB/s."""
        rate = self.rate
        return LARGE_PIECE if rate is None else max(1, min(PIECE, int(rate / 50)))

    def book(self, count: int) -> float:
        """Seconds to wait before sending ``count`` bytes."""
        rate = self.rate
        if rate is None:
            return 0.0
        with self._lock:
            now = time.monotonic()
            start = max(self._free_at, now - BURST_SECONDS)
            self._free_at = start + count / rate
            return start - now

    def change(self, rate: float | None) -> None:
        """Another rate from now on; None for no limit."""
        with self._lock:
            self.rate = rate
            self._free_at = time.monotonic()
