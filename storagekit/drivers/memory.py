"""The memory driver: objects in a dictionary, with the manners of S3.

It is there for tests and trials, so it is strict where S3 is strict: the length and checksum of a body are verified,
a part below ``limits.min_part`` is refused at the complete, etags are MD5 (of the part MD5s, with ``-N``, for a
multipart object), an upload is gone after its complete, and refusals carry S3's codes.

How it works: a :class:`MemoryStore` holds the buckets and one lock. A :class:`MemoryDriver` is a view on a store;
two drivers on one store see the same data. A body is read before the lock is taken, so a slow body holds up nobody,
and a body that fails has changed nothing. Stored bytes are never changed, only replaced: a reader keeps what it
opened. Keys are kept sorted as text; code point order and UTF-8 byte order are the same.

All of ``memory://`` in one process is one store. Nothing outlives the process.
"""

from __future__ import annotations

import hashlib
import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from fastcrc import crc64

from storagekit import hookimpl
from storagekit.driver import Body, Code, DriverError, DriverSpec, Failure, Limits
from storagekit.types import (
    Checksum,
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

LIMITS = Limits(min_part=1, checksum="crc64")

_STEP = 1 << 20  # bytes asked of a body at a time: what the protocol promises a body to be good at

_CODES: Mapping[str, tuple[Code, int]] = MappingProxyType(
    {
        "BadDigest": (Code.INTEGRITY, 400),
        "BucketAlreadyOwnedByYou": (Code.BUCKET_EXISTS, 409),
        "BucketNotEmpty": (Code.BUCKET_NOT_EMPTY, 409),
        "EntityTooLarge": (Code.TOO_LARGE, 400),
        "EntityTooSmall": (Code.TOO_SMALL, 400),
        "IncompleteBody": (Code.INTEGRITY, 400),
        "InvalidPart": (Code.PART_INVALID, 400),
        "InvalidPartOrder": (Code.PART_INVALID, 400),
        "KeyTooLongError": (Code.INVALID_NAME, 400),
        "NoSuchBucket": (Code.BUCKET_NOT_FOUND, 404),
        "NoSuchKey": (Code.NOT_FOUND, 404),
        "NoSuchUpload": (Code.UPLOAD_GONE, 404),
        "PreconditionFailed": (Code.PRECONDITION, 412),
    }
)


class _Refused(Exception):  # plays the vendor's exception, which classify translates
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class _Blob:
    info: ObjectInfo
    data: memoryview
    checksum: Checksum


@dataclass
class _Pending:
    upload: Upload
    initiated: datetime
    parts: dict[int, tuple[Part, memoryview]] = field(default_factory=dict)


@dataclass
class _Bucket:
    blobs: dict[str, _Blob] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)  # the keys of blobs, sorted
    uploads: dict[str, _Pending] = field(default_factory=dict)

    def store(self, blob: _Blob) -> None:
        if blob.info.key not in self.blobs:
            insort(self.keys, blob.info.key)
        self.blobs[blob.info.key] = blob

    def remove(self, key: str) -> None:
        if self.blobs.pop(key, None) is not None:
            del self.keys[bisect_left(self.keys, key)]

    def after(self, key: str, prefix: str) -> Iterator[str]:
        """Yield the keys that start with ``prefix`` and stand behind ``key``, in order."""
        start = max(bisect_right(self.keys, key), bisect_left(self.keys, prefix))
        for place in range(start, len(self.keys)):
            if not self.keys[place].startswith(prefix):
                return
            yield self.keys[place]


class MemoryStore:
    """The data that memory drivers share: buckets by name, under one lock."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.buckets: dict[str, _Bucket] = {}


class _MemoryReader:
    def __init__(self, blob: _Blob, start: int, length: int | None) -> None:
        self.etag, self.total = blob.info.etag, blob.info.size
        self._rest = blob.data[start:] if length is None else blob.data[start : start + length]

    def readinto(self, buffer: memoryview) -> int:
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def __enter__(self) -> _MemoryReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._rest = self._rest[:0]


def _md5(data: bytes | memoryview) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _crc64(data: memoryview) -> Checksum:
    return Checksum("crc64", f"{crc64.xz(data):016x}")


def _received(body: Body, limit: int) -> memoryview:
    """Return the body's bytes, proven against its size and checksum. Raises what ``body.read`` raises."""
    if body.size > limit:
        raise _Refused("EntityTooLarge", f"{body.size:,} bytes are more than the {limit:,} of one request")
    data = bytearray()
    while chunk := body.read(_STEP):
        data += chunk
    if len(data) != body.size:
        raise _Refused("IncompleteBody", f"the body has {len(data):,} bytes, {body.size:,} were announced")
    view = memoryview(data).toreadonly()
    sent = body.checksum
    if sent is not None and sent.value != (_md5(view) if sent.algorithm == "md5" else _crc64(view).value):
        raise _Refused("BadDigest", f"the {sent.algorithm} of the bytes received is not the one announced")
    return view


