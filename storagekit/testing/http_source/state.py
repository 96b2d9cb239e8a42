"""What the serving threads of a source share."""

from __future__ import annotations

import threading

from .behaviour import Behaviour, Live
from .log import Entry
from .meter import Meter
from .planning import Version
from .rate import LARGE_PIECE, PIECE, RateLimit


class State:
    """Each replaceable part is replaced whole, by one assignment."""

    def __init__(self, version: Version, rate: float | None) -> None:
        self.version = version
        self.live = Live(Behaviour())
        self.meter = Meter()
        self.limit = RateLimit(rate)
        self.entries: list[Entry] = []
        self.closing = threading.Event()

    def piece(self) -> int:
        """How much to send at once."""
        return min(self.limit.piece(), PIECE if self.meter.armed else LARGE_PIECE)

    def throttle(self, count: int) -> None:
        """Wait for the turn of so many bytes."""
        self.pause(self.limit.book(count))

    def pause(self, seconds: float) -> None:
        """Wait, until the source closes at most."""
        if seconds > 0:
            self.closing.wait(seconds)
