"""The client's methods that read, look at and delete objects."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from storagekit import _metadata
from storagekit._arguments import check
from storagekit._client_base import ClientBase, OnProgress, require_key
from storagekit._clock import Cancel
from storagekit.errors import ConfigurationError, NotFoundError
from storagekit.types import DeleteFailure, DownloadResult, ObjectInfo

if TYPE_CHECKING:
    from storagekit._object_file import ObjectFile

_BATCH = 1000  # the most keys of one request


class ObjectMethods(ClientBase):
    """Reading, looking and deleting. ``bucket`` is the client's where None."""

    def head_object(self, key: str, *, bucket: str | None = None) -> ObjectInfo:
        """Return an object's size, etag, time, type and metadata. Raises ObjectNotFoundError."""
        name = self._bucket(bucket)
        with self._at_object("head", name, key):
            return _metadata.present(self._store.head(name, key))

    def object_exists(self, key: str, *, bucket: str | None = None) -> bool:
        """Tell whether there is an object at ``key``; in a bucket that does not exist there is none.

        Raises PermissionDeniedError where the service does not say.
        """
        try:
            self.head_object(key, bucket=bucket)
        except NotFoundError:  # S3 cannot tell a missing bucket from a missing object here, so nobody does
            return False
        return True

    def get_object(self, key: str, *, bucket: str | None = None, start: int = 0, length: int | None = None) -> bytes:
        """Return an object's bytes, or ``length`` of them from ``start``, as a slice would: short or empty at its end.

        For what does not fit the memory use ``download_file``, ``iter_bytes`` or ``open_object``.

        Raises ObjectNotFoundError, SourceChangedError where the object is replaced meanwhile, and ConfigurationError
        for a negative ``start`` or ``length``.
        """
        check(start=start, length=length)
        if start == 0 and length is None:
            return b"".join(bytes(block) for block in self.iter_bytes(key, bucket=bucket))
        with self.open_object(key, bucket=bucket) as file, self._at("get", self._bucket(bucket), key):
            file.seek(start)
            return file.read(length)

    def iter_bytes(self, key: str, *, bucket: str | None = None) -> Iterator[memoryview]:
        """Yield an object's bytes in blocks of up to 16 MiB; each is overwritten by the next."""
        name = self._bucket(bucket)
        with self._at_object("get", name, key):
            yield from self._downloader.blocks(name, key)

    def open_object(
        self, key: str, *, bucket: str | None = None, chunk_size: int | None = None, cancel: Cancel | None = None
    ) -> ObjectFile:
        """Open an object as ``open(path, "rb")`` opens a file: seekable, buffered, reading ahead, in one version.

        ``chunk_size`` are bytes per request once reading is sequential, by default 4 MiB; three such blocks are held.
        Raises ObjectNotFoundError; reads raise SourceChangedError when the object was replaced since.
        """
        from storagekit._object_file import BLOCK_SIZE, open_object

        check(chunk_size=chunk_size, cancel=cancel)
        name = self._bucket(bucket)
        with self._at_object("open", name, key):
            return open_object(
                self._store, name, key, block_size=BLOCK_SIZE if chunk_size is None else chunk_size, cancel=cancel
            )

    def download_file(
        self,
        key: str,
        file_path: str | os.PathLike[str],
        *,
        bucket: str | None = None,
        chunk_size: int | None = None,
        overwrite: bool = True,
        resume: bool = True,
        verify: bool = False,
        size: int | None = None,
        sha256: str | None = None,
        workers: int | None = None,
        on_progress: OnProgress | None = None,
        cancel: Cancel | None = None,
    ) -> DownloadResult:
        """Write an object to a file, atomically: to a temporary one beside it, which is then renamed.

        Args:
            key: the object, read in the version that is there now.
            file_path: the file; its directories are made.
            bucket: the client's where None.
            chunk_size: bytes per request, by default 16 MiB.
            overwrite: False raises ConflictError where the file exists, before any byte moves.
            resume: go on with what a killed download of this version left.
            verify: read the file back, fetch the object a second time, and compare, before the file gets its name.
            size: bytes that the object must have; looked at before any byte moves.
            sha256: hex digest that the file must have before it gets its name.
            workers: ranges under way at once, by default the client's.
            on_progress: called from worker threads, one call at a time.
            cancel: set it from another thread to stop.

        Raises ObjectNotFoundError, SourceChangedError, IntegrityError, ConfigurationError for a directory.
        """
        check(
            file_path=file_path, chunk_size=chunk_size, size=size, sha256=sha256, on_progress=on_progress, cancel=cancel
        )
        name = self._bucket(bucket)
        with self._at_object("download", name, key):
            return self._downloader.to_file(
                name,
                key,
                Path(file_path),
                on_progress,
                cancel,
                chunk_size=chunk_size,
                overwrite=overwrite,
                resume=resume,
                verify=verify,
                size=size,
                sha256=sha256,
                workers=workers,
            )

    def delete_object(self, key: str, *, bucket: str | None = None) -> None:
        """Delete one object; a missing one is success. Raises BucketNotFoundError."""
        name = self._bucket(bucket)
        with self._at_object("delete", name, key):
            self._store.delete(name, key)

    def delete_objects(self, keys: Iterable[str], *, bucket: str | None = None) -> tuple[DeleteFailure, ...]:
        """Delete any number of objects, 1,000 a request, and return those that could not be, with the reason.

        Missing objects are no failures. What fails as a whole (no such bucket, no network) is raised. Raises
        ConfigurationError for a single text, whose signs would each be taken for a key.
        """
        if isinstance(keys, (str, bytes)):
            raise ConfigurationError("keys is one text, not several", hint="Use delete_object, or give [key]")
        check(keys=keys)
        name, wanted = self._bucket(bucket), list(keys)
        failures: list[DeleteFailure] = []
        with self._at("delete_many", name):
            for key in wanted:
                require_key(key)
            for start in range(0, len(wanted), _BATCH):
                failures += self._delete(name, wanted[start : start + _BATCH])
        return tuple(failures)

    def _delete(self, bucket: str, keys: list[str]) -> list[DeleteFailure]:
        return self._store.call("delete_many", partial(self._store.driver.delete_many, bucket, keys), bucket)
