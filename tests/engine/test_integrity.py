"""Ways in which wrong bytes once became an object, or something was left behind. Each was seen before it was mended."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from storagekit import StorageClient
from storagekit._clock import Cancel
from storagekit._source import FileSource
from storagekit.driver import Code, Limits
from storagekit.errors import (
    ChecksumError,
    IntegrityError,
    PermissionDeniedError,
    ServiceError,
    SourceChangedError,
    StorageError,
    UploadGoneError,
)
from storagekit.testing.faults import Call, FakeClock, fault
from storagekit.types import Checksum, Part, PutResult, Upload
from tests.engine.conftest import BUCKET, PART, Service
from tests.engine.test_upload import DATA, interrupt_after, on, overwrite_part, pending_upload, put

MIB = 1024**2


def interrupt_complete(service: Service, source: Any = DATA, **call: Any) -> None:
    """Leave an upload with all its parts behind."""
    service.fails(on("complete_upload", Code.ACCESS_DENIED))
    with pytest.raises(PermissionDeniedError):
        service.upload(source, **call)
    service.heals()


class TestBytesInDoubtAreNotKept:
    def test_a_part_that_somebody_else_wrote_is_not_met_again(self, service: Service) -> None:
        upload = interrupt_after(service, 4)

        def interfere(call: Call) -> None:
            if call.operation == "put_part" and call.nth == 2:
                overwrite_part(service, upload, 1, b"!" * PART)

        service.fails(interfere)
        with pytest.raises(IntegrityError) as caught:
            service.upload(DATA)
        assert "to go on" not in str(caught.value)
        service.heals()

        assert (len(DATA), DATA) == (service.upload(DATA).sent, service.content())

    def test_parts_that_were_read_while_a_file_changed_are_not_met_again(
        self, service: Service, tmp_path: Path
    ) -> None:
        path = tmp_path / "f"
        path.write_bytes(DATA)
        second = int(path.stat().st_mtime)
        os.utime(path, ns=(second * 10**9, second * 10**9))

        def rewrite(call: Call) -> None:
            if call.operation == "put_part" and call.nth == 4:
                path.write_bytes(DATA[: 5 * PART] + bytes(5 * PART))

        service.fails(rewrite)
        with pytest.raises(SourceChangedError):
            service.upload(FileSource(path), uploader={"workers": 1})
        service.heals()
        path.write_bytes(DATA)
        os.utime(path, ns=(second * 10**9, second * 10**9))

        assert (len(DATA), DATA) == (service.upload(FileSource(path)).sent, service.content())

    def test_no_byte_of_a_changed_file_is_sent(self, service: Service, tmp_path: Path) -> None:
        path = tmp_path / "f"
        path.write_bytes(DATA)
        os.utime(path, (1_700_000_000, 1_700_000_000))
        service.fails(lambda c: os.utime(path) if c.operation == "put_part" and c.nth == 3 else None)

        with pytest.raises(SourceChangedError):
            service.upload(FileSource(path), uploader={"workers": 1})

        assert [1, 2, 3] == service.sent_parts()


class TestTheAnswerIsCompared:
    def test_a_part_stored_with_another_checksum_is_sent_again(self, service: Service) -> None:
        put_part = service.memory.put_part
        wrong = iter([True])

        def lie(upload: Upload, number: int, body: Any) -> Part:
            part = put_part(upload, number, body)
            return replace(part, checksum=Checksum("crc64", "0" * 16)) if next(wrong, False) else part

        service.memory.put_part = lie  # type: ignore[method-assign]

        service.upload(DATA, uploader={"workers": 1})

        assert 2 == service.sent_parts().count(1)

    def test_a_put_stored_with_another_checksum_is_an_error_in_the_end(self, service: Service) -> None:
        real = service.memory.put

        def lie(*args: Any) -> PutResult:
            return replace(real(*args), checksum=Checksum("crc64", "0" * 16))

        service.memory.put = lie  # type: ignore[method-assign, assignment]

        with pytest.raises(ChecksumError):
            service.upload(DATA[:PART])

    @pytest.mark.parametrize("etag_is_md5", [True, False])
    def test_a_streamed_part_is_verified_where_only_md5_is_offered(self, service: Service, etag_is_md5: bool) -> None:
        service.memory.limits = Limits(min_part=1, checksum="md5")
        data, real, flipped = os.urandom(5 * MIB), service.memory.put_part, iter([True])

        def damage(upload: Upload, number: int, body: Any) -> Part:
            announced = body.checksum
            part = real(upload, number, Flipped(body) if announced is None and next(flipped, False) else body)
            return replace(part, checksum=None) if etag_is_md5 else replace(part, checksum=None, etag=part.etag[::-1])

        service.memory.put_part = damage  # type: ignore[method-assign]
        complete = service.memory.complete_upload
        service.memory.complete_upload = lambda upload, parts: complete(  # type: ignore[method-assign]
            upload, [replace(part, etag=part.etag if etag_is_md5 else part.etag[::-1]) for part in parts]
        )

        service.upload(data, uploader={"part_size": 2 * MIB, "memory": MIB})

        assert data == service.content()


class Flipped:
    """A body on a line that flips a bit."""

    def __init__(self, body: Any) -> None:
        self._body = body
        self.size, self.checksum = body.size, None

    def read(self, n: int = -1) -> memoryview:
        block = bytearray(self._body.read(n))
        if block:
            block[0] ^= 1
        return memoryview(block)

    def rewind(self) -> None:
        self._body.rewind()

    def view(self) -> None:
        return None


class TestProof:
    def test_an_older_object_of_the_same_source_proves_nothing(self, service: Service) -> None:
        service.upload(DATA, metadata={"a": "1"})
        service.fails(on("complete_upload", Code.SERVER, nth=1))

        result = service.upload(DATA, metadata={"a": "2"})

        assert ("head", "2") == (result.proof, service.memory.head(BUCKET, "k").metadata["a"])
        assert service.left_over() == []

    def test_nor_when_the_upload_has_expired(self, service: Service) -> None:
        service.upload(DATA, metadata={"a": "1"})
        interrupt_complete(service, metadata={"a": "2"})
        service.memory.abort_upload(pending_upload(service))

        service.upload(DATA, metadata={"a": "2"})

        assert "2" == service.memory.head(BUCKET, "k").metadata["a"]

    def test_two_writers_with_different_metadata_do_not_pass_for_each_other(self, service: Service) -> None:
        def other_run_finishes(call: Call) -> None:
            if call.operation == "put_part" and call.nth == 5:
                service.driver.before = lambda _: None
                service.upload(DATA, metadata={"a": "theirs"})

        service.fails(other_run_finishes)

        service.upload(DATA, metadata={"a": "ours"}, uploader={"workers": 1})

        assert "ours" == service.memory.head(BUCKET, "k").metadata["a"]
        assert service.left_over() == []

    def test_where_the_last_initiated_wins_a_later_one_supersedes(self, service: Service) -> None:
        service.memory.limits = Limits(min_part=1, checksum="crc64", complete_order="initiation")
        complete = service.memory.complete_upload

        def later_one_came(call: Call) -> None:
            if call.operation == "put_part" and call.nth == 5:
                put(service, "k", b"initiated later")

        def loses(upload: Upload, parts: Any) -> PutResult:
            answer = complete(upload, parts)
            put(service, "k", b"initiated later")
            return answer

        service.memory.complete_upload = loses  # type: ignore[method-assign]
        service.fails(later_one_came)

        assert "superseded" == service.upload(DATA).proof
        assert b"initiated later" == service.content()


class TestNothingIsLeftBehind:
    def test_the_own_record_goes_although_a_listing_does_not_show_it(self, service: Service) -> None:
        real = service.memory.list
        service.memory.list = lambda bucket, *args: replace(real(bucket, *args), objects=())  # type: ignore[method-assign]
        service.upload(DATA)
        service.memory.list = real  # type: ignore[method-assign]

        assert service.left_over() == []

    def test_where_listing_is_refused_the_record_is_kept_where_it_can_be_found(
        self, service: Service, tmp_path: Path
    ) -> None:
        options = {"state_directory": tmp_path, "workers": 1}
        denied = on("list", Code.ACCESS_DENIED)
        service.fails(lambda c: denied(c) or on("put_part", Code.ACCESS_DENIED, number=5)(c))
        with pytest.raises(PermissionDeniedError):
            service.upload(DATA, uploader=options)
        service.fails(denied)

        result = service.upload(DATA, uploader=options)

        assert result.resumed
        assert service.left_over() == []

    def test_a_cancellation_while_the_record_is_written(self, service: Service) -> None:
        cancel = Cancel()
        service.fails(lambda c: cancel.set() if c.operation == "create_upload" else None)

        with pytest.raises(StorageError):
            service.upload(DATA, cancel=cancel)

        assert service.left_over() == []

    def test_a_complete_that_is_refused_twice_without_a_record(self, service: Service) -> None:
        service.fails(on("complete_upload", Code.PART_INVALID))

        with pytest.raises(UploadGoneError):
            service.upload(DATA, uploader={"checkpoint": "off"})

        assert service.left_over() == []

    def test_restart_without_records_of_its_own(self, service: Service) -> None:
        interrupt_after(service, 4)

        service.upload(DATA, restart=True, uploader={"checkpoint": "off"})

        assert service.left_over() == []

    def test_an_upload_that_cannot_be_aborted_stops_nothing(self, service: Service) -> None:
        interrupt_after(service, 4)
        service.fails(on("abort_upload", Code.ACCESS_DENIED))

        result = service.upload(DATA, restart=True)

        assert any("could not be cleaned up" in note for note in result.notes)
        assert DATA == service.content()

    def test_the_error_that_ends_everything_is_the_one_that_counts(self, service: Service) -> None:
        def decide(call: Call) -> Exception | None:
            if call.operation == "put_part" and call.nth <= 8:
                return fault(Code.SERVER)  # part 1, until its tries are used up
            return fault(Code.UPLOAD_GONE) if call.operation == "put_part" and call.nth == 16 else None

        service.fails(decide)

        assert any("afresh" in note for note in service.upload(DATA, uploader={"workers": 1}).notes)


class TestProgress:
    def test_a_part_that_failed_for_good_takes_its_bytes_back(self, service: Service) -> None:
        seen: list[int] = []
        service.fails(after=on("put_part", Code.SERVER, number=3))

        with pytest.raises(ServiceError):
            service.upload(DATA, on_progress=lambda progress: seen.append(progress.done))

        assert 9 * PART == seen[-1]


class TestDownloads:
    @pytest.fixture
    def client(self, service: Service) -> StorageClient:
        return StorageClient(bucket=BUCKET, driver=service.driver, clock=FakeClock(), memory=MIB, workers=3)

    def test_an_object_of_many_ranges_is_returned_whole(self, client: StorageClient) -> None:
        data = os.urandom(3 * MIB + 7)
        client.put_object("k", data)

        assert data == client.get_object("k")

    def test_two_objects_can_be_read_in_turns(self, client: StorageClient) -> None:
        data = os.urandom(2 * MIB)
        client.put_object("a", data)
        client.put_object("b", data)

        pairs = zip(client.iter_bytes("a"), client.iter_bytes("b"), strict=True)

        assert all(one == other for one, other in pairs)

    def test_a_file_arrives_whole_or_not_at_all(self, service: Service, client: StorageClient, tmp_path: Path) -> None:
        data = os.urandom(3 * MIB + 7)
        client.put_object("k", data)
        target = tmp_path / "f"
        target.write_bytes(b"old")
        service.fails(lambda c: fault(Code.ACCESS_DENIED) if c.operation == "read" and c.nth == 3 else None)
        with pytest.raises(PermissionDeniedError):
            client.download_file("k", target)
        assert b"old" == target.read_bytes()
        service.heals()

        client.download_file("k", target)

        assert ([target], data) == (list(tmp_path.iterdir()), target.read_bytes())

    def test_an_object_that_is_replaced_meanwhile_is_an_error(
        self, service: Service, client: StorageClient, tmp_path: Path
    ) -> None:
        client.put_object("k", os.urandom(3 * MIB))
        service.fails(
            lambda c: put(service, "k", os.urandom(3 * MIB)) if c.operation == "read" and c.nth == 2 else None
        )

        with pytest.raises(SourceChangedError):
            client.download_file("k", tmp_path / "f")

        assert list(tmp_path.iterdir()) == []

    def test_the_file_of_a_killed_download_is_swept_by_the_next(self, client: StorageClient, tmp_path: Path) -> None:
        client.put_object("k", b"data")
        (tmp_path / ".f.storagekit-0123456789ab").write_bytes(b"half")

        client.download_file("k", tmp_path / "f")

        assert [tmp_path / "f"] == list(tmp_path.iterdir())

    def test_a_device_is_written_to_and_not_replaced(self, client: StorageClient, tmp_path: Path) -> None:
        """A pipe stands for it: /dev/null was lost once."""
        client.put_object("k", b"data")
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        try:
            client.download_file("k", pipe)
            assert b"data" == os.read(reader, 100)
        finally:
            os.close(reader)
        assert pipe.is_fifo()

    def test_a_link_is_followed_and_not_replaced(self, client: StorageClient, tmp_path: Path) -> None:
        client.put_object("k", b"data")
        (tmp_path / "link").symlink_to(tmp_path / "there")

        client.download_file("k", tmp_path / "link")

        assert (True, b"data") == ((tmp_path / "link").is_symlink(), (tmp_path / "there").read_bytes())

    def test_a_private_file_stays_private(self, client: StorageClient, tmp_path: Path) -> None:
        client.put_object("k", b"data")
        target = tmp_path / "f"
        target.touch(mode=0o600)

        client.download_file("k", target)

        assert 0o600 == target.stat().st_mode & 0o777
