"""What the steps of one upload share: begin (``_start.py``), send (``_send.py``), finish (``_finish.py``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from storagekit import _metadata
from storagekit._clock import Cancel, Clock
from storagekit._plan import Plan
from storagekit._record import Record, StoredRecord
from storagekit._records import NoRecords, Records
from storagekit._resume import Request
from storagekit._source import OpenSource
from storagekit._store import Store
from storagekit._window import Window
from storagekit.types import Part, Progress, WriteOptions


@dataclass
class Log:
    """What happened in one upload: sentences for people, also told to the listener at once, and bytes sent."""

    listener: Callable[[str], None] | None = None
    lines: list[str] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)

    def note(self, line: str) -> None:
        """Keep one sentence and tell it."""
        self.lines.append(line)
        if self.listener is not None:
            self.listener(line)

    def sent(self, size: int) -> None:
        """Count a part or object that the service has acknowledged; from any thread (list.append is atomic)."""
        self.acknowledged.append(size)


@dataclass(frozen=True)
class Job:
    """One upload: what is to go where, and with what means. Never changes while it runs."""

    store: Store
    records: Records
    source: OpenSource
    bucket: str
    key: str
    request: Request
    content_type: str | None
    metadata: dict[str, str]
    part_size: int
    workers: int
    window: Window
    clock: Clock
    cancel: Cancel
    log: Log
    listener: Callable[[Progress], None] | None = None

    @property
    def resumable(self) -> bool:
        """Whether a failure leaves something that a later run finds."""
        return not isinstance(self.records, NoRecords)

    def options(self, token: str) -> WriteOptions:
        """Return what the object is written with under ``token``."""
        identity = self.request.identity
        return WriteOptions(
            self.content_type, _metadata.stamp(self.metadata, token, identity.digest, self.source.mtime)
        )


@dataclass(frozen=True)
class Session:
    """One upload on the service, begun now or adopted: its record, and the parts that are already there."""

    stored: StoredRecord
    kept: dict[int, Part]
    resumed: bool

    @property
    def record(self) -> Record:
        """The upload's record."""
        return self.stored.record

    @property
    def plan(self) -> Plan:
        """The upload's plan."""
        return self.stored.record.plan

    @property
    def kept_bytes(self) -> int:
        """Bytes that need not be sent again."""
        return sum(part.size for part in self.kept.values())


@dataclass(frozen=True)
class Published:
    """The end of an upload: how the object was proven, and what else was learnt at the key."""

    etag: str
    proof: str
    version: str | None = None
    superseded_by: str | None = None
    replaced: str | None = None
