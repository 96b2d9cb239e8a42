"""What is decided in a recursive transfer: which names fit together, which are safe, which errors end everything. Pure.

A prefix means a directory: what lies below ``raw`` are the keys that begin with ``raw/``. Both sides of a transfer are
walked in UTF-8 byte order of the keys and merged, so that millions of objects need the memory of a few pages.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta, timezone
from typing import TypeVar

from storagekit._leftovers import is_ours
from storagekit.errors import (
    BucketNotFoundError,
    ConfigurationError,
    CredentialsError,
    InvalidNameError,
    StorageError,
    TransferCancelled,
    UnsupportedSourceError,
)
from storagekit.types import ObjectFailure, ObjectInfo

T = TypeVar("T")

LONGEST_NAME = 255  # bytes between two slashes: NAME_MAX of ext4, xfs, btrfs, apfs

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_SECOND_NS = 10**9


def below(prefix: str) -> str:
    """Return what the keys below the directory ``prefix`` begin with; empty for the whole bucket."""
    return prefix if not prefix or prefix.endswith("/") else f"{prefix}/"


def overlap(one: str, other: str) -> bool:
    """Tell whether one of two directories (as ``below`` gives them) lies in the other, or they are the same."""
    return one.startswith(other) or other.startswith(one)


def is_marker(info: ObjectInfo) -> bool:
    """Tell whether an object only stands for a directory, as consoles and some tools make them."""
    return info.key.endswith("/") and info.size == 0


def pair(
    ours: Iterable[T], order: Callable[[T], bytes], theirs: Iterable[ObjectInfo]
) -> Iterator[tuple[T, ObjectInfo | None]]:
    """Yield each of ``ours`` with the object of ``theirs`` that has its key, or None. Both come in byte order of keys.

    ``order`` gives the key of one of ours in UTF-8. Of ``theirs`` no more is asked for than is needed.
    """
    listed = iter(theirs)
    there: ObjectInfo | None = None
    ended = False
    for one in ours:
        while not ended and (there is None or there.key.encode() < order(one)):
            there = next(listed, None)
            ended = there is None
        yield one, there if there is not None and there.key.encode() == order(one) else None


class Parents:
    """The keys of a listing that are objects although others lie below them: ``a`` beside ``a/b``.

    In byte order ``a`` comes first, but ``a-b`` may stand between the two. Kept are only keys that the next one begins
    with, so no more than a key has characters.
    """

    def __init__(self) -> None:
        self._open: list[str] = []

    def of(self, key: str) -> str | None:
        """Return the object that would have to be the directory of ``key``, or None. Keys come in byte order."""
        while self._open and not key.startswith(self._open[-1]):
            self._open.pop()
        found = next((one for one in self._open if key.startswith(f"{one}/")), None)
        self._open.append(key)
        return found


def name_problem(name: str, longest: int = LONGEST_NAME) -> str | None:
    """Return why the rest of a key cannot be a path below a directory, or None. ``longest`` is of a segment, in bytes.

    A backslash is a letter like any other here: this program runs on systems that know only one kind of slash.
    """
    segments = name.split("/")
    if "\0" in name:
        return "it holds a NUL"
    if "" in segments:
        return "it begins or ends in a slash, or has two in a row"
    if not {".", ".."}.isdisjoint(segments):
        return "a segment is '.' or '..', which would lead elsewhere"
    size = max(len(os.fsencode(segment)) for segment in segments)
    if size > longest:
        return f"a segment has {size} bytes, and this file system holds {longest}"
    return "it is a name of storagekit's own drafts" if is_ours(segments[-1]) else None


def time_ns(modified: datetime) -> int:
    """Return a time as a file has it: in nanoseconds since 1970."""
    return (modified - _EPOCH) // timedelta(microseconds=1) * 1000


def same_time(mtime_ns: int, modified: datetime | None) -> bool:
    """Tell whether a file has the time of the object that it was downloaded from.

    To the microsecond, as listings give it; a file of whole seconds may lie on a file system that knows no others.
    """
    if modified is None:
        return False
    wanted = time_ns(modified)
    return mtime_ns // 1000 == wanted // 1000 or mtime_ns == wanted // _SECOND_NS * _SECOND_NS


def ends_everything(error: BaseException) -> bool:
    """Tell whether no other object can fare better: credentials, bucket, configuration, a full disk, an interrupt.

    What is no error of ours or of the system ends everything, too: it is a mistake of the program.
    """
    if isinstance(error, (InvalidNameError, UnsupportedSourceError)):
        return False
    if isinstance(error, StorageError):
        return isinstance(error, (ConfigurationError, CredentialsError, BucketNotFoundError, TransferCancelled))
    return not isinstance(error, OSError) or error.errno in _DISK


def failure_of(key: str, error: BaseException) -> ObjectFailure:
    """Return what a list of failures says of one."""
    if isinstance(error, StorageError):
        return ObjectFailure(key, type(error).__name__, error.code, error.message)
    code = errno.errorcode.get(getattr(error, "errno", None) or 0, "system")
    return ObjectFailure(key, type(error).__name__, code, str(error))
