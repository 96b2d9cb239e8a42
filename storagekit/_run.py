"""One upload from its beginning to its end: begin, send, finish, and once afresh where the service lost it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from storagekit._body import MemoryBody, fill
from storagekit._clock import Cancel
from storagekit._crew import Crew
from storagekit._discard import discard
from storagekit._finish import clean_up, finish
from storagekit._hash import new_hasher
from storagekit._job import Job, Published, Session
from storagekit._meter import Meter
from storagekit._plan import Span, plan_parts
from storagekit._records import Records
from storagekit._send import send_parts
from storagekit._start import begin, create, look, published
from storagekit.errors import IntegrityError, RequestRefusedError, StorageError, TransferCancelled, UploadGoneError
from storagekit.types import PartReceipt, Progress, UploadResult

_ROUNDS = 2  # an upload that the service lost is begun afresh once; then something is wrong with the service

_KEPT = "Parts already sent are kept: run again to go on from there, or with restart (--restart) to discard them"


def run(job: Job, discarding: Records) -> UploadResult:
    """Upload the job's source. First every upload of this key that ``discarding`` knows is given up (``restart``)."""
    plan_parts(job.source.size, job.store.limits, job.part_size)
    if not job.source.identity.strong:
        job.log.note(f"{job.source.identity.shown} cannot say whether it changes: not resumable, read by one worker")
    for stored in discarding.load(job.bucket, job.key):
        discard(replace(job, records=discarding), stored, f"discarded an unfinished upload of {stored.record.source}")
    found = begin(job)
    rounds = 0
    while not isinstance(found, Published):
        if found is None and _fits_one_put(job):
            return _put_whole(job)
        session = found or create(job)
        rounds += 1
        try:
            return _transfer(job, session)
        except UploadGoneError as error:
            found = _after_gone(job, session, error, last=rounds == _ROUNDS)
    return _result(job, None, clean_up(job, None, found))


def _fits_one_put(job: Job) -> bool:
    return job.source.size <= min(job.part_size, job.window.budget, job.store.limits.max_put)


def _transfer(job: Job, session: Session) -> UploadResult:
    try:
        parts, receipts = send_parts(job, session)
        done = finish(job, session, parts)
    except UploadGoneError:
        raise
    except BaseException as error:
        if isinstance(error, RequestRefusedError) and error.code == "part_invalid":
            raise UploadGoneError(error.message, hint=error.hint, context=error.context) from error
        _leave(job, session, error)
        raise
    return _result(job, session, clean_up(job, session.stored, done), receipts)


def _leave(job: Job, session: Session, error: BaseException) -> None:
    """On the way out of a failure: what is kept?

    Nothing, without a record to find it by. Nothing, where the bytes are in doubt: parts that were read while the
    source changed, or that somebody else wrote, must not be met again under the same identity. Else everything.
    """
    if not job.resumable or isinstance(error, IntegrityError):
        discard(job, session.stored, hurry=isinstance(error, (KeyboardInterrupt, TransferCancelled)))
        job.log.note("nothing of this upload is kept")
    elif isinstance(error, StorageError):
        error.advise(_KEPT)
    else:
        job.log.note("parts already sent are kept")


def _after_gone(job: Job, session: Session, error: UploadGoneError, *, last: bool) -> Published | None:
    """The upload cannot be finished: it is done already (by us, or by another run), or it is redone, once."""
    done = published(job, session.record, look(job))
    if done is not None:
        return done
    discard(job, session.stored)
    if last:
        expiry = job.store.limits.upload_expiry_s
        error.advise(f"The service drops unfinished uploads after {expiry / 3600:.0f} h" if expiry else "Run again")
        raise error
    job.log.note(f"the upload could not be finished ({error.message}): started afresh")
    return None


def _put_whole(job: Job) -> UploadResult:
    """Send an object that fits one slot with a single put, which is atomic by itself and needs no record."""
    span = Span(1, 0, job.source.size)
    stop = Cancel(job.cancel)
    meter = Meter(Progress(0, span.length, 0, 1, job.part_size), job.listener)
    crew = Crew([span], lambda one: _put(job, one, meter, stop), stop)
    crew.run(1)
    done, receipt = crew.results[1]
    return _result(job, None, clean_up(job, None, done), (receipt,))


def _put(job: Job, span: Span, meter: Meter, stop: Cancel) -> tuple[Published, PartReceipt]:
    hasher = new_hasher(job.store.limits.checksum)
    with job.window.slot(max(span.length, 1), stop) as buffer:
        data = buffer[: span.length]
        fill(job.source, span, data, hasher, stop)
        job.source.verify()
        seen = hasher.checksum()
        body = MemoryBody(data, seen, meter, stop)
        put = job.store.with_cancel(stop).put(job.bucket, job.key, body, job.options(job.clock.token()))
    job.log.sent(span.length)
    receipt = PartReceipt(1, span.length, put.etag, f"{seen.algorithm}:{seen.value}")
    return Published(put.etag, "put", put.version), receipt


def _result(job: Job, session: Session | None, done: Published, receipts: Sequence[PartReceipt] = ()) -> UploadResult:
    if done.superseded_by:
        job.log.note(f"complete, but superseded by {done.superseded_by}")
    if done.replaced:
        job.log.note(f"replaced an object that was written meanwhile (etag {done.replaced})")
    sent = sum(job.log.acknowledged)
    return UploadResult(
        bucket=job.bucket,
        key=job.key,
        size=job.source.size,
        etag=done.etag,
        sent=sent,
        kept=max(0, job.source.size - sent),
        parts=session.plan.count if session else 1,
        part_size=session.plan.part_size if session else job.part_size,
        resumed=bool(session and session.resumed) or not receipts,
        proof=done.proof,
        superseded_by=done.superseded_by,
        replaced=done.replaced,
        version=done.version,
        receipt=tuple(receipts),
        notes=tuple(job.log.lines),
    )
