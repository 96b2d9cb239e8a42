"""Downloads: ranges read in parallel, pinned to one etag, into a draft that is renamed when it is whole.

The target never holds a partial or mixed object. What a killed or failed download leaves beside it is a draft and a
journal of finished ranges (``_draft.py``, ``_journal.py``). The next download of the same version reads each of those
ranges from the draft, compares its CRC-64 with the journal's, and fetches only what is missing or damaged; a download
of another version removes them. How one range is read: ``_ranges.py``.

What a failure leaves: everything, also a full disk, Ctrl-C or refused credentials; but nothing when the bytes are in
doubt (IntegrityError), the object is gone, no range was finished, or ``resume`` is off.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from storagekit._clock import Cancel
from storagekit._crew import Crew
from storagekit._draft import Draft, exists_already, name_of, open_draft
from storagekit._hash import new_hasher
from storagekit._leftovers import Leftovers
from storagekit._memory import allocate
from storagekit._plan import MIB, Plan, Span, effective_workers
from storagekit._ranges import Ranges
from storagekit._store import Store
from storagekit._window import Window
from storagekit.errors import ConfigurationError, IntegrityError, ObjectNotFoundError, StorageError
from storagekit.types import DownloadResult, ObjectInfo, Progress, uri_of

RANGE = 16 * MIB

_KEPT = "What has arrived is kept beside the file: run again to go on from there"

Listener = Callable[[Progress], None] | None


@dataclass(frozen=True)
class _Wish:
    """One download to a file: what is to go where, and how."""

    bucket: str
    info: ObjectInfo
    path: Path
    listener: Listener
    stop: Cancel
    range_size: int
    overwrite: bool
    resume: bool
    verify: bool
    sha256: str | None
    workers: int


class Downloader:
    """Reads objects of one store inside a memory window, with up to ``workers`` ranges at once."""

    def __init__(self, store: Store, workers: int, window: Window) -> None:
        self._store = store
        self._workers = workers
        self._range = min(RANGE, window.budget)
        self._window = window
        self._leftovers = Leftovers()

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
        self._check(path, chunk_size, overwrite=overwrite, read_back=verify or sha256 is not None)
        stop = Cancel(cancel)
        info = self._store.with_cancel(stop).head(bucket, key)
        if size not in (None, info.size):
            raise IntegrityError(
                f"{key} has {info.size:,} bytes, and {size:,} were promised", hint="Nothing was written"
            )
        step = min(chunk_size or self._range, self._window.budget)
        wish = _Wish(
            bucket, info, path, on_progress, stop, step, overwrite, resume, verify, sha256, workers or self._workers
        )
        kept = self._into_device(wish) if path.exists() and not path.is_file() else self._into_file(wish)
        uri = uri_of(self._store.guard.backend, bucket, key)
        fetched = info.size - kept
        return DownloadResult(bucket, key, str(path), info.size, info.etag, kept > 0, kept, fetched, verify, uri)

    def _check(self, path: Path, chunk_size: int | None, *, overwrite: bool, read_back: bool) -> None:
        if path.is_dir():
            raise ConfigurationError(f"{path} is a directory", hint="Name a file")
        if chunk_size is not None and chunk_size < 1:
            raise ConfigurationError(f"chunk_size={chunk_size}: at least 1 byte is needed")
        if not overwrite and path.exists():
            raise exists_already(path)
        if read_back and path.exists() and not path.is_file():
            raise ConfigurationError(f"{path} cannot be read back", hint="Name a file, or leave out verify and sha256")

    def _into_device(self, wish: _Wish) -> int:
        with wish.path.open("wb", buffering=0) as device:
            for block in self._blocks(wish.bucket, wish.info, wish.listener, wish.stop, wish.range_size):
                done = 0
                while done < len(block):
                    done += device.write(block[done:]) or 0
        return 0

    def _into_file(self, wish: _Wish) -> int:
        """Return how many bytes an earlier run had left."""
        with self._draft(wish) as draft:
            plan = draft.begin(wish.info, wish.range_size, self._window.budget)
            workers = effective_workers(wish.workers, self._window.budget, plan.part_size)
            kept = set(self._kept(draft, plan, wish.stop))
            size = sum(plan.span(number).length for number in kept)
            start = Progress(size, wish.info.size, size, workers, plan.part_size)
            meter = self._store.meter(start, wish.listener)
            missing = [span for span in plan.spans() if span.number not in kept and span.length]
            ranges = Ranges(self._store, wish.bucket, wish.info, meter)
            crew = Crew(missing, lambda span: self._fetch(ranges, span, draft, wish.stop), wish.stop)
            crew.run(min(workers, max(1, len(missing))))
            if wish.verify:
                self._compare(wish, draft, plan, workers)
            if wish.sha256 is not None:
                self._prove(wish, draft, wish.sha256.lower())
            draft.publish(overwrite=wish.overwrite)
        return size

    @contextmanager
    def _draft(self, wish: _Wish) -> Iterator[Draft]:
        """Yield the draft of a download; on failure leave it, or leave nothing: see the module docstring.

        An object of one range gets no journal, unless an earlier run cut it into smaller ones.
        """
        lasting = name_of(wish.path, self._store.guard.backend, wish.bucket, wish.info)
        wanted = lasting if wish.resume and (wish.info.size > wish.range_size or lasting.exists()) else None
        draft = open_draft(wish.path, wanted, self._leftovers)
        try:
            yield draft
        except BaseException as error:
            if isinstance(error, (IntegrityError, ObjectNotFoundError)) or not draft.worth_keeping:
                draft.remove()
            else:
                self._keep(draft, error)
            raise
        finally:
            draft.close()

    def _keep(self, draft: Draft, error: BaseException) -> None:
        self._leftovers.note(draft.path)
        if isinstance(error, StorageError):
            error.advise(_KEPT)

    def _kept(self, draft: Draft, plan: Plan, stop: Cancel) -> Iterator[int]:
        """Yield the numbers of the ranges that are in the draft as the journal says."""
        noted = dict(draft.journal.ranges) if draft.journal else {}
        for span in map(plan.span, sorted(noted)):
            with self._window.slot(span.length, stop) as buffer:
                sound = draft.read(span.offset, buffer) and _crc(buffer) == noted[span.number]
            stop.check()
            if sound:
                yield span.number

    def _fetch(self, ranges: Ranges, span: Span, draft: Draft, stop: Cancel) -> None:
        with self._window.slot(span.length, stop) as buffer:
            ranges.read(span, buffer, stop)
            draft.write(span.number, span.offset, buffer, _crc(buffer), stop)

    def _compare(self, wish: _Wish, draft: Draft, plan: Plan, workers: int) -> None:
        """Fetch the object a second time, and compare what the file holds. Raises IntegrityError."""
        ranges = Ranges(self._store, wish.bucket, wish.info)

        def compare(span: Span) -> None:
            with self._window.slot(span.length, wish.stop) as buffer:
                ranges.read(span, buffer, wish.stop)
                wanted = _crc(buffer)
                if not draft.read(span.offset, buffer) or _crc(buffer) != wanted:
                    raise IntegrityError(
                        f"what was written differs from the object in bytes from {span.offset:,}",
                        hint="No file was left; check disk and memory of this machine, and run again",
                    )

        spans = [span for span in plan.spans() if span.length]
        Crew(spans, compare, wish.stop).run(min(workers, max(1, len(spans))))

    def _prove(self, wish: _Wish, draft: Draft, promised: str) -> None:
        """Read the file from its start. Raises IntegrityError where its SHA-256 is not the promised one."""
        digest = hashlib.sha256()
        for span in Plan(wish.info.size, wish.range_size).spans() if wish.info.size else ():
            wish.stop.check()
            with self._window.slot(span.length, wish.stop) as buffer:
                draft.read(span.offset, buffer)
                digest.update(buffer)
        if digest.hexdigest() != promised:
            raise IntegrityError(
                f"{wish.info.key} has the SHA-256 {digest.hexdigest()}, and {promised} was promised",
                hint="No file was left; check the object, or the promise",
            )

    def blocks(self, bucket: str, key: str, cancel: Cancel | None = None) -> Iterator[memoryview]:
        """Yield the object's bytes in order; each block is overwritten by the next."""
        stop = Cancel(cancel)
        info = self._store.with_cancel(stop).head(bucket, key)
        yield from self._blocks(bucket, info, None, stop, self._range)

    def _blocks(
        self, bucket: str, info: ObjectInfo, listener: Listener, stop: Cancel, size: int
    ) -> Iterator[memoryview]:
        ranges = Ranges(self._store, bucket, info, self._store.meter(Progress(0, info.size, 0, 1, size), listener))
        # Not a slot: two generators that one thread reads in turns would wait for each other for ever.
        buffer = memoryview(allocate(min(size, info.size)))
        for span in Plan(info.size, size).spans() if info.size else ():
            ranges.read(span, buffer[: span.length], stop)
            yield buffer[: span.length]


def _crc(data: memoryview) -> str:
    hasher = new_hasher("crc64")
    hasher.update(data)
    return hasher.checksum().value
