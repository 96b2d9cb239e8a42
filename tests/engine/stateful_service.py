"""The service of the stateful test: the memory driver with a clock, other vendors' manners, and a log of what landed.

Three layers: ``Service`` is the memory driver itself, which may hide what etags are (KMS) and let the last
initiated upload win (OBS). Around it, for each run, the public ``FaultyDriver`` that makes things happen; around that a
``Witness``, which sees what the engine was answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from storagekit import _metadata
from storagekit._clock import Cancel
from storagekit._memory import Memory
from storagekit._record import parse
from storagekit._window import Slot, Window
from storagekit.driver import Limits
from storagekit.drivers.memory import MemoryDriver
from storagekit.testing.bodies import BytesBody
from storagekit.testing.faults import FakeClock, FaultyDriver
from storagekit.types import Part, PartPage, PutResult, Upload, WriteOptions

BUCKET = "data"
OURS = ".storagekit/"


@dataclass(frozen=True)
class Manners:
    """What differs between services."""

    opaque: bool = False
    by_initiation: bool = False
    sparse: bool = True
    max_parts: int = 10_000
    min_part: int = 1

    @property
    def limits(self) -> Limits:
        order = "initiation" if self.by_initiation else "completion"
        return Limits(
            min_part=self.min_part,
            max_parts=self.max_parts,
            sparse_complete=self.sparse,
            complete_order=order,
            checksum="crc64",
        )


class Service(MemoryDriver):
    """The memory driver with manners. Each request takes 10 ms of its clock."""

    def __init__(self, manners: Manners) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=timezone.utc)
        super().__init__(manners.limits, now=self._tick)
        self._manners = manners
        self._begun: dict[str, datetime] = {}
        self.landed: dict[str, bytes] = {}
        self.create_bucket(BUCKET)

    def _tick(self) -> datetime:
        with self.store.lock:
            self.time += timedelta(milliseconds=10)
            return self.time

    def _publish(self, bucket: str, key: str, data: memoryview, etag: str, options: WriteOptions) -> PutResult:
        """Remember by its token what became an object."""
        with self.store.lock:
            result = super()._publish(bucket, key, data, etag, options)
            self._begun[key] = self.time
            self.landed[options.metadata.get(_metadata.TOKEN, "")] = bytes(data)
        return result

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> PutResult:
        with self.store.lock:
            pending = self._pending(upload)
            begun = pending.initiated
            real = [replace(part, etag=self._turn(part.etag)) for part in parts]
            if self._manners.by_initiation and self.object(upload.key) is not None and self._begun[upload.key] > begun:
                self._chosen(pending, real)
                self.abort_upload(upload)
                return PutResult("0" * 32)
            result = super().complete_upload(upload, real)
            self._begun[upload.key] = begun
            return result

    def put_part(self, upload: Upload, number: int, body: Any) -> Part:
        return self._shown(super().put_part(upload, number, body))

    def copy_part(self, upload: Upload, number: int, *source: Any, **range_: Any) -> Part:
        return self._shown(super().copy_part(upload, number, *source, **range_))

    def list_parts(self, upload: Upload, token: str | None = None, limit: int = 3) -> PartPage:
        page = super().list_parts(upload, token, limit)
        return replace(page, parts=tuple(map(self._shown, page.parts)))

    def _shown(self, part: Part) -> Part:
        return replace(part, etag=part.etag[::-1], checksum=None) if self._manners.opaque else part

    def _turn(self, etag: str) -> str:
        return etag[::-1] if self._manners.opaque else etag

    def object(self, key: str) -> bytes | None:
        """Return the bytes of the object at ``key``."""
        blob = self.store.buckets[BUCKET].blobs.get(key)
        return None if blob is None else bytes(blob.data)

    def place(self, key: str, data: bytes) -> None:
        """Write as another program does."""
        self.put(BUCKET, key, BytesBody(data), WriteOptions())

    def uploads(self, key: str) -> dict[str, dict[int, bytes]]:
        """Return the parts of each unfinished upload of ``key``."""
        with self.store.lock:
            return {
                name: {number: bytes(data) for number, (_, data) in one.parts.items()}
                for name, one in self.store.buckets[BUCKET].uploads.items()
                if one.upload.key == key
            }

    def upload(self, name: str) -> Upload:
        """Return the upload value of an id."""
        return self.store.buckets[BUCKET].uploads[name].upload

    def begin(self, key: str, data: bytes) -> str:
        """Begin an upload with one part, as another program does."""
        upload = self.create_upload(BUCKET, key, WriteOptions(), None)
        self.put_part(upload, 1, BytesBody(data))
        return upload.id

    def records(self) -> list[Any]:
        """Return all upload records and intents in the bucket."""
        blobs = self.store.buckets[BUCKET].blobs
        return [parse(bytes(blob.data)) for key, blob in blobs.items() if key.startswith(OURS)]

    def last_sign(self, name: str) -> datetime:
        """Return when an upload got its last part, or was begun."""
        pending = self.store.buckets[BUCKET].uploads[name]
        times = [part.modified for part, _ in pending.parts.values() if part.modified is not None]
        return max([pending.initiated, *times])


class Witness:
    """A driver that remembers what one run was answered: parts acknowledged, objects published, what HEAD showed."""

    def __init__(self, service: Service, faulty: FaultyDriver, key: str) -> None:
        self._service = service
        self.faulty = faulty
        self._key = key
        self.there = {
            (name, number): data for name, parts in service.uploads(key).items() for number, data in parts.items()
        }
        self.created: list[str] = []
        self.sent: list[int] = []
        self.again: list[int] = []
        self.published: list[bytes] = []
        self.completed: list[Part] = []
        self.seen: bytes | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.faulty, name)

    def head(self, bucket: str, key: str) -> Any:
        info = None
        try:
            info = self.faulty.head(bucket, key)
        finally:
            if key == self._key:
                self.seen = self._service.object(key)
        return info

    def create_upload(self, bucket: str, key: str, options: WriteOptions, part_size: int | None) -> Upload:
        before = set(self._service.uploads(key))
        try:
            upload: Upload = self.faulty.create_upload(bucket, key, options, part_size)
            return upload
        finally:
            self.created += set(self._service.uploads(key)) - before

    def put_part(self, upload: Upload, number: int, body: Any) -> Part:
        view = body.view()
        stored = self._service.uploads(upload.key).get(upload.id, {}).get(number)
        if view is not None and stored == view == self.there.get((upload.id, number)):
            self.again.append(number)
        return self._acknowledged(upload, self.faulty.put_part(upload, number, body))

    def copy_part(self, upload: Upload, number: int, *source: Any) -> Part:
        return self._acknowledged(upload, self.faulty.copy_part(upload, number, *source))

    def _acknowledged(self, upload: Upload, part: Part) -> Part:
        self.sent.append(part.size)
        stored = self._service.uploads(upload.key).get(upload.id, {})
        self.there[upload.id, part.number] = stored.get(part.number, b"")
        return part

    def put(self, bucket: str, key: str, body: Any, options: WriteOptions) -> PutResult:
        if key.startswith(OURS):
            record: PutResult = self.faulty.put(bucket, key, body, options)
            return record
        size: int = body.size
        result: PutResult = self._publishes(lambda: self.faulty.put(bucket, key, body, options), options, size)
        return result

    def copy(
        self, bucket: str, key: str, source_bucket: str, source_key: str, options: WriteOptions, *match: Any
    ) -> Any:
        return self._publishes(
            lambda: self.faulty.copy(bucket, key, source_bucket, source_key, options, *match), options, None
        )

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> PutResult:
        self.completed = list(parts)
        result: PutResult = self._publishes(lambda: self.faulty.complete_upload(upload, parts), upload.options, 0)
        return result

    def _publishes(self, call: Any, options: WriteOptions, size: int | None) -> Any:
        token = options.metadata[_metadata.TOKEN]
        self._service.landed.pop(token, None)
        try:
            result = call()
            self.sent.append(len(self._service.landed.get(token, b"")) if size is None else size)
            return result
        finally:
            if token in self._service.landed:
                self.published.append(self._service.landed[token])


class Budget(Window):
    """A memory window that says when more is handed out, or kept in its pool, than there is."""

    def __init__(self, total: int) -> None:
        super().__init__(total)
        self.out = 0
        self.excess: list[str] = []

    def reserve(self, size: int, cancel: Cancel) -> None:
        super().reserve(size, cancel)
        if self.in_use > self.budget:
            self.excess.append(f"{self.in_use} reserved")

    def redeem(self, size: int) -> Slot:
        slot = super().redeem(size)
        with self._changed:
            self.out += len(slot._buffer or b"")  # which may be larger than what was asked for
            held = self.out + sum(map(len, self._pool))
        if held > self.budget:
            self.excess.append(f"{held} held")
        return slot

    def give_back(self, buffer: Memory) -> None:
        with self._changed:
            self.out -= len(buffer)
            super().give_back(buffer)

    @property
    def in_use(self) -> int:
        """Bytes that are reserved or handed out."""
        return self._in_use


class RunClock(FakeClock):
    """A clock whose tokens are counted, so that ties are decided alike in each repetition."""

    def __init__(self, prefix: str, counter: list[int]) -> None:
        super().__init__()
        self._prefix = prefix
        self._counter = counter

    def token(self) -> str:
        self._counter.append(len(self._counter))
        return f"{self._prefix}{len(self._counter):012x}"
