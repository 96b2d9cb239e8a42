"""One upload from its beginning to its end: begin, send, finish; once afresh where the service lost it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from storagekit._context import UploadContext
from storagekit._copy import copy_whole, fits_one_copy
from storagekit._discard import discard
from storagekit._finish import check_parts, clean_up, finish, require_absent
from storagekit._help import beyond_help, copies_no_parts
from storagekit._intent import clear
from storagekit._job import Job, Published, Sent, Session
from storagekit._ordered import Loaded, Reading
from storagekit._plan import Plan, reach
from storagekit._put import fits_one_put, never_has_parts, put_part, put_source
from storagekit._record import Record, StoredRecord
from storagekit._records import Records
from storagekit._replay import SourceBroke, send_in_order
from storagekit._resume import kept_parts, unbroken
from storagekit._send import send_parts
from storagekit._source import Access, endless
from storagekit._start import begin, create, look, new_record, published, published_before
from storagekit._units import show_size
from storagekit.errors import (
    ConfigurationError,
    ConflictError,
    IntegrityError,
    RequestRefusedError,
    ServiceError,
    SourceTruncatedError,
    StorageError,
    TransferCancelled,
    UploadGoneError,
)
from storagekit.types import PartReceipt, UploadResult, uri_of

_ROUNDS = 2  # an upload that the service lost is begun afresh once; then something is wrong with the service

_SAME_BREAKS = 3

_LONGEST_WAIT_S = 20.0  # before a source that broke off is read again

_KEPT = "Parts already sent are kept: run again to go on from there, or with restart (--restart) to discard them"


class _Lost(Exception):
    """The service no longer knows the upload of ``session``. ``size`` is what was sent, where all of it was."""

    def __init__(self, session: Session, error: UploadGoneError, size: int | None) -> None:
        super().__init__(str(error))
        self.session = session
        self.error = error
        self.size = size


class _NoCopies(Exception):
    """The service does not copy the ranges of objects; ``session`` is the upload that they were wanted for."""

    def __init__(self, session: Session) -> None:
        super().__init__("the service does not copy parts of objects")
        self.session = session


class _Broke(Exception):
    """The source broke off while it was sent to the upload of ``session``, or before there was one."""

    def __init__(self, session: Session | None, error: StorageError, offset: int) -> None:
        super().__init__(str(error))
        self.session = session
        self.error = error
        self.offset = offset


def run(job: Job, discarding: Records) -> UploadResult:
    """Upload the job's source. First every upload of this key that ``discarding`` knows is given up (``restart``)."""
    check_possible(job)
    restart(job, discarding)
    if never_has_parts(job):
        done, receipt = put_source(job)
        return _result(job, None, done, (receipt,))
    found = begin(job)
    if not isinstance(found, Published):
        require_absent(job)
    lost = 0
    breaks: list[int] = []
    broken: _Broke | None = None
    while not isinstance(found, Published):
        try:
            if broken is not None:
                again, broken = broken, None
                found = _read_again(job, again, breaks)
            return _attempt(job, found)
        except _NoCopies as end:
            discard(job, end.session.stored)
            job.log.note(f"{end}: read and sent instead")
            job, found = job.read_through(), None
        except _Lost as end:
            lost += 1
            last = lost == _ROUNDS or job.source.access is Access.ONCE
            found = _after_gone(job, end, last=last)
        except _Broke as end:
            breaks.append(end.offset)
            broken = end
    return _result(job, None, clean_up(job, None, found))


def init(job: Job, discarding: Records) -> UploadContext:
    """Begin or find the upload of a source that the caller opens itself, and say from where it is wanted."""
    _check_memory(job)
    restart(job, discarding)
    found = begin(job) or create(job)
    if isinstance(found, Published):
        return UploadContext(found.size or 0, new_record(job, None), found)
    plan = found.plan
    offset = plan.offset(unbroken(plan, found.kept) + 1) if job.identity.strong else 0
    return UploadContext(offset, found.record)


