"""What can be uploaded, and how a source is recognised when it is met again.

A source is opened once per upload; opened, it states its size and its identity and serves any range to any thread.
An identity is strong when equal digests mean equal bytes, as far as the source can promise it:

    bytes   length and SHA-256
    file    size, mtime in seconds, SHA-256 of the first and the last 64 KiB; not its path
    http    URL without query, fragment and user info, length, strong ETag (or an old enough Last-Modified)

    object  backend, bucket, key, ETag, size
    stream  what the caller gives as ``source_id``, or the SHA-256 that it promises

Only a strong identity of a source that serves ranges is resumed by filling gaps; anything else by reading it from its
start again and comparing (``_replay.py``). HTTP lives in ``_http.py``, objects in ``_object_source.py``, iterators
and file-like objects in ``_stream_source.py``.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Protocol

from storagekit._clock import Cancel
from storagekit.errors import ConfigurationError, NotFoundError, SourceChangedError, UnsupportedSourceError

_EDGE = 64 * 1024


@dataclass(frozen=True)
class Identity:
    """``digest`` is SHA-256 hex; ``shown`` is for people and never holds a secret.

    ``promised`` is what the caller said of the content, where that is the identity: ``sha256`` or ``source_id``.
    """

    digest: str
    shown: str
    strong: bool
    promised: str = ""


def strong_identity(shown: str, **facts: str | int) -> Identity:
    """Return the identity that follows from ``facts``: the same facts give the same digest, on any machine."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return Identity(hashlib.sha256(text.encode()).hexdigest(), shown, strong=True)


def weak_identity(shown: str, **facts: str | int) -> Identity:
    """Return the identity of a source that cannot say whether it changed.

    Equal ``facts`` give equal digests, so that a later run finds the upload; what it keeps of it, it compares first.
    """
    return replace(strong_identity(shown, **facts), strong=False)


class Access(Enum):
    """How the bytes of an opened source can be had."""

    RANGES = "ranges"
    """Any range, any number of times, from any thread."""
    RESTART = "restart"
    """From the first byte to the last only, but again and again."""
    ONCE = "once"
    """From the first byte to the last, once."""


class RangeReader(Protocol):
    """The bytes of one range of a source."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill up to ``len(buffer)`` bytes and return how many; 0 where the source ends."""

    def close(self) -> None:
        """Give back what the range holds."""


class OpenSource(Protocol):
    """A source that was opened: its facts, and its bytes."""

    @property
    def name(self) -> str:
        """Base name, for a target that ends in a slash."""

    @property
    def size(self) -> int | None:
        """Length in bytes; None where it is known only at the end."""

    @property
    def identity(self) -> Identity:
        """Which source this is, in this state."""

    @property
    def content_type(self) -> str | None:
        """What the source says of its type, if it does."""

    @property
    def mtime(self) -> float | None:
        """When the source was changed last, in seconds since 1970 UTC, if it says so."""

    @property
    def access(self) -> Access:
        """How the bytes can be had. Only with ``Access.RANGES`` is ``size`` never None."""

    @property
    def ends_itself(self) -> bool:
        """Whether the end of the bytes can be told from a broken connection; else the caller must state the size."""

    def open_range(self, offset: int, length: int | None, cancel: Cancel) -> RangeReader:
        """Start to read ``length`` bytes from ``offset``; with ``Access.RANGES`` any number at once, from any thread.

        Other sources are only asked for all bytes from the first (0, None), by one thread. With ``Access.RESTART``
        asking again begins again, with the same version (SourceChangedError otherwise), and a reader raises
        ServiceError where the bytes break off. ``cancel`` ends waits and retries of this range.
        """

    def check(self) -> None:
        """Raise SourceChangedError if the source is seen to have changed, at no cost: after every part."""

    def verify(self) -> None:
        """Raise SourceChangedError if the source is no longer what it was when it was opened: before publishing."""

    def close(self) -> None:
        """Give back what the source holds."""


class Source(Protocol):
    """Something that can be opened for an upload."""

    def open(self, cancel: Cancel) -> OpenSource:
        """Look at the source and open it. ``cancel`` also stops reads and waits of the opened source."""


@dataclass(frozen=True)
class BytesSource:
    """Bytes that are in memory. ``name`` is used where a target ends in a slash."""

    data: bytes | bytearray | memoryview
    name: str = "data"

    def open(self, cancel: Cancel) -> OpenSource:
        """Return the opened source; hashing the bytes is their identity."""
        view = memoryview(self.data)
        if not view.c_contiguous:
            raise UnsupportedSourceError("a memoryview with gaps cannot be read", hint="Give bytes(view)")
        view = view.cast("B")
        digest = hashlib.sha256(view).hexdigest()
        identity = strong_identity(f"{len(view):,} bytes in memory", kind="bytes", size=len(view), sha256=digest)
        return _OpenBytes(view, self.name, identity)


