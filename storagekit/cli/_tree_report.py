"""What a command says of many objects.

On a terminal one bar with objects and bytes, elsewhere a line per object, with ``--json`` an event per object
(``object``, or ``failure``); failures are shown whatever is quiet. The last word is the result: the counts.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

import typer

from storagekit._units import show_size
from storagekit.cli._exit import OTHER
from storagekit.cli._output import Output, shorten
from storagekit.cli.ls import printable
from storagekit.types import ObjectOutcome, TreeProgress, TreeResult, TreeSize

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

_EVENT_EVERY_S = 0.5


class TreeReport:
    """A context manager around the work; ``object`` and ``progress`` are its listeners, ``end`` says the result."""

    def __init__(self, output: Output, label: str, verb: str = "copy", *, dry_run: bool = False) -> None:
        self._output = output
        self._label = label
        self._verb = verb
        self._dry_run = dry_run
        self._bars: Bars | None = None
        self._task: Any = None
        self._next_event = 0.0

    def __enter__(self) -> TreeReport:
        plain = self._output.as_json or self._output.quiet or self._dry_run
        if not plain and sys.stderr.isatty():
            self._bars = _bars()
            label = shorten(printable(self._label), self._bars.console.width // 3)
            self._task = self._bars.add_task(label, total=None, told="")
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        bars, self._bars = self._bars, None
        if bars is not None:
            bars.stop()

    def object(self, outcome: ObjectOutcome) -> None:
        """Say what became of one object."""
        if outcome.failure is not None:
            self._failure(outcome)
        else:
            facts = {name: value for name, value in dict(outcome).items() if name != "failure"}
            self.line("object", facts, _line(outcome, dry_run=self._dry_run))

    def line(self, kind: str, facts: dict[str, Any], text: str) -> None:
        """Say one thing of many: an event of ``kind``, or a line, which a bar stands for."""
        if self._output.as_json:
            self._output.event(kind, **facts, **self._dry())
        elif self._bars is None and not self._output.quiet:
            print(text, flush=True)

    def _failure(self, outcome: ObjectOutcome) -> None:
        failure = outcome.failure
        assert failure is not None  # noqa: S101  # object saw to it
        line = f"failed: {printable(failure.key)}: {failure.message}"
        if self._output.as_json:
            self._output.event("failure", **dict(failure), path=outcome.path)
        elif self._bars is not None:
            self._bars.console.print(line, highlight=False, markup=False, soft_wrap=True)
        else:
            print(line, file=sys.stderr)

    def progress(self, progress: TreeProgress) -> None:
        """Say how far the whole is."""
        if self._bars is not None:
            told = f"{count_of(progress.objects, 'object')}, {show_size(progress.bytes)}"
            self._bars.update(self._task, completed=progress.bytes, told=told)
        elif self._output.as_json and time.monotonic() >= self._next_event:
            self._next_event = time.monotonic() + _EVENT_EVERY_S
            self._output.event("progress", objects=progress.objects, done=progress.bytes, total=None)

    def end(self, result: TreeResult) -> None:
        """Say the result. Raises typer.Exit where something failed: exit code 1."""
        if result.failed and not self._dry_run:
            self._output.note("to try what failed again, run the same command")
        facts = {name: value for name, value in dict(result).items() if name != "failures"}
        self._output.result(
            {**facts, **self._dry()}, f"{self._label}: {summary(result, self._verb, dry_run=self._dry_run)}"
        )
        if result.failed:
            raise typer.Exit(OTHER)

    def _dry(self) -> dict[str, bool]:
        return {"dry_run": True} if self._dry_run else {}


def _line(outcome: ObjectOutcome, *, dry_run: bool) -> str:
    key = printable(outcome.key)
    if outcome.did == "skipped":
        return f"already there: {key}"
    if outcome.did == "marker":
        return f"only stands for a directory, left out: {key}"
    if outcome.did == "deleted":
        return f"{'would delete' if dry_run else 'gone'}: {key}"
    return f"{'would copy: ' if dry_run else ''}{key}: {show_size(outcome.size)}"


def summary(result: TreeResult, verb: str = "copy", *, dry_run: bool = False) -> str:
    """Return the counts as a sentence: ``12 copied, 1.2 GiB; 30 already there; 1 failed``. ``verb`` may be delete."""
    done, past = (result.copied, "copied") if verb == "copy" else (result.deleted, "deleted")
    first = f"would {verb} {count_of(done, 'object')}" if dry_run else f"{done:,} {past}"
    more = (
        (result.skipped, "already there"),
        (result.markers, "left out, as they only stand for directories"),
        (result.failed, "failed"),
    )
    return "; ".join([f"{first}, {show_size(result.bytes)}", *(f"{count:,} {word}" for count, word in more if count)])


def what_is_lost(size: TreeSize, output: Output) -> str:
    """Return how much a delete takes, for a question, and note the first few names."""
    for key in size.first:
        output.note(printable(key))
    if size.objects > len(size.first):
        output.note(f"and {size.objects - len(size.first):,} more")
    return f"{count_of(size.objects, 'object')}, {show_size(size.bytes)},"


def count_of(number: int, thing: str) -> str:
    """Return a number of things in words."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _bars() -> Bars:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    return Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=10),  # how much is to come is known only at the end of the listing: it only moves
        TextColumn("{task.fields[told]}", markup=False),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
