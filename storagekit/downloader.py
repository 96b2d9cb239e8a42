"""Downloads: ranges read in parallel, pinned to one etag, into a temporary file that is renamed when it is whole.

Every range is asked for under If-Match, and the answer's own etag and total are compared as well, because some
servers ignore the condition. The target never holds a partial or mixed object; a killed download leaves only a
temporary file with ``.storagekit-`` in its name, which the next download of the same target removes.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from storagekit._clock import Cancel
from storagekit._crew import Crew
from storagekit._meter import Meter
from storagekit._plan import MIB, Plan, Span, effective_workers
from storagekit._store import Store
from storagekit._window import Window
from storagekit.driver import Code, DriverError, Failure, Reader
from storagekit.errors import ConfigurationError, ConflictError, IntegrityError, SourceChangedError
from storagekit.types import DownloadResult, ObjectInfo, Progress

RANGE = 16 * MIB

Listener = Callable[[Progress], None] | None


class Downloader:
    """Reads objects of one store inside a memory window, with up to ``workers`` ranges at once."""

    def __init__(self, store: Store, workers: int, window: Window) -> None:
        self._store = store
        self._workers = workers
        self._range = min(RANGE, window.budget)
        self._window = window

    def to_file(
        self,
        bucket: str,
        key: str,
        path: Path,
        on_progress: Callable[[Progress], None] | None = None,
        cancel: Cancel | None = None,
    ) -> DownloadResult:
        """Write the object to ``path``, atomically; through a symbolic link to what it points at.

        A device or a pipe is written to from first byte to last: renaming a file over it would destroy it.
        Raises SourceChangedError when the object is replaced meanwhile, ConfigurationError for a directory.
        """
        path = Path(os.path.realpath(path))
        if path.is_dir():
            raise ConfigurationError(f"{path} is a directory", hint="Name a file")
        stop = Cancel(cancel)
        info = self._store.with_cancel(stop).head(bucket, key)
        if path.exists() and not path.is_file():
            self._into_device(bucket, info, path, on_progress, stop)
        else:
            self._into_file(bucket, info, path, on_progress, stop)
        return DownloadResult(bucket, key, str(path), info.size, info.etag)

    def _into_device(self, bucket: str, info: ObjectInfo, path: Path, listener: Listener, stop: Cancel) -> None:
        with path.open("wb", buffering=0) as device:
            for block in self._blocks(bucket, info, listener, stop):
                done = 0
                while done < len(block):
                    done += device.write(block[done:]) or 0

    def _into_file(self, bucket: str, info: ObjectInfo, path: Path, listener: Listener, stop: Cancel) -> None:
        plan = Plan(info.size, self._range)
        workers = min(effective_workers(self._workers, self._window.budget, self._range), plan.count)
        meter = Meter(Progress(0, info.size, 0, workers, self._range), listener)
        with _temporary(path) as file:
            os.truncate(file, info.size)
            job = _Ranges(self._store.with_cancel(stop), bucket, info, self._window, meter, stop)
            Crew(plan.spans() if info.size else (), lambda span: job.to_file(span, file), stop).run(workers)

    def blocks(self, bucket: str, key: str, cancel: Cancel | None = None) -> Iterator[memoryview]:
        """Yield the object's bytes in order; each block is overwritten by the next."""
        stop = Cancel(cancel)
        info = self._store.with_cancel(stop).head(bucket, key)
        yield from self._blocks(bucket, info, None, stop)

    def _blocks(self, bucket: str, info: ObjectInfo, listener: Listener, stop: Cancel) -> Iterator[memoryview]:
        meter = Meter(Progress(0, info.size, 0, 1, self._range), listener)
        job = _Ranges(self._store.with_cancel(stop), bucket, info, self._window, meter, stop)
        # Not a slot: two generators that one thread reads in turns would wait for each other for ever.
        buffer = memoryview(bytearray(min(self._range, info.size)))
        for span in Plan(info.size, self._range).spans() if info.size else ():
            job.read(span, buffer[: span.length])
            yield buffer[: span.length]


class _Ranges:
    """The ranges of one object in one version."""

    def __init__(self, store: Store, bucket: str, info: ObjectInfo, window: Window, meter: Meter, stop: Cancel) -> None:
        self._store = store
        self._bucket = bucket
        self._info = info
        self._window = window
        self._meter = meter
        self._stop = stop

    def to_file(self, span: Span, file: int) -> None:
        """Read one range and write it to its place.

        Through a descriptor of its own: a worker that outlives the download must not write to what gets the number.
        """
        own = os.dup(file)
        try:
            with self._window.slot(span.length, self._stop) as buffer:
                self.read(span, buffer)
                done = 0
                while done < span.length:
                    self._stop.check()
                    done += os.pwrite(own, buffer[done:], span.offset + done)
        finally:
            os.close(own)

    def read(self, span: Span, buffer: memoryview) -> None:
        """Fill ``buffer`` with one range, read again from its start after a failure."""
        try:
            self._store.call("read", lambda: self._read(span, buffer), self._bucket, self._info.key)
        except ConflictError as error:
            raise self._replaced() from error

    def _read(self, span: Span, buffer: memoryview) -> None:
        driver = self._store.driver
        done = 0
        try:
            with driver.read(self._bucket, self._info.key, span.offset, span.length, self._info.etag) as reader:
                self._check(reader)
                while done < span.length:
                    self._stop.check()
                    count = reader.readinto(buffer[done : done + MIB])
                    if not count:
                        raise DriverError(Failure(Code.NETWORK, "the object's bytes ended early"))
                    done += count
                    self._meter.add(count)
        except BaseException:
            self._meter.add(-done)
            raise

    def _check(self, reader: Reader) -> None:
        if reader.etag != self._info.etag:
            raise self._replaced()
        if reader.total != self._info.size:
            raise IntegrityError(f"{self._info.key} has {reader.total:,} bytes, and HEAD said {self._info.size:,}")

    def _replaced(self) -> SourceChangedError:
        return SourceChangedError(f"{self._info.key} was replaced while it was read", hint="Run again")


@contextmanager
def _temporary(path: Path) -> Iterator[int]:
    """Yield a new file beside ``path`` that takes its name at the end, or vanishes on failure.

    The file is locked while its writer lives, so that the next writer can tell a dead one's and remove it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    draft, file = _new_draft(path)
    try:
        yield file
        if path.exists():
            os.fchmod(file, stat.S_IMODE(path.stat().st_mode))  # a private file stays private
        os.fsync(file)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    finally:
        os.close(file)


def _new_draft(path: Path) -> tuple[Path, int]:
    """Return a new, locked file; one that another download swept before it was locked is made again."""
    while True:
        draft = path.with_name(f".{path.name}.storagekit-{os.urandom(6).hex()}")
        file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        fcntl.flock(file, fcntl.LOCK_EX)
        if draft.exists():
            return draft, file
        os.close(file)


def _sweep(path: Path) -> None:
    """Remove temporary files of writers that were killed: their lock is free."""
    prefix = f".{path.name}.storagekit-"
    for draft in [entry for entry in path.parent.iterdir() if entry.name.startswith(prefix)]:
        try:
            with draft.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                draft.unlink()
        except (BlockingIOError, FileNotFoundError):  # its writer lives, or another sweeper was first
            continue
