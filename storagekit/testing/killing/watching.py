"""The trigger for a backend without a server: what changes below a directory, looked at every millisecond.

A change that is undone within the millisecond is not seen; a test that counts kills counts those that happened.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from storagekit.testing.killing.triggers import Kill

LOOK_SECONDS = 0.001

Change: TypeAlias = Literal["appears", "vanishes"]
Stamp: TypeAlias = tuple[int, int]
"""Inode and bytes on the disk: a file that was replaced by a rename has another inode."""


@dataclass(frozen=True)
class AfterChange:
    """The ``nth`` file or directory below ``root`` that appears or vanishes, and ``delay`` seconds more.

    ``pattern`` is searched in its path relative to ``root``. To be replaced is to appear. With ``bytes_on_disk`` a file
    counts as there once so many bytes of it are (holes do not count): the middle of a part.
    """

    root: Path
    pattern: str
    nth: int = 1
    change: Change = "appears"
    delay: float = 0.0
    bytes_on_disk: int = 0

    @contextmanager
    def armed(self, kill: Kill) -> Iterator[None]:
        """Watch in a thread."""
        over = threading.Event()
        before = self._look()  # here, so that nothing which happens from now on is missed
        thread = threading.Thread(target=self._watch, args=(before, kill, over), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _watch(self, before: dict[str, Stamp], kill: Kill, over: threading.Event) -> None:
        seen = 0
        while not over.is_set():
            now = self._look()
            seen += self._changes(before, now)
            if seen >= self.nth:
                time.sleep(self.delay)
                kill()
                return
            before = now
            time.sleep(LOOK_SECONDS)

    def _changes(self, before: dict[str, Stamp], now: dict[str, Stamp]) -> int:
        old, new = (before, now) if self.change == "appears" else (now, before)
        return sum(path not in old or old[path][0] != inode for path, (inode, _) in new.items())

    def _look(self) -> dict[str, Stamp]:
        found = re.compile(self.pattern).search
        stamps = ((path, stamp) for path, stamp in _walk(str(self.root)) if found(os.path.relpath(path, self.root)))
        return {path: stamp for path, stamp in stamps if stamp[1] >= self.bytes_on_disk}


def _walk(directory: str) -> Iterator[tuple[str, Stamp]]:
    """Everything below, as far as it stays there while it is looked at."""
    try:
        with os.scandir(directory) as found:
            entries = list(found)
    except OSError:
        return
    for entry in entries:
        try:
            state = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        yield entry.path, (state.st_ino, state.st_blocks * 512)
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)
