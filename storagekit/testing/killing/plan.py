"""Which kills to make, decided from a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Moment:
    """A kind of moment to kill at, and what chance decides within it."""

    kind: str
    nth: int
    """Which one, from 1 to 3, where there are several alike (parts, files)."""
    fraction: float
    """A place between 0 and 1, where one is to be chosen (in a part, in a time)."""
    side: int
    """Which side of a request, from 0, counted in those that the kind has; to be taken modulo their number."""

    def __str__(self) -> str:
        return f"{self.kind} (nth {self.nth}, fraction {self.fraction:.3f}, side {self.side})"


def moments(seed: int | str, count: int, kinds: Sequence[str]) -> list[Moment]:
    """Return ``count`` moments. The same arguments give the same, and a longer plan begins with the shorter one.

    ``kinds`` are dealt like a pack of cards, shuffled anew each time it is used up: of any ``len(kinds)`` moments from
    the start of a pack each has another kind.
    """
    chance = random.Random(f"{seed}")  # text is hashed by SHA-512: the same on every machine and Python
    plan: list[Moment] = []
    while len(plan) < count:
        pack = chance.sample(list(kinds), len(kinds))
        plan += [Moment(kind, chance.randint(1, 3), chance.random(), chance.randrange(12)) for kind in pack]
    return plan[:count]
