"""Mutants of put, head, read and delete. The first line of each docstring is what is wrong with it."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from storagekit.driver import Body, Code
from storagekit.drivers._memory_store import Blob, MemoryReader, Refused, md5
from storagekit.drivers.memory import MemoryDriver
from storagekit.types import DeleteFailure, ObjectInfo, PutResult, WriteOptions
from tests.conformance.mutants._tools import STEP, Held, slurped

NONE = WriteOptions()


class Objects(MemoryDriver):
    """The memory driver, and one look of its own at what is stored."""

    def stored(self, bucket: str, key: str) -> Blob | None:
        with self.store.lock:
            home = self.store.buckets.get(bucket)
            return home.blobs.get(key) if home is not None else None


class PutStoresAShortBody(MemoryDriver):
    """put takes the end of the body for the end of the object, whatever size was announced"""

    def put(self, bucket: str, key: str, body: Body, options: WriteOptions) -> PutResult:
        held = Held(body)
        held.size = min(held.size, len(held.data))
        return super().put(bucket, key, held, options)


class PutCutsALongBody(MemoryDriver):
    """put stores as many bytes as were announced and drops the rest"""

    def put(self, bucket: str, key: str, body: Body, options: WriteOptions) -> PutResult:
        held = Held(body)
        if len(held.data) > held.size:
            held.data, held.checksum = held.data[: held.size], None  # the digest of what is not sent cannot be right
        return super().put(bucket, key, held, options)


class PutKeepsWhatCameBeforeAFailure(MemoryDriver):
    """put publishes what it has when body.read raises, then lets the exception pass"""

    def put(self, bucket: str, key: str, body: Body, options: WriteOptions) -> PutResult:
        self._check(bucket, key)
        data = bytearray()
        try:
            slurped(body, data)
        except Exception:
            self._publish(bucket, key, memoryview(bytes(data)), md5(bytes(data)), options)
            raise
        return super().put(bucket, key, Held(body, bytes(data)), options)


class PutIgnoresTheChecksum(MemoryDriver):
    """put does not compare the bytes with the checksum"""

    def put(self, bucket: str, key: str, body: Body, options: WriteOptions) -> PutResult:
        held = Held(body)
        held.checksum = None
        return super().put(bucket, key, held, options)


class PutChecksNoEmptyBody(MemoryDriver):
    """put does not compare the checksum where there are no bytes"""

    def put(self, bucket: str, key: str, body: Body, options: WriteOptions) -> PutResult:
        held = Held(body)
        held.checksum = held.checksum if held.size else None
        return super().put(bucket, key, held, options)


class PutReadsOnce(MemoryDriver):
    """put takes what one read(-1) gives for the whole body"""

    def put(self, bucket: str, key: str, body: Body, options: WriteOptions) -> PutResult:
        held = Held(body, bytes(body.read()))
        held.size = len(held.data)
        return super().put(bucket, key, held, options)


class PutGoesOnWhereItBroke(MemoryDriver):
    """put keeps what it has read of a body, and a second try comes on top"""

    kept: tuple[Body, bytes] | None = None

    def put(self, bucket: str, key: str, body: Body, options: WriteOptions) -> PutResult:
        self._check(bucket, key)
        data = bytearray(self.kept[1] if self.kept and self.kept[0] is body else b"")
        try:
            slurped(body, data)
        except Exception:
            self.kept = body, bytes(data)
            raise
        return super().put(bucket, key, Held(body, bytes(data)), options)


class PutShowsItselfBeforeItsEnd(Objects):
    """put makes an empty object first and fills it at the end"""

    def put(self, bucket: str, key: str, body: Body, options: WriteOptions) -> PutResult:
        self._check(bucket, key)
        before = self.stored(bucket, key)
        self._publish(bucket, key, memoryview(b""), md5(b""), options)
        try:
            return super().put(bucket, key, body, options)
        except Exception:
            with self.store.lock:
                self._bucket(bucket).remove(key)
                if before is not None:
                    self._bucket(bucket).store(before)
            raise


class PutKeepsTheOldLabels(Objects):
    """put without content type and metadata keeps those of the object that it replaces"""

    def put(self, bucket: str, key: str, body: Body, options: WriteOptions) -> PutResult:
        before = self.stored(bucket, key)
        if options == NONE and before is not None:
            options = WriteOptions(before.info.content_type, before.info.metadata)
        return super().put(bucket, key, body, options)


class PutComposesKeys(MemoryDriver):
    """put stores keys in Unicode's normal form C"""

    def put(self, bucket: str, key: str, body: Body, options: WriteOptions) -> PutResult:
        return super().put(bucket, unicodedata.normalize("NFC", key), body, options)


