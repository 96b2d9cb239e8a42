"""Publish the object, judge the answer, and clean up.

A complete is never repeated blindly. Its answer may be lost although it landed, and all vendor SDKs report success
for a complete that failed inside a 200; so what counts is what HEAD then shows at the key:

    answer        at the key                         verdict
    acknowledged  our token, the right size          done (``head``)
    acknowledged  HEAD is refused                    done (``etag``)
    acknowledged  what was there just before         the answer was false: try again (*)
    acknowledged  another object                     done, superseded by another writer
    lost          our token, or the same source,     done (``head``, ``source``)
                  published since we began
    lost          anything else                      try again; "upload gone" is judged in ``_run.py``

(*) Where the last *initiated* upload wins (OBS) and another object came since we began, that is no lie: superseded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from storagekit import _metadata
from storagekit._discard import discard
from storagekit._guard import classify
from storagekit._hash import joined
from storagekit._intent import clear
from storagekit._job import Job, Published, Sent, Session
from storagekit._record import Record, StoredRecord
from storagekit._resume import ABANDONED, IDLE, differing, is_made_by, overtaken, proof, quiet_for
from storagekit._retry import RETRYABLE
from storagekit._send import proof_of
from storagekit._start import look, published
from storagekit.driver import Code, DriverError, Failure
from storagekit.errors import (
    ConflictError,
    Context,
    IntegrityError,
    PermissionDeniedError,
    StorageError,
    UploadGoneError,
)
from storagekit.types import ObjectInfo, Part, PutResult

_UNCLEAR = RETRYABLE | {Code.PRECONDITION}
"""Failures of a complete after which our object may be there: an earlier try's may even be what is in the way."""


def check_parts(job: Job, session: Session, sent: Sent) -> None:
    """Look once more at the source, and at the parts where another run may have sent some.

    Raises SourceChangedError, IntegrityError or ConflictError (somebody else wrote into the upload), UploadGoneError.
    """
    job.source.verify()
    if job.copied is not None:
        job.copied.look_again(job.cancel)
    if session.resumed or not session.record.strong:
        _check_listing(job, session, sent.parts)


def finish(job: Job, session: Session, sent: Sent) -> Published:
    """Publish the object made of the parts that were ``sent``, which are all parts of the plan.

    Raises ConflictError (with ``overwrite`` off, somebody else wrote to the key), UploadGoneError, ServiceError,
    IntegrityError (the object is not what was sent).
    """
    before = look(job)
    done = published(job, session.record, before, sent.size)
    if done is not None:
        return done  # another run of this source was quicker
    _refuse(job, before)
    return _Completion(job, session, sent, before).run()


def require_absent(job: Job) -> None:
    """Raise ConflictError where there is an object that the caller does not want to be overwritten."""
    if not job.overwrite:
        _refuse(job, look(job))


def _refuse(job: Job, at_key: ObjectInfo | None) -> None:
    if at_key is not None and not job.overwrite:
        raise ConflictError(
            f"there is an object of {at_key.size:,} bytes at the key, and overwrite is off",
            hint="Choose another key, or allow it to be overwritten",
            context=Context(job.store.guard.backend, job.bucket, job.key, "upload", code=Code.PRECONDITION.value),
        )


def _check_listing(job: Job, session: Session, parts: Mapping[int, Part]) -> None:
    """Complete nothing that this run did not see. What is kept of a weak identity is compared before it is used."""
    wrong = differing(parts, job.store.parts(session.record.upload))
    if not wrong:
        return
    what = (
        "somebody else wrote into this upload: the service lists other parts than were sent, "
        f"{', '.join(map(str, wrong[:10]))}"
    )
    if session.record.strong:
        raise IntegrityError(what, hint="The upload was discarded; run again to send everything afresh")
    raise ConflictError(what, hint="Another stream is being sent to the same key; run again when it is done")


