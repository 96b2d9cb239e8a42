"""Begin an upload, or adopt the one that an earlier run of the same source left.

The decisions are in ``_resume.py``; here are the requests around them: load the records of the key, ask the service
which of those uploads it still knows, and create a new one where none can be gone on with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from storagekit import _metadata
from storagekit._discard import discard
from storagekit._intent import announce, drop_unanswered, forget
from storagekit._job import Job, Published, Session
from storagekit._plan import reach
from storagekit._record import Record, StoredRecord
from storagekit._resume import Candidate, choose, is_made_by, kept_parts, overtaken, proof, split
from storagekit.errors import (
    PermissionDeniedError,
    RequestRefusedError,
    ServiceError,
    StorageError,
    TransferCancelled,
    UploadGoneError,
)
from storagekit.types import ObjectInfo, Upload


def begin(job: Job) -> Session | Published | None:
    """Return the upload to go on with; or the object, where an earlier run had published it; or None.

    None: nothing was begun for this source; the caller decides between a put and ``create``.
    """
    records = [stored for stored in job.records.load(job.bucket, job.key) if not stored.record.is_intent]
    mine, others = split(records, job.request)
    for other in others:
        job.log.note(f"an unfinished upload of another source or version ({other.record.source}) was left alone")
    mine = [stored for stored in mine if _reaches(job, stored.record) and _takes_copies(job, stored.record)]
    if len(mine) + len(others) < len(records):
        job.log.note(
            "an unfinished upload of this source was left alone: size, type, metadata, class or encryption differ"
        )
    mine = [stored for stored in mine if job.alive.hold(stored.record.token) or stored.record.strong]
    live, gone = _ask_for(job, mine)
    at_key = look(job) if mine else None
    chosen = choose(live)
    if chosen is not None:
        return _adopt(job, chosen, at_key)
    for stored in gone:
        found = published_before(job, stored.record, at_key)
        if found is not None:
            return found
    for stored in gone:
        discard(job, stored, f"the service no longer knew the earlier upload{_expiry(job)}: started afresh")
    return None


def _reaches(job: Job, record: Record) -> bool:
    """Tell whether the plan of an upload that was begun without a size has room for the size that is known now."""
    size = job.request.size
    return record.size is not None or size is None or size <= reach(record.plan, job.store.limits)


def _takes_copies(job: Job, record: Record) -> bool:
    """Tell whether parts can be copied into an upload, where that is to be: MinIO wants agreed checksums of them."""
    return job.copied is None or not record.checksum


def create(job: Job) -> Session:
    """Create an upload on the service and record it; without a record it would be lost, so it is aborted then."""
    record = new_record(job, look(job))
    job.alive.hold(record.token)
    intent = announce(job, record)
    upload, tries = _ask_to_create(job, record, intent)
    record = record.begun_as(upload.id, upload.options.checksum)
    try:
        stored = job.records.save(record)
    except BaseException as error:
        orphan = StoredRecord(record, intent.name if intent else "", None)
        discard(job, orphan, hurry=not isinstance(error, Exception))
        raise
    if tries > 1 and intent is not None:
        drop_unanswered(job, intent.record, upload.id)
    forget(job, intent)
    return Session(stored, {}, resumed=False)


def _ask_to_create(job: Job, record: Record, intent: StoredRecord | None) -> tuple[Upload, int]:
    """Create the upload; return it, and how many tries it took.

    Where it may exist although no answer came, the intent stays for the next run.
    """
    tries, options = 0, replace(record.upload.options, checksum=part_checksum(job, record.part_size))

    def create_upload() -> Upload:
        nonlocal tries
        tries += 1
        return job.store.driver.create_upload(job.bucket, job.key, options, record.part_size)

    try:
        upload = job.store.call("create_upload", create_upload, job.bucket, job.key)
    except StorageError as error:
        if tries == 1 and not isinstance(error, (ServiceError, TransferCancelled)):
            forget(job, intent)
        raise
    return upload, tries


def part_checksum(job: Job, part_size: int) -> str | None:
    """Return the checksum to ask for, which must be known before a part is sent.

    It is neither where the service copies the parts by itself (MinIO refuses them then), nor where they are larger than
    the memory budget.
    """
    known = job.copied is None and part_size <= job.window.budget
    return job.store.limits.part_checksum if known else None


def new_record(job: Job, at_key: ObjectInfo | None) -> Record:
    """Return the record of a new upload of the job, which has no upload id yet. ``at_key`` is what lies at its key."""
    plan = job.plan
    token = job.clock.token()
    return Record(
        bucket=job.bucket,
        key=job.key,
        upload_id="",
        token=token,
        identity=job.identity.digest,
        source=job.identity.shown,
        size=plan.size,
        part_size=plan.part_size,
        content_type=job.content_type,
        metadata_digest=job.request.metadata_digest or "",
        stored=dict(job.options(token).metadata),
        previous_etag=at_key.etag if at_key else None,
        previous_token=at_key.metadata.get(_metadata.TOKEN) if at_key else None,
        strong=job.identity.strong,
        promised=job.identity.promised,
        era=plan.era,
        ceiling=plan.ceiling,
        storage_class=job.request.storage_class or "",
        encryption=job.store.limits.encryption,
    )


def look(job: Job) -> ObjectInfo | None:
    """Return what lies at the key. Credentials that may only write see nothing.

    Nor do those who have another key than the object was encrypted with, which S3 answers with a plain 400 (SSE-C).
    """
    try:
        return job.store.find(job.bucket, job.key)
    except PermissionDeniedError:
        return None
    except RequestRefusedError as error:
        if error.status != 400:
            raise
        return None


def published(job: Job, record: Record, at_key: ObjectInfo | None, size: int | None) -> Published | None:
    """Return the end of an upload of ``size`` bytes, if the object at the key shows that it is done."""
    how = proof(at_key, record, job.identity, size)
    if at_key is None or how is None:
        return None
    return Published(at_key.etag, how, at_key.version, size=at_key.size)


def published_before(job: Job, record: Record, at_key: ObjectInfo | None) -> Published | None:
    """Return the same of an upload that this run has sent nothing to: what is still unproven is sent again."""
    return None if job.unproven else published(job, record, at_key, job.request.promised_size)


def _ask_for(job: Job, mine: Sequence[StoredRecord]) -> tuple[list[Candidate], list[StoredRecord]]:
    """Return the recorded uploads that the service still knows, with their parts, and those that it does not."""
    live, gone = [], []
    for stored in mine:
        try:
            live.append(Candidate(stored, job.store.parts(stored.record.upload)))
        except UploadGoneError:
            gone.append(stored)
    return live, gone


def _adopt(job: Job, chosen: Candidate, at_key: ObjectInfo | None) -> Session | Published | None:
    record = chosen.stored.record
    if is_made_by(at_key, record):  # Swift still lists the parts of an upload that was completed
        found = published_before(job, record, at_key)
        if found is None:
            discard(job, chosen.stored, completed=True)
        return found
    if overtaken(record, at_key):
        if job.store.limits.complete_order == "initiation":
            discard(job, chosen.stored, "another object was written to the key and would win: started afresh")
            return None
        job.log.note("another object was written to the key since this upload was begun; it will be replaced")
    return Session(chosen.stored, kept_parts(record.plan, chosen.parts), resumed=True)


def _expiry(job: Job) -> str:
    expiry = job.store.limits.upload_expiry_s
    return f" (it drops them {expiry / 3600:.0f} h after their beginning)" if expiry else ""
