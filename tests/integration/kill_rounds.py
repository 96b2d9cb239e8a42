"""Which kills hit one upload after another, and what else is true of it; all of it follows from the seed."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from storagekit.testing.killing import Moment, moments

SOURCES = ("url", "file", "stdin")
"""Where the bytes come from: an HTTP server with a strong ETag, a file, ``cat file |`` of unknown length."""


@dataclass(frozen=True)
class Round:
    """One upload and what is to happen to it."""

    name: str
    moments: tuple[Moment, ...]
    source: str
    workers: int
    others_first: bool
    """Whether what others have unfinished was begun before the kills, not between them and the last run."""
    older: bool
    """Whether an older object lies at the key."""

    @property
    def single(self) -> bool:
        return self.moments[0].kind == "single put"


_NEEDS = {
    "drop": Moment("created", 1, 0.5, side=0),
    "resume": Moment("record", 1, 0.5, side=1),
}
"""Moments that come only in the run after this other kill."""
_PUBLISHED = ("completing", "lost complete", "completed")  # only one of them: after it there is nothing to complete


def rounds(seed: str, backend: str, kinds: Sequence[str]) -> Iterator[Round]:
    """Every round there will ever be."""
    plan = endless(seed, kinds)
    for number in itertools.count():
        chance = random.Random(f"{seed} {number}")
        chosen = list(itertools.islice(plan, chance.randint(1, 3)))
        for letter, kills in zip("abcd", compatible(chosen, kinds), strict=False):
            yield Round(
                name=f"{backend}-{number}{letter}",
                moments=kills,
                source=SOURCES[number % len(SOURCES)],
                workers=chance.randint(1, 4),
                others_first=chance.random() < 0.5,
                older=chance.random() < 0.5,
            )


def endless(seed: str, kinds: Sequence[str]) -> Iterator[Moment]:
    """The plan of the seed, without an end: a longer one begins with the shorter one."""
    for done in itertools.count(0, 100):
        yield from moments(seed, done + 100, kinds)[done:]


def compatible(chosen: Sequence[Moment], kinds: Sequence[str]) -> Iterator[tuple[Moment, ...]]:
    """Kills that can follow one another on one upload, in the order of an upload; the others as further rounds."""
    single = [moment for moment in chosen if moment.kind == "single put"]
    first, *further = [[moment] for moment in chosen if moment.kind in _PUBLISHED] or [[]]
    rest = [moment for moment in chosen if moment.kind not in ("single put", *_PUBLISHED)]
    for group in filter(None, [rest + first, *further, single[:1], single[1:2], single[2:]]):
        needed = [_NEEDS[moment.kind] for moment in group if moment.kind in _NEEDS]
        ordered = sorted([*needed, *group], key=lambda moment: kinds.index(moment.kind))
        yield tuple(moment if at == 0 else replace(moment, nth=1) for at, moment in enumerate(ordered))
