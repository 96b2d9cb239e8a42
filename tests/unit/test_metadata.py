"""Metadata: any text goes through plain ASCII headers and comes back; our own entries stay hidden."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagekit._metadata import MTIME, SOURCE, TOKEN, digest, encode, present, stamp
from storagekit.errors import ConfigurationError, InvalidNameError
from storagekit.types import ObjectInfo

names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True).filter(lambda name: name not in (TOKEN, SOURCE))
texts = st.text(max_size=20)
some = st.dictionaries(names, texts, max_size=4)


def seen(stored: dict[str, str]) -> dict[str, str]:
    return dict(present(ObjectInfo("k", 1, "e", metadata=stored)).metadata)


@given(some)
def test_what_is_written_is_read_back_but_for_outer_blanks(metadata: dict[str, str]) -> None:
    stored = stamp(encode(metadata), "token", "source", None)
    assert {name: value.strip() for name, value in metadata.items()} == seen(stored)


@given(some)
def test_what_is_stored_is_printable_ascii(metadata: dict[str, str]) -> None:
    assert all(value.isascii() and value.isprintable() for value in encode(metadata).values())


@pytest.mark.parametrize("value", ["plain text; a=b/c", "100%", "%41", "ü", "🚀", "a\nb", "a\tb", '"', "\x7f"])
def test_values_that_headers_spoil_survive(value: str) -> None:
    assert {"a": value} == seen(stamp(encode({"a": value}), "t", "s", None))


def test_plain_values_are_stored_as_they_are() -> None:
    assert {"a": "x-y_z 1+1=2 ~"} == encode({"a": "x-y_z 1+1=2 ~"})


def test_a_value_that_is_no_text_is_refused_as_a_wrong_argument() -> None:
    with pytest.raises(ConfigurationError):
        encode({"a": "\ud800"})


@pytest.mark.parametrize("name", [TOKEN, SOURCE])
def test_our_own_names_are_reserved(name: str) -> None:
    with pytest.raises(InvalidNameError, match="reserved"):
        encode({name: "x"})


@pytest.mark.parametrize("name", ["Upper", "ä", "", "a b"])
def test_names_are_checked(name: str) -> None:
    with pytest.raises(InvalidNameError, match="metadata name"):
        encode({name: "x"})


def test_our_own_entries_are_hidden_and_the_time_is_not() -> None:
    stored = stamp({}, "token", "source", 1.5)
    assert {TOKEN: "token", SOURCE: "source", MTIME: "1.5"} == stored
    assert {MTIME: "1.5"} == seen(stored)


@pytest.mark.parametrize(
    ("mtime", "text"), [(0.0, "0"), (10.0, "10"), (1700000000.0, "1700000000"), (1.25, "1.25"), (-1.0, "-1")]
)
def test_a_time_is_written_without_padding(mtime: float, text: str) -> None:
    assert text == stamp({}, "t", "s", mtime)[MTIME]


def test_the_callers_time_wins_and_his_token_does_not() -> None:
    stored = stamp({MTIME: "7", TOKEN: "his"}, "ours", "s", 1.0)
    assert ("7", "ours") == (stored[MTIME], stored[TOKEN])


def test_metadata_of_another_tool_is_shown_as_it_is() -> None:
    assert {"a": "100%25", SOURCE: "x"} == seen({"a": "100%25", SOURCE: "x"})


@given(some, some)
def test_equal_metadata_and_only_that_has_an_equal_digest(one: dict[str, str], other: dict[str, str]) -> None:
    assert (one == other) == (digest(one) == digest(other))
    assert digest(one) == digest(dict(reversed(one.items())))
