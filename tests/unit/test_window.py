"""The memory window: a budget that holds whatever threads do, handed out in the order of asking."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagekit._clock import Cancel
from storagekit._window import Share, Window
from storagekit.errors import TransferCancelled

BUDGET = 100


def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread, a millisecond at a time."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "waited 10 s in vain"
        threading.Event().wait(0.001)


def waiting(window: Window) -> int:
    return len(window._queue)


class Worker(threading.Thread):
    """Asks for a slot, says so in ``log`` when it has it, and keeps it until told to ``leave``."""

    def __init__(self, window: Window, size: int, log: list[str], cancel: Cancel | None = None) -> None:
        super().__init__(daemon=True)
        self._window, self._size, self._log, self._cancel = window, size, log, cancel or Cancel()
        self.leave = threading.Event()
        self.start()

    def run(self) -> None:
        try:
            with self._window.slot(self._size, self._cancel):
                self._log.append(f"got {self._size}")
                self.leave.wait(10)
        except TransferCancelled:
            self._log.append(f"cancelled {self._size}")

    def end(self) -> None:
        self.leave.set()
        self.join(10)


def test_a_slot_is_a_writable_buffer_of_the_size_asked_for() -> None:
    with Window(BUDGET).slot(7, Cancel()) as buffer:
        buffer[:] = b"1234567"
        assert bytes(buffer) == b"1234567"


def test_threads_never_hold_more_than_the_budget() -> None:
    window, lock, held, most = Window(BUDGET), threading.Lock(), [0], [0]

    def work(size: int) -> None:
        for _ in range(50):
            with window.slot(size, Cancel()) as buffer:
                with lock:
                    held[0] += len(buffer)
                    most[0] = max(most[0], held[0])
                with lock:
                    held[0] -= len(buffer)

    threads = [threading.Thread(target=work, args=(size,), daemon=True) for size in (10, 30, 50, 50, 70, 100)]
    for thread in threads:
        thread.start()
    until(lambda: not any(thread.is_alive() for thread in threads))
    assert most[0] <= BUDGET
    assert (0, 0) == (held[0], window._in_use)


@given(st.lists(st.integers(1, BUDGET) | st.none()))
def test_buffers_in_use_and_in_the_pool_stay_inside_the_budget(steps: list[int | None]) -> None:
    window, open_slots = Window(BUDGET), list[ExitStack]()
    for size in steps:
        if size is not None and window._in_use + size <= BUDGET:
            stack = ExitStack()
            stack.enter_context(window.slot(size, Cancel()))
            open_slots.append(stack)
        elif open_slots:
            open_slots.pop(0).close()
        assert window._in_use + sum(map(len, window._pool)) <= BUDGET
    for stack in open_slots:
        stack.close()
    assert window._in_use == 0


def test_a_buffer_is_used_again_for_the_same_size() -> None:
    window = Window(BUDGET)
    with window.slot(40, Cancel()) as first, window.slot(40, Cancel()) as second:
        buffers = {id(first.obj), id(second.obj)}
    with window.slot(40, Cancel()) as third, window.slot(40, Cancel()) as fourth:
        assert buffers == {id(third.obj), id(fourth.obj)}


def test_buffers_of_other_sizes_make_room() -> None:
    window = Window(BUDGET)
    for size in (60, 70, 100, 1):
        with window.slot(size, Cancel()) as buffer:
            assert len(buffer) == size


def test_a_slot_is_given_back_when_its_work_fails() -> None:
    window = Window(BUDGET)
    with pytest.raises(ValueError, match="work"), window.slot(BUDGET, Cancel()):
        raise ValueError("work")
    with window.slot(BUDGET, Cancel()) as buffer:
        assert len(buffer) == BUDGET


def test_a_freed_slot_goes_to_who_waits() -> None:
    window, log = Window(BUDGET), list[str]()
    first = Worker(window, 100, log)
    until(lambda: log == ["got 100"])
    second = Worker(window, 90, log)
    until(lambda: waiting(window) == 1)
    assert log == ["got 100"]
    first.end()
    until(lambda: log == ["got 100", "got 90"])
    second.end()


def test_who_asked_first_is_served_first_even_if_another_would_fit() -> None:
    window, log = Window(BUDGET), list[str]()
    holder = Worker(window, 60, log)
    until(lambda: log == ["got 60"])
    large = Worker(window, 80, log)
    until(lambda: waiting(window) == 1)
    small = Worker(window, 30, log)
    until(lambda: waiting(window) == 2)
    holder.end()
    until(lambda: log == ["got 60", "got 80"])
    large.end()
    until(lambda: log == ["got 60", "got 80", "got 30"])
    small.end()


def test_a_cancelled_waiter_leaves_and_lets_the_next_one_in() -> None:
    window, log, cancel = Window(BUDGET), list[str](), Cancel()
    holder = Worker(window, 60, log)
    until(lambda: log == ["got 60"])
    large = Worker(window, 80, log, cancel)
    until(lambda: waiting(window) == 1)
    small = Worker(window, 30, log)
    until(lambda: waiting(window) == 2)
    cancel.set()
    until(lambda: len(log) == 3)
    assert {"got 60", "cancelled 80", "got 30"} == set(log)
    for worker in (holder, large, small):
        worker.end()
    assert window._in_use == 0


def test_memory_that_could_not_be_had_is_not_held_against_the_budget() -> None:
    window = Window(2**62)
    with pytest.raises(MemoryError), window.slot(2**62, Cancel()):
        pass
    assert window._in_use == 0


class TestShare:
    def test_the_first_slot_is_reserved_before_it_is_asked_for(self) -> None:
        window = Window(BUDGET)
        share = Share(window, 60, Cancel())
        log: list[str] = []
        worker = Worker(window, 60, log)
        until(lambda: waiting(window) == 1)

        slot = share.take(60, Cancel())
        assert log == []
        slot.release()
        until(lambda: log == ["got 60"])
        worker.end()

    def test_what_is_not_needed_of_it_is_given_back(self) -> None:
        window = Window(BUDGET)
        share = Share(window, 90, Cancel())
        slot = share.take(10, Cancel())
        assert 10 == window._in_use
        slot.release()
        slot.release()
        assert 0 == window._in_use

    def test_a_larger_first_slot_is_waited_for_without_holding_the_reserved_one(self) -> None:
        window = Window(BUDGET)
        share = Share(window, 10, Cancel())
        with share.slot(100, Cancel()) as buffer:
            assert 100 == len(buffer)
        assert 0 == window._in_use

    def test_a_share_that_is_never_used_is_given_back_once(self) -> None:
        window = Window(BUDGET)
        share = Share(window, 40, Cancel())
        share.close()
        share.close()
        assert 0 == window._in_use

    def test_the_bytes_of_a_released_slot_cannot_be_touched(self) -> None:
        slot = Window(BUDGET).take(10, Cancel())
        slot.release()
        with pytest.raises(ValueError, match="released"):
            slot.view[0] = 1


def test_a_smaller_slot_uses_a_larger_buffer_that_is_there() -> None:
    window = Window(BUDGET)
    window.take(50, Cancel()).release()
    slot = window.take(20, Cancel())
    assert (20, 50, []) == (len(slot.view), window._in_use, window._pool)
    slot.release()
    assert (0, [50]) == (window._in_use, [len(buffer) for buffer in window._pool])


def test_but_none_of_more_than_half_of_the_budget() -> None:
    """Two slots of half of the budget are always to be had: two streams may feed each other."""
    window = Window(BUDGET)
    window.take(100, Cancel()).release()
    with window.slot(50, Cancel()), window.slot(50, Cancel()):
        assert BUDGET == window._in_use


def test_nor_one_that_would_break_the_budget() -> None:
    window = Window(BUDGET)
    with window.slot(60, Cancel()):
        with window.slot(40, Cancel()):
            pass
        with window.slot(20, Cancel()):
            assert window._in_use <= BUDGET
