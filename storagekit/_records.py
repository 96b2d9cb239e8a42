"""Where upload records lie: in the bucket, or in the local state directory, or (``off``) nowhere.

``checkpoint="auto"`` is the bucket, and where the service refuses the record, the local directory with one line
that says so. A listing that fails for another reason is an error, never "nothing was begun yet".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol, TypeGuard

from storagekit._record import Record, StoredRecord, file_name, name_for, parse, prefix_for
from storagekit._store import Store
from storagekit.errors import (
    ConfigurationError,
    CredentialsError,
    ObjectNotFoundError,
    PermissionDeniedError,
    RequestRefusedError,
)

_MOST_BYTES = 256 * 1024  # a record has about 1 KiB; metadata is limited to 2 to 8 KiB by the services

CHECKPOINTS = ("auto", "bucket", "local", "off")


class Records(Protocol):
    """The records of one bucket."""

    def load(self, bucket: str, key: str) -> list[StoredRecord]:
        """Return all records and intents of ``key``, oldest first."""

    def save(self, record: Record) -> StoredRecord:
        """Write a record."""

    def delete(self, stored: StoredRecord) -> None:
        """Delete a record; a missing one is success."""


@dataclass(frozen=True)
class BucketRecords:
    """Records as objects in the bucket itself."""

    store: Store

    def load(self, bucket: str, key: str) -> list[StoredRecord]:
        """List the key's prefix and read each record; one that vanishes meanwhile is left out."""
        found = self.below(bucket, prefix_for(key))
        return _oldest_first([stored for stored in found if _is_of(stored.record, bucket, key)])

    def below(self, bucket: str, prefix: str) -> Iterator[StoredRecord]:
        """Yield what lies below a prefix and is a record or an intent."""
        for page in self.store.pages(bucket, prefix):
            for info in page.objects:
                record = self._read(bucket, info.key)
                if record is not None:
                    yield StoredRecord(record, info.key, info.modified)

    def _read(self, bucket: str, name: str) -> Record | None:
        try:
            return parse(self.store.read_bytes(bucket, name, _MOST_BYTES))
        except ObjectNotFoundError:
            return None

    def save(self, record: Record) -> StoredRecord:
        """Write the record with the checksum that the server verifies."""
        name = name_for(record)
        self.store.put_bytes(record.bucket, name, record.to_json(), "application/json")
        return StoredRecord(record, name, None)

    def delete(self, stored: StoredRecord) -> None:
        """Delete the record's object."""
        self.store.delete(stored.record.bucket, stored.name)


@dataclass(frozen=True)
class LocalRecords:
    """Records as files below the user's state directory; ``scope`` tells accounts and endpoints apart."""

    scope: str
    directory: Path | None = None

    def load(self, bucket: str, key: str) -> list[StoredRecord]:
        """Read the files of the key's directory."""
        files = self._home(bucket, key).glob("*.json")
        return _oldest_first([stored for path in files if (stored := self._read(path, bucket, key)) is not None])

    def below(self, bucket: str, prefix: str) -> Iterator[StoredRecord]:
        """Yield this machine's records and intents of the bucket's keys that start with ``prefix``.

        A file says itself whose record it is; it counts only where it lies in that record's directory, so those of
        other accounts and endpoints (``scope``) do not. One that cannot be read is left out.
        """
        for path in sorted((self.directory or _state_directory()).absolute().glob("uploads/*/*.json")):
            key = self._key_of(path, bucket)
            if key and key.startswith(prefix) and (stored := self._read(path, bucket, key)) is not None:
                yield stored

    def _key_of(self, path: Path, bucket: str) -> str | None:
        """Return the key of the record at ``path``; None where it is none of this scope and bucket."""
        try:
            record = parse(path.read_bytes()) if path.stat().st_size <= _MOST_BYTES else None
            return record.key if record and self._home(bucket, record.key) == path.parent else None
        except (OSError, UnicodeEncodeError):  # the latter: a key that is no text
            return None

    def _read(self, path: Path, bucket: str, key: str) -> StoredRecord | None:
        try:
            record = parse(path.read_bytes())
        except FileNotFoundError:  # another process is done with it
            return None
        if not _is_of(record, bucket, key):
            return None
        # No time for a record: this machine's clock is not the service's, by which an upload counts as abandoned. For
        # an intent it has to do: with a clock that is off by more than a second its upload is not found.
        return StoredRecord(record, str(path), _mtime(path) if record.is_intent else None)

    def save(self, record: Record) -> StoredRecord:
        """Write the record through a temporary name, readable by this user only."""
        path = self._home(record.bucket, record.key) / file_name(record)
        try:
            _write_private(path, record.to_json())
        except OSError as error:
            raise ConfigurationError(
                f"the upload record cannot be written to {path.parent}: {error.strerror}",
                hint="Make the state directory writable, or use checkpoint='off'",
            ) from error
        return StoredRecord(record, str(path), None)

    def delete(self, stored: StoredRecord) -> None:
        """Delete the file, and the key's directory when it is empty."""
        path = Path(stored.name)
        path.unlink(missing_ok=True)
        try:
            path.parent.rmdir()
        except OSError:
            return  # another record of the key is there, or another process was first

    def _home(self, bucket: str, key: str) -> Path:
        digest = hashlib.sha256(f"{self.scope}\n{bucket}\n{key}".encode()).hexdigest()
        return (self.directory or _state_directory()).absolute() / "uploads" / digest


