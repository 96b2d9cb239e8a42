"""How an object is cut into parts: a pure function of its size, the service's limits and the wish of the caller.

The plan is deterministic and recorded with the upload, so that every later run, from any machine, cuts the source
at the same offsets: that is what lets it fill gaps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from storagekit.driver import Limits
from storagekit.errors import ConfigurationError

MIB = 1024**2


@dataclass(frozen=True)
class Span:
    """The place of one part: ``length`` bytes from ``offset``; numbers start at 1."""

    number: int
    offset: int
    length: int


@dataclass(frozen=True)
class Plan:
    """``size`` bytes in parts of ``part_size``, the last one shorter where it does not divide. Never without a part."""

    size: int
    part_size: int

    @property
    def count(self) -> int:
        """Number of parts; an empty object has one empty part."""
        return max(1, -(-self.size // self.part_size))

    def span(self, number: int) -> Span:
        """Return the place of part ``number``, which is between 1 and ``count``."""
        offset = (number - 1) * self.part_size
        return Span(number, offset, min(self.part_size, self.size - offset))

    def spans(self) -> Iterator[Span]:
        """Yield the places of all parts in order."""
        return (self.span(number) for number in range(1, self.count + 1))


def plan_parts(size: int, limits: Limits, wanted: int) -> Plan:
    """Return the plan for a known ``size``: parts of ``wanted`` bytes, or the next MiB that fits ``max_parts``.

    Raises:
        ConfigurationError: ``wanted`` is outside what the service takes, or the object is larger than it holds.
    """
    if size > limits.max_object:
        raise ConfigurationError(f"{size:,} bytes are more than the {limits.max_object:,} this backend holds")
    if not limits.min_part <= wanted <= limits.max_part:
        raise ConfigurationError(
            f"a part size of {wanted:,} bytes is outside the {limits.min_part:,} to {limits.max_part:,} "
            "that this backend takes"
        )
    needed = -(-size // limits.max_parts)
    if needed <= wanted:
        return Plan(size, wanted)
    rounded = min(-(-needed // MIB) * MIB, limits.max_part)
    if rounded < needed:
        raise ConfigurationError(
            f"{size:,} bytes do not fit into {limits.max_parts:,} parts of at most {limits.max_part:,} bytes"
        )
    return Plan(size, rounded)


def effective_workers(workers: int, budget: int, part_size: int) -> int:
    """Return how many parts can be under way at once: min(workers, slots), slots = budget // part size.

    A part that is larger than the whole budget is streamed through 1 MiB, so that it needs no slot.
    """
    slots = budget // part_size if part_size <= budget else budget // MIB
    return max(1, min(workers, slots))
