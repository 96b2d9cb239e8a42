"""An upload whose parts carry CRC-32C because the service agreed; and writers that must not replace an object."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from storagekit._hash import Crc32c
from storagekit.driver import Code
from storagekit.drivers.memory import LIMITS, MemoryDriver
from storagekit.errors import ConflictError, IntegrityError, ServiceError
from storagekit.testing.faults import Call, fault
from storagekit.types import Part, PutResult, Upload, WriteOptions
from tests.engine.conftest import BUCKET, PART, Service, encrypting
from tests.engine.test_upload import on

MIB = 1024**2
DATA = bytes(range(256)) * 40  # 10 parts of 1,024 bytes


@pytest.fixture
def agreeing(service: Service) -> Service:
    """Refuses, as MinIO does, a part of an agreed upload that comes without CRC-32C."""
    service.memory.limits = replace(LIMITS, part_checksum="crc32c")
    return service


def algorithms(result: Any) -> set[str]:
    return {part.proof.partition(":")[0] for part in result.receipt}


def test_parts_carry_what_was_agreed_and_a_single_put_what_holds_for_all(agreeing: Service) -> None:
    assert algorithms(agreeing.upload(DATA)) == {"crc32c"}
    assert algorithms(agreeing.upload(b"one put", "small")) == {"crc64"}
    assert agreeing.content() == DATA


def test_service_that_declines_gets_its_usual_checksum(agreeing: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    create = MemoryDriver.create_upload

    def declining(self: MemoryDriver, bucket: str, key: str, options: WriteOptions, part_size: int | None) -> Upload:
        assert options.checksum == "crc32c"
        return create(self, bucket, key, replace(options, checksum=None), part_size)

    monkeypatch.setattr(MemoryDriver, "create_upload", declining)
    assert algorithms(agreeing.upload(DATA)) == {"crc64"}


@pytest.mark.parametrize("agreed_before", [True, False])
def test_resumed_upload_keeps_to_what_it_was_begun_with(agreeing: Service, agreed_before: bool) -> None:
    """Also where this version asks for something else by now: what was agreed is in the record."""
    other = replace(LIMITS, part_checksum=None)
    mine, later = (agreeing.memory.limits, other) if agreed_before else (other, agreeing.memory.limits)
    agreeing.memory.limits = mine
    agreeing.fails(on("put_part", Code.ACCESS_DENIED, number=7))
    with pytest.raises(PermissionError):
        agreeing.upload(DATA, uploader={"workers": 1})
    agreeing.heals()
    agreeing.memory.limits = later

    result = agreeing.upload(DATA)

    assert result.resumed
    assert algorithms(result) == {"crc32c" if agreed_before else "crc64", "server"}
    assert agreeing.content() == DATA
    assert agreeing.left_over() == []


def test_stream_is_replayed_against_agreed_parts(agreeing: Service) -> None:
    agreeing.fails(on("put_part", Code.ACCESS_DENIED, number=7))
    with pytest.raises(PermissionError):
        agreeing.upload(iter([DATA]), uploader={"workers": 1})
    agreeing.heals()
    agreeing.fails()

    result = agreeing.upload(iter([DATA]))

    assert algorithms(result) == {"crc32c"}
    assert agreeing.sent_parts() == [7, 8, 9, 10]
    assert agreeing.content() == DATA


def test_stream_to_an_agreed_upload_under_kms_is_sent_again_whole(agreeing: Service) -> None:
    encrypting(agreeing)
    agreeing.fails(on("put_part", Code.ACCESS_DENIED, number=7))
    with pytest.raises(PermissionError):
        agreeing.upload(iter([DATA]), uploader={"workers": 1})
    agreeing.heals()
    result = agreeing.upload(iter([DATA]))
    assert (agreeing.content(), result.kept) == (DATA, 0)


def test_parts_that_cannot_be_known_beforehand_are_not_asked_for(agreeing: Service, tmp_path: Path) -> None:
    """Larger than the budget: they are streamed, and their checksum is known when the last byte is sent."""
    path = tmp_path / "data"
    path.write_bytes(bytes(range(256)) * (5 * MIB // 256))
    result = agreeing.upload(path, uploader={"memory": MIB}, part_size=2 * MIB)
    assert (algorithms(result), result.parts) == ({"crc64"}, 3)
    assert agreeing.content() == path.read_bytes()


def test_agreed_part_that_is_larger_than_the_budget_of_now_is_read_beforehand(
    agreeing: Service, tmp_path: Path
) -> None:
    path = tmp_path / "data"
    path.write_bytes(bytes(range(256)) * (5 * MIB // 256))
    agreeing.fails(on("put_part", Code.ACCESS_DENIED, number=2))
    with pytest.raises(PermissionError):
        agreeing.upload(path, part_size=2 * MIB, uploader={"workers": 1})
    agreeing.heals()

    result = agreeing.upload(path, uploader={"memory": MIB})

    assert (result.resumed, algorithms(result)) == (True, {"crc32c", "server"})
    assert agreeing.content() == path.read_bytes()


def test_copies_by_the_service_are_not_asked_for(agreeing: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """MinIO refuses a copied part of an upload that agreed."""
    from storagekit import _copy
    from storagekit._object_source import ObjectSource

    monkeypatch.setattr(_copy, "ONE_COPY", PART)
    agreeing.upload(DATA, "source")
    uploader = agreeing.uploader(scope="here")
    source = ObjectSource(uploader.store, "here", BUCKET, "source")
    asked: list[str | None] = []
    create = MemoryDriver.create_upload

    def watched(self: MemoryDriver, bucket: str, key: str, options: WriteOptions, part_size: int | None) -> Upload:
        asked.append(options.checksum)
        return create(self, bucket, key, options, part_size)

    monkeypatch.setattr(MemoryDriver, "create_upload", watched)
    result = uploader.upload(source, BUCKET, "copy", part_size=PART)
    assert (asked, algorithms(result), agreeing.content("copy")) == ([None], {"server"}, DATA)


def test_the_whole_is_proven_against_its_parts(agreeing: Service) -> None:
    """Also against those of an earlier run, whose checksums the service lists."""
    agreeing.fails(on("put_part", Code.ACCESS_DENIED, number=7))
    with pytest.raises(PermissionError):
        agreeing.upload(DATA, uploader={"workers": 1})
    agreeing.heals()
    whole = Crc32c()
    whole.update(memoryview(DATA))
    assert f"crc32c:{whole.checksum().value}" == agreeing.upload(DATA).checksum


def test_service_that_joins_the_parts_wrongly_is_found_out(agreeing: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    complete = MemoryDriver.complete_upload

    def swapping(self: MemoryDriver, upload: Upload, parts: Sequence[Part]) -> PutResult:
        stored = self.store.buckets[BUCKET].uploads[upload.id].parts
        (first, data), (second, more) = stored[1], stored[2]
        stored[1], stored[2] = (first, more), (second, data)
        return complete(self, upload, parts)

    monkeypatch.setattr(MemoryDriver, "complete_upload", swapping)
    with pytest.raises(IntegrityError, match="not that of its parts together"):
        agreeing.upload(os.urandom(10 * PART))


def test_copied_parts_go_into_no_upload_that_agreed(agreeing: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that was read through and broken off is begun afresh where the service copies by itself."""
    from storagekit import _copy
    from storagekit._object_source import ObjectSource

    monkeypatch.setattr(_copy, "ONE_COPY", PART)
    agreeing.upload(DATA, "source")
    agreeing.fails(on("put_part", Code.ACCESS_DENIED, number=7))
    elsewhere = agreeing.uploader(workers=1, scope="here")
    with pytest.raises(PermissionError):
        elsewhere.upload(ObjectSource(elsewhere.store, "there", BUCKET, "source"), BUCKET, "copy", part_size=PART)
    agreeing.heals()

    def refused(self: MemoryDriver, upload: Upload, *_: object) -> Part:
        assert upload.options.checksum is None, "a part without the checksum that was agreed on"
        return copy_part(self, upload, *_)  # type: ignore[arg-type]  # as it was called

    copy_part = MemoryDriver.copy_part
    monkeypatch.setattr(MemoryDriver, "copy_part", refused)
    uploader = agreeing.uploader(scope="here")
    result = uploader.upload(ObjectSource(uploader.store, "here", BUCKET, "source"), BUCKET, "copy", part_size=PART)
    assert (result.resumed, agreeing.content("copy")) == (False, DATA)