def go_on(job: Job, context: UploadContext) -> UploadResult:
    """Finish an upload that ``init`` began; its source begins at ``context.offset``."""
    offset, size = context.offset, job.request.size
    if size is not None and size < offset:
        raise ConfigurationError(
            f"the service has {offset:,} bytes, and the whole size was said to be {size:,}",
            hint="Give the size of the whole source, not of what is left of it",
        )
    if context.done is not None:
        return _done_already(job, context.done)
    session = Session(_stored(job, context.record), {}, resumed=True)
    if not job.alive.hold(context.record.token) and not context.record.strong:
        raise ConflictError(
            "another stream is being sent to this upload", hint="Use a context for one stream; call init_upload again"
        )
    try:
        session = replace(session, kept=kept_parts(session.plan, job.store.parts(session.record.upload)))
    except UploadGoneError as error:
        return _after_all(job, _Lost(session, error, None))
    _check_reach(job, session.plan)
    trusted = _trusted(session, offset)
    if offset and offset == size:
        return _judged(job, session, lambda one: send_in_order(job, one, None, trusted))
    with Reading(job, offset) as reading:
        return _judged(job, session, lambda one: send_in_order(job, one, reading, trusted))


def _stored(job: Job, record: Record) -> StoredRecord:
    """Return the record where it lies; without a place, where it is not recorded any more."""
    found = [one for one in job.records.load(job.bucket, job.key) if one.record == record]
    return found[0] if found else StoredRecord(record, "", None)


def _done_already(job: Job, done: Published) -> UploadResult:
    """Return the result for an object that ``init`` found, if it is still there and what the caller means."""
    at_key, size = look(job), job.request.size
    if at_key is None or at_key.etag != done.etag:
        raise UploadGoneError(
            "the object that an earlier run published is not there any more", hint="Call init_upload again"
        )
    if size not in (None, at_key.size):
        raise IntegrityError(
            f"the object of this source has {at_key.size:,} bytes, and {size:,} were said",
            hint="Give another source_id for other content, or restart",
        )
    return _result(job, None, clean_up(job, None, done))


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
    source = job.source
    _check_memory(job)
    _check_reach(job, job.plan)
    if not source.ends_itself and job.request.size is None and job.sha256 is None:
        raise endless(job.identity.shown)
    if not job.identity.strong and source.access is Access.RESTART:
        why = "has no strong ETag, and no Last-Modified that is a minute old"
        job.log.note(f"{job.identity.shown} {why}: read in order, and compared when resumed")


def _check_memory(job: Job) -> None:
    size = job.plan.part_size
    if job.in_order and size > job.window.budget:
        raise ConfigurationError(
            f"a source that is read in order needs parts of {size:,} bytes, more than the memory budget",
            hint=f"Give memory (--memory) of at least {2 * size:,} bytes",
        )


def _check_reach(job: Job, plan: Plan) -> None:
    """Say how far a plan of unknown length reaches. Raises ConfigurationError where that is known to be too little."""
    if plan.size is not None:
        return
    most, size = reach(plan, job.store.limits), job.request.size
    if size is None:
        gib = most / 1024**3
        job.log.note(f"length unknown: up to {gib:,.1f} GiB can be stored with this memory budget and part size")
    elif size > most:
        raise ConfigurationError(
            f"{size:,} bytes are more than the {most:,} that this upload can hold",
            hint="Call init_upload with restart, and a larger part_size or more memory",
        )


def restart(job: Job, discarding: Records) -> None:
    """Give up every upload of this key that ``discarding`` knows."""
    found = discarding.load(job.bucket, job.key)
    theirs = replace(job, records=discarding, tidying=discarding)
    for stored in [one for one in found if not one.record.is_intent]:
        discard(theirs, stored, f"discarded an unfinished upload of {stored.record.source}")
    if any(stored.record.is_intent for stored in found):
        clear(theirs, None, look(job), everything=True)


def _attempt(job: Job, found: Session | None) -> UploadResult:
    if not job.in_order:
        if found is None and job.copied is not None and fits_one_copy(job, job.copied):
            return _at_once(job, copy_whole(job, job.copied))
        if found is None and job.copied is None and fits_one_put(job, job.source.size or 0):
            return _at_once(job, put_source(job))
        return _transfer(job, found or create(job), lambda session: send_parts(job, session))
    with Reading(job) as reading:
        if found is None and (only := _only_part(job, reading)) is not None:
            return _at_once(job, put_part(job, only))
        return _transfer(job, found or create(job), lambda session: send_in_order(job, session, reading))


def _at_once(job: Job, ended: tuple[Published, PartReceipt]) -> UploadResult:
    done, receipt = ended
    return _result(job, None, clean_up(job, None, done), (receipt,))


