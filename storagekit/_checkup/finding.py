"""What one step of a checkup found: a status, one sentence, what to do next, and a few facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from storagekit.errors import StorageError

Facts = Mapping[str, "str | float"]


class Status(Enum):
    """How a step went. The value is the text shown."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    NOT_NEEDED = "not needed"
    NOT_TRIED = "not tried"


@dataclass(frozen=True)
class Finding:
    """The outcome of a step. ``error`` is what a failure is raised as; its class says the exit code."""

    status: Status
    sentence: str
    hint: str | None = None
    facts: Facts = field(default_factory=dict)
    error: StorageError | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Step:
    """A finding with the name of its step."""

    name: str
    finding: Finding


def ok(sentence: str, **facts: str | float) -> Finding:
    """Return what is as it should be."""
    return Finding(Status.OK, sentence, facts=facts)


def warning(sentence: str, hint: str, **facts: str | float) -> Finding:
    """Return what works today, or for some things only."""
    return Finding(Status.WARNING, sentence, hint, facts)


def failed(error: StorageError, **facts: str | float) -> Finding:
    """Return a failure: sentence and hint are the error's own."""
    return Finding(Status.FAILED, error.message, error.hint, facts, error)


def not_needed(sentence: str, **facts: str | float) -> Finding:
    """Return what there is nothing to find out about."""
    return Finding(Status.NOT_NEEDED, sentence, facts=facts)


def not_tried(sentence: str) -> Finding:
    """Return what could not have succeeded."""
    return Finding(Status.NOT_TRIED, sentence)