# --- storage class, overwrite, encryption -----------------------------------------------------------------------------


def test_upload_of_another_storage_class_is_another_upload(service: Service) -> None:
    service.fails(on("put_part", Code.ACCESS_DENIED, number=7))
    with pytest.raises(PermissionError):
        service.upload(DATA, uploader={"workers": 1}, storage_class="COLD")
    service.heals()

    other = service.upload(DATA, storage_class="WARM")
    assert (other.resumed, service.memory.head(BUCKET, "k").storage_class) == (False, "WARM")

    service.fails(on("put_part", Code.ACCESS_DENIED, number=7))
    with pytest.raises(PermissionError):
        service.upload(DATA, "again", uploader={"workers": 1}, storage_class="COLD")
    service.heals()
    same = service.upload(DATA, "again")  # nothing said: the record's holds
    assert (same.resumed, service.memory.head(BUCKET, "again").storage_class) == (True, "COLD")


def appearing(service: Service, operation: str) -> None:
    """Another writer's object comes between the last look at the key and the call of ``operation``."""

    def decide(call: Call) -> None:
        if call.operation == operation and call.key == "k" and call.nth == service.driver.counts[operation]:
            with_nothing = service.memory.list(BUCKET, "k").objects == ()
            if with_nothing:
                from storagekit.testing.bodies import BytesBody

                service.memory.put(BUCKET, "k", BytesBody(b"theirs"), WriteOptions())

    service.fails(before=decide)