def _only_part(job: Job, reading: Reading) -> Loaded | None:
    """Return the first part where the source has no other and one put holds it; otherwise ``reading`` keeps it."""
    try:
        first = reading.first(job.plan)
        if not reading.ended() or not fits_one_put(job, first.length):
            return None
        reading.finish()
    except ServiceError as error:
        raise _Broke(None, error, reading.offset) from error
    reading.hand_over()
    return first


def _transfer(job: Job, session: Session, send: Callable[[Session], Sent]) -> UploadResult:
    size: int | None = None
    job.alive.hold(session.record.token)
    try:
        sent = send(session)
        if session.record.strong:
            size = sent.size
        check_parts(job, session, sent)
        size = sent.size  # of a weak identity the token proves nothing before: two streams may share an upload
        done = finish(job, session, sent)
    except SourceBroke as broke:
        broke.error.advise(_KEPT) if job.resumable else _leave(job, session, broke.error)
        raise _Broke(session, broke.error, broke.offset) from broke
    except BaseException as error:
        if copies_no_parts(error):
            raise _NoCopies(session) from error
        gone = beyond_help(job, session, error)
        if gone is not None:
            raise _Lost(session, gone, None if isinstance(error, RequestRefusedError) else size) from error
        _leave(job, session, error)
        raise
    return _result(job, session, clean_up(job, session.stored, done), sent.receipts)


def _leave(job: Job, session: Session, error: BaseException) -> None:
    """On the way out of a failure: what is kept?

    Nothing, without a record to find it by. Nothing, where the bytes are in doubt: parts that were read while the
    source changed, or that somebody else wrote, must not be met again under the same identity. Else everything: also
    of a stream that ended early, whose parts are compared before they are used.
    """
    if not job.resumable or _is_doubtful(job, error):
        discard(job, session.stored, hurry=isinstance(error, (KeyboardInterrupt, TransferCancelled)))
        job.log.note("nothing of this upload is kept")
    elif isinstance(error, StorageError):
        error.advise(_KEPT)
    else:
        job.log.note(f"{show_size(session.kept_bytes + sum(job.log.acknowledged))} in parts already sent are kept")


def _is_doubtful(job: Job, error: BaseException) -> bool:
    """Tell whether ``error`` casts doubt on parts that the service took: not so if it only refused a damaged one."""
    if isinstance(error, SourceTruncatedError):
        return not job.in_order
    return isinstance(error, IntegrityError) and error.operation != "put_part"


def _after_gone(job: Job, end: _Lost, *, last: bool) -> Published | None:
    """The upload cannot be finished: it is done already (by us, or by another run), or it is redone, once."""
    record, at_key = end.session.record, look(job)
    done = published_before(job, record, at_key) if end.size is None else published(job, record, at_key, end.size)
    if done is not None:
        return done
    discard(job, end.session.stored)
    if last:
        expiry = job.store.limits.upload_expiry_s
        end.error.advise(f"The service drops unfinished uploads after {expiry / 3600:.0f} h" if expiry else "Run again")
        raise end.error
    job.log.note(f"the upload could not be finished ({end.error.message}): started afresh")
    return None


def _read_again(job: Job, end: _Broke, breaks: Sequence[int]) -> Session | None:
    """The source broke off. Read it once more from its start: what was sent is compared, and not sent again.

    ``breaks`` are the offsets at which it did so far. The third time at the same one it is the source that is short.
    """
    times = len(breaks)
    hopeless = times >= job.readings or breaks[-_SAME_BREAKS:] == [end.offset] * _SAME_BREAKS
    if job.source.access is Access.ONCE or hopeless or not (job.resumable or end.session is None):
        raise end.error
    job.log.note(f"{end.error.message}: read again from the start")
    job.clock.sleep(min(2.0**times, _LONGEST_WAIT_S) * job.clock.random(), job.cancel)
    if end.session is None:
        return None
    record = end.session.record
    try:
        listed = job.store.parts(record.upload)
    except UploadGoneError as error:
        raise _Lost(end.session, error, None) from error
    return Session(end.session.stored, kept_parts(record.plan, listed), resumed=True)


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
        checksum=done.checksum,
        uri=uri_of(job.store.guard.backend, job.bucket, job.key),
    )
