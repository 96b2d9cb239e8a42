"""Reading from a bucket of the local driver: one object, or a listing. Takes no lock and changes nothing.

A reader keeps the file that it opened: what is renamed over the key meanwhile does not touch it. A file that another
program changes in place while it is read is found out at the end, by its size and modification time.

A listing walks the directories depth first, each of them sorted with ``/`` behind the directories' names: that is
the order of the whole keys. Directories that prefix or start key exclude are not opened, nor are those whose common
prefix is out already. One directory is read as a whole for each page, some 0.5 s where it has a million entries.
"""

# Keys are text (Path would turn "a//b" into "a/b"), and these are system calls, in the order that matters:
# ruff: noqa: PTH116

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from datetime import datetime, timezone

from storagekit.driver import Code
from storagekit.drivers._local_bucket import Bucket
from storagekit.drivers._local_files import refusal
from storagekit.drivers._local_names import (
    MAX_KEY,
    encodable,
    is_control,
    is_file,
    is_readable,
    key_fault,
    linked_parent,
    object_etag,
)
from storagekit.types import ObjectInfo, ObjectPage, WriteOptions

_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


def modified_at(info: os.stat_result) -> datetime:
    """Return a file's modification time in UTC."""
    return datetime.fromtimestamp(info.st_mtime, timezone.utc)


class LocalReader:
    """The bytes of one object or range, as ``storagekit.driver.Reader`` wants them."""

    def __init__(self, fd: int, start: int, length: int | None) -> None:
        self._file = io.FileIO(fd, "rb")
        self.etag, self.total = self._now()
        self._rest = max(0, self.total - start)
        if length is not None:
            self._rest = min(self._rest, length)
        self._file.seek(start)

    def _now(self) -> tuple[str, int]:
        info = os.fstat(self._file.fileno())
        return object_etag(info), info.st_size

    def readinto(self, buffer: memoryview) -> int:
        """Fill at most ``len(buffer)`` bytes. Raises INTEGRITY where the file changed since it was opened."""
        if not self._rest:
            return 0
        count = self._file.readinto(buffer[: self._rest]) or 0
        self._rest -= count
        if (not count or not self._rest) and len(buffer) and self._now()[0] != self.etag:
            raise refusal(Code.INTEGRITY, "another program changed the file while it was read")
        return count

    def __enter__(self) -> LocalReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def open_object(bucket: Bucket, key: str) -> int:
    """Return a descriptor of the object's file. Raises NOT_FOUND, BUCKET_NOT_FOUND."""
    if is_readable(bucket.path, key):
        try:
            fd = os.open(f"{bucket.path}/{key}", os.O_RDONLY | os.O_NONBLOCK)  # a pipe at the key must not hold us up
        except _ABSENT:
            pass
        else:
            if is_file(os.fstat(fd)):
                return fd
            os.close(fd)
    bucket.require()
    raise refusal(Code.NOT_FOUND, "there is no object at that key")


def head_object(bucket: Bucket, key: str) -> ObjectInfo:
    """Return size, etag, time and labels of one object. Raises NOT_FOUND, BUCKET_NOT_FOUND."""
    while True:
        info = _stat_object(bucket, key)
        etag = object_etag(info)
        labels = bucket.labels(key, etag)
        # without labels, unless it was replaced (and its labels removed) between the two looks
        if labels is not None or object_etag(_stat_object(bucket, key)) == etag:
            return _described(key, info, labels or WriteOptions())


def _stat_object(bucket: Bucket, key: str) -> os.stat_result:
    if is_readable(bucket.path, key):
        try:
            info = os.stat(f"{bucket.path}/{key}")
        except _ABSENT:
            pass
        else:
            if is_file(info):
                return info
    bucket.require()
    raise refusal(Code.NOT_FOUND, "there is no object at that key")


def _described(key: str, info: os.stat_result, labels: WriteOptions) -> ObjectInfo:
    return ObjectInfo(key, info.st_size, object_etag(info), modified_at(info), labels.content_type, labels.metadata)


class Walk:
    """The keys of a bucket that start with ``prefix`` and stand behind ``after``, in order, with their files.

    ``skipped`` may be set while it runs: a common prefix of which no further key is wanted.
    """

    def __init__(self, bucket: Bucket, prefix: str, after: str, skipped: str | None) -> None:
        self.skipped = skipped
        self._root, self._prefix, self._after = bucket.path, prefix, after

    def __iter__(self) -> Iterator[tuple[str, os.stat_result]]:
        base = self._prefix[: self._prefix.rfind("/") + 1]
        if base and (key_fault(base[:-1]) or linked_parent(self._root, base)):
            return
        open_folders = [iter(self._folder(base))]
        while open_folders:
            for key, entry in open_folders[-1]:
                if key.endswith("/") and self._has_wanted(key):
                    open_folders.append(iter(self._folder(key)))
                    break
                if not key.endswith("/") and self._is_wanted(key):
                    info = _stat_entry(entry)
                    if info is not None:
                        yield key, info
            else:
                open_folders.pop()

    def _folder(self, base: str) -> list[tuple[str, os.DirEntry[str]]]:
        """Return the keys right below ``base``, directories with their slash, sorted."""
        try:
            with os.scandir(f"{self._root}/{base}") as found:
                below = [
                    (f"{base}{entry.name}/" if entry.is_dir(follow_symlinks=False) else base + entry.name, entry)
                    for entry in found
                    if encodable(entry.name) and (base or not is_control(entry.name))
                ]
        except _ABSENT:
            return []
        return sorted(below, key=lambda pair: pair[0])  # code points sort as their UTF-8 bytes do

    def _is_wanted(self, key: str) -> bool:
        return key > self._after and key.startswith(self._prefix) and not self._is_skipped(key)

    def _has_wanted(self, folder: str) -> bool:
        """Tell whether a wanted key may begin with ``folder``. Deeper than the longest key there is none."""
        in_prefix = folder.startswith(self._prefix) or self._prefix.startswith(folder)
        ahead = folder > self._after or self._after.startswith(folder)
        return in_prefix and ahead and not self._is_skipped(folder) and len(folder) <= MAX_KEY

    def _is_skipped(self, key: str) -> bool:
        return self.skipped is not None and key.startswith(self.skipped)


def _stat_entry(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Return what the entry is, links followed; None for what is no object: pipes, dangling links, just deleted."""
    try:
        info = entry.stat()
    except OSError as error:
        if entry.is_symlink() or isinstance(error, FileNotFoundError):
            return None
        raise
    return info if is_file(info) else None


def list_objects(
    bucket: Bucket, prefix: str, delimiter: str, start_after: str, token: str | None, limit: int
) -> ObjectPage:
    """Return one page. A token is the last key of its page (``k``) or the last common prefix (``p``)."""
    kind, last = (token[0], token[1:]) if token else ("k", "")
    walk = Walk(bucket, prefix, max(start_after, last), last if kind == "p" else None)
    objects: list[ObjectInfo] = []
    prefixes: list[str] = []
    for key, info in walk:
        if len(objects) + len(prefixes) == limit:
            return ObjectPage(tuple(objects), tuple(prefixes), kind + last)
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        if cut < 0:
            kind, last = "k", key
            objects.append(_described(key, info, WriteOptions()))
        else:
            kind, last = "p", key[: cut + len(delimiter)]
            walk.skipped = last
            prefixes.append(last)
    return ObjectPage(tuple(objects), tuple(prefixes))
