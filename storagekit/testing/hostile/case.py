"""One hostile case: what is served, and what has to come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from storagekit.testing.hostile.server import Script
from storagekit.testing.hostile.site import CONTENT
from storagekit.testing.http_source.content import Content

DATA = CONTENT.read(0, CONTENT.size)
"""What the honest content is."""


@dataclass(frozen=True)
class Expected:
    """Either an object of exactly these bytes, or no object, this class of error (by name) and this exit code."""

    data: bytes | None = None
    error: str | None = None
    exit_code: int = 0

    def __str__(self) -> str:
        return (
            f"object of {len(self.data):,} bytes" if self.data is not None else f"{self.error}, exit {self.exit_code}"
        )


@dataclass(frozen=True)
class Case:
    """What is served, and what has to come of it.

    ``make`` returns a fresh script; ``before`` one for an earlier run, which fails and leaves parts behind.
    ``size`` and ``sha256`` are what the caller knows of the source.
    """

    name: str
    says: str
    make: Callable[[], Script]
    expected: Expected
    before: Callable[[], Script] | None = None
    size: int | None = None
    sha256: str | None = None
    workers: int = 2


def an_object(of: Content | bytes = DATA) -> Expected:
    """Expect exactly these bytes; by default the honest content."""
    return Expected(of if isinstance(of, bytes) else of.read(0, of.size))


def refused(error: str, exit_code: int) -> Expected:
    """Expect no object, and this error."""
    return Expected(None, error, exit_code)


CHANGED = refused("SourceChangedError", 6)
TRUNCATED = refused("SourceTruncatedError", 6)
DAMAGED = refused("ChecksumError", 6)
FAILED = refused("ServiceError", 5)
THROTTLED = refused("ThrottledError", 5)
FORBIDDEN = refused("PermissionDeniedError", 4)
MISSING = refused("ObjectNotFoundError", 3)
UNSUPPORTED = refused("UnsupportedSourceError", 2)
REFUSED = refused("RequestRefusedError", 1)
