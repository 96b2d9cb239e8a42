"""One bucket of the local driver: how a file becomes an object, atomically, and what a crash leaves behind.

On disk::

    <root>/<bucket>/<key>                                     the objects, plain files
    <root>/<bucket>/.storagekit-local/tmp/<digest>.<random>   files being written; digest: SHA-256 of the key
                                          tmp/<upload id>/    uploads being created
                                          meta/<digest>/<etag>.json   content type and metadata of one object
                                          uploads/<upload id>/        unfinished uploads (_local_uploads.py)

Publishing is: flush the file, take the bucket's lock, write its labels under the etag that the file has, rename it
over the key, remove older labels, give the lock back, flush the directory. The labels count only for the file whose
etag they are named by, so neither a crash between the two steps nor another program's file at the key can pair an
object with the wrong labels. The lock is a flock on the bucket's own directory: it is always there, and no lock file
is ever left lying about. An object without labels has no file under ``meta``.

What is in ``tmp`` is locked by its writer. Whatever is there unlocked belongs to a process that was killed; the next
writer removes it, with the labels that it may have written, and finishes off uploads that had ended. Directories are
pruned when they become empty, so every writer is ready to make them again. A kill may leave directories of a key
without a file in them: no listing shows them, an object of their name replaces them, and a delete below removes them.
"""

# Keys are text (Path would turn "a//b" into "a/b"), and these are system calls, in the order that matters:
# ruff: noqa: PTH104, PTH106, PTH110, PTH112, PTH113, PTH114, PTH116, PTH119, PTH120, PTH123

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import TypeVar

from storagekit.driver import Code, DriverError
from storagekit.drivers import _local_files as files
from storagekit.drivers._local_names import CONTROL, holds_files, is_control, key_digest, object_etag, require_key
from storagekit.types import PutResult, WriteOptions

T = TypeVar("T")

_TRIES = 100  # against others that prune a directory between its making and its use; one is the rule


