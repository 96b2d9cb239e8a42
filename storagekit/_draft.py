"""The file that a download writes to: beside its target, locked while its writer lives, renamed when it is whole.

    .shard.bin.storagekit-4f1d0c5a9e7b2d36           the draft of one version of one object
    .shard.bin.storagekit-4f1d0c5a9e7b2d36.journal   what of it is there (``_journal.py``)
    .shard.bin.storagekit-0c5a9e7b2d36               a private draft: nobody goes on with it

The name is a hash of what is downloaded, so that the next download of the same version finds it. ``flock`` says
whether its writer lives; only who holds the lock renames or removes a draft, and only while it has the name that it was
locked under. Who finds it locked, or somebody else's, or no locks, takes a private draft. Who downloads to a target
removes all other drafts of it that are not locked, of other versions and private ones alike (``_leftovers.py``).

The name can be guessed, and directories are shared: a draft that is a link, belongs to somebody else or has a second
name is never written to.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from storagekit import _journal
from storagekit._clock import Cancel
from storagekit._journal import Journal
from storagekit._leftovers import JOURNAL, Leftovers, is_at, lock, prefix
from storagekit._plan import Plan
from storagekit.errors import ConflictError
from storagekit.types import ObjectInfo

_TRIES = 10  # each but the first because another process took the draft's name away in that moment


@dataclass
class Draft:
    """An open, locked draft. ``journal`` is None for a private one."""

    target: Path
    path: Path
    file: int
    lasting: bool
    journal: Journal | None = None

    def begin(self, info: ObjectInfo, range_size: int, most: int) -> Plan:
        """Make the draft as large as the object, and return the plan: the journal's, where there is one to go on with.

        ``most`` is the largest range that this run can hold in memory.
        """
        plan, journal = Plan(info.size, range_size), self._journal_path
        if self.lasting and os.fstat(self.file).st_size == info.size:
            self.journal = _journal.resume(journal, info, most)
        if self.journal is None:
            os.ftruncate(self.file, info.size)
            self._hide()
            self.journal = _journal.start(journal, info, plan) if self.lasting else None
        return self.journal.plan if self.journal else plan

    def _hide(self) -> None:
        """What replaces a private file is private from its first byte; its writer can always open it again."""
        if self.target.is_file():
            os.fchmod(self.file, stat.S_IMODE(self.target.stat().st_mode) & 0o666 | 0o600)

    def read(self, offset: int, buffer: memoryview) -> bool:
        """Fill ``buffer`` with what the draft holds there, and tell whether it holds as much."""
        done = 0
        while done < len(buffer) and (count := os.preadv(self.file, [buffer[done:]], offset + done)):
            done += count
        return done == len(buffer)

    def write(self, number: int, offset: int, data: memoryview, crc: str, stop: Cancel) -> None:
        """Put one range in its place, then note it. From any thread.

        By name and not by number: a worker that outlives the download must not write to what gets the number.
        """
        own = os.open(self.path, os.O_WRONLY | os.O_NOFOLLOW)
        try:
            done = 0
            while done < len(data):
                stop.check()
                done += os.pwrite(own, data[done:], offset + done)
        except OSError as error:  # a full disk: the system does not say which file
            raise OSError(error.errno, error.strerror, str(self.target)) from error
        finally:
            os.close(own)
        if self.journal is not None:
            self.journal.add(number, crc)

    def publish(self, *, overwrite: bool) -> None:
        """Give the draft its target's name. Raises ConflictError where that exists and must not be replaced."""
        if self.target.is_file():
            os.fchmod(self.file, stat.S_IMODE(self.target.stat().st_mode))  # a private file stays private
        os.fsync(self.file)
        if overwrite:
            self.path.replace(self.target)
        else:
            self._link()
        self._journal_path.unlink(missing_ok=True)

    def _link(self) -> None:
        try:
            os.link(self.path, self.target)
        except FileExistsError as error:
            raise exists_already(self.target) from error
        self.path.unlink()

    @property
    def worth_keeping(self) -> bool:
        """Whether a next download would find something in it."""
        return self.journal is not None and bool(self.journal.ranges)

    def remove(self) -> None:
        """Leave nothing."""
        if is_at(self.path, self.file):
            self.path.unlink()
            self._journal_path.unlink(missing_ok=True)

    def close(self) -> None:
        """Unlock it."""
        os.close(self.file)

    @property
    def _journal_path(self) -> Path:
        return self.path.with_name(self.path.name + JOURNAL)


def exists_already(target: Path) -> ConflictError:
    """Return the error for a target that must not be replaced."""
    return ConflictError(f"{target} exists already", hint="Name another file, or allow it to be overwritten")


def name_of(target: Path, backend: str, bucket: str, info: ObjectInfo) -> Path:
    """Return where the draft of this version of the object is. Pure."""
    facts = json.dumps([backend, bucket, info.key, info.etag, info.size])
    return target.with_name(prefix(target) + hashlib.sha256(facts.encode("utf-8", "surrogatepass")).hexdigest()[:16])


def open_draft(target: Path, wanted: Path | None, leftovers: Leftovers) -> Draft:
    """Return the draft ``wanted``, new or from an earlier run; a private one where it is None or cannot be had."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = (wanted and _claim(target, wanted)) or _private(target)
    leftovers.sweep(target)
    return draft


def _claim(target: Path, path: Path) -> Draft | None:
    """Open and lock a draft; None where its writer lives, or where it is not ours to write to."""
    for _ in range(_TRIES):
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        except OSError:
            return None  # a link, a directory; for any other reason the private draft fails as well, and says why
        if not lock(file) or not _is_own(file):
            os.close(file)
            return None
        names = os.fstat(file).st_nlink
        if names == 1 and is_at(path, file):
            return Draft(target, path, file, lasting=True)
        os.close(file)
        if names > 1:  # a writer that did not overwrite was killed when the target had its name already
            path.unlink(missing_ok=True)
    return None


def _is_own(file: int) -> bool:
    facts = os.fstat(file)
    return stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid()


def _private(target: Path) -> Draft:
    """Return a new, locked draft; one that another download swept before it was locked is made again."""
    while True:
        path = target.with_name(prefix(target) + os.urandom(6).hex())
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        lock(file)
        if path.exists():
            return Draft(target, path, file, lasting=False)
        os.close(file)
