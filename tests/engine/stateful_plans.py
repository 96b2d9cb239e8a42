"""What the steps of the stateful test are told: values, drawn by Hypothesis, from which a failure can be read.

No draw depends on what happened before: a step that finds nothing to act on does nothing. So an example stays the same
example when it is repeated, whatever threads do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any

from hypothesis import strategies as st

from storagekit.driver import Code
from tests.engine.stateful_service import Manners
from tests.engine.stateful_sources import Trouble, Version

SMALL, LARGE = 64, 300 * 1024
KEYS = ("a", "a/b")
MIB = 1024**2

RETRYABLE = (Code.THROTTLED, Code.TIMEOUT, Code.SERVER, Code.NETWORK, Code.STALE_CONNECTION)
PERMANENT = (Code.ACCESS_DENIED, Code.REFUSED, Code.BAD_CREDENTIALS, Code.UNKNOWN)

OPERATIONS = (
    "any",
    "put_part",
    "complete_upload",
    "create_upload",
    "list_parts",
    "head",
    "put",
    "copy",
    "copy_part",
    "list",
    "list_uploads",
    "abort_upload",
    "record_put",
    "record_read",
    "record_delete",
)

KINDS = (
    "bytes",
    "file",
    "iterator",
    "pipe",
    "only_read",
    "announced",
    "web_strong_ranges",
    "web_strong_restart",
    "web_weak_restart",
    "web_weak_once",
    "web_chunked_restart",
    "object",
)


@dataclass(frozen=True)
class Event:
    """What happens to one run: at the ``nth`` call of ``operation``, before it or (``after``) when it took effect.

    ``action`` is the value of a ``Code`` (an error; ``times`` times in a row), or one of ``ACTIONS``.
    """

    operation: str
    nth: int
    action: str
    after: bool = False
    times: int = 1

    @property
    def is_fault(self) -> bool:
        return self.action not in ACTIONS


ACTIONS = ("kill", "interrupt", "cancel", "foreign_put", "foreign_part", "drop", "nested", "change", "later")


@dataclass(frozen=True, repr=False)
class Run:
    """One run of the engine. ``promise``: ``size``, ``sha256`` or both, right or (``lie``) wrong."""

    kind: str
    version: Version
    key: str = KEYS[0]
    place: int = 0
    second: Version | None = None
    trouble: Trouble | None = None
    part: int = 0
    memory: int = 0
    workers: int = 1
    checkpoint: str = "auto"
    promise: tuple[str, ...] = ()
    lie: bool = False
    named: bool = False
    overwrite: bool = True
    restart: bool = False
    metadata: str | None = None
    events: tuple[Event, ...] = ()
    other: Run | None = None

    def __repr__(self) -> str:
        """Only what is not the default: so that a failing example can be read."""
        said = ((one.name, getattr(self, one.name)) for one in fields(self) if getattr(self, one.name) != one.default)
        return f"Run({', '.join(f'{name}={value!r}' for name, value in said)})"


@dataclass(frozen=True)
class Start:
    """What stays the same during one example."""

    manners: Manners
    unit: int


def _one_of_each(kind: Any, /, **fields_: Any) -> list[Any]:
    """Return all values of ``kind`` that these fields make, the simplest first."""
    return [kind(**dict(zip(fields_, chosen, strict=True))) for chosen in product(*fields_.values())]


# Whole values are drawn from lists: Hypothesis takes 50 us for a draw, and a run of a dozen fields takes 2 ms.

VERSIONS = _one_of_each(
    Version, flip=(False, True), delta=(0, 13, -1, 1), parts=(0, 1, 2, 3, 5, 5, 7, 9, 12), seed=(0, 0, 1)
)

TROUBLES = _one_of_each(
    Trouble, kind=("breaks", "ends", "changes"), times=(1, 2, 20), at=(0, 1, 4, 6, 8, 10, 12, 14, 15, 16)
)

KILLS = _one_of_each(Event, operation=("any",), action=("kill",), after=(False, True), nth=range(1, 22)) + _one_of_each(
    Event,
    operation=("put_part", "put_part", "complete_upload"),
    action=("kill",),
    after=(False, True),
    nth=(1, 2, 3, 5),
)

_WHERE = {"operation": ("any", "put_part", *OPERATIONS), "nth": (1, 2, 3, 5), "times": (1, 2, 9)}
_TRIED_AGAIN = tuple(code.value for code in (*RETRYABLE, Code.INTEGRITY))
_REFUSALS = tuple(code.value for code in PERMANENT)

FAULTS = [
    *_one_of_each(Event, **_WHERE, action=_TRIED_AGAIN),
    *_one_of_each(Event, **_WHERE, action=tuple(code.value for code in RETRYABLE), after=(True,)),  # lost answers
    *_one_of_each(Event, **_WHERE, action=_REFUSALS),  # what is refused took no effect
]

HAPPENINGS = _one_of_each(
    Event,
    operation=("any", "put_part", "put_part", "complete_upload", *OPERATIONS),
    nth=(1, 2, 3, 5),
    times=(1, 2, 3),
    after=(False, True),
    action=(*ACTIONS, "nested", "nested"),
)


def one_of_these(values: Sequence[Any]) -> st.SearchStrategy[Any]:
    """As ``sampled_from``, which would write down all of the values."""
    return st.integers(0, len(values) - 1).map(lambda place: values[place])


versions = one_of_these(VERSIONS)

events = st.one_of(
    st.just(()),
    st.tuples(one_of_these(KILLS)),
    st.tuples(one_of_these(FAULTS)),
    st.tuples(one_of_these(HAPPENINGS)),
    st.tuples(one_of_these(FAULTS + HAPPENINGS), one_of_these(HAPPENINGS + KILLS)),
)


def _runs(*, nested: bool) -> st.SearchStrategy[Run]:
    """Draw a run; one of ``nested`` runs happens in the midst of another, and nothing happens to it."""
    return st.builds(
        _run,
        one_of_these(list(product(KINDS, (0, 1), (*KEYS, KEYS[0])))),
        versions,
        st.one_of(st.none(), st.none(), st.none(), st.tuples(one_of_these(TROUBLES), versions)),
        one_of_these(list(product((0, 0, 1, 2), (0, 1, 2), (1, 2, 3, 4)))),
        one_of_these(["auto"] * 4 + ["bucket", "local", "off"]),
        one_of_these(list(product(_PROMISES, [False] * 7 + [True], [False] * 2 + [True]))),
        one_of_these(list(product([True] * 5 + [False], [False] * 5 + [True], [None, None, None, "x", "y"]))),
        events if nested else st.just(()),
        _runs(nested=False) if nested else st.none(),
    )


_PROMISES: tuple[tuple[str, ...], ...] = ((), (), (), ("size",), ("sha256",), ("size", "sha256"))


def _run(
    what: tuple[str, int, str],
    version: Version,
    trouble: tuple[Trouble, Version] | None,
    means: tuple[int, int, int],
    checkpoint: str,
    promise: tuple[tuple[str, ...], bool, bool],
    options: tuple[bool, bool, str | None],
    events: tuple[Event, ...],
    other: Run | None,
) -> Run:
    kind, place, key = what
    nests = other is not None and any(event.action == "nested" for event in events)
    if other is not None and other.part:  # often the twin of the first
        other = replace(other, kind=kind, version=version, place=place)
    happens, second = trouble or (None, replace(version, flip=not version.flip))
    inner = replace(other, key=key) if other is not None and nests else None
    return Run(
        kind, version, key, place, second, happens, *means, checkpoint, *promise, *options, events=events, other=inner
    )


runs = _runs(nested=True)


MANNERS = _one_of_each(
    Manners,
    opaque=(False, False, False, True),
    by_initiation=(False, False, False, True),
    sparse=(True, True, True, False),
    max_parts=(10_000, 10_000, 10_000, 3, 6),
    min_part=(1, 1, SMALL),
)

starts = one_of_these([Start(manners, unit) for unit in [SMALL] * 19 + [LARGE] for manners in MANNERS])
