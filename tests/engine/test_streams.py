"""Sources that are read once and in order: iterators, file-like objects, streams of unknown length, two phases."""

from __future__ import annotations

import hashlib
import io
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from storagekit._clock import Cancel
from storagekit._context import UploadContext
from storagekit._stream_source import StreamSource
from storagekit.driver import Code, Limits
from storagekit.errors import (
    ChecksumError,
    ConfigurationError,
    ConflictError,
    IntegrityError,
    PermissionDeniedError,
    ServiceError,
    SourceTruncatedError,
    StorageError,
    TransferCancelled,
    UnsupportedSourceError,
    UploadGoneError,
)
from storagekit.testing.bodies import BytesBody
from storagekit.testing.faults import fault
from storagekit.types import Progress
from tests.engine.conftest import BUCKET, PART, Service, encrypting
from tests.engine.test_upload import DATA, drop_parts, on


def chunks(data: bytes, size: int = 100) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def broken_after(data: bytes, count: int, error: BaseException) -> Iterator[bytes]:
    yield from chunks(data[:count])
    raise error


def interrupted(service: Service, data: bytes, parts: int, **options: Any) -> None:
    """A run of which ``parts`` parts arrive, and that is then over."""
    with pytest.raises(ValueError, match="the pipe broke"):
        service.upload(broken_after(data, parts * PART, ValueError("the pipe broke")), **options)
    service.heals()


class Raw(io.RawIOBase):
    """A pipe: gives what it likes, at most 700 bytes at once, and cannot seek."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._data.read(min(len(buffer), 700))
        buffer[: len(block)] = block
        return len(block)


class OnlyRead:
    """A file-like object with no more than ``read``."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, 333))


KINDS: list[Callable[[bytes], Any]] = [
    chunks,
    lambda data: list(chunks(data, 3000)),
    lambda data: iter([bytearray(data), b"", memoryview(b"")]),
    io.BytesIO,
    Raw,
    lambda data: io.BufferedReader(Raw(data)),
    OnlyRead,
]


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 10 * PART, 10 * PART + 1])
@pytest.mark.parametrize("kind", KINDS, ids=["generator", "list", "views", "BytesIO", "raw", "buffered", "read"])
def test_any_stream_of_any_length_arrives_whole_and_leaves_nothing(
    service: Service, kind: Callable[[bytes], Any], size: int
) -> None:
    data = os.urandom(size)

    result = service.upload(kind(data))

    assert data == service.content()
    assert (size, size, 0) == (result.size, result.sent, result.kept)
    assert service.left_over() == []


def test_a_stream_of_one_part_is_one_put(service: Service) -> None:
    service.upload(chunks(b"x" * PART))

    assert service.driver.operations("create_upload") == []


def test_a_file_like_object_is_read_from_where_it_stands_and_its_length_is_proven(service: Service) -> None:
    stream = io.BytesIO(b"head" + DATA)
    stream.seek(4)
    seen: list[Progress] = []

    service.upload(stream, on_progress=seen.append)

    assert DATA == service.content()
    assert {len(DATA)} == {progress.total for progress in seen}
    assert not stream.closed


@pytest.mark.parametrize("bad", [io.StringIO("text"), iter(["text"]), iter([1]), iter([None])])
def test_a_stream_of_something_else_than_bytes_is_refused(service: Service, bad: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"not bytes|bytes"):
        service.upload(bad)

    assert service.left_over() == []


class Confused(io.BytesIO):
    """As a member of a tar in stream mode is: asked whether it can seek, it breaks."""

    def seekable(self) -> bool:
        raise AttributeError("'_Stream' object has no attribute 'seekable'")


def test_a_stream_that_does_not_know_whether_it_can_seek_is_read(service: Service) -> None:
    service.upload(Confused(DATA))

    assert DATA == service.content()


def test_a_stream_that_cannot_go_back_is_refused(service: Service) -> None:
    class Stuck(io.BytesIO):
        def seek(self, offset: int, whence: int = 0, /) -> int:
            if not whence:
                raise OSError("no way back")
            return super().seek(offset, whence)

    with pytest.raises(ConfigurationError, match="go back"):
        service.upload(Stuck(DATA))


def test_a_file_that_is_closed_or_only_for_writing_is_refused(service: Service, tmp_path: Path) -> None:
    with (tmp_path / "f").open("wb") as file:
        with pytest.raises(ConfigurationError, match="reading"):
            service.upload(file)
    with pytest.raises(ConfigurationError, match="closed"):
        service.upload(file)


