"""The memory driver: objects in a dictionary, with the manners of S3.

It is there for tests and trials, so it is strict where S3 is strict: the length and checksum of a body are verified,
a part below ``limits.min_part`` is refused at the complete, etags are MD5 (of the part MD5s, with ``-N``, for a
multipart object), an upload is gone after its complete, and refusals carry S3's codes.

How it works: a ``MemoryStore`` holds the buckets and one lock. A ``MemoryDriver`` is a view on a store;
two drivers on one store see the same data. A body is read before the lock is taken, so a slow body holds up nobody,
and a body that fails has changed nothing. Stored bytes are never changed, only replaced: a reader keeps what it
opened. Keys are kept sorted as text; code point order and UTF-8 byte order are the same.

All of ``memory://`` in one process is one store. Nothing outlives the process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from storagekit import hookimpl
from storagekit.driver import Body, Code, DriverError, DriverSpec, Failure, Limits
from storagekit.drivers._memory_store import (
    CODES,
    Blob,
    Bucket,
    MemoryReader,
    MemoryStore,
    Pending,
    Refused,
    digest_of,
    joined,
    md5,
    received,
)
from storagekit.types import (
    DeleteFailure,
    ObjectInfo,
    ObjectPage,
    Part,
    PartPage,
    PendingUpload,
    PutResult,
    Upload,
    UploadPage,
    WriteOptions,
)

__all__ = ["LIMITS", "MemoryDriver", "MemoryStore", "storagekit_drivers"]

LIMITS = Limits(min_part=1, checksum="crc64")


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


class MemoryDriver:
    """Objects in memory, with S3's semantics. ``now`` gives the times that objects, parts and uploads carry."""

    def __init__(
        self,
        limits: Limits = LIMITS,
        *,
        store: MemoryStore | None = None,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.limits = limits
        self.store = store or MemoryStore()
        self._now = now

    def head(self, bucket: str, key: str) -> ObjectInfo:
        return self._blob(bucket, key).info

    def read(
        self, bucket: str, key: str, start: int = 0, length: int | None = None, if_match: str | None = None
    ) -> MemoryReader:
        return MemoryReader(self._blob(bucket, key, if_match), start, length)

    def put(self, bucket: str, key: str, body: Body, options: WriteOptions) -> PutResult:
        self._check(bucket, key)
        data = received(body, self.limits.max_put)
        return self._publish(bucket, key, data, md5(data), options)

    def delete(self, bucket: str, key: str) -> None:
        with self.store.lock:
            self._bucket(bucket).remove(key)

    def delete_many(self, bucket: str, keys: Sequence[str]) -> list[DeleteFailure]:
        with self.store.lock:
            home = self._bucket(bucket)
            for key in keys:
                home.remove(key)
        return []

    def list(
        self,
        bucket: str,
        prefix: str = "",
        delimiter: str = "",
        start_after: str = "",
        token: str | None = None,
        limit: int = 1000,
    ) -> ObjectPage:
        """Return one page. A token is the last key of its page (``k``) or the last common prefix (``p``)."""
        kind, last = (token[0], token[1:]) if token else ("k", "")
        folded = last if kind == "p" else None
        objects: list[ObjectInfo] = []
        prefixes: list[str] = []
        with self.store.lock:
            home = self._bucket(bucket)
            for key in home.after(max(start_after, last), prefix):
                if folded is not None and key.startswith(folded):
                    continue
                if len(objects) + len(prefixes) == limit:
                    return ObjectPage(tuple(objects), tuple(prefixes), kind + last)
                cut = key.find(delimiter, len(prefix)) if delimiter else -1
                if cut < 0:
                    objects.append(home.blobs[key].info)
                    kind, last = "k", key
                else:
                    kind, last = "p", key[: cut + len(delimiter)]
                    folded = last
                    prefixes.append(folded)
        return ObjectPage(tuple(objects), tuple(prefixes))

    def copy(
        self,
        bucket: str,
        key: str,
        source_bucket: str,
        source_key: str,
        options: WriteOptions,
        if_match: str | None = None,
    ) -> PutResult:
        source = self._blob(source_bucket, source_key, if_match)
        self._check(bucket, key)
        return self._publish(bucket, key, source.data, md5(source.data), options)

    def copy_part(
        self, upload: Upload, number: int, source_bucket: str, source_key: str, start: int, length: int, if_match: str
    ) -> Part:
        source = self._blob(source_bucket, source_key, if_match)
        return self._enter(upload, number, source.data[start : start + length])

    def create_upload(self, bucket: str, key: str, options: WriteOptions, part_size: int | None) -> Upload:
        self._check(bucket, key)
        upload = Upload(bucket, key, uuid4().hex, options, part_size)
        with self.store.lock:
            self._bucket(bucket).uploads[upload.id] = Pending(upload, self._now())
        return upload

    def put_part(self, upload: Upload, number: int, body: Body) -> Part:
        agreed = self._pending(upload).upload.options.checksum
        if agreed is not None and (body.checksum is None or body.checksum.algorithm != agreed):
            raise Refused("InvalidRequest", f"every part of this upload carries {agreed}, as was agreed")
        return self._enter(upload, number, received(body, self.limits.max_part))

    def list_parts(self, upload: Upload, token: str | None = None, limit: int = 1000) -> PartPage:
        with self.store.lock:
            stored = self._pending(upload).parts
            rest = sorted(number for number in stored if number > int(token or 0))
            page = tuple(stored[number][0] for number in rest[:limit])
        return PartPage(page, str(rest[limit - 1]) if len(rest) > limit else None)

    def list_uploads(self, bucket: str, prefix: str = "", token: str | None = None, limit: int = 1000) -> UploadPage:
        with self.store.lock:
            found = [
                (pending.upload.key, pending.initiated.isoformat(), pending.upload.id, pending)
                for pending in self._bucket(bucket).uploads.values()
                if self._lists(prefix, pending.upload.key)
            ]
        rest = sorted(row for row in found if "\0".join(row[:3]) > (token or ""))
        page = tuple(PendingUpload(row[0], row[2], row[3].initiated) for row in rest[:limit])
        return UploadPage(page, "\0".join(rest[limit - 1][:3]) if len(rest) > limit else None)

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> PutResult:
        with self.store.lock:
            pending = self._pending(upload)
            data, etag = joined([pending.parts[part.number][1] for part in self._chosen(pending, parts)])
            options = replace(pending.upload.options, if_absent=upload.options.if_absent)
            result = self._publish(upload.bucket, upload.key, data, etag, options)
            del self._bucket(upload.bucket).uploads[upload.id]
        return result

    def abort_upload(self, upload: Upload) -> None:
        with self.store.lock:
            uploads = self._bucket(upload.bucket).uploads
            if upload.id in uploads and uploads[upload.id].upload.key == upload.key:
                del uploads[upload.id]

    def create_bucket(self, bucket: str, location: str | None = None) -> None:  # there is one place
        with self.store.lock:
            if bucket in self.store.buckets:
                raise Refused("BucketAlreadyOwnedByYou", "the bucket exists")
            self.store.buckets[bucket] = Bucket()

    def delete_bucket(self, bucket: str) -> None:
        with self.store.lock:
            if self._bucket(bucket).blobs:
                raise Refused("BucketNotEmpty", "the bucket holds objects")
            del self.store.buckets[bucket]

    def list_buckets(self) -> Iterable[str]:
        with self.store.lock:
            return sorted(self.store.buckets)

    def bucket_exists(self, bucket: str) -> bool:
        with self.store.lock:
            return bucket in self.store.buckets

    def presign(self, operation: str, bucket: str, key: str, expires: timedelta, **options: Any) -> str:
        raise DriverError(Failure(Code.UNSUPPORTED, "memory has no address that a URL could name"))

    def classify(self, error: BaseException) -> Failure:
        if isinstance(error, DriverError):
            return error.failure
        if not isinstance(error, Refused):
            return Failure(Code.UNKNOWN, str(error))
        code, status = CODES[error.code]
        return Failure(code, str(error), status=status, vendor_code=error.code)

    def close(self) -> None:
        """Nothing to give back; the store belongs to whoever else holds it."""

    def _bucket(self, bucket: str) -> Bucket:
        try:
            return self.store.buckets[bucket]
        except KeyError:
            raise Refused("NoSuchBucket", f"there is no bucket {bucket!r}") from None

    def _blob(self, bucket: str, key: str, if_match: str | None = None) -> Blob:
        with self.store.lock:
            blob = self._bucket(bucket).blobs.get(key)
        if blob is None:
            raise Refused("NoSuchKey", "there is no object at that key")
        if if_match is not None and if_match != blob.info.etag:
            raise Refused("PreconditionFailed", f"the object's etag is {blob.info.etag} by now")
        return blob

    def _pending(self, upload: Upload) -> Pending:
        with self.store.lock:
            pending = self._bucket(upload.bucket).uploads.get(upload.id)
        if pending is None or pending.upload.key != upload.key:
            raise Refused("NoSuchUpload", "the upload was completed or aborted, or never begun")
        return pending

    def _check(self, bucket: str, key: str) -> None:
        with self.store.lock:
            self._bucket(bucket)
        if not 1 <= len(key.encode()) <= self.limits.max_key_bytes:
            raise Refused("KeyTooLongError", f"a key has 1 to {self.limits.max_key_bytes:,} bytes")

    def _lists(self, prefix: str, key: str) -> bool:
        return key == prefix if self.limits.exact_upload_listing else key.startswith(prefix)

    def _publish(self, bucket: str, key: str, data: memoryview, etag: str, options: WriteOptions) -> PutResult:
        metadata = MappingProxyType(dict(options.metadata))
        labels = (options.content_type, metadata, None, options.storage_class)
        blob = Blob(
            ObjectInfo(key, len(data), etag, self._now(), *labels), data, digest_of(options.checksum or "crc64", data)
        )
        with self.store.lock:
            home = self._bucket(bucket)
            if options.if_absent and key in home.blobs:
                raise Refused("PreconditionFailed", "there is an object at the key by now")
            home.store(blob)
        return PutResult(etag, checksum=blob.checksum)

    def _enter(self, upload: Upload, number: int, data: memoryview) -> Part:
        with self.store.lock:
            pending = self._pending(upload)
            checksum = digest_of(pending.upload.options.checksum or "crc64", data)
            part = Part(number, len(data), md5(data), checksum, self._now())
            pending.parts[number] = part, data
        return part

    def _chosen(self, pending: Pending, parts: Sequence[Part]) -> Sequence[Part]:
        """Return ``parts``, each of them proven to be stored, ascending and large enough."""
        numbers = [part.number for part in parts]
        if not numbers or numbers != sorted(set(numbers)):
            raise Refused("InvalidPartOrder", "the parts do not ascend by number")
        if not self.limits.sparse_complete and set(numbers) != set(pending.parts):
            raise Refused("InvalidPart", "parts that were sent are left out")
        for part in parts:
            stored = pending.parts.get(part.number)
            if stored is None or stored[0].etag != part.etag:
                raise Refused("InvalidPart", f"part {part.number} is missing, or another one by now")
        if any(len(pending.parts[number][1]) < self.limits.min_part for number in numbers[:-1]):
            raise Refused("EntityTooSmall", f"a part but the last is below {self.limits.min_part:,} bytes")
        return parts


_SHARED = MemoryStore()  # what memory:// URIs of this process reach; only the factory below touches it


def _make(settings: Mapping[str, str]) -> MemoryDriver:  # noqa: ARG001  # there is nothing to be told
    return MemoryDriver(store=_SHARED)


@hookimpl
def storagekit_drivers() -> list[DriverSpec]:
    """Return the memory backend."""
    return [DriverSpec("memory", "This process's memory, for tests and trials", _make)]
