"""One upload from its beginning to its end: begin, send, finish; once afresh where the service lost it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from storagekit._body import MemoryBody, fill
from storagekit._clock import Cancel
from storagekit._context import UploadContext
from storagekit._copy import copy_whole, fits_one_copy
from storagekit._crew import Crew
from storagekit._discard import discard
from storagekit._finish import clean_up, finish, require_absent
from storagekit._hash import new_hasher
from storagekit._job import Job, Published, Sent, Session
from storagekit._meter import Meter
from storagekit._ordered import Loaded, Reading
from storagekit._plan import Span, reach
from storagekit._records import Records
from storagekit._replay import SourceBroke, send_in_order
from storagekit._resume import kept_parts, unbroken
from storagekit._send import send_parts
from storagekit._source import Access
from storagekit._start import begin, create, look, new_record, published
from storagekit.errors import (
    ConfigurationError,
    IntegrityError,
    RequestRefusedError,
    ServiceError,
    SourceTruncatedError,
    StorageError,
    TransferCancelled,
    UnsupportedSourceError,
    UploadGoneError,
)
from storagekit.types import PartReceipt, Progress, UploadResult

_ROUNDS = 2  # an upload that the service lost is begun afresh once; then something is wrong with the service

_ONE_PUT = 100 * 1000**2  # larger objects go in parts: a put that fails is sent again whole

_KEPT = "Parts already sent are kept: run again to go on from there, or with restart (--restart) to discard them"


class _Lost(Exception):
    """The service no longer knows the upload of ``session``. ``size`` is what was sent, where all of it was."""

    def __init__(self, session: Session, error: UploadGoneError, size: int | None) -> None:
        super().__init__(str(error))
        self.session = session
        self.error = error
        self.size = size


class _Broke(Exception):
    """The source broke off while it was sent to the upload of ``session``, or before there was one."""

    def __init__(self, session: Session | None, error: StorageError) -> None:
        super().__init__(str(error))
        self.session = session
        self.error = error


def run(job: Job, discarding: Records) -> UploadResult:
    """Upload the job's source. First every upload of this key that ``discarding`` knows is given up (``restart``)."""
    check_possible(job)
    restart(job, discarding)
    found = begin(job)
    if not job.overwrite and not isinstance(found, Published):
        require_absent(job, look(job))
    lost = broke = 0
    while not isinstance(found, Published):
        try:
            return _attempt(job, found)
        except _Lost as end:
            lost += 1
            last = lost == _ROUNDS or job.source.access is Access.ONCE
            found = _after_gone(job, end, last=last)
        except _Broke as end:
            broke += 1
            found = _read_again(job, end, broke)
    return _result(job, None, clean_up(job, None, found))


def init(job: Job, discarding: Records) -> UploadContext:
    """Begin or find the upload of a source that the caller opens itself, and say from where it is wanted."""
    restart(job, discarding)
    found = begin(job) or create(job)
    if isinstance(found, Published):
        return UploadContext(found.size or 0, new_record(job, None), "", found)
    plan = found.plan
    offset = plan.offset(unbroken(plan, found.kept) + 1) if job.identity.strong else 0
    return UploadContext(offset, found.record, found.stored.name)


def go_on(job: Job, context: UploadContext) -> UploadResult:
    """Finish an upload that ``init`` began; its source begins at ``context.offset``."""
    offset, size = context.offset, job.request.size
    if size is not None and size < offset:
        raise ConfigurationError(
            f"the service has {offset:,} bytes, and the whole size was said to be {size:,}",
            hint="Give the size of the whole source, not of what is left of it",
        )
    if context.done is not None:
        return _result(job, None, clean_up(job, None, context.done))
    session = Session(context.stored, {}, resumed=True)
    try:
        session = replace(session, kept=kept_parts(session.plan, job.store.parts(session.record.upload)))
    except UploadGoneError as error:
        return _after_all(job, _Lost(session, error, None))
    trusted = _trusted(session, offset)
    if offset and offset == size:
        return _judged(job, session, lambda one: send_in_order(job, one, None, trusted))
    with Reading(job, offset) as reading:
        return _judged(job, session, lambda one: send_in_order(job, one, reading, trusted))


def _trusted(session: Session, offset: int) -> int:
    """Return how many parts lie before ``offset``. Raises ConfigurationError where the service has not got them all."""
    plan = session.plan
    trusted = unbroken(plan, session.kept)
    while plan.offset(trusted + 1) > offset:
        trusted -= 1
    if plan.offset(trusted + 1) != offset:
        raise ConfigurationError(
            f"the service has {plan.offset(trusted + 1):,} bytes by now, not the {offset:,} of this context",
            hint="Call init_upload again",
        )
    return trusted


