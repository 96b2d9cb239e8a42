"""Mutants of the copies on the server."""

from __future__ import annotations

from urllib.parse import unquote

from storagekit.drivers.memory import MemoryDriver
from storagekit.types import Part, PutResult, Upload, WriteOptions
from tests.conformance.mutants.objects import NONE, Objects


class CopyKeepsTheLabels(MemoryDriver):
    """copy without content type and metadata takes the source's along, as S3 does unless told otherwise"""

    def copy(
        self,
        bucket: str,
        key: str,
        source_bucket: str,
        source_key: str,
        options: WriteOptions,
        if_match: str | None = None,
    ) -> PutResult:
        if options == NONE:
            source = self._blob(source_bucket, source_key).info
            options = WriteOptions(source.content_type, source.metadata)
        return super().copy(bucket, key, source_bucket, source_key, options, if_match)


class CopyIgnoresIfMatch(MemoryDriver):
    """copy ignores if_match"""

    def copy(
        self,
        bucket: str,
        key: str,
        source_bucket: str,
        source_key: str,
        options: WriteOptions,
        if_match: str | None = None,
    ) -> PutResult:
        return super().copy(bucket, key, source_bucket, source_key, options)


class CopyComparesTheTarget(Objects):
    """copy compares if_match with the target's etag, as If-Match does where copy-source-if-match is meant"""

    def copy(
        self,
        bucket: str,
        key: str,
        source_bucket: str,
        source_key: str,
        options: WriteOptions,
        if_match: str | None = None,
    ) -> PutResult:
        target = self.stored(bucket, key)
        if if_match is not None and target is not None:
            self._blob(bucket, key, if_match)
        return super().copy(bucket, key, source_bucket, source_key, options)


class CopyOntoItselfDoesNothing(MemoryDriver):
    """copy of an object onto itself keeps its labels"""

    def copy(
        self,
        bucket: str,
        key: str,
        source_bucket: str,
        source_key: str,
        options: WriteOptions,
        if_match: str | None = None,
    ) -> PutResult:
        if (bucket, key) == (source_bucket, source_key):
            return PutResult(self._blob(bucket, key, if_match).info.etag)
        return super().copy(bucket, key, source_bucket, source_key, options, if_match)


class CopyDecodesItsSource(MemoryDriver):
    """copy takes the source's key for percent-encoded"""

    def copy(
        self,
        bucket: str,
        key: str,
        source_bucket: str,
        source_key: str,
        options: WriteOptions,
        if_match: str | None = None,
    ) -> PutResult:
        return super().copy(bucket, key, source_bucket, unquote(source_key), options, if_match)


class CopySharesTheParts(MemoryDriver):
    """copy of a multipart object goes when its source is deleted"""

    copies: tuple[tuple[str, str, str, str], ...] = ()

    def copy(
        self,
        bucket: str,
        key: str,
        source_bucket: str,
        source_key: str,
        options: WriteOptions,
        if_match: str | None = None,
    ) -> PutResult:
        result = super().copy(bucket, key, source_bucket, source_key, options, if_match)
        if "-" in self.head(source_bucket, source_key).etag:
            self.copies += ((source_bucket, source_key, bucket, key),)
        return result

    def delete(self, bucket: str, key: str) -> None:
        super().delete(bucket, key)
        for place in self.copies:
            if place[:2] == (bucket, key):
                super().delete(*place[2:])


class CopyPartIgnoresIfMatch(MemoryDriver):
    """copy_part takes the range from whatever the source is by now"""

    def copy_part(
        self, upload: Upload, number: int, source_bucket: str, source_key: str, start: int, length: int, if_match: str
    ) -> Part:
        now = self._blob(source_bucket, source_key).info.etag
        return super().copy_part(upload, number, source_bucket, source_key, start, length, now)


class CopyPartEndIsInclusive(MemoryDriver):
    """copy_part takes one byte too many, as a range header with the wrong end does"""

    def copy_part(
        self, upload: Upload, number: int, source_bucket: str, source_key: str, start: int, length: int, if_match: str
    ) -> Part:
        return super().copy_part(upload, number, source_bucket, source_key, start, length + 1, if_match)


MUTANTS: tuple[type[MemoryDriver], ...] = (
    CopyKeepsTheLabels,
    CopyIgnoresIfMatch,
    CopyComparesTheTarget,
    CopyOntoItselfDoesNothing,
    CopyDecodesItsSource,
    CopySharesTheParts,
    CopyPartIgnoresIfMatch,
    CopyPartEndIsInclusive,
)
