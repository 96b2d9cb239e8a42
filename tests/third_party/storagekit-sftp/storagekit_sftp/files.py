"""Files and names on the server: how a key becomes a path, a body a file, and a directory tree a sorted listing.

An object is one file: a header of 4,096 bytes (JSON: size, etag, content type, metadata), then its bytes. So whatever
there is to know of it is replaced by one rename. A key ``a/b`` lies at ``a.d/b.o``: directories and objects have
different endings, and so ``a`` may be an object though there is ``a/b``.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any

import paramiko

from storagekit.driver import Body, Code, DriverError, Failure
from storagekit.types import Checksum, WriteOptions

HEADER = 4096
STEP = 1 << 20  # bytes that are asked for at a time
MAX_SEGMENT = 253  # bytes: a file name has 255, and two are the ending

Chunk = bytes | memoryview


def refusal(code: Code, detail: str) -> DriverError:
    """Return the error for what the server did not refuse itself."""
    return DriverError(Failure(code, detail))


@dataclass(frozen=True)
class Facts:
    """What the header of an object says."""

    size: int
    etag: str
    content_type: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)


def path_of(key: str) -> str | None:
    """Return where a key lies below ``objects``, or None where no file can have that name."""
    *folders, name = key.split("/")
    if "\0" in key or any(len(segment.encode()) > MAX_SEGMENT for segment in (*folders, name)):
        return None
    return "/".join([*(f"{folder}.d" for folder in folders), f"{name}.o"])


def write_file(
    sftp: paramiko.SFTPClient, path: str, chunks: Iterable[Chunk], options: WriteOptions | None = None
) -> Facts:
    """Write a new file and return its size and MD5; with ``options`` it gets a header, at the end."""
    size, digest = 0, hashlib.md5(usedforsecurity=False)
    with sftp.open(path, "wb") as file:
        file.set_pipelined(True)  # sends 32 KiB after 32 KiB without waiting for each answer
        if options is not None:
            file.seek(HEADER)
        for chunk in chunks:
            size += len(chunk)
            digest.update(chunk)
            file.write(chunk)
        facts = Facts(size, digest.hexdigest(), *_labels(options))
        if options is not None:
            file.seek(0)
            file.write(_header(facts))
    stored = sftp.stat(path).st_size  # the answers to pipelined writes are not all looked at
    if stored != size + (HEADER if options is not None else 0):
        raise refusal(Code.INTEGRITY, f"the server stored {stored:,} bytes of {size:,}")
    return facts


def _labels(options: WriteOptions | None) -> tuple[str | None, dict[str, str]]:
    return (options.content_type, dict(options.metadata)) if options is not None else (None, {})


def _header(facts: Facts) -> bytes:
    line = json.dumps(asdict(facts)).encode()
    if len(line) > HEADER:
        raise refusal(Code.REFUSED, f"content type and metadata have more than {HEADER:,} bytes")
    return line.ljust(HEADER)


def read_header(file: paramiko.SFTPFile) -> Facts:
    """Return what the header of an open object says. Raises INTEGRITY for a file that is no object."""
    try:
        return Facts(**json.loads(file.read(HEADER)))
    except (ValueError, TypeError):
        raise refusal(Code.INTEGRITY, "a file in the bucket is not one that this driver wrote") from None


def chunks_of(body: Body) -> Iterator[memoryview]:
    """Yield the bytes of a body, and stop where it is longer than announced."""
    left = body.size
    while left >= 0 and (chunk := body.read(STEP)):
        left -= len(chunk)
        yield chunk


def require_whole(body: Body, facts: Facts) -> None:
    """Raise INTEGRITY where what was written is not what the body announced."""
    if facts.size != body.size:
        raise refusal(Code.INTEGRITY, f"the body has not the {body.size:,} bytes that it announced")
    if body.checksum is not None and body.checksum != Checksum("md5", facts.etag):
        raise refusal(Code.INTEGRITY, "the bytes do not have the checksum that was announced")


def read_exactly(file: paramiko.SFTPFile, start: int, length: int) -> bytes:
    """Return ``length`` bytes from ``start``, asked for all at once. Raises NETWORK where there are fewer."""
    (data,) = file.readv([(start, length)])
    if len(data) != length:
        raise refusal(Code.NETWORK, "the file ended before its size")
    return bytes(data)


def remove_tree(sftp: paramiko.SFTPClient, path: str) -> None:
    """Remove a file, or a directory with all that is in it; others may do so at the same time."""
    with suppress(FileNotFoundError):
        for entry in sftp.listdir_attr(path):
            if is_folder(entry):
                remove_tree(sftp, f"{path}/{entry.filename}")
            else:
                remove_file(sftp, f"{path}/{entry.filename}")
        sftp.rmdir(path)


def remove_file(sftp: paramiko.SFTPClient, path: str) -> None:
    """Remove a file that may be gone already."""
    with suppress(FileNotFoundError):
        sftp.remove(path)


def exists(sftp: paramiko.SFTPClient, path: str) -> bool:
    """Tell whether there is such a file or directory."""
    try:
        sftp.stat(path)
    except FileNotFoundError:
        return False
    return True


def is_folder(entry: Any) -> bool:
    """Tell whether an entry of a listing is a directory."""
    return stat.S_ISDIR(entry.st_mode or 0)


def read_json(sftp: paramiko.SFTPClient, path: str) -> dict[str, Any]:
    """Return what a small file holds."""
    with sftp.open(path, "rb") as file:
        facts: dict[str, Any] = json.loads(file.read())
    return facts


def ensure_folder(sftp: paramiko.SFTPClient, path: str) -> None:
    """Make a directory that may be there. Of one that is, SFTP says no more than "Failure", which has no number."""
    try:
        sftp.mkdir(path)
    except OSError as error:
        if error.errno is not None:
            raise


@contextmanager
def removed_on_failure(sftp: paramiko.SFTPClient, path: str) -> Iterator[str]:
    """Yield ``path``, and remove the file there if the block fails."""
    try:
        yield path
    except BaseException:
        with suppress(Exception):  # the connection may be what failed; the first error is the one that counts
            remove_file(sftp, path)
        raise


def utc(timestamp: float | None) -> datetime:
    """Return a time of the server's as storagekit wants it."""
    return datetime.fromtimestamp(timestamp or 0, timezone.utc)


