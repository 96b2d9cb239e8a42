"""Uploads to a URL that was signed for PUT, with no client and no credentials but what the URL itself carries.

One PUT, as a signed URL allows just that: of a source whose size is known, read through one small buffer. A source that
can be read again (a file, bytes) is sent again after a failure, from its first byte, as the retry policy says; a stream
is sent once. What was promised of the bytes is compared before the last one goes out, so that nothing else is ever
published; and the source must be the same then that it was at first.

Headers are the caller's, and no other: signatures of the older kinds cover Content-Type and Content-MD5, also where
there is none.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from storagekit._body import BLOCK, StreamBody
from storagekit._clock import Cancel, Clock
from storagekit._crew import Crew
from storagekit._guard import HINTS, SOURCE_HINTS, Guard
from storagekit._http_rules import public_url
from storagekit._memory import allocate
from storagekit._meter import Meter
from storagekit._plan import Span
from storagekit._retry import RetryPolicy
from storagekit._signed_urls import is_signed, refused_put
from storagekit._source import Access, OpenSource, RangeReader, Source
from storagekit._throttle import Throttle
from storagekit.driver import Code, DriverError, Failure
from storagekit.errors import ChecksumError, IntegrityError, StorageError, UnsupportedSourceError
from storagekit.types import PartReceipt, Progress, UploadResult

if TYPE_CHECKING:
    from storagekit._http_session import Requester

_MD5 = re.compile(r"[0-9a-f]{32}")
_LONGEST_REFUSAL = 16 * 1024  # bytes of a refusal that are read
_HINTS = {**HINTS, **SOURCE_HINTS, Code.TOO_LARGE: HINTS[Code.TOO_LARGE]}


@dataclass(frozen=True)
class URLUpload:
    """One PUT to a URL. ``size`` and ``sha256`` are what was promised of the source."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    policy: RetryPolicy
    clock: Clock
    throttle: Throttle | None
    content_md5: bool = False
    size: int | None = None
    sha256: str | None = None
    timeout_s: float = 60.0

    def send(self, source: Source, listener: Callable[[Progress], None] | None, stop: Cancel) -> UploadResult:
        """Send the source, and return what the service says of it. Raises as ``upload_to_url`` says."""
        from storagekit._http_session import Requester

        shown = public_url(self.url)
        opened = source.open(stop)
        try:
            proven = _Proven(opened, self._size_of(opened), self.sha256)
            requester = Requester(self.url, self.headers, self.timeout_s)
            try:
                in_turn = self._here if opened.access is Access.ONCE else self._in_a_worker
                answer = in_turn(lambda: self._put(requester, proven, listener, stop), stop)
            finally:
                requester.close()
        finally:
            opened.close()
        return answer.result(shown, proven.size)

    def _size_of(self, opened: OpenSource) -> int:
        size, shown = opened.size, opened.identity.shown
        if size is not None and self.size not in (None, size):
            raise IntegrityError(
                f"{shown} has {size:,} bytes, and {self.size:,} were promised", hint="Nothing was sent"
            )
        known = self.size if size is None else size
        if known is None or opened.access is Access.RESTART:
            raise UnsupportedSourceError(
                f"{shown} cannot be sent to a URL: nobody says how long it is, or it breaks off at any byte",
                hint="Give its size (--size), or write it to a file first",
            )
        return known

    def _here(self, work: Callable[[], _Answer], stop: Cancel) -> _Answer:
        """The caller's iterator never runs in a thread that it does not know."""
        stop.check()
        return work()

    def _in_a_worker(self, work: Callable[[], _Answer], stop: Cancel) -> _Answer:
        """So Ctrl-C is seen while it waits for the service."""
        crew = Crew([Span(1, 0, 0)], lambda _: work(), stop)
        crew.run(1)
        return crew.results[1]

    def _put(
        self, requester: Requester, source: _Proven, listener: Callable[[Progress], None] | None, stop: Cancel
    ) -> _Answer:
        from storagekit._http_failures import DESTINATION, failure_of

        meter = Meter(Progress(0, source.size, 0, 1, source.size), listener, self.throttle)
        buffer = memoryview(allocate(max(1, min(source.size, BLOCK))))
        body = StreamBody(source, Span(1, 0, source.size), buffer, "md5", meter, stop)
        guard = Guard("http", lambda error: failure_of(error, DESTINATION), self.policy, self.clock, stop, _HINTS)
        can_repeat = source.access is not Access.ONCE
        try:
            headers = self._headers(body, can_repeat=can_repeat)
            if not source.size:
                source.check()
            return guard.call("put", lambda: self._once(requester, headers, body), body=body, retry=can_repeat)
        finally:
            body.close()

    def _headers(self, body: StreamBody, *, can_repeat: bool) -> dict[str, str]:
        if not self.content_md5:
            return {}
        if not can_repeat:
            raise UnsupportedSourceError(
                "the MD5 of a stream is not known before it is sent", hint="Leave out content_md5, or send a file"
            )
        body.look_ahead()
        assert body.checksum is not None  # noqa: S101  # that is what it looked for
        return {"Content-MD5": base64.b64encode(bytes.fromhex(body.checksum.value)).decode()}

    def _once(self, requester: Requester, headers: Mapping[str, str], body: StreamBody) -> _Answer:
        from storagekit._http_failures import read
        from storagekit.transport.sending import sending

        with sending(body) as data, requester.put(headers, data if body.size else None) as answer:
            if not 200 <= answer.status_code < 300:
                document = _words(lambda: read(answer, _LONGEST_REFUSAL))
                raise DriverError(refused_put(self.url, requester.shown, answer.status_code, answer.headers, document))
            found = _Answer.of(answer.headers, body.seen.value)
        if not found.agrees and is_signed(self.url) and not found.is_opaque:
            raise DriverError(Failure(Code.INTEGRITY, f"{requester.shown} stored other bytes than were sent"))
        return found


