"""The driver protocol: the whole of what a backend has to be.

A driver is one account at one endpoint. It translates calls into the vendor's requests and the vendor's answers
into our values, and it decides nothing: no retry, no thread, no sleep, no part size, no logging and no exception
class of ours. Everything that must be decided is decided once, in the core. The vendor SDK's own retries are off.

What the core guarantees to every method:

* one driver object is used from many threads at once; bucket and key are arguments;
* names were checked before a write; ``start``, ``length`` and part numbers are in range;
* a ``Body`` may be read once from its start to its end; it is rewound by the core before a retry.

What every method guarantees to the core:

* it raises the vendor's own exception, or ``DriverError`` where the vendor's answer was a success that
  is none, and ``classify`` turns either into a ``Failure``;
* an exception that ``Body.read`` raised passes through (the SDK may wrap it: the core asks the body first);
* a connection that a failure left half used is not used again.

Times are aware UTC, sizes bytes, etags without quotes, metadata keys lower-case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from storagekit.types import (
    Checksum,
    DeleteFailure,
    ObjectInfo,
    ObjectPage,
    Part,
    PartPage,
    PutResult,
    Upload,
    UploadPage,
    WriteOptions,
)

if TYPE_CHECKING:
    from typing_extensions import Self  # part of every type checker, and needed by no program


class Code(Enum):
    """What went wrong, in words that all vendors share. The value is the text shown in ``--json``."""

    NOT_FOUND = "not_found"
    BUCKET_NOT_FOUND = "bucket_not_found"
    UPLOAD_GONE = "upload_gone"
    BUCKET_EXISTS = "bucket_exists"
    BUCKET_NOT_EMPTY = "bucket_not_empty"
    CONFLICT = "conflict"
    PRECONDITION = "precondition"
    PART_INVALID = "part_invalid"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    INTEGRITY = "integrity"
    ACCESS_DENIED = "access_denied"
    BAD_CREDENTIALS = "bad_credentials"
    EXPIRED_CREDENTIALS = "expired_credentials"
    CLOCK_SKEW = "clock_skew"
    INVALID_NAME = "invalid_name"
    WRONG_ENDPOINT = "wrong_endpoint"
    UNTRUSTED = "untrusted"
    ARCHIVED = "archived"
    UNSUPPORTED = "unsupported"
    REFUSED = "refused"
    THROTTLED = "throttled"
    TIMEOUT = "timeout"
    SERVER = "server"
    NETWORK = "network"
    STALE_CONNECTION = "stale_connection"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Failure:
    """What ``classify`` makes of an exception.

    ``retry_after_s`` is the service's own wish in seconds; ``status`` the HTTP status; ``vendor_code`` the
    service's code as it wrote it; ``detail`` one sentence for people, without secrets; ``hint`` one that says what to
    do, where the code's own advice is not enough.
    """

    code: Code
    detail: str = ""
    retry_after_s: float | None = None
    request_id: str | None = None
    status: int | None = None
    vendor_code: str | None = None
    hint: str | None = None


class DriverError(Exception):
    """A failure that a driver saw and the vendor did not raise, such as an error inside a 200."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail or failure.code.value)
        self.failure = failure


@dataclass(frozen=True)
class Limits:
    """Facts of one driver instance. Sizes are bytes; a profile may override any of them.

    ``checksum`` is what the server verifies on every body (``md5``: Content-MD5; ``crc64``: CRC-64/ECMA; ``crc32c``;
    ``none``). ``part_checksum`` is what may be asked of ``create_upload`` instead, for the parts of that upload: S3
    keeps one algorithm for each, and a server that does not know it says so by not agreeing.
    ``complete_order`` says which of two completes of one key wins: the last ``completion``, or (OBS) the last
    ``initiation``. ``upload_expiry_s`` is when the service drops an unfinished upload by itself (MinIO: 24 h after
    its initiation). ``max_segment_bytes`` and ``empty_segments`` say what may stand between two slashes of a key.
    ``encryption`` says, without a secret, how this instance has the service encrypt; an upload that was begun otherwise
    is not gone on with. ``sparse_complete``: a complete may leave out parts that were sent. ``exact_upload_listing``:
    ``list_uploads`` finds a key only by its whole name (MinIO).
    """

    min_part: int = 5 * 1024**2
    max_part: int = 5 * 1024**3
    max_parts: int = 10_000
    max_put: int = 5 * 1024**3
    max_object: int = 48_800 * 1024**3
    max_key_bytes: int = 1024
    max_segment_bytes: int | None = None
    empty_segments: bool = True
    checksum: str = "md5"
    part_checksum: str | None = None
    complete_order: str = "completion"
    upload_expiry_s: float | None = None
    encryption: str = ""
    sparse_complete: bool = True
    exact_upload_listing: bool = False


