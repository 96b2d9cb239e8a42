"""Worker threads over the parts of a transfer: the first error wins, an interrupt is seen at once.

The threads are daemons and not an executor's, because an executor joins its threads at exit: a server that stalls
would then hold up Ctrl-C for as long as a socket times out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from storagekit._clock import LAST_WORDS_S, Cancel
from storagekit.errors import ServiceError, TransferCancelled

T = TypeVar("T")

_GIVE_UP_AFTER = 4
"""Failed parts in a row after which the service is taken to be down. A single part that fails for good does not stop
the others: what they move need not be moved by the next run."""

_LOOK_S = 0.1  # how often it is looked whether they were stopped


class Numbered(Protocol):
    """A piece of work: a part, by its number."""

    @property
    def number(self) -> int:
        """Number of the part."""


N = TypeVar("N", bound=Numbered)


class Crew(Generic[N, T]):
    """Runs ``work`` over the parts in ``todo`` with a number of threads. ``results`` are by part number."""

    def __init__(self, todo: Iterable[N], work: Callable[[N], T], stop: Cancel) -> None:
        self._todo = iter(todo)
        self._work = work
        self._stop = stop
        self._turn = threading.Lock()  # one at a time asks for work: with a feed that may take long
        self._lock = threading.Lock()
        self._ended = threading.Condition()
        self._running: set[int] = set()
        self._error: BaseException | None = None
        self._failed_in_a_row = 0
        self.results: dict[int, T] = {}

    def run(self, workers: int, meanwhile: Callable[[], None] | None = None) -> None:
        """Return when all parts are done; raise the first error. An interrupt stops the workers and passes.

        ``meanwhile`` runs in the calling thread once the workers are there: it feeds them.
        """
        try:
            for number in range(workers):
                self._start(number)
            if meanwhile is not None:
                meanwhile()
            self._wait()
        except BaseException as error:
            self._stop.set()
            self._wait()
            if isinstance(error, TransferCancelled) and self._error is not None:
                raise self._error from None  # that is what it was stopped for
            raise
        if self._error is not None:
            self._stop.check_outer()
            raise self._error
        self._stop.check()

    def _start(self, number: int) -> None:
        """Start one worker. Where the system allows no more threads, those that there are do the work."""
        self._running.add(number)
        name = f"storagekit-worker-{number}"
        try:
            threading.Thread(target=self._run, args=(number,), name=name, daemon=True).start()
        except RuntimeError as error:
            self._running.discard(number)
            if not number:
                raise ServiceError("no thread can be started", hint="Raise the limit of threads") from error

    @property
    def has_failed(self) -> bool:
        """Whether any part has failed so far."""
        return self._error is not None

    def _wait(self) -> None:
        """Wait for all workers; once they were told to stop, only for their last words.

        Not by Thread.join: interrupted, it takes a running thread for a finished one (CPython 3.10 and 3.11).
        """
        patience = LAST_WORDS_S
        with self._ended:
            while self._running and patience > 0:
                if not self._ended.wait(_LOOK_S) and self._stop.is_set:
                    patience -= _LOOK_S

    def _run(self, number: int) -> None:
        while (part := self._next()) is not None:
            try:
                result = self._work(part)
            except BaseException as error:  # noqa: BLE001  # carried to the thread that called run
                self._fail(error)
            else:
                self._done(part, result)
        with self._ended:
            self._running.discard(number)
            self._ended.notify_all()

    def _next(self) -> N | None:
        with self._turn:
            return None if self._stop.is_set else next(self._todo, None)

    def _done(self, part: N, result: T) -> None:
        with self._lock:
            self._failed_in_a_row = 0
            self.results[part.number] = result

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            self._failed_in_a_row += 1
            fatal = not isinstance(error, ServiceError)
            if self._error is None or (fatal and not self._stop.is_set):
                self._error = error  # what ends everything explains more than the part that failed before it
            if fatal or self._failed_in_a_row >= _GIVE_UP_AFTER:
                self._stop.set()
