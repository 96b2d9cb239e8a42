"""The checksums that a service can verify, by the name that ``Limits.checksum`` gives them.

CRC-64/ECMA and CRC-32C run at tens of GB/s; OBS and OSS verify the former, S3 and MinIO the latter. MD5 (0.7 GB/s a
core) is what every S3 server verifies as Content-MD5. All release the interpreter lock on large blocks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from storagekit.types import Checksum


class Hasher(Protocol):
    """A running checksum."""

    def update(self, data: memoryview) -> None:
        """Add the next bytes."""

    def checksum(self) -> Checksum:
        """Return the checksum of all bytes so far."""


class _Crc:
    """A cyclic checksum of so many hex digits; ``step`` takes bytes and the value so far."""

    def __init__(self, algorithm: str, step: Callable[[memoryview, int], int], digits: int) -> None:
        self._algorithm, self._step, self._digits = algorithm, step, digits
        self._value = 0

    def update(self, data: memoryview) -> None:
        """Add the next bytes."""
        self._value = self._step(data, self._value)

    def checksum(self) -> Checksum:
        """Return the checksum of all bytes so far."""
        return Checksum(self._algorithm, f"{self._value:0{self._digits}x}")


class Crc64(_Crc):
    """CRC-64/ECMA-182 in its reflected form, also called CRC-64/XZ: check value 995dc9bbdf1939fa."""

    def __init__(self) -> None:
        from fastcrc import crc64

        super().__init__("crc64", crc64.xz, 16)


class Crc32c(_Crc):
    """CRC-32C (Castagnoli), of S3's checksums the fastest here: 25 GB/s in the cache. Check value e3069283."""

    def __init__(self) -> None:
        from fastcrc import crc32

        super().__init__("crc32c", crc32.iscsi, 8)


@dataclass(frozen=True)
class _Field:
    """Where a CRC is computed: the polynomial, its bits in reverse as the checksum has them, and how many those are."""

    polynomial: int
    bits: int

    @property
    def one(self) -> int:
        """The polynomial x**0."""
        return 1 << (self.bits - 1)

    def times(self, one: int, other: int) -> int:
        """Return the product of two polynomials, modulo the polynomial."""
        product, bit = 0, self.one
        while bit:
            if one & bit:
                product ^= other
            other = (other >> 1) ^ (self.polynomial if other & 1 else 0)
            bit >>= 1
        return product

    def power(self, size: int) -> int:
        """Return x**(8 * size), modulo the polynomial."""
        power, square = self.one, self.one >> 8
        while size:
            if size & 1:
                power = self.times(square, power)
            square = self.times(square, square)
            size >>= 1
        return power


_FIELDS = {"crc32c": _Field(0x82F63B78, 32), "crc64": _Field(0xC96C5795D7870F42, 64)}


def joined(algorithm: str, pieces: Iterable[tuple[int, str]]) -> Checksum | None:
    """Return the CRC of bytes that follow each other, of which the sizes and CRCs (hex) are known; None for no CRC.

    A CRC is a remainder of polynomials: bytes that follow multiply what was before by x**8 each, and their own is added
    (Mark Adler's ``crc32_combine`` of zlib). So an object is proven against its parts without reading it.
    """
    field = _FIELDS.get(algorithm)
    if field is None:
        return None
    whole = 0
    for size, value in pieces:
        whole = field.times(field.power(size), whole) ^ int(value, 16)
    return Checksum(algorithm, f"{whole:0{field.bits // 4}x}")


class Md5:
    """MD5, as Content-MD5 and as the etag of a part."""

    def __init__(self) -> None:
        self._hash = hashlib.md5(usedforsecurity=False)

    def update(self, data: memoryview) -> None:
        """Add the next bytes."""
        self._hash.update(data)

    def checksum(self) -> Checksum:
        """Return the checksum of all bytes so far, 32 hex digits."""
        return Checksum("md5", self._hash.hexdigest())


class Nothing:
    """For a service that verifies nothing: what is not compared need not be computed."""

    def update(self, data: memoryview) -> None:
        """Do nothing."""

    def checksum(self) -> Checksum:
        """Return a checksum that equals itself only."""
        return NO_CHECKSUM


NO_CHECKSUM = Checksum("none", "")


def new_hasher(algorithm: str) -> Hasher:
    """Return a fresh hasher for one of the names above; KeyError for another name is a driver's mistake."""
    kinds: dict[str, type[Hasher]] = {"crc64": Crc64, "crc32c": Crc32c, "md5": Md5, "none": Nothing}
    return kinds[algorithm]()
