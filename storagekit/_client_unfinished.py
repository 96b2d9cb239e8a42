"""The client's methods for uploads that were begun and neither completed nor aborted.

What the service lists and what our records say are put together. Most services list by prefix. MinIO finds uploads
only by a whole key (``Limits.exact_upload_listing``): there it is asked for every key that has a record, and for the
prefix itself, so another tool's uploads are found by their exact key only. Records that are kept on this machine are
looked up for the keys that are known by then. Each upload costs one request, for its parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from storagekit._arguments import check
from storagekit._client_base import ClientBase
from storagekit._record import Record, StoredRecord, name_for
from storagekit._records import BucketRecords, LocalRecords, records_for
from storagekit._store import Store
from storagekit.errors import ConfigurationError, UploadGoneError
from storagekit.types import RESERVED_PREFIX, PendingUpload, UnfinishedUpload, Upload

_HOME = f"{RESERVED_PREFIX}uploads/"


class UnfinishedMethods(ClientBase):
    """Unfinished uploads: listed, aborted."""

    def list_uploads(self, *, prefix: str = "", bucket: str | None = None) -> tuple[UnfinishedUpload, ...]:
        """Return the unfinished uploads of keys that start with ``prefix``, by key, with what is known of each.

        On MinIO (``Limits.exact_upload_listing``) uploads of other tools are found only where ``prefix`` is their whole
        key. Raises BucketNotFoundError, PermissionDeniedError.
        """
        check(prefix=prefix)
        name = self._bucket(bucket)
        with self._at("list_uploads", name):
            return tuple(unfinished(self._store, LocalRecords(self._scope), name, prefix))

    def abort_upload(self, key: str, upload_id: str, *, bucket: str | None = None) -> None:
        """Abort exactly this upload and delete its record, if it has one; an upload that is not there is success.

        Raises ConfigurationError for an empty ``upload_id``: a service could take the request for a delete of the key.
        """
        check(upload_id=upload_id)
        if not upload_id:
            raise ConfigurationError("upload_id is empty", hint="list_uploads shows the ids")
        name = self._bucket(bucket)
        with self._at_object("abort_upload", name, key):
            records = records_for("auto", self._store, self._scope, _say_nothing)
            ours = [stored for stored in records.load(name, key) if stored.record.upload_id == upload_id]
            self._store.abort(ours[0].record.upload if ours else Upload(name, key, upload_id))
            for stored in ours:
                records.delete(stored)


def unfinished(store: Store, local: LocalRecords, bucket: str, prefix: str) -> Iterator[UnfinishedUpload]:
    """Yield the unfinished uploads of a bucket by key and id: listed by the service, or recorded, or both."""
    stored = [one.record for one in _records(store, bucket) if one.record.key.startswith(prefix)]
    listed = {(one.key, one.id): one for one in _listed(store, bucket, prefix, {record.key for record in stored})}
    for key in {key for key, _ in listed}:
        stored += [one.record for one in local.load(bucket, key)]
    recorded = {(record.key, record.upload_id): record for record in stored if not record.is_intent}
    for key, upload_id in sorted(listed.keys() | recorded.keys()):
        yield _described(
            store, Upload(bucket, key, upload_id), recorded.get((key, upload_id)), listed.get((key, upload_id))
        )


def _described(store: Store, upload: Upload, record: Record | None, listed: PendingUpload | None) -> UnfinishedUpload:
    parts = _parts(store, upload)
    return UnfinishedUpload(
        bucket=upload.bucket,
        key=upload.key,
        upload_id=upload.id,
        initiated=listed.initiated if listed else None,
        parts=None if parts is None else len(parts),
        kept=None if parts is None else sum(parts),
        ours=record is not None,
        source=record.source if record else None,
        size=record.size if record else None,
        part_size=record.part_size if record else None,
    )


def _parts(store: Store, upload: Upload) -> Sequence[int] | None:
    """Return the sizes of the parts that the service holds; None where it no longer knows the upload."""
    try:
        return [part.size for part in store.parts(upload).values()]
    except UploadGoneError:
        return None


def _listed(store: Store, bucket: str, prefix: str, keys: set[str]) -> Iterator[PendingUpload]:
    names = {prefix, *keys} - {""} if store.limits.exact_upload_listing else {prefix}
    for name in names:
        for page in store.upload_pages(bucket, name):
            yield from page.uploads


def _records(store: Store, bucket: str) -> Iterator[StoredRecord]:
    """Yield all records and intents of the bucket; those that another bucket brought along are left out."""
    for stored in BucketRecords(store).below(bucket, _HOME):
        if (stored.record.bucket, name_for(stored.record)) == (bucket, stored.name):
            yield stored


def remove_records(store: Store, bucket: str) -> None:
    """Abort the uploads that have a record in the bucket, and delete everything under ``.storagekit/``."""
    for stored in _records(store, bucket):
        if not stored.record.is_intent:
            store.abort(stored.record.upload)
    for page in store.pages(bucket, RESERVED_PREFIX):
        for info in page.objects:
            store.delete(bucket, info.key)


def _say_nothing(line: str) -> None:
    """Nothing is written, so nothing can be refused."""
