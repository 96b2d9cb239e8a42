"""The values that cross every layer: objects, parts, uploads, results.

All are frozen dataclasses. Those that a caller receives also answer ``result["key"]``, so that a program
written for a client that returns dictionaries keeps working. This module imports nothing of storagekit.

Units, everywhere in the project: sizes and offsets are bytes, durations are seconds, times are aware UTC,
etags are written without their quotes, checksums are lower-case hex.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar

RESERVED_PREFIX = ".storagekit/"
"""Keys below this prefix hold upload records: refused on write, hidden from listings (design: the resume protocol)."""


class Answers:
    """Lets a dataclass be read like a dictionary: ``result["size"]``, ``result.get("size")``, ``dict(result)``.

    A class may also answer to a word that other clients use, or to the name of a property: ``_ALSO``.
    """

    _ALSO: ClassVar[Mapping[str, str]] = MappingProxyType({})

    def __getitem__(self, name: str) -> Any:
        if name not in self:
            raise KeyError(name)
        return getattr(self, self._ALSO.get(name, name))

    def get(self, name: str, default: Any = None) -> Any:
        """Return what ``result[name]`` is, or ``default`` where there is no such name."""
        try:
            return self[name]
        except KeyError:
            return default

    def keys(self) -> list[str]:
        """Return the field names, in the order in which they are declared."""
        return [f.name for f in fields(self)]  # type: ignore[arg-type]  # every subclass is a dataclass

    def __contains__(self, name: object) -> bool:
        return name in self.keys() or name in self._ALSO

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())


def uri_of(backend: str, bucket: str, key: str) -> str:
    """Return an object as the command line takes it: ``minio://bucket/key``, the key as it is, without encoding."""
    return f"{backend}://{bucket}/{key}"


@dataclass(frozen=True)
class Checksum:
    """A digest of some bytes: ``algorithm`` is ``crc64``, ``crc32c`` or ``md5``; ``value`` is lower-case hex."""

    algorithm: str
    value: str


@dataclass(frozen=True)
class ObjectInfo(Answers):
    """What a service says of one object. ``["last_modified"]`` is ``modified``, as other clients call it.

    ``storage_class`` is the service's own word; None for its usual one, which many do not name. ``upload_id`` is that
    of the multipart upload that made the object, where the service keeps it (OBS).
    """

    _ALSO: ClassVar[Mapping[str, str]] = MappingProxyType({"last_modified": "modified"})

    key: str
    size: int
    etag: str
    modified: datetime | None = None
    content_type: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    version: str | None = None
    storage_class: str | None = None
    upload_id: str | None = None


@dataclass(frozen=True)
class WriteOptions:
    """What a caller may say of an object when it is written. ``metadata`` keys are lower-case ASCII.

    ``storage_class`` is the service's own word for it. ``if_absent``: refuse where there is an object at the key by
    then. ``checksum``, for ``create_upload`` only, asks that every part carries this one (``Limits.part_checksum``);
    the upload that comes back says whether the service agreed.
    """

    content_type: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    storage_class: str | None = None
    if_absent: bool = False
    checksum: str | None = None


@dataclass(frozen=True)
class PutResult:
    """What the service answered to a put or a complete. ``checksum`` is the service's own, where it gives one."""

    etag: str
    version: str | None = None
    checksum: Checksum | None = None


@dataclass(frozen=True)
class Upload:
    """One multipart upload, as every call after ``create_upload`` takes it.

    ``part_size`` is the planned size of every part but the last, in bytes, or None where parts differ.
    """

    bucket: str
    key: str
    id: str
    options: WriteOptions = field(default_factory=WriteOptions)
    part_size: int | None = None


@dataclass(frozen=True)
class Part:
    """One part as the service knows it. ``number`` starts at 1."""

    number: int
    size: int
    etag: str
    checksum: Checksum | None = None
    modified: datetime | None = None


@dataclass(frozen=True)
class PendingUpload:
    """One unfinished upload in a listing."""

    key: str
    id: str
    initiated: datetime | None = None


@dataclass(frozen=True)
class ObjectPage:
    """One page of a listing: objects and common prefixes, each in UTF-8 byte order; ``token`` is None on the last."""

    objects: tuple[ObjectInfo, ...]
    prefixes: tuple[str, ...] = ()
    token: str | None = None


@dataclass(frozen=True, repr=False)
class ObjectList(Answers):
    """What ``list_objects`` found: objects and common prefixes, each in UTF-8 byte order.

    ``token`` goes on behind the last of them, or is None where the listing is complete; what follows may turn out to
    be empty.
    """

    _ALSO: ClassVar[Mapping[str, str]] = MappingProxyType({"is_truncated": "is_truncated"})

    objects: tuple[ObjectInfo, ...]
    prefixes: tuple[str, ...] = ()
    token: str | None = None

    @property
    def is_truncated(self) -> bool:
        """Whether there may be more."""
        return self.token is not None

    def __repr__(self) -> str:
        counts = f"objects: {len(self.objects)}, prefixes: {len(self.prefixes)}"
        return f"ObjectList({counts}, {'more may follow' if self.is_truncated else 'complete'})"


@dataclass(frozen=True)
class PartPage:
    """One page of an upload's parts, by ascending number; ``token`` is None on the last page."""

    parts: tuple[Part, ...]
    token: str | None = None


@dataclass(frozen=True)
class UploadPage:
    """One page of unfinished uploads; ``token`` is None on the last page."""

    uploads: tuple[PendingUpload, ...]
    token: str | None = None


@dataclass(frozen=True)
class PartReceipt:
    """How one part was proven: by the checksum of the source's bytes as ``algorithm:hex``, or ``server``.

    ``server`` is a part that was not read in this run: an earlier one had sent it, or the service copied it.
    """

    number: int
    size: int
    etag: str
    proof: str