class HeadRemembers(MemoryDriver):
    """head answers from a cache that only a delete empties"""

    cache: dict[tuple[str, str], ObjectInfo] | None = None

    def head(self, bucket: str, key: str) -> ObjectInfo:
        self.cache = {} if self.cache is None else self.cache
        if (bucket, key) not in self.cache:
            self.cache[bucket, key] = super().head(bucket, key)
        return self.cache[bucket, key]

    def delete(self, bucket: str, key: str) -> None:
        self.cache = {}
        super().delete(bucket, key)

    def delete_many(self, bucket: str, keys: Sequence[str]) -> list[DeleteFailure]:
        self.cache = {}
        return super().delete_many(bucket, keys)


class HeadOfMultipartHasNoSize(MemoryDriver):
    """head says 0 bytes of an object that was made of several parts"""

    def head(self, bucket: str, key: str) -> ObjectInfo:
        info = super().head(bucket, key)
        several = "-" in info.etag and not info.etag.endswith("-1")
        return replace(info, size=0) if several else info


class HeadTimeHasNoZone(MemoryDriver):
    """head gives the time of modification without its time zone"""

    def head(self, bucket: str, key: str) -> ObjectInfo:
        info = super().head(bucket, key)
        return replace(info, modified=info.modified and info.modified.replace(tzinfo=None))


class HeadNamesMetadataAsHeaders(MemoryDriver):
    """head gives metadata keys as HTTP headers are written: X-Note"""

    def head(self, bucket: str, key: str) -> ObjectInfo:
        info = super().head(bucket, key)
        return replace(info, metadata={name.title(): value for name, value in info.metadata.items()})


class HeadKnowsFolders(MemoryDriver):
    """head finds an object where there are only keys below the name"""

    def head(self, bucket: str, key: str) -> ObjectInfo:
        try:
            return super().head(bucket, key)
        except Refused:
            if not self.list(bucket, prefix=f"{key}/").objects:
                raise
            return ObjectInfo(key, 0, md5(b""), self._now())


class ReadIgnoresIfMatch(MemoryDriver):
    """read ignores if_match and gives the etag that was asked for as its own"""

    def read(
        self, bucket: str, key: str, start: int = 0, length: int | None = None, if_match: str | None = None
    ) -> MemoryReader:
        reader = super().read(bucket, key, start, length)
        reader.etag = if_match or reader.etag
        return reader


class ReadIgnoresTheLength(MemoryDriver):
    """read goes on to the end of the object, whatever length was asked for"""

    def read(
        self, bucket: str, key: str, start: int = 0, length: int | None = None, if_match: str | None = None
    ) -> MemoryReader:
        return super().read(bucket, key, start, None, if_match)


class ReadEndIsInclusive(MemoryDriver):
    """read gives one byte more than the length, as a Range header with the wrong end does"""

    def read(
        self, bucket: str, key: str, start: int = 0, length: int | None = None, if_match: str | None = None
    ) -> MemoryReader:
        return super().read(bucket, key, start, length and length + 1, if_match)


class ReaderEndsEarly(MemoryDriver):
    """readinto says that it is the end after 1 MiB"""

    def read(
        self, bucket: str, key: str, start: int = 0, length: int | None = None, if_match: str | None = None
    ) -> MemoryReader:
        reader = super().read(bucket, key, start, length, if_match)
        reader._rest = reader._rest[:STEP]
        return reader


class ReaderTotalIsThatOfTheRange(MemoryDriver):
    """the reader's total is the length of the range"""

    def read(
        self, bucket: str, key: str, start: int = 0, length: int | None = None, if_match: str | None = None
    ) -> MemoryReader:
        reader = super().read(bucket, key, start, length, if_match)
        reader.total = len(reader._rest)
        return reader


