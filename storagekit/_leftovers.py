"""What killed downloads left beside their targets, and how it is removed.

A directory is listed once per ``Leftovers``, that is once per client: a listing takes 0.1 to 0.4 s for 100,000
files, and a recursive download that listed for each of them would be at it for hours. What other processes leave in
the meantime is seen by the next client.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import threading
from pathlib import Path

JOURNAL = ".journal"

_MARK = ".storagekit-"
_OURS = re.compile(rf"(\..+{re.escape(_MARK)})([0-9a-f]{{12,16}}(?:{re.escape(JOURNAL)})?)", re.DOTALL)
_LONGEST_NAME = 255 - len(f".{_MARK}{'0' * 16}{JOURNAL}")  # what file systems hold, less what we add


class Leftovers:
    """The drafts and journals that are known, by directory and target. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Path, dict[str, set[str]]] = {}

    def note(self, draft: Path) -> None:
        """Remember a draft that this client leaves."""
        with self._lock:
            for name in (draft.name, draft.name + JOURNAL):
                _sort_in(self._known.setdefault(draft.parent, {}), name)

    def sweep(self, target: Path) -> None:
        """Remove what is left of ``target``: drafts whose lock is free, and journals without a draft."""
        for name in sorted(self._of(target)):  # a draft stands before its journal
            path = target.with_name(prefix(target) + name)
            if path.suffix != JOURNAL:
                _remove_if_dead(path)
            elif not path.with_suffix("").exists():
                path.unlink(missing_ok=True)

    def _of(self, target: Path) -> set[str]:
        with self._lock:
            if target.parent not in self._known:
                self._known[target.parent] = _listed(target.parent)
            return set(self._known[target.parent].get(prefix(target), ()))


def is_ours(name: str) -> bool:
    """Tell whether a file name is one of a draft or a journal."""
    return _OURS.fullmatch(name) is not None


def prefix(target: Path) -> str:
    """Return how the names of all drafts of ``target`` begin."""
    name = target.name
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return f".{name}{_MARK}"


def lock(file: int) -> bool:
    """Take a draft's lock. False where a live process has it, or the file system has no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_at(path: Path, file: int) -> bool:
    """Tell whether the open ``file`` still has the name ``path``."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(file))
    except FileNotFoundError:
        return False


def _listed(directory: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    with contextlib.suppress(OSError), os.scandir(directory) as entries:  # it may be writable, but not readable
        for entry in entries:
            _sort_in(found, entry.name)
    return found


def _sort_in(known: dict[str, set[str]], name: str) -> None:
    if match := _OURS.fullmatch(name):
        known.setdefault(match[1], set()).add(match[2])


def _remove_if_dead(path: Path) -> None:
    with contextlib.suppress(OSError):  # another sweeper was first, or it is not ours
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if lock(file) and is_at(path, file):
                path.unlink()
        finally:
            os.close(file)
