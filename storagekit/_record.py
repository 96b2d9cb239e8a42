"""The upload record: whose upload it is. One small JSON object per upload, written once, never changed.

It lies beside the data, at ``.storagekit/uploads/<sha256 of key>/<token>.json`` in the same bucket, so that any
machine that may write the object finds it; where the service refuses the record, in the local state directory.
How far the upload is, is not in it: the service's part list is the truth about that. No secret and no query string
is in it either.

Before the service is asked for an upload, an *intent* is written: the same record without an upload id, but with the
ids that the service listed for the key just before. It is deleted when the record is there. By it the next run finds
the upload of a run that was killed in between (``_intent.py``).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from storagekit._plan import Plan
from storagekit.types import RESERVED_PREFIX, Upload, WriteOptions

SCHEMA = 2


@dataclass(frozen=True)
class Record:
    """One upload as it was begun.

    ``identity`` is the source's digest and ``source`` its name for people. ``content_type`` and ``stored``, the user
    metadata, are what the object will carry; ``metadata_digest`` is of the caller's part of it. ``previous_etag`` and
    ``previous_token`` are those of the object then at the key, or None. ``strong`` tells whether equal ``identity``
    means equal bytes, and ``promised`` whether by the caller's word (``Identity``); ``era`` and ``ceiling`` are the
    plan's, for a ``size`` that was not known. ``seen`` are the ids of other uploads of the key, in an intent.
    ``checksum`` is what the service agreed on for the parts, or empty; ``storage_class`` what was asked for, or empty;
    ``encryption`` is ``Limits.encryption`` of the client that began it.
    """

    bucket: str
    key: str
    upload_id: str
    token: str
    identity: str
    source: str
    size: int | None
    part_size: int
    content_type: str | None
    metadata_digest: str
    stored: dict[str, str]
    previous_etag: str | None
    previous_token: str | None = None
    strong: bool = True
    era: int = 0
    ceiling: int = 0
    seen: tuple[str, ...] = ()
    promised: str = ""
    checksum: str = ""
    storage_class: str = ""
    encryption: str = ""

    def announced(self, seen: tuple[str, ...]) -> Record:
        """Return the intent of this record, which has no upload id yet."""
        return replace(self, seen=seen)

    def begun_as(self, upload_id: str, checksum: str | None = None) -> Record:
        """Return the record of the upload that an intent announced, with what the service said."""
        return replace(self, upload_id=upload_id, checksum=checksum or "", seen=())

    @property
    def is_intent(self) -> bool:
        """Whether this only announces an upload."""
        return not self.upload_id

    @property
    def plan(self) -> Plan:
        """The parts, as they were planned when the upload was begun."""
        return Plan(self.size, self.part_size, self.era, self.ceiling)

    @property
    def upload(self) -> Upload:
        """The upload as the driver takes it."""
        options = WriteOptions(
            self.content_type, self.stored, self.storage_class or None, checksum=self.checksum or None
        )
        return Upload(self.bucket, self.key, self.upload_id, options, self.part_size)

    def to_json(self) -> bytes:
        """Return the record as it is stored."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1, sort_keys=True).encode()


@dataclass(frozen=True)
class StoredRecord:
    """A record where it lies: ``name`` is its key or file, ``modified`` the service's clock when it was written."""

    record: Record
    name: str
    modified: datetime | None


def parse(data: bytes | str) -> Record | None:
    """Return the record, or None for what another version, or somebody else, wrote there."""
    try:
        found: dict[str, Any] = json.loads(data)
        if found.pop("schema") != SCHEMA:
            return None
        record = Record(**{**found, "seen": tuple(found.get("seen", ()))})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return record if _is_sound(record) else None


def _is_sound(record: Record) -> bool:
    numbers = (record.size or 0, record.part_size, record.era, record.ceiling)
    place = (record.bucket, record.key, record.upload_id, record.token)
    texts = (*place, record.identity, record.source, record.metadata_digest, record.promised, *record.seen)
    texts = (*texts, record.storage_class, record.encryption)
    optional = (record.content_type, record.previous_etag, record.previous_token)
    return (
        record.checksum in ("", "crc32c", "crc64")
        and all(type(number) is int and number >= 0 for number in numbers)
        and record.part_size > 0
        and type(record.strong) is bool
        and all(isinstance(text, str) for text in texts)
        and all(text is None or isinstance(text, str) for text in optional)
        and isinstance(record.stored, dict)
        and all(isinstance(text, str) for entry in record.stored.items() for text in entry)
    )


def prefix_for(key: str) -> str:
    """Return the prefix below which all records of ``key`` lie."""
    return f"{RESERVED_PREFIX}uploads/{hashlib.sha256(key.encode()).hexdigest()}/"


def name_for(record: Record) -> str:
    """Return where ``record`` lies."""
    return f"{prefix_for(record.key)}{file_name(record)}"


def file_name(record: Record) -> str:
    """Return the last segment of where ``record`` lies."""
    return f"{record.token}.intent.json" if record.is_intent else f"{record.token}.json"
