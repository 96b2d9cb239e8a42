"""What is asked for is announced first: so that no kill leaves an upload behind that nobody knows.

Between the answer to ``create_upload`` and the record of it a run can be killed, and nothing tells whose upload the
service then lists. So an intent is written before: a record without an upload id, with the ids that the service
listed for the key just before. The run that publishes the object looks for intents of its source without a record, and
aborts the one upload that was begun in that moment, has no part and is nobody's (``_resume.orphan``). A live run between
the two requests that loses its upload this way notices with its first part, and begins once more.
"""

from __future__ import annotations

from collections.abc import Sequence

from storagekit._discard import discard
from storagekit._job import Job
from storagekit._record import Record, StoredRecord
from storagekit._resume import ABANDONED, orphan
from storagekit.errors import PermissionDeniedError, RequestRefusedError, StorageError, UploadGoneError
from storagekit.types import ObjectInfo


def announce(job: Job, record: Record) -> StoredRecord | None:
    """Write the intent; None where nothing is recorded, or the service does not list uploads."""
    if not job.resumable:
        return None
    try:
        seen = tuple(upload.id for upload in job.store.uploads(job.bucket, job.key))
    except (PermissionDeniedError, RequestRefusedError):
        return None
    return job.records.save(record.announced(seen))


def forget(job: Job, intent: StoredRecord | None) -> None:
    """Delete an intent whose upload is recorded. What goes wrong is a note: the next run deletes it."""
    if intent is None:
        return
    try:
        job.records.delete(intent)
    except (StorageError, OSError) as error:
        job.log.note(f"an intent could not be deleted: {error}")


def clear(job: Job, records: Sequence[StoredRecord], at_key: ObjectInfo | None) -> None:
    """Drop what runs of this source were killed over before they recorded it; of other sources, after 24 h."""
    recorded = {stored.record.token: stored.record.upload_id for stored in records if not stored.record.is_intent}
    for intent in [stored for stored in records if stored.record.is_intent]:
        if intent.record.token not in recorded:
            if not (_is_ours(job, intent.record) or _is_old(intent, at_key)):
                continue
            _drop(job, intent, list(recorded.values()))
        forget(job, intent)


def _is_ours(job: Job, record: Record) -> bool:
    return record.identity == job.identity.digest and not job.alive.is_held(record.token)


def _is_old(intent: StoredRecord, at_key: ObjectInfo | None) -> bool:
    now = at_key.modified if at_key else None
    return now is not None and intent.modified is not None and now - intent.modified > ABANDONED


def _drop(job: Job, intent: StoredRecord, recorded: Sequence[str]) -> None:
    found = orphan(intent, job.store.uploads(job.bucket, job.key), recorded)
    if found is None:
        return
    lost = StoredRecord(intent.record.begun_as(found.id), "", None)
    try:
        empty = not job.store.parts(lost.record.upload)
    except UploadGoneError:
        return
    if empty:
        discard(job, lost, "dropped an empty upload that an earlier run was killed over")
