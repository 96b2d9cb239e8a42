"""The files below a directory, in UTF-8 byte order of the keys they get: as a service lists objects.

A directory sorts as its name and a slash, so ``a.txt`` comes before what lies in ``a``. A directory is read in rounds:
each takes the next 100,000 names behind the last one, so that one of millions of files needs no more memory than that
(300,000 files in one directory: 4 s and 40 MiB). Symbolic links are followed; one that leads to a directory that it
lies in is a problem, not a loop. Nothing is opened here: opening a pipe blocks.
"""

# Paths are text: one per file, with its slashes as they are, and these are system calls.
# ruff: noqa: PTH114, PTH116, PTH118

from __future__ import annotations

import heapq
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from storagekit._leftovers import is_ours

_ROUND = 100_000  # names held of one directory, about 40 MiB

_KINDS = (
    (stat.S_ISFIFO, "is a pipe"),
    (stat.S_ISSOCK, "is a socket"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
)

_Chain = tuple[tuple[int, int], ...]
"""Device and inode of each directory on the way."""


@dataclass(frozen=True)
class LocalFile:
    """One name below the directory: ``name`` with slashes, ``size`` in bytes. ``problem`` says why it is no file."""

    name: str
    path: str
    size: int = 0
    problem: str | None = None

    @property
    def order(self) -> bytes:
        """What it is sorted by."""
        return os.fsencode(self.name)

    @property
    def shown(self) -> str:
        """The name as ``shown`` has it."""
        return shown(self.name)


def shown(name: str) -> str:
    """Return a name or path with what is no UTF-8 in it escaped."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def walk(directory: str, round_of: int = _ROUND) -> Iterator[LocalFile]:
    """Yield what lies below ``directory``. Our own drafts are left out. Raises OSError where it cannot be read itself.

    ``round_of`` is how many names of one directory are held at once.
    """
    facts = os.stat(directory)
    os.scandir(directory).close()
    yield from _below(directory, "", ((facts.st_dev, facts.st_ino),), round_of)


def _below(directory: str, start: str, chain: _Chain, round_of: int) -> Iterator[LocalFile]:
    try:
        for name in _sorted_names(directory, round_of):
            yield from _at(os.path.join(directory, name.rstrip("/")), start + name, chain, round_of)
    except OSError as error:
        yield LocalFile(start.rstrip("/"), directory, problem=f"cannot be read: {error.strerror}")


def _sorted_names(directory: str, round_of: int) -> Iterator[str]:
    """Yield names in order; those of directories end in a slash."""
    last = b""
    while True:
        with os.scandir(directory) as entries:
            names = (_sort_name(entry) for entry in entries if not is_ours(entry.name))
            found = heapq.nsmallest(round_of, (name for name in names if name > last))
        yield from map(os.fsdecode, found)
        if len(found) < round_of:
            return
        last = found[-1]


def _sort_name(entry: os.DirEntry[str]) -> bytes:
    name = os.fsencode(entry.name)
    return name + b"/" if _is_directory(entry) else name


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle
        return False


def _at(path: str, name: str, chain: _Chain, round_of: int) -> Iterator[LocalFile]:
    try:
        facts = os.stat(path)
    except OSError as error:
        problem = "is a link that leads nowhere" if os.path.islink(path) else f"cannot be looked at: {error.strerror}"
        yield LocalFile(name.rstrip("/"), path, problem=problem)
        return
    here = (facts.st_dev, facts.st_ino)
    if not name.endswith("/"):
        yield _file(path, name, facts)
    elif here in chain:
        yield LocalFile(name.rstrip("/"), path, problem="is a link to a directory that it lies in")
    else:
        yield from _below(path, name, (*chain, here), round_of)


def _file(path: str, name: str, facts: os.stat_result) -> LocalFile:
    problem = next((kind for holds, kind in _KINDS if holds(facts.st_mode)), None)
    if problem is None and not _is_text(name):
        problem = "has a name that is no UTF-8"
    return LocalFile(name, path, facts.st_size, problem)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
