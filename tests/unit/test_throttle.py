"""The limit on speed: bytes pass no faster than it says, together, and an idle time is not saved up."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagekit._clock import Cancel, Clock
from storagekit._throttle import (
    CREDIT_S,
    LARGEST_BLOCK,
    PART_S,
    Throttle,
    paced_part,
    paced_workers,
    reserved,
)
from storagekit.errors import TransferCancelled
from storagekit.testing.faults import FakeClock

RATES = st.integers(1, 10**10)
WAITS = st.lists(st.tuples(st.floats(0, 1000), st.integers(0, 10**7)), max_size=50)


@given(RATES, WAITS)
def test_no_interval_gets_more_than_the_rate_and_the_credit(rate: int, waits: list[tuple[float, int]]) -> None:
    free_at = now = 0.0
    passed: list[tuple[float, int]] = []
    for idle, count in waits:
        now += idle
        free_at = reserved(free_at, now, count / rate)
        now = max(now, free_at)  # it sleeps until then
        passed.append((now, count))

    for first in range(len(passed)):
        begun, total = passed[first][0], 0
        for end, count in passed[first + 1 :]:
            total += count
            assert total <= rate * (end - begun + CREDIT_S) * (1 + 1e-6) + 1


def test_who_waits_waits_as_long_as_the_bytes_take() -> None:
    clock = FakeClock()
    throttle = Throttle(1000, clock)

    for _ in range(10):
        throttle.wait(500, Cancel())

    assert 5 == pytest.approx(clock.now)


def test_late_sleepers_do_not_lower_the_rate() -> None:
    class Late(FakeClock):
        def sleep(self, seconds: float, cancel: Cancel) -> None:
            super().sleep(seconds + 0.05, cancel)

    clock = Late()
    throttle = Throttle(1000, clock)

    for _ in range(100):
        throttle.wait(100, Cancel())

    assert 10 == pytest.approx(clock.now, abs=CREDIT_S + 0.05)


def test_an_idle_minute_is_not_made_up_for() -> None:
    clock = FakeClock()
    throttle = Throttle(1000, clock)
    clock.now = 60.0

    throttle.wait(1000, Cancel())

    assert 61 - CREDIT_S == pytest.approx(clock.now)


@pytest.mark.parametrize(
    ("rate", "block"), [(1, 1024), (80_000, 10_000), (10 * LARGEST_BLOCK, LARGEST_BLOCK), (10**12, LARGEST_BLOCK)]
)
def test_blocks_get_smaller_so_that_no_connection_is_silent_for_long(rate: int, block: int) -> None:
    assert block == Throttle(rate, FakeClock()).block


@given(st.integers(1, 64), st.integers(1, 10**9))
def test_a_part_ends_in_time_though_all_workers_share_the_rate(workers: int, rate: int) -> None:
    part = paced_part(16 * 2**20, workers, rate)
    allowed = paced_workers(workers, part, rate)

    assert 1 <= allowed <= workers
    assert 64 * 1024 <= part <= 16 * 2**20
    assert allowed == 1 or part * allowed / rate <= PART_S
    assert (16 * 2**20, workers) == (paced_part(16 * 2**20, workers, None), paced_workers(workers, part, None))


def test_threads_share_one_line() -> None:
    clock = FakeClock()
    throttle = Throttle(1_000_000, clock)

    def send() -> None:
        for _ in range(250):
            throttle.wait(1000, Cancel())

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 - CREDIT_S <= throttle._free_at


def test_who_is_told_to_stop_does_not_wait() -> None:
    cancel = Cancel()
    cancel.set()

    with pytest.raises(TransferCancelled):
        Throttle(1, Clock()).wait(1_000_000, cancel)