def test_an_answer_of_urllib_that_is_cut_is_no_object(service: Service) -> None:
    """http.client ends such a body without an error."""
    here, there = socket.socketpair()
    there.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + DATA)
    there.close()
    with here, HTTPResponse(here) as answer:
        answer.begin()
        with pytest.raises(SourceTruncatedError):
            service.upload(answer)

    assert not service.memory.list(BUCKET, "k").objects


@pytest.mark.parametrize("bad", [5, None, object(), {}, {b"a": 1}, {b"a"}])
def test_what_is_no_source_is_refused(service: Service, bad: Any) -> None:
    with pytest.raises(UnsupportedSourceError):
        service.upload(bad)


def test_what_a_stream_raises_passes_and_the_parts_are_kept(service: Service) -> None:
    interrupted(service, DATA, 4)

    assert 2 == len(service.left_over())
    assert not service.memory.list(BUCKET, "k").objects


@pytest.mark.parametrize("size", [0, 10, PART, 3 * PART, 3 * PART + 1])
def test_the_end_of_a_stream_is_asked_for_once(service: Service, size: int) -> None:
    """On a terminal every further question wants another Ctrl-D."""
    ends: list[int] = []

    class Terminal(Raw):
        def readinto(self, buffer: Any) -> int:
            count = super().readinto(buffer)
            if not count:
                ends.append(len(buffer))
            return count

    service.upload(Terminal(DATA[:size]))

    assert 1 == len(ends)


def test_the_stream_runs_in_the_thread_of_the_caller(service: Service) -> None:
    threads = set()

    def stream() -> Iterator[bytes]:
        for chunk in chunks(DATA):
            threads.add(threading.current_thread())
            yield chunk

    service.upload(stream())

    assert {threading.current_thread()} == threads


