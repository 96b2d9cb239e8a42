"""When a failed request is tried again, and after how long: the one retry layer.

``decide`` is a pure function of the failure, the number of failures so far and the time already spent; the loop
that asks it is in ``_guard.py``. Delays are exponential with full jitter (M. Brooker, "Exponential Backoff And
Jitter", AWS Architecture Blog 2015): ``random() * min(cap, base * 2**failures)``, or the service's own Retry-After
with a jitter on top, so that a thousand clients that were told "in 10 s" do not all come back in the same moment.
"""

from __future__ import annotations

from dataclasses import dataclass

from storagekit.driver import Code, Failure

_MOST_DOUBLINGS = 64  # any cap is reached long before; 2.0 ** 1024 is an OverflowError

RETRYABLE = frozenset({Code.THROTTLED, Code.TIMEOUT, Code.SERVER, Code.NETWORK, Code.STALE_CONNECTION, Code.INTEGRITY})
"""INTEGRITY is a body that was damaged on its way: sent again it is right, unless memory or disk is bad."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long to try.

    Attributes:
        attempts: tries of one request in all, the first included.
        base_s: first delay's upper bound in seconds; doubles with each failure.
        cap_s: upper bound of any delay in seconds.
        deadline_s: seconds after the first try beyond which no new one begins.
        max_retry_after_s: a Retry-After longer than this many seconds is not waited for.
    """

    attempts: int = 8
    base_s: float = 0.2
    cap_s: float = 20.0
    deadline_s: float = 300.0
    max_retry_after_s: float = 120.0


@dataclass(frozen=True)
class Failures:
    """What went wrong with one request so far. Immutable: ``_guard`` makes a new one per failure."""

    counted: int = 0
    stale: int = 0
    free: bool = False
    """Whether the last one was the first stale connection, which costs neither a try nor a wait."""

    @property
    def total(self) -> int:
        """All failed tries, stale connections included."""
        return self.counted + self.stale

    def after(self, failure: Failure) -> Failures:
        """Return the history with one more failure; the first stale connection is not counted as one."""
        if failure.code is Code.STALE_CONNECTION and not self.stale:
            return Failures(self.counted, 1, free=True)
        return Failures(self.counted + 1, self.stale)


def decide(policy: RetryPolicy, failure: Failure, failures: Failures, elapsed_s: float, random: float) -> float | None:
    """Return the delay in seconds before the next try, or None to give up.

    ``failures`` already includes ``failure``; ``random`` is in [0, 1).

    | failure                                   | answer                                                  |
    |-------------------------------------------|---------------------------------------------------------|
    | not retryable                             | give up                                                 |
    | first stale connection                    | 0: the pool gave us a dead one, the service is fine     |
    | attempts used, or delay ends past deadline| give up                                                 |
    | with Retry-After beyond the bound         | give up                                                 |
    | with Retry-After                          | Retry-After + random * base                             |
    | else                                      | random * min(cap, base * 2**(failures - 1))             |
    """
    if failure.code not in RETRYABLE:
        return None
    if failures.free:
        return 0.0
    if failures.counted >= policy.attempts:
        return None
    if failure.retry_after_s is not None:
        if failure.retry_after_s > policy.max_retry_after_s:
            return None
        delay = failure.retry_after_s + random * policy.base_s
    else:
        delay = random * min(policy.cap_s, policy.base_s * 2.0 ** min(failures.counted - 1, _MOST_DOUBLINGS))
    return delay if elapsed_s + delay <= policy.deadline_s else None
