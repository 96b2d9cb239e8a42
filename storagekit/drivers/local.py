"""The local driver: buckets are directories below a root, objects plain files in them.

Files that other programs place or change are objects like any other. What S3 has and a directory has not (atomic
replacement, content types, metadata, multipart uploads, listings in key order) is made of temporary files, renames and
``flock``; how, is said where it is done:

``_local_names``    which path a key has, and which keys cannot have one
``_local_files``    locks, flushes, checksummed writes
``_local_bucket``   how a file becomes an object, and what is left by a process that was killed
``_local_reading``  readers and listings
``_local_uploads``  multipart uploads whose complete copies nothing

Any number of threads and processes may work on one root, as long as they see each other's ``flock`` (one machine, or a
network file system that passes locks on). Needs POSIX.
"""

# Keys are text (Path would turn "a//b" into "a/b"), and these are system calls, in the order that matters:
# ruff: noqa: PTH100, PTH102, PTH103, PTH112

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from storagekit import hookimpl
from storagekit.driver import Body, Code, DriverError, DriverSpec, Failure, Limits, Setting
from storagekit.drivers import _local_uploads as uploads
from storagekit.drivers._local_bucket import Bucket
from storagekit.drivers._local_files import STEP, refusal, write_body
from storagekit.drivers._local_names import (
    MAX_KEY,
    MAX_SEGMENT,
    encodable,
    is_bucket_name,
    is_readable,
    require_key,
)
from storagekit.drivers._local_reading import LocalReader, head_object, list_objects, open_object
from storagekit.types import (
    Checksum,
    DeleteFailure,
    ObjectInfo,
    ObjectPage,
    Part,
    PartPage,
    PutResult,
    Upload,
    UploadPage,
    WriteOptions,
)

TIB = 1024**4

LIMITS = Limits(
    min_part=1,
    max_part=TIB,
    max_parts=1_000_000,  # each is one small file until the complete
    max_put=16 * TIB,  # what ext4 allows a file
    max_object=16 * TIB,
    max_key_bytes=MAX_KEY,
    max_segment_bytes=MAX_SEGMENT,
    empty_segments=False,
    checksum="crc64",
)

_CODES: Mapping[int, tuple[Code, str]] = MappingProxyType(
    {
        errno.EACCES: (Code.ACCESS_DENIED, "the file system denies access"),
        errno.EPERM: (Code.ACCESS_DENIED, "the file system denies the operation"),
        errno.EROFS: (Code.ACCESS_DENIED, "the file system is read-only"),
        errno.ENOSPC: (Code.REFUSED, "no space left on device"),
        errno.EDQUOT: (Code.REFUSED, "no space left in the disk quota"),
        errno.EIO: (Code.REFUSED, "the disk reported an input/output error"),
        errno.EFBIG: (Code.TOO_LARGE, "the file system cannot hold a file of that size"),
        errno.ENAMETOOLONG: (Code.INVALID_NAME, "the path is too long for the file system"),
        errno.EILSEQ: (Code.INVALID_NAME, "the file system cannot hold a name of these characters"),
        errno.ELOOP: (Code.INVALID_NAME, "the path runs in a circle of symbolic links"),
        errno.ENOENT: (Code.NOT_FOUND, "there is no such file"),
        errno.ENOTDIR: (Code.CONFLICT, "a file is in the way of a directory"),
        errno.EEXIST: (Code.CONFLICT, "a file is in the way"),
        errno.EISDIR: (Code.CONFLICT, "a directory is in the way"),
        errno.ENOTEMPTY: (Code.CONFLICT, "a directory is in the way that is not empty"),
        errno.EMFILE: (Code.THROTTLED, "too many open files in this process"),
        errno.ENFILE: (Code.THROTTLED, "too many open files on this machine"),
        errno.ENOLCK: (Code.THROTTLED, "the file system has no lock to give"),
        errno.ESTALE: (Code.NETWORK, "the network file system lost the file"),
        errno.ETIMEDOUT: (Code.NETWORK, "the network file system does not answer"),
    }
)


class _RangeBody:
    """A range of an object as a body, for the copies. ``size`` is cut to what the object has."""

    checksum: Checksum | None = None

    def __init__(self, reader: LocalReader, start: int, length: int | None) -> None:
        rest = max(0, reader.total - start)
        self.size = rest if length is None else min(rest, length)
        self._reader = reader
        self._buffer = memoryview(bytearray(min(STEP, max(self.size, 1))))

    def read(self, n: int = -1) -> memoryview:
        count = len(self._buffer) if n < 0 else min(n, len(self._buffer))
        return self._buffer[: self._reader.readinto(self._buffer[:count])]

    def rewind(self) -> None:
        raise NotImplementedError("a copy is never tried again by the driver")

    def view(self) -> memoryview | None:
        return None


