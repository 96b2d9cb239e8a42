"""Publish the object, judge the answer, and clean up.

A complete is never repeated blindly. Its answer may be lost although it landed, and all vendor SDKs report success
for a complete that failed inside a 200; so what counts is what HEAD then shows at the key:

    answer        at the key                         verdict
    acknowledged  our token, the right size          done (``head``)
    acknowledged  HEAD is refused                    done (``etag``)
    acknowledged  what was there just before         the answer was false: try again
    acknowledged  another object                     done, superseded by another writer
    lost          our token, or the same source      done (``head``, ``source``)
    lost          anything else                      try again; "upload gone" is judged in ``uploader.py``
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from storagekit import _metadata
from storagekit._guard import classify
from storagekit._job import Job, Published, Session
from storagekit._record import Record, StoredRecord
from storagekit._resume import differing, overtaken, proof, stale
from storagekit._retry import RETRYABLE
from storagekit._start import already_published, look
from storagekit.driver import Code, DriverError, Failure
from storagekit.errors import IntegrityError, PermissionDeniedError, StorageError, UploadGoneError
from storagekit.types import ObjectInfo, Part, PutResult


def finish(job: Job, session: Session, parts: Mapping[int, Part]) -> Published:
    """Publish the object made of ``parts``, which are all parts of the plan.

    Raises SourceChangedError, IntegrityError (somebody else wrote into the upload), UploadGoneError, ServiceError.
    """
    job.source.verify()
    if session.resumed:
        _check_listing(job, session, parts)
    chosen = [parts[span.number] for span in session.plan.spans()]
    return _Completion(job, session, chosen, before=look(job)).run()


def _check_listing(job: Job, session: Session, parts: Mapping[int, Part]) -> None:
    wrong = differing(parts, job.store.parts(session.record.upload))
    if wrong:
        raise IntegrityError(
            f"the service lists other parts than were sent: {', '.join(map(str, wrong[:10]))}",
            hint="Somebody else wrote into this upload; run again with restart to send everything afresh",
        )


class _Completion:
    """The tries of one complete. ``before`` is what lay at the key just before the first."""

    def __init__(self, job: Job, session: Session, parts: list[Part], before: ObjectInfo | None) -> None:
        self._job = job
        self._record = session.record
        self._parts = parts
        self._before = before
        self._replaced = before.etag if before and overtaken(session.record, before) else None

    def run(self) -> Published:
        """Complete and judge until the object is there; tries and delays are the retry policy's."""
        job = self._job
        return job.store.call("complete_upload", self._attempt, job.bucket, job.key)

    def _attempt(self) -> Published:
        driver = self._job.store.driver
        try:
            answer = driver.complete_upload(self._record.upload, self._parts)
        except Exception as error:
            if classify(driver.classify, error).code in RETRYABLE:
                done = already_published(self._job, self._record, look(self._job))
                if done is not None:
                    return done
            raise
        return self._confirm(answer)

    def _confirm(self, answer: PutResult) -> Published:
        try:
            info = self._job.store.find(self._record.bucket, self._record.key)
        except PermissionDeniedError:
            return Published(answer.etag, "etag", answer.version, replaced=self._replaced)
        how = proof(info, self._record.token, self._job.request.identity, self._record.size)
        if info is not None and how is not None:
            return Published(info.etag, how, info.version, replaced=self._replaced)
        return self._other_object(info, answer)

    def _other_object(self, info: ObjectInfo | None, answer: PutResult) -> Published:
        if info is not None and info.metadata.get(_metadata.TOKEN) == self._record.token:
            raise IntegrityError(
                f"the object has {info.size:,} bytes where {self._record.size:,} were sent",
                hint="Delete it and upload again",
            )
        if info is None or (self._before is not None and info.etag == self._before.etag):
            raise DriverError(Failure(Code.SERVER, "the service acknowledged the complete but published nothing"))
        return Published(answer.etag, "superseded", superseded_by=_who(info), replaced=self._replaced)


def _who(info: ObjectInfo) -> str:
    when = f" of {info.modified:%Y-%m-%d %H:%M:%S} UTC" if info.modified else ""
    return f"an object{when} with etag {info.etag}"


def clean_up(job: Job, own: StoredRecord | None) -> ObjectInfo | None:
    """Delete every record of this source for the key and abort its upload; the same for abandoned other sources.

    ``own`` is the record of the upload that was just completed. A failure here is a note: the object is there.
    Returns what lies at the key by now, as far as that can be seen.
    """
    try:
        records = job.records.load(job.bucket, job.key)
        mine = [stored for stored in records if stored.record.identity == job.request.identity.digest]
        for stored in mine:
            _drop(job, stored, completed=own is not None and stored.record.token == own.record.token)
        at_key = look(job)
        for stored in records:
            if stored not in mine and _is_stale(job, stored, at_key):
                _drop(job, stored, completed=False)
                job.log.note(f"dropped an upload of {stored.record.source} that got no part for 24 h")
    except StorageError as error:
        job.log.note(f"the object is complete, but cleaning up after it failed: {error}")
        return None
    return at_key


def as_of_now(published: Published, record: Record, at_key: ObjectInfo | None) -> Published:
    """Return the end of the upload as the last look shows it: another writer may have come meanwhile."""
    theirs = at_key is not None and at_key.metadata.get(_metadata.TOKEN) != record.token
    if at_key is None or not theirs or published.proof != "head":
        return published
    if at_key.metadata.get(_metadata.SOURCE) == record.identity:
        return published
    return replace(published, proof="superseded", superseded_by=_who(at_key))


def _drop(job: Job, stored: StoredRecord, *, completed: bool) -> None:
    """Abort before the record goes: the other way round, a crash between the two would orphan the upload."""
    if not completed:
        job.store.abort(stored.record.upload)
    job.records.delete(stored)


def _is_stale(job: Job, stored: StoredRecord, at_key: ObjectInfo | None) -> bool:
    try:
        parts = job.store.parts(stored.record.upload)
    except UploadGoneError:
        return True
    return stale(stored, parts, at_key.modified if at_key else None)
