"""Which uploads a living process of this machine works on: a locked file per upload, which a kill unlocks.

Two runs of one strong source may share an upload: they send the same bytes. Two streams to one key may not: each would
replace the parts of the other. So an upload of a weak identity is not adopted while its writer is seen to live. The
lock is the kernel's (flock), so nothing has to be tidied up after a kill; other machines are not seen.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

_DAY_S = 24 * 3600


class Alive:
    """The uploads that one transfer holds. ``close`` lets go of them."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._held: dict[Path, int] = {}

    def hold(self, token: str) -> bool:
        """Say that the upload ``token`` has a living writer; return whether no other holds it.

        Where no lock can be made, nobody is said to hold anything.
        """
        path = self._path(token)
        if path is None or path in self._held:
            return True
        try:
            file = _open_locked(path)
        except OSError:
            return True
        if file is None:
            return False
        self._held[path] = file
        return True

    def is_held(self, token: str) -> bool:
        """Tell whether a living process of this machine, or another transfer of this one, holds the upload."""
        path = self._path(token)
        if path is None or path in self._held:
            return False
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        locked = _lock(file)
        os.close(file)
        return not locked

    def close(self) -> None:
        """Let go of everything."""
        while self._held:
            path, file = self._held.popitem()
            _sweep(path.parent, os.fstat(file).st_mtime - _DAY_S)
            path.unlink(missing_ok=True)
            os.close(file)

    def _path(self, token: str) -> Path | None:
        try:
            # Not below HOME: two homes on one machine are one machine.
            home = self._directory or Path(tempfile.gettempdir()) / f"storagekit-{os.getuid()}"
        except OSError:  # nothing can be written anywhere
            return None
        return home / f"{token}.lock"


def _open_locked(path: Path) -> int | None:
    """Return the locked file at ``path``; None where another one has locked it.

    One that was removed between opening and locking is made again: a lock on it would say nothing to anybody.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _lock(file):
            os.close(file)
            return None
        if path.exists() and path.stat().st_ino == os.fstat(file).st_ino:
            return file
        os.close(file)


def _sweep(directory: Path, before: float) -> None:
    """Remove the files of transfers that were killed ``before`` (seconds since 1970): their lock is free."""
    for path in directory.glob("*.lock"):
        try:
            if path.stat().st_mtime >= before:
                continue
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue  # another one was first
        if _lock(file):
            path.unlink(missing_ok=True)
        os.close(file)


def _lock(file: int) -> bool:
    """Tell whether nobody else has locked the file; where files cannot be locked, nobody has."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
