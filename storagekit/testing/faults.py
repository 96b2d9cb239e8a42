"""Faults in front of any driver, and a clock that does not wait.

``FaultyDriver`` wraps a driver. Before each call it asks ``before`` and after each ``after`` what to do: return
None to let it be, or an exception to raise. An exception from ``after`` is a lost answer: the call took effect.
Faults are raised as ``storagekit.driver.DriverError``, so every driver classifies them alike.

    driver = FaultyDriver(MemoryDriver(), before=lambda call: fault(Code.SERVER) if call.number == 2 else None)
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from storagekit._clock import Cancel, Clock
from storagekit.driver import Code, Driver, DriverError, Failure
from storagekit.types import Upload


@dataclass(frozen=True)
class Call:
    """One call of a driver. ``nth`` counts the calls of this operation from 1; ``number`` is the part's."""

    operation: str
    nth: int
    bucket: str | None = None
    key: str | None = None
    number: int | None = None
    upload_id: str | None = None


Decision = Callable[[Call], "Exception | None"]


def fault(code: Code, retry_after_s: float | None = None) -> DriverError:
    """Return an exception that any driver classifies as ``code``."""
    return DriverError(Failure(code, f"injected {code.value}", retry_after_s=retry_after_s))


def never(call: Call) -> None:
    """Inject nothing."""


class FaultyDriver:
    """A driver that fails as told. ``calls`` are all calls so far, in order, and ``counts`` how many by operation."""

    def __init__(self, driver: Driver, before: Decision = never, after: Decision = never) -> None:
        self.inner = driver
        self.before = before
        self.after = after
        self.calls: list[Call] = []
        self.counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def operations(self, name: str) -> list[Call]:
        """Return the calls of one operation."""
        return [call for call in self.calls if call.operation == name]

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.inner, name)
        if not callable(member) or name in ("classify", "close"):
            return member
        return lambda *args, **kwargs: self._run(name, member, args, kwargs)

    def _run(self, name: str, member: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = self._note(name, inspect.signature(member).bind(*args, **kwargs).arguments)
        if (error := self.before(call)) is not None:
            raise error
        result = member(*args, **kwargs)
        if (error := self.after(call)) is not None:
            raise error
        return result

    def _note(self, name: str, arguments: dict[str, Any]) -> Call:
        upload = arguments.get("upload")
        place = upload if isinstance(upload, Upload) else None
        with self._lock:
            self.counts[name] = self.counts.get(name, 0) + 1
            call = Call(
                name,
                self.counts[name],
                place.bucket if place else arguments.get("bucket"),
                place.key if place else arguments.get("key"),
                arguments.get("number"),
                place.id if place else None,
            )
            self.calls.append(call)
        return call


class FakeClock(Clock):
    """A clock that only moves when somebody sleeps. ``slept`` are all waits in seconds; ``random`` is fixed."""

    def __init__(self, chance: float = 0.5) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self._chance = chance
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        """Seconds since the clock was made, as far as it was moved."""
        return self.now

    def sleep(self, seconds: float, cancel: Cancel) -> None:
        """Move the clock; raise TransferCancelled where the real one would."""
        cancel.check()
        with self._lock:
            self.slept.append(seconds)
            self.now += seconds

    def random(self) -> float:
        """The chance that was given."""
        return self._chance
