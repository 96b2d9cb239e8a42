"""What the mutants are made of: bodies whose announcement is changed, and the memory driver's own insides."""

from __future__ import annotations

from storagekit.driver import Body
from storagekit.types import Checksum

STEP = 1 << 20


class Held:
    """A body that was read as a whole; a mutant changes what it announces, the memory driver checks the rest."""

    def __init__(self, body: Body, data: bytes | None = None) -> None:
        self.data = slurped(body) if data is None else data
        self.size: int = body.size
        self.checksum: Checksum | None = body.checksum
        self._at = 0

    def read(self, n: int = -1) -> memoryview:
        end = len(self.data) if n < 0 else min(self._at + n, len(self.data))
        block = memoryview(self.data)[self._at : end]
        self._at = end
        return block

    def rewind(self) -> None:
        self._at = 0

    def view(self) -> memoryview | None:
        return memoryview(self.data)


def slurped(body: Body, into: bytearray | None = None) -> bytes:
    """Return what the body yields. What came before a failure is in ``into``."""
    data = bytearray() if into is None else into
    while block := body.read(STEP):
        data += block
    return bytes(data)
