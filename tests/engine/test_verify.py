"""``verify`` finds what no checksum on the way could see; ``max_speed`` holds for uploads and downloads together."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from storagekit import IntegrityError, StorageClient, errors
from storagekit._clock import Cancel
from storagekit._plan import Span
from storagekit._throttle import CREDIT_S
from storagekit._verify import Piece, _require_whole, pieces_of, require_verified
from storagekit.driver import Code
from storagekit.drivers._memory_store import Blob
from storagekit.testing.bodies import BytesBody, digest, pattern
from storagekit.testing.faults import Call, FakeClock, fault
from storagekit.testing.http_source import SourceServer
from storagekit.types import PartReceipt, WriteOptions
from tests.engine.conftest import BUCKET, PART, Service, encrypting

DATA = pattern(5 * PART + 17)
OTHER = pattern(5 * PART + 17, seed=1)


def rot(service: Service, offset: int = 3 * PART, key: str = "k") -> None:
    """Flip a byte of the stored object, behind everybody's back: etag and checksum stay."""
    blob = service.memory.store.buckets[BUCKET].blobs[key]
    data = bytearray(blob.data)
    data[offset] ^= 1
    service.memory.store.buckets[BUCKET].blobs[key] = Blob(blob.info, memoryview(data), blob.checksum)


def rots(service: Service, *operations: str) -> None:
    """Let the service damage the object as soon as it has it."""

    def damage(call: Call) -> None:
        if call.operation in operations and call.key == "k":
            rot(service)

    service.fails(after=damage)


def client(service: Service, **options: Any) -> StorageClient:
    settings = {"part_size": PART, "clock": FakeClock(), **options}
    return StorageClient("memory", BUCKET, driver=service.driver, **settings)


def sources(tmp_path: Path) -> dict[str, Callable[[], Any]]:
    file = tmp_path / "file.bin"
    file.write_bytes(DATA)
    return {"bytes": lambda: DATA, "file": lambda: file, "stream": lambda: io.BytesIO(DATA)}


@pytest.mark.parametrize("kind", ["bytes", "file", "stream"])
def test_an_object_that_is_its_source_is_verified(service: Service, tmp_path: Path, kind: str) -> None:
    result = service.upload(sources(tmp_path)[kind](), verify=True)

    assert result.verified
    assert DATA == service.content()


def test_a_stream_whose_parts_carry_an_agreed_checksum_is_verified(service: Service) -> None:
    service.memory.limits = replace(service.memory.limits, part_checksum="crc32c")
    result = service.upload(io.BytesIO(DATA), verify=True)
    assert {"crc32c"} == {receipt.proof.partition(":")[0] for receipt in result.receipt}
    assert result.verified


@pytest.mark.parametrize(
    ("whole", "proofs", "fails"),
    [
        ("crc64:{}", ("crc64", "crc64"), False),
        ("crc64:0123456789abcdef", ("crc64", "crc64"), True),
        ("crc64:0123456789abcdef", ("crc64", "md5"), False),  # not known from the pieces
        ("md5:{}", ("md5", "md5"), False),
        (None, ("crc64", "crc64"), False),
    ],
)
def test_what_the_service_says_of_the_whole_has_to_be_that_of_what_it_gave_back(
    whole: str | None, proofs: tuple[str, str], *, fails: bool
) -> None:
    halves, checksum = (DATA[:PART], DATA[PART:]), digest("crc64", DATA)
    assert checksum is not None
    found = []
    for number, (half, algorithm) in enumerate(zip(halves, proofs, strict=True), 1):
        value = digest(algorithm, half)
        assert value is not None
        found.append((Piece(Span(number, 0, len(half)), "server"), f"{algorithm}:{value.value}"))
    with pytest.raises(IntegrityError, match="says the service") if fails else contextlib.nullcontext():
        _require_whole(whole.format(checksum.value) if whole else None, found)


def test_nothing_is_said_to_be_verified_that_was_not_asked_for(service: Service) -> None:
    assert not service.upload(DATA).verified


@pytest.mark.parametrize("kind", ["bytes", "file", "stream"])
@pytest.mark.parametrize("part_size", [PART, 16 * PART])
def test_a_byte_that_rots_in_the_service_is_found(service: Service, tmp_path: Path, kind: str, part_size: int) -> None:
    rots(service, "complete_upload", "put")

    with pytest.raises(IntegrityError, match=r"differs from its source in part \d") as caught:
        service.upload(sources(tmp_path)[kind](), verify=True, part_size=part_size)

    assert "restart" in str(caught.value.hint)


