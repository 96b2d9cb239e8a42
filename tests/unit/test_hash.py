"""Checksums: the right ones, in whatever pieces the bytes come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagekit._hash import joined, new_hasher
from storagekit.types import Checksum


def whole(algorithm: str, *pieces: bytes) -> Checksum:
    hasher = new_hasher(algorithm)
    for piece in pieces:
        hasher.update(memoryview(piece))
    return hasher.checksum()


@pytest.mark.parametrize(
    ("algorithm", "data", "value"),
    [
        ("crc64", b"123456789", "995dc9bbdf1939fa"),
        ("crc64", b"", "0000000000000000"),
        ("crc32c", b"123456789", "e3069283"),
        ("crc32c", b"", "00000000"),
        ("md5", b"123456789", "25f9e794323b453885f5181f1b624d0b"),
        ("md5", b"", "d41d8cd98f00b204e9800998ecf8427e"),
    ],
)
def test_check_values(algorithm: str, data: bytes, value: str) -> None:
    assert Checksum(algorithm, value) == whole(algorithm, data)


@given(st.sampled_from(["crc64", "crc32c", "md5"]), st.lists(st.binary()))
def test_pieces_give_what_the_whole_gives(algorithm: str, pieces: list[bytes]) -> None:
    assert whole(algorithm, b"".join(pieces)) == whole(algorithm, *pieces)


@pytest.mark.parametrize("algorithm", ["crc64", "crc32c", "md5"])
def test_a_checksum_can_be_asked_for_at_any_time(algorithm: str) -> None:
    hasher = new_hasher(algorithm)
    hasher.update(memoryview(b"a"))
    assert whole(algorithm, b"a") == hasher.checksum()
    hasher.update(memoryview(b"b"))
    assert whole(algorithm, b"ab") == hasher.checksum()


def test_a_small_crc_keeps_its_leading_zeros() -> None:
    values = [whole("crc64", bytes([byte, byte])).value for byte in range(256)]
    assert {16} == {len(value) for value in values}


def test_an_unknown_algorithm_is_a_drivers_mistake() -> None:
    with pytest.raises(KeyError):
        new_hasher("sha3")


@pytest.mark.parametrize("algorithm", ["crc64", "crc32c"])
@given(pieces=st.lists(st.binary()))
def test_the_crc_of_the_whole_is_known_from_its_pieces(algorithm: str, pieces: list[bytes]) -> None:
    known = [(len(piece), whole(algorithm, piece).value) for piece in pieces]
    assert whole(algorithm, *pieces) == joined(algorithm, known)


@pytest.mark.parametrize("algorithm", ["crc64", "crc32c"])
def test_the_crc_of_pieces_in_another_order_is_another(algorithm: str) -> None:
    first, second = (3, whole(algorithm, b"abc").value), (4, whole(algorithm, b"defg").value)
    assert whole(algorithm, b"abcdefg") == joined(algorithm, [first, second]) != joined(algorithm, [second, first])


def test_md5_of_the_whole_is_not_known_from_its_pieces() -> None:
    assert joined("md5", [(1, whole("md5", b"a").value)]) is None
