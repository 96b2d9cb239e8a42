"""Objects as sources, and sources that can only be read from their start, again and again."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from storagekit import _copy
from storagekit._clock import Cancel
from storagekit._object_source import ObjectSource
from storagekit._retry import RetryPolicy
from storagekit._source import Access, Identity, RangeReader, strong_identity, weak_identity
from storagekit._store import Store
from storagekit.driver import Code, Limits
from storagekit.errors import (
    ObjectNotFoundError,
    ServiceError,
    SourceChangedError,
    SourceTruncatedError,
    UnsupportedSourceError,
)
from storagekit.testing.bodies import BytesBody
from storagekit.testing.faults import FakeClock, fault
from storagekit.types import Upload, WriteOptions
from tests.engine.conftest import BUCKET, PART, Service
from tests.engine.test_upload import DATA, on


@dataclass
class Answers:
    """A source as a web server without ranges is one: each reading is an answer of ``answers``, the last for good.

    An answer that is an exception part-way is (bytes before, exception).
    """

    answers: list[Any]
    size: int | None = None
    identity: Identity = field(default_factory=lambda: weak_identity("answers", kind="test"))
    access: Access = Access.RESTART
    ends_itself: bool = True
    name: str = "answers"
    content_type: str | None = None
    mtime: float | None = None
    readings: int = 0

    def open(self, cancel: Cancel) -> Answers:
        return self

    def open_range(self, offset: int, length: int | None, cancel: Cancel) -> RangeReader:
        assert (offset, length) == (0, None)
        answer = self.answers[min(self.readings, len(self.answers) - 1)]
        self.readings += 1
        return _Answer(*answer) if isinstance(answer, tuple) else _Answer(answer, None)

    def check(self) -> None: ...

    def verify(self) -> None: ...

    def close(self) -> None: ...


class _Answer:
    def __init__(self, data: bytes, error: Exception | None) -> None:
        self._left = memoryview(data)
        self._error = error

    def readinto(self, buffer: memoryview) -> int:
        if not self._left and self._error is not None:
            raise self._error
        count = min(len(buffer), len(self._left), 500)
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def close(self) -> None: ...


def cut(count: int) -> tuple[bytes, Exception]:
    return DATA[:count], ServiceError("the source broke off")


class TestReadAgain:
    @pytest.mark.parametrize("size", [None, len(DATA)])
    def test_a_source_that_breaks_off_is_read_again_and_nothing_is_sent_twice(
        self, service: Service, size: int | None
    ) -> None:
        source = Answers([cut(4 * PART + 10), cut(7 * PART), cut(100), DATA], size)

        result = service.upload(source)

        assert list(range(1, 11)) == service.sent_parts()
        assert 4 == source.readings
        assert DATA == service.content()
        assert 3 == sum("read again" in note for note in result.notes)
        assert service.left_over() == []

    @pytest.mark.parametrize("size", [100, 5 * PART])
    @pytest.mark.parametrize("count", [0, 50])
    def test_one_that_breaks_off_in_its_first_part_is_read_again(self, service: Service, size: int, count: int) -> None:
        source = Answers([(DATA[:count], ServiceError("it broke off")), DATA[:size]])

        service.upload(source)

        assert 2 == source.readings
        assert DATA[:size] == service.content()
        assert service.left_over() == []

    def test_it_is_given_up_after_as_many_readings_as_tries_and_goes_on_in_the_next_run(self, service: Service) -> None:
        source = Answers([cut(6 * PART + number) for number in range(9)])
        with pytest.raises(ServiceError, match="broke off") as caught:
            service.upload(source, uploader={"retry": RetryPolicy(attempts=5)})
        assert 5 == source.readings
        assert "run again to go on" in str(caught.value)
        service.heals()

        service.upload(Answers([DATA]))

        assert [7, 8, 9, 10] == service.sent_parts()
        assert DATA == service.content()

    def test_one_that_breaks_off_thrice_at_the_same_byte_is_short(self, service: Service) -> None:
        source = Answers([cut(6 * PART)])

        with pytest.raises(ServiceError):
            service.upload(source)

        assert 3 == source.readings

    def test_another_version_at_the_second_reading_is_never_spliced(self, service: Service) -> None:
        other = os.urandom(len(DATA))

        service.upload(Answers([cut(5 * PART), other]))

        assert other == service.content()

    def test_a_change_that_the_source_sees_ends_it_and_keeps_nothing(self, service: Service) -> None:
        source = Answers([(DATA[: 5 * PART], SourceChangedError("it changed"))])

        with pytest.raises(SourceChangedError):
            service.upload(source)

        assert service.left_over() == []

    def test_before_anything_is_sent_nothing_is_read_twice_in_vain(self, service: Service) -> None:
        with pytest.raises(ServiceError):
            service.upload(Answers([(b"", ServiceError("down"))]), uploader={"retry": RetryPolicy(attempts=2)})

        assert service.sent_parts() == []
        assert service.left_over() == []

    def test_a_source_whose_end_proves_nothing_is_refused_without_a_size(self, service: Service) -> None:
        with pytest.raises(UnsupportedSourceError, match="--size"):
            service.upload(Answers([DATA], ends_itself=False))
        with pytest.raises(SourceTruncatedError):
            service.upload(Answers([DATA[:-1]], ends_itself=False), size=len(DATA))

        service.upload(Answers([DATA], ends_itself=False), size=len(DATA))

        assert DATA == service.content()

    def test_an_upload_that_the_service_lost_is_begun_afresh(self, service: Service) -> None:
        def lose(call: Any) -> Exception | None:
            if call.operation == "put_part" and call.nth == 6:
                service.memory.store.buckets[BUCKET].uploads.clear()
            return None

        service.fails(lose)
        source = Answers([DATA])

        service.upload(source)

        assert 2 == source.readings
        assert DATA == service.content()
        assert service.left_over() == []

    def test_a_source_that_breaks_off_while_the_service_loses_the_upload(self, service: Service) -> None:
        def lose(call: Any) -> Exception | None:
            if call.operation == "put_part" and call.nth == 4:
                service.memory.store.buckets[BUCKET].uploads.clear()
            return None

        service.fails(lose)
        source = Answers([cut(4 * PART), DATA])

        service.upload(source)

        assert DATA == service.content()
        assert service.left_over() == []

    def test_a_strong_identity_whose_object_is_there_is_not_read_at_all(self, service: Service) -> None:
        strong = strong_identity("answers", kind="test", etag="1")
        service.fails(after=on("complete_upload", Code.ACCESS_DENIED))
        with pytest.raises(Exception, match="injected"):
            service.upload(Answers([DATA], len(DATA), strong))
        service.heals()
        source = Answers([DATA], len(DATA), strong)

        service.upload(source)

        assert 0 == source.readings
        assert service.left_over() == []


def object_source(service: Service, key: str = "from", scope: str = "elsewhere") -> ObjectSource:
    store = Store.of(service.driver, "storage", RetryPolicy(), FakeClock())
    return ObjectSource(store, scope, BUCKET, key)


def put(service: Service, data: bytes, key: str = "from", **options: Any) -> None:
    service.memory.put(BUCKET, key, BytesBody(data, "crc64"), WriteOptions(**options))


class TestObjects:
    @pytest.mark.parametrize("size", [0, 10, PART, 10 * PART + 3])
    @pytest.mark.parametrize("scope", ["elsewhere", "storage"])
    def test_an_object_arrives_with_its_type_and_metadata(self, service: Service, size: int, scope: str) -> None:
        data = os.urandom(size)
        put(service, data, content_type="text/x-test", metadata={"who": "me"})

        result = service.upload(object_source(service, scope=scope))

        info = service.memory.head(BUCKET, "k")
        assert data == service.content()
        assert ("text/x-test", "me") == (info.content_type, info.metadata["who"])
        assert (size, size, False) == (result.size, result.sent, result.resumed)
        assert service.left_over() == []

    @pytest.mark.parametrize("scope", ["elsewhere", "storage"])
    def test_metadata_of_another_tool_is_carried_under_its_own_names(self, service: Service, scope: str) -> None:
        put(service, DATA, metadata={"foo.bar": "x", "plain": "y"})

        service.upload(object_source(service, scope=scope))

        stored = service.memory.head(BUCKET, "k").metadata
        assert ("x", "y") == (stored["foo.bar"], stored["plain"])

    def test_within_one_service_no_byte_is_read(self, service: Service) -> None:
        put(service, DATA)

        service.upload(object_source(service, scope="storage"))

        assert service.driver.operations("read") == []
        assert 1 == len(service.driver.operations("copy"))

    def test_a_large_object_is_copied_by_parts_and_resumed(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_copy, "ONE_COPY", PART)
        put(service, DATA)
        service.fails(on("copy_part", Code.SERVER, number=3))
        with pytest.raises(ServiceError):
            service.upload(object_source(service, scope="storage"), part_size=PART)
        service.heals()

        result = service.upload(object_source(service, scope="storage"), part_size=PART)

        assert [3] == [call.number for call in service.driver.operations("copy_part")]
        assert service.driver.operations("put_part") == []
        assert (PART, 9 * PART) == (result.sent, result.kept)
        assert DATA == service.content()
        assert service.left_over() == []

    @pytest.mark.parametrize("one_copy", [PART, 1024**3])
    def test_an_object_that_is_replaced_while_it_is_copied_is_not_spliced(
        self, service: Service, monkeypatch: pytest.MonkeyPatch, one_copy: int
    ) -> None:
        monkeypatch.setattr(_copy, "ONE_COPY", one_copy)
        put(service, DATA)

        def replace(call: Any) -> Exception | None:
            if call.operation == "copy" or (call.operation, call.nth) == ("copy_part", 5):
                put(service, os.urandom(len(DATA)))
            return None

        service.fails(replace)
        with pytest.raises(SourceChangedError):
            service.upload(object_source(service, scope="storage"), part_size=PART)

        assert ["from"] == [info.key for info in service.memory.list(BUCKET).objects]

    @pytest.mark.parametrize("one_copy", [PART, 1024**3])
    def test_nor_where_the_service_does_not_compare(
        self, service: Service, monkeypatch: pytest.MonkeyPatch, one_copy: int
    ) -> None:
        """Ceph compares nothing with a copy of a part, moto and rclone never do. By parts no object is made of it."""
        monkeypatch.setattr(_copy, "ONE_COPY", one_copy)
        put(service, DATA)
        careless(service)

        def replace(call: Any) -> Exception | None:
            if call.operation == "copy" or (call.operation, call.nth) == ("copy_part", 5):
                put(service, os.urandom(len(DATA)))
            return None

        service.fails(replace)
        with pytest.raises(SourceChangedError):
            service.upload(object_source(service, scope="storage"), part_size=PART)

        copied_whole = [] if one_copy == PART else ["k"]
        assert sorted(["from", *copied_whole]) == [info.key for info in service.memory.list(BUCKET).objects]

    def test_where_the_service_copies_no_parts_they_are_read_and_sent_in_parts_that_fit(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data, mib = os.urandom(2 * 1024**2), 1024**2
        monkeypatch.setattr(_copy, "ONE_COPY", PART)
        put(service, data, metadata={"who": "me"})
        service.fails(on("copy_part", Code.UNSUPPORTED))

        result = service.upload(
            object_source(service, scope="storage"), part_size=mib, uploader={"memory": mib, "workers": 4}
        )

        assert any("does not copy parts" in note for note in result.notes)
        assert (8, len(data)) == (len(service.driver.operations("put_part")), result.sent)
        assert (data, "me") == (service.content(), service.memory.head(BUCKET, "k").metadata["who"])
        assert service.left_over() == []

    def test_an_object_that_is_replaced_while_it_is_read_is_not_spliced(self, service: Service) -> None:
        put(service, DATA)

        def replace(call: Any) -> Exception | None:
            if (call.operation, call.nth) == ("read", 5):
                put(service, os.urandom(len(DATA)))
            return None

        service.fails(replace)
        with pytest.raises(SourceChangedError):
            service.upload(object_source(service))

        assert ["from"] == [info.key for info in service.memory.list(BUCKET).objects]

    def test_a_read_that_fails_is_tried_again(self, service: Service) -> None:
        put(service, DATA)
        service.fails(lambda call: fault(Code.NETWORK) if call.operation == "read" and call.nth % 2 else None)

        service.upload(object_source(service))

        assert DATA == service.content()

    def test_an_object_is_resumed_by_gaps(self, service: Service) -> None:
        put(service, DATA)
        service.fails(on("put_part", Code.SERVER, number=4))
        with pytest.raises(ServiceError):
            service.upload(object_source(service))
        service.heals()

        service.upload(object_source(service))

        assert [4] == service.sent_parts()
        assert 1 == len([call for call in service.driver.operations("read") if call.key == "from"])

    def test_a_missing_object_is_an_error_that_names_it(self, service: Service) -> None:
        with pytest.raises(ObjectNotFoundError) as caught:
            service.upload(object_source(service, "absent"))

        assert "absent" == caught.value.key

    def test_an_object_is_copied_onto_itself_with_new_metadata(self, service: Service) -> None:
        put(service, DATA, metadata={"who": "me"})

        service.upload(object_source(service, scope="storage"), "from", metadata={"who": "you"})

        assert "you" == service.memory.head(BUCKET, "from").metadata["who"]
        assert DATA == service.content("from")


class TestOverwrite:
    def test_nor_by_a_copy(self, service: Service) -> None:
        put(service, DATA)

        def meanwhile(call: Any) -> Exception | None:
            if call.operation == "list" and not service.memory.list(BUCKET, "k").objects:
                put(service, b"precious", "k")
            return None

        service.fails(meanwhile)
        with pytest.raises(FileExistsError):
            service.upload(object_source(service, scope="storage"), overwrite=False)

        assert service.content() == b"precious"

    @pytest.mark.parametrize("make", [bytes, lambda data: iter([data])])
    @pytest.mark.parametrize("size", [10, len(DATA)])
    def test_an_object_that_is_there_is_not_replaced_against_the_callers_wish(
        self, service: Service, make: Callable[[bytes], Any], size: int
    ) -> None:
        put(service, b"precious", "k")

        with pytest.raises(FileExistsError):
            service.upload(make(DATA[:size]), overwrite=False)

        assert service.content() == b"precious"
        assert service.left_over() == []

    def test_nor_is_one_that_came_meanwhile_and_the_parts_are_kept(self, service: Service) -> None:
        def meanwhile(call: Any) -> Exception | None:
            if (call.operation, call.number) == ("put_part", 5):
                put(service, b"precious", "k")
            return None

        service.fails(meanwhile)
        with pytest.raises(FileExistsError):
            service.upload(DATA, overwrite=False)
        assert service.content() == b"precious"
        service.heals()

        service.upload(DATA)

        assert service.sent_parts() == []
        assert DATA == service.content()

    def test_a_run_that_was_killed_after_its_complete_has_not_itself_in_its_way(self, service: Service) -> None:
        service.fails(after=on("complete_upload", Code.ACCESS_DENIED))
        with pytest.raises(Exception, match="injected"):
            service.upload(DATA, overwrite=False)
        service.heals()

        service.upload(DATA, overwrite=False)

        assert service.left_over() == []


def test_sizes_that_need_larger_parts_than_memory_are_streamed_where_ranges_can_be_read(service: Service) -> None:
    service.memory.limits = Limits(min_part=1, max_parts=2, checksum="crc64")
    data = os.urandom(5 * 1024**2)

    service.upload(data, uploader={"memory": 1024**2})

    assert [1, 2] == service.sent_parts()
    assert data == service.content()


def careless(service: Service) -> None:
    """From now on the service takes no notice of the etag that a copy names."""
    real = service.memory

    class Careless:
        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def copy(
            self, bucket: str, key: str, source_bucket: str, source_key: str, options: WriteOptions, _: str
        ) -> Any:
            return real.copy(bucket, key, source_bucket, source_key, options)

        def copy_part(
            self, upload: Upload, number: int, source_bucket: str, source_key: str, start: int, length: int, _: str
        ) -> Any:
            now = real.head(source_bucket, source_key).etag
            return real.copy_part(upload, number, source_bucket, source_key, start, length, now)

    service.driver.inner = Careless()  # type: ignore[assignment]  # as much of a driver as is asked for