class TestReplay:
    def test_the_same_stream_again_sends_nothing_that_is_there(self, service: Service) -> None:
        interrupted(service, DATA, 7)
        service.heals()

        result = service.upload(chunks(DATA))

        assert [8, 9, 10] == service.sent_parts()
        assert (3 * PART, 7 * PART, True) == (result.sent, result.kept, result.resumed)
        assert DATA == service.content()
        assert service.left_over() == []

    @pytest.mark.parametrize("at", [0, 3 * PART, 4 * PART - 1, 6 * PART + 5])
    def test_one_other_byte_sends_exactly_the_part_it_is_in(self, service: Service, at: int) -> None:
        interrupted(service, DATA, 10)
        other = bytearray(DATA)
        other[at] ^= 1

        service.upload(chunks(bytes(other)))

        assert [at // PART + 1] == service.sent_parts()
        assert other == service.content()

    def test_another_stream_replaces_all_that_differs(self, service: Service) -> None:
        interrupted(service, DATA, 10)
        other = os.urandom(len(DATA) + 5)

        service.upload(chunks(other))

        assert other == service.content()
        assert service.left_over() == []

    def test_a_shorter_stream_is_not_followed_by_parts_of_the_longer_one(self, service: Service) -> None:
        interrupted(service, DATA, 10)

        service.upload(chunks(DATA[: 3 * PART + 10]))

        assert DATA[: 3 * PART + 10] == service.content()
        assert service.left_over() == []

    @pytest.mark.parametrize("size", [0, 10, PART])
    def test_a_stream_that_would_fit_one_put_is_resumed_all_the_same(self, service: Service, size: int) -> None:
        interrupted(service, DATA, 5)

        service.upload(chunks(DATA[:size]))

        assert DATA[:size] == service.content()
        assert service.left_over() == []

    def test_a_size_that_is_known_only_in_the_second_run_changes_nothing(self, service: Service) -> None:
        interrupted(service, DATA, 7)

        service.upload(chunks(DATA), size=len(DATA))

        assert [8, 9, 10] == service.sent_parts()
        assert DATA == service.content()
        assert service.left_over() == []

    def test_a_size_that_the_earlier_plan_cannot_hold_begins_another_upload(self, service: Service) -> None:
        service.memory.limits = Limits(min_part=1, max_parts=4, checksum="crc64")
        data = os.urandom(20 * PART)
        interrupted(service, data, 4)

        result = service.upload(chunks(data), size=len(data))

        assert not result.resumed
        assert any("left alone" in note for note in result.notes)
        assert data == service.content()

    def test_gaps_are_filled_wherever_they_are(self, service: Service) -> None:
        service.fails(on("put_part", Code.SERVER, number=3))
        with pytest.raises(ServiceError):
            service.upload(chunks(DATA))
        service.heals()

        service.upload(chunks(DATA))

        assert [3] == service.sent_parts()
        assert DATA == service.content()

    def test_a_recorded_plan_holds_whatever_the_part_size_is_now(self, service: Service) -> None:
        interrupted(service, DATA, 5)

        service.upload(chunks(DATA), uploader={"part_size": 3000})

        assert [6, 7, 8, 9, 10] == service.sent_parts()

    def test_etags_that_are_no_md5_make_everything_be_sent_again_and_that_is_said(self, service: Service) -> None:
        encrypting(service)
        interrupted(service, DATA, 7)
        encrypting(service)

        result = service.upload(chunks(DATA))

        assert list(range(1, 11)) == service.sent_parts()
        assert any("no MD5" in note for note in result.notes)
        assert DATA == service.content()

    def test_a_strong_identity_is_trusted_where_etags_say_nothing(self, service: Service) -> None:
        encrypting(service)
        interrupted(service, DATA, 7, source_id="v1", uploader={"workers": 1})
        encrypting(service)

        service.upload(chunks(DATA), source_id="v1", uploader={"workers": 1})

        assert 1 in service.sent_parts()  # by which it is learnt
        assert len(service.sent_parts()) < 10
        assert DATA == service.content()

    def test_a_stream_whose_object_was_published_is_sent_again_for_it_may_be_another(self, service: Service) -> None:
        service.fails(after=on("complete_upload", Code.ACCESS_DENIED))
        with pytest.raises(PermissionDeniedError):
            service.upload(chunks(DATA))
        service.heals()
        other = os.urandom(len(DATA))

        service.upload(chunks(other))

        assert other == service.content()
        assert service.left_over() == []

    def test_an_upload_that_vanishes_under_a_stream_is_an_error_that_says_so(self, service: Service) -> None:
        def expire() -> Iterator[bytes]:
            for number, chunk in enumerate(chunks(DATA)):
                if number == 50:
                    service.memory.store.buckets[BUCKET].uploads.clear()
                yield chunk

        with pytest.raises(UploadGoneError):
            service.upload(expire())

        assert service.left_over() == []

    def test_while_its_writer_lives_a_stream_is_not_taken_over(self, service: Service) -> None:
        """The second writer of the same key, with other bytes, gets an upload of its own; both end well."""
        other = os.urandom(len(DATA))

        def first() -> Iterator[bytes]:
            yield DATA[: 5 * PART]
            service.upload(chunks(other))
            assert other == service.content()
            yield DATA[5 * PART :]

        service.upload(first())

        assert DATA == service.content()
        assert service.left_over() == []

    def test_a_part_that_somebody_replaced_meanwhile_is_not_completed(self, service: Service) -> None:
        def stream() -> Iterator[bytes]:
            yield DATA[: 8 * PART]
            overwrite_part(service, 2)
            yield DATA[8 * PART :]

        with pytest.raises(ConflictError, match="somebody else"):
            service.upload(stream())

        assert not service.memory.list(BUCKET, "k").objects

    def test_a_promised_sha256_trusts_nothing_that_was_never_proven(self, service: Service) -> None:
        encrypting(service)
        right, wrong = os.urandom(len(DATA)), os.urandom(len(DATA))
        promise: dict[str, Any] = {"sha256": hashlib.sha256(right).hexdigest()}
        interrupted(service, wrong, 7, **promise)
        encrypting(service)

        service.upload(chunks(right), **promise)

        assert right == service.content()


class TestFailures:
    def test_a_part_that_the_service_refuses_as_damaged_casts_no_doubt_on_the_others(self, service: Service) -> None:
        service.fails(on("put_part", Code.INTEGRITY, number=4))
        with pytest.raises(ChecksumError):
            service.upload(DATA)
        service.heals()

        service.upload(DATA)

        assert 4 in service.sent_parts()
        assert len(service.sent_parts()) < 10

    def test_what_the_stream_raised_first_is_not_hidden_by_what_failed_then(self, service: Service) -> None:
        raised = threading.Event()

        def stream() -> Iterator[bytes]:
            yield DATA[: 4 * PART]
            raised.set()
            raise RuntimeError("the first error")

        def fail(call: Any) -> Exception | None:
            if call.operation != "put_part":
                return None
            raised.wait(20)
            time.sleep(0.05)
            return fault(Code.ACCESS_DENIED)

        service.fails(fail)
        with pytest.raises(RuntimeError, match="the first error"):
            service.upload(stream())

    def test_who_asked_to_stop_is_told_that_it_stopped(self, service: Service) -> None:
        cancel = Cancel()

        def fail(call: Any) -> Exception | None:
            if call.number == 2:
                return fault(Code.ACCESS_DENIED)
            if call.number == 3:
                cancel.set()
            return None

        service.fails(fail)
        with pytest.raises((TransferCancelled, PermissionDeniedError)) as caught:
            service.upload(DATA, cancel=cancel)

        assert not cancel.is_set or isinstance(caught.value, TransferCancelled)

    @pytest.mark.parametrize("returned", [-1, 10**6, 1.5, "x"])
    def test_a_readinto_that_lies_is_an_error(self, service: Service, returned: Any) -> None:
        class Liar(Raw):
            def readinto(self, buffer: Any) -> int:
                count = super().readinto(buffer)
                return count if self._data.tell() < 5000 else returned

        with pytest.raises(ConfigurationError, match="readinto"):
            service.upload(Liar(DATA))

        assert not service.memory.list(BUCKET, "k").objects

    @pytest.mark.parametrize("at", ["the last part", "what is there"])
    def test_no_slot_is_lost_whatever_raises(self, service: Service, at: str) -> None:
        uploader = service.uploader(memory=1024**2)

        def interrupt(progress: Progress) -> None:
            if progress.kept:
                raise KeyboardInterrupt

        if at == "the last part":
            service.memory.limits = Limits(min_part=1, max_parts=2, checksum="crc64")
            with pytest.raises(OSError, match="gone"):
                uploader.upload(broken_after(DATA, 3 * PART, OSError("gone")), BUCKET, "k")
        else:
            interrupted(service, DATA, 5)
            with pytest.raises(KeyboardInterrupt):
                uploader.upload(chunks(DATA), BUCKET, "k", on_progress=interrupt)

        assert 0 == uploader.window._in_use

    def test_a_put_that_outlives_its_caller_keeps_its_buffer(self, service: Service) -> None:
        uploader = service.uploader(memory=1024**2)
        entered, leave = threading.Event(), threading.Event()
        cancel = Cancel()

        def stall(call: Any) -> None:
            if call.operation == "put" and call.key == "k":
                entered.set()
                leave.wait(20)

        service.fails(stall)

        def stop() -> None:
            entered.wait(20)
            cancel.set()

        stopper = threading.Thread(target=stop)
        stopper.start()
        with pytest.raises(TransferCancelled):
            uploader.upload(iter([b"a" * 100]), BUCKET, "k", cancel=cancel)

        assert PART == uploader.window._in_use
        leave.set()
        stopper.join()
        for _ in range(500):
            if not uploader.window._in_use:
                break
            time.sleep(0.01)
        assert 0 == uploader.window._in_use

    @pytest.mark.parametrize("why", ["cancel", "refused"])
    def test_a_pipe_from_which_nothing_comes_holds_up_neither_a_stop_nor_an_error(
        self, service: Service, why: str
    ) -> None:
        reading, writing = os.pipe()
        os.write(writing, DATA[: 5 * PART])
        cancel = Cancel()
        if why == "refused":
            service.fails(on("put_part", Code.ACCESS_DENIED))
        timer = threading.Timer(0.3, cancel.set if why == "cancel" else lambda: None)
        timer.start()

        began = time.monotonic()
        with os.fdopen(reading, "rb", buffering=0) as pipe, pytest.raises(StorageError) as caught:
            service.upload(pipe, cancel=cancel)
        took = time.monotonic() - began
        os.close(writing)
        timer.join()

        assert isinstance(caught.value, TransferCancelled if why == "cancel" else PermissionDeniedError)
        assert took < 5


class TestProofs:
    def test_a_stream_that_ends_early_is_no_object_and_goes_on_later(self, service: Service) -> None:
        with pytest.raises(SourceTruncatedError, match=r"5,000 of 10,240"):
            service.upload(chunks(DATA[:5000]), size=len(DATA))
        service.heals()

        service.upload(chunks(DATA), size=len(DATA))

        assert [5, 6, 7, 8, 9, 10] == service.sent_parts()
        assert DATA == service.content()

    @pytest.mark.parametrize("count", [0, 1, PART - 1, PART, 2 * PART, 3 * PART - 1])
    @pytest.mark.parametrize("size", [3 * PART, 10 * PART])
    def test_a_stream_that_ends_early_is_never_an_object_wherever_it_ends(
        self, service: Service, count: int, size: int
    ) -> None:
        with pytest.raises(SourceTruncatedError):
            service.upload(chunks(DATA[:count]), size=size)

        assert not service.memory.list(BUCKET, "k").objects

    @pytest.mark.parametrize("kind", [bytes, chunks])
    def test_what_an_earlier_run_published_proves_no_promise(
        self, service: Service, kind: Callable[[bytes], Any]
    ) -> None:
        service.fails(on("delete", Code.ACCESS_DENIED))
        service.upload(kind(DATA), source_id="v1")
        service.heals()

        with pytest.raises(ChecksumError):
            service.upload(kind(DATA), source_id="v1", sha256="0" * 64)

    @pytest.mark.parametrize("more", [1, PART, 3 * PART])
    def test_a_stream_that_goes_on_is_no_object(self, service: Service, more: int) -> None:
        with pytest.raises(IntegrityError, match="goes on"):
            service.upload(chunks(DATA + b"x" * more), size=len(DATA))

        assert not service.memory.list(BUCKET).objects

    @pytest.mark.parametrize("size", [100, len(DATA)])
    @pytest.mark.parametrize("kind", [chunks, io.BytesIO, bytes])
    def test_a_promised_sha256_is_proven_before_anything_is_published(
        self, service: Service, kind: Callable[[bytes], Any], size: int
    ) -> None:
        data = DATA[:size]
        right, wrong = hashlib.sha256(data).hexdigest(), hashlib.sha256(b"other").hexdigest()

        with pytest.raises(ChecksumError, match="promised"):
            service.upload(kind(data), sha256=wrong)
        assert service.left_over() == []
        assert not service.memory.list(BUCKET).objects
        service.upload(kind(data), sha256=right.upper())

        assert data == service.content()

    @pytest.mark.parametrize("size", [len(DATA) - 1, len(DATA) + 1])
    def test_a_size_that_the_source_already_has_not_is_an_error_before_any_request(
        self, service: Service, size: int
    ) -> None:
        with pytest.raises(IntegrityError, match="promised"):
            service.upload(DATA, size=size)

        assert service.driver.calls == []

    @pytest.mark.parametrize("bad", [{"size": -1}, {"sha256": "abc"}, {"sha256": "z" * 64}])
    def test_a_promise_that_makes_no_sense_is_refused(self, service: Service, bad: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError):
            service.upload(chunks(DATA), **bad)

    def test_two_streams_of_one_sha256_are_one_source(self, service: Service) -> None:
        digest = hashlib.sha256(DATA).hexdigest()
        service.fails(after=on("complete_upload", Code.ACCESS_DENIED))
        with pytest.raises(PermissionDeniedError):
            service.upload(chunks(DATA), sha256=digest)
        service.heals()

        result = service.upload(chunks(DATA), sha256=digest)

        assert service.sent_parts() == []
        assert (len(DATA), "head") == (result.size, result.proof)


class TestUnknownLength:
    def test_parts_grow_up_to_half_of_the_budget_and_the_reach_is_said_first(self, service: Service) -> None:
        service.memory.limits = Limits(min_part=1, max_parts=100, checksum="crc64")
        notes: list[str] = []
        memory = 1024 * 1024
        data = os.urandom(25 * PART)

        result = service.upload(chunks(data, 5000), uploader={"memory": memory}, on_note=notes.append)

        grown = [PART] * 10 + [2 * PART] * 7 + [PART]
        assert grown == [part.size for part in result.receipt]
        assert "up to 0.0 GiB" in notes[0]
        assert data == service.content()

    def test_a_stream_that_outgrows_the_last_part_is_stopped_before_it_and_kept(self, service: Service) -> None:
        service.memory.limits = Limits(min_part=1, max_parts=4, checksum="crc64")
        room = sum((PART, 2 * PART, 4 * PART, 8 * PART))

        with pytest.raises(ConfigurationError, match="longer than") as caught:
            service.upload(chunks(os.urandom(room + 1)))

        assert [1, 2, 3] == service.sent_parts()
        assert "restart" in str(caught.value)
        assert 2 == len(service.left_over())

    def test_a_stream_that_fills_the_last_part_exactly_is_whole(self, service: Service) -> None:
        service.memory.limits = Limits(min_part=1, max_parts=4, checksum="crc64")
        data = os.urandom(15 * PART)

        service.upload(chunks(data))

        assert data == service.content()

    def test_growth_is_replayed_as_it_was_recorded(self, service: Service) -> None:
        service.memory.limits = Limits(min_part=1, max_parts=10, checksum="crc64")
        data = os.urandom(60 * PART)
        with pytest.raises(ValueError, match="broke"):
            service.upload(broken_after(data, 40 * PART, ValueError("it broke")))
        there = len(service.sent_parts())
        service.heals()

        service.upload(chunks(data))

        assert list(range(there + 1, there + 1 + len(service.sent_parts()))) == service.sent_parts()
        assert data == service.content()

    def test_a_known_size_that_needs_larger_parts_than_memory_is_refused_for_a_stream(self, service: Service) -> None:
        service.memory.limits = Limits(min_part=1, max_parts=2, checksum="crc64")

        with pytest.raises(ConfigurationError, match="memory"):
            service.upload(chunks(b""), size=10 * 1024**2, uploader={"memory": 1024**2})

        assert service.driver.calls == []


class TestTwoStreams:
    def test_two_streams_that_depend_on_each_other_never_deadlock(self, service: Service) -> None:
        """A tee: what the first yields the second has to take before the first goes on. Two slots are enough."""
        uploader = service.uploader(memory=1024**2, part_size=512 * 1024, workers=4)
        data = os.urandom(3 * 1024**2)
        pipe: queue.Queue[bytes | None] = queue.Queue(maxsize=1)

        def first() -> Iterator[bytes]:
            for chunk in chunks(data, 10_000):
                pipe.put(chunk, timeout=20)
                yield chunk
            pipe.put(None, timeout=20)

        def second() -> Iterator[bytes]:
            while (chunk := pipe.get(timeout=20)) is not None:
                yield chunk

        thread = threading.Thread(target=uploader.upload, args=(first(), BUCKET, "one"), daemon=True)
        thread.start()
        uploader.upload(second(), BUCKET, "two")
        thread.join(20)

        assert data == service.content("one") == service.content("two")

    def test_a_source_is_opened_only_when_there_is_a_slot_for_it(self, service: Service) -> None:
        uploader = service.uploader(memory=1024**2, part_size=1024**2)
        opened: list[str] = []

        class Watched(StreamSource):
            def open(self, cancel: Any) -> Any:
                opened.append(self.name)
                return super().open(cancel)

        entered, leave = threading.Event(), threading.Event()

        def slow() -> Iterator[bytes]:
            entered.set()
            leave.wait(20)
            yield DATA

        threads = [threading.Thread(target=uploader.upload, args=(Watched(slow(), "a"), BUCKET, "a"), daemon=True)]
        threads[0].start()
        entered.wait(20)
        threads.append(
            threading.Thread(target=uploader.upload, args=(Watched(chunks(DATA), "b"), BUCKET, "b"), daemon=True)
        )
        threads[1].start()
        threads[1].join(0.3)

        assert threads[1].is_alive()
        assert ["a"] == opened
        leave.set()
        for thread in threads:
            thread.join(20)
        assert ["a", "b"] == opened
        assert DATA == service.content("b")

    def test_two_uploads_on_one_uploader_from_two_threads(self, service: Service) -> None:
        uploader = service.uploader()
        datas = [os.urandom(20 * PART + number) for number in range(8)]
        threads = [
            threading.Thread(target=uploader.upload, args=(chunks(data), BUCKET, f"k{number}"), daemon=True)
            for number, data in enumerate(datas)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

        assert datas == [service.content(f"k{number}") for number in range(8)]
        assert service.left_over() == []


class TestTwoPhases:
    def test_without_source_id_everything_is_wanted_and_compared(self, service: Service) -> None:
        interrupted_phase(service, None, 6)
        uploader = service.uploader()

        context = uploader.init_upload(BUCKET, "k")
        result = uploader.upload_stream(context, chunks(DATA))

        assert 0 == context.offset
        assert [7, 8, 9, 10] == service.sent_parts()
        assert 6 * PART == result.kept
        assert DATA == service.content()

    def test_with_source_id_the_stream_goes_on_at_the_offset(self, service: Service) -> None:
        interrupted_phase(service, "v1", 6)
        uploader = service.uploader()

        context = uploader.init_upload(BUCKET, "k", source_id="v1")
        result = uploader.upload_stream(context, chunks(DATA[context.offset :]), total_size=len(DATA))

        assert 6 * PART == context.offset
        assert [7, 8, 9, 10] == service.sent_parts()
        assert (len(DATA), 6 * PART, 10) == (result.size, result.kept, len(result.receipt))
        assert DATA == service.content()
        assert service.left_over() == []

    def test_the_context_is_text_that_another_process_can_use(self, service: Service) -> None:
        context = service.uploader().init_upload(BUCKET, "k", source_id="v1", metadata={"who": "me"})

        again = UploadContext.from_json(context.to_json())
        service.uploader().upload_stream(again, chunks(DATA))

        assert context == again
        assert DATA == service.content()
        assert "me" == service.memory.head(BUCKET, "k").metadata["who"]
        for text in ("{}", "5", context.to_json().replace('"offset": 0', '"offset": -5')):
            with pytest.raises(ConfigurationError):
                UploadContext.from_json(text)

    def test_an_offset_equal_to_the_total_completes_without_reading(self, service: Service) -> None:
        interrupted_phase(service, "v1", 10)
        uploader = service.uploader()

        context = uploader.init_upload(BUCKET, "k", source_id="v1")
        uploader.upload_stream(context, untouched(), total_size=len(DATA))

        assert len(DATA) == context.offset
        assert service.sent_parts() == []
        assert DATA == service.content()

    def test_an_object_that_is_there_already_is_found_so(self, service: Service) -> None:
        service.fails(after=on("complete_upload", Code.ACCESS_DENIED))
        uploader = service.uploader()
        with pytest.raises(PermissionDeniedError):
            uploader.upload_stream(uploader.init_upload(BUCKET, "k", source_id="v1"), chunks(DATA))
        service.heals()

        context = uploader.init_upload(BUCKET, "k", source_id="v1")
        result = uploader.upload_stream(UploadContext.from_json(context.to_json()), iter(()), total_size=len(DATA))

        assert len(DATA) == context.offset == result.size
        assert service.left_over() == []

    @pytest.mark.parametrize(("total", "gone"), [(5, False), (len(DATA) + 1, False), (len(DATA), True)])
    def test_an_object_that_is_there_already_has_to_be_the_one_that_is_meant(
        self, service: Service, total: int, *, gone: bool
    ) -> None:
        service.fails(after=on("complete_upload", Code.ACCESS_DENIED))
        uploader = service.uploader()
        with pytest.raises(PermissionDeniedError):
            uploader.upload_stream(uploader.init_upload(BUCKET, "k", source_id="v1"), chunks(DATA))
        service.heals()
        context = uploader.init_upload(BUCKET, "k", source_id="v1")
        if gone:
            service.memory.delete(BUCKET, "k")

        with pytest.raises(StorageError):
            uploader.upload_stream(context, untouched(), total_size=total)

    def test_two_contexts_of_one_weak_upload_never_end_in_a_false_success(self, service: Service) -> None:
        uploader = service.uploader(part_size=PART)
        one, two = DATA, DATA[::-1]
        first, second = uploader.init_upload(BUCKET, "k"), uploader.init_upload(BUCKET, "k")

        def slow() -> Iterator[bytes]:
            yield one
            uploader.upload_stream(second, chunks(two))

        with pytest.raises(ConflictError):
            uploader.upload_stream(first, slow())
        uploader.upload_stream(second, chunks(two))

        assert two == service.content()

    def test_a_short_last_part_is_sent_once(self, service: Service) -> None:
        data = DATA[:-100]
        service.fails(on("complete_upload", Code.ACCESS_DENIED))
        uploader = service.uploader()
        with pytest.raises(PermissionDeniedError):
            uploader.upload_stream(uploader.init_upload(BUCKET, "k", source_id="v1"), chunks(data))
        service.heals()

        context = uploader.init_upload(BUCKET, "k", source_id="v1")
        uploader.upload_stream(context, chunks(data[context.offset :]), total_size=len(data))

        assert 9 * PART == context.offset
        assert service.sent_parts() == []
        assert data == service.content()

    @pytest.mark.parametrize("total", [len(DATA) - 1, len(DATA) + 1, 5])
    def test_a_total_that_does_not_hold_publishes_nothing(self, service: Service, total: int) -> None:
        interrupted_phase(service, "v1", 6)
        uploader = service.uploader()
        context = uploader.init_upload(BUCKET, "k", source_id="v1")

        with pytest.raises(StorageError):
            uploader.upload_stream(context, chunks(DATA[context.offset :]), total_size=total)

        assert not service.memory.list(BUCKET, "k").objects

    def test_an_old_context_is_refused_when_the_upload_has_lost_parts(self, service: Service) -> None:
        interrupted_phase(service, "v1", 6)
        uploader = service.uploader()
        context = uploader.init_upload(BUCKET, "k", source_id="v1")
        drop_parts(service, context.upload_id, {2})

        with pytest.raises(ConfigurationError, match="init_upload again"):
            uploader.upload_stream(context, chunks(DATA[context.offset :]))

    def test_a_total_that_the_upload_cannot_reach_is_refused_before_the_stream_is_read(self, service: Service) -> None:
        service.memory.limits = Limits(min_part=1, max_parts=4, checksum="crc64")
        uploader = service.uploader()
        context = uploader.init_upload(BUCKET, "k")

        with pytest.raises(ConfigurationError, match="can hold"):
            uploader.upload_stream(context, untouched(), total_size=16 * PART)

    def test_restart_begins_afresh(self, service: Service) -> None:
        interrupted_phase(service, "v1", 6)
        uploader = service.uploader()

        context = uploader.init_upload(BUCKET, "k", source_id="v1", restart=True)
        uploader.upload_stream(context, chunks(DATA))

        assert 0 == context.offset
        assert 10 == len(service.sent_parts())
        assert service.left_over() == []

    def test_one_uploader_serves_two_contexts_in_turns(self, service: Service) -> None:
        uploader = service.uploader()
        one, two = (uploader.init_upload(BUCKET, key) for key in ("one", "two"))

        uploader.upload_stream(two, chunks(DATA[::-1]))
        uploader.upload_stream(one, chunks(DATA))

        assert (DATA, DATA[::-1]) == (service.content("one"), service.content("two"))

    def test_a_context_is_for_one_stream_at_a_time(self, service: Service) -> None:
        uploader = service.uploader()
        context = uploader.init_upload(BUCKET, "k")

        def stream() -> Iterator[bytes]:
            yield DATA[:PART]
            with pytest.raises(ConflictError):
                uploader.upload_stream(context, untouched())
            yield DATA[PART:]

        uploader.upload_stream(context, stream())

        assert DATA == service.content()

    def test_bytes_are_a_stream_too(self, service: Service) -> None:
        uploader = service.uploader()

        uploader.upload_stream(uploader.init_upload(BUCKET, "k"), DATA)  # type: ignore[arg-type]  # iterates to ints

        assert DATA == service.content()

    def test_parts_that_memory_cannot_hold_are_refused_before_anything_is_begun(self, service: Service) -> None:
        with pytest.raises(ConfigurationError, match="memory"):
            service.uploader(memory=1024**2).init_upload(BUCKET, "k", part_size=2 * 1024**2)

        assert service.left_over() == []

    def test_an_empty_stream_is_an_empty_object(self, service: Service) -> None:
        uploader = service.uploader()

        uploader.upload_stream(uploader.init_upload(BUCKET, "k"), iter(()), total_size=0)

        assert service.content() == b""


def interrupted_phase(service: Service, source_id: str | None, parts: int) -> None:
    uploader = service.uploader()
    context = uploader.init_upload(BUCKET, "k", source_id=source_id)
    with pytest.raises(ValueError, match="the pipe broke"):
        uploader.upload_stream(context, broken_after(DATA, parts * PART, ValueError("the pipe broke")))
    service.heals()


def untouched() -> Iterator[bytes]:
    raise AssertionError("the stream was read")
    yield b""


def overwrite_part(service: Service, number: int) -> None:
    """What another tool does that writes into our upload."""
    pending = next(iter(service.memory.list_uploads(BUCKET).uploads))
    upload = service.memory.store.buckets[BUCKET].uploads[pending.id].upload
    for _ in range(500):
        if number in {part.number for part in service.memory.list_parts(upload).parts}:
            break
        time.sleep(0.01)
    service.memory.put_part(upload, number, BytesBody(b"y" * PART, "crc64"))


@pytest.mark.parametrize(
    "bad",
    [
        {"part_size": 0},
        {"part_size": "16MiB"},
        {"part_size": True},
        {"size": "5"},
        {"content_type": 5},
        {"content_type": "text/plain\r\nx: y"},
        {"metadata": {"a": 1}},
        {"metadata": ["a"]},
        {"metadata": "a"},
        {"metadata": {1: "a"}},
        {"source_id": b"x"},
        {"on_progress": 5},
        {"on_note": 5},
        {"cancel": threading.Event()},
    ],
    ids=str,
)
def test_arguments_that_make_no_sense_are_refused_before_any_request(service: Service, bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        service.upload(DATA, **bad)

    assert service.driver.calls == []
