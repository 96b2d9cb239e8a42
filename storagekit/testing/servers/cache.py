"""The cache directory: what is built or installed once per machine, by one process at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storagekit.testing.servers.server import Unavailable


def cache_dir() -> Path:
    """Where it is: per user, outside every checkout."""
    import platformdirs  # here: a server that is named or on PATH needs no cache

    return Path(platformdirs.user_cache_dir("storagekit-test"))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time makes what is beside `path`. The kernel lets go of the lock when its holder dies."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError as error:
        raise Unavailable(f"the cache directory cannot be written: {error}") from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
