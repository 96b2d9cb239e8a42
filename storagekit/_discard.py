"""Give up an upload: abort it, forget its record. The one place that does, and it never raises.

It runs on the way out of other things (a failure, a success, a fresh start) which it must neither hide nor stop, so
what goes wrong becomes a note. Its requests do not end with the transfer's own cancellation; but once that is set, the
caller wants to leave (``hurry``), and gets 1.5 s of patience.
"""

from __future__ import annotations

import threading

from storagekit._clock import LAST_WORDS_S, Cancel
from storagekit._job import Job
from storagekit._record import StoredRecord
from storagekit.errors import StorageError


def discard(
    job: Job, stored: StoredRecord, why: str | None = None, *, completed: bool = False, hurry: bool = False
) -> bool:
    """Abort the upload, unless it is ``completed``, and then delete its record; ``why`` is noted.

    In this order: the other way round, a crash between the two would orphan the upload. Returns whether that was done;
    where it is not waited for, it was not.
    """
    if why:
        job.log.note(why)
    if not hurry and not job.cancel.is_set:
        return _discard(job, stored, completed=completed)
    thread = threading.Thread(target=_discard, args=(job, stored), kwargs={"completed": completed}, daemon=True)
    thread.start()
    thread.join(LAST_WORDS_S)
    return False


def _discard(job: Job, stored: StoredRecord, *, completed: bool) -> bool:
    try:
        if not completed:
            job.store.with_cancel(Cancel()).abort(stored.record.upload)
        if stored.name:
            job.tidying.delete(stored)
    except (StorageError, OSError) as error:  # OSError: a local record that cannot be deleted
        job.log.note(f"upload {stored.record.upload_id or stored.name} could not be cleaned up: {error}")
        return False
    return True
