"""Bodies for tests of drivers: bytes that behave, lie about their size, or break off."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

from fastcrc import crc32, crc64

from storagekit.types import Checksum


class BodyBroke(Exception):  # it plays the source's own failure, whatever that is called
    """What ``BytesBody`` raises at ``fail_at``."""


def digest(algorithm: str, data: bytes) -> Checksum | None:
    """Return the checksum of ``data`` of that name, as in ``Limits.checksum``; None for ``none``."""
    if algorithm == "none":
        return None
    if algorithm == "crc64":
        return Checksum(algorithm, f"{crc64.xz(data):016x}")
    if algorithm == "crc32c":
        return Checksum(algorithm, f"{crc32.iscsi(data):08x}")
    return Checksum(algorithm, hashlib.new(algorithm, data, usedforsecurity=False).hexdigest())


@lru_cache(maxsize=8)  # 8 MiB of it take 20 ms, and a suite that runs on 100 drivers asks for the same ones
def pattern(size: int, seed: int = 0) -> bytes:
    """Return ``size`` bytes that look random and are the same for the same ``seed``."""
    return random.Random(seed).randbytes(size)


class BytesBody:
    """A ``storagekit.driver.Body`` over ``data``.

    Args:
        data: what ``read`` yields.
        algorithm: the driver's ``limits.checksum``, used where ``checksum`` is ``auto``.
        checksum: what to announce: ``auto`` the right one, None none, or any other one.
        fail_at: offset in bytes before which ``read`` stops, and at which it raises ``BodyBroke``.
        lie_size: the size to announce, in bytes, where it is not that of ``data``.
        step: the most that one ``read`` yields, in bytes.
        hook: called with the offset before every ``read``; may block, kill or raise.
    """

    def __init__(
        self,
        data: bytes,
        algorithm: str = "crc64",
        checksum: Checksum | Literal["auto"] | None = "auto",
        *,
        fail_at: int | None = None,
        lie_size: int | None = None,
        step: int = 1 << 20,
        hook: Callable[[int], object] | None = None,
    ) -> None:
        self.size = len(data) if lie_size is None else lie_size
        self.checksum = digest(algorithm, data) if checksum == "auto" else checksum
        self.failed: BaseException | None = None
        self.rewinds = 0
        self._data = memoryview(data)
        self._plain = fail_at is None and lie_size is None and hook is None
        self._end = len(data) if fail_at is None else fail_at
        self._fails = fail_at is not None
        self._step = step
        self._hook = hook
        self._at = 0

    def read(self, n: int = -1) -> memoryview:
        """Return the next bytes, at most ``n`` and ``step``; empty at the end. Raises as told."""
        try:
            if self._hook is not None:
                self._hook(self._at)
            if self._fails and self._at == self._end:
                raise BodyBroke(f"the source broke off after {self._at:,} bytes")
        except BaseException as error:
            self.failed = error
            raise
        count = min(self._step if n < 0 else min(n, self._step), self._end - self._at)
        self._at += count
        return self._data[self._at - count : self._at]

    def rewind(self) -> None:
        """Go back to the first byte."""
        self._at = 0
        self.rewinds += 1

    def view(self) -> memoryview | None:
        """Return all the bytes, or None where reading is meant to show something."""
        return self._data if self._plain else None
