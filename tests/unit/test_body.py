"""Bodies: every byte once, counted and hashed as it passes, and again from the start after a rewind."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storagekit._body import BLOCK, MemoryBody, StreamBody, fill
from storagekit._clock import Cancel
from storagekit._hash import new_hasher
from storagekit._meter import Meter
from storagekit._plan import Span
from storagekit._source import BytesSource, FileSource, OpenSource
from storagekit.errors import SourceTruncatedError, TransferCancelled
from storagekit.types import Checksum, Progress

DATA = bytes(range(250)) * 10_000  # 2.4 MiB: three blocks
SPAN = Span(2, 1000, 2_400_000)
PART = DATA[1000:2_401_000]

AnyBody = MemoryBody | StreamBody
Make = Callable[[Meter, Cancel], AnyBody]


def source(data: bytes = DATA) -> OpenSource:
    return BytesSource(data).open(Cancel())


def md5(data: bytes) -> Checksum:
    return Checksum("md5", hashlib.md5(data, usedforsecurity=False).hexdigest())


def in_memory(meter: Meter, cancel: Cancel) -> AnyBody:
    return MemoryBody(memoryview(PART), None, meter, cancel)


def streamed(meter: Meter, cancel: Cancel) -> AnyBody:
    return StreamBody(source(), SPAN, memoryview(bytearray(BLOCK)), "md5", meter, cancel)


def drain(body: AnyBody, n: int = -1) -> bytes:
    found = bytearray()
    while block := body.read(n):
        found += block
    return bytes(found)


def meter() -> Meter:
    return Meter(Progress(0, None))


both = pytest.mark.parametrize("make", [in_memory, streamed])


@both
def test_a_body_yields_its_bytes_in_blocks_of_a_mebibyte(make: Make) -> None:
    body = make(meter(), Cancel())
    first = body.read()
    assert (len(PART), BLOCK, PART[:BLOCK]) == (body.size, len(first), bytes(first))
    assert PART[BLOCK:] == drain(body)
    assert bytes(body.read()) == b""


@both
@settings(max_examples=15, deadline=None)
@given(n=st.integers(100_000, 3 * BLOCK))
def test_a_read_is_never_longer_than_asked_for(make: Make, n: int) -> None:
    body = make(meter(), Cancel())
    assert 0 < len(body.read(n)) <= min(n, BLOCK)
    body.rewind()
    assert PART == drain(body, n)


@both
def test_a_rewound_body_begins_again_and_takes_its_progress_back(make: Make) -> None:
    counted = meter()
    body = make(counted, Cancel())
    body.read(300_000)
    body.read(300_000)
    assert counted.now.done == 600_000
    body.rewind()
    assert counted.now.done == 0
    assert PART == drain(body)
    assert len(PART) == counted.now.done


@both
def test_progress_is_exact_after_every_read(make: Make) -> None:
    seen: list[int] = []
    body = make(Meter(Progress(7, None), lambda progress: seen.append(progress.done)), Cancel())
    body.read(10)
    body.read(5)
    body.rewind()
    assert [7, 17, 22, 7] == seen


@both
def test_a_cancelled_body_stops_and_owns_up_to_it(make: Make) -> None:
    cancel = Cancel()
    body = make(meter(), cancel)
    body.read()
    cancel.set()
    with pytest.raises(TransferCancelled) as caught:
        body.read()
    assert caught.value is body.failed


@both
def test_a_body_owns_up_to_a_listener_that_raised(make: Make) -> None:
    def listener(progress: Progress) -> None:
        if progress.done:
            raise ValueError("listener")

    body = make(Meter(Progress(0, None), listener), Cancel())
    with pytest.raises(ValueError, match="listener") as caught:
        body.read()
    assert caught.value is body.failed


@both
def test_a_body_that_works_has_not_failed(make: Make) -> None:
    body = make(meter(), Cancel())
    drain(body)
    assert body.failed is None


def test_bytes_in_memory_are_shown_without_a_copy() -> None:
    data = bytearray(PART)
    body = MemoryBody(memoryview(data), md5(PART), meter(), Cancel())
    assert (data, data) == (body.view().obj, body.read().obj)
    assert md5(PART) == body.checksum


def test_a_streamed_body_is_not_in_memory_and_knows_its_checksum_last() -> None:
    body = StreamBody(source(), SPAN, memoryview(bytearray(BLOCK)), "md5", meter(), Cancel())
    assert (None, None) == (body.view(), body.checksum)  # type: ignore[func-returns-value]  # what the protocol asks
    drain(body)
    assert md5(PART) == body.seen


def test_the_checksum_of_a_streamed_body_begins_again_with_it() -> None:
    body = StreamBody(source(), SPAN, memoryview(bytearray(BLOCK)), "md5", meter(), Cancel())
    body.read()
    body.rewind()
    drain(body)
    assert md5(PART) == body.seen


def test_a_streamed_body_that_looked_ahead_knows_its_checksum_first() -> None:
    seen = meter()
    body = StreamBody(source(), SPAN, memoryview(bytearray(BLOCK)), "md5", seen, Cancel())
    body.look_ahead()
    assert (md5(PART), 0) == (body.checksum, seen.now.done)
    assert PART == drain(body)


def test_an_empty_body_is_read_at_once() -> None:
    body = StreamBody(source(b""), Span(1, 0, 0), memoryview(b""), "crc64", meter(), Cancel())
    assert b"" == drain(body)
    assert b"" == drain(MemoryBody(memoryview(b""), None, meter(), Cancel()))


@pytest.fixture
def cut(tmp_path: Path) -> OpenSource:
    """A file that has fewer bytes than when it was opened."""
    (tmp_path / "a").write_bytes(DATA)
    opened = FileSource(tmp_path / "a").open(Cancel())
    os.truncate(tmp_path / "a", 500_000)
    return opened


def test_a_source_that_ends_early_is_truncated_not_done(cut: OpenSource) -> None:
    body = StreamBody(cut, SPAN, memoryview(bytearray(BLOCK)), "md5", meter(), Cancel())
    with pytest.raises(SourceTruncatedError, match=r"ended after 500,000 of 2,500,000 bytes") as caught:
        drain(body)
    assert caught.value is body.failed


def test_a_part_is_not_filled_from_a_source_that_ends_early(cut: OpenSource) -> None:
    with pytest.raises(SourceTruncatedError, match=r"ended after 500,000 of 2,500,000 bytes"):
        fill(cut, SPAN, memoryview(bytearray(SPAN.length)), new_hasher("md5"), Cancel())


def test_a_part_is_filled_and_hashed_in_one_pass() -> None:
    buffer, hasher = bytearray(SPAN.length), new_hasher("md5")
    fill(source(), SPAN, memoryview(buffer), hasher, Cancel())
    assert (PART, md5(PART)) == (bytes(buffer), hasher.checksum())


def test_filling_stops_when_somebody_asks_to() -> None:
    cancel = Cancel()
    cancel.set()
    with pytest.raises(TransferCancelled):
        fill(source(), SPAN, memoryview(bytearray(SPAN.length)), new_hasher("md5"), cancel)


def test_blocks_grow_on_a_quick_line_and_are_small_on_a_slow_one() -> None:
    times = iter([0.0, 0.001, 0.002, 0.003, 0.5, 0.501])
    body = MemoryBody(memoryview(bytes(40 * BLOCK)), None, meter(), Cancel(), now=lambda: next(times))
    assert [len(body.read(16 * BLOCK)) // BLOCK for _ in range(6)] == [1, 2, 4, 4, 1, 2]


def test_blocks_begin_small_after_a_rewind() -> None:
    body = MemoryBody(memoryview(bytes(40 * BLOCK)), None, meter(), Cancel(), now=lambda: 0.0)
    assert [len(body.read()) // BLOCK for _ in range(3)] == [1, 2, 4]
    body.rewind()
    assert len(body.read()) == BLOCK
