"""Whether a failed request is tried again: the table of ``decide``, row by row, and what holds for all of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagekit._retry import RETRYABLE, Failures, RetryPolicy, decide
from storagekit.driver import Code, Failure

POLICY = RetryPolicy(attempts=4, base_s=1.0, cap_s=3.0, deadline_s=100.0, max_retry_after_s=10.0)
FINAL = sorted(set(Code) - RETRYABLE, key=lambda code: code.value)
COUNTED = sorted(RETRYABLE - {Code.STALE_CONNECTION}, key=lambda code: code.value)

chances = st.floats(0, 1, exclude_max=True)
histories = st.builds(Failures, st.integers(1, 7), st.integers(0, 1))


@pytest.mark.parametrize("code", FINAL)
def test_what_is_not_retryable_gives_up(code: Code) -> None:
    assert decide(POLICY, Failure(code), Failures().after(Failure(code)), 0.0, 0.5) is None


def test_what_is_retryable_is_only_what_another_try_can_mend() -> None:
    expected = {"throttled", "timeout", "server", "network", "stale_connection", "integrity"}
    assert expected == {code.value for code in RETRYABLE}


@pytest.mark.parametrize("elapsed_s", [0.0, 99.0, 1e9])
def test_the_first_stale_connection_is_retried_at_once_even_past_the_deadline(elapsed_s: float) -> None:
    stale = Failure(Code.STALE_CONNECTION)
    assert decide(POLICY, stale, Failures().after(stale), elapsed_s, 0.5) == 0.0


def test_the_first_stale_connection_is_retried_at_once_whatever_failed_before() -> None:
    stale = Failure(Code.STALE_CONNECTION)
    history = Failures().after(Failure(Code.SERVER)).after(stale)
    assert decide(POLICY, stale, history, 0.0, 0.5) == 0.0


def test_a_second_stale_connection_waits_like_any_failure() -> None:
    stale = Failure(Code.STALE_CONNECTION)
    assert decide(POLICY, stale, Failures().after(stale).after(stale), 0.0, 0.5) == 0.5


@pytest.mark.parametrize("code", COUNTED)
def test_attempts_used_gives_up(code: Code) -> None:
    assert [False, False, False, True] == [
        decide(POLICY, Failure(code), Failures(counted), 0.0, 0.5) is None for counted in (1, 2, 3, 4)
    ]


@pytest.mark.parametrize(("elapsed_s", "delay"), [(99.5, 0.5), (99.6, None), (100.0, None), (1e9, None)])
def test_a_delay_that_ends_past_the_deadline_gives_up(elapsed_s: float, delay: float | None) -> None:
    assert decide(POLICY, Failure(Code.SERVER), Failures(1), elapsed_s, 0.5) == delay


@pytest.mark.parametrize(("wish", "delay"), [(0.0, 0.5), (7.0, 7.5), (10.0, 10.5), (10.1, None), (3600.0, None)])
def test_retry_after_is_obeyed_with_jitter_up_to_its_bound(wish: float, delay: float | None) -> None:
    assert decide(POLICY, Failure(Code.THROTTLED, retry_after_s=wish), Failures(1), 0.0, 0.5) == delay


def test_retry_after_past_the_deadline_gives_up() -> None:
    assert decide(POLICY, Failure(Code.THROTTLED, retry_after_s=9.0), Failures(1), 95.0, 0.5) is None


@pytest.mark.parametrize(("counted", "bound"), [(1, 1.0), (2, 2.0), (3, 3.0)])
def test_delays_double_up_to_the_cap(counted: int, bound: float) -> None:
    assert decide(POLICY, Failure(Code.SERVER), Failures(counted), 0.0, 0.5) == 0.5 * bound
    assert decide(POLICY, Failure(Code.SERVER), Failures(counted), 0.0, 0.0) == 0.0


@given(st.sampled_from(COUNTED), histories, chances, st.floats(0, 400), st.none() | st.floats(0, 200))
def test_any_delay_is_within_bounds(
    code: Code, history: Failures, chance: float, elapsed_s: float, wish: float | None
) -> None:
    policy = RetryPolicy()
    delay = decide(policy, Failure(code, retry_after_s=wish), history, elapsed_s, chance)
    if delay is not None:
        longest = policy.cap_s if wish is None else wish + policy.base_s
        assert (wish or 0.0) <= delay <= longest
        assert elapsed_s + delay <= policy.deadline_s


@given(st.sampled_from(COUNTED), st.integers(1, 5000))
def test_patience_without_end_is_only_a_matter_of_policy(code: Code, counted: int) -> None:
    policy = RetryPolicy(attempts=10_000, cap_s=20.0, deadline_s=1e9)
    delay = decide(policy, Failure(code), Failures(counted), 0.0, 0.5)
    assert delay is not None
    assert delay <= 10.0


@given(st.lists(st.sampled_from(list(Code))))
def test_every_failure_is_counted_but_the_first_stale_connection(codes: list[Code]) -> None:
    history = Failures()
    for code in codes:
        history = history.after(Failure(code))
    stale = 1 if Code.STALE_CONNECTION in codes else 0
    assert (len(codes) - stale, stale, len(codes)) == (history.counted, history.stale, history.total)
