"""StreamingUploader: the multipart engine and the resume protocol.

One ``upload`` call is four steps, each in a module of its own:

    begin    adopt the upload that an earlier run of this source left, or create and record one    ``_start.py``
    send     read, hash and send the missing parts with several workers                            ``_send.py``
             the same in order, for what cannot be read by ranges: compare, send what differs      ``_replay.py``
    finish   complete, judge the answer by what is then at the key, clean up                       ``_finish.py``
    afresh   if the service no longer knows the upload at any moment: done, or once from the start  ``_run.py``

What is decided is decided in ``_resume.py``, memory is bounded in ``_window.py``, errors become ours in
``_guard.py``. The state of an upload lives in its ``Job``, never in the uploader: one uploader serves many uploads
from many threads, which share its memory budget.
"""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, cast

from storagekit import _metadata
from storagekit._alive import Alive
from storagekit._arguments import check
from storagekit._clock import Cancel, Clock
from storagekit._context import UploadContext
from storagekit._copy import COPY_PART
from storagekit._http import HTTPSource
from storagekit._job import Job, Log
from storagekit._names import check_key
from storagekit._object_source import OpenObject
from storagekit._plan import MIB
from storagekit._records import CHECKPOINTS, NoRecords, Records, records_for
from storagekit._resume import Request
from storagekit._retry import RetryPolicy
from storagekit._run import go_on, init, run
from storagekit._source import BytesSource, FileSource, Identity, OpenSource, Source, strong_identity
from storagekit._store import Store
from storagekit._stream_source import StreamSource
from storagekit._throttle import paced_part, paced_workers
from storagekit._verify import read_back
from storagekit._window import Share, Window
from storagekit.driver import Driver
from storagekit.errors import ConfigurationError, IntegrityError, SourceTruncatedError
from storagekit.types import Progress, UploadResult

