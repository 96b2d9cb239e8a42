"""Tells a wrong answer from a crash: a driver whose exceptions are looked at as they leave it.

A mutant may refuse (that is an answer) and pass on what a body raised. Any other exception is a bug of the mutant
itself, also where the suite takes it for a refusal or catches it, so it is noted here and not where it ends up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from storagekit.driver import DriverError
from storagekit.drivers._memory_store import Refused
from storagekit.drivers.memory import MemoryDriver
from storagekit.testing.bodies import BodyBroke

Crashes = list[str]
ANSWERS = (DriverError, Refused, BodyBroke, AssertionError)  # the last one is raised by the suite's own hooks


class _Guarded:
    """An object whose public methods are watched."""

    def __init__(self, inner: Any, crashes: Crashes) -> None:
        self._inner, self._crashes = inner, crashes

    def __getattr__(self, name: str) -> Any:
        member = self._run(name, lambda: getattr(self._inner, name))
        return member if not callable(member) else lambda *args, **how: self._run(name, lambda: member(*args, **how))

    def _run(self, name: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except ANSWERS:
            raise
        except Exception as error:
            self._crashes.append(f"{name}: {error!r}")
            raise


class _Reader(_Guarded):
    def __enter__(self) -> _Reader:
        self._inner.__enter__()
        return self

    def __exit__(self, *how: object) -> None:
        self._inner.__exit__(*how)


class Watched(_Guarded):
    """A driver, the readers that it gives included."""

    def __init__(self, driver: MemoryDriver, crashes: Crashes) -> None:
        super().__init__(driver, crashes)

    def read(self, *args: Any, **how: Any) -> _Reader:
        return _Reader(self._run("read", lambda: self._inner.read(*args, **how)), self._crashes)