def _joined(parts: Sequence[memoryview]) -> tuple[memoryview, str]:
    """Return the bytes of a multipart object and its etag: the MD5 of the parts' binary MD5s, and their number."""
    digests = b"".join(bytes.fromhex(_md5(part)) for part in parts)
    return memoryview(b"".join(parts)), f"{_md5(digests)}-{len(parts)}"


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
    ) -> _MemoryReader:
        return _MemoryReader(self._blob(bucket, key, if_match), start, length)

    def put(self, bucket: str, key: str, body: Body, options: WriteOptions) -> PutResult:
        self._check(bucket, key)
        data = _received(body, self.limits.max_put)
        return self._publish(bucket, key, data, _md5(data), options)

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

    def copy(self, bucket: str, key: str, source_bucket: str, source_key: str, options: WriteOptions) -> PutResult:
        source = self._blob(source_bucket, source_key)
        self._check(bucket, key)
        return self._publish(bucket, key, source.data, _md5(source.data), options)

    def copy_part(
        self, upload: Upload, number: int, source_bucket: str, source_key: str, start: int, length: int, if_match: str
    ) -> Part:
        source = self._blob(source_bucket, source_key, if_match)
        return self._enter(upload, number, source.data[start : start + length])

    def create_upload(self, bucket: str, key: str, options: WriteOptions, part_size: int | None) -> Upload:
        self._check(bucket, key)
        upload = Upload(bucket, key, uuid4().hex, options, part_size)
        with self.store.lock:
            self._bucket(bucket).uploads[upload.id] = _Pending(upload, self._now())
        return upload

    def put_part(self, upload: Upload, number: int, body: Body) -> Part:
        self._pending(upload)
        return self._enter(upload, number, _received(body, self.limits.max_part))

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
            data, etag = _joined([pending.parts[part.number][1] for part in self._chosen(pending, parts)])
            result = self._publish(upload.bucket, upload.key, data, etag, pending.upload.options)
            del self._bucket(upload.bucket).uploads[upload.id]
        return result

    def abort_upload(self, upload: Upload) -> None:
        with self.store.lock:
            self._bucket(upload.bucket).uploads.pop(upload.id, None)

    def create_bucket(self, bucket: str, location: str | None = None) -> None:  # there is one place
        with self.store.lock:
            if bucket in self.store.buckets:
                raise _Refused("BucketAlreadyOwnedByYou", "the bucket exists")
            self.store.buckets[bucket] = _Bucket()

    def delete_bucket(self, bucket: str) -> None:
        with self.store.lock:
            if self._bucket(bucket).blobs:
                raise _Refused("BucketNotEmpty", "the bucket holds objects")
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
        if not isinstance(error, _Refused):
            return Failure(Code.UNKNOWN, str(error))
        code, status = _CODES[error.code]
        return Failure(code, str(error), status=status, vendor_code=error.code)

    def close(self) -> None:
        """Nothing to give back; the store belongs to whoever else holds it."""

    def _bucket(self, bucket: str) -> _Bucket:
        try:
            return self.store.buckets[bucket]
        except KeyError:
            raise _Refused("NoSuchBucket", f"there is no bucket {bucket!r}") from None

    def _blob(self, bucket: str, key: str, if_match: str | None = None) -> _Blob:
        with self.store.lock:
            blob = self._bucket(bucket).blobs.get(key)
        if blob is None:
            raise _Refused("NoSuchKey", "there is no object at that key")
        if if_match is not None and if_match != blob.info.etag:
            raise _Refused("PreconditionFailed", f"the object's etag is {blob.info.etag} by now")
        return blob

    def _pending(self, upload: Upload) -> _Pending:
        with self.store.lock:
            pending = self._bucket(upload.bucket).uploads.get(upload.id)
        if pending is None or pending.upload.key != upload.key:
            raise _Refused("NoSuchUpload", "the upload was completed or aborted, or never begun")
        return pending

    def _check(self, bucket: str, key: str) -> None:
        with self.store.lock:
            self._bucket(bucket)
        if not 1 <= len(key.encode()) <= self.limits.max_key_bytes:
            raise _Refused("KeyTooLongError", f"a key has 1 to {self.limits.max_key_bytes:,} bytes")

    def _lists(self, prefix: str, key: str) -> bool:
        return key == prefix if self.limits.exact_upload_listing else key.startswith(prefix)

    def _publish(self, bucket: str, key: str, data: memoryview, etag: str, options: WriteOptions) -> PutResult:
        metadata = MappingProxyType(dict(options.metadata))
        info = ObjectInfo(key, len(data), etag, self._now(), options.content_type, metadata)
        blob = _Blob(info, data, _crc64(data))
        with self.store.lock:
            self._bucket(bucket).store(blob)
        return PutResult(etag, checksum=blob.checksum)

    def _enter(self, upload: Upload, number: int, data: memoryview) -> Part:
        part = Part(number, len(data), _md5(data), _crc64(data), self._now())
        with self.store.lock:
            self._pending(upload).parts[number] = part, data
        return part

    def _chosen(self, pending: _Pending, parts: Sequence[Part]) -> Sequence[Part]:
        """Return ``parts``, each of them proven to be stored, ascending and large enough."""
        numbers = [part.number for part in parts]
        if not numbers or numbers != sorted(set(numbers)):
            raise _Refused("InvalidPartOrder", "the parts do not ascend by number")
        if not self.limits.sparse_complete and set(numbers) != set(pending.parts):
            raise _Refused("InvalidPart", "parts that were sent are left out")
        for part in parts:
            stored = pending.parts.get(part.number)
            if stored is None or stored[0].etag != part.etag:
                raise _Refused("InvalidPart", f"part {part.number} is missing, or another one by now")
        if any(len(pending.parts[number][1]) < self.limits.min_part for number in numbers[:-1]):
            raise _Refused("EntityTooSmall", f"a part but the last is below {self.limits.min_part:,} bytes")
        return parts


_SHARED = MemoryStore()  # what memory:// URIs of this process reach; only the factory below touches it


def _make(settings: Mapping[str, str]) -> MemoryDriver:  # noqa: ARG001  # there is nothing to be told
    return MemoryDriver(store=_SHARED)


@hookimpl
def storagekit_drivers() -> list[DriverSpec]:
    """Return the memory backend."""
    return [DriverSpec("memory", "This process's memory, for tests and trials", _make)]