def test_parts_of_an_earlier_run_are_compared_with_the_file(service: Service, tmp_path: Path) -> None:
    source = sources(tmp_path)["file"]
    service.fails(before=lambda call: fault(Code.ACCESS_DENIED) if call.number == 5 else None)
    with pytest.raises(errors.PermissionDeniedError):
        service.upload(source(), uploader={"workers": 1})
    rots(service, "complete_upload")

    with pytest.raises(IntegrityError, match="in part 4"):
        service.upload(source(), verify=True)


def test_parts_of_a_stream_that_were_compared_when_it_was_repeated_count_as_read(service: Service) -> None:
    service.fails(before=lambda call: fault(Code.ACCESS_DENIED) if call.number == 5 else None)
    with pytest.raises(errors.PermissionDeniedError):
        service.upload(io.BytesIO(DATA), uploader={"workers": 1})
    service.heals()

    result = service.upload(io.BytesIO(DATA), verify=True)

    assert result.verified
    assert {"md5", "crc64"} >= {receipt.proof.partition(":")[0] for receipt in result.receipt}
    assert result.kept


def test_an_object_that_an_earlier_run_had_published_is_compared_too(service: Service, tmp_path: Path) -> None:
    source = sources(tmp_path)["file"]
    service.fails(after=lambda call: KeyboardInterrupt() if call.operation == "complete_upload" else None)  # type: ignore[arg-type,return-value]  # a kill is no Exception
    with pytest.raises(KeyboardInterrupt):
        service.upload(source())
    service.heals()

    result = service.upload(source(), verify=True)

    assert result.verified
    assert not service.sent_parts()


@pytest.mark.parametrize("size", [0, 1])
def test_an_object_of_next_to_nothing_is_verified(service: Service, size: int) -> None:
    assert service.upload(DATA[:size], verify=True).verified


def test_a_copy_on_the_server_is_compared_with_the_original(service: Service) -> None:
    service.upload(DATA, key="original")
    with client(service) as one:
        assert one.copy_object("original", "k", verify=True).verified
        rots(service, "copy", "complete_upload")

        with pytest.raises(IntegrityError):
            one.copy_object("original", "k", verify=True)


def test_a_url_is_compared_by_the_checksums_of_what_passed(service: Service) -> None:
    with SourceServer(DATA) as source:
        assert service.upload(source.url, verify=True).verified
        served = source.bytes_served
    assert served < 2 * len(DATA)


def test_parts_that_nothing_is_known_of_are_said_not_to_be_compared(service: Service) -> None:
    encrypting(service)
    service.fails(before=lambda call: fault(Code.ACCESS_DENIED) if call.number == 5 else None)
    with pytest.raises(errors.PermissionDeniedError):
        service.upload(io.BytesIO(DATA), source_id="shard 7", uploader={"workers": 1})
    service.heals()

    result = service.upload(io.BytesIO(DATA), source_id="shard 7", verify=True, uploader={"workers": 1})

    assert not result.verified
    assert "could not be compared" in result.notes[-1]
    assert {4} <= {receipt.number for receipt in result.receipt if receipt.proof == "server"} <= {2, 3, 4}


def test_verifying_takes_no_more_memory_than_the_budget_allows(service: Service) -> None:
    with client(service, memory=2 * 1024**2, part_size=None, workers=2) as one:
        big = pattern(7 * 1024**2)

        result = one.upload(big, "k", verify=True)

        assert result.verified
        assert one.uploader.window._in_use == 0


def test_what_is_known_of_an_object_is_cut_as_its_parts_were() -> None:
    receipts = (
        PartReceipt(1, 10, "e", "crc64:0a"),
        PartReceipt(2, 0, "e", "crc64:00"),
        PartReceipt(3, 5, "e", "server"),
    )

    pieces = list(pieces_of(receipts, 15))

    assert [(1, 0, 10, "crc64"), (3, 10, 5, None)] == [
        (piece.number, piece.span.offset, piece.span.length, piece.algorithm) for piece in pieces
    ]
    assert [Piece(piece.span, "server") for piece in pieces_of((), 40 * 1024**2)] == list(pieces_of((), 40 * 1024**2))
    assert 40 * 1024**2 == sum(piece.span.length for piece in pieces_of((), 40 * 1024**2))


# --- downloads --------------------------------------------------------------------------------------------------------


def test_a_file_that_is_the_object_is_verified(service: Service, tmp_path: Path) -> None:
    service.upload(DATA)
    with client(service) as one:
        result = one.download_file("k", tmp_path / "out", chunk_size=PART, verify=True)

    assert result.verified
    assert DATA == (tmp_path / "out").read_bytes()


