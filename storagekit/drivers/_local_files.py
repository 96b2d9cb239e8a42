"""The local driver's system calls: locks, flushes, copies, checksummed writes. Knows nothing of buckets.

Locks are ``flock``: they belong to an open descriptor, so they hold between threads as well as between processes
(each taker opens its own), they work on directories, and the kernel gives them back when their owner is killed.
A lock on a file that was unlinked or renamed meanwhile protects nothing: ``acquire`` looks again and retries.
"""

# Keys are text (Path would turn "a//b" into "a/b"), and these are system calls, in the order that matters:
# ruff: noqa: PTH102, PTH106, PTH108, PTH116

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from fastcrc import crc64

from storagekit.driver import Body, Code, DriverError, Failure
from storagekit.types import Checksum

STEP = 1 << 20  # bytes per read of a body: what the protocol promises a body to be good at
_COPY_STEP = 1 << 30  # bytes per copy_file_range; the kernel caps a call at 2 GiB minus a page anyway


def refusal(code: Code, detail: str) -> DriverError:
    """Return the error to raise for a refusal of ours; ``detail`` is one sentence for people."""
    return DriverError(Failure(code, detail))


def still_at(fd: int, path: str) -> bool:
    """Tell whether ``path`` still names what ``fd`` has open."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def acquire(path: str, how: int, flags: int = os.O_RDONLY) -> int:
    """Open ``path`` and lock it (``fcntl.LOCK_EX``, ``LOCK_SH``, with ``LOCK_NB`` without waiting).

    Raises FileNotFoundError where it does not exist (any more), BlockingIOError where ``LOCK_NB`` finds it locked.
    """
    while True:
        fd = os.open(path, flags, 0o666)
        try:
            fcntl.flock(fd, how)
            if still_at(fd, path):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def try_acquire(path: str) -> int | None:
    """Lock ``path`` exclusively without waiting; None where it is locked, gone, or not ours to open."""
    try:
        return acquire(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return None


def release(fd: int) -> None:
    """Unlock and close. Closing alone would leave the lock to a child that was forked meanwhile."""
    try:
        fcntl.flock(fd, fcntl.LOCK_UN)
    finally:
        os.close(fd)


@contextmanager
def locked(path: str, how: int, flags: int = os.O_RDONLY) -> Iterator[int]:
    """Hold a lock on ``path``. Raises as ``acquire`` does."""
    fd = acquire(path, how, flags)
    try:
        yield fd
    finally:
        release(fd)


@contextmanager
def opened(path: str, flags: int) -> Iterator[int]:
    """Open ``path``, close it at the end."""
    fd = os.open(path, flags, 0o666)
    try:
        yield fd
    finally:
        os.close(fd)


def entries(directory: str) -> list[os.DirEntry[str]]:
    """Return what is in ``directory``; nothing where it does not exist."""
    try:
        with os.scandir(directory) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []


def remove(path: str) -> None:
    """Unlink a file, where there is one."""
    with suppress(FileNotFoundError):
        os.unlink(path)


def prune(directory: str) -> None:
    """Remove ``directory`` where it is empty."""
    with suppress(OSError):  # not empty, gone already, not ours: all of them mean that it stays as it is
        os.rmdir(directory)


def prune_tree(directory: str) -> None:
    """Remove ``directory`` and those below it, as far as they are empty."""
    for base, _, _ in os.walk(directory, topdown=False):
        prune(base)


def remove_flat(directory: str) -> None:
    """Remove a directory and the files in it. Whoever still adds a file meanwhile is outrun, 100 times at most."""
    for _ in range(100):
        for entry in entries(directory):
            remove(entry.path)
        try:
            return os.rmdir(directory)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise
    return None


def sync_directory(directory: str) -> None:
    """Bring the names in ``directory`` to the disk. A directory that was removed meanwhile needs no flush."""
    with suppress(FileNotFoundError), opened(directory, os.O_RDONLY) as fd:
        os.fsync(fd)


def sync_data(fd: int) -> None:
    """Bring a file's bytes to the disk; its times may follow later (macOS has no fdatasync)."""
    getattr(os, "fdatasync", os.fsync)(fd)


def make_directories(base: str, below: str, *, durable: bool) -> None:
    """Make ``base/below`` with its parents, but never ``base``; ``durable``: new names are on the disk at the end.

    Raises FileNotFoundError where ``base`` is missing or another process prunes what was just made, FileExistsError
    or NotADirectoryError where a file is in the way.
    """
    path = base
    for segment in filter(None, below.split("/")):
        parent, path = path, f"{path}/{segment}"
        try:
            os.mkdir(path)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(path).st_mode):
                raise
        else:
            if durable:
                sync_directory(parent)


def write_all(fd: int, data: memoryview, offset: int) -> None:
    """Write ``data`` at ``offset``, in as many calls as the kernel takes."""
    while data:
        count = os.pwrite(fd, data, offset)
        data, offset = data[count:], offset + count


def write_new(path: str, data: bytes) -> None:
    """Write a new file and bring its bytes to the disk."""
    with opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as fd:
        write_all(fd, memoryview(data), 0)
        os.fsync(fd)


def write_body(fd: int, body: Body, offset: int = 0) -> Checksum:
    """Write the body's bytes at ``offset`` and return the CRC-64 of what was written.

    Raises INTEGRITY where length or checksum are not what the body announced, and whatever ``body.read`` raises.
    """
    crc, done = 0, 0
    while block := body.read(STEP):
        if done + len(block) > body.size:  # the bytes behind belong to the next part
            raise refusal(Code.INTEGRITY, f"the body has more bytes than the {body.size:,} announced")
        write_all(fd, block, offset + done)
        crc = crc64.xz(block, crc)
        done += len(block)
    written = Checksum("crc64", f"{crc:016x}")
    if done != body.size:
        raise refusal(Code.INTEGRITY, f"the body ended after {done:,} of {body.size:,} bytes")
    if body.checksum is not None and body.checksum != written:
        raise refusal(Code.INTEGRITY, f"the bytes have CRC-64 {written.value}, {body.checksum.value} was announced")
    return written


def copy_range(source: int, source_offset: int, target: int, target_offset: int, length: int) -> None:
    """Copy bytes between files, inside the kernel where it can. Raises INTEGRITY where the source is too short."""
    while length:
        count = _copy_some(source, source_offset, target, target_offset, length)
        if not count:
            raise refusal(Code.INTEGRITY, "a stored part is shorter than it was")
        source_offset, target_offset, length = source_offset + count, target_offset + count, length - count


def _copy_some(source: int, source_offset: int, target: int, target_offset: int, length: int) -> int:
    if hasattr(os, "copy_file_range"):
        with suppress(OSError):  # across file systems, or on one that cannot: by hand, which names the real error
            return os.copy_file_range(source, target, min(length, _COPY_STEP), source_offset, target_offset)
    data = os.pread(source, min(length, STEP), source_offset)
    write_all(target, memoryview(data), target_offset)
    return len(data)
