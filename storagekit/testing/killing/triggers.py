"""Triggers: when to kill. Each counts from the moment it is armed and fires once at most."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from storagekit.testing.http_source import SourceServer
from storagekit.testing.proxy import Fault, FaultProxy, Predicate, Strike, TCPProxy, When

Kill: TypeAlias = Callable[[], object]


class Trigger(Protocol):
    """Something that calls ``kill`` at its moment."""

    def armed(self, kill: Kill) -> AbstractContextManager[None]:
        """Watch for the moment as long as the context lasts; ``kill`` may be called from any thread."""


@dataclass(frozen=True)
class AfterRequest:
    """The ``nth`` request that ``picks`` picks, at the moment ``when`` of it.

    ``after`` are the bytes of its body passed on before, for ``when="in the body"``. A request that was not answered
    is not answered afterwards either, and one that was not passed on never is.
    """

    proxy: FaultProxy
    picks: Predicate
    nth: int = 1
    when: When = "before forward"
    after: int = 0

    @contextmanager
    def armed(self, kill: Kill) -> Iterator[None]:
        """Put a fault in front of the proxy's others."""
        fault = Fault(self.picks, Strike(kill, self.when, self.after), times=1, skip=self.nth - 1)
        self.proxy.faults.insert(0, fault)
        try:
            yield
        finally:
            self.proxy.faults.remove(fault)


@dataclass(frozen=True)
class AfterBytes:
    """``count`` bytes have passed to the server, and not one more on the connection of the last of them."""

    proxy: TCPProxy
    count: int

    @contextmanager
    def armed(self, kill: Kill) -> Iterator[None]:
        """Set a mark in the proxy; one that is not met stays there, where it does nothing."""
        waiting = threading.Event()
        waiting.set()
        self.proxy.when_up(self.proxy.bytes_up + self.count, lambda: kill() if waiting.is_set() else None)
        try:
            yield
        finally:
            waiting.clear()


@dataclass(frozen=True)
class SourceServed:
    """``count`` body bytes have been taken from the source by the kernel, or up to 64 KiB more."""

    source: SourceServer
    count: int

    @contextmanager
    def armed(self, kill: Kill) -> Iterator[None]:
        """Set a trigger in the source, and take it back."""
        trigger = self.source.when_served(self.source.bytes_served + self.count, kill)
        try:
            yield
        finally:
            trigger.cancel()


@dataclass(frozen=True)
class AfterSeconds:
    """So many seconds after the start."""

    seconds: float

    @contextmanager
    def armed(self, kill: Kill) -> Iterator[None]:
        """Start a timer, and cancel it."""
        timer = threading.Timer(self.seconds, kill)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