class _Following(MemoryReader):
    def __init__(self, driver: MemoryDriver, bucket: str, key: str, start: int, length: int | None) -> None:
        super().__init__(driver._blob(bucket, key), start, length)
        self._driver, self._place = driver, (bucket, key)
        self._at, self._end = start, start + len(self._rest)

    def readinto(self, buffer: memoryview) -> int:
        now = self._driver._blob(*self._place).data[self._at : self._end]
        count = min(len(buffer), len(now))
        buffer[:count] = now[:count]
        self._at += count
        return count


class ReaderFollowsTheKey(MemoryDriver):
    """a reader that is open goes on with the bytes of the object that replaced its own"""

    def read(
        self, bucket: str, key: str, start: int = 0, length: int | None = None, if_match: str | None = None
    ) -> MemoryReader:
        self._blob(bucket, key, if_match)
        return _Following(self, bucket, key, start, length)


class _Lazy:
    def __init__(self, driver: ReadIsLazy, *asked: Any) -> None:
        self._driver, self._asked, self._real = driver, asked, cast("MemoryReader | None", None)

    def __getattr__(self, name: str) -> Any:
        if self._real is None:
            self._real = self._driver.open(*self._asked)
        return getattr(self._real, name)

    def __enter__(self) -> _Lazy:
        return self

    def __exit__(self, *_: object) -> None:
        self._real = None


class ReadIsLazy(MemoryDriver):
    """read asks the service only when the first byte is wanted, and so finds out late that there is no object"""

    def open(self, *asked: Any) -> MemoryReader:
        return super().read(*asked)

    def read(
        self, bucket: str, key: str, start: int = 0, length: int | None = None, if_match: str | None = None
    ) -> MemoryReader:
        return cast(MemoryReader, _Lazy(self, bucket, key, start, length, if_match))


class DeleteOfNothingFails(Objects):
    """delete of a missing object is NOT_FOUND"""

    def delete(self, bucket: str, key: str) -> None:
        if self.bucket_exists(bucket):
            self._blob(bucket, key)
        super().delete(bucket, key)


class DeleteManyStopsAtAMissingKey(Objects):
    """delete_many ends in silence at the first key that is not there"""

    def delete_many(self, bucket: str, keys: Sequence[str]) -> list[DeleteFailure]:
        there = [self.stored(bucket, key) is not None for key in keys]
        return super().delete_many(bucket, keys[: there.index(False)] if False in there else keys)


class DeleteManyReportsMissingKeys(Objects):
    """delete_many reports missing objects as failures"""

    def delete_many(self, bucket: str, keys: Sequence[str]) -> list[DeleteFailure]:
        missing = [key for key in keys if self.stored(bucket, key) is None]
        super().delete_many(bucket, keys)
        return [DeleteFailure(key, Code.NOT_FOUND.value, "there is no such object") for key in missing]


class DeleteManyTakesFiveHundred(MemoryDriver):
    """delete_many leaves out what is behind the 500th key"""

    def delete_many(self, bucket: str, keys: Sequence[str]) -> list[DeleteFailure]:
        return super().delete_many(bucket, keys[:500])


class DeleteManyInNoBucketIsSuccess(MemoryDriver):
    """delete_many of keys in a missing bucket reports no failure"""

    def delete_many(self, bucket: str, keys: Sequence[str]) -> list[DeleteFailure]:
        return super().delete_many(bucket, keys) if self.bucket_exists(bucket) else []


MUTANTS: tuple[type[MemoryDriver], ...] = (
    PutStoresAShortBody,
    PutCutsALongBody,
    PutKeepsWhatCameBeforeAFailure,
    PutIgnoresTheChecksum,
    PutChecksNoEmptyBody,
    PutReadsOnce,
    PutGoesOnWhereItBroke,
    PutShowsItselfBeforeItsEnd,
    PutKeepsTheOldLabels,
    PutComposesKeys,
    HeadRemembers,
    HeadOfMultipartHasNoSize,
    HeadTimeHasNoZone,
    HeadNamesMetadataAsHeaders,
    HeadKnowsFolders,
    ReadIgnoresIfMatch,
    ReadIgnoresTheLength,
    ReadEndIsInclusive,
    ReaderEndsEarly,
    ReaderTotalIsThatOfTheRange,
    ReaderFollowsTheKey,
    ReadIsLazy,
    DeleteOfNothingFails,
    DeleteManyStopsAtAMissingKey,
    DeleteManyReportsMissingKeys,
    DeleteManyTakesFiveHundred,
    DeleteManyInNoBucketIsSuccess,
)
