"""Begin an upload, or adopt the one that an earlier run of the same source left.

The decisions are in ``_resume.py``; here are the requests around them: load the records of the key, ask the service
which of those uploads it still knows, and create a new one where none can be gone on with.
"""

from __future__ import annotations

from collections.abc import Sequence

from storagekit._job import Job, Published, Session
from storagekit._plan import plan_parts
from storagekit._record import Record, StoredRecord
from storagekit._resume import Candidate, choose, kept_parts, overtaken, proof, split
from storagekit.errors import PermissionDeniedError, StorageError, UploadGoneError
from storagekit.types import ObjectInfo


def begin(job: Job) -> Session | Published | None:
    """Return the upload to go on with; or the object, where an earlier run had published it; or None.

    None: nothing was begun for this source; the caller decides between a put and ``create``.
    """
    mine, others = split(job.records.load(job.bucket, job.key), job.request)
    for other in others:
        job.log.note(f"an unfinished upload of another source or version ({other.record.source}) was left alone")
    live, gone = _look_for(job, mine)
    chosen = choose(live)
    at_key = look(job) if mine else None
    for stored in gone if chosen is None else [chosen.stored]:
        found = already_published(job, stored.record, at_key)
        if found is not None and (chosen is None or found.proof == "head"):
            return found  # Swift still lists the parts of an upload that was completed
    if chosen is not None:
        return _adopt(job, chosen, at_key)
    for stored in gone:
        job.records.delete(stored)
        job.log.note(f"the service no longer knew the earlier upload{_expiry(job)}: started afresh")
    return None


def discard_all(job: Job) -> None:
    """``restart``: abort every recorded upload of this key, whoever began it, and delete its record."""
    for stored in job.records.load(job.bucket, job.key):
        job.store.abort(stored.record.upload)
        job.records.delete(stored)
        job.log.note(f"discarded an unfinished upload of {stored.record.source}")


def create(job: Job) -> Session:
    """Create an upload on the service and record it; without a record it would be lost, so it is aborted then."""
    at_key = look(job)
    identity = job.request.identity
    plan = plan_parts(job.source.size, job.store.limits, job.part_size)
    token = job.clock.token()
    options = job.options(token)
    driver = job.store.driver
    upload = job.store.call(
        "create_upload",
        lambda: driver.create_upload(job.bucket, job.key, options, plan.part_size),
        job.bucket,
        job.key,
    )
    record = Record(
        bucket=job.bucket,
        key=job.key,
        upload_id=upload.id,
        token=token,
        identity=identity.digest,
        source=identity.shown,
        size=plan.size,
        part_size=plan.part_size,
        content_type=job.content_type,
        metadata_digest=job.request.metadata_digest or "",
        stored=dict(options.metadata),
        previous_etag=at_key.etag if at_key else None,
    )
    try:
        stored = job.records.save(record)
    except BaseException:
        abandon(job, record)
        raise
    return Session(stored, {}, resumed=False)


def abandon(job: Job, record: Record) -> None:
    """Abort an upload on the way out of a failure; the failure is what the caller gets to see."""
    try:
        job.store.abort(record.upload)
    except StorageError as error:
        job.log.note(f"the unfinished upload {record.upload_id} could not be aborted: {error.message}")


def look(job: Job) -> ObjectInfo | None:
    """Return what lies at the key; credentials that may only write see nothing."""
    try:
        return job.store.find(job.bucket, job.key)
    except PermissionDeniedError:
        return None


def already_published(job: Job, record: Record, at_key: ObjectInfo | None) -> Published | None:
    """Return the end of an upload that the service no longer knows, if the object shows that it was completed."""
    how = proof(at_key, record.token, job.request.identity, record.size)
    if at_key is None or how is None:
        return None
    return Published(at_key.etag, how, at_key.version)


def _look_for(job: Job, mine: Sequence[StoredRecord]) -> tuple[list[Candidate], list[StoredRecord]]:
    live, gone = [], []
    for stored in mine:
        try:
            live.append(Candidate(stored, job.store.parts(stored.record.upload)))
        except UploadGoneError:
            gone.append(stored)
    return live, gone


def _adopt(job: Job, chosen: Candidate, at_key: ObjectInfo | None) -> Session | None:
    record = chosen.stored.record
    if overtaken(record, at_key):
        if job.store.limits.complete_order == "initiation":
            job.store.abort(record.upload)
            job.records.delete(chosen.stored)
            job.log.note("another object was written to the key meanwhile and would win: started afresh")
            return None
        job.log.note("another object was written to the key since this upload was begun; it will be replaced")
    return Session(chosen.stored, kept_parts(record.plan, chosen.parts), resumed=True)


def _expiry(job: Job) -> str:
    expiry = job.store.limits.upload_expiry_s
    return f" (it drops them {expiry / 3600:.0f} h after their beginning)" if expiry else ""
