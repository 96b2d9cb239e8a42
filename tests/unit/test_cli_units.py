"""Sizes: read exactly, shown short."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagekit._units import parse_age, parse_rate, parse_size, show_age, show_size
from storagekit.errors import ConfigurationError

FACTORS = {
    "": 1,
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}


@pytest.mark.parametrize(("unit", "factor"), FACTORS.items())
def test_every_unit_is_known_in_any_case(unit: str, factor: int) -> None:
    assert [3 * factor] * 3 == [parse_size(f"3{written}") for written in (unit, unit.upper(), unit.lower())]


@pytest.mark.parametrize(
    ("text", "count"),
    [("0", 0), ("1048576", 1048576), (" 16 MiB ", 16 * 2**20), ("1.5KiB", 1536), ("0.5B", 0), ("50MB", 50_000_000)],
)
def test_sizes_are_read_as_people_write_them(text: str, count: int) -> None:
    assert count == parse_size(text)


@pytest.mark.parametrize(
    "text", ["", "MiB", "-1", "+1", "1e6", "16 XB", "16 M", "1,5MB", "1.MB", ".5MB", "1 2", "0x10", "inf", "nan"]
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a size"):
        parse_size(text)


@given(st.integers(0, 2**70))
def test_a_number_of_bytes_is_read_exactly(count: int) -> None:
    assert count == parse_size(str(count))


@given(st.decimals(0, 10_000, places=3), st.sampled_from(sorted(FACTORS)))
def test_a_decimal_fraction_is_read_exactly(number: Decimal, unit: str) -> None:
    assert int(number * FACTORS[unit]) == parse_size(f"{number}{unit}")


def test_a_number_that_no_float_holds_is_no_crash() -> None:
    assert 10**400 == parse_size("1" + "0" * 400)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (16 * 2**20, "16.0 MiB"),
        (2**30, "1.0 GiB"),
        (2**40, "1.0 TiB"),
        (5000 * 2**40, "5000.0 TiB"),
    ],
)
def test_sizes_are_shown_in_the_largest_unit(count: int, text: str) -> None:
    assert text == show_size(count)


@given(st.integers(0, 2**50))
def test_what_is_shown_is_right_to_one_decimal(count: int) -> None:
    shown = show_size(count)
    unit = FACTORS[shown.split()[1]]
    assert abs(parse_size(shown) - count) <= 0.05 * unit + 1


@pytest.mark.parametrize(
    ("text", "rate"),
    [("50MB/s", 50_000_000), ("800KiB/s", 800 * 1024), ("1048576", 1_048_576), (" 1.5 MB/s ", 1_500_000)],
)
def test_rates_are_read_as_people_write_them(text: str, rate: int) -> None:
    assert rate == parse_rate(text)


@pytest.mark.parametrize("text", ["", "0", "0MB/s", "fast", "50MB/h", "-1MB/s", "50 Mbit/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a rate"):
        parse_rate(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("90m", 5400), ("12h", 43_200), ("7d", 604_800), ("2w", 1_209_600), ("1.5h", 5400)],
)
def test_ages_are_read_as_people_write_them(text: str, seconds: int) -> None:
    assert timedelta(seconds=seconds) == parse_age(text)


@pytest.mark.parametrize("text", ["", "7", "d", "7 years", "-1d", "7D", "1d2h"])
def test_what_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not an age"):
        parse_age(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (172_799, "47 h"),
        (172_800, "2 d"),
    ],
)
def test_ages_are_shown_in_the_largest_unit_of_which_there_are_two(seconds: int, text: str) -> None:
    assert text == show_age(timedelta(seconds=seconds))
