"""StreamingUploader: the multipart engine and the resume protocol.

One ``upload`` call is four steps, each in a module of its own:

    begin    adopt the upload that an earlier run of this source left, or create and record one    ``_start.py``
    send     read, hash and send the missing parts with several workers                            ``_send.py``
    finish   complete, judge the answer by what is then at the key, clean up                       ``_finish.py``
    afresh   if the service no longer knows the upload at any moment: done, or once from the start  ``_run.py``

What is decided is decided in ``_resume.py``, memory is bounded in ``_window.py``, errors become ours in
``_guard.py``. The state of an upload lives in its ``Job``, never in the uploader: one uploader serves many uploads
from many threads, which share its memory budget.
"""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from storagekit import _metadata
from storagekit._clock import Cancel, Clock
from storagekit._http import HTTPSource
from storagekit._job import Job, Log
from storagekit._names import check_key
from storagekit._plan import MIB
from storagekit._records import CHECKPOINTS, NoRecords, Records, records_for
from storagekit._resume import Request
from storagekit._retry import RetryPolicy
from storagekit._run import run
from storagekit._source import BytesSource, FileSource, Source
from storagekit._store import Store
from storagekit._window import Window
from storagekit.driver import Driver
from storagekit.errors import ConfigurationError
from storagekit.types import Progress, UploadResult

DEFAULT_PART_SIZE = 16 * MIB
DEFAULT_WORKERS = 4
DEFAULT_MEMORY = 256 * MIB


class StreamingUploader:
    """Uploads sources to one driver inside a fixed memory budget.

    Args:
        driver: where to.
        backend: its name, for errors.
        scope: what tells this account and endpoint apart from others, for records that are kept locally.
        part_size: bytes per part of new uploads; None for 16 MiB, or what budget and backend allow nearest to it.
        workers: parts under way at once; the memory budget may allow fewer, see ``Progress.workers``.
        memory: budget in bytes for all parts of all uploads of this uploader.
        checkpoint: where upload records are kept: ``auto``, ``bucket``, ``local``, ``off`` (no resume).
        retry: how often and how long to try one request.
        clock: time, sleep and chance; replaced in tests.
        state_directory: where local records are kept; None for the user's state directory.

    Raises:
        ConfigurationError: a number that makes no sense.
    """

    def __init__(
        self,
        driver: Driver,
        *,
        backend: str = "storage",
        scope: str | None = None,
        part_size: int | None = None,
        workers: int = DEFAULT_WORKERS,
        memory: int = DEFAULT_MEMORY,
        checkpoint: str = "auto",
        retry: RetryPolicy | None = None,
        clock: Clock | None = None,
        state_directory: Path | None = None,
    ) -> None:
        _require(workers >= 1, f"workers is {workers}", "At least one worker is needed")
        _require(memory >= MIB, f"memory is {memory:,} bytes", "At least 1 MiB is needed")
        _require(part_size is None or part_size >= 1, f"part_size is {part_size}", "At least one byte is needed")
        _require(checkpoint in CHECKPOINTS, f"checkpoint is {checkpoint!r}", f"Use one of {', '.join(CHECKPOINTS)}")
        self._clock = clock or Clock()
        self._retry = retry or RetryPolicy()
        self._store = Store.of(driver, backend, self._retry, self._clock)
        self._scope = scope or backend
        self._part_size = part_size
        self._workers = workers
        self._checkpoint = checkpoint
        self._state_directory = state_directory
        self.window = Window(memory)

    def upload(
        self,
        source: Source | bytes | bytearray | memoryview | str | os.PathLike[str],
        bucket: str,
        key: str,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        part_size: int | None = None,
        restart: bool = False,
        on_progress: Callable[[Progress], None] | None = None,
        on_note: Callable[[str], None] | None = None,
        cancel: Cancel | None = None,
    ) -> UploadResult:
        """Upload ``source`` to ``bucket``/``key``, going on where an earlier run of the same source stopped.

        Args:
            source: bytes, the path of a file, an http(s) URL, or anything that can be opened as a source.
            bucket: existing bucket.
            key: 1 to 1,024 bytes of UTF-8, or the backend's own limit.
            content_type: None for what the source says, or the extension of the key.
            metadata: user metadata; names are lower-case ASCII, values any text.
            part_size: bytes per part, for a new upload only; an adopted one keeps its plan.
            restart: discard all unfinished uploads of this key first.
            on_progress: called from worker threads, one call at a time.
            on_note: called with each sentence that also ends up in ``UploadResult.notes``.
            cancel: set it from another thread to stop; parts and record are kept. Seen between requests and while
                parts are moved; a single request that stalls outside of that ends with its timeout.

        Raises:
            SourceChangedError, SourceTruncatedError, ChecksumError: nothing was published, and nothing is kept.
            InvalidNameError, ConfigurationError: before any byte moved.
            NotFoundError, PermissionDeniedError, ServiceError, UploadGoneError, TransferCancelled, KeyboardInterrupt:
                parts and record are kept, and the next run goes on.
        """
        check_key(key, self._store.limits)
        stored_metadata = _metadata.encode(metadata or {})
        stop = Cancel(cancel)
        opened = as_source(source, self._retry, self._clock).open(stop)
        try:
            digest = _metadata.digest(stored_metadata) if metadata is not None else None
            log = Log(on_note)
            store = self._store.with_cancel(stop)
            records = self._records(self._checkpoint, store, log)
            job = Job(
                store=store,
                records=records if opened.identity.strong else NoRecords(),
                source=opened,
                bucket=bucket,
                key=key,
                request=Request(opened.identity, opened.size, content_type, digest),
                content_type=content_type or guess_content_type(key, opened.content_type),
                metadata=stored_metadata,
                part_size=self._choose_part_size(part_size),
                workers=self._workers,
                window=self.window,
                clock=self._clock,
                cancel=stop,
                log=log,
                listener=on_progress,
            )
            known = self._records("auto", store, log) if self._checkpoint == "off" else records
            return run(job, discarding=known if restart else NoRecords())
        except BaseException:
            stop.set()
            raise
        finally:
            opened.close()

    def _records(self, checkpoint: str, store: Store, log: Log) -> Records:
        return records_for(checkpoint, store, self._scope, log.note, self._state_directory)

    def _choose_part_size(self, given: int | None) -> int:
        """Return the part size of a new upload: as given, or 16 MiB, as far as budget and service allow it."""
        limits = self._store.limits
        fitting = min(DEFAULT_PART_SIZE, self.window.budget)
        return given or self._part_size or min(max(fitting, limits.min_part), limits.max_part)


def _require(holds: bool, what: str, hint: str) -> None:  # noqa: FBT001  # reads as the sentence it is
    if not holds:
        raise ConfigurationError(what, hint=hint)


def guess_content_type(key: str, said: str | None) -> str | None:
    """Return what the source says of its type, unless that is nothing in particular, or what the key's name says."""
    if said and said not in ("application/octet-stream", "binary/octet-stream"):
        return said
    kind, encoding = mimetypes.guess_type(key)
    return (f"application/{encoding}" if encoding else kind) or said


def as_source(
    source: Source | bytes | bytearray | memoryview | str | os.PathLike[str], retry: RetryPolicy, clock: Clock
) -> Source:
    """Return the source that a caller means: bytes, a URL by its scheme, or else the path of a file."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return BytesSource(source)
    if isinstance(source, str) and source.lower().startswith(("http://", "https://")):
        return HTTPSource(source, policy=retry, clock=clock)
    if isinstance(source, (str, os.PathLike)):
        return FileSource(source)
    return source
