"""The client's methods for uploads that were begun and neither completed nor aborted.

How they are found is in ``_survey.py``, which of them may go in ``_unfinished.py``, and how they go in ``_tidy.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from storagekit._alive import Alive
from storagekit._arguments import check
from storagekit._client_base import ClientBase, OnNote, require_key
from storagekit._records import LocalRecords, records_for
from storagekit._store import Store
from storagekit._survey import Survey, recorded, unseen
from storagekit._tidy import Tidying, drop_one
from storagekit._unfinished import Wanted
from storagekit.errors import ConfigurationError
from storagekit.types import RESERVED_PREFIX, AbortOutcome, UnfinishedUpload


class UnfinishedMethods(ClientBase):
    """Unfinished uploads: listed, aborted."""

    def list_uploads(
        self, *, prefix: str = "", bucket: str | None = None, on_note: OnNote | None = None
    ) -> tuple[UnfinishedUpload, ...]:
        """Return the unfinished uploads of keys that start with ``prefix``, by key, with what is known of each.

        On MinIO (``Limits.exact_upload_listing``) uploads of other tools are found only where ``prefix`` is their whole
        key. Nothing is written, so ``live`` and ``stale`` go by this machine's clock. ``on_note`` is told what could
        not be seen. Raises BucketNotFoundError, PermissionDeniedError.
        """
        check(prefix=prefix, on_note=on_note)
        name = self._bucket(bucket)
        with self._at("list_uploads", name), self._survey(on_note) as survey:
            if self._store.limits.exact_upload_listing:
                survey.note("this service may show other tools' uploads only where their whole key is given")
            return tuple(entry.upload for entry in survey.find(name, prefix).entries)

    def abort_uploads(
        self,
        *,
        key: str | None = None,
        prefix: str | None = None,
        older_than: timedelta | None = None,
        stale: bool = False,
        dry_run: bool = False,
        bucket: str | None = None,
        on_outcome: Callable[[AbortOutcome], None] | None = None,
        on_note: OnNote | None = None,
    ) -> tuple[AbortOutcome, ...]:
        """Abort our unfinished uploads for which all that is given holds, and delete their records.

        ``key``: of exactly this key. ``prefix``: of keys that start with it. ``older_than``: begun at least so long
        ago. ``stale``: without a new part for 24 h, or with only the record left. What may be live, and what is another
        tool's (has no record), is left alone: ``abort_upload`` aborts it by its id. Returns what became of each upload,
        which ``on_outcome`` is told at once; one that fails does not stop the others. ``dry_run`` does nothing, and
        goes by this machine's clock instead of the service's.

        Raises ConfigurationError where nothing says which uploads are meant, BucketNotFoundError,
        PermissionDeniedError.
        """
        check(prefix=prefix or "", older_than=older_than, on_outcome=on_outcome, on_note=on_note)
        if key is not None:
            require_key(key)
        wanted = Wanted(key, prefix, older_than, stale)
        wanted.check()
        name = self._bucket(bucket)
        outcomes = []
        with self._at("abort_uploads", name), self._survey(on_note) as survey:
            for outcome in Tidying(survey, wanted, self._clock.token(), dry_run).run(name):
                outcomes.append(outcome)
                if on_outcome is not None:
                    on_outcome(outcome)
        return tuple(outcomes)

    def abort_upload(self, key: str, upload_id: str, *, bucket: str | None = None) -> None:
        """Abort exactly this upload and delete its record, if it has one; an upload that is not there is success.

        One that has already made the object at the key is not aborted: on some services the object would lose its
        bytes. Raises ConfigurationError for an empty ``upload_id``: a service could take the request for a delete of
        the key.
        """
        check(upload_id=upload_id)
        if not upload_id:
            raise ConfigurationError("upload_id is empty", hint="list_uploads shows the ids")
        name = self._bucket(bucket)
        with self._at_object("abort_upload", name, key), self._survey(None) as survey:
            records = records_for("auto", self._store, self._scope, survey.note)
            drop_one(survey, unseen(name, key, upload_id, records.load(name, key)))

    @contextmanager
    def _survey(self, on_note: OnNote | None) -> Iterator[Survey]:
        alive = Alive()
        try:
            yield Survey(self._store, LocalRecords(self._scope), alive, self._clock.utc_now, on_note or _say_nothing)
        finally:
            alive.close()


def remove_records(store: Store, local: LocalRecords, bucket: str) -> None:
    """Abort the uploads that have a record, and delete everything under ``.storagekit/`` of the bucket."""
    for stored in [*recorded(store, bucket), *local.below(bucket, "")]:
        if not stored.record.is_intent:
            store.abort(stored.record.upload)
    for page in store.pages(bucket, RESERVED_PREFIX):
        for info in page.objects:
            store.delete(bucket, info.key)


def forget_bucket(local: LocalRecords, bucket: str) -> None:
    """Delete this machine's records of a bucket that is gone; what cannot be deleted is left, and harms nothing."""
    for stored in local.below(bucket, ""):
        try:
            local.delete(stored)
        except OSError:
            continue


def _say_nothing(line: str) -> None:
    """Nobody listens."""
