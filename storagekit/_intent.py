"""What is asked for is announced first: so that no kill leaves an upload behind that nobody knows.

Between the answer to ``create_upload`` and the record of it a run can be killed, and nothing tells whose upload the
service then lists. So an intent is written before: a record without an upload id, with the ids that the service listed
for the key just before. The run that publishes the object looks for intents of its source without a record, and aborts
the first upload that was begun in that moment, has no part and is nobody's (``_resume.orphans``). A live run between
the two requests that loses its upload this way notices with its first part, and begins once more.
"""

from __future__ import annotations

from datetime import datetime

from storagekit._discard import discard
from storagekit._job import Job
from storagekit._record import Record, StoredRecord
from storagekit._resume import ABANDONED, in_doubt, orphans, unanswered
from storagekit.errors import PermissionDeniedError, RequestRefusedError, StorageError, UploadGoneError
from storagekit.types import ObjectInfo

_MOST_SEEN = 1000  # unfinished uploads of one key: an intent has to stay a small object


def announce(job: Job, record: Record) -> StoredRecord | None:
    """Write the intent; None where nothing is recorded, or the service lists no uploads, or too many."""
    if not job.resumable:
        return None
    try:
        seen = tuple(upload.id for upload in job.store.uploads(job.bucket, job.key))
    except (PermissionDeniedError, RequestRefusedError):
        return None
    return job.records.save(record.announced(seen)) if len(seen) <= _MOST_SEEN else None


def forget(job: Job, intent: StoredRecord | None) -> None:
    """Delete an intent that has done its work. What goes wrong is a note: the next run deletes it."""
    if intent is not None:
        discard(job, intent, completed=True)


def drop_unanswered(job: Job, intent: Record, own: str) -> None:
    """Abort what a try of ``create_upload`` made whose answer was lost, while the last one made ``own``."""
    try:
        pending = job.store.uploads(job.bucket, job.key)
        recorded = {stored.record.upload_id for stored in job.records.load(job.bucket, job.key)}
        for upload in unanswered({*intent.seen, *recorded}, pending, own):
            lost = StoredRecord(intent.begun_as(upload.id), "", None)
            if _is_empty(job, lost.record):
                discard(job, lost, "dropped an upload whose creation was never answered")
    except StorageError as error:
        job.log.note(f"an upload whose creation was never answered may be left: {error}")


def clear(job: Job, own: StoredRecord | None, at_key: ObjectInfo | None, *, everything: bool = False) -> None:
    """Drop what runs of this source were killed over before they recorded it; of other sources, after 24 h.

    ``own`` is the record of the upload that was just completed; ``everything``: of all sources, now. The uploads are
    listed before the records are: of what is recorded meanwhile the record is then seen. The latest intent first: what
    it asked for the ones before did not. Where an upload could not be aborted its intent stays.
    """
    pending = job.store.uploads(job.bucket, job.key)
    known = job.records.load(job.bucket, job.key)
    records = [stored.record for stored in ([*known, own] if own else known)]
    recorded = {record.token: record.upload_id for record in records if not record.is_intent}
    taken = set(recorded.values())
    intents = [stored for stored in known if stored.record.is_intent]
    open_intents = [stored for stored in intents if stored.record.token not in recorded]
    now = at_key.modified if at_key else None
    for intent in reversed(intents):
        if intent in open_intents and not everything:
            others = [one for one in open_intents if one.record.identity != intent.record.identity]
            may_go = _is_ours(job, intent.record) or _is_old(intent, now)
            if not may_go or in_doubt(intent, others, now):
                continue
        found = orphans(intent, pending, taken) if intent in open_intents else []
        lost = next((upload.id for upload in found if _is_empty(job, intent.record.begun_as(upload.id))), None)
        if lost is None or _drop(job, intent, lost):
            forget(job, intent)
        taken |= {lost} if lost else set()


def _drop(job: Job, intent: StoredRecord, upload_id: str) -> bool:
    stored = StoredRecord(intent.record.begun_as(upload_id), "", None)
    return discard(job, stored, "dropped an empty upload that an earlier run was killed over")


def _is_ours(job: Job, record: Record) -> bool:
    return record.identity == job.identity.digest and not job.alive.is_held(record.token)


def _is_old(intent: StoredRecord, now: datetime | None) -> bool:
    return now is not None and intent.modified is not None and now - intent.modified > ABANDONED


def _is_empty(job: Job, record: Record) -> bool:
    try:
        return not job.store.parts(record.upload)
    except UploadGoneError:
        return False