class LocalDriver:
    """Buckets below the directory ``root``, which exists or is made with the first bucket."""

    def __init__(self, root: str | os.PathLike[str], limits: Limits = LIMITS) -> None:
        self.root = os.path.abspath(root)
        self.limits = limits

    def head(self, bucket: str, key: str) -> ObjectInfo:
        return head_object(self._bucket(bucket), key)

    def read(
        self, bucket: str, key: str, start: int = 0, length: int | None = None, if_match: str | None = None
    ) -> LocalReader:
        reader = LocalReader(open_object(self._bucket(bucket), key), start, length)
        if if_match is not None and if_match != reader.etag:
            with reader:
                raise refusal(Code.PRECONDITION, f"the object's etag is {reader.etag} by now")
        return reader

    def put(self, bucket: str, key: str, body: Body, options: WriteOptions) -> PutResult:
        home = self._bucket(bucket)
        home.require()
        require_key(home.path, key)
        with home.temporary(key) as (path, fd):
            written = write_body(fd, body)
            result = home.publish(path, fd, key, options, alive=path, gone=home.missing())
        return replace(result, checksum=written)

    def delete(self, bucket: str, key: str) -> None:
        home = self._bucket(bucket)
        home.require()
        if is_readable(home.path, key):
            home.delete(key)

    def delete_many(self, bucket: str, keys: Sequence[str]) -> list[DeleteFailure]:
        self._bucket(bucket).require()
        failures: list[DeleteFailure] = []
        for key in keys:
            try:
                self.delete(bucket, key)
            except OSError as error:  # each key has its own outcome
                why = self.classify(error)
                failures.append(DeleteFailure(key, why.code.value, why.detail))
        return failures

    def list(
        self,
        bucket: str,
        prefix: str = "",
        delimiter: str = "",
        start_after: str = "",
        token: str | None = None,
        limit: int = 1000,
    ) -> ObjectPage:
        home = self._bucket(bucket)
        home.require()
        return list_objects(home, prefix, delimiter, start_after, token, limit)

    def copy(
        self,
        bucket: str,
        key: str,
        source_bucket: str,
        source_key: str,
        options: WriteOptions,
        if_match: str | None = None,
    ) -> PutResult:
        with self.read(source_bucket, source_key, if_match=if_match) as reader:
            return self.put(bucket, key, _RangeBody(reader, 0, None), options)

    def copy_part(
        self, upload: Upload, number: int, source_bucket: str, source_key: str, start: int, length: int, if_match: str
    ) -> Part:
        folder = uploads.find(self._bucket(upload.bucket), upload)
        with self.read(source_bucket, source_key, start, length, if_match) as reader:
            return folder.put_part(number, _RangeBody(reader, start, length))

    def create_upload(self, bucket: str, key: str, options: WriteOptions, part_size: int | None) -> Upload:
        return replace(uploads.create(self._bucket(bucket), key, options, part_size), bucket=bucket)

    def put_part(self, upload: Upload, number: int, body: Body) -> Part:
        return uploads.find(self._bucket(upload.bucket), upload).put_part(number, body)

    def list_parts(self, upload: Upload, token: str | None = None, limit: int = 1000) -> PartPage:
        return uploads.list_parts(uploads.find(self._bucket(upload.bucket), upload), token, limit)

    def list_uploads(self, bucket: str, prefix: str = "", token: str | None = None, limit: int = 1000) -> UploadPage:
        return uploads.list_uploads(self._bucket(bucket), prefix, token, limit)

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> PutResult:
        home = self._bucket(upload.bucket)
        folder = uploads.find(home, upload)
        return folder.complete(home, parts, self.limits.min_part, if_absent=upload.options.if_absent)

    def abort_upload(self, upload: Upload) -> None:
        uploads.abort(self._bucket(upload.bucket), upload)

    def create_bucket(self, bucket: str, location: str | None = None) -> None:  # there is one place
        if not is_bucket_name(bucket):
            raise refusal(Code.INVALID_NAME, "a bucket is a directory: no slash, no dot in front, 1 to 255 characters")
        os.makedirs(self.root, exist_ok=True)
        try:
            os.mkdir(f"{self.root}/{bucket}")
        except FileExistsError:
            raise refusal(Code.BUCKET_EXISTS, "the bucket exists") from None

    def delete_bucket(self, bucket: str) -> None:
        home = self._bucket(bucket)
        home.require()
        home.destroy()

    def list_buckets(self) -> Iterable[str]:
        try:
            with os.scandir(self.root) as found:
                return sorted(entry.name for entry in found if is_bucket_name(entry.name) and entry.is_dir())
        except FileNotFoundError:
            return []

    def bucket_exists(self, bucket: str) -> bool:
        return is_bucket_name(bucket) and os.path.isdir(f"{self.root}/{bucket}")

    def presign(self, operation: str, bucket: str, key: str, expires: timedelta, **options: Any) -> str:
        raise refusal(Code.UNSUPPORTED, "a directory has no address that a URL could name for others")

    def classify(self, error: BaseException) -> Failure:
        if isinstance(error, DriverError):
            return error.failure
        number = (error.errno if isinstance(error, OSError) else None) or 0
        if number not in _CODES:
            return Failure(Code.UNKNOWN, str(error))
        code, detail = _CODES[number]
        return Failure(code, detail, vendor_code=errno.errorcode[number])

    def close(self) -> None:
        """Nothing to give back: every call closes what it opens."""

    def _bucket(self, name: str) -> Bucket:
        """Return the bucket, which may be missing. A name that cannot be one is one that is missing."""
        if not is_bucket_name(name):
            shown = name if encodable(name) else ascii(name)
            raise refusal(Code.BUCKET_NOT_FOUND, f"there is no bucket {shown!r}")
        return Bucket(f"{self.root}/{name}")


def _make(settings: Mapping[str, str]) -> LocalDriver:
    return LocalDriver(Path(os.path.expanduser(settings["root"])))  # noqa: PTH111  # Path's raises for an unknown ~name


@hookimpl
def storagekit_drivers() -> list[DriverSpec]:
    """Return the local backend."""
    root = Setting("root", ("STORAGEKIT_LOCAL_ROOT",), required=True, help="Directory whose directories are buckets")
    return [DriverSpec("local", "Directories and files of this machine", _make, settings=(root,))]
