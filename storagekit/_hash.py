"""The checksums that a service can verify, by the name that ``Limits.checksum`` gives them.

CRC-64/ECMA and CRC-32C run at tens of GB/s; OBS and OSS verify the former, S3 and MinIO the latter. MD5 (0.7 GB/s a
core) is what every S3 server verifies as Content-MD5. All release the interpreter lock on large blocks.
"""

from __future__ import annotations

import hashlib
from typing import Protocol

from storagekit.types import Checksum


class Hasher(Protocol):
    """A running checksum."""

    def update(self, data: memoryview) -> None:
        """Add the next bytes."""

    def checksum(self) -> Checksum:
        """Return the checksum of all bytes so far."""


class Crc64:
    """CRC-64/ECMA-182 in its reflected form, also called CRC-64/XZ: check value 995dc9bbdf1939fa."""

    def __init__(self) -> None:
        from fastcrc import crc64

        self._step = crc64.xz
        self._value = 0

    def update(self, data: memoryview) -> None:
        """Add the next bytes."""
        self._value = self._step(data, self._value)

    def checksum(self) -> Checksum:
        """Return the checksum of all bytes so far, 16 hex digits."""
        return Checksum("crc64", f"{self._value:016x}")


class Crc32c:
    """CRC-32C (Castagnoli), of S3's checksums the fastest here: 25 GB/s. Check value e3069283."""

    def __init__(self) -> None:
        from fastcrc import crc32

        self._step = crc32.iscsi
        self._value = 0

    def update(self, data: memoryview) -> None:
        """Add the next bytes."""
        self._value = self._step(data, self._value)

    def checksum(self) -> Checksum:
        """Return the checksum of all bytes so far, 8 hex digits."""
        return Checksum("crc32c", f"{self._value:08x}")


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
