"""A limit on bytes per second, for all transfers of a client together (``max_speed``).

Bytes wait where they are counted: in the bodies that are sent (``_body.py``) and the ranges that are read
(``_ranges.py``). Each block reserves its time on one shared line; who reserved waits until that time is over. What is
not sent because it is there already, and what the service copies by itself, does not wait.
"""

from __future__ import annotations

import threading

from storagekit._clock import Cancel, Clock

LARGEST_BLOCK = 4 * 1024**2
"""Bytes per block without a limit. With small ones four threads spend their time handing the interpreter lock around:
of a raw loop's speed they reach 0.75 with 1 MiB, 0.82 with 4 MiB (2 cores, loopback)."""

_SMALLEST_BLOCK = 1024
_SMALLEST_PART = 64 * 1024
_BLOCKS_PER_S = 8  # at a low rate blocks get smaller, so that no connection is silent for long

CREDIT_S = 0.1
"""How much unused time is made up for: a sleep that ends late must not lower the rate, an idle minute not raise it."""


PART_S = 300
"""Seconds that a part takes at most, as far as the service's smallest part allows: an upload without a new part for
15 minutes counts as abandoned by its writer (``_resume.IDLE``)."""


class Throttle:
    """Lets bytes pass at ``rate`` bytes per second. Safe to share between threads."""

    def __init__(self, rate: int, clock: Clock) -> None:
        self.block = min(max(rate // _BLOCKS_PER_S, _SMALLEST_BLOCK), LARGEST_BLOCK)
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._free_at = clock.monotonic()

    def wait(self, count: int, cancel: Cancel) -> None:
        """Return when ``count`` bytes have had their time. Raises TransferCancelled."""
        with self._lock:
            now = self._clock.monotonic()
            self._free_at = reserved(self._free_at, now, count / self._rate)
            pause = self._free_at - now
        if pause > 0:
            self._clock.sleep(pause, cancel)


def paced_part(wanted: int, workers: int, rate: int | None) -> int:
    """Return a part size in bytes with which ``workers`` parts that share the rate end within ``PART_S``."""
    return wanted if rate is None else min(wanted, max(rate * PART_S // workers, _SMALLEST_PART))


def paced_workers(workers: int, part_size: int, rate: int | None) -> int:
    """Return how many parts of this size may share the rate so that each ends within ``PART_S``; at least one."""
    return workers if rate is None else max(1, min(workers, rate * PART_S // part_size))


def reserved(free_at: float, now: float, seconds: float) -> float:
    """Return until when the line is taken, where it was free at ``free_at`` and ``seconds`` more are taken now."""
    return max(free_at, now - CREDIT_S) + seconds
