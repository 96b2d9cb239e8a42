"""Sizes, rates and ages as people write and read them: ``16MiB``, ``50MB/s``, ``7d``. Pure.

Binary and decimal units are told apart.
"""

from __future__ import annotations

import re
from datetime import timedelta
from fractions import Fraction

from storagekit.errors import ConfigurationError

_AGES = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*$")
_FACTORS = {
    "": 1,
    **{unit: 1000**power for power, unit in enumerate(("B", "KB", "MB", "GB", "TB"))},
    **{unit: 1024**power for power, unit in enumerate(("B", "KIB", "MIB", "GIB", "TIB"))},
}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*$")


def parse_size(text: str) -> int:
    """Return bytes. Raises ConfigurationError for what is no size."""
    found = _SIZE.match(text)
    factor = _FACTORS.get(found[2].upper()) if found else None
    if found is None or factor is None:
        raise ConfigurationError(f"{text!r} is not a size", hint="Write it like 16MiB, 50MB or 1048576")
    return int(Fraction(found[1]) * factor)


def parse_rate(text: str) -> int:
    """Return bytes per second; ``/s`` may be left out. Raises ConfigurationError for what is no rate."""
    try:
        rate = parse_size(text.strip().removesuffix("/s"))
    except ConfigurationError:
        rate = 0
    if rate < 1:
        raise ConfigurationError(f"{text!r} is not a rate", hint="Write it like 50MB/s, 800KiB/s or 1048576")
    return rate


def parse_age(text: str) -> timedelta:
    """Return a duration: a number and ``s``, ``m``, ``h``, ``d`` or ``w``. Raises ConfigurationError."""
    found = _AGE.match(text)
    if found is None:
        raise ConfigurationError(f"{text!r} is not an age", hint="Write it like 30m, 12h, 7d or 2w")
    try:
        return timedelta(seconds=float(Fraction(found[1]) * _AGES[found[2]]))
    except OverflowError:
        raise ConfigurationError(f"{text!r} is older than time", hint="Write it like 30m, 12h, 7d or 2w") from None


def show_age(age: timedelta) -> str:
    """Return a duration in the largest unit, up to days, of which it has at least two: ``119 min``, ``3 d``."""
    seconds = max(0, int(age.total_seconds()))
    for unit, name in (("d", "d"), ("h", "h"), ("m", "min")):
        if seconds >= 2 * _AGES[unit]:
            return f"{seconds // _AGES[unit]} {name}"
    return f"{seconds} s"


def show_size(count: int) -> str:
    """Return a size in the largest binary unit in which it is at least 1."""
    value, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while round(value, 1) >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{value:.0f} {units[0]}" if units[0] == "B" else f"{value:.1f} {units[0]}"
