"""Sizes as people write them."""

from __future__ import annotations

import re


def parse_size(text: str) -> int:
    """``"40MB"`` is 40,000,000, ``"40MiB"`` is 41,943,040, ``"65536"`` is itself; the B may be left out."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?\s*", text, re.IGNORECASE)
    if match is None:
        raise ValueError(f"not a size: {text!r}")
    number, unit, binary = match.groups()
    power = " KMGT".index(unit.upper() or " ")
    return int(float(number) * (1024 if binary else 1000) ** power)