def _judged(job: Job, session: Session, send: Callable[[Session], Sent]) -> UploadResult:
    try:
        return _transfer(job, session, send)
    except _Lost as end:
        return _after_all(job, end)
    except _Broke as end:
        raise end.error from end


def _after_all(job: Job, end: _Lost) -> UploadResult:
    """Return the result of an upload that is gone because it is done; or raise."""
    done = _after_gone(job, end, last=True)
    assert done is not None  # noqa: S101  # the last one raises
    return _result(job, end.session, clean_up(job, end.session.stored, done))


def check_possible(job: Job) -> None:
    """Raise ConfigurationError for what cannot end well, before any byte moves, and say what limits there are."""
    plan, source = job.plan, job.source
    if job.in_order and plan.part_size > job.window.budget:
        raise ConfigurationError(
            f"a source that is read in order needs parts of {plan.part_size:,} bytes, more than the memory budget",
            hint=f"Give memory (--memory) of at least {2 * plan.part_size:,} bytes",
        )
    if plan.size is None:
        gib = reach(plan, job.store.limits) / 1024**3
        job.log.note(f"length unknown: up to {gib:,.1f} GiB can be stored with this memory budget and part size")
    if not source.ends_itself and job.request.size is None and job.sha256 is None:
        raise UnsupportedSourceError(
            f"{job.identity.shown} says neither how long it is nor where it ends: a part of it could be taken for all",
            hint="Give its size (--size) or its SHA-256 (--sha256)",
        )
    if not job.identity.strong and source.access is Access.RESTART:
        job.log.note(f"{job.identity.shown} cannot say whether it changes: read in order, and compared when resumed")


def restart(job: Job, discarding: Records) -> None:
    """Give up every upload of this key that ``discarding`` knows."""
    for stored in discarding.load(job.bucket, job.key):
        if stored.record.is_intent:
            discarding.delete(stored)
        else:
            why = f"discarded an unfinished upload of {stored.record.source}"
            discard(replace(job, tidying=discarding), stored, why)


def _attempt(job: Job, found: Session | None) -> UploadResult:
    if not job.in_order:
        if found is None and job.copied is not None and fits_one_copy(job, job.copied):
            done, receipt = copy_whole(job, job.copied)
            return _result(job, None, clean_up(job, None, done), (receipt,))
        if found is None and job.copied is None and _fits_one_put(job, job.source.size or 0):
            return _put_whole(job)
        return _transfer(job, found or create(job), lambda session: send_parts(job, session))
    with Reading(job) as reading:
        if found is None and (only := _only_part(job, reading)) is not None:
            return _put_read(job, only.view)
        return _transfer(job, found or create(job), lambda session: send_in_order(job, session, reading))


def _only_part(job: Job, reading: Reading) -> Loaded | None:
    """Return the first part where the source has no other and one put holds it; otherwise it is kept by ``reading``."""
    try:
        first = reading.first(job.plan)
        if not reading.ended() or not _fits_one_put(job, first.length):
            return None
        reading.finish()
    except ServiceError as error:
        raise _Broke(None, error) from error
    return first


def _fits_one_put(job: Job, size: int) -> bool:
    return size <= min(job.part_size, job.window.budget, _ONE_PUT, job.store.limits.max_put)


def _transfer(job: Job, session: Session, send: Callable[[Session], Sent]) -> UploadResult:
    size: int | None = None
    job.alive.hold(session.record.token)
    try:
        sent = send(session)
        size = sent.size
        done = finish(job, session, sent)
    except UploadGoneError as error:
        raise _Lost(session, error, size) from error
    except SourceBroke as broke:
        broke.error.advise(_KEPT) if job.resumable else _leave(job, session, broke.error)
        raise _Broke(session, broke.error) from broke
    except BaseException as error:
        if isinstance(error, RequestRefusedError) and error.code == "part_invalid":
            gone = UploadGoneError(error.message, hint=error.hint, context=error.context)
            raise _Lost(session, gone, None) from error
        _leave(job, session, error)
        raise
    return _result(job, session, clean_up(job, session.stored, done), sent.receipts)


def _leave(job: Job, session: Session, error: BaseException) -> None:
    """On the way out of a failure: what is kept?

    Nothing, without a record to find it by. Nothing, where the bytes are in doubt: parts that were read while the
    source changed, or that somebody else wrote, must not be met again under the same identity. Else everything: also
    of a stream that ended early, whose parts are compared before they are used.
    """
    doubtful = isinstance(error, IntegrityError) and not (job.in_order and isinstance(error, SourceTruncatedError))
    if not job.resumable or doubtful:
        discard(job, session.stored, hurry=isinstance(error, (KeyboardInterrupt, TransferCancelled)))
        job.log.note("nothing of this upload is kept")
    elif isinstance(error, StorageError):
        error.advise(_KEPT)
    else:
        job.log.note("parts already sent are kept")


