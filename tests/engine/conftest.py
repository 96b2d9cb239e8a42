from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from storagekit import StreamingUploader, UploadResult
from storagekit.drivers.memory import MemoryDriver
from storagekit.testing.faults import Decision, FakeClock, FaultyDriver, never

BUCKET = "data"
PART = 1024


@dataclass
class Service:
    """A storage service with a clock of its own, and fresh uploaders as fresh processes would have them."""

    now: datetime = datetime(2026, 1, 1, tzinfo=timezone.utc)
    limits: Any = None
    memory: MemoryDriver = field(init=False)
    driver: FaultyDriver = field(init=False)

    def __post_init__(self) -> None:
        self.memory = MemoryDriver(now=lambda: self.now)
        self.memory.create_bucket(BUCKET)
        self.driver = FaultyDriver(self.memory)

    def uploader(self, **options: Any) -> StreamingUploader:
        settings = {"part_size": PART, "workers": 3, "clock": FakeClock(), **options}
        return StreamingUploader(self.driver, **settings)

    def upload(
        self, source: Any, key: str = "k", *, uploader: dict[str, Any] | None = None, **call: Any
    ) -> UploadResult:
        return self.uploader(**(uploader or {})).upload(source, BUCKET, key, **call)

    def fails(self, before: Decision = never, after: Decision = never) -> None:
        self.driver.before, self.driver.after = before, after
        self.driver.calls.clear()
        self.driver.counts.clear()

    def heals(self) -> None:
        self.fails()

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)

    def content(self, key: str = "k") -> bytes:
        size = self.memory.head(BUCKET, key).size
        buffer, done = bytearray(size), 0
        with self.memory.read(BUCKET, key) as reader:
            while done < size:
                done += reader.readinto(memoryview(buffer)[done:])
        return bytes(buffer)

    def left_over(self) -> list[str]:
        """Everything that must be gone after a success: records and unfinished uploads."""
        records = [info.key for info in self.memory.list(BUCKET, ".storagekit/").objects]
        return records + [upload.id for upload in self.memory.list_uploads(BUCKET).uploads]

    def sent_parts(self) -> list[int]:
        return sorted(call.number for call in self.driver.operations("put_part") if call.number is not None)


def encrypting(service: Service) -> None:
    """From now on etags of parts are 32 hex digits that are no MD5, as under KMS."""
    real = service.memory

    class Encrypting:
        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def put_part(self, upload: Any, number: int, body: Any) -> Any:
            return self._turned(real.put_part(upload, number, body))

        def list_parts(self, upload: Any, token: str | None = None, limit: int = 1000) -> Any:
            page = real.list_parts(upload, token, limit)
            return replace(page, parts=tuple(self._turned(part) for part in page.parts))

        def complete_upload(self, upload: Any, parts: Any) -> Any:
            return real.complete_upload(upload, [replace(part, etag=part.etag[::-1]) for part in parts])

        def _turned(self, part: Any) -> Any:
            return replace(part, etag=part.etag[::-1], checksum=None)

    service.driver.inner = Encrypting()


@pytest.fixture
def service() -> Service:
    return Service()