@pytest.mark.parametrize(("data", "operation"), [(b"ours", "put"), (DATA, "complete_upload")])
def test_object_that_comes_at_the_last_moment_is_not_replaced(service: Service, data: bytes, operation: str) -> None:
    appearing(service, operation)
    with pytest.raises(ConflictError) as caught:
        service.upload(data, overwrite=False)
    assert "precondition" == caught.value.code
    assert service.content() == b"theirs"


@pytest.mark.parametrize("data", [b"ours", DATA])
def test_own_object_is_no_obstacle_where_only_the_answer_was_lost(service: Service, data: bytes) -> None:
    operation = "put" if len(data) < PART else "complete_upload"
    key = "k"

    def lost(call: Call) -> Exception | None:
        return fault(Code.SERVER) if (call.operation, call.key) == (operation, key) else None

    first: list[Call] = []

    def once(call: Call) -> Exception | None:
        error = lost(call)
        if error is None or first:
            return None
        first.append(call)
        return error

    service.fails(after=once)
    result = service.upload(data, overwrite=False)
    assert (result.proof, service.content()) == ("head", data)
    assert service.left_over() == []


def test_answer_that_stays_lost_is_still_an_error_of_the_service(service: Service) -> None:
    service.fails(before=on("put", Code.SERVER))
    with pytest.raises(ServiceError):
        service.upload(b"ours", overwrite=False)


def test_upload_goes_on_only_under_the_encryption_that_it_was_begun_with(service: Service) -> None:
    service.fails(on("put_part", Code.ACCESS_DENIED, number=7))
    with pytest.raises(PermissionError):
        service.upload(DATA, uploader={"workers": 1})
    service.heals()
    service.memory.limits = replace(service.memory.limits, encryption="AES256")
    assert not service.upload(DATA).resumed


def test_another_class_at_the_key_is_not_what_was_asked_for(service: Service) -> None:
    """Another run of the same source published it meanwhile, in the usual class."""
    service.fails(on("put_part", Code.ACCESS_DENIED, number=7))
    with pytest.raises(PermissionError):
        service.upload(DATA, uploader={"workers": 1}, storage_class="COLD")
    service.heals()
    service.later(seconds=10)
    service.upload(DATA, restart=False, content_type=None, uploader={"checkpoint": "off"})
    service.later(seconds=10)
    result = service.upload(DATA, storage_class="COLD")
    assert (result.proof, service.memory.head(BUCKET, "k").storage_class) == ("head", "COLD")


def test_own_object_in_the_way_of_a_repeated_complete_is_no_conflict(service: Service) -> None:
    """The first try lands after its answer was given up, and after the look at the key: the second one is refused."""

    def decide(call: Call) -> Exception | None:
        if call.operation != "complete_upload":
            return None
        if call.nth == 1:
            return fault(Code.TIMEOUT)
        pending = next(iter(service.memory.store.buckets[BUCKET].uploads.values()))
        parts = [part for part, _ in pending.parts.values()]
        service.memory.complete_upload(pending.upload, sorted(parts, key=lambda part: part.number))
        return fault(Code.PRECONDITION)

    service.fails(before=decide)
    result = service.upload(DATA, overwrite=False)
    assert (result.proof, service.content()) == ("head", DATA)


def test_copy_does_not_replace_an_object_that_comes_at_the_last_moment(service: Service) -> None:
    from storagekit._object_source import ObjectSource

    service.upload(b"ours", "source")
    appearing(service, "complete_upload")
    uploader = service.uploader(scope="here")
    source = ObjectSource(uploader.store, "here", BUCKET, "source")
    with pytest.raises(ConflictError):
        uploader.upload(source, BUCKET, "k", overwrite=False)
    assert service.content() == b"theirs"
    service.memory.delete(BUCKET, "k")
    service.heals()
    uploader.upload(source, BUCKET, "k", overwrite=False)
    assert service.content() == b"ours"
