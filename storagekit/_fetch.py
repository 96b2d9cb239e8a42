"""Fetching to a file: ranges read in parallel, of one version, into a draft that is renamed when it is whole.

What is fetched is an object of a store (``downloader.py``) or a URL (``_url_download.py``); here it is an ``Original``.

The target never holds a partial or mixed file. What a killed or failed run leaves beside it is a draft and a journal of
finished ranges (``_draft.py``, ``_journal.py``). The next run for the same version reads each of those ranges from the
draft, compares its CRC-64 with the journal's, and fetches only what is missing or damaged; a run for another version
removes them.

What a failure leaves: everything, also a full disk, Ctrl-C or refused credentials; but nothing when the bytes are in
doubt (IntegrityError), the original is gone, no range was finished, or ``resume`` is off.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from storagekit._clock import Cancel
from storagekit._crew import Crew
from storagekit._draft import Draft, exists_already, name_of, open_draft
from storagekit._hash import new_hasher
from storagekit._leftovers import Leftovers
from storagekit._memory import allocate
from storagekit._meter import Meter
from storagekit._plan import MIB, Plan, Span, effective_workers
from storagekit._window import Window
from storagekit.errors import ConfigurationError, IntegrityError, ObjectNotFoundError, StorageError
from storagekit.types import ObjectInfo, Progress

RANGE = 16 * MIB

_KEPT = "What has arrived is kept beside the file: run again to go on from there"

Listener = Callable[[Progress], None] | None


class SpanReader(Protocol):
    """Reads ranges of one version; from any number of threads."""

    def read(self, span: Span, buffer: memoryview, stop: Cancel) -> None:
        """Fill ``buffer`` with one range, retried after a failure. Raises SourceChangedError for another version."""


class Original(Protocol):
    """What is fetched, in the version that it had when it was looked at."""

    @property
    def info(self) -> ObjectInfo:
        """Its size; its ``key`` is what errors call it; equal ``etag``s are equal versions."""

    @property
    def home(self) -> tuple[str, str]:
        """Backend and bucket: what else tells it from originals of the same key."""

    def meter(self, start: Progress, listener: Listener) -> Meter:
        """Return what counts its bytes."""

    def ranges(self, meter: Meter) -> SpanReader:
        """Return a reader whose bytes ``meter`` counts."""

    def verify(self) -> None:
        """Raise SourceChangedError where it is seen to be another version by now: before the file gets its name."""


@dataclass(frozen=True)
class Wish:
    """How something is to be fetched to ``path``."""

    path: Path
    listener: Listener
    stop: Cancel
    range_size: int
    overwrite: bool
    resume: bool
    verify: bool
    sha256: str | None
    workers: int


class Fetcher:
    """Writes originals to files inside a memory window."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._leftovers = Leftovers()

    def fetch(self, original: Original, wish: Wish) -> int:
        """Write the original, and return how many of its bytes an earlier run had left.

        A device or a pipe is written to from first byte to last: renaming a file over it would destroy it.
        """
        if is_device(wish.path):
            self._into_device(original, wish)
            return 0
        return self._into_file(original, wish)

    def _into_device(self, original: Original, wish: Wish) -> None:
        with wish.path.open("wb", buffering=0) as device:
            for block in blocks(original, wish.listener, wish.stop, wish.range_size):
                done = 0
                while done < len(block):
                    done += device.write(block[done:]) or 0

    def _into_file(self, original: Original, wish: Wish) -> int:
        with self._draft(original, wish) as draft:
            info = original.info
            plan = draft.begin(info, wish.range_size, self._window.budget)
            workers = effective_workers(wish.workers, self._window.budget, plan.part_size)
            kept = set(self._kept(draft, plan, wish.stop))
            size = sum(plan.span(number).length for number in kept)
            meter = original.meter(Progress(size, info.size, size, workers, plan.part_size), wish.listener)
            missing = [span for span in plan.spans() if span.number not in kept and span.length]
            ranges = original.ranges(meter)
            crew = Crew(missing, lambda span: self._fetch(ranges, span, draft, wish.stop), wish.stop)
            crew.run(min(workers, max(1, len(missing))))
            if wish.verify:
                self._compare(original, wish, draft, plan, workers)
            if wish.sha256 is not None:
                prove(info, draft, self._window, wish)
            original.verify()
            draft.publish(overwrite=wish.overwrite)
        return size

    @contextmanager
    def _draft(self, original: Original, wish: Wish) -> Iterator[Draft]:
        """Yield the draft of a fetch; on failure leave it, or leave nothing: see the module docstring.

        An original of one range gets no journal, unless an earlier run cut it into smaller ones.
        """
        backend, bucket = original.home
        lasting = name_of(wish.path, backend, bucket, original.info)
        wanted = lasting if wish.resume and (original.info.size > wish.range_size or lasting.exists()) else None
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

    @contextmanager
    def private_draft(self, path: Path) -> Iterator[Draft]:
        """Yield a draft that nobody can go on with; nothing is left of it on failure."""
        draft = open_draft(path, None, self._leftovers)
        try:
            yield draft
        except BaseException:
            draft.remove()
            raise
        finally:
            draft.close()

    def _kept(self, draft: Draft, plan: Plan, stop: Cancel) -> Iterator[int]:
        """Yield the numbers of the ranges that are in the draft as the journal says."""
        noted = dict(draft.journal.ranges) if draft.journal else {}
        for span in map(plan.span, sorted(noted)):
            with self._window.slot(span.length, stop) as buffer:
                sound = draft.read(span.offset, buffer) and crc(buffer) == noted[span.number]
            stop.check()
            if sound:
                yield span.number

    def _fetch(self, ranges: SpanReader, span: Span, draft: Draft, stop: Cancel) -> None:
        with self._window.slot(span.length, stop) as buffer:
            ranges.read(span, buffer, stop)
            draft.write(span.number, span.offset, buffer, crc(buffer), stop)

    def _compare(self, original: Original, wish: Wish, draft: Draft, plan: Plan, workers: int) -> None:
        """Fetch the original a second time, and compare what the file holds. Raises IntegrityError."""
        ranges = original.ranges(original.meter(Progress(0, original.info.size), None))

        def compare(span: Span) -> None:
            with self._window.slot(span.length, wish.stop) as buffer:
                ranges.read(span, buffer, wish.stop)
                require_same(draft, span.offset, buffer)

        spans = [span for span in plan.spans() if span.length]
        Crew(spans, compare, wish.stop).run(min(workers, max(1, len(spans))))


