"""Downloads: an object in the version that it has now, to a file or as blocks.

How it gets to a file, and how a killed download goes on, is in ``_fetch.py``; how one range is read, pinned to the
etag, in ``_ranges.py``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from storagekit._clock import Cancel
from storagekit._fetch import RANGE, Fetcher, Listener, Wish, blocks, check_target, require_size
from storagekit._meter import Meter
from storagekit._ranges import Ranges
from storagekit._store import Store
from storagekit._window import Window
from storagekit.types import DownloadResult, ObjectInfo, Progress, uri_of

__all__ = ["RANGE", "Downloader"]


@dataclass(frozen=True)
class _StoredObject:
    """An object of a store, as what is fetched."""

    store: Store
    bucket: str
    info: ObjectInfo

    @property
    def home(self) -> tuple[str, str]:
        return self.store.guard.backend, self.bucket

    def meter(self, start: Progress, listener: Listener) -> Meter:
        return self.store.meter(start, listener)

    def ranges(self, meter: Meter) -> Ranges:
        return Ranges(self.store, self.bucket, self.info, meter)

    def verify(self) -> None:
        """Every range carried the etag."""


class Downloader:
    """Reads objects of one store inside a memory window, with up to ``workers`` ranges at once."""

    def __init__(self, store: Store, workers: int, window: Window) -> None:
        self._store = store
        self._workers = workers
        self._range = min(RANGE, window.budget)
        self._window = window
        self._fetcher = Fetcher(window)

    def to_file(
        self,
        bucket: str,
        key: str,
        path: Path,
        on_progress: Callable[[Progress], None] | None = None,
        cancel: Cancel | None = None,
        chunk_size: int | None = None,
        overwrite: bool = True,  # noqa: FBT001, FBT002  # as the client's keyword
        resume: bool = True,  # noqa: FBT001, FBT002  # as the client's keyword
        verify: bool = False,  # noqa: FBT001, FBT002  # as the client's keyword
        size: int | None = None,
        sha256: str | None = None,
        workers: int | None = None,
    ) -> DownloadResult:
        """Write the object to ``path``, atomically; through a symbolic link to what it points at.

        A device or a pipe is written to from first byte to last: renaming a file over it would destroy it.

        Args:
            bucket: the bucket's name.
            key: the object's key.
            path: the file; its directory is made where it is missing.
            on_progress: told of each change, one call at a time.
            cancel: ends the download with TransferCancelled when it is set.
            chunk_size: bytes per range, at most the memory budget; None for 16 MiB. For new downloads: one that is
                gone on with keeps its ranges, or starts afresh where they are larger than the budget.
            overwrite: whether an existing target may be replaced. If not, publishing needs a file system with hard
                links, so that a target that appears meanwhile is not replaced either.
            resume: whether to go on with what an earlier run left, and to leave something on failure. If not, what an
                earlier run left for this target is removed.
            verify: whether to read the file back, fetch the object a second time, and compare, before the file gets its
                name.
            size: bytes that the object must have; looked at before any byte moves.
            sha256: hex digest that the file must have before it gets its name.
            workers: ranges of this download under way at once; None for the client's.

        Raises:
            ConflictError: the target exists, with ``overwrite`` off; before any byte moves.
            SourceChangedError: the object was replaced meanwhile.
            IntegrityError: what ``verify`` read back differs, or ``size`` or ``sha256`` do; no file is left.
            ConfigurationError: ``path`` is a directory, ``chunk_size`` below 1, or ``verify`` or ``sha256`` given for a
                device or pipe.
            OSError: the disk is full, or the file cannot be written.
        """
        path = Path(os.path.realpath(path))
        check_target(path, chunk_size, overwrite=overwrite, read_back=verify or sha256 is not None)
        stop = Cancel(cancel)
        info = self._store.with_cancel(stop).head(bucket, key)
        require_size(info, size)
        step = min(chunk_size or self._range, self._window.budget)
        wish = Wish(path, on_progress, stop, step, overwrite, resume, verify, sha256, workers or self._workers)
        kept = self._fetcher.fetch(_StoredObject(self._store, bucket, info), wish)
        uri = uri_of(self._store.guard.backend, bucket, key)
        fetched = info.size - kept
        return DownloadResult(bucket, key, str(path), info.size, info.etag, kept > 0, kept, fetched, verify, uri)

    def blocks(self, bucket: str, key: str, cancel: Cancel | None = None) -> Iterator[memoryview]:
        """Yield the object's bytes in order; each block is overwritten by the next."""
        stop = Cancel(cancel)
        info = self._store.with_cancel(stop).head(bucket, key)
        yield from blocks(_StoredObject(self._store, bucket, info), None, stop, self._range)