class _Completion:
    """The tries of one complete. ``before`` is what lay at the key just before the first."""

    def __init__(self, job: Job, session: Session, sent: Sent, before: ObjectInfo | None) -> None:
        self._job = job
        self._record = session.record
        upload = session.record.upload
        self._upload = replace(upload, options=replace(upload.options, if_absent=not job.overwrite))
        self._parts = [sent.parts[number] for number in sorted(sent.parts)]
        self._size = sent.size
        self._before = before
        self._overtaken = before is not None and overtaken(session.record, before)

    def run(self) -> Published:
        """Complete and judge until the object is there; tries and delays are the retry policy's."""
        job = self._job
        done = job.store.call("complete_upload", self._attempt, job.bucket, job.key)
        return replace(done, replaced=self._before.etag) if self._before and self._overtaken else done

    def _attempt(self) -> Published:
        driver = self._job.store.driver
        try:
            answer = driver.complete_upload(self._upload, self._parts)
        except Exception as error:
            if classify(driver.classify, error).code in _UNCLEAR:
                done = published(self._job, self._record, look(self._job), self._size)
                if done is not None:
                    return done
            raise
        return self._confirm(answer)

    def _confirm(self, answer: PutResult) -> Published:
        try:
            info = self._job.store.find(self._record.bucket, self._record.key)
        except PermissionDeniedError:
            return Published(answer.etag, "etag", answer.version, checksum=self._whole(answer))
        how = proof(info, self._record, self._job.identity, self._size)
        if info is not None and how is not None:
            return Published(info.etag, how, info.version, checksum=self._whole(answer))
        return self._other_object(info, answer)

    def _whole(self, answer: PutResult) -> str | None:
        """Return the object's checksum as the service computed it, if it did; it must be that of the parts together."""
        theirs = answer.checksum
        if theirs is None:
            return None
        pieces = [(part.size, part.checksum) for part in self._parts]
        known = [(size, each.value) for size, each in pieces if each and each.algorithm == theirs.algorithm]
        ours = joined(theirs.algorithm, known) if len(known) == len(pieces) else None
        if ours not in (None, theirs):
            raise IntegrityError(
                f"the object has the {theirs.algorithm} {theirs.value}, which is not that of its parts together",
                hint="Delete it and upload again",
            )
        return proof_of(theirs)

    def _other_object(self, info: ObjectInfo | None, answer: PutResult) -> Published:
        if info is not None and is_made_by(info, self._record):
            raise IntegrityError(
                f"the object has {info.size:,} bytes where {self._size:,} were sent",
                hint="Delete it and upload again",
            )
        unchanged = info is None or (self._before is not None and info.etag == self._before.etag)
        lost = self._overtaken and self._job.store.limits.complete_order == "initiation"
        if info is None or (unchanged and not lost):
            raise DriverError(Failure(Code.SERVER, "the service acknowledged the complete but published nothing"))
        return Published(answer.etag, "superseded", superseded_by=_who(info))


def _who(info: ObjectInfo) -> str:
    when = f" of {info.modified:%Y-%m-%d %H:%M:%S} UTC" if info.modified else ""
    return f"an object{when} with etag {info.etag}"


def clean_up(job: Job, own: StoredRecord | None, done: Published) -> Published:
    """Forget the uploads of this source for the key, and the abandoned ones of other sources.

    ``own`` is the record of the upload that was just completed; ``done`` how. A failure here is a note: the object is
    there. Returns ``done``, as a last look at the key shows it: another writer may have come meanwhile.
    """
    if own is not None:
        discard(job, own, completed=done.proof != "source")
    try:
        records = [stored for stored in job.records.load(job.bucket, job.key) if stored.name != (own and own.name)]
        at_key = look(job) if own is not None or records else None
        for stored in records:
            if not stored.record.is_intent:
                _forget(job, stored, at_key)
        if any(stored.record.is_intent for stored in records):
            clear(job, own, at_key)
    except StorageError as error:
        job.log.note(f"the object is complete, but cleaning up after it failed: {error}")
        return done
    return _as_of_now(done, own.record if own else None, at_key)


def _forget(job: Job, stored: StoredRecord, at_key: ObjectInfo | None) -> None:
    """Discard an upload that no live run can want any more. A stream may be slow, so it has as long as other sources.

    The one that made the object is not aborted while the service still lists it: on Swift, where the complete may be
    under way, that would take the object's parts along.
    """
    record = stored.record
    try:
        parts = job.store.parts(record.upload)
    except UploadGoneError:
        discard(job, stored)
        return
    if is_made_by(at_key, record):
        discard(job, stored, completed=True)
        return
    same = record.strong and record.identity == job.identity.digest
    quiet = quiet_for(_dated(job, stored) if not parts else stored, parts, at_key.modified if at_key else None)
    if quiet > (IDLE if same else ABANDONED):
        hours = quiet.total_seconds() / 3600
        discard(job, stored, f"dropped an upload of {record.source} that got no part for {hours:.1f} h")


def _dated(job: Job, stored: StoredRecord) -> StoredRecord:
    """Return a record with the service's time of the upload's beginning, which one that is kept locally has not."""
    if stored.modified is not None:
        return stored
    pending = job.store.uploads(job.bucket, job.key)
    begun = next((upload.initiated for upload in pending if upload.id == stored.record.upload_id), None)
    return replace(stored, modified=begun)


def _as_of_now(done: Published, record: Record | None, at_key: ObjectInfo | None) -> Published:
    """Return ``done`` as a last look at the key shows it. ``record`` is None where an earlier run had published."""
    if at_key is None or done.proof not in ("head", "source"):
        return done
    if at_key.etag == done.etag if record is None else is_made_by(at_key, record) or done.proof == "source":
        return done
    if record is not None and at_key.metadata.get(_metadata.SOURCE) == record.identity:
        return done
    return replace(done, proof="superseded", superseded_by=_who(at_key))
