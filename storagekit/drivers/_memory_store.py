"""What the memory driver stores, what it proves before it stores it, and the refusals that it has of S3."""

from __future__ import annotations

import hashlib
import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from fastcrc import crc32, crc64

from storagekit.driver import Body, Code
from storagekit.types import Checksum, ObjectInfo, Part, Upload

_STEP = 1 << 20  # bytes asked of a body at a time: what the protocol promises a body to be good at

CODES: Mapping[str, tuple[Code, int]] = MappingProxyType(
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


class Refused(Exception):
    """Plays the vendor's exception, which ``classify`` translates; ``code`` is a key of ``CODES``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Blob:
    """One object. Never changed, only replaced."""

    info: ObjectInfo
    data: memoryview
    checksum: Checksum


@dataclass
class Pending:
    """One unfinished upload, its parts by number, in the order in which they first came."""

    upload: Upload
    initiated: datetime
    parts: dict[int, tuple[Part, memoryview]] = field(default_factory=dict)


@dataclass
class Bucket:
    """One bucket. Whoever calls holds the store's lock."""

    blobs: dict[str, Blob] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)  # the keys of blobs, sorted
    uploads: dict[str, Pending] = field(default_factory=dict)

    def store(self, blob: Blob) -> None:
        """Make ``blob`` the object at its key."""
        if blob.info.key not in self.blobs:
            insort(self.keys, blob.info.key)
        self.blobs[blob.info.key] = blob

    def remove(self, key: str) -> None:
        """Remove the object at ``key``, where there is one."""
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
        self.buckets: dict[str, Bucket] = {}


class MemoryReader:
    """The bytes of one object or range, as ``storagekit.driver.Reader`` wants them."""

    def __init__(self, blob: Blob, start: int, length: int | None) -> None:
        self.etag, self.total = blob.info.etag, blob.info.size
        self._rest = blob.data[start:] if length is None else blob.data[start : start + length]

    def readinto(self, buffer: memoryview) -> int:
        """Fill at most ``len(buffer)`` bytes and return how many; 0 only at the end."""
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def __enter__(self) -> MemoryReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._rest = self._rest[:0]


def md5(data: bytes | memoryview) -> str:
    """Return the MD5 in hex: the etag of what was put in one piece."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def digest_of(algorithm: str, data: memoryview) -> Checksum:
    """Return the checksum of that name."""
    if algorithm == "md5":
        return Checksum(algorithm, md5(data))
    return Checksum(algorithm, f"{crc32.iscsi(data):08x}" if algorithm == "crc32c" else f"{crc64.xz(data):016x}")


def received(body: Body, limit: int) -> memoryview:
    """Return the body's bytes, proven against its size and checksum. Raises what ``body.read`` raises."""
    if body.size > limit:
        raise Refused("EntityTooLarge", f"{body.size:,} bytes are more than the {limit:,} of one request")
    data = bytearray()
    while chunk := body.read(_STEP):
        data += chunk
    if len(data) != body.size:
        raise Refused("IncompleteBody", f"the body has {len(data):,} bytes, {body.size:,} were announced")
    view = memoryview(data).toreadonly()
    sent = body.checksum
    if sent is not None and sent != digest_of(sent.algorithm, view):
        raise Refused("BadDigest", f"the {sent.algorithm} of the bytes received is not the one announced")
    return view


def joined(parts: Sequence[memoryview]) -> tuple[memoryview, str]:
    """Return the bytes of a multipart object and its etag: the MD5 of the parts' binary MD5s, and their number."""
    digests = b"".join(bytes.fromhex(md5(part)) for part in parts)
    return memoryview(b"".join(parts)), f"{md5(digests)}-{len(parts)}"
