"""Files that hold secrets: who else can read them, and how they are written. I/O, and one rule as a pure function.

What is looked at is the file that was opened, after symbolic links, so that nobody can put another in its place
between the look and the read. A link itself may be anywhere: people keep such files in a repository of their own.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from storagekit.errors import ConfigurationError

_LOCK_TRIES = 50
_LOCK_EVERY_S = 0.1

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class PrivateFile:
    """What a file says. ``exposed``: group or others can read or change it."""

    path: Path
    text: str = field(repr=False)
    exposed: bool = False

    @property
    def advice(self) -> str:
        """Return the command that keeps others out."""
        return f"Run: chmod 600 {self.path}"


def read(path: Path) -> PrivateFile | None:
    """Return the file, or None where there is none; ``/dev/null`` is none.

    Raises ConfigurationError for what is no file, is another user's, is not UTF-8 or cannot be read.
    """
    if str(path) == os.devnull:
        return None
    try:
        # Without O_NONBLOCK a named pipe would be waited for, for ever.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    try:
        facts = os.fstat(fd)
        problem = objection(facts.st_mode, facts.st_uid, os.geteuid())
        data = b"" if problem else os.fdopen(fd, "rb", closefd=False).read()
    finally:
        os.close(fd)
    if problem:
        raise ConfigurationError(f"{path} {problem}", hint="Name a file of your own")
    return PrivateFile(path, _decoded(path, data), bool(facts.st_mode & _OTHERS))


def objection(mode: int, owner: int, user: int) -> str | None:
    """Return why a file of this mode and owner is not read by ``user`` at all.

    Another user's file could send the user's data elsewhere. Root reads any: a container mounts files of others.
    """
    if not stat.S_ISREG(mode):
        return "is no file"
    if owner not in (user, 0) and user != 0:
        return f"belongs to the user with the number {owner}"
    return None


def expanded(path: str) -> Path:
    """Return a path as the user means it; where ``~name`` is nobody's home it is a file of that name."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  # Path.expanduser raises for a user that does not exist


def _decoded(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = error.start
    raise ConfigurationError(f"{path} is not UTF-8 (byte {where})")  # without the cause, which shows the bytes


def write(path: Path, text: str) -> None:
    """Write a file that its owner alone can read, whole or not at all; directories are made, for the owner alone.

    A symbolic link stays one. Raises ConfigurationError where it cannot be written, or is a device or pipe, which a
    file put in its place would destroy.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise ConfigurationError(f"{path} is no file", hint="Name a file of your own")
    try:
        _replace(target, text.encode())
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Inside, no other process changes the file: two changes at once would lose one. The lock is its directory's.

    Raises ConfigurationError where the directory cannot be made.
    """
    directory = Path(os.path.realpath(path)).parent
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error
    try:
        _lock(fd, path)
        yield
    finally:
        os.close(fd)


def _lock(fd: int, path: Path) -> None:
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOCK_EVERY_S)
        except OSError:  # a file system without locks
            return
        else:
            return
    raise ConfigurationError(f"another program has locked {path.parent}", hint="Wait for it, or name another file")


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    draft = Path(name)
    try:
        with os.fdopen(fd, "wb") as file:
            if os.geteuid() == 0 and path.exists():  # root, in a container: the file stays its owner's
                os.fchown(fd, path.stat().st_uid, path.stat().st_gid)
            file.write(data)
            file.flush()
            os.fsync(fd)
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
