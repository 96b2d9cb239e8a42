"""Progress: exact to the byte, and told one call at a time."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from storagekit._meter import Meter
from storagekit.types import Progress

START = Progress(100, 1000, kept=100, workers=4, part_size=50)


@given(st.lists(st.integers(-50, 50)))
def test_every_change_is_told_and_adds_up(counts: list[int]) -> None:
    seen: list[Progress] = []
    meter = Meter(START, seen.append)
    for count in counts:
        meter.add(count)
    expected = [100 + sum(counts[:n]) for n in range(len(counts) + 1)]
    assert expected == [progress.done for progress in seen]
    assert seen[-1] == meter.now


def test_the_start_is_told_at_once_and_its_facts_stay() -> None:
    seen: list[Progress] = []
    Meter(START, seen.append).add(7)
    assert [START, Progress(107, 1000, kept=100, workers=4, part_size=50)] == seen


def test_nobody_has_to_listen() -> None:
    meter = Meter(START)
    meter.add(5)
    assert meter.now.done == 105


def test_threads_are_counted_exactly_and_told_in_turn() -> None:
    seen: list[int] = []
    meter = Meter(Progress(0, None), lambda progress: seen.append(progress.done))

    def count() -> None:
        for _ in range(500):
            meter.add(1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(range(2001)) == seen
