"""A driver as the core uses it: every call guarded, plus the few combinations that several modules need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar

from storagekit._body import MemoryBody
from storagekit._clock import Cancel, Clock
from storagekit._guard import Guard, Rewindable
from storagekit._hash import new_hasher
from storagekit._meter import Meter
from storagekit._retry import RetryPolicy
from storagekit._throttle import Throttle
from storagekit.driver import Body, Code, Driver, DriverError, Failure, Limits
from storagekit.errors import ObjectNotFoundError, StorageError, UploadGoneError
from storagekit.types import (
    Checksum,
    ObjectInfo,
    ObjectPage,
    Part,
    PendingUpload,
    Progress,
    PutResult,
    Upload,
    UploadPage,
    WriteOptions,
)

T = TypeVar("T")


class SendBody(Body, Rewindable, Protocol):
    """A body that a driver can read and the guard can rewind."""


@dataclass(frozen=True)
class Store:
    """One driver behind a guard. ``with_cancel`` gives the same store to a transfer that can be stopped."""

    driver: Driver
    guard: Guard
    throttle: Throttle | None = None

    @classmethod
    def of(cls, driver: Driver, backend: str, policy: RetryPolicy, clock: Clock, max_speed: int | None = None) -> Store:
        """Return the store of ``driver``; ``backend`` is the name shown in errors, ``max_speed`` bytes per second."""
        throttle = Throttle(max_speed, clock) if max_speed else None
        return cls(driver, Guard(backend, driver.classify, policy, clock), throttle)

    def with_cancel(self, cancel: Cancel) -> Store:
        """Return the same store, whose retries and waits end when ``cancel`` is set."""
        return replace(self, guard=replace(self.guard, cancel=cancel))

    def meter(self, start: Progress, listener: Callable[[Progress], None] | None = None) -> Meter:
        """Return what counts the bytes of one transfer, and holds them back where the speed is limited."""
        return Meter(start, listener, self.throttle)

    @property
    def limits(self) -> Limits:
        """The driver's facts."""
        return self.driver.limits

    def call(self, operation: str, run: Callable[[], T], bucket: str, key: str | None = None) -> T:
        """Run one driver call under the guard."""
        return self.guard.call(operation, run, bucket=bucket, key=key)

    def head(self, bucket: str, key: str) -> ObjectInfo:
        """Return an object's facts, metadata as stored."""
        return self.call("head", lambda: self.driver.head(bucket, key), bucket, key)

    def find(self, bucket: str, key: str) -> ObjectInfo | None:
        """Return an object's facts, or None where there is none."""
        try:
            return self.head(bucket, key)
        except ObjectNotFoundError:
            return None

    def put(self, bucket: str, key: str, body: SendBody, options: WriteOptions) -> PutResult:
        """Store one object whole; sent again where the service answers another checksum than the body's."""

        def run() -> PutResult:
            result = self.driver.put(bucket, key, body, options)
            _compare(result.checksum, body.checksum)
            return result

        return self.guard.call("put", run, bucket=bucket, key=key, body=body)

    def put_bytes(self, bucket: str, key: str, data: bytes, content_type: str) -> PutResult:
        """Store a small object of our own, such as a record."""
        hasher = new_hasher(self.limits.checksum)
        hasher.update(memoryview(data))
        body = MemoryBody(memoryview(data), hasher.checksum(), Meter(Progress(0, len(data))), self.guard.cancel)
        return self.put(bucket, key, body, WriteOptions(content_type))

    def read_bytes(self, bucket: str, key: str, most: int) -> bytes:
        """Return a small object whole, at most ``most`` bytes of it."""
        return self.call("read", lambda: self._read(bucket, key, most), bucket, key)

    def _read(self, bucket: str, key: str, most: int) -> bytes:
        buffer = bytearray(most)
        done = 0
        with self.driver.read(bucket, key) as reader:
            while done < most:
                count = reader.readinto(memoryview(buffer)[done:])
                if not count:
                    break
                done += count
        return bytes(buffer[:done])

    def put_part(self, upload: Upload, number: int, body: SendBody) -> Part:
        """Send one part; sent again where the service answers another checksum than the body's."""

        def run() -> Part:
            part = self.driver.put_part(upload, number, body)
            _compare(part.checksum, body.checksum)
            return part

        return self.guard.call("put_part", run, bucket=upload.bucket, key=upload.key, body=body)

    def copy_part(
        self, upload: Upload, number: int, source_bucket: str, source_key: str, start: int, length: int, if_match: str
    ) -> Part:
        """Have a range of another object stored as a part."""
        run = partial(self.driver.copy_part, upload, number, source_bucket, source_key, start, length, if_match)
        return self.call("copy_part", run, upload.bucket, upload.key)

    def parts(self, upload: Upload) -> dict[int, Part]:
        """Return all parts of an upload by number. Raises UploadGoneError."""
        found: dict[int, Part] = {}
        token: str | None = None
        while True:
            page = self.call("list_parts", partial(self.driver.list_parts, upload, token), upload.bucket, upload.key)
            found.update((part.number, part) for part in page.parts)
            token = page.token
            if token is None:
                return found

    def gone(self, upload: Upload) -> UploadGoneError | None:
        """Return the service's word for it, asked once, where an upload is not there any more."""
        ask = partial(self.driver.list_parts, upload, None, 1)
        try:
            self.guard.call("list_parts", ask, bucket=upload.bucket, key=upload.key, retry=False)
        except UploadGoneError as error:
            return error
        except StorageError:
            return None  # it does not say
        return None

    def uploads(self, bucket: str, key: str) -> list[PendingUpload]:
        """Return the unfinished uploads of exactly this key. Pages end where longer keys begin."""
        found: list[PendingUpload] = []
        for page in self.upload_pages(bucket, key):
            found += [upload for upload in page.uploads if upload.key == key]
            if any(upload.key > key for upload in page.uploads):
                break
        return found

    def upload_pages(self, bucket: str, prefix: str) -> Iterator[UploadPage]:
        """Yield the pages of a listing of unfinished uploads."""
        token: str | None = None
        while True:
            page = self.call("list_uploads", partial(self.driver.list_uploads, bucket, prefix, token), bucket)
            yield page
            token = page.token
            if token is None:
                return

    def abort(self, upload: Upload) -> None:
        """Drop the upload and its parts."""
        self.call("abort_upload", lambda: self.driver.abort_upload(upload), upload.bucket, upload.key)

    def delete(self, bucket: str, key: str) -> None:
        """Delete one object."""
        self.call("delete", lambda: self.driver.delete(bucket, key), bucket, key)

    def pages(self, bucket: str, prefix: str = "", delimiter: str = "", start_after: str = "") -> Iterator[ObjectPage]:
        """Yield the pages of a listing."""
        token: str | None = None
        while True:
            page = self.call(
                "list",
                partial(self.driver.list, bucket, prefix, delimiter, start_after, token),
                bucket,
            )
            yield page
            token = page.token
            if token is None:
                return


def _compare(theirs: Checksum | None, ours: Checksum | None) -> None:
    """Raise INTEGRITY, which is tried again, where both name the same algorithm and another value."""
    if theirs and ours and theirs.algorithm == ours.algorithm and theirs.value != ours.value:
        raise DriverError(Failure(Code.INTEGRITY, "the service stored another checksum than was sent"))
