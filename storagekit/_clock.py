"""Time, sleep and chance, injected; and the token that stops a transfer.

Nothing else in the core calls ``time`` or ``random``, so a test replaces ``Clock`` and waits for nothing.
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from datetime import datetime, timezone

from storagekit.errors import TransferCancelled

LAST_WORDS_S = 1.5
"""How long what was told to stop is waited for: Ctrl-C returns within 2 s."""

_SLICE_S = 0.2  # how soon a sleeper sees that its parent was set


class Cancel:
    """A flag that many threads look at: set once, seen by everybody within one 1 MiB block or one sleep.

    A child (``parent`` given) is also set when its parent is, but not the other way round: a transfer that stops
    its own workers does not stop its neighbours.
    """

    def __init__(self, parent: Cancel | None = None) -> None:
        self._event = threading.Event()
        self._parent = parent

    def set(self) -> None:
        """Ask every thread of the transfer to stop."""
        self._event.set()

    @property
    def is_set(self) -> bool:
        """Whether somebody asked to stop."""
        return self._event.is_set() or (self._parent is not None and self._parent.is_set)

    def check(self) -> None:
        """Raise TransferCancelled when somebody asked to stop."""
        if self.is_set:
            raise TransferCancelled("the transfer was stopped")

    def check_outer(self) -> None:
        """Raise TransferCancelled when somebody outside of the transfer asked: its parent is set."""
        if self._parent is not None:
            self._parent.check()

    def wait(self, seconds: float) -> None:
        """Sleep, but no longer than until somebody asks to stop; then raise TransferCancelled."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check()
            self._event.wait(min(left, _SLICE_S))
        self.check()


class Clock:
    """The real time. Tests subclass it."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""
        return time.monotonic()

    def utc_now(self) -> datetime:
        """Return this machine's time of day, aware UTC."""
        return datetime.now(timezone.utc)

    def sleep(self, seconds: float, cancel: Cancel) -> None:
        """Wait ``seconds``, or raise TransferCancelled as soon as ``cancel`` is set."""
        cancel.wait(seconds)

    def random(self) -> float:
        """A number in [0, 1)."""
        return random.random()  # noqa: S311  # jitter, not a secret

    def token(self) -> str:
        """A new 128-bit name for an upload."""
        return secrets.token_hex(16)
