"""The largest uploads there are, simulated: sources and a service that move bytes without keeping any."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from storagekit import StreamingUploader
from storagekit._clock import Cancel
from storagekit._source import Access, RangeReader, strong_identity, weak_identity
from storagekit._stream_source import StreamSource
from storagekit.driver import Body, Code, Limits
from storagekit.drivers.memory import MemoryDriver
from storagekit.errors import PermissionDeniedError
from storagekit.testing.faults import FakeClock, FaultyDriver, fault
from storagekit.types import Checksum, ObjectInfo, Part, PartPage, PutResult, Upload
from tests.engine.conftest import BUCKET, Service

GIB = 1024**3
TIB = 1024**4
DEFAULT_BUDGET = 256 * 1024**2


class Discarding(MemoryDriver):
    """Takes every part, reads it to its end, counts it and forgets its bytes; all else is the memory driver.

    It verifies nothing: five tebibytes of CRC-64 alone would take two minutes.
    """

    def __init__(self) -> None:
        super().__init__(limits=Limits(checksum="none"))
        self.sizes: dict[int, int] = {}
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._object: ObjectInfo | None = None

    def put_part(self, upload: Upload, number: int, body: Body) -> Part:
        view = body.view()
        with self._lock:
            self._at_once += len(view) if view is not None else 0
            self.most_at_once = max(self.most_at_once, self._at_once)
        size = _drained(body)
        with self._lock:
            self._at_once -= len(view) if view is not None else 0
            self.sizes[number] = size
        return self._part(number, body.checksum)

    def _part(self, number: int, checksum: Checksum | None = None) -> Part:
        return Part(number, self.sizes[number], f"etag-{number}", checksum)

    def list_parts(self, upload: Upload, token: str | None = None, limit: int = 1000) -> PartPage:
        numbers = [number for number in sorted(self.sizes) if number > int(token or 0)]
        page = numbers[:limit]
        return PartPage(tuple(map(self._part, page)), str(page[-1]) if len(numbers) > limit else None)

    def complete_upload(self, upload: Upload, parts: Any) -> PutResult:
        assert [part.number for part in parts] == list(range(1, len(self.sizes) + 1))
        metadata = dict(upload.options.metadata)
        self._object = ObjectInfo(upload.key, sum(self.sizes.values()), "whole", metadata=metadata)
        return PutResult("whole")

    def head(self, bucket: str, key: str) -> ObjectInfo:
        return self._object if self._object and key == self._object.key else super().head(bucket, key)


def _drained(body: Body) -> int:
    size = 0
    while block := body.read():
        size += len(block)
    return size


@dataclass(frozen=True)
class Endless:
    """``size`` bytes of nothing in particular: whatever the buffer holds."""

    size: int | None
    access: Access = Access.RANGES
    really: int = 0
    name: str = "endless"
    content_type: str | None = None
    mtime: float | None = None
    ends_itself: bool = True
    identity: Any = field(default_factory=lambda: strong_identity("endless", kind="test"))

    def open(self, cancel: Cancel) -> Endless:
        return self

    def open_range(self, offset: int, length: int | None, cancel: Cancel) -> RangeReader:
        return _Nothing(self.really if length is None else length)

    def check(self) -> None: ...

    def verify(self) -> None: ...

    def close(self) -> None: ...


class _Nothing:
    def __init__(self, left: int) -> None:
        self._left = left

    def readinto(self, buffer: memoryview) -> int:
        count = min(len(buffer), self._left)
        self._left -= count
        return count

    def close(self) -> None: ...


@pytest.fixture
def discarding() -> Discarding:
    driver = Discarding()
    driver.create_bucket(BUCKET)
    return driver


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_five_tebibytes_of_known_size_go_through_the_default_budget(discarding: Discarding) -> None:
    """Parts of 525 MiB are larger than all the memory there is: each is streamed through 1 MiB."""
    size = 5 * TIB

    result = StreamingUploader(discarding).upload(Endless(size), BUCKET, "k")

    assert (size, size) == (result.size, sum(discarding.sizes.values()))
    assert result.part_size > DEFAULT_BUDGET
    assert 9_900 < result.parts <= 10_000
    assert discarding.most_at_once <= DEFAULT_BUDGET  # of all parts only the last is small enough to be held whole


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_half_a_tebibyte_of_unknown_length_goes_through_the_default_budget(discarding: Discarding) -> None:
    size = 500 * GIB
    stream = Endless(None, Access.ONCE, size, identity=weak_identity("endless", kind="stream"))

    result = StreamingUploader(discarding).upload(stream, BUCKET, "k")

    assert (size, size) == (result.size, sum(discarding.sizes.values()))
    assert 16 * 1024**2 == discarding.sizes[1]
    assert DEFAULT_BUDGET // 2 == max(discarding.sizes.values())
    assert discarding.most_at_once <= DEFAULT_BUDGET
    assert any("984" in note for note in result.notes)


def test_ten_thousand_parts_are_resumed_within_a_bounded_number_of_calls(service: Service) -> None:
    """What is to be sent is decided by listing records and parts, 1,000 a page: 10 pages, not 10,000 questions."""
    count = 10_000
    data = bytes(count)
    uploader = {"part_size": 1}
    service.fails(lambda call: fault(Code.ACCESS_DENIED) if call.operation == "complete_upload" else None)
    with pytest.raises(PermissionDeniedError):
        service.upload(data, uploader=uploader)
    pending = next(iter(service.memory.list_uploads(BUCKET).uploads))
    for number in (1, 5_000, 10_000):
        del service.memory.store.buckets[BUCKET].uploads[pending.id].parts[number]
    service.heals()

    service.upload(data, uploader=uploader)

    asked = [call.operation for call in service.driver.calls]
    before = asked[: asked.index("put_part")]
    assert [1, 5_000, 10_000] == service.sent_parts()
    assert len(before) <= 10 + 5, before
    assert len(asked) <= 10 + 5 + 3 + 10 + 10, len(asked)
    assert data == service.content()


def test_ten_thousand_parts_of_a_stream_are_replayed_within_a_bounded_number_of_calls() -> None:
    memory = MemoryDriver(limits=Limits(min_part=1, checksum="crc64"))
    memory.create_bucket(BUCKET)
    driver = FaultyDriver(memory, before=_no_complete)
    uploader = StreamingUploader(driver, part_size=4, memory=1024**2, clock=FakeClock())
    data = bytes(30_000)
    with pytest.raises(PermissionDeniedError):
        uploader.upload(StreamSource([data]), BUCKET, "k")
    driver.before = lambda call: None
    driver.calls.clear()

    result = uploader.upload(StreamSource([data]), BUCKET, "k")

    assert [] == driver.operations("put_part")
    assert len(driver.calls) <= 40
    assert len(data) == result.kept


def _no_complete(call: Any) -> Exception | None:
    return fault(Code.ACCESS_DENIED) if call.operation == "complete_upload" else None
