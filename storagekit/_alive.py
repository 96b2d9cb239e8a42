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


class Alive:
    """The uploads that one transfer holds. ``close`` lets go of them."""

    def __init__(self, directory: Path | None = None) -> None:
        # Not below HOME: two homes on one machine are one machine.
        self._directory = directory or Path(tempfile.gettempdir()) / f"storagekit-{os.getuid()}"
        self._held: dict[Path, int] = {}

    def hold(self, token: str) -> None:
        """Say that the upload ``token`` has a living writer. Where no lock can be made, nothing is said."""
        path = self._path(token)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)  # another run of the same source shares the upload
            return
        self._held[path] = file

    def is_held(self, token: str) -> bool:
        """Tell whether a living process of this machine, or another transfer of this one, holds the upload."""
        try:
            file = os.open(self._path(token), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(file)
        return False

    def close(self) -> None:
        """Let go of everything."""
        while self._held:
            path, file = self._held.popitem()
            path.unlink(missing_ok=True)
            os.close(file)

    def _path(self, token: str) -> Path:
        return self._directory / f"{token}.lock"
