"""Sizes as people write and read them: ``16MiB``, ``50MB``. Binary and decimal units are told apart. Pure."""

from __future__ import annotations

import re
from fractions import Fraction

from storagekit.errors import ConfigurationError

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


def show_size(count: int) -> str:
    """Return a size in the largest binary unit in which it is at least 1."""
    value, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while round(value, 1) >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{value:.0f} {units[0]}" if units[0] == "B" else f"{value:.1f} {units[0]}"
