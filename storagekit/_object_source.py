"""Another object as a source: ranges that are read in parallel, each pinned to the etag that it had when it was opened.

Where source and target are the same service no byte passes through here: the engine has it copied on the server
(``_copy.py``). Else the ranges are read like those of a URL: a reading that breaks off goes on at its byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from storagekit import _metadata
from storagekit._clock import Cancel
from storagekit._source import Access, RangeReader, changed, strong_identity
from storagekit._store import Store
from storagekit.driver import Code, DriverError, Failure, Reader
from storagekit.errors import ConflictError, ObjectNotFoundError


@dataclass(frozen=True)
class ObjectSource:
    """An object of a store. ``scope`` names the account and endpoint, by which a copy on the server is recognised."""

    store: Store = field(repr=False)
    scope: str
    bucket: str
    key: str

    def open(self, cancel: Cancel) -> OpenObject:
        """Look at the object. Raises ObjectNotFoundError and what else the service answers."""
        return OpenObject(self, cancel)


class OpenObject:
    """An object in the version that it had when it was opened."""

    access = Access.RANGES
    ends_itself = True

    def __init__(self, source: ObjectSource, cancel: Cancel) -> None:
        self._store = source.store
        self.scope = source.scope
        self.bucket = source.bucket
        self.key = source.key
        info = _metadata.present(source.store.with_cancel(cancel).head(source.bucket, source.key))
        backend = source.store.guard.backend
        self.identity = strong_identity(
            f"{backend}://{source.bucket}/{source.key}",
            kind="object",
            backend=backend,
            bucket=source.bucket,
            key=source.key,
            etag=info.etag,
            size=info.size,
        )
        self.name = source.key.rpartition("/")[2]
        self.size = info.size
        self.etag = info.etag
        self.content_type = info.content_type
        self.metadata: Mapping[str, str] = info.metadata
        self.mtime = info.modified.timestamp() if info.modified else None

    def open_range(self, offset: int, length: int | None, cancel: Cancel) -> RangeReader:
        """Return a reader that goes on by itself after a cut connection."""
        end = self.size if length is None else offset + length
        return _ObjectRange(self, self._store.with_cancel(cancel), offset, end)

    def check(self) -> None:
        """Every answer was compared when it came."""

    def verify(self) -> None:
        """As ``check``: all bytes carried the etag."""

    def look_again(self, cancel: Cancel) -> None:
        """For a copy on the server, of which no byte was seen: is the object still the one that was opened?

        Not every service compares the etag that a copy names (Ceph does not with parts, moto and rclone never do).
        Raises SourceChangedError.
        """
        try:
            now = self._store.with_cancel(cancel).head(self.bucket, self.key)
        except ObjectNotFoundError as error:
            raise changed(self.identity.shown) from error
        if (now.etag, now.size) != (self.etag, self.size):
            raise changed(self.identity.shown)

    def close(self) -> None:
        """Nothing is held open."""


class _ObjectRange:
    """One range; each ``readinto`` is retried by itself and goes on at the byte it had reached."""

    def __init__(self, source: OpenObject, store: Store, offset: int, end: int) -> None:
        self._source = source
        self._store = store
        self._offset = offset
        self._end = end
        self._reader: Reader | None = None

    def readinto(self, buffer: memoryview) -> int:
        if self._offset == self._end or not buffer:
            return 0
        room = buffer[: self._end - self._offset]
        try:
            return self._store.call("read", lambda: self._some(room), self._source.bucket, self._source.key)
        except (ConflictError, ObjectNotFoundError) as error:
            raise changed(self._source.identity.shown) from error

    def _some(self, buffer: memoryview) -> int:
        reader = self._reader or self._open()
        try:
            count = reader.readinto(buffer)
            if not count:
                raise DriverError(Failure(Code.NETWORK, "the object's bytes ended early"))
        except BaseException:
            self.close()
            raise
        self._offset += count
        return count

    def _open(self) -> Reader:
        source = self._source
        reader = self._store.driver.read(
            source.bucket, source.key, self._offset, self._end - self._offset, source.etag
        ).__enter__()
        self._reader = reader
        if (reader.etag, reader.total) != (source.etag, source.size):
            self.close()
            raise changed(source.identity.shown)
        return reader

    def close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.__exit__(None, None, None)
