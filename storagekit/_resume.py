"""Where resume decides. Pure functions of values: what was recorded, what the service lists, what lies at the key.

The requests around these decisions are in ``_start.py`` (begin or adopt an upload) and ``_finish.py`` (complete it and
judge the answer).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from storagekit import _metadata
from storagekit._plan import Plan
from storagekit._record import Record, StoredRecord
from storagekit._source import Identity
from storagekit.types import Checksum, ObjectInfo, Part, PendingUpload

ABANDONED = timedelta(hours=24)
"""An upload of another source that got no part for so long is nobody's live upload."""

IDLE = timedelta(minutes=15)
"""An upload of the same source that got no part for so long is that of a run that died. A live one finishes by itself.

To abort it would be quicker, but an abort at the very moment of its complete leaves an object without its parts on
Swift (seen once in 40 pairs of processes: BrokenMPU)."""

GRAIN = timedelta(seconds=1)
"""Times of a listing may be cut to whole seconds."""

ASKED_FOR = timedelta(seconds=5)
"""An upload that was begun so long after an intent, or less, can be the one that was asked for. Mostly it is 5 to 200
ms; longer
would endanger what another tool begins after a kill."""


@dataclass(frozen=True)
class Request:
    """What the caller asks for, as far as it decides whether an earlier upload can be adopted.

    ``size`` is None where it is not known; ``content_type``, ``metadata_digest`` and ``storage_class`` are None where
    the caller said nothing: then the record's hold.
    """

    identity: Identity
    size: int | None
    content_type: str | None
    metadata_digest: str | None
    storage_class: str | None = None
    encryption: str = ""

    @property
    def promised_size(self) -> int | None:
        """The size that an object must have to be taken for this source; None where nothing is known beforehand.

        A weak identity promises nothing before all of its bytes have been read.
        """
        return self.size if self.identity.strong else None


@dataclass(frozen=True)
class Candidate:
    """A recorded upload that the service still knows, with the parts that it lists."""

    stored: StoredRecord
    parts: Mapping[int, Part]


def adoptable(record: Record, request: Request) -> bool:
    """Tell whether ``record`` is an upload of this very source, with nothing explicitly different.

    One of a weak identity is adopted as well: what is kept of it is compared with the source first (``_replay.py``). It
    is even where only this run knows the size: then the plan is one that grows.
    """
    return (
        record.identity == request.identity.digest
        and record.strong == request.identity.strong
        and (record.size == request.size or (record.size is None and not record.strong))
        and request.content_type in (None, record.content_type)
        and request.metadata_digest in (None, record.metadata_digest)
        and request.storage_class in (None, record.storage_class)
        and request.encryption == record.encryption
    )


def split(records: Sequence[StoredRecord], request: Request) -> tuple[list[StoredRecord], list[StoredRecord]]:
    """Return the records that can be adopted, and those of other sources, which are left alone."""
    mine = [stored for stored in records if adoptable(stored.record, request)]
    others = [stored for stored in records if stored.record.identity != request.identity.digest]
    return mine, others


def kept_parts(plan: Plan, listed: Mapping[int, Part]) -> dict[int, Part]:
    """Return the listed parts that the plan can use: its numbers, each of exactly its planned size.

    Any other part (another tool's, or of another plan) is sent again, which replaces it, or left out of complete. Of a
    source of unknown length any part may be the last, so smaller ones are kept as well, to be compared.
    """
    if plan.size is None:
        return {number: part for number, part in listed.items() if number >= 1 and part.size <= plan.full(number)}
    return {
        number: part
        for number, part in listed.items()
        if 1 <= number <= plan.count and part.size == plan.span(number).length
    }


def unbroken(plan: Plan, listed: Mapping[int, Part]) -> int:
    """Return how many parts, from the first on, are there without a gap and full: where a stream can go on."""
    count = 0
    while (part := listed.get(count + 1)) is not None and part.size == plan.full(count + 1):
        count += 1
    return count


def same_bytes(part: Part, md5: str, other: Checksum) -> bool:
    """Tell whether a listed part has the bytes of which these are the digests.

    Its etag is compared with their MD5; where an etag cannot be one (``local``), the checksum that the service lists.
    """
    if _looks_like_md5(part.etag):
        return part.etag.lower() == md5
    return part.checksum == other


def is_opaque(part: Part, md5: str) -> bool:
    """Tell from a part that was just sent whether etags say nothing here: they look like an MD5 and are none (KMS)."""
    return _looks_like_md5(part.etag) and part.etag.lower() != md5


def _looks_like_md5(etag: str) -> bool:
    """Tell whether an etag can be one; OSS writes it in capitals."""
    return re.fullmatch("[0-9a-f]{32}|[0-9A-F]{32}", etag) is not None