class Bucket:
    """A bucket's directory. Holds no state, so that any number of objects, threads and processes may share it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.control = f"{path}/{CONTROL}"
        self.tmp, self.meta, self.uploads = (f"{self.control}/{name}" for name in ("tmp", "meta", "uploads"))

    def missing(self) -> DriverError:
        """Return the error that says that the bucket is not there."""
        return files.refusal(Code.BUCKET_NOT_FOUND, f"there is no bucket {os.path.basename(self.path)!r}")

    def require(self) -> None:
        """Raise BUCKET_NOT_FOUND where there is no bucket."""
        if not os.path.isdir(self.path):
            raise self.missing()

    def inside(self, directory: str, act: Callable[[], T]) -> T:
        """Return ``act()``, which wants ``directory`` (below ``control``) to exist, however often it is pruned.

        What is made in ``tmp`` need not survive a power cut, so its making is not flushed: 2 of 4 flushes of a put.
        """
        for _ in range(_TRIES):
            with suppress(FileNotFoundError):
                return act()
            self.require()
            with suppress(FileNotFoundError):
                files.make_directories(
                    self.path, directory.removeprefix(f"{self.path}/"), durable=directory != self.tmp
                )
        return act()

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Hold the bucket's lock. No body is read and no part is copied while it is held."""
        try:
            fd = files.acquire(self.path, fcntl.LOCK_EX)
        except (FileNotFoundError, NotADirectoryError):
            raise self.missing() from None
        try:
            yield
        finally:
            files.release(fd)

    @contextmanager
    def temporary(self, key: str) -> Iterator[tuple[str, int]]:
        """Give a new file, locked, with its descriptor; remove it at the end where it was not published."""
        self.sweep()
        path = f"{self.tmp}/{key_digest(key)}.{secrets.token_hex(8)}"
        fd = self.inside(self.tmp, lambda: files.acquire(path, fcntl.LOCK_EX, os.O_RDWR | os.O_CREAT | os.O_EXCL))
        try:
            yield path, fd
        finally:
            files.remove(path)
            files.release(fd)
            self.prune()

    def publish(
        self, source: str, fd: int, key: str, options: WriteOptions, *, alive: str, gone: DriverError
    ) -> PutResult:
        """Make the file ``source``, open as ``fd``, the object at ``key``.

        ``alive`` is the file that exists exactly as long as this may be done (``source`` itself, or an upload's
        ``data``, which goes with it); ``gone`` is raised where it does not exist any more. Raises CONFLICT, and
        PRECONDITION where there is an object and ``options`` say that there must be none.
        """
        with suppress(PermissionError):  # not the file's owner: then the time of its last write has to do
            os.utime(fd, ns=(time.time_ns(), time.time_ns()))
        os.fsync(fd)
        etag = object_etag(os.fstat(fd))
        parent = os.path.dirname(f"{self.path}/{key}")
        with self.publishing():
            if not os.path.exists(alive):
                raise gone
            require_key(self.path, key)
            if options.if_absent and self._present(key) is not None:
                raise files.refusal(Code.PRECONDITION, "there is an object at the key by now")
            try:
                self._write_labels(key, etag, options)
                files.make_directories(self.path, key.rpartition("/")[0], durable=True)
                _rename(source, f"{self.path}/{key}")
            except BaseException:
                self.drop_stale_labels(key)
                raise
            files.remove(alive)
            self.drop_labels(key, keep=etag)
        files.sync_directory(parent)
        return PutResult(etag)

    def labels(self, key: str, etag: str) -> WriteOptions | None:
        """Return content type and metadata of the object at ``key`` that has ``etag``; None where there are none."""
        try:
            with open(self._labels_path(key, etag), encoding="utf-8") as file:
                return parse_options(json.load(file))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None

    def drop_labels(self, key: str, keep: str | None) -> None:
        """Remove the labels of ``key`` but those of the etag ``keep``. The caller holds the lock."""
        directory = f"{self.meta}/{key_digest(key)}"
        for entry in files.entries(directory):
            if entry.name != f"{keep}.json":
                files.remove(entry.path)
        files.prune(directory)

    def drop_stale_labels(self, key: str) -> None:
        """Remove the labels of ``key`` that are not those of the file there. The caller holds the lock."""
        self.drop_labels(key, keep=self._present(key))

    def sweep(self) -> None:
        """Remove what killed writers left. Live files are locked, and a live upload has its ``data``.

        Costs one open per file in ``tmp``, which is one per active writer, and one stat per unfinished upload.
        """
        for entry in files.entries(self.tmp):
            self._sweep_temporary(entry.path)
        for entry in files.entries(self.uploads):
            if not os.path.exists(f"{entry.path}/data"):
                self._sweep_upload(entry.path)

    def prune(self) -> None:
        """Remove our own directories as far as they are empty."""
        for directory in (self.tmp, self.meta, self.uploads, self.control):
            files.prune(directory)

    def delete(self, key: str) -> None:
        """Remove the object at ``key``, its labels, and directories that held nothing else.

        Not flushed: after a power cut a deleted object may be there again.
        """
        with self.publishing():
            path = f"{self.path}/{key}"
            if os.path.islink(path) or os.path.isfile(path):
                files.remove(path)
            self.drop_labels(key, keep=None)
            parent, _, _ = key.rpartition("/")
            while parent:
                files.prune(f"{self.path}/{parent}")
                parent, _, _ = parent.rpartition("/")
        self.prune()

    def destroy(self) -> None:
        """Remove the bucket with its unfinished uploads. Raises BUCKET_NOT_EMPTY where anything else is in it."""
        with self.publishing():
            for directory in self._empty_folders():
                files.prune_tree(directory)
            for upload in files.entries(self.uploads):
                files.remove(f"{upload.path}/data")
            for directory in self._own_folders():
                files.remove_flat(directory)
            try:
                os.rmdir(self.path)
            except OSError as error:
                raise self._not_empty() if error.errno in {errno.ENOTEMPTY, errno.EEXIST} else error from None

    def _not_empty(self) -> DriverError:
        return files.refusal(Code.BUCKET_NOT_EMPTY, "the bucket holds objects")

    def _empty_folders(self) -> list[str]:
        """Return the directories right below the bucket. Raises BUCKET_NOT_EMPTY where there is a file at any depth."""
        folders: list[str] = []
        for entry in files.entries(self.path):
            if is_control(entry.name):
                continue
            if not entry.is_dir(follow_symlinks=False) or holds_files(entry.path):
                raise self._not_empty()
            folders.append(entry.path)
        return folders

    def _own_folders(self) -> list[str]:
        below = [entry.path for top in (self.tmp, self.meta, self.uploads) for entry in files.entries(top)]
        return [*filter(os.path.isdir, below), self.tmp, self.meta, self.uploads, self.control]

    def _present(self, key: str) -> str | None:
        try:
            return object_etag(os.stat(f"{self.path}/{key}"))
        except OSError:
            return None

    def _labels_path(self, key: str, etag: str) -> str:
        return f"{self.meta}/{key_digest(key)}/{etag}.json"

    def _write_labels(self, key: str, etag: str, options: WriteOptions) -> None:
        if options.content_type is None and not options.metadata:
            return
        path = self._labels_path(key, etag)
        files.remove(path)
        text = json.dumps({"key": key, **dump_options(options)}).encode()
        self.inside(os.path.dirname(path), lambda: files.write_new(path, text))
        files.sync_directory(os.path.dirname(path))
        files.sync_directory(self.path)  # for control itself, which may be as new

    def _sweep_temporary(self, path: str) -> None:
        fd = files.try_acquire(path)
        if fd is None:
            return
        try:
            if os.path.isdir(path):
                files.remove_flat(path)
            else:
                self._sweep_labels(os.path.basename(path).partition(".")[0], object_etag(os.fstat(fd)))
                files.remove(path)
        finally:
            files.release(fd)

    def _sweep_labels(self, digest: str, etag: str) -> None:
        """Remove what a writer wrote of a file that it did not live to rename: the etag is that of the file."""
        with self.publishing():
            files.remove(f"{self.meta}/{digest}/{etag}.json")
            files.prune(f"{self.meta}/{digest}")

    def _sweep_upload(self, directory: str) -> None:
        fd = files.try_acquire(directory)
        if fd is None:
            return
        try:
            if not os.path.exists(f"{directory}/data"):
                files.remove_flat(directory)
        finally:
            files.release(fd)


def _rename(source: str, target: str) -> None:
    """Rename a file over a key, also where directories without a file in them are in the way.

    Raises IsADirectoryError, which is CONFLICT, where another program put one there just now.
    """
    try:
        os.rename(source, target)
    except IsADirectoryError:
        files.prune_tree(target)
        os.rename(source, target)


def dump_options(options: WriteOptions) -> dict[str, object]:
    """Return ``options`` as JSON holds them."""
    return {"content_type": options.content_type, "metadata": dict(options.metadata)}


def parse_options(data: dict[str, object]) -> WriteOptions:
    """Return the options that ``data`` holds. Raises ValueError where it is nothing that we wrote."""
    content_type, metadata = data.get("content_type"), data.get("metadata", {})
    if not isinstance(metadata, dict) or not (content_type is None or isinstance(content_type, str)):
        raise ValueError("not labels of an object")
    return WriteOptions(content_type, MappingProxyType({str(name): str(value) for name, value in metadata.items()}))