@dataclass(frozen=True)
class _OpenBytes:
    data: memoryview
    name: str
    identity: Identity
    content_type: str | None = None
    mtime: float | None = None
    access: Access = Access.RANGES
    ends_itself: bool = True

    @property
    def size(self) -> int:
        return len(self.data)

    def open_range(self, offset: int, length: int | None, cancel: Cancel) -> RangeReader:
        return _ViewReader(self.data[offset : None if length is None else offset + length])

    def check(self) -> None:
        """Hashing all bytes after every part is not free: ``verify`` does it once."""

    def verify(self) -> None:
        digest = hashlib.sha256(self.data).hexdigest()
        if strong_identity("", kind="bytes", size=self.size, sha256=digest).digest != self.identity.digest:
            raise changed(self.identity.shown)

    def close(self) -> None:
        pass


class _ViewReader:
    def __init__(self, data: memoryview) -> None:
        self._left = data

    def readinto(self, buffer: memoryview) -> int:
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class FileSource:
    """A regular file."""

    path: str | os.PathLike[str]

    def open(self, cancel: Cancel) -> OpenSource:
        """Open the file and read its edges.

        Raises NotFoundError, UnsupportedSourceError (a directory, a pipe) and the system's own PermissionError.
        """
        path = Path(self.path)
        try:
            file = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFoundError(f"no such file: {path}") from error
        except ValueError as error:
            raise ConfigurationError(f"this is not a path: {error}") from error
        facts = os.fstat(file)
        if not stat.S_ISREG(facts.st_mode):
            os.close(file)
            kind = "a directory" if stat.S_ISDIR(facts.st_mode) else "not a regular file"
            hint = "Name a regular file; a pipe is read from standard input, or as an open binary file"
            raise UnsupportedSourceError(f"{path} is {kind}", hint=hint)
        if facts.st_size == 0 and os.pread(file, 1, 0):  # as in /proc
            os.close(file)
            raise UnsupportedSourceError(
                f"{path} says that it is empty, and is not", hint="Read it as a stream, such as from standard input"
            )
        return _OpenFile(file, path, facts)


class _OpenFile:
    content_type: str | None = None
    access = Access.RANGES
    ends_itself = True

    def __init__(self, file: int, path: Path, facts: os.stat_result) -> None:
        self._file = file
        self._facts = facts
        self.name = path.name
        self.size = facts.st_size
        self.mtime: float | None = facts.st_mtime
        self.identity = strong_identity(
            str(path), kind="file", size=self.size, mtime=int(facts.st_mtime), edges=self._edges()
        )

    def _edges(self) -> str:
        digest = hashlib.sha256(os.pread(self._file, _EDGE, 0))
        digest.update(os.pread(self._file, _EDGE, max(0, self.size - _EDGE)))
        return digest.hexdigest()

    def open_range(self, offset: int, length: int | None, cancel: Cancel) -> RangeReader:
        return _FileReader(self._file, offset, self.size - offset if length is None else length)

    def check(self) -> None:
        self.verify()

    def verify(self) -> None:
        now = os.fstat(self._file)
        if (now.st_size, now.st_mtime_ns) != (self._facts.st_size, self._facts.st_mtime_ns):
            raise changed(self.identity.shown)

    def close(self) -> None:
        file, self._file = self._file, -1
        os.close(file)


class _FileReader:
    """Reads through a descriptor of its own: a worker that outlives the transfer must not read what gets its number."""

    def __init__(self, file: int, offset: int, length: int) -> None:
        self._file = os.dup(file)
        self._offset = offset
        self._end = offset + length

    def readinto(self, buffer: memoryview) -> int:
        count = os.preadv(self._file, [buffer[: self._end - self._offset]], self._offset)
        self._offset += count
        return count

    def close(self) -> None:
        os.close(self._file)


def endless(shown: str) -> UnsupportedSourceError:
    """Return the error for a source of which nobody says how long it is, and whose end cannot be told from a break."""
    return UnsupportedSourceError(
        f"{shown} says neither how long it is nor where it ends: a part of it could be taken for all",
        hint="Give its size (--size) or its SHA-256 (--sha256)",
    )


def changed(shown: str) -> SourceChangedError:
    """Return the error for a source that is no longer what it was."""
    return SourceChangedError(
        f"{shown} changed while it was read", hint="Nothing was published; run again to send the new version"
    )
