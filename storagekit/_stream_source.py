"""Streams as sources: file-like objects, standard input, and iterators of bytes. They are read once, in order.

A stream cannot say which one it is, so its identity is weak, and the same for all streams to one key: a later run finds
the upload that an earlier one left, reads its own stream from the start and compares (``_replay.py``). What the
stream itself raises passes through unchanged.
"""

from __future__ import annotations

import io
import select
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import IO, Any, TypeGuard

from storagekit._clock import Cancel
from storagekit._source import Access, OpenSource, RangeReader, weak_identity
from storagekit.errors import ConfigurationError, UnsupportedSourceError

_LOOK_S = 0.2  # how soon a reader that waits sees that it was told to stop

_READ = 1024**2  # bytes asked of a file-like object that has no readinto


@dataclass(frozen=True)
class StreamSource:
    """A binary file-like object, which is read from where it stands, or an iterable of bytes.

    ``size`` is its length in bytes as far as the caller knows it; of a seekable one it is found out. The stream is
    not closed.
    """

    stream: IO[bytes] | Iterable[bytes] = field(repr=False)
    name: str = "stream"
    size: int | None = None

    def open(self, cancel: Cancel) -> OpenSource:
        """Return the opened source; nothing is read yet. Raises UnsupportedSourceError for what yields no bytes."""
        stream = self.stream
        if isinstance(stream, (bytes, bytearray, memoryview)):
            return _OpenStream([bytes(stream)], self.name, self.size)
        if isinstance(stream, (Mapping, AbstractSet)) or not (hasattr(stream, "read") or isinstance(stream, Iterable)):
            kind = type(stream).__name__
            raise UnsupportedSourceError(
                f"{kind} cannot be read", hint="Give bytes, a path, a URL, a binary file or an iterable of bytes"
            )
        _check_open(stream)
        return _OpenStream(stream, self.name, _size_of(stream) if self.size is None else self.size)


def _check_open(stream: object) -> None:
    """Raise ConfigurationError for a file-like object that is closed, or that was opened for writing."""
    if getattr(stream, "closed", False) is True:
        raise ConfigurationError("the stream is closed", hint="Give one that is open")
    if isinstance(stream, io.IOBase) and not stream.readable():
        raise ConfigurationError("the stream is not open for reading", hint="Open it with 'rb'")


def _size_of(stream: object) -> int | None:
    """Return how many bytes follow: in a seekable file-like object, or in an answer of ``urllib`` that says so.

    The latter ends without an error where its connection is cut.
    """
    from http.client import HTTPResponse

    if isinstance(stream, HTTPResponse):
        return stream.length
    try:
        if not _is_seekable(stream):
            return None
        here = stream.tell()
        stream.seek(0, 2)
    except (OSError, AttributeError):  # it said that it can seek, and cannot
        return None
    return max(0, _back(stream, here) - here)


def _back(stream: IO[bytes], here: int) -> int:
    """Go back from the end of a stream to ``here``; return where the end is."""
    try:
        end = stream.tell()
        stream.seek(here)
    except OSError as error:
        raise ConfigurationError(
            f"the stream cannot go back to where it stood: {error}", hint="Give its size, or one that seeks"
        ) from error
    return end


def _is_seekable(stream: object) -> TypeGuard[IO[bytes]]:
    asked = getattr(stream, "seekable", None)
    return hasattr(stream, "read") and asked is not None and bool(asked())


class _OpenStream:
    access = Access.ONCE
    ends_itself = True
    content_type: str | None = None
    mtime: float | None = None

    def __init__(self, stream: IO[bytes] | Iterable[bytes], name: str, size: int | None) -> None:
        self._stream = stream
        self.name = name
        self.size = size
        self.identity = weak_identity(name, kind="stream")

    def open_range(self, offset: int, length: int | None, cancel: Cancel) -> RangeReader:
        if not hasattr(self._stream, "read"):
            return _Chunks(iter(self._stream))
        if isinstance(self._stream, io.FileIO):
            return _Unbuffered(self._stream, cancel)
        return _Into(self._stream) if hasattr(self._stream, "readinto") else _Chunks(_reads(self._stream))

    def check(self) -> None:
        """A stream cannot change behind its own back."""

    def verify(self) -> None:
        """As ``check``."""

    def close(self) -> None:
        """The stream is the caller's."""


class _Into:
    """A file-like object that fills buffers itself."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readinto(self, buffer: memoryview) -> int:
        count = self._stream.readinto(buffer)
        if count is None:
            raise ConfigurationError("the stream is non-blocking", hint="Give a blocking one")
        if not isinstance(count, int) or not 0 <= count <= len(buffer):
            raise ConfigurationError(
                f"the stream's readinto returned {count!r} for {len(buffer):,} bytes of room",
                hint="Give a stream that keeps the io protocol",
            )
        return count

    def close(self) -> None:
        pass


class _Unbuffered(_Into):
    """A file, pipe or terminal without a buffer of Python's: a wait for bytes that do not come can be stopped."""

    def __init__(self, stream: io.FileIO, cancel: Cancel) -> None:
        super().__init__(stream)
        self._poll = select.poll()
        self._poll.register(stream.fileno(), select.POLLIN | select.POLLHUP)
        self._cancel = cancel

    def readinto(self, buffer: memoryview) -> int:
        while not self._poll.poll(_LOOK_S * 1000):
            self._cancel.check()
        return super().readinto(buffer)


def _reads(stream: Any) -> Iterator[bytes]:
    """Yield what ``read`` gives until it gives nothing."""
    while True:
        block = stream.read(_READ)
        if block is None:
            raise ConfigurationError("the stream is non-blocking", hint="Give a blocking one")
        if not block:
            return
        yield block


class _Chunks:
    """An iterator of bytes, of any size each; empty ones say nothing."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = memoryview(b"")

    def readinto(self, buffer: memoryview) -> int:
        while not self._left:
            try:
                self._left = _bytes_of(next(self._chunks))
            except StopIteration:
                return 0
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def close(self) -> None:
        pass


def _bytes_of(chunk: object) -> memoryview:
    if not isinstance(chunk, (bytes, bytearray, memoryview)):
        raise ConfigurationError(
            f"the stream yields {type(chunk).__name__}, not bytes", hint="Open it in binary mode, or encode its text"
        )
    view = memoryview(chunk)
    return view.cast("B") if view.c_contiguous else memoryview(view.tobytes())
