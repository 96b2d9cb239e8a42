"""Find the unfinished uploads of a bucket: what the service lists, and what the records say, put together.

Most services list uploads by prefix. MinIO finds them only by a whole key (``Limits.exact_upload_listing``): there it
is asked for every key that has a record, and for the prefix itself, so another tool's uploads are found by their exact
key only. Where one of both listings is refused, the other one is used. Each upload costs a request for its parts, each
record one; one that has a record and is not listed costs a HEAD, because an upload that has made its object may still
show its parts (Swift).

One bad record, or an upload that vanishes meanwhile, is left out. A service that fails is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from storagekit._alive import Alive
from storagekit._record import Record, StoredRecord, name_for, parse
from storagekit._records import AutoRecords, BucketRecords, LocalRecords
from storagekit._resume import is_made_by
from storagekit._store import Store
from storagekit._unfinished import judged, latest
from storagekit.errors import (
    CredentialsError,
    InvalidNameError,
    ObjectNotFoundError,
    PermissionDeniedError,
    RequestRefusedError,
    StorageError,
    UploadGoneError,
)
from storagekit.types import RESERVED_PREFIX, Part, PendingUpload, UnfinishedUpload, Upload

_HOME = f"{RESERVED_PREFIX}uploads/"
_MOST_BYTES = 256 * 1024  # as where the records of one key are read

T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """One unfinished upload with its records, then what is left of its intents; none for another tool's."""

    upload: UnfinishedUpload
    stored: tuple[StoredRecord, ...]

    @property
    def handle(self) -> Upload:
        """The upload as a driver takes it."""
        return self.stored[0].record.upload if self.stored else _handle(self.upload)


@dataclass(frozen=True)
class Found:
    """What was found in a bucket. ``pending`` is the service's listing, None where it was refused.

    ``intents`` are those without a record. ``now`` is this machine's clock, or the latest time that the service showed.
    """

    entries: tuple[Entry, ...]
    intents: tuple[StoredRecord, ...]
    pending: tuple[PendingUpload, ...] | None
    now: datetime | None


@dataclass(frozen=True)
class Survey:
    """The means: the service, this machine's records and locks, its clock, and who is told what could not be seen."""

    store: Store
    local: LocalRecords
    alive: Alive
    wall: Callable[[], datetime]
    note: Callable[[str], None]

    def find(self, bucket: str, prefix: str) -> Found:
        """Return what is unfinished at keys that start with ``prefix``, by key and id."""
        refused: list[StorageError] = []
        there = _unless_refused(lambda: recorded(self.store, bucket, prefix), refused) or []
        stored = [*there, *self.local.below(bucket, prefix)]
        keys = {one.record.key for one in stored}
        pending = _unless_refused(lambda: self._listed(bucket, prefix, keys), refused)
        if refused and not stored and not pending:
            raise refused[0]
        for error in refused:
            self.note(f"some uploads may be missing, or shown as another tool's: {error.message}")
        entries = list(self._entries(bucket, stored, pending))
        now = latest([self.wall(), *(entry.upload.active for entry in entries)])
        recorded_tokens = {one.record.token for one in stored if not one.record.is_intent}
        intents = tuple(one for one in stored if one.record.token not in recorded_tokens)
        found = tuple(self.judge(entry, now) for entry in entries)
        return Found(found, intents, None if pending is None else tuple(pending), now)

    def judge(self, entry: Entry, now: datetime | None) -> Entry:
        """Return the entry with what its times and locks mean at ``now``."""
        held = any(self.alive.is_held(one.record.token) for one in entry.stored)
        return replace(entry, upload=judged(entry.upload, now, held=held))

    def look_again(self, entry: Entry, now: datetime | None) -> Entry:
        """Return the entry as the service shows it now; without parts where the upload has made its object."""
        known = entry.upload.parts is not None
        parts = self._unpublished(entry.stored, self.parts(entry.handle, is_listed=known))
        upload = _described(entry.handle, entry.stored, entry.upload.initiated, parts)
        return self.judge(Entry(upload, entry.stored), now)

    def parts(self, upload: Upload, *, is_listed: bool = True) -> Mapping[int, Part] | None:
        """Return the parts that the service holds; None where it does not know the upload.

        A refusal says so only of an upload that is not listed either: its id may be no id there. Raises what else the
        service says.
        """
        try:
            return self.store.parts(upload)
        except UploadGoneError:
            return None
        except (RequestRefusedError, InvalidNameError):
            if is_listed:
                raise
            return None

    def has_made_its_object(self, record: Record) -> bool:
        """Tell whether the object at the key is this upload's. Credentials that may not look see nothing."""
        try:
            return is_made_by(self.store.find(record.bucket, record.key), record)
        except CredentialsError:
            raise
        except PermissionDeniedError:
            return False

    def forget(self, stored: StoredRecord) -> None:
        """Delete a record where it lies."""
        AutoRecords(BucketRecords(self.store), self.local, self.note).delete(stored)

    def _listed(self, bucket: str, prefix: str, keys: set[str]) -> Iterator[PendingUpload]:
        names = {prefix, *keys} - {""} if self.store.limits.exact_upload_listing else {prefix}
        for name in sorted(names):
            for page in self.store.upload_pages(bucket, name):
                yield from page.uploads

    def _entries(
        self, bucket: str, stored: Sequence[StoredRecord], pending: Sequence[PendingUpload] | None
    ) -> Iterator[Entry]:
        begun = {(one.key, one.id): one.initiated for one in pending or ()}
        ids = {(one.record.key, one.record.upload_id) for one in stored if not one.record.is_intent}
        of_key: dict[str, list[StoredRecord]] = {}
        for one in stored:
            of_key.setdefault(one.record.key, []).append(one)
        for key, upload_id in sorted(begun.keys() | ids):
            entry = unseen(bucket, key, upload_id, of_key.get(key, ()))
            is_listed = (key, upload_id) in begun
            try:
                parts = self._parts(entry, is_listed=is_listed, may_tell=pending is not None)
            except UploadGoneError:
                continue  # another tool's, which ended meanwhile
            except (RequestRefusedError, InvalidNameError) as error:
                self.note(f"an upload of {key} is left out, as its parts cannot be seen: {error.message}")
                continue
            yield replace(entry, upload=_described(entry.handle, entry.stored, begun.get((key, upload_id)), parts))

    def _parts(self, entry: Entry, *, is_listed: bool, may_tell: bool) -> Mapping[int, Part] | None:
        """Return the parts; None where the upload is gone, or of another tool and not ours to see.

        ``may_tell``: there is a listing, so that what is not in it may be gone. Raises UploadGoneError for another
        tool's.
        """
        if not entry.stored:
            return self._parts_of_others(entry.handle)
        parts = self.parts(entry.handle, is_listed=is_listed or not may_tell)
        return parts if is_listed else self._unpublished(entry.stored, parts)

    def _unpublished(
        self, stored: Sequence[StoredRecord], parts: Mapping[int, Part] | None
    ) -> Mapping[int, Part] | None:
        """Return the parts of an upload of ours; None where it has made its object: then only a record is left."""
        done = parts is not None and any(self.has_made_its_object(one.record) for one in stored)
        return None if done else parts

    def _parts_of_others(self, upload: Upload) -> Mapping[int, Part] | None:
        try:
            return self.store.parts(upload)
        except CredentialsError:
            raise
        except (PermissionDeniedError, RequestRefusedError, InvalidNameError):
            return None


