"""Compressed bodies: decoded as they come, in bounded memory; what is cut or damaged never passes."""

from __future__ import annotations

import contextlib
import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagekit._http_coding import Decoder
from storagekit.errors import ChecksumError, SourceTruncatedError
from storagekit.testing.http_source import pattern

DATA = pattern(3, 0, 30_000) + bytes(200_000)


def raw_deflate(data: bytes) -> bytes:
    coder = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return coder.compress(data) + coder.flush()


def reader(body: bytes, step: int) -> Callable[[int], bytes]:
    """Give ``body`` in pieces of at most ``step``, and then nothing, as often as asked."""
    pieces = iter([body[at : at + step] for at in range(0, len(body), step)])
    return lambda _: next(pieces, b"")


def decode(coding: str, body: bytes, *, step: int = 1000, room: int = 777) -> bytes:
    decoder, buffer, found = Decoder(coding, reader(body, step), "http://host/a"), bytearray(room), bytearray()
    while count := decoder.readinto(memoryview(buffer)):
        found += buffer[:count]
    assert 0 == decoder.readinto(memoryview(buffer))
    return bytes(found)


@pytest.mark.parametrize("step", [1, 2, 1000, 10**6])
@pytest.mark.parametrize("room", [1000, 100_000, 10**6])
@pytest.mark.parametrize(
    ("coding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", raw_deflate)]
)
def test_what_was_encoded_comes_out(coding: str, encode: Callable[[bytes], bytes], step: int, room: int) -> None:
    assert DATA == decode(coding, encode(DATA), step=step, room=room)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5), st.integers(1, 50), st.integers(1, 50))
def test_gzip_members_are_one_content(members: list[bytes], step: int, room: int) -> None:
    body = b"".join(gzip.compress(member) for member in members)
    assert b"".join(members) == decode("gzip", body, step=step, room=room)


@pytest.mark.parametrize("lost", [1, 4, 8, 9, 1000])
@pytest.mark.parametrize(("coding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_stream_that_is_cut_is_truncated(coding: str, encode: Callable[[bytes], bytes], lost: int) -> None:
    with pytest.raises(SourceTruncatedError):
        decode(coding, encode(DATA)[:-lost])


@pytest.mark.parametrize("cut", [0, 1, 2, 5])
def test_raw_deflate_that_is_cut_is_truncated(cut: int) -> None:
    with pytest.raises(SourceTruncatedError):
        decode("deflate", raw_deflate(DATA)[:cut])


def test_a_second_member_that_is_cut_is_truncated() -> None:
    with pytest.raises(SourceTruncatedError):
        decode("gzip", gzip.compress(DATA) + gzip.compress(DATA)[:30])


def test_a_body_that_begins_and_does_not_go_on_is_truncated() -> None:
    with pytest.raises(SourceTruncatedError):
        decode("gzip", b"")


@pytest.mark.parametrize("junk", [b"\x00", b"junk", b"\x1f\x8b junk"])
@pytest.mark.parametrize(("coding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_what_follows_a_stream_is_damage(coding: str, encode: Callable[[bytes], bytes], junk: bytes) -> None:
    with pytest.raises((ChecksumError, SourceTruncatedError)):
        decode(coding, encode(DATA) + junk)


def test_deflate_is_one_stream() -> None:
    with pytest.raises(ChecksumError):
        decode("deflate", zlib.compress(DATA) + zlib.compress(DATA))


@given(st.integers(10, 2000), st.integers(0, 7))
def test_a_flipped_bit_never_passes(position: int, bit: int) -> None:
    body = bytearray(gzip.compress(pattern(1, 0, 3000)))
    body[position % len(body)] ^= 1 << bit
    with contextlib.suppress(ChecksumError, SourceTruncatedError):
        assert pattern(1, 0, 3000) == decode("gzip", bytes(body))  # a bit that does not count, such as the file time


def test_a_bomb_takes_no_more_memory_than_a_piece_and_the_buffer() -> None:
    bomb = gzip.compress(bytes(64 * 1024**2))
    buffer = bytearray(256 * 1024)
    decoder = Decoder("gzip", reader(bomb, 64 * 1024), "http://host/a")
    tracemalloc.start()
    try:
        total = 0
        while count := decoder.readinto(memoryview(buffer)):
            total += count
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert 64 * 1024**2 == total
    assert peak < 1024**2
