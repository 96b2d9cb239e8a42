"""Names of the local driver: which path a bucket and a key have, and what no name may be.

A key is a relative path of plain segments below the bucket's directory. Nothing that a key says leads out of there:
no ``..``, no absolute path, and no directory that is a symbolic link (files that are links are followed).
``.storagekit-local``, in any case of letters because some file systems know none, belongs to the driver.
"""

# Keys are text (Path would turn "a//b" into "a/b"), and these are system calls, in the order that matters:
# ruff: noqa: PTH114

from __future__ import annotations

import hashlib
import os
import stat

from storagekit.driver import Code
from storagekit.drivers._local_files import refusal

CONTROL = ".storagekit-local"
"""Directory in a bucket that holds what is not an object: temporary files, labels, unfinished uploads."""

MAX_KEY = 1024  # bytes; what S3 allows
MAX_SEGMENT = 255  # bytes; NAME_MAX of ext4, xfs, btrfs, apfs


def encodable(name: str) -> bool:
    """Tell whether ``name`` is UTF-8; names on disk that are not come as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_control(name: str) -> bool:
    """Tell whether a name at the top of a bucket is the driver's own."""
    return name.casefold() == CONTROL


def key_fault(key: str) -> str | None:
    """Say in one sentence why ``key`` cannot be a path, or None where it can."""
    if not encodable(key) or "\0" in key:
        return "a key is UTF-8 text without NUL"
    if not 1 <= len(key.encode()) <= MAX_KEY:
        return f"a key has 1 to {MAX_KEY:,} bytes"
    segments = key.split("/")
    if any(segment in {"", ".", ".."} for segment in segments):
        return "a directory cannot hold a key with an empty segment, '.' or '..'"
    if any(len(segment.encode()) > MAX_SEGMENT for segment in segments):
        return f"between two slashes of a key there may be {MAX_SEGMENT} bytes"
    return f"{CONTROL} is the driver's own" if is_control(segments[0]) else None


def is_bucket_name(name: str) -> bool:
    """Tell whether ``name`` can be a directory of its own right below the root."""
    return (
        encodable(name) and not name.startswith(".") and not {"/", "\0"} & set(name) and 1 <= len(name) <= MAX_SEGMENT
    )


def key_digest(key: str) -> str:
    """Return the hex SHA-256 of a key: its name where a file name must be short and plain."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def linked_parent(bucket: str, key: str) -> str | None:
    """Return the first directory on the way to ``key`` that is a symbolic link, or None."""
    path = bucket
    for segment in key.split("/")[:-1]:
        path = f"{path}/{segment}"
        if os.path.islink(path):
            return path
    return None


def holds_files(directory: str) -> bool:
    """Tell whether anything but directories is in ``directory``. False where it is none."""
    walk = os.walk(directory)  # a link to a directory is among the directories
    return any(names or any(os.path.islink(f"{base}/{name}") for name in folders) for base, folders, names in walk)


def require_key(bucket: str, key: str) -> None:
    """Raise INVALID_NAME where ``key`` cannot be written, CONFLICT where a file or directory is in the way."""
    fault = key_fault(key)
    if fault is None and linked_parent(bucket, key) is not None:
        fault = "a directory on the way is a symbolic link, which may lead out of the bucket"
    if fault is not None:
        raise refusal(Code.INVALID_NAME, fault)
    parent, _, _ = key.rpartition("/")
    while parent:
        if _is_no_directory(f"{bucket}/{parent}"):
            raise refusal(Code.CONFLICT, f"{parent!r} is an object, so a directory cannot have a key below it")
        parent, _, _ = parent.rpartition("/")
    if not os.path.islink(f"{bucket}/{key}") and holds_files(f"{bucket}/{key}"):
        raise refusal(Code.CONFLICT, "there are keys below this one, so a directory cannot have it as an object")


def _is_no_directory(path: str) -> bool:
    """Tell whether there is something other than a directory. In one look: others make and remove them meanwhile."""
    try:
        return not stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def is_readable(bucket: str, key: str) -> bool:
    """Tell whether ``key`` may name an object at all."""
    return key_fault(key) is None and linked_parent(bucket, key) is None


def object_etag(info: os.stat_result) -> str:
    """Return the etag of a file: inode, modification time in ns and size, in hex.

    A file that another program changed or put there has another one, without anybody reading it. The driver sets
    the time itself, in ns, before it publishes: the kernel's own ticks are 1 to 4 ms, and an inode freed by one put
    may be taken by the next within that.
    """
    return f"{info.st_ino:x}-{info.st_mtime_ns:x}-{info.st_size:x}"


def is_file(info: os.stat_result) -> bool:
    """Tell whether it is a regular file, the only thing that is an object."""
    return stat.S_ISREG(info.st_mode)
