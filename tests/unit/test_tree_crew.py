"""Many objects at once: what is held, counted and told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from storagekit._clock import Cancel
from storagekit._tree.crew import Tally, Task, run_all
from storagekit.types import ObjectFailure, ObjectOutcome, Progress, TreeProgress


def test_tasks_are_asked_for_only_when_somebody_is_free() -> None:
    made: list[int] = []
    most = 0

    def tasks() -> Iterator[Task]:
        for number in range(1000):
            made.append(number)
            yield Task(str(number), None, run)

    def run(_: object, __: int) -> ObjectOutcome:
        nonlocal most
        most = max(most, len(made) - done[0])
        return ObjectOutcome("k", 1, "copied")

    done = [0]

    def count(_: ObjectOutcome) -> None:
        done[0] += 1

    result = run_all(tasks(), 4, Cancel(), count, None)

    assert (1000, 1000) == (result.copied, done[0])
    assert most <= 4 + 1


def test_of_many_failures_the_first_thousand_are_kept() -> None:
    tally = Tally(None, None)
    for number in range(1500):
        key = str(number)
        tally.note(ObjectOutcome(key, 0, "failed", failure=ObjectFailure(key, "E", "e", "no")))
    assert (1500, 1000, "999") == (
        tally.result.failed,
        len(tally.result.failures),
        tally.result.failures[-1].key,
    )


def test_bytes_of_an_object_that_fails_are_taken_back() -> None:
    told: list[TreeProgress] = []
    tally = Tally(None, told.append)
    moved = tally.listener()

    moved(Progress(5, 10))
    tally.note(ObjectOutcome("k", 0, "failed"), moved)

    assert [TreeProgress(0, 5), TreeProgress(1, 0)] == told


@pytest.mark.parametrize(("objects", "share"), [(0, None), (1, 4), (2, 2), (3, 1), (4, 1), (9, 1)])
def test_the_workers_are_shared_among_the_objects(objects: int, share: int | None) -> None:
    given: set[int] = set()

    def run(_: object, workers: int) -> ObjectOutcome:
        given.add(workers)
        return ObjectOutcome("k", 1, "copied")

    run_all(iter([Task(str(number), None, run) for number in range(objects)]), 4, Cancel(), None, None)

    assert ({share} if share else set()) == given