AnySource = Source | bytes | bytearray | memoryview | str | os.PathLike[str] | IO[bytes] | Iterable[bytes]
"""What ``upload`` takes: see there."""

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
        max_speed: bytes per second that all uploads together send at most; None for no limit.
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
        max_speed: int | None = None,
        state_directory: Path | None = None,
    ) -> None:
        check(workers=workers, memory=memory, part_size=part_size, max_speed=max_speed)
        _require(memory >= MIB, f"memory is {memory:,} bytes", "At least 1 MiB is needed")
        _require(checkpoint in CHECKPOINTS, f"checkpoint is {checkpoint!r}", f"Use one of {', '.join(CHECKPOINTS)}")
        self._clock = clock or Clock()
        self._retry = retry or RetryPolicy()
        self.store = Store.of(driver, backend, self._retry, self._clock, max_speed)
        self._scope = scope or backend
        self._part_size = part_size
        self._max_speed = max_speed
        self.workers = workers
        self._checkpoint = checkpoint
        self._state_directory = state_directory
        self.window = Window(memory)

    def upload(
        self,
        source: AnySource,
        bucket: str,
        key: str,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        storage_class: str | None = None,
        part_size: int | None = None,
        size: int | None = None,
        sha256: str | None = None,
        source_id: str | None = None,
        overwrite: bool = True,
        restart: bool = False,
        verify: bool = False,
        workers: int | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        on_note: Callable[[str], None] | None = None,
        cancel: Cancel | None = None,
    ) -> UploadResult:
        """Upload ``source`` to ``bucket``/``key``, going on where an earlier run of the same source stopped.

        Args:
            source: bytes, the path of a file, an http(s) URL, a binary file-like object, an iterable of bytes, or
                anything that can be opened as a source. A file-like object is read from where it stands.
            bucket: existing bucket.
            key: 1 to 1,024 bytes of UTF-8, or the backend's own limit.
            content_type: None for what the source says, or the extension of the key.
            metadata: user metadata; names are lower-case ASCII, values any text. None keeps that of an object.
            storage_class: the service's own word for where the object is to be kept; None for its usual one.
            part_size: bytes per part, for a new upload only; an adopted one keeps its plan.
            size: bytes that the source must have; fewer or more are an error.
            sha256: hex digest that the source must have; it is then read in order.
            source_id: the caller's own name for this very content, where the source cannot tell by itself.
            overwrite: False to refuse to replace an object; the service looks when it publishes, where it can.
            restart: discard all unfinished uploads of this key first.
            verify: read the object back at the end, and compare it with the source.
            workers: parts of this upload under way at once; None for the uploader's.
            on_progress: called from worker threads, one call at a time.
            on_note: called with each sentence that also ends up in ``UploadResult.notes``.
            cancel: set it from another thread to stop; parts and record are kept. Seen between requests and while
                parts are moved; a single request that stalls outside of that ends with its timeout, and a stream that
                blocks in its own ``read`` is not interrupted, unless it is an unbuffered file or pipe.

        Raises:
            SourceChangedError, ChecksumError: nothing was published, and nothing is kept.
            IntegrityError: also where ``verify`` finds a difference; the object is at the key then.
            SourceTruncatedError: nothing was published.
            InvalidNameError, ConfigurationError: before any byte moved; or, with parts kept, a stream outgrew what the
                memory budget allows.
            ConflictError: there is an object, and ``overwrite`` is off; or somebody else sends a stream to the key.
            NotFoundError, PermissionDeniedError, ServiceError, UploadGoneError, TransferCancelled, KeyboardInterrupt:
                parts and record are kept, and the next run goes on. So it is with what a stream raises itself.
        """
        check_key(key, self.store.limits)
        check(size=size, sha256=sha256, part_size=part_size, content_type=content_type, source_id=source_id)
        check(
            workers=workers or 1, on_progress=on_progress, on_note=on_note, cancel=cancel, storage_class=storage_class
        )
        stop = Cancel(cancel)
        with self._means(part_size, stop) as means:
            opened = as_source(source, self._retry, self._clock).open(stop)
            try:
                request = request_for(
                    opened, size, sha256, source_id, content_type, metadata, storage_class, self.store.limits.encryption
                )
                there = opened if isinstance(opened, OpenObject) else None
                copied = there if there and there.scope == self._scope and not sha256 else None
                carried = metadata is None and there is not None
                stored = _metadata.carry(there.metadata) if carried and there else _metadata.encode(metadata or {})
                wanted = part_size or (self._choose_part_size(COPY_PART) if copied else None)
                job = replace(
                    self._job(opened, bucket, key, request, stored, wanted, means, Log(on_note)),
                    listener=on_progress,
                    sha256=sha256.lower() if sha256 else None,
                    unproven=sha256 is not None and request.identity.digest != content_identity("", sha256).digest,
                    overwrite=overwrite,
                    copied=copied,
                )
                allowed = workers or self.workers  # of a copy no byte passes through here, so none is held back
                job = replace(job, workers=allowed if copied else min(allowed, job.workers))
                result = run(job, discarding=self._known(job) if restart else NoRecords())
                return read_back(job, result) if verify else result
            except BaseException:
                stop.set()
                raise
            finally:
                opened.close()

    def init_upload(
        self,
        bucket: str,
        key: str,
        *,
        source_id: str | None = None,
        part_size: int | None = None,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        storage_class: str | None = None,
        restart: bool = False,
        on_note: Callable[[str], None] | None = None,
    ) -> UploadContext:
        """Begin an upload, or find the one that an earlier run left, for a source that the caller opens.

        With ``source_id``, the caller's own name for this very content, ``UploadContext.offset`` says from which byte
        it is wanted. Without, it is 0: what is there is compared as the bytes pass. Until ``upload_stream`` runs
        nothing is held: another stream to the key may take the upload over. See ``upload`` for the rest.
        """
        check_key(key, self.store.limits)
        check(part_size=part_size, content_type=content_type, source_id=source_id, on_note=on_note)
        check(storage_class=storage_class)
        with self._means(part_size, Cancel()) as means:
            opened = StreamSource(()).open(means.cancel)
            request = request_for(
                opened, None, None, source_id, content_type, metadata, storage_class, self.store.limits.encryption
            )
            stored = _metadata.encode(metadata or {})
            job = self._job(opened, bucket, key, request, stored, part_size, means, Log(on_note))
            return init(job, discarding=self._known(job) if restart else NoRecords())

    def upload_stream(
        self,
        context: UploadContext,
        stream: IO[bytes] | Iterable[bytes],
        *,
        total_size: int | None = None,
        sha256: str | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        on_note: Callable[[str], None] | None = None,
        cancel: Cancel | None = None,
    ) -> UploadResult:
        """Send the bytes of the source from ``context.offset`` on, and publish the object.

        ``total_size`` is the size of the whole source in bytes; with it, a stream that ends early or goes on is an
        error and nothing is published. Where it equals ``context.offset`` the stream is not read. ``sha256`` is of the
        whole source as well, so it can only be proven from offset 0. Raises what ``upload`` does, and
        ConfigurationError where the upload has gone on since ``init_upload``.
        """
        check(context=context, total_size=total_size, sha256=sha256)
        check(on_progress=on_progress, on_note=on_note, cancel=cancel)
        record = context.record
        check_key(record.key, self.store.limits)
        _require(
            sha256 is None or context.offset == 0,
            f"sha256 cannot be proven from offset {context.offset}",
            "Call init_upload without source_id, or with restart",
        )
        stop = Cancel(cancel)
        with self._means(record.part_size, stop) as means:
            opened = StreamSource(stream, record.source, total_size).open(stop)
            identity = Identity(record.identity, record.source, record.strong)
            kept = (record.content_type, record.metadata_digest, record.storage_class or None, record.encryption)
            request = Request(identity, total_size, *kept)
            job = self._job(opened, record.bucket, record.key, request, {}, record.part_size, means, Log(on_note))
            try:
                promise = sha256.lower() if sha256 else None
                return go_on(replace(job, listener=on_progress, sha256=promise, unproven=promise is not None), context)
            except BaseException:
                stop.set()
                raise

    @contextmanager
    def _means(self, part_size: int | None, cancel: Cancel) -> Iterator[_Means]:
        """Wait for a first slot of the window: only then is the source opened."""
        first = min(part_size or self._part_size or self._choose_part_size(), self.window.budget)
        with closing(Share(self.window, first, cancel)) as share, closing(Alive()) as alive:
            yield _Means(share, alive, cancel)

    def _job(
        self,
        opened: OpenSource,
        bucket: str,
        key: str,
        request: Request,
        metadata: dict[str, str],
        part_size: int | None,
        means: _Means,
        log: Log,
    ) -> Job:
        store = self.store.with_cancel(means.cancel)
        size = part_size or self._part_size or self._choose_part_size()
        return Job(
            store=store,
            records=self._records(self._checkpoint, store, log),
            tidying=self._records(self._checkpoint, self.store, log),
            source=opened,
            bucket=bucket,
            key=key,
            request=request,
            content_type=request.content_type or guess_content_type(key, opened.content_type),
            metadata=metadata,
            part_size=size,
            workers=paced_workers(self.workers, size, self._max_speed),
            window=means.share,
            clock=self._clock,
            cancel=means.cancel,
            log=log,
            alive=means.alive,
            readings=self._retry.attempts,
        )

    def _records(self, checkpoint: str, store: Store, log: Log) -> Records:
        return records_for(checkpoint, store, self._scope, log.note, self._state_directory)

    def _known(self, job: Job) -> Records:
        """Return the records that ``restart`` discards: also with ``checkpoint="off"``."""
        return self._records("auto", job.store, job.log) if self._checkpoint == "off" else job.records

    def _choose_part_size(self, wanted: int | None = None) -> int:
        """Return the part size of a new upload where none was given, as far as budget and service allow it.

        Half of the budget, so that one part can be read while another is sent.
        """
        limits = self.store.limits
        size = wanted or paced_part(DEFAULT_PART_SIZE, self.workers, self._max_speed)
        return min(max(min(size, self.window.budget // 2), limits.min_part), limits.max_part)


@dataclass(frozen=True)
class _Means:
    """What one upload holds while it runs."""

    share: Share
    alive: Alive
    cancel: Cancel


def _require(holds: bool, what: str, hint: str) -> None:  # noqa: FBT001  # reads as the sentence it is
    if not holds:
        raise ConfigurationError(what, hint=hint)


def content_identity(shown: str, sha256: str) -> Identity:
    """Return the identity of bytes whose SHA-256 was promised: it is proven before anything is published."""
    return replace(strong_identity(shown, kind="content", sha256=sha256.lower()), promised="sha256")


def request_for(
    opened: OpenSource,
    size: int | None,
    sha256: str | None,
    source_id: str | None,
    content_type: str | None,
    metadata: Mapping[str, str] | None,
    storage_class: str | None = None,
    encryption: str = "",
) -> Request:
    """Return what is asked for. Raises IntegrityError where the source already has another size than promised."""
    identity = opened.identity
    if opened.size is not None and size not in (None, opened.size):
        kind = SourceTruncatedError if opened.size < (size or 0) else IntegrityError
        raise kind(
            f"{identity.shown} has {opened.size:,} bytes, and {size:,} were promised",
            hint="Nothing was sent; check the source, or the promise",
        )
    if source_id is not None:
        identity = replace(strong_identity(identity.shown, kind="caller", id=source_id), promised="source_id")
    elif sha256 is not None and not identity.strong:
        identity = content_identity(identity.shown, sha256)
    digest = None if metadata is None else _metadata.digest(_metadata.encode(metadata))
    known = size if opened.size is None else opened.size
    return Request(identity, known, content_type, digest, storage_class, encryption)


def guess_content_type(key: str, said: str | None) -> str | None:
    """Return what the source says of its type, unless that is nothing in particular, or what the key's name says."""
    if said and said not in ("application/octet-stream", "binary/octet-stream"):
        return said
    kind, encoding = mimetypes.guess_type(key)
    return (f"application/{encoding}" if encoding else kind) or said


def as_source(source: AnySource, retry: RetryPolicy, clock: Clock) -> Source:
    """Return the source that a caller means: bytes, a URL by its scheme, a path, or else a stream."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return BytesSource(source)
    if isinstance(source, str) and source.lower().startswith(("http://", "https://")):
        return HTTPSource(source, policy=retry, clock=clock)
    if isinstance(source, (str, os.PathLike)):
        return FileSource(source)
    if hasattr(source, "open") and not hasattr(source, "read"):
        return cast("Source", source)
    return StreamSource(cast("IO[bytes] | Iterable[bytes]", source))
