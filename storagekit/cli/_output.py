"""What a command says: bars on a terminal, plain lines elsewhere, JSON events with ``--json``, nothing if quiet.

Results go to standard output, everything else to standard error. With ``--json`` each event is one object on
standard output (on standard error where the object's bytes go to standard output), the last one the result or
the error.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TextIO

import typer

from storagekit._units import show_age, show_size
from storagekit.cli._exit import OTHER
from storagekit.errors import ConfigurationError, StorageError
from storagekit.types import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

_EVENT_EVERY_S = 0.5
_LINE_EVERY_S = 30.0


@dataclass
class Output:
    """Where a command's words go. ``data_on_stdout``: the object's bytes do, so events do not."""

    as_json: bool = False
    quiet: bool = False
    data_on_stdout: bool = False
    _bars: Bars | None = None

    @property
    def _events(self) -> TextIO:
        return sys.stderr if self.data_on_stdout else sys.stdout

    def event(self, kind: str, **facts: Any) -> None:
        """Write one JSON event."""
        print(json.dumps({"event": kind, **facts}, default=_plain), file=self._events, flush=True)

    def note(self, text: str) -> None:
        """Say a sentence that the user should know but need not act on."""
        if self.as_json:
            self.event("note", text=text)
        elif self._bars is not None:
            self._bars.console.print(f"note: {text}", highlight=False, markup=False, soft_wrap=True)
        elif not self.quiet:
            print(f"note: {text}", file=sys.stderr)

    def result(self, facts: Mapping[str, Any], line: str) -> None:
        """Say the result: ``facts`` as JSON, or ``line`` for people."""
        if self.as_json:
            self.event("result", **facts)
        elif not self.quiet:
            print(line, file=self._events)

    def row(self, kind: str, facts: Mapping[str, Any], line: str) -> None:
        """Say one line of a listing, also when ``quiet``: an event of ``kind``, or ``line`` for people."""
        if self.as_json:
            self.event(kind, **facts)
        else:
            print(line, file=self._events)

    def ask(self, question: str, *, yes: bool) -> None:
        """Ask before something is lost, and return where the answer is yes; ``yes`` is the answer given beforehand.

        Raises ConfigurationError where nobody is there to answer, and typer.Exit for any other answer.
        """
        if yes:
            return
        if self.as_json or sys.stdin is None or not sys.stdin.isatty():
            raise ConfigurationError(f"{question} Nobody is there to answer", hint="Add --yes")
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            self.note("nothing was deleted")
            raise typer.Exit(OTHER)

    def error(self, error: BaseException, code: int) -> None:
        """Say what went wrong and what to do next."""
        logging.getLogger("storagekit").debug("failed", exc_info=error)
        if self.as_json:
            self.event("error", exit_code=code, **_facts_of(error))
        else:
            print("interrupted" if isinstance(error, KeyboardInterrupt) else f"error: {error}", file=sys.stderr)

    @contextmanager
    def progress(self, label: str) -> Iterator[Meter]:
        """Yield a listener for the progress of one transfer."""
        if self.as_json:
            yield _Events(self)
        elif self.quiet:
            yield _Silence()
        elif sys.stderr.isatty():
            try:
                with _bars() as self._bars:
                    yield _Bar(self._bars, label)
            finally:
                self._bars = None
        else:
            yield _Lines(label)


class _Silence:
    def __call__(self, progress: Progress) -> None:
        """Say nothing."""


class _Events(_Silence):
    def __init__(self, output: Output) -> None:
        self._output = output
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _EVENT_EVERY_S
            self._output.event("progress", **asdict(progress))


class _Lines(_Silence):
    """A line when it begins, and one each half a minute, for a file or a pipe. The result is its own line."""

    def __init__(self, label: str, now: Callable[[], float] = time.monotonic) -> None:
        self._label = label
        self._now = now
        self._last: tuple[float, int] | None = None

    def __call__(self, progress: Progress) -> None:
        now = self._now()
        if self._last is None:
            line = _begin_line(progress)
        elif now >= self._last[0] + _LINE_EVERY_S:
            line = _line(progress, (progress.done - self._last[1]) / (now - self._last[0]))
        else:
            return
        self._last = now, progress.done
        print(f"{self._label}: {line}", file=sys.stderr)


def _line(progress: Progress, speed: float) -> str:
    """Return how far a transfer is; ``speed`` is in bytes per second since the line before."""
    if progress.total is None:
        return f"{show_size(progress.done)}, {show_size(int(speed))}/s"
    share = 100 * progress.done // max(1, progress.total)
    left = f", {show_age(timedelta(seconds=(progress.total - progress.done) / speed))} left" if speed > 0 else ""
    return f"{show_size(progress.done)} of {show_size(progress.total)} ({share} %), {show_size(int(speed))}/s{left}"


def _begin_line(progress: Progress) -> str:
    total = show_size(progress.total) if progress.total is not None else "unknown length"
    kept = f", {show_size(progress.kept)} already there" if progress.kept else ""
    workers = f"{progress.workers} worker{'s' if progress.workers > 1 else ''}"
    return f"{total}{kept}, {workers} with parts of {show_size(progress.part_size)}"


class _Bar(_Silence):
    """A bar that starts at what is already there."""

    def __init__(self, bars: Bars, label: str) -> None:
        self._bars = bars
        self._label = label
        self._most = 0
        self._task: Any = None

    def __call__(self, progress: Progress) -> None:
        if self._task is None:
            label = shorten(self._label, self._bars.console.width // 3)
            self._task = self._bars.add_task(label, total=progress.total, completed=progress.kept)
        self._most = max(self._most, progress.done)  # what is taken back, to be sent again, is no news
        self._bars.update(self._task, completed=self._most, total=progress.total)


def shorten(label: str, width: int) -> str:
    """Return the end of a label, where the name is, in at most ``width`` signs: size and speed need their room."""
    return label if len(label) <= width else f"...{label[len(label) - max(1, width - 3) :]}"


def _bars() -> Bars:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    return Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        expand=True,
    )


Meter = _Silence | _Events | _Lines | _Bar
"""What shows the progress of one transfer."""


def _facts_of(error: BaseException) -> dict[str, Any]:
    facts = {"error": type(error).__name__, "message": str(error) or "interrupted"}
    if isinstance(error, StorageError):
        place = {name: value for name, value in asdict(error.context).items() if value is not None}
        return {**facts, "message": error.message, "hint": error.hint, **place, "code": error.code}
    return facts


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
