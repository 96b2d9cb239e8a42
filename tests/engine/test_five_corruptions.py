"""The five ways in which the nearest tool, sais-pyobs 0.3.0, stored wrong bytes or lost an upload without an error.

Each was reproduced there against a fake service (shared facts, "the five findings"); here each ends right.
"""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest

from storagekit.driver import Code
from storagekit.errors import ServiceError, SourceTruncatedError
from storagekit.testing.faults import fault
from tests.engine.conftest import BUCKET, PART, Service
from tests.engine.test_other_sources import Answers

KIB = 1024
DATA = os.urandom(40 * KIB)


@pytest.mark.parametrize("kind", ["bytes", "stream", "two phases"])
def test_a_gap_and_then_another_part_size(service: Service, kind: str) -> None:
    """Parts 1, 3, 4 were there, 2 was not; with a larger part size 60 KiB were published for 40 KiB."""
    part = 10 * KIB
    service.fails(lambda call: fault(Code.SERVER) if (call.operation, call.number) == ("put_part", 2) else None)
    with pytest.raises(ServiceError):
        send(service, kind, DATA, part)
    pending = next(iter(service.memory.list_uploads(BUCKET).uploads))
    there = service.memory.store.buckets[BUCKET].uploads[pending.id].parts
    assert 2 not in there
    service.heals()

    send(service, kind, DATA, 20 * KIB)

    assert [2] == service.sent_parts()
    assert DATA == service.content()
    assert service.left_over() == []


def send(service: Service, kind: str, data: bytes, part_size: int) -> None:
    uploader = service.uploader(part_size=part_size)
    if kind == "two phases":
        context = uploader.init_upload(BUCKET, "k", source_id="v1")
        uploader.upload_stream(context, io.BytesIO(data[context.offset :]), total_size=len(data))
    else:
        uploader.upload(data if kind == "bytes" else iter([data]), BUCKET, "k")


@pytest.mark.parametrize("kind", ["file-like", "two phases", "answer"])
def test_a_truncated_source(service: Service, kind: str) -> None:
    """The source ended at 25 KiB of 40 declared ones; the short object was completed."""
    short = DATA[: 25 * KIB]
    uploader = service.uploader()
    with pytest.raises(SourceTruncatedError):
        if kind == "two phases":
            uploader.upload_stream(uploader.init_upload(BUCKET, "k"), iter([short]), total_size=len(DATA))
        elif kind == "file-like":
            uploader.upload(io.BufferedReader(io.BytesIO(short)), BUCKET, "k", size=len(DATA))
        else:
            uploader.upload(Answers([short], len(DATA)), BUCKET, "k")

    assert not service.memory.list(BUCKET, "k").objects


@pytest.mark.parametrize("kind", ["file", "stream", "answer"])
def test_a_changed_source(service: Service, kind: str, tmp_path: Path) -> None:
    """The source changed between two runs; the object was half old, half new."""
    path = tmp_path / "f"

    def run(data: bytes) -> None:
        path.write_bytes(data)
        os.utime(path, (len(data), data[0]))
        sources = {"file": path, "stream": iter([data]), "answer": Answers([data], len(data))}
        service.upload(sources[kind])

    service.fails(lambda call: fault(Code.ACCESS_DENIED) if call.number == 20 else None)
    with pytest.raises(PermissionError):
        run(b"\x01" + DATA)
    service.heals()
    new = b"\x02" + os.urandom(len(DATA))

    run(new)

    assert new == service.content()


@pytest.mark.parametrize("kind", ["bytes", "stream", "file", "two phases"])
def test_an_empty_source(service: Service, kind: str, tmp_path: Path) -> None:
    """A source of 0 bytes became no object at all."""
    path = tmp_path / "empty"
    path.touch()
    if kind == "file":
        service.upload(path)
    else:
        send(service, kind, b"", PART)

    assert service.content() == b""
    assert service.left_over() == []


@pytest.mark.parametrize("kind", ["bytes", "stream", "two phases"])
def test_two_uploads_on_one_uploader_from_two_threads(service: Service, kind: str) -> None:
    """The part map was the uploader's: one of the two died with a KeyError."""
    uploader = service.uploader()
    datas = {f"k{number}": os.urandom(30 * KIB + number) for number in range(2)}
    both_are_half_way = threading.Barrier(2)

    def stream(data: bytes) -> io.RawIOBase:
        class Stream(io.RawIOBase):
            sent = 0

            def readable(self) -> bool:
                return True

            def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any buffer is one
                if self.sent == 15 * KIB:
                    both_are_half_way.wait(20)
                block = data[self.sent : min(self.sent + len(buffer), self.sent + KIB)]
                buffer[: len(block)] = block
                self.sent += len(block)
                return len(block)

        return Stream()

    def run(key: str) -> None:
        data = datas[key]
        if kind == "bytes":
            uploader.upload(data, BUCKET, key)
        elif kind == "stream":
            uploader.upload(stream(data), BUCKET, key)
        else:
            uploader.upload_stream(uploader.init_upload(BUCKET, key), stream(data), total_size=len(data))

    threads = [threading.Thread(target=run, args=(key,), daemon=True) for key in datas]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert list(datas.values()) == [service.content(key) for key in datas]
    assert service.left_over() == []