def _after_gone(job: Job, end: _Lost, *, last: bool) -> Published | None:
    """The upload cannot be finished: it is done already (by us, or by another run), or it is redone, once."""
    size = job.request.promised_size if end.size is None else end.size
    done = published(job, end.session.record, look(job), size)
    if done is not None:
        return done
    discard(job, end.session.stored)
    if last:
        expiry = job.store.limits.upload_expiry_s
        end.error.advise(f"The service drops unfinished uploads after {expiry / 3600:.0f} h" if expiry else "Run again")
        raise end.error
    job.log.note(f"the upload could not be finished ({end.error.message}): started afresh")
    return None


def _read_again(job: Job, end: _Broke, times: int) -> Session | None:
    """The source broke off. Read it once more from its start: what was sent is compared, and not sent again."""
    once = job.source.access is Access.ONCE
    if once or times >= job.readings or not (job.resumable or end.session is None):
        raise end.error
    job.log.note(f"{end.error.message}: read again from the start")
    job.clock.sleep(2.0**times * job.clock.random(), job.cancel)
    if end.session is None:
        return None
    record = end.session.record
    return Session(end.session.stored, kept_parts(record.plan, job.store.parts(record.upload)), resumed=True)


def _put_whole(job: Job) -> UploadResult:
    """Send an object that fits one slot with a single put, which is atomic by itself and needs no record.

    In a worker of its own, so that Ctrl-C is seen while it waits for the service.
    """
    span = Span(1, 0, job.source.size or 0)
    stop = Cancel(job.cancel)
    meter = Meter(Progress(0, span.length, 0, 1, job.part_size), job.listener)
    crew = Crew([span], lambda one: _fill_and_put(job, one, meter, stop), stop)
    crew.run(1)
    done, receipt = crew.results[1]
    return _result(job, None, clean_up(job, None, done), (receipt,))


def _fill_and_put(job: Job, span: Span, meter: Meter, stop: Cancel) -> tuple[Published, PartReceipt]:
    with job.window.slot(max(span.length, 1), stop) as buffer:
        data = buffer[: span.length]
        fill(job.source, span, data, new_hasher(job.store.limits.checksum), stop)
        return _put(job, data, meter, stop)


def _put_read(job: Job, data: memoryview) -> UploadResult:
    """The same for the first and only part of a source that is read in order."""
    stop = Cancel(job.cancel)
    meter = Meter(Progress(0, len(data), 0, 1, job.part_size), job.listener)
    crew = Crew([Span(1, 0, len(data))], lambda _: _put(job, data, meter, stop), stop)
    crew.run(1)
    done, receipt = crew.results[1]
    return _result(job, None, clean_up(job, None, done), (receipt,))


def _put(job: Job, data: memoryview, meter: Meter, stop: Cancel) -> tuple[Published, PartReceipt]:
    hasher = new_hasher(job.store.limits.checksum)
    hasher.update(data)
    seen = hasher.checksum()
    job.source.verify()
    if not job.overwrite:
        require_absent(job, look(job))
    body = MemoryBody(data, seen, meter, stop)
    put = job.store.with_cancel(stop).put(job.bucket, job.key, body, job.options(job.clock.token()))
    job.log.sent(len(data))
    receipt = PartReceipt(1, len(data), put.etag, f"{seen.algorithm}:{seen.value}")
    return Published(put.etag, "put", put.version, size=len(data)), receipt


def _result(job: Job, session: Session | None, done: Published, receipts: Sequence[PartReceipt] = ()) -> UploadResult:
    if done.superseded_by:
        job.log.note(f"complete, but superseded by {done.superseded_by}")
    if done.replaced:
        job.log.note(f"replaced an object that was written meanwhile (etag {done.replaced})")
    sent = sum(job.log.acknowledged)
    size = sum(receipt.size for receipt in receipts) if receipts else done.size or 0
    return UploadResult(
        bucket=job.bucket,
        key=job.key,
        size=size,
        etag=done.etag,
        sent=sent,
        kept=max(0, size - sent),
        parts=max(1, len(receipts)),
        part_size=session.plan.part_size if session else job.part_size,
        resumed=bool(session and session.resumed) or not receipts,
        proof=done.proof,
        superseded_by=done.superseded_by,
        replaced=done.replaced,
        version=done.version,
        receipt=tuple(receipts),
        notes=tuple(job.log.lines),
    )