class Body(Protocol):
    """The bytes of one put or one part. The core throttles, counts, hashes and cancels inside ``read``."""

    @property
    def size(self) -> int:
        """Exact number of bytes that ``read`` yields in all."""

    @property
    def checksum(self) -> Checksum | None:
        """The digest that the server is to verify, to be sent along; None where it is known only after the send.

        ``Limits.checksum`` names it, for a part of an upload that agreed on another one that (``Upload.checksum``).
        """

    def read(self, n: int = -1) -> memoryview:
        """Return the next bytes, at most ``n`` and about 1 to 4 MiB, without a copy; empty at the end.

        Raises what the source or a cancellation raises; the driver lets it pass and publishes nothing.
        """

    def rewind(self) -> None:
        """Go back to the first byte. The core does so before each attempt; a driver needs it only for itself."""

    def view(self) -> memoryview | None:
        """Return all the bytes where they are in memory, else None. Reading through it counts no progress."""


class Reader(Protocol):
    """The bytes of one object or range, raw as stored: never decompressed. A context manager.

    ``etag`` and ``total`` are the response's own (some servers ignore If-Match), ``total`` the whole object's size.
    """

    @property
    def etag(self) -> str:
        """Etag of the object that the bytes belong to."""

    @property
    def total(self) -> int:
        """Size of the whole object in bytes."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill at most ``len(buffer)`` bytes and return how many; 0 only at the end.

        A body shorter than announced raises an error that classifies as NETWORK.
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class Driver(Protocol):
    """One account at one endpoint; see the module docstring for what holds for every method.

    "Requires CODE" means: in that case the call raises, and ``classify`` of what it raised has that code.
    """

    @property
    def limits(self) -> Limits:
        """Facts of this instance; never changes."""

    def head(self, bucket: str, key: str) -> ObjectInfo:
        """Return what the service knows of the object. Requires NOT_FOUND, BUCKET_NOT_FOUND where the service tells.

        A service that cannot tell the two apart in an answer without a body (S3) may answer NOT_FOUND for both.
        """

    def read(
        self, bucket: str, key: str, start: int = 0, length: int | None = None, if_match: str | None = None
    ) -> Reader:
        """Open ``length`` bytes from ``start`` (to the end when None). The caller closes the reader.

        ``start`` is inside the object, or 0; ``length`` is at least 1 and may reach past the end. With
        ``if_match``, requires PRECONDITION when the object has another etag; a service that ignores the header
        returns the reader, and the core compares its ``etag``. Requires NOT_FOUND.
        """

    def put(self, bucket: str, key: str, body: Body, options: WriteOptions) -> PutResult:
        """Store one object, atomically: readers see the old object or the whole new one, also after a crash.

        ``body.size`` is at most ``limits.max_put``. Requires PRECONDITION where ``options.if_absent`` and there is an
        object; a service that cannot look in that moment ignores it, and the core has looked before. So does
        ``complete_upload``, by ``upload.options``. Requires INTEGRITY where ``body.checksum`` does not match
        the bytes, and stores nothing then, nor when ``body.read`` raises. Requires BUCKET_NOT_FOUND.
        """

    def delete(self, bucket: str, key: str) -> None:
        """Delete one object; a missing one is success. Requires BUCKET_NOT_FOUND."""

    def delete_many(self, bucket: str, keys: Sequence[str]) -> list[DeleteFailure]:
        """Delete up to 1,000 objects and return the failures; missing objects are none."""

    def list(
        self,
        bucket: str,
        prefix: str = "",
        delimiter: str = "",
        start_after: str = "",
        token: str | None = None,
        limit: int = 1000,
    ) -> ObjectPage:
        """Return one page of objects in UTF-8 byte order of their keys, at most ``limit`` of objects and prefixes.

        With ``delimiter``, keys that contain it after ``prefix`` are folded into ``prefixes``. ``token`` is the
        opaque one of the page before. Objects carry key, size, etag and modified; content type and metadata may
        be missing. Objects that are written or deleted meanwhile may appear or not; no other is lost or
        repeated. Requires BUCKET_NOT_FOUND.
        """

    def copy(
        self,
        bucket: str,
        key: str,
        source_bucket: str,
        source_key: str,
        options: WriteOptions,
        if_match: str | None = None,
    ) -> PutResult:
        """Copy one object of at most ``limits.max_put`` bytes on the server, with ``options`` as the new ones.

        Atomic as ``put`` is. With ``if_match``, requires PRECONDITION where the source has another etag. Requires
        NOT_FOUND for a missing source, BUCKET_NOT_FOUND for a missing target bucket. Source and target may be the same
        key. Metadata that is not in ``options`` is not kept.
        """

    def copy_part(
        self, upload: Upload, number: int, source_bucket: str, source_key: str, start: int, length: int, if_match: str
    ) -> Part:
        """Store a range of another object as a part, on the server. Requires PRECONDITION, UPLOAD_GONE."""

    def create_upload(self, bucket: str, key: str, options: WriteOptions, part_size: int | None) -> Upload:
        """Begin a multipart upload. Any number may be open for one key; none is visible as an object.

        ``options.checksum`` is a wish for ``Limits.part_checksum``: where the service agrees, the upload that is
        returned has it in its own options, and every part of it then carries that checksum; else it has None there, and
        ``Limits.checksum`` holds.
        In this call and all that take its result: an id that belongs to another key is absent.
        """

    def put_part(self, upload: Upload, number: int, body: Body) -> Part:
        """Store one part: any order, any thread; the same number replaces, whole or not at all.

        ``body.size`` is the planned part size, or less for the last part. Returns the part with the etag that
        ``complete_upload`` wants. Requires INTEGRITY as ``put`` does, UPLOAD_GONE. Where the service computes the
        checksum only when it has stored the part (OSS), an empty one may be left.
        """

    def list_parts(self, upload: Upload, token: str | None = None, limit: int = 1000) -> PartPage:
        """Return one page, at most 1,000, of the parts that are stored whole, ascending.

        Each has its etag, its real size and ``modified``. Parts that are sent meanwhile may appear or not; no other is
        lost or repeated. Requires UPLOAD_GONE, never an empty page for it.
        """

    def list_uploads(self, bucket: str, prefix: str = "", token: str | None = None, limit: int = 1000) -> UploadPage:
        """Return one page of unfinished uploads whose key starts with ``prefix`` (see ``exact_upload_listing``).

        An upload is listed from when ``create_upload`` returned, with ``initiated``.
        """

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> PutResult:
        """Publish the object made of ``parts``, which ascend by number. Atomic as ``put`` is.

        Requires PART_INVALID where a part is missing or its etag differs, TOO_SMALL where a part but the last is
        below ``limits.min_part``, UPLOAD_GONE, also where an abort comes at the same moment. A refused complete changes
        nothing: upload and parts stay. An error that the service hides in a 200 is raised. Never retried blindly: the
        core judges a lost answer by ``head``.
        """

    def abort_upload(self, upload: Upload) -> None:
        """Drop the upload and its parts; an absent upload is success, and one of another key is absent.

        Parts in flight end in UPLOAD_GONE.
        """

    def create_bucket(self, bucket: str, location: str | None = None) -> None:
        """Create a bucket. Requires BUCKET_EXISTS."""

    def delete_bucket(self, bucket: str) -> None:
        """Delete an empty bucket. Requires BUCKET_NOT_FOUND, BUCKET_NOT_EMPTY."""

    def list_buckets(self) -> Iterable[str]:
        """Return the names of the account's buckets, sorted."""

    def bucket_exists(self, bucket: str) -> bool:
        """Tell whether the bucket exists and may be looked at."""

    def presign(self, operation: str, bucket: str, key: str, expires: timedelta, **options: Any) -> str:
        """Return a URL that allows ``GET``, ``HEAD``, ``PUT`` or ``PUT_PART`` without credentials.

        ``PUT_PART`` takes the options ``upload_id`` and ``part_number``; ``PUT`` takes ``content_type``, which is
        signed, and has to be sent then. Requires UNSUPPORTED where the backend has no such thing, or where whoever has
        the URL would need more than it (a key of the customer's), REFUSED for a time that the service does not take.
        """

    def classify(self, error: BaseException) -> Failure:
        """Say what an exception of this driver means. Pure; UNKNOWN for what it has never seen."""

    def close(self) -> None:
        """Give back connections. A call that follows opens new ones; closing twice is closing once."""


