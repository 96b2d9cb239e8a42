"""StreamingUploader: the multipart engine and the resume protocol.

One ``upload`` call is four steps, each in a module of its own:

    begin    adopt the upload that an earlier run of this source left, or create and record one    ``_start.py``
    send     read, hash and send the missing parts with several workers                            ``_send.py``
    finish   complete, judge the answer by what is then at the key, clean up                       ``_finish.py``
    afresh   if the service no longer knows the upload at any moment: done, or once from the start  here

What is decided is decided in ``_resume.py``, memory is bounded in ``_window.py``, errors become ours in
``_guard.py``. The state of an upload lives in its ``Job``, never in the uploader: one uploader serves many uploads
from many threads, which share its memory budget.
"""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from storagekit import _metadata
from storagekit._body import MemoryBody, fill
from storagekit._clock import Cancel, Clock
from storagekit._finish import as_of_now, clean_up, finish
from storagekit._hash import new_hasher
from storagekit._http import HTTPSource
from storagekit._job import Job, Log, Published, Session
from storagekit._meter import Meter
from storagekit._names import check_key
from storagekit._plan import MIB, Span, plan_parts
from storagekit._records import CHECKPOINTS, records_for
from storagekit._resume import Request
from storagekit._retry import RetryPolicy
from storagekit._send import send_parts
from storagekit._source import BytesSource, FileSource, Source
from storagekit._start import abandon, already_published, begin, create, discard_all, look
from storagekit._store import Store
from storagekit._window import Window
from storagekit.driver import Driver
from storagekit.errors import ConfigurationError, RequestRefusedError, StorageError, UploadGoneError
from storagekit.types import PartReceipt, Progress, UploadResult

DEFAULT_PART_SIZE = 16 * MIB
DEFAULT_WORKERS = 4
DEFAULT_MEMORY = 256 * MIB

_KEPT = "Parts already sent are kept: the same upload run again goes on from there, with restart=True it discards them"


class StreamingUploader:
    """Uploads sources to one driver inside a fixed memory budget.

    Args:
        driver: where to.
        backend: its name, for errors.
        scope: what tells this account and endpoint apart from others, for records that are kept locally.
        part_size: bytes per part of new uploads; None for 16 MiB or what the backend takes nearest to it.
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
        if workers < 1 or memory < MIB or (part_size is not None and part_size < 1) or checkpoint not in CHECKPOINTS:
            raise ConfigurationError(
                f"workers={workers}, memory={memory}, part_size={part_size}, checkpoint={checkpoint!r}",
                hint=f"At least 1 worker and 1 MiB of memory; checkpoint is one of {', '.join(CHECKPOINTS)}",
            )
        self._clock = clock or Clock()
        self._retry = retry or RetryPolicy()
        self._store = Store.of(driver, backend, self._retry, self._clock)
        self._scope = scope or backend
        self._part_size = part_size
        self._workers = workers
        self._checkpoint = checkpoint
        self._state_directory = state_directory
        self._window = Window(memory)

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
            cancel: set it from another thread to stop; parts and record are kept.

        Raises:
            SourceChangedError, SourceTruncatedError, ChecksumError: nothing was published.
            InvalidNameError, ConfigurationError: before any byte moved.
            NotFoundError, PermissionDeniedError, ServiceError, UploadGoneError, TransferCancelled, KeyboardInterrupt:
                parts and record are kept, and the next run goes on.
        """
        check_key(key, self._store.limits)
        stored_metadata = _metadata.encode(metadata or {})
        stop = Cancel(cancel)
        opened = as_source(source, self._retry, self._clock).open(stop)
        try:
            request = Request(
                opened.identity, content_type, _metadata.digest(stored_metadata) if metadata is not None else None
            )
            log = Log(on_note)
            store = self._store.with_cancel(stop)
            checkpoint = self._checkpoint if opened.identity.strong else "off"
            job = Job(
                store=store,
                records=records_for(checkpoint, store, self._scope, log.note, self._state_directory),
                source=opened,
                bucket=bucket,
                key=key,
                request=request,
                content_type=content_type or guess_content_type(key, opened.content_type),
                metadata=stored_metadata,
                part_size=self._choose_part_size(part_size),
                workers=self._workers,
                window=self._window,
                clock=self._clock,
                cancel=stop,
                log=log,
                listener=on_progress,
            )
            return self._run(job, restart=restart)
        except BaseException:
            stop.set()
            raise
        finally:
            opened.close()

    def _choose_part_size(self, given: int | None) -> int:
        wanted = given or self._part_size
        limits = self._store.limits
        return wanted or min(max(DEFAULT_PART_SIZE, limits.min_part), limits.max_part)

    def _run(self, job: Job, *, restart: bool) -> UploadResult:
        plan_parts(job.source.size, job.store.limits, job.part_size)
        if not job.source.identity.strong:
            job.log.note(f"{job.source.identity.shown} cannot say whether it changes: not resumable")
        if restart:
            discard_all(job)
        found = begin(job)
        for attempt in (1, 2):
            if isinstance(found, Published):
                clean_up(job, None)
                return _result(job, None, found)
            if found is None and self._fits_one_put(job):
                return _put_whole(job)
            session = found or create(job)
            try:
                return self._transfer(job, session)
            except UploadGoneError as error:
                found = _after_gone(job, session, error, last=attempt == 2)
        raise AssertionError("unreachable: the second attempt returns or raises")

    def _fits_one_put(self, job: Job) -> bool:
        return job.source.size <= min(job.part_size, self._window.budget, job.store.limits.max_put)

    def _transfer(self, job: Job, session: Session) -> UploadResult:
        try:
            parts, receipts = send_parts(job, session)
            published = finish(job, session, parts)
        except UploadGoneError:
            raise
        except RequestRefusedError as error:
            if error.code == "part_invalid":
                raise UploadGoneError(error.message, hint=error.hint, context=error.context) from error
            self._leave(job, session, error)
            raise
        except BaseException as error:
            self._leave(job, session, error)
            raise
        now = clean_up(job, session.stored)
        return _result(job, session, as_of_now(published, session.record, now), receipts)

    def _leave(self, job: Job, session: Session, error: BaseException) -> None:
        """On the way out of a failure: parts and record stay, or without a record the upload is aborted."""
        if not job.resumable:
            abandon(replace(job, store=self._store), session.record)  # job.store is stopped with the job
        elif isinstance(error, StorageError):
            error.advise(_KEPT)


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
    if isinstance(source, str) and source.split("://")[0].lower() in ("http", "https"):
        return HTTPSource(source, policy=retry, clock=clock)
    if isinstance(source, (str, os.PathLike)):
        return FileSource(source)
    return source


