"""Many objects at once: a failure of one is noted and the others go on; what no other can survive ends everything.

The work comes from an iterator that is asked when a worker is free, so nothing is held but what is under way. The
workers are a ``Crew`` (``_crew.py``): an interrupt is seen at once. ``workers`` bounds the parts of all objects
together, so that a kill costs no more than ``workers x part size`` here too: that many objects are under way, each with
one part; where there are fewer, each gets its share.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice

from storagekit._clock import Cancel
from storagekit._crew import Crew
from storagekit._tree.rules import ends_everything, failure_of
from storagekit.errors import PermissionDeniedError, ServiceError
from storagekit.types import ObjectOutcome, Progress, TreeProgress, TreeResult

OnObject = Callable[[ObjectOutcome], None]
OnTreeProgress = Callable[[TreeProgress], None]
Listener = Callable[[Progress], None]

_KEPT_FAILURES = 1000

_GIVE_UP_AFTER = 4
"""Objects in a row that the service failed for, each after all its retries: it is down. The same for refusals, as long
as nothing else has come out of it: a key or two may be forbidden, all of them are a matter of the credentials."""


@dataclass(frozen=True)
class Task:
    """One object: ``run`` does it and says what happened; it is given a listener for its bytes, and its workers.

    ``number`` is the same for all, as a crew keeps one result per number and there may be millions.
    """

    key: str
    path: str | None
    run: Callable[[Listener, int], ObjectOutcome]
    number: int = 0


class _Ended(Exception):
    """Carries the error that ends everything out of the crew, whatever its kind."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


def run_all(
    tasks: Iterable[Task], workers: int, stop: Cancel, on_object: OnObject | None, on_progress: OnTreeProgress | None
) -> TreeResult:
    """Run all tasks and return what became of them. Raises the error that ended everything, and KeyboardInterrupt.

    The listeners are called by one thread at a time.
    """
    tally = Tally(on_object, on_progress)
    coming = _carrying_errors(tasks)
    first = list(islice(coming, workers))
    share = workers // max(1, len(first))
    crew: Crew[Task, None] = Crew(chain(first, coming), lambda task: _run(task, tally, stop, share), stop)
    try:
        crew.run(workers)
    except _Ended as end:
        raise end.error from None
    return tally.result


def _carrying_errors(tasks: Iterable[Task]) -> Iterator[Task]:
    """Yield the tasks; an error while they are looked for (a listing) becomes the last task, which raises it."""
    try:
        yield from tasks
    except Exception as error:  # noqa: BLE001  # raised by the task
        yield Task("", None, _raising(error))


def _raising(error: Exception) -> Callable[[Listener, int], ObjectOutcome]:
    def run(_: Listener, __: int) -> ObjectOutcome:
        raise _Ended(error)

    return run


def _run(task: Task, tally: Tally, stop: Cancel, workers: int) -> None:
    bytes_of = tally.listener()
    try:
        outcome = task.run(bytes_of, workers)
    except BaseException as error:
        if isinstance(error, _Ended):
            raise
        if stop.is_set or ends_everything(error) or tally.is_the_last_straw(error):
            raise _Ended(error) from error
        outcome = ObjectOutcome(task.key, 0, "failed", task.path, failure_of(task.key, error))
    tally.note(outcome, bytes_of)


class Tally:
    """Counts what became of objects, and tells the listeners. Safe to share between threads."""

    def __init__(self, on_object: OnObject | None, on_progress: OnTreeProgress | None) -> None:
        self.result = TreeResult()
        self._on_object = on_object
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._objects = 0
        self._bytes = 0
        self._bad_in_a_row = 0

    def listener(self) -> _Bytes:
        """Return what listens to the bytes of one object."""
        return _Bytes(self)

    def moved(self, count: int) -> None:
        """Count bytes of an object that is under way; not positive ones where it begins again or fails."""
        with self._lock:
            self._bytes += count
            self._tell()

    def note(self, outcome: ObjectOutcome, moved: _Bytes | None = None) -> None:
        """Count an object that is done. What it is worth replaces what its listener has heard."""
        worth = outcome.size if outcome.did in ("copied", "deleted") else 0
        with self._lock:
            self._bad_in_a_row = self._bad_in_a_row if outcome.failure else 0
            self.result = counted(self.result, outcome)
            self._objects += 1
            self._bytes += worth - (moved.heard if moved else 0)
            if self._on_object is not None:
                self._on_object(outcome)
            self._tell()

    def is_the_last_straw(self, error: BaseException) -> bool:
        """Count an error that may be that of all objects, and tell whether it is enough."""
        with self._lock:
            done = self.result.copied + self.result.skipped
            if isinstance(error, ServiceError) or (isinstance(error, PermissionDeniedError) and not done):
                self._bad_in_a_row += 1
            return self._bad_in_a_row >= _GIVE_UP_AFTER

    def _tell(self) -> None:
        if self._on_progress is not None:
            self._on_progress(TreeProgress(self._objects, self._bytes))


class _Bytes:
    """Hears the progress of one object, and adds what is new to the tally's."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self.heard = 0

    def __call__(self, progress: Progress) -> None:
        """Take one progress of the object; its calls come one at a time."""
        new, self.heard = progress.done - self.heard, progress.done
        self._tally.moved(new)


def counted(result: TreeResult, outcome: ObjectOutcome) -> TreeResult:
    """Return ``result`` with one object more. Pure."""
    name = {"marker": "markers"}.get(outcome.did, outcome.did)
    moved = outcome.size if outcome.did in ("copied", "deleted") else 0
    room = outcome.failure is not None and len(result.failures) < _KEPT_FAILURES
    return replace(
        result,
        **{name: result[name] + 1},
        bytes=result.bytes + moved,
        failures=(*result.failures, outcome.failure) if room and outcome.failure else result.failures,
    )
