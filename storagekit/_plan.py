"""How an object is cut into parts: a pure function of its size, the service's limits and the wish of the caller.

The plan is deterministic and recorded with the upload, so that every later run, from any machine, cuts the source
at the same offsets: that is what lets it fill gaps.

A source of unknown length begins with small parts, which double after every tenth of the parts that the service
allows, up to a ceiling: half of the memory budget, so that there are always two slots. With 10,000 parts, 16 MiB and a
budget of 256 MiB that reaches 15.6 + 31.2 + 62.5 + 875 = 984 GiB, and a stream of 1 GiB is still sent in 16 MiB parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from storagekit.driver import Limits
from storagekit.errors import ConfigurationError

MIB = 1024**2

_ERAS = 10  # parts of a stream double after each tenth of the parts that the service allows


@dataclass(frozen=True)
class Span:
    """The place of one part: ``length`` bytes from ``offset``; numbers start at 1."""

    number: int
    offset: int
    length: int


@dataclass(frozen=True)
class Plan:
    """``size`` bytes in parts of ``part_size``, the last one shorter where it does not divide. Never without a part.

    ``size`` is None where it is not known yet; then parts double after every ``era`` of them, up to ``ceiling`` bytes.
    """

    size: int | None
    part_size: int
    era: int = 0
    ceiling: int = 0

    @property
    def count(self) -> int:
        """Number of parts of a known size; an empty object has one empty part."""
        return max(1, -(-(self.size or 0) // self.part_size))

    @property
    def largest(self) -> int:
        """Size of the largest part that there can be, in bytes."""
        return max(self.part_size, self.ceiling)

    def full(self, number: int) -> int:
        """Return how many bytes part ``number`` has unless it is the last."""
        return self._in_era((number - 1) // self.era) if self.era else self.part_size

    def _in_era(self, era: int) -> int:
        return min(self.part_size << min(era, 64), self.largest)

    def offset(self, number: int) -> int:
        """Return where part ``number`` begins."""
        if not self.era:
            return (number - 1) * self.part_size
        eras, rest = divmod(number - 1, self.era)
        return sum(self.era * self._in_era(era) for era in range(eras)) + rest * self._in_era(eras)

    def span(self, number: int) -> Span:
        """Return the place of part ``number``; of a known size, it is between 1 and ``count``."""
        offset, length = self.offset(number), self.full(number)
        return Span(number, offset, length if self.size is None else min(length, self.size - offset))

    def spans(self) -> Iterator[Span]:
        """Yield the places of all parts of a known size in order."""
        return (self.span(number) for number in range(1, self.count + 1))


def plan_parts(size: int, limits: Limits, wanted: int) -> Plan:
    """Return the plan for a known ``size``: parts of ``wanted`` bytes, or the next MiB that fits ``max_parts``.

    Raises:
        ConfigurationError: ``wanted`` is outside what the service takes, or the object is larger than it holds.
    """
    if size > limits.max_object:
        raise ConfigurationError(f"{size:,} bytes are more than the {limits.max_object:,} this backend holds")
    _check_part_size(wanted, limits)
    needed = -(-size // limits.max_parts)
    if needed <= wanted:
        return Plan(size, wanted)
    rounded = min(-(-needed // MIB) * MIB, limits.max_part)
    if rounded < needed:
        raise ConfigurationError(
            f"{size:,} bytes do not fit into {limits.max_parts:,} parts of at most {limits.max_part:,} bytes"
        )
    return Plan(size, rounded)


def plan_stream(limits: Limits, wanted: int, budget: int) -> Plan:
    """Return the plan for a source of unknown length, whose parts grow from ``wanted`` to half of ``budget`` bytes.

    Raises:
        ConfigurationError: ``wanted`` is outside what the service takes.
    """
    _check_part_size(wanted, limits)
    ceiling = max(wanted, min(budget // 2, limits.max_part))
    return Plan(None, wanted, max(1, limits.max_parts // _ERAS), ceiling)


def reach(plan: Plan, limits: Limits) -> int:
    """Return how many bytes a source of unknown length may have under ``plan``."""
    return min(plan.offset(limits.max_parts + 1), limits.max_object)


def _check_part_size(wanted: int, limits: Limits) -> None:
    if not limits.min_part <= wanted <= limits.max_part:
        raise ConfigurationError(
            f"a part size of {wanted:,} bytes is outside the {limits.min_part:,} to {limits.max_part:,} "
            "that this backend takes"
        )


def effective_workers(workers: int, budget: int, part_size: int) -> int:
    """Return how many parts can be under way at once: min(workers, slots), slots = budget // part size.

    A part that is larger than the whole budget is streamed through 1 MiB, so that it needs no slot.
    """
    slots = budget // part_size if part_size <= budget else budget // MIB
    return max(1, min(workers, slots))
