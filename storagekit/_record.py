"""The upload record: whose upload it is. One small JSON object per upload, written once, never changed.

It lies beside the data, at ``.storagekit/uploads/<sha256 of key>/<token>.json`` in the same bucket, so that any
machine that may write the object finds it; where the service refuses the record, in the local state directory.
How far the upload is, is not in it: the service's part list is the truth about that. No secret and no query string
is in it either.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from storagekit._plan import Plan
from storagekit.types import RESERVED_PREFIX, Upload, WriteOptions

SCHEMA = 1


@dataclass(frozen=True)
class Record:
    """One upload as it was begun.

    ``identity`` is the source's digest and ``source`` its name for people. ``content_type`` and ``stored``, the user
    metadata, are what the object will carry; ``metadata_digest`` is of the caller's part of it. ``previous_etag`` and
    ``previous_token`` are those of the object then at the key, or None.
    """

    bucket: str
    key: str
    upload_id: str
    token: str
    identity: str
    source: str
    size: int
    part_size: int
    content_type: str | None
    metadata_digest: str
    stored: dict[str, str]
    previous_etag: str | None
    previous_token: str | None = None

    def begun_as(self, upload_id: str) -> Record:
        """Return the same record with the id that the service gave the upload."""
        return replace(self, upload_id=upload_id)

    @property
    def plan(self) -> Plan:
        """The parts, as they were planned when the upload was begun."""
        return Plan(self.size, self.part_size)

    @property
    def upload(self) -> Upload:
        """The upload as the driver takes it."""
        return Upload(
            self.bucket, self.key, self.upload_id, WriteOptions(self.content_type, self.stored), self.part_size
        )

    def to_json(self) -> bytes:
        """Return the record as it is stored."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1, sort_keys=True).encode()


@dataclass(frozen=True)
class StoredRecord:
    """A record where it lies: ``name`` is its key or file, ``modified`` the service's clock when it was written."""

    record: Record
    name: str
    modified: datetime | None


def parse(data: bytes) -> Record | None:
    """Return the record, or None for what a newer version, or somebody else, wrote there."""
    try:
        found: dict[str, Any] = json.loads(data)
        if found.pop("schema") != SCHEMA:
            return None
        record = Record(**found)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return record if _is_sound(record) else None


def _is_sound(record: Record) -> bool:
    numbers = (record.size, record.part_size)
    texts = (record.bucket, record.key, record.upload_id, record.token, record.identity, record.source)
    optional = (record.content_type, record.previous_etag, record.previous_token)
    return (
        all(type(number) is int for number in numbers)
        and record.size >= 0
        and record.part_size > 0
        and all(isinstance(text, str) for text in (*texts, record.metadata_digest))
        and all(text is None or isinstance(text, str) for text in optional)
        and isinstance(record.stored, dict)
        and all(isinstance(text, str) for entry in record.stored.items() for text in entry)
    )


def prefix_for(key: str) -> str:
    """Return the prefix below which all records of ``key`` lie."""
    return f"{RESERVED_PREFIX}uploads/{hashlib.sha256(key.encode()).hexdigest()}/"


def name_for(record: Record) -> str:
    """Return where ``record`` lies."""
    return f"{prefix_for(record.key)}{record.token}.json"
