"""Workers over parts: who fails alone, who stops the others, and how fast an interrupt gets through."""

from __future__ import annotations

import _thread
import threading
import time
from collections.abc import Callable

import pytest

from storagekit._clock import Cancel
from storagekit._crew import Crew
from storagekit._plan import Plan, Span
from storagekit.errors import ServiceError, SourceChangedError, StorageError, TransferCancelled

SPANS = list(Plan(100, 10).spans())


def run(work: Callable[[Span], int], workers: int = 1, stop: Cancel | None = None) -> dict[int, int]:
    crew = Crew(SPANS, work, stop or Cancel())
    crew.run(workers)
    return crew.results


def failing(calls: list[int], *numbers: int) -> Callable[[Span], int]:
    """Work that notes each call, and fails as a service does at these parts."""

    def work(span: Span) -> int:
        calls.append(span.number)
        if span.number in numbers:
            raise ServiceError(f"part {span.number}")
        return span.offset

    return work


@pytest.mark.parametrize("workers", [1, 3, 20])
def test_every_part_is_worked_on_once(workers: int) -> None:
    calls: list[int] = []
    assert {span.number: span.offset for span in SPANS} == run(failing(calls), workers)
    assert list(range(1, 11)) == sorted(calls)


def test_without_parts_there_is_nothing_to_wait_for() -> None:
    crew: Crew[Span, int] = Crew([], lambda span: 1, Cancel())
    crew.run(3)
    assert crew.results == {}


def test_workers_work_at_the_same_time() -> None:
    together = threading.Barrier(5)
    assert set(run(lambda span: together.wait(10) * 0, workers=5).values()) == {0}


def test_one_part_that_fails_does_not_stop_the_others() -> None:
    calls: list[int] = []
    crew = Crew(SPANS, failing(calls, 3), Cancel())
    with pytest.raises(ServiceError, match="part 3"):
        crew.run(1)
    assert (10, 9) == (len(calls), len(crew.results))


def test_four_failed_parts_in_a_row_stop_the_others() -> None:
    calls: list[int] = []
    with pytest.raises(ServiceError):
        run(failing(calls, *range(3, 11)))
    assert [1, 2, 3, 4, 5, 6] == calls


def test_a_part_that_works_begins_the_row_again() -> None:
    calls: list[int] = []
    with pytest.raises(ServiceError):
        run(failing(calls, 1, 2, 3, 5, 6, 7, 9))
    assert list(range(1, 11)) == calls


def test_the_first_error_wins() -> None:
    with pytest.raises(ServiceError, match=r"part 2$"):
        run(failing([], 2, 5, 7))


@pytest.mark.parametrize("error", [SourceChangedError("changed"), StorageError("other"), ValueError("bug")])
def test_any_other_error_stops_everything_at_once(error: Exception) -> None:
    calls: list[int] = []

    def work(span: Span) -> int:
        calls.append(span.number)
        raise error

    stop = Cancel()
    with pytest.raises(type(error)) as caught:
        run(work, stop=stop)
    assert ([1], True) == (calls, stop.is_set)
    assert caught.value is error


def test_what_a_stopped_worker_says_does_not_hide_the_first_error() -> None:
    stop = Cancel()

    def work(span: Span) -> int:
        if span.number == 1:
            raise SourceChangedError("first")
        stop.wait(10)
        return 0

    with pytest.raises(SourceChangedError, match="first"):
        run(work, workers=3, stop=stop)


def test_a_worker_that_exits_is_no_silent_success() -> None:
    def work(span: Span) -> int:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        run(work)


@pytest.mark.parametrize("at", [1, 5])
def test_a_cancelled_crew_ends_without_the_rest(at: int) -> None:
    parent, calls = Cancel(), list[int]()

    def work(span: Span) -> int:
        calls.append(span.number)
        if span.number == at:
            parent.set()
        return 0

    with pytest.raises(TransferCancelled):
        run(work, stop=Cancel(parent))
    assert list(range(1, at + 1)) == calls


def interrupted(end: Callable[[Cancel], object]) -> float:
    """Interrupt the thread that waits for one worker, which then does ``end``; return the seconds it took."""
    stop = Cancel()
    crew: Crew[Span, None]

    def work(span: Span) -> None:
        time.sleep(0.05)  # until the main thread waits for us; an earlier interrupt has to end alike
        _thread.interrupt_main()
        end(stop)

    crew = Crew(SPANS, work, stop)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        crew.run(1)
    assert stop.is_set
    return time.monotonic() - began


def test_an_interrupt_of_the_waiting_thread_stops_the_workers_and_passes() -> None:
    assert interrupted(lambda stop: stop.wait(10)) < 1.0


def test_an_interrupt_waits_for_a_worker_that_hangs_but_not_for_long() -> None:
    hangs = threading.Event()
    assert 1.0 < interrupted(lambda stop: hangs.wait(30)) < 3.0
    hangs.set()


@pytest.mark.parametrize("allowed", [1, 2])
def test_where_the_system_allows_no_more_threads_those_that_there_are_do_the_work(
    monkeypatch: pytest.MonkeyPatch, allowed: int
) -> None:
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def limited(thread: threading.Thread) -> None:
        if len(started) == allowed:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    assert 10 == len(run(lambda span: span.number, workers=4))


def test_without_any_thread_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(ServiceError, match="thread"):
        run(lambda span: span.number)
