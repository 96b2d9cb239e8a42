"""Names: what can be written is decided before a byte moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagekit._names import check_key, check_metadata_name, key_problem
from storagekit.driver import Limits
from storagekit.errors import InvalidNameError

ANY = Limits()
FILES = Limits(max_segment_bytes=255, empty_segments=False)


@pytest.mark.parametrize(
    "key",
    ["a", "a/b", "a//b", "a/", "...", "a/.b/..c", " ", "ü", ".storagekitx", "x/.storagekit/y", "a" * 1024, "ü" * 512],
)
def test_ordinary_keys_are_taken(key: str) -> None:
    check_key(key, ANY)


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("", "0 bytes"),
        ("a" * 1025, "1025 bytes"),
        ("ü" * 513, "1026 bytes"),
        ("/a", "begins with a slash"),
        (".", "'.' or '..'"),
        ("..", "'.' or '..'"),
        ("a/./b", "'.' or '..'"),
        ("a/..", "'.' or '..'"),
        (".storagekit", "reserved"),
        (".storagekit/", "reserved"),
        (".storagekit/uploads/x", "reserved"),
        ("\ud800", "not valid Unicode"),
    ],
)
def test_other_keys_are_refused_with_the_reason(key: str, why: str) -> None:
    with pytest.raises(InvalidNameError, match="cannot be written") as caught:
        check_key(key, ANY)
    assert why in caught.value.message


@pytest.mark.parametrize("key", ["a//b", "a/", "a" * 256, "b/" + "ü" * 128])
def test_what_only_a_file_system_cannot_hold_is_refused_only_there(key: str) -> None:
    assert key_problem(key, ANY) is None
    assert key_problem(key, FILES) is not None


@given(st.text(max_size=40), st.sampled_from([ANY, FILES, Limits(max_key_bytes=20)]))
def test_a_key_that_is_taken_can_be_stored_anywhere(key: str, limits: Limits) -> None:
    if key_problem(key, limits) is None:
        assert 1 <= len(key.encode()) <= limits.max_key_bytes
        assert not {".", ".."} & set(key.split("/"))
        assert not key.startswith(("/", ".storagekit/"))


@pytest.mark.parametrize("name", ["a", "0", "x-y_z9"])
def test_plain_metadata_names_are_taken(name: str) -> None:
    check_metadata_name(name)


@pytest.mark.parametrize("name", ["", "A", "-a", "_a", "a b", "a:", "ä", "a\n", "a\r\nx-evil: 1", "a\x00"])
def test_metadata_names_that_a_service_would_change_are_refused(name: str) -> None:
    with pytest.raises(InvalidNameError, match="metadata name"):
        check_metadata_name(name)
