"""The directory that a recursive download writes to: where each object goes, whether it is there, and its time.

Nothing is ever written outside: not by what a key says, and not through a symbolic link that leads out.
"""

# Paths are text: what a key says is not tidied up, and these are system calls.
# ruff: noqa: PTH110, PTH112, PTH113, PTH116, PTH118, PTH120

from __future__ import annotations

import os
import stat

from storagekit._tree.rules import LONGEST_NAME, name_problem, same_time, time_ns
from storagekit.errors import ConfigurationError, ConflictError, InvalidNameError
from storagekit.types import ObjectInfo


class Directory:
    """A directory that exists or is made when the first file comes. Raises ConfigurationError where it is a file."""

    def __init__(self, path: str) -> None:
        if os.path.lexists(path) and not os.path.isdir(path):
            raise ConfigurationError(f"{path} is no directory", hint="Name a directory")
        self.path = path
        self._real = os.path.realpath(path)
        self._longest = _longest_name(self._real)

    def place(self, name: str) -> str:
        """Return the path of ``name``, the rest of a key. Raises InvalidNameError where it cannot be one below here.

        ConflictError where something stands there that is no file: a directory, or a pipe, which is never opened.
        """
        problem = name_problem(name, self._longest)
        if problem is not None:
            raise InvalidNameError(f"the key cannot be a file here: {problem}", hint="Copy this one under another name")
        path = os.path.join(self.path, name)
        real = os.path.realpath(path)
        if os.path.commonpath([real, self._real]) != self._real:
            raise InvalidNameError(f"{path} leads out of {self.path} by a symbolic link", hint="Remove the link")
        if os.path.exists(real) and not os.path.isfile(real):
            raise ConflictError(f"{path} exists and is no file", hint="Remove it, or copy into another directory")
        return path

    def has(self, path: str, info: ObjectInfo) -> bool:
        """Tell whether the file is the object, as an earlier download left it: by size and time."""
        try:
            facts = os.stat(path)
        except OSError:
            return False
        return (
            stat.S_ISREG(facts.st_mode) and facts.st_size == info.size and same_time(facts.st_mtime_ns, info.modified)
        )

    def stamp(self, path: str, info: ObjectInfo) -> None:
        """Give a file that has just been written the object's time."""
        if info.modified is not None:
            os.utime(path, ns=(os.stat(path).st_atime_ns, time_ns(info.modified)))


def _longest_name(path: str) -> int:
    """Return the most bytes of a name, as the file system of the nearest directory that exists has it."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    try:
        return os.pathconf(path, "PC_NAME_MAX")
    except (OSError, ValueError):
        return LONGEST_NAME