def _words(read: Callable[[], bytes]) -> bytes:
    """What a refusal says; nothing where it cannot be read."""
    try:
        return read()
    except (DriverError, StorageError):
        return b""


@dataclass(frozen=True)
class _Answer:
    """What a service says of what it stored: ``agrees`` where its etag is the MD5 of what was sent.

    ``is_opaque``: the etag is none that could be compared, as of encrypted objects.
    """

    etag: str
    version: str | None
    md5: str
    is_opaque: bool

    @classmethod
    def of(cls, headers: Mapping[str, str], md5: str) -> _Answer:
        etag = headers.get("ETag", "").strip('"')
        encrypted = any("server-side-encryption" in name.lower() for name in headers)
        version = next((value for name, value in headers.items() if name.lower().endswith("-version-id")), None)
        return cls(etag, version, md5, encrypted or _MD5.fullmatch(etag.lower()) is None)

    @property
    def agrees(self) -> bool:
        return self.etag.lower() == self.md5

    def result(self, shown: str, size: int) -> UploadResult:
        proof = f"md5:{self.md5}" if self.agrees else None
        return UploadResult(
            "",
            shown,
            size,
            self.etag,
            sent=size,
            kept=0,
            parts=1,
            part_size=size,
            resumed=False,
            proof="put" if self.agrees else "answer",
            version=self.version,
            receipt=(PartReceipt(1, size, self.etag, proof or f"md5:{self.md5}"),),
            checksum=proof,
            uri=shown,
        )


class _Proven:
    """A source whose end is proven in ``check``, which the body calls before its last byte goes out."""

    ends_itself = True

    def __init__(self, source: OpenSource, size: int, sha256: str | None) -> None:
        self._source = source
        self._promised = sha256.lower() if sha256 is not None else None
        self._digest = hashlib.sha256()
        self._reader: RangeReader | None = None
        self.size = size
        self.name, self.identity, self.access = source.name, source.identity, source.access
        self.content_type, self.mtime = source.content_type, source.mtime

    def open_range(self, offset: int, length: int | None, cancel: Cancel) -> _Hashing:
        """Return a reader; what it yields is hashed."""
        if self._reader is not None and self.access is Access.ONCE:
            raise UnsupportedSourceError(
                f"{self.identity.shown} cannot be sent a second time", hint="Run again, or send it from a file"
            )
        self._digest = hashlib.sha256()
        whole = None if self.access is Access.ONCE else length
        self._reader = self._source.open_range(offset, whole, cancel)
        return _Hashing(self._reader, self._digest if self._promised is not None else None)

    def check(self) -> None:
        """Raise IntegrityError where more bytes follow than were announced, or others came than were promised."""
        self._source.check()
        shown = self.identity.shown
        if self.access is Access.ONCE and self._reader is not None and self._reader.readinto(memoryview(bytearray(1))):
            raise IntegrityError(f"{shown} goes on after the {self.size:,} bytes that were announced", hint=_NOTHING)
        if self._promised not in (None, self._digest.hexdigest()):
            raise ChecksumError(
                f"{shown} has the SHA-256 {self._digest.hexdigest()}, and {self._promised} was promised", hint=_NOTHING
            )

    def verify(self) -> None:
        self._source.verify()

    def close(self) -> None:
        self._source.close()


_NOTHING = "Nothing was published; check the source, or the promise"


class _Hashing:
    def __init__(self, reader: RangeReader, digest: hashlib._Hash | None) -> None:
        self._reader = reader
        self._digest = digest

    def readinto(self, buffer: memoryview) -> int:
        count = self._reader.readinto(buffer)
        if self._digest is not None:
            self._digest.update(buffer[:count])
        return count

    def close(self) -> None:
        self._reader.close()