def unseen(bucket: str, key: str, upload_id: str, stored: Sequence[StoredRecord]) -> Entry:
    """Return an upload that the service was not asked about yet, with its own of the records of its key."""
    records = [one for one in stored if one.record.upload_id == upload_id]
    tokens = {one.record.token for one in records}
    intents = [one for one in stored if one.record.is_intent and one.record.token in tokens]
    return Entry(UnfinishedUpload(bucket, key, upload_id, None, None, None, ours=bool(records)), (*records, *intents))


def recorded(store: Store, bucket: str, prefix: str = "") -> Iterator[StoredRecord]:
    """Yield all records and intents of the bucket; those that another bucket brought along are left out."""
    for page in store.pages(bucket, _HOME):
        for info in page.objects:
            record = _read(store, bucket, info.key)
            if record and _lies_at_home(record, bucket, info.key) and record.key.startswith(prefix):
                yield StoredRecord(record, info.key, info.modified)


def _read(store: Store, bucket: str, name: str) -> Record | None:
    try:
        return parse(store.read_bytes(bucket, name, _MOST_BYTES))
    except (ObjectNotFoundError, RequestRefusedError):  # vanished meanwhile, or in an archive
        return None


def _lies_at_home(record: Record, bucket: str, name: str) -> bool:
    try:
        return record.key != "" and (record.bucket, name_for(record)) == (bucket, name)
    except UnicodeEncodeError:  # a key that is no text
        return False


def _described(
    upload: Upload, stored: Sequence[StoredRecord], begun: datetime | None, parts: Mapping[int, Part] | None
) -> UnfinishedUpload:
    record = stored[0].record if stored else None
    written = [one.modified for one in stored]
    came = [part.modified for part in (parts or {}).values()]
    return UnfinishedUpload(
        bucket=upload.bucket,
        key=upload.key,
        upload_id=upload.id,
        initiated=latest([begun, *written[:1]]),  # ours were recorded at once; moto dates every upload to 2010
        parts=None if parts is None else len(parts),
        kept=None if parts is None else sum(part.size for part in parts.values()),
        ours=record is not None,
        source=record.source if record else None,
        size=record.size if record else None,
        part_size=record.part_size if record else None,
        strong=record.strong if record else None,
        promised=record.promised if record else "",
        active=latest([begun, *written, *came]),
    )


def _handle(upload: UnfinishedUpload) -> Upload:
    return Upload(upload.bucket, upload.key, upload.upload_id)


def _unless_refused(run: Callable[[], Iterable[T]], refused: list[StorageError]) -> list[T] | None:
    try:
        return list(run())
    except CredentialsError:
        raise
    except (PermissionDeniedError, RequestRefusedError) as error:
        refused.append(error)
        return None