def _after_gone(job: Job, session: Session, error: UploadGoneError, *, last: bool) -> Published | None:
    """The service no longer knows the upload: it was completed (by us, or by another run), or it has to be redone."""
    done = already_published(job, session.record, look(job))
    if done is not None:
        return done
    expiry = job.store.limits.upload_expiry_s
    if last:
        error.advise(f"The service drops unfinished uploads after {expiry / 3600:.0f} h" if expiry else "Run again")
        raise error
    job.store.abort(session.record.upload)
    job.records.delete(session.stored)
    job.log.note(f"the upload was lost on the service ({error.message}): started afresh")
    return None


def _put_whole(job: Job) -> UploadResult:
    """Send an object that fits one slot with a single put, which is atomic by itself and needs no record."""
    size = job.source.size
    hasher = new_hasher(job.store.limits.checksum)
    meter = Meter(Progress(0, size, 0, 1, job.part_size), job.listener)
    with job.window.slot(max(size, 1), job.cancel) as buffer:
        fill(job.source, Span(1, 0, size), buffer[:size], hasher, job.cancel)
        job.source.verify()
        body = MemoryBody(buffer[:size], hasher.checksum(), meter, job.cancel)
        put = job.store.put(job.bucket, job.key, body, job.options(job.clock.token()))
        job.log.sent(size)
    clean_up(job, None)
    seen = hasher.checksum()
    receipt = (PartReceipt(1, size, put.etag, f"{seen.algorithm}:{seen.value}"),)
    return _result(job, None, Published(put.etag, "put", put.version), receipt)


def _result(
    job: Job,
    session: Session | None,
    published: Published,
    receipts: Sequence[PartReceipt] = (),
) -> UploadResult:
    if published.superseded_by:
        job.log.note(f"complete, but superseded by {published.superseded_by}")
    if published.replaced:
        job.log.note(f"replaced an object that was written meanwhile (etag {published.replaced})")
    sent = sum(job.log.acknowledged)
    return UploadResult(
        bucket=job.bucket,
        key=job.key,
        size=job.source.size,
        etag=published.etag,
        sent=sent,
        kept=max(0, job.source.size - sent),
        parts=session.plan.count if session else 1,
        part_size=session.plan.part_size if session else job.part_size,
        resumed=bool(session and session.resumed) or not receipts,
        proof=published.proof,
        superseded_by=published.superseded_by,
        replaced=published.replaced,
        version=published.version,
        receipt=tuple(receipts),
        notes=tuple(job.log.lines),
    )