@dataclass(frozen=True)
class Setting:
    """One thing a backend can be told: its name as an argument, and where else it is looked for.

    ``env`` are environment variables, the first that is set wins: the vendor SDK's names, then older aliases.
    ``default`` is what holds where it is set nowhere, for people: ``storagekit config show`` shows it, and the factory
    is not given it. ``unless`` names another setting with which this one is not ``required``.
    """

    name: str
    env: tuple[str, ...] = ()
    secret: bool = False
    required: bool = False
    help: str = ""
    default: str = ""
    unless: str = ""

    def is_needed(self, given: Iterable[str]) -> bool:
        """Tell whether it has to be said, where the settings of these names are."""
        return self.required and not {self.name, self.unless} & set(given)


@dataclass(frozen=True)
class DriverSpec:
    """What a plugin says of one backend, without importing its SDK.

    ``factory`` takes the resolved settings (name to text) and returns the driver; it imports the SDK and raises
    ImportError where that is missing, and the core then prints ``pip install`` with ``install_hint``.
    """

    backend: str
    summary: str
    factory: Callable[[Mapping[str, str]], Driver]
    aliases: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    install_hint: str | None = None
    requires: tuple[str, ...] = field(default=())
    """Modules that the factory imports; ``storagekit backends`` looks for them without importing."""
    variants: tuple[DriverSpec, ...] = ()
    """Aliases that are told other things than the backend itself: ``s3`` reads AWS's variables, too."""

    def called(self, name: str) -> DriverSpec:
        """Return what holds where the backend is called by this name: it stays the same backend, of one service."""
        for variant in self.variants:
            if variant.backend == name:
                return replace(self, settings=variant.settings, factory=variant.factory)
        return self
