"""One answer as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from storagekit.driver import Reader


@dataclass(frozen=True)
class Answer:
    """Status, headers, and the body: ``data``, or ``length`` bytes of ``reader``, which whoever sends it closes.

    ``length`` without a reader is what HEAD announces.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    data: bytes = b""
    reader: Reader | None = None
    length: int | None = None
