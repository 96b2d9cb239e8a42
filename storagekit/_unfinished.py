"""Where it is decided what an unfinished upload is, and whether it may be aborted. Pure functions of values.

    live    a process of this machine holds its lock, or it was begun or got a part less than ``IDLE`` ago
    stale   not live, and no part for ``ABANDONED``; or the service no longer knows it, and only the record is left

All times but one are the service's own clock; that one is "now". An abort asks the service for it (``_tidy.py``). A
listing writes nothing, so it takes this machine's clock, or the latest time that the service showed if that is later.
Where a time that is needed is not known, the upload counts as live.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from storagekit._resume import ABANDONED, IDLE
from storagekit.errors import ConfigurationError
from storagekit.types import UnfinishedUpload


@dataclass(frozen=True)
class Wanted:
    """Which uploads are meant: all that is given must hold.

    ``key`` is a whole key and ``prefix`` how keys begin. ``older_than``: begun at least so long ago.
    """

    key: str | None = None
    prefix: str | None = None
    older_than: timedelta | None = None
    stale: bool = False

    def check(self) -> None:
        """Raise ConfigurationError where nothing says which uploads are meant."""
        if self == Wanted():
            raise ConfigurationError(
                "nothing says which uploads to abort", hint="Give a whole key, a prefix, an age, or ask for stale ones"
            )

    @property
    def beginning(self) -> str:
        """How the keys that are meant begin."""
        return self.prefix or "" if self.key is None else self.key

    def takes(self, key: str) -> bool:
        """Tell whether the uploads of ``key`` are meant, as far as their key decides."""
        return self.key in (None, key) and key.startswith(self.prefix or "")


def latest(times: Iterable[datetime | None]) -> datetime | None:
    """Return the latest of the times that are known."""
    return max((time for time in times if time is not None), default=None)


def judged(upload: UnfinishedUpload, now: datetime | None, *, held: bool) -> UnfinishedUpload:
    """Return ``upload`` with what its times mean at ``now``; ``held``: a process of this machine has its lock."""
    live = held or _is_active(upload, now)
    only_record = upload.ours and upload.parts is None
    quiet = now - upload.active if now and upload.active else timedelta(0)
    return replace(upload, live=live, stale=not live and (only_record or quiet > ABANDONED))


def _is_active(upload: UnfinishedUpload, now: datetime | None) -> bool:
    if now is None or upload.active is None:
        return not (upload.ours and upload.parts is None)  # careful; but nobody works on what the service lost
    return now - upload.active < IDLE


def is_meant(upload: UnfinishedUpload, wanted: Wanted, now: datetime | None) -> bool:
    """Tell whether ``wanted`` names an upload. Of one that is live, or whose age is not known, ``why_not`` tells."""
    if not wanted.takes(upload.key):
        return False
    if wanted.stale and not (upload.stale or upload.live):
        return False
    return wanted.older_than is None or not _is_younger(upload, wanted.older_than, now)


def why_not(upload: UnfinishedUpload, wanted: Wanted, now: datetime | None) -> str | None:
    """Return why an upload that is meant is left alone unless it is told by id; None where it may go."""
    if not upload.ours:
        return "another tool's"
    if upload.live:
        return "live" if now and upload.active else "live, for all that is known: the service's clock cannot be asked"
    if wanted.older_than is not None and _age(upload, now) is None:
        return "its age is not known"
    return None


def _age(upload: UnfinishedUpload, now: datetime | None) -> timedelta | None:
    """Return the age; not below zero, which it seems to be where the service cuts its clock to whole seconds."""
    return max(now - upload.initiated, timedelta(0)) if now and upload.initiated else None


def _is_younger(upload: UnfinishedUpload, than: timedelta, now: datetime | None) -> bool:
    age = _age(upload, now)
    return age is not None and age < than