def is_device(path: Path) -> bool:
    """Tell whether a path is there and is no regular file."""
    return path.exists() and not path.is_file()


def check_target(path: Path, chunk_size: int | None, *, overwrite: bool, read_back: bool) -> None:
    """Raise ConflictError or ConfigurationError for a target that cannot be written as it is wanted."""
    if path.is_dir():
        raise ConfigurationError(f"{path} is a directory", hint="Name a file")
    if chunk_size is not None and chunk_size < 1:
        raise ConfigurationError(f"chunk_size={chunk_size}: at least 1 byte is needed")
    if not overwrite and path.exists():
        raise exists_already(path)
    if read_back and is_device(path):
        raise ConfigurationError(f"{path} cannot be read back", hint="Name a file, or leave out verify and sha256")


def require_size(info: ObjectInfo, promised: int | None) -> None:
    """Raise IntegrityError where the original has another size than was promised."""
    if promised not in (None, info.size):
        raise IntegrityError(
            f"{info.key} has {info.size:,} bytes, and {promised:,} were promised", hint="Nothing was written"
        )


def require_same(draft: Draft, offset: int, fetched: memoryview) -> None:
    """Compare what was fetched a second time with the file, in place of ``fetched``. Raises IntegrityError."""
    wanted = crc(fetched)
    if not draft.read(offset, fetched) or crc(fetched) != wanted:
        raise IntegrityError(
            f"what was written differs from the object in bytes from {offset:,}",
            hint="No file was left; check disk and memory of this machine, and run again",
        )


def prove(info: ObjectInfo, draft: Draft, window: Window, wish: Wish) -> None:
    """Read the file from its start. Raises IntegrityError where its SHA-256 is not the promised one."""
    digest, promised = hashlib.sha256(), (wish.sha256 or "").lower()
    for span in Plan(info.size, wish.range_size).spans() if info.size else ():
        wish.stop.check()
        with window.slot(span.length, wish.stop) as buffer:
            draft.read(span.offset, buffer)
            digest.update(buffer)
    if digest.hexdigest() != promised:
        raise IntegrityError(
            f"{info.key} has the SHA-256 {digest.hexdigest()}, and {promised} was promised",
            hint="No file was left; check the object, or the promise",
        )


def blocks(original: Original, listener: Listener, stop: Cancel, size: int) -> Iterator[memoryview]:
    """Yield the original's bytes in order; each block is overwritten by the next."""
    info = original.info
    ranges = original.ranges(original.meter(Progress(0, info.size, 0, 1, size), listener))
    # Not a slot: two generators that one thread reads in turns would wait for each other for ever.
    buffer = memoryview(allocate(min(size, info.size)))
    for span in Plan(info.size, size).spans() if info.size else ():
        ranges.read(span, buffer[: span.length], stop)
        yield buffer[: span.length]


def crc(data: memoryview) -> str:
    """Return the CRC-64 of some bytes, in hex."""
    hasher = new_hasher("crc64")
    hasher.update(data)
    return hasher.checksum().value
