"""An HTTP source that is read in one answer, from its first byte to its last; asked again, from its first byte again.

The end of a body is proven by its Content-Length or its last chunk, and by nothing else. One that breaks off raises
ServiceError: whoever reads begins again and compares. One of a compressed stream is proven by both, framing and stream.
Each answer must be of the version that the first one was (ETag, weak ones too, Last-Modified, length).

``verify`` looks once more before publishing. Of a strong identity that must succeed. Of a weak one the look is a
courtesy, because the bytes came in one answer up to its end: only a difference counts, and a server that no longer
answers (a URL that was good for one time, a 405) does not undo what it has served.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from requests import Response

from storagekit._clock import Cancel
from storagekit._guard import SOURCE_HINTS, Guard, translate
from storagekit._http_coding import Decoder
from storagekit._http_failures import read
from storagekit._http_rules import Whole, base_name, garbled, identify, same_version, timestamp, whole_of
from storagekit._http_session import Requester
from storagekit._source import Access, RangeReader, changed
from storagekit.driver import Code, DriverError, Failure
from storagekit.errors import Context, IntegrityError, StorageError


class OpenWhole:
    """An opened URL; ``answer``, a 200, is kept for the first reading."""

    access = Access.RESTART

    def __init__(self, requester: Requester, guard: Guard, answer: Response) -> None:
        self._requester = requester
        self._guard = guard
        self._first: Response | None = answer
        self._known = whole_of(answer.headers, requester.shown)
        validators = self._known.validators
        self.size: int | None = validators.total
        self.ends_itself = self._known.ends_itself
        self.identity = identify(requester.url, validators)
        self.etag = validators.etag
        self.name = base_name(requester.url)
        self.content_type: str | None = answer.headers.get("Content-Type")
        self.mtime = timestamp(validators.last_modified)

    def open_range(self, offset: int, length: int | None, cancel: Cancel) -> RangeReader:
        """Return a reader of all bytes. Only the request is retried here; what breaks off is begun again above."""
        answer, self._first = self._first, None
        if answer is None:
            answer = replace(self._guard, cancel=cancel).call("read", self._again)
        return _WholeReader(answer, whole_of(answer.headers, self._requester.shown), self.size, self._requester.shown)

    def _again(self) -> Response:
        answer = self._requester.everything()
        try:
            whole = whole_of(answer.headers, self._requester.shown)
            if not same_version(self._known.validators, whole.validators):
                raise changed(self._requester.shown)
            if self.size is None and self.ends_itself and not whole.ends_itself:
                raise garbled(self._requester.shown, "without an end, which it had before")
        except BaseException:
            answer.close()
            raise
        return answer

    def check(self) -> None:
        """One answer is one version."""

    def verify(self) -> None:
        """Look once more; see the head of this module for what counts."""
        if self.identity.strong:
            self._guard.call("verify", self._compare)
            return
        try:
            self._guard.call("verify", self._compare, retry=False)
        except IntegrityError:
            raise
        except StorageError:
            pass

    def _compare(self) -> None:
        if not same_version(self._known.validators, self._requester.look()):
            raise changed(self._requester.shown)

    def close(self) -> None:
        """Close the connections."""
        if self._first is not None:
            self._first.close()
        self._requester.close()


class _WholeReader:
    """Reads one answer to its end. ``size`` is what the source has been since the look, where that is known."""

    def __init__(self, answer: Response, whole: Whole, size: int | None, shown: str) -> None:
        wire = _Wire(answer, whole.length)
        self._answer = answer
        self._whole = whole
        self._size = size
        self._shown = shown
        self._count = 0
        self._readinto: Callable[[memoryview], int] = (
            wire.readinto if whole.coding is None else Decoder(whole.coding, wire.read, shown).readinto
        )

    def readinto(self, buffer: memoryview) -> int:
        """Fill up to ``len(buffer)`` bytes; 0 at the proven end.

        Raises ServiceError where the body breaks off, SourceChangedError where it has another length than before,
        SourceTruncatedError and ChecksumError for a damaged compressed one.
        """
        if not buffer:
            return 0
        try:
            count = self._readinto(buffer)
        except DriverError as error:
            raise translate(error.failure, Context(backend="http", operation="read"), 1, SOURCE_HINTS) from error
        self._count += count
        self._check_size(ended=count == 0)
        return count

    def _check_size(self, *, ended: bool) -> None:
        if self._size is None or (self._count <= self._size and not ended) or self._count == self._size:
            return
        if self._whole.ends_itself or self._count > self._size:
            raise changed(self._shown)
        raise translate(_BROKEN_OFF, Context(backend="http", operation="read"), 1, SOURCE_HINTS)

    def close(self) -> None:
        """Give the connection back when the answer was read whole, else close it."""
        self._answer.close()


_BROKEN_OFF = Failure(Code.NETWORK, "the source closed the connection early")


class _Wire:
    """The body as it is on the wire. ``length`` is what was announced, None where chunks or closing end it."""

    def __init__(self, answer: Response, length: int | None) -> None:
        self._answer = answer
        self._left = length

    def read(self, count: int) -> bytes:
        """Return up to ``count`` bytes, and none at the end. Raises DriverError where the body breaks off."""
        if self._left == 0:
            return b""
        data = read(self._answer, count if self._left is None else min(count, self._left))
        if self._left is not None:
            if not data:  # urllib3 raises by itself; that a body is whole must not hang on its settings
                raise DriverError(_BROKEN_OFF)
            self._left -= len(data)
        return data

    def readinto(self, buffer: memoryview) -> int:
        """Fill up to ``len(buffer)`` bytes; 0 at the end."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