@dataclass
class AutoRecords:
    """The bucket, or where the service refuses the record or its listing, the local directory. Of one upload."""

    bucket: Records
    local: Records
    note: Callable[[str], None]
    refusal: str | None = None
    told: bool = False

    def load(self, bucket: str, key: str) -> list[StoredRecord]:
        """Return the records of both places; a bucket that may not be listed has none that we could use."""
        try:
            there = self.bucket.load(bucket, key)
        except CredentialsError:
            raise  # says nothing about what was begun
        except PermissionDeniedError as error:
            self.refusal = error.message  # a record there would never be found again
            there = []
        return _oldest_first([*there, *self.local.load(bucket, key)])

    def save(self, record: Record) -> StoredRecord:
        """Write to the bucket, or say in one line that it went to this machine."""
        if self.refusal is None:
            try:
                return self.bucket.save(record)
            except CredentialsError:
                raise  # would fail for the data as well
            except (PermissionDeniedError, RequestRefusedError) as error:
                self.refusal = error.message
        if not self.told:
            self.told = True
            self.note(f"the service refused the upload record ({self.refusal}): resumable from this machine only")
        return self.local.save(record)

    def delete(self, stored: StoredRecord) -> None:
        """Delete where the record lies."""
        (self.local if Path(stored.name).is_absolute() else self.bucket).delete(stored)


class NoRecords:
    """``checkpoint="off"``: nothing is kept, and nothing of the past is looked at."""

    def load(self, bucket: str, key: str) -> list[StoredRecord]:
        """Return nothing."""
        return []

    def save(self, record: Record) -> StoredRecord:
        """Keep nothing."""
        return StoredRecord(record, "", None)

    def delete(self, stored: StoredRecord) -> None:
        """Do nothing."""


def records_for(
    checkpoint: str, store: Store, scope: str, note: Callable[[str], None], directory: Path | None = None
) -> Records:
    """Return the records of a ``checkpoint`` setting, which is one of ``CHECKPOINTS``."""
    local = LocalRecords(scope, directory)
    kinds: dict[str, Records] = {
        "auto": AutoRecords(BucketRecords(store), local, note),
        "bucket": BucketRecords(store),
        "local": local,
        "off": NoRecords(),
    }
    return kinds[checkpoint]


def _mtime(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
    except FileNotFoundError:
        return None


def _write_private(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_bytes(data)
    draft.replace(path)


def _state_directory() -> Path:
    from platformdirs import user_state_path

    return user_state_path("storagekit")


def _is_of(record: Record | None, bucket: str, key: str) -> TypeGuard[Record]:
    """Tell whether a record is one of this object: a bucket that was copied brings the records of the other along."""
    return record is not None and (record.bucket, record.key) == (bucket, key)


def _oldest_first(found: list[StoredRecord]) -> list[StoredRecord]:
    never = datetime.max.replace(tzinfo=timezone.utc)
    return sorted(found, key=lambda stored: (stored.modified or never, stored.record.token))