def test_bytes_that_differ_when_they_are_fetched_again_leave_no_file(service: Service, tmp_path: Path) -> None:
    service.upload(DATA)
    reads = 0

    def damage(call: Call) -> None:
        nonlocal reads
        if call.operation == "read":
            reads += 1
            if reads == 6:
                rot(service)

    service.fails(after=damage)
    with client(service, workers=1) as one, pytest.raises(IntegrityError, match="differs"):
        one.download_file("k", tmp_path / "out", chunk_size=PART, verify=True)

    assert [] == list(tmp_path.iterdir())


def test_what_cannot_be_read_back_is_refused_before_any_byte_moves(service: Service) -> None:
    service.upload(DATA)
    service.heals()
    with client(service) as one, pytest.raises(errors.ConfigurationError, match="cannot be read back"):
        one.download_file("k", "/dev/null", verify=True)

    assert [] == service.driver.calls


def test_a_file_is_held_to_the_digest_and_the_size_that_were_promised(service: Service, tmp_path: Path) -> None:
    service.upload(DATA)
    digest = hashlib.sha256(DATA).hexdigest()
    with client(service) as one:
        one.download_file("k", tmp_path / "out", chunk_size=PART, size=len(DATA), sha256=digest.upper())
        assert DATA == (tmp_path / "out").read_bytes()
        (tmp_path / "out").unlink()

        for promise in ({"size": len(DATA) - 1}, {"sha256": hashlib.sha256(OTHER).hexdigest()}):
            with pytest.raises(IntegrityError, match="promised"):
                one.download_file("k", tmp_path / "out", chunk_size=PART, **promise)

    assert [] == list(tmp_path.iterdir())


def test_an_object_that_another_writer_replaced_is_not_compared_and_not_ours_to_delete(service: Service) -> None:
    def replaced(call: Call) -> None:
        if call.operation == "complete_upload":
            service.memory.put(BUCKET, "k", BytesBody(OTHER, "crc64"), WriteOptions())

    service.fails(after=replaced)
    result = service.upload(DATA, verify=True)

    assert result.superseded_by
    assert not result.verified
    assert "another writer" in result.notes[-1]
    with pytest.raises(IntegrityError) as caught:
        require_verified(result)
    assert "restart" not in str(caught.value)
    assert OTHER == service.content()


# --- speed ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bytes", "file", "stream"])
def test_an_upload_takes_as_long_as_its_bytes_at_that_speed(service: Service, tmp_path: Path, kind: str) -> None:
    clock = FakeClock()

    service.upload(sources(tmp_path)[kind](), uploader={"max_speed": 1000, "clock": clock, "workers": 1})

    assert len(DATA) / 1000 == pytest.approx(clock.now, abs=2 * CREDIT_S)


def test_uploads_and_downloads_of_a_client_share_the_speed(service: Service, tmp_path: Path) -> None:
    clock = FakeClock()
    with client(service, max_speed=1000, clock=clock, workers=1) as one:
        one.upload(DATA, "k")
        one.download_file("k", tmp_path / "out")
        assert DATA == b"".join(bytes(block) for block in one.iter_bytes("k"))

    assert 3 * len(DATA) / 1000 == pytest.approx(clock.now, abs=2 * CREDIT_S)


def test_a_part_that_is_sent_again_waits_again(service: Service) -> None:
    clock = FakeClock()
    service.fails(after=lambda call: fault(Code.SERVER) if (call.operation, call.nth) == ("put_part", 1) else None)

    service.upload(DATA, uploader={"max_speed": 1000, "clock": clock, "workers": 1})

    assert clock.now >= (len(DATA) + PART) / 1000 - CREDIT_S


def test_a_copy_on_the_server_does_not_wait(service: Service) -> None:
    service.upload(DATA, key="original")
    clock = FakeClock()
    with client(service, max_speed=1, clock=clock) as one:
        one.copy_object("original", "k")

    assert 0 == clock.now


def test_a_slow_transfer_is_stopped_at_once(service: Service) -> None:
    cancel = Cancel()

    class Stops(FakeClock):
        def sleep(self, seconds: float, given: Cancel) -> None:
            cancel.set()
            super().sleep(seconds, given)

    with pytest.raises(errors.TransferCancelled):
        service.upload(DATA, uploader={"max_speed": 1, "clock": Stops()}, cancel=cancel)


@pytest.mark.parametrize("speed", [0, -1, 1.5, "50MB", True])
def test_a_speed_that_is_none_is_refused(service: Service, speed: Any) -> None:
    with pytest.raises(errors.ConfigurationError, match=r"^max_speed is "):
        client(service, max_speed=speed)
