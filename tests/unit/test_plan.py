"""The part plan: every byte in exactly one part, inside the service's limits, the same on every machine."""

from __future__ import annotations

from itertools import accumulate, pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from storagekit._plan import MIB, Plan, Span, effective_workers, plan_parts, plan_stream, reach
from storagekit.driver import Limits
from storagekit.errors import ConfigurationError

SMALL = Limits(min_part=1, max_part=10 * MIB, max_parts=4, max_object=100 * MIB)

HELD = 10_000 * 5 * 1024 * MIB  # what the default limits hold

sizes = st.integers(0, HELD)
few_parts = st.tuples(st.integers(0, 4000), st.integers(1, 4100))


@given(few_parts)
def test_spans_cover_the_object_without_gap_or_overlap(case: tuple[int, int]) -> None:
    size, part_size = case
    spans = list(Plan(size, part_size).spans())
    ends = list(accumulate(span.length for span in spans))
    assert [0, *ends[:-1]] == [span.offset for span in spans]
    assert size == ends[-1]


@given(few_parts)
def test_numbers_count_from_one_and_all_parts_but_the_last_are_full(case: tuple[int, int]) -> None:
    plan = Plan(*case)
    spans = list(plan.spans())
    assert list(range(1, plan.count + 1)) == [span.number for span in spans]
    assert {plan.part_size} >= {span.length for span in spans[:-1]}
    assert 0 <= spans[-1].length <= plan.part_size


@given(few_parts)
def test_only_an_empty_object_has_an_empty_part(case: tuple[int, int]) -> None:
    size, part_size = case
    assert (size == 0) == any(span.length == 0 for span in Plan(size, part_size).spans())


def test_an_empty_object_has_one_empty_part() -> None:
    assert [Span(1, 0, 0)] == list(Plan(0, 5).spans())


@pytest.mark.parametrize(
    ("size", "lengths"), [(1, [1]), (9, [9]), (10, [10]), (11, [10, 1]), (20, [10, 10]), (21, [10, 10, 1])]
)
def test_multiples_of_the_part_size_end_in_a_full_part(size: int, lengths: list[int]) -> None:
    assert lengths == [span.length for span in Plan(size, 10).spans()]


@given(st.integers(0, 2 * HELD), st.integers(5 * MIB, 5 * 1024 * MIB), st.integers(1, 20_000))
def test_a_plan_obeys_the_limits_or_is_refused(size: int, wanted: int, max_parts: int) -> None:
    limits = Limits(max_parts=max_parts, max_object=2 * HELD)
    try:
        plan = plan_parts(size, limits, wanted)
    except ConfigurationError:
        assert size > max_parts * limits.max_part
    else:
        assert plan.count <= max_parts
        assert wanted <= plan.part_size <= limits.max_part
        assert plan == plan_parts(size, limits, wanted)


@given(sizes, st.integers(5 * MIB, 64 * MIB))
def test_a_wish_that_fits_is_granted_and_any_other_grows_to_the_next_mib(size: int, wanted: int) -> None:
    limits = Limits(max_object=HELD)
    needed = -(-size // limits.max_parts)
    planned = plan_parts(size, limits, wanted).part_size
    if needed <= wanted:
        assert wanted == planned
    else:
        assert planned % MIB == 0
        assert needed <= planned < needed + MIB


def test_growth_stops_at_the_largest_part() -> None:
    limits = Limits(min_part=1, max_part=MIB + 7, max_parts=2)
    assert Plan(2 * MIB + 14, MIB + 7) == plan_parts(2 * MIB + 14, limits, 1)


@pytest.mark.parametrize("wanted", [5 * MIB, 5 * 1024 * MIB])
def test_the_smallest_and_the_largest_part_are_taken(wanted: int) -> None:
    assert wanted == plan_parts(1, Limits(), wanted).part_size


@pytest.mark.parametrize("wanted", [0, 1, 5 * MIB - 1, 5 * 1024 * MIB + 1])
def test_a_part_size_outside_the_limits_is_refused(wanted: int) -> None:
    with pytest.raises(ConfigurationError, match="part size"):
        plan_parts(1, Limits(), wanted)


def test_an_object_larger_than_the_backend_holds_is_refused() -> None:
    assert 4 == plan_parts(40 * MIB, SMALL, MIB).count
    with pytest.raises(ConfigurationError, match="do not fit into 4 parts"):
        plan_parts(40 * MIB + 1, SMALL, MIB)
    with pytest.raises(ConfigurationError, match="more than the"):
        plan_parts(100 * MIB + 1, SMALL, MIB)


@pytest.mark.parametrize(
    ("workers", "budget", "part_size", "effective"),
    [
        (4, 256 * MIB, 16 * MIB, 4),
        (4, 32 * MIB, 16 * MIB, 2),
        (4, 31 * MIB, 16 * MIB, 1),
        (4, 16 * MIB, 16 * MIB, 1),
        (4, 2 * MIB, 16 * MIB, 2),  # streamed through 1 MiB each
        (4, MIB, 16 * MIB, 1),
        (1, 256 * MIB, MIB, 1),
    ],
)
def test_workers_are_bounded_by_the_slots(workers: int, budget: int, part_size: int, effective: int) -> None:
    assert effective == effective_workers(workers, budget, part_size)


@given(st.integers(1, 100), st.integers(MIB, 1024 * MIB), st.integers(1, 1024 * MIB))
def test_all_effective_workers_together_stay_inside_the_budget(workers: int, budget: int, part_size: int) -> None:
    assume(part_size <= budget)
    effective = effective_workers(workers, budget, part_size)
    assert 1 <= effective <= workers
    assert effective * part_size <= budget


class TestStreams:
    LIMITS = Limits(min_part=1, max_parts=100, max_part=1000)

    def test_parts_double_after_each_tenth_of_the_parts_up_to_half_of_the_budget(self) -> None:
        plan = plan_stream(self.LIMITS, 4, 64)
        assert [4] * 10 + [8] * 10 + [16] * 10 + [32] * 70 == [plan.full(number) for number in range(1, 101)]

    def test_the_defaults_reach_984_gib(self) -> None:
        assert 984 == reach(plan_stream(Limits(), 16 * MIB, 256 * MIB), Limits()) // 1024**3

    @pytest.mark.parametrize("wanted", [5 * MIB - 1, 5 * 1024 * MIB + 1])
    def test_a_part_size_that_the_service_does_not_take_is_refused(self, wanted: int) -> None:
        with pytest.raises(ConfigurationError):
            plan_stream(Limits(), wanted, 256 * MIB)

    @given(st.integers(1, 50), st.integers(1, 2000), st.integers(1, 3000))
    def test_spans_follow_each_other_without_gap_or_overlap(self, wanted: int, budget: int, parts: int) -> None:
        limits = Limits(min_part=1, max_parts=parts, max_part=1000)
        plan = plan_stream(limits, wanted, budget)
        spans = [plan.span(number) for number in range(1, min(parts, 200) + 2)]
        assert [0, *accumulate(span.length for span in spans[:-1])] == [span.offset for span in spans]
        assert all(one.length <= two.length <= 2 * one.length for one, two in pairwise(spans))

    @given(st.integers(1, 50), st.integers(2, 2000))
    def test_no_part_is_larger_than_half_of_the_budget_or_the_wish(self, wanted: int, budget: int) -> None:
        plan = plan_stream(self.LIMITS, wanted, budget)
        assert max(plan.full(number) for number in range(1, 101)) <= plan.largest <= max(wanted, budget // 2)
