"""Sizes and rates as people write them: ``16MiB``, ``50MB/s``. Pure. Binary and decimal units are told apart."""

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


def parse_rate(text: str) -> int:
    """Return bytes per second; ``/s`` may be left out. Raises ConfigurationError for what is no rate."""
    try:
        rate = parse_size(text.strip().removesuffix("/s"))
    except ConfigurationError:
        rate = 0
    if rate < 1:
        raise ConfigurationError(f"{text!r} is not a rate", hint="Write it like 50MB/s, 800KiB/s or 1048576")
    return rate
