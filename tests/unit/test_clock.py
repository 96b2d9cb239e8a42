"""Stopping: seen by everybody below, by nobody beside."""

from __future__ import annotations

import threading
import time

import pytest

from storagekit._clock import Cancel, Clock
from storagekit.errors import TransferCancelled
from storagekit.testing.faults import FakeClock


def test_a_flag_is_unset_until_somebody_sets_it() -> None:
    cancel = Cancel()
    cancel.check()
    assert not cancel.is_set
    cancel.set()
    assert cancel.is_set
    with pytest.raises(TransferCancelled):
        cancel.check()


def test_a_child_is_set_with_its_parent_and_not_the_other_way_round() -> None:
    parent = Cancel()
    child, neighbour = Cancel(parent), Cancel(parent)
    child.set()
    assert [False, True, False] == [cancel.is_set for cancel in (parent, child, neighbour)]
    parent.set()
    assert [True, True, True] == [cancel.is_set for cancel in (parent, child, neighbour)]


def test_a_grandchild_sees_it_too() -> None:
    parent = Cancel()
    grandchild = Cancel(Cancel(parent))
    parent.set()
    assert grandchild.is_set


def test_waiting_for_nothing_is_over_at_once() -> None:
    Cancel().wait(0.0)
    Cancel().wait(-5.0)


@pytest.mark.parametrize("seconds", [0.0, 3600.0])
def test_who_is_stopped_already_does_not_wait(seconds: float) -> None:
    cancel = Cancel()
    cancel.set()
    with pytest.raises(TransferCancelled):
        Clock().sleep(seconds, cancel)


@pytest.mark.parametrize("by_parent", [False, True])
def test_a_sleeper_is_woken_within_a_moment(*, by_parent: bool) -> None:
    parent = Cancel()
    child = Cancel(parent)
    timer = threading.Timer(0.02, (parent if by_parent else child).set)
    began = time.monotonic()
    timer.start()
    with pytest.raises(TransferCancelled):
        Clock().sleep(60.0, child)
    timer.join()
    assert time.monotonic() - began < 2.0


def test_tokens_are_fresh_128_bit_names() -> None:
    tokens = {Clock().token() for _ in range(100)}
    assert len(tokens) == 100
    assert {32} == {len(token) for token in tokens}


def test_chance_is_below_one_and_time_goes_on() -> None:
    clock = Clock()
    assert all(0 <= clock.random() < 1 for _ in range(100))
    assert clock.monotonic() <= clock.monotonic()


def test_the_fake_clock_only_moves_when_somebody_sleeps() -> None:
    clock = FakeClock(chance=0.25)
    clock.sleep(3.0, Cancel())
    clock.sleep(4.5, Cancel())
    assert (7.5, [3.0, 4.5], 0.25) == (clock.monotonic(), clock.slept, clock.random())