def choose(candidates: Sequence[Candidate]) -> Candidate | None:
    """Return the upload to go on with: the one with the most usable bytes, of equals the oldest.

    All writers of one source that begin later than its upload choose the same one.
    """
    return max(candidates, key=_usable_bytes, default=None)  # max keeps the first of equals; records come oldest first


def _usable_bytes(candidate: Candidate) -> int:
    return sum(part.size for part in kept_parts(candidate.stored.record.plan, candidate.parts).values())


def is_made_by(info: ObjectInfo | None, record: Record) -> bool:
    """Tell whether the object at the key is the one that the upload of ``record`` made.

    Its token says so; and where the service keeps the id of the upload with the object (OBS), that does.
    """
    if info is None:
        return False
    same_upload = not record.is_intent and info.upload_id == record.upload_id
    return same_upload or info.metadata.get(_metadata.TOKEN) == record.token


def proof(info: ObjectInfo | None, record: Record, identity: Identity, size: int | None) -> str | None:
    """Judge by what lies at the key whether the upload of ``record``, of ``size`` bytes, is done.

    ``head``: our own complete landed, whatever its answer was. ``source``: another run of the same source published
    it since this upload was begun, with the same type and metadata. None: it is not done. ``size`` is None where it
    is not known: then only a strong identity can be done already.
    """
    if info is None or (size is None and not identity.strong) or size not in (None, info.size):
        return None
    if is_made_by(info, record):
        return "head"
    same = identity.strong and info.metadata.get(_metadata.SOURCE) == identity.digest
    token = info.metadata.get(_metadata.TOKEN)
    return "source" if same and token != record.previous_token and _described_alike(info, record) else None


def _described_alike(info: ObjectInfo, record: Record) -> bool:
    ours = {name: text for name, text in record.stored.items() if name not in (_metadata.TOKEN, _metadata.MTIME)}
    return (
        info.content_type in (None, record.content_type or info.content_type)
        and (info.storage_class or "STANDARD") == (record.storage_class or "STANDARD")
        and ours.items() <= {**info.metadata}.items()
    )


def orphans(intent: StoredRecord, pending: Sequence[PendingUpload], known: Collection[str]) -> list[PendingUpload]:
    """Return the uploads that may be what a run asked for and was killed over before it recorded it, earliest first.

    They were not there when the intent was written, nobody recorded them (``known`` are the ids of those), and they
    were begun within ``ASKED_FOR`` of the intent, by the service's clock.
    """
    when, record = intent.modified, intent.record
    if when is None:
        return []
    found = [
        (upload.initiated, upload)
        for upload in pending
        if upload.key == record.key
        and upload.id not in record.seen
        and upload.id not in known
        and upload.initiated is not None
        and -GRAIN <= upload.initiated - when <= ASKED_FOR
    ]
    return [upload for _, upload in sorted(found, key=lambda entry: entry[0])]


def in_doubt(intent: StoredRecord, others: Sequence[StoredRecord], now: datetime | None) -> bool:
    """Tell whether another source asked for an upload at about the same time, and may be alive and about to record.

    ``now`` is the service's clock; after ``IDLE`` nobody is about to record anything any more.
    """
    when = intent.modified
    if when is None:
        return True
    young = [other.modified for other in others if other.modified and not (now and now - other.modified > IDLE)]
    return any(abs(other - when) <= ASKED_FOR for other in young)


def unanswered(seen: Collection[str], pending: Sequence[PendingUpload], own: str) -> list[PendingUpload]:
    """Return the uploads that earlier tries of one ``create_upload`` may have made, whose last try made ``own``.

    They came after the intent (were not ``seen``) and not after ours.
    """
    ours = next((upload.initiated for upload in pending if upload.id == own), None)
    return [
        upload
        for upload in pending
        if upload.id not in (*seen, own) and upload.initiated is not None and ours and upload.initiated <= ours
    ]


def overtaken(record: Record, now_at_key: ObjectInfo | None) -> bool:
    """Tell whether the object at the key is another than the one that was there when the upload was begun."""
    return (now_at_key.etag if now_at_key else None) != record.previous_etag


def quiet_for(stored: StoredRecord, parts: Mapping[int, Part], server_now: datetime | None) -> timedelta:
    """Return how long an upload has neither been begun nor got a part; zero where that cannot be known.

    All three times are the service's own clock.
    """
    times = [stored.modified, *(part.modified for part in parts.values())]
    known = [time for time in times if time is not None]
    return server_now - max(known) if server_now and known else timedelta(0)


def differing(expected: Mapping[int, Part], listed: Mapping[int, Part]) -> list[int]:
    """Return the numbers of parts that the service lists otherwise than this run saw them."""
    return [
        number
        for number, part in expected.items()
        if number not in listed or (listed[number].size, listed[number].etag) != (part.size, part.etag)
    ]