@dataclass(frozen=True)
class UploadResult(Answers):
    """What an upload did.

    ``sent`` are the bytes that this run moved, ``kept`` those that an earlier run had left on the service.
    ``proof`` is ``put`` where the service took the object whole and verified its checksum, ``head`` where the
    object was seen under our token after complete, ``source`` where another run of the same
    source published it, ``etag`` where the service refused the look, ``superseded`` where another writer's
    object is at the key by now. ``verified`` says whether the object was read back and is the source, byte by byte
    (``verify``). ``notes`` are sentences for people: what was started afresh, kept or superseded. ``checksum`` is that
    of the whole object as the service computed it, ``algorithm:hex``, where it does; it is proven against the parts'.
    ``uri`` is the object as the command line takes it: ``minio://bucket/key``. Of an upload to a URL ``bucket`` is
    empty, ``key`` the URL without its query, and ``proof`` is ``answer`` where the service's word is all there is.
    """

    bucket: str
    key: str
    size: int
    etag: str
    sent: int
    kept: int
    parts: int
    part_size: int
    resumed: bool
    proof: str
    superseded_by: str | None = None
    replaced: str | None = None
    version: str | None = None
    receipt: tuple[PartReceipt, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()
    verified: bool = False
    checksum: str | None = None
    uri: str = ""


@dataclass(frozen=True)
class DownloadResult(Answers):
    """What a download did: ``path`` holds ``size`` bytes of the object that had ``etag``.

    ``fetched`` are the bytes that this run asked the service for, ``kept`` those that an earlier run had left in a
    draft beside the file; ``resumed`` says whether there were any. ``verified``: the file was read back, the object
    fetched a second time, and both are the same (``verify``). ``uri`` is the object as the command line takes it.
    """

    bucket: str
    key: str
    path: str
    size: int
    etag: str
    resumed: bool = False
    kept: int = 0
    fetched: int = 0
    verified: bool = False
    uri: str = ""


@dataclass(frozen=True)
class UnfinishedUpload(Answers):
    """One multipart upload that was begun and neither completed nor aborted.

    ``ours`` tells whether it has an upload record; then ``source`` names what is uploaded, ``size`` how long that
    is and ``part_size`` how it is cut, as far as they are known; ``strong``, whether the source can say that it is
    still the same, and ``promised`` (``sha256``, ``source_id``), whether by the caller's word. ``parts`` and
    ``kept``, their bytes, are what the service holds; both are None where it does not know the upload any more.
    ``active`` is when the newest part came, or the beginning where there is none. ``live``: a run may be at work on
    it. ``stale``: nobody has been for 24 h, or only the record is left.
    """

    bucket: str
    key: str
    upload_id: str
    initiated: datetime | None
    parts: int | None
    kept: int | None
    ours: bool
    source: str | None = None
    size: int | None = None
    part_size: int | None = None
    strong: bool | None = None
    promised: str = ""
    active: datetime | None = None
    live: bool = False
    stale: bool = False


@dataclass(frozen=True)
class AbortOutcome(Answers):
    """What became of one upload.

    ``did`` is ``aborted``, with what it held; ``forgotten``, where only its record was left to delete; ``skipped`` or
    ``failed``, and ``why``.
    """

    upload: UnfinishedUpload
    did: str
    why: str | None = None


@dataclass(frozen=True)
class DeleteFailure(Answers):
    """One key that could not be deleted, and why."""

    key: str
    code: str
    message: str


@dataclass(frozen=True)
class ObjectFailure(Answers):
    """One object of many that failed. ``error`` is the class of what was raised, ``code`` and ``message`` its words.

    Where a local name is no UTF-8, ``key`` shows what is wrong in it escaped: ``caf\\xe9``.
    """

    key: str
    error: str
    code: str
    message: str


@dataclass(frozen=True)
class ObjectOutcome(Answers):
    """What became of one object of many.

    ``did`` is ``copied``, ``skipped`` (it was there already, unchanged), ``marker`` (a key that only stands for a
    directory: it ends in a slash and has no bytes; left out), ``deleted`` or ``failed``, and then ``failure`` says why.
    In a dry run it is what would have happened. ``key`` is the object's in the bucket that is written to or deleted
    from, of a download the source's; ``path`` is the local file, ``notes`` are sentences for people.
    """

    key: str
    size: int
    did: str
    path: str | None = None
    failure: ObjectFailure | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class TreeProgress:
    """How far a recursive transfer is: objects that are done, and bytes, those of objects under way included.

    ``objects`` counts what was copied, skipped, left out or failed; ``bytes`` what is new at its place.
    """

    objects: int
    bytes: int


@dataclass(frozen=True)
class TreeResult(Answers):
    """What a recursive transfer or delete did, in objects; ``bytes`` are those of what was copied or deleted.

    ``failures`` are the first 1,000 of ``failed``. See ``ObjectOutcome`` for the words.
    """

    copied: int = 0
    deleted: int = 0
    skipped: int = 0
    markers: int = 0
    failed: int = 0
    bytes: int = 0
    failures: tuple[ObjectFailure, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class TreeSize(Answers):
    """How much lies below a prefix: ``objects``, their ``bytes``, and the ``first`` few keys."""

    objects: int
    bytes: int
    first: tuple[str, ...]


@dataclass(frozen=True)
class Progress:
    """How far a transfer is, in bytes. ``kept`` were on the service before this run; ``done`` includes them.

    ``total`` is None while the length is unknown. ``workers`` is what the memory budget allows.
    """

    done: int
    total: int | None
    kept: int = 0
    workers: int = 0
    part_size: int = 0
