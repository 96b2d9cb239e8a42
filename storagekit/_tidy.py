"""Abort the unfinished uploads that nobody is at work on any more, and delete their records.

What is live and what is another tool's is left alone, and said (``_unfinished.py`` says what that means). Ages and
stillness are measured by the service's own clock: a few bytes are written below ``.storagekit/``, looked at, deleted.

Just before an upload is aborted its lock is taken, its parts are listed again, and the object at its key is looked at.
What is left of the race is the time between the last answer and the abort: a run on another machine that takes the
upload over in that moment loses its parts and begins afresh. On Swift, where it completes in that moment, the object is
left without its parts, so it has to be sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from storagekit._record import StoredRecord
from storagekit._resume import ABANDONED, orphans
from storagekit._store import Store
from storagekit._survey import Entry, Found, Survey
from storagekit._unfinished import Wanted, is_meant, why_not
from storagekit.errors import (
    CredentialsError,
    InvalidNameError,
    ObjectNotFoundError,
    PermissionDeniedError,
    RequestRefusedError,
    StorageError,
)
from storagekit.types import RESERVED_PREFIX, AbortOutcome, PendingUpload, UnfinishedUpload, Upload


@dataclass(frozen=True)
class Tidying:
    """One abort of many uploads. ``token`` names the object by which the service is asked for its time."""

    survey: Survey
    wanted: Wanted
    token: str
    dry_run: bool = False

    def run(self, bucket: str) -> Iterator[AbortOutcome]:
        """Yield what became of each upload that is meant; a failure of one does not stop the others."""
        found = self.survey.find(bucket, self.wanted.beginning)
        now = self._now(bucket, found)
        lost = set()
        for outcome in self._intents(found, now):
            lost.add((outcome.upload.key, outcome.upload.upload_id))
            yield outcome
        for entry in found.entries:
            judged = self.survey.judge(entry, now)
            meant = (entry.upload.key, entry.upload.upload_id) not in lost
            if meant and is_meant(judged.upload, self.wanted, now):
                yield self._one(judged, now)

    def _now(self, bucket: str, found: Found) -> datetime | None:
        if self.dry_run or not (found.intents or any(entry.stored for entry in found.entries)):
            return found.now
        return service_time(self.survey.store, bucket, self.token)

    def _one(self, entry: Entry, now: datetime | None) -> AbortOutcome:
        reason = why_not(entry.upload, self.wanted, now)
        if reason is None and not self.dry_run:
            return _guarded(entry.upload, partial(self._drop, entry, now))
        did = "skipped" if reason else "forgotten" if entry.upload.parts is None else "aborted"
        return AbortOutcome(entry.upload, did, reason)

    def _drop(self, entry: Entry, now: datetime | None) -> AbortOutcome:
        if not all(self.survey.alive.hold(one.record.token) for one in entry.stored):
            return AbortOutcome(entry.upload, "skipped", "live")
        again = self.survey.look_again(entry, now)
        if again.upload.live:
            return AbortOutcome(again.upload, "skipped", "live")
        return drop(self.survey, again)

    def _intents(self, found: Found, now: datetime | None) -> Iterator[AbortOutcome]:
        """Clear what runs that are long dead announced and never recorded; the latest first, as ``_intent.py`` does."""
        taken = {entry.upload.upload_id for entry in found.entries if entry.stored}
        old = [intent for intent in found.intents if self._may_go(intent, now)]
        for intent in sorted(old, key=_written, reverse=True):
            lost = self._asked_for(intent, found.pending, taken)
            if found.pending is not None and self.survey.alive.hold(intent.record.token):
                taken |= {lost.id} if lost else set()
                upload = _announced(intent, lost)
                yield _guarded(upload, partial(self._clear, intent, upload))

    def _may_go(self, intent: StoredRecord, now: datetime | None) -> bool:
        if now is None or intent.modified is None or not self.wanted.takes(intent.record.key):
            return False
        age = now - intent.modified
        return age > ABANDONED and age >= (self.wanted.older_than or ABANDONED)

    def _asked_for(
        self, intent: StoredRecord, pending: tuple[PendingUpload, ...] | None, taken: set[str]
    ) -> PendingUpload | None:
        candidates = orphans(intent, pending or (), taken)
        return next((one for one in candidates if self._is_empty(_handle(intent, one))), None)

    def _is_empty(self, upload: Upload) -> bool:
        try:
            return self.survey.parts(upload) == {}
        except (RequestRefusedError, InvalidNameError):
            return False  # that cannot be seen

    def _clear(self, intent: StoredRecord, upload: UnfinishedUpload) -> AbortOutcome:
        if not self.dry_run:
            if upload.upload_id:
                self.survey.store.abort(Upload(upload.bucket, upload.key, upload.upload_id))
            self.survey.forget(intent)
        return AbortOutcome(upload, "aborted" if upload.upload_id else "forgotten")


def drop(survey: Survey, entry: Entry) -> AbortOutcome:
    """Abort an upload that has not made its object, then delete its records. In this order, as ``_discard.py`` does."""
    if entry.upload.parts is not None:
        survey.store.abort(entry.handle)
    for stored in entry.stored:
        survey.forget(stored)
    return AbortOutcome(entry.upload, "forgotten" if entry.upload.parts is None else "aborted")


def drop_one(survey: Survey, entry: Entry) -> None:
    """Abort this upload, whoever's it is and however live, unless it has already made its object.

    On Swift that could take the object's parts along: an abort during the complete does (seen once in 40 pairs of
    processes), one after it is refused as NoSuchKey (seen with 2.38). Another tool's upload has no token to tell by.
    """
    if not any(survey.has_made_its_object(one.record) for one in entry.stored):
        survey.store.abort(entry.handle)
    for one in entry.stored:
        survey.forget(one)


def service_time(store: Store, bucket: str, token: str) -> datetime | None:
    """Return the service's own clock; None where nothing may be written."""
    name = f"{RESERVED_PREFIX}clock/{token}"
    try:
        store.put_bytes(bucket, name, b"what time is it?\n", "text/plain")
        try:
            return store.head(bucket, name).modified
        finally:
            with suppress(StorageError):
                store.delete(bucket, name)
    except CredentialsError:
        raise
    except (PermissionDeniedError, RequestRefusedError, ObjectNotFoundError):
        return None


def _guarded(upload: UnfinishedUpload, run: Callable[[], AbortOutcome]) -> AbortOutcome:
    try:
        return run()
    except (StorageError, OSError) as error:  # OSError: a local record that cannot be deleted
        return AbortOutcome(upload, "failed", str(error))


def _written(intent: StoredRecord) -> float:
    return intent.modified.timestamp() if intent.modified else 0.0


def _handle(intent: StoredRecord, pending: PendingUpload) -> Upload:
    return Upload(intent.record.bucket, intent.record.key, pending.id)


def _announced(intent: StoredRecord, lost: PendingUpload | None) -> UnfinishedUpload:
    record, begun = intent.record, lost.initiated if lost else intent.modified
    return UnfinishedUpload(
        bucket=record.bucket,
        key=record.key,
        upload_id=lost.id if lost else "",
        initiated=begun,
        parts=0 if lost else None,
        kept=0 if lost else None,
        ours=True,
        source=record.source,
        size=record.size,
        part_size=record.part_size,
        strong=record.strong,
        promised=record.promised,
        active=begun,
        stale=True,
    )
