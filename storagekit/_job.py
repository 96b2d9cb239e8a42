"""What the steps of one upload share: begin (``_start.py``), send (``_send.py``), finish (``_finish.py``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from storagekit import _metadata
from storagekit._alive import Alive
from storagekit._clock import Cancel, Clock
from storagekit._object_source import OpenObject
from storagekit._plan import Plan, plan_parts, plan_stream
from storagekit._record import Record, StoredRecord
from storagekit._records import NoRecords, Records
from storagekit._resume import Request
from storagekit._source import Access, Identity, OpenSource
from storagekit._store import Store
from storagekit._window import Share
from storagekit.driver import Limits
from storagekit.types import Part, PartReceipt, Progress, WriteOptions


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
    """One upload: what is to go where, and with what means. Never changes while it runs.

    ``tidying`` are the same records for what has to be deleted although the transfer was told to stop.
    ``request.size`` is what the source or the caller says of the length; ``sha256`` what the caller promises.
    ``copied`` is the source where it is an object of the same service, which can copy it by itself. ``readings`` is how
    often a source that breaks off, and can only be read from its start, is read. ``unproven``: the SHA-256 is promised
    beside another identity, so that what an earlier run of it published says nothing about the promise.
    """

    store: Store
    records: Records
    tidying: Records
    source: OpenSource
    bucket: str
    key: str
    request: Request
    content_type: str | None
    metadata: dict[str, str]
    part_size: int
    workers: int
    window: Share
    clock: Clock
    cancel: Cancel
    log: Log
    alive: Alive
    listener: Callable[[Progress], None] | None = None
    sha256: str | None = None
    overwrite: bool = True
    copied: OpenObject | None = None
    readings: int = 5
    unproven: bool = False

    @property
    def identity(self) -> Identity:
        """Which source this is."""
        return self.request.identity

    @property
    def resumable(self) -> bool:
        """Whether a failure leaves something that a later run finds."""
        return not isinstance(self.records, NoRecords)

    @property
    def in_order(self) -> bool:
        """Whether the source is read from its first byte to its last, instead of by ranges."""
        return self.source.access is not Access.RANGES or self.sha256 is not None

    @property
    def plan(self) -> Plan:
        """The plan of a new upload. Raises ConfigurationError."""
        if self.request.size is None:
            return plan_stream(self.store.limits, self.part_size, self.window.budget)
        return plan_parts(self.request.size, self.store.limits, self.part_size)

    def read_through(self) -> Job:
        """Return the same job for a service that does not copy by itself: the source is read, in parts that fit."""
        part_size = min(self.part_size, max(self.window.budget // self.workers, self.store.limits.min_part))
        return replace(self, copied=None, part_size=part_size)

    def options(self, token: str) -> WriteOptions:
        """Return what the object is written with under ``token``."""
        return WriteOptions(
            self.content_type,
            _metadata.stamp(self.metadata, token, self.identity.digest, self.source.mtime),
            self.request.storage_class,
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

    def algorithm(self, limits: Limits) -> str:
        """The checksum that its parts carry."""
        return self.record.checksum or limits.checksum

    @property
    def kept_bytes(self) -> int:
        """Bytes that need not be sent again."""
        return sum(part.size for part in self.kept.values())


@dataclass(frozen=True)
class Sent:
    """All parts of an upload, by number: sent now, or there already; and how many bytes they are."""

    parts: dict[int, Part]
    receipts: list[PartReceipt]

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(part.size for part in self.parts.values())


@dataclass(frozen=True)
class Published:
    """The end of an upload: how the object was proven, and what else was learnt at the key."""

    etag: str
    proof: str
    version: str | None = None
    superseded_by: str | None = None
    replaced: str | None = None
    size: int | None = None
    checksum: str | None = None