class Walk:
    """The keys of a bucket that start with ``prefix`` and stand behind ``after``, in order, with their path and time.

    Depth first, each directory sorted with ``/`` behind the directories: code points sort as their UTF-8 bytes do.
    ``skipped`` may be set while it runs: a common prefix of which no further key is wanted.
    """

    def __init__(self, sftp: paramiko.SFTPClient, objects: str, prefix: str, after: str, skipped: str | None) -> None:
        self.skipped = skipped
        self._sftp, self._objects, self._prefix, self._after = sftp, objects, prefix, after

    def below(self, base: str = "", folder: str = "") -> Iterator[tuple[str, str, float]]:
        """Yield key, path and time of modification of each object below ``base``, which lies in ``folder``."""
        for key, entry in self._entries(base, f"{self._objects}{folder}"):
            path = f"{folder}/{entry.filename}"
            if key.endswith("/") and is_folder(entry):
                if self._has_wanted(key):
                    yield from self.below(key, path)
            elif self._is_wanted(key):
                yield key, f"{self._objects}{path}", float(entry.st_mtime or 0)

    def _entries(self, base: str, folder: str) -> list[tuple[str, Any]]:
        try:
            found = self._sftp.listdir_attr(folder)
        except FileNotFoundError:  # emptied and removed meanwhile
            return []
        endings = [(entry, ".d" if is_folder(entry) else ".o") for entry in found]  # others are somebody else's
        named = [
            (base + entry.filename[:-2] + ("/" if ending == ".d" else ""), entry)
            for entry, ending in endings
            if entry.filename.endswith(ending)
        ]
        return sorted(named, key=lambda pair: pair[0])

    def _is_wanted(self, key: str) -> bool:
        return key > self._after and key.startswith(self._prefix) and not self._is_skipped(key)

    def _has_wanted(self, folder: str) -> bool:
        in_prefix = folder.startswith(self._prefix) or self._prefix.startswith(folder)
        ahead = folder > self._after or self._after.startswith(folder)
        return in_prefix and ahead and not self._is_skipped(folder)

    def _is_skipped(self, key: str) -> bool:
        return self.skipped is not None and key.startswith(self.skipped)
