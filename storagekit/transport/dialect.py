"""What S3's relatives write differently: the prefix of their headers, and how they write the checksum they verify.

Requests and answers of Amazon, MinIO, OBS and OSS have the same shape. ``Dialect`` is what tells them apart; the
modules beside this one take it: ``headers``, ``answers``, ``xml``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

from storagekit.types import Checksum, Part


@dataclass(frozen=True)
class Written:
    """How a service writes a checksum: in which header, in which element of a document (None: in none), and how."""

    algorithm: str
    header: str
    element: str | None
    encode: Callable[[str], str]
    decode: Callable[[str], str | None]

    def read(self, text: str | None) -> Checksum | None:
        """Return the checksum that a text says; None for none, and for one of a composite (``...-3``)."""
        value = self.decode(text) if text else None
        return None if value is None else Checksum(self.algorithm, value)

    def write(self, checksum: Checksum | None) -> str | None:
        """Return the text for a checksum; None where it is of another algorithm."""
        if checksum is None or checksum.algorithm != self.algorithm:
            return None
        return self.encode(checksum.value)


def _to_base64(digits: str) -> str:
    return base64.b64encode(bytes.fromhex(digits)).decode()


def _from_base64(text: str) -> str | None:
    try:
        value = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return value.hex() if len(value) == 4 else None


def _from_decimal(text: str) -> str | None:
    return f"{int(text):016x}" if text.isdecimal() and int(text) < 1 << 64 else None


def crc32c(header: str, element: str) -> Written:
    """CRC-32C as S3 writes it: base64 of its four bytes."""
    return Written("crc32c", header, element, _to_base64, _from_base64)


def crc64(header: str) -> Written:
    """CRC-64/ECMA as OBS and OSS write it: a decimal number."""
    return Written("crc64", header, None, lambda digits: str(int(digits, 16)), _from_decimal)


@dataclass(frozen=True)
class Dialect:
    """One service's way of writing. ``prefix`` begins its own headers, ``namespace`` is that of documents we send.

    ``kms_key`` ends the header that names a key of its key service.
    """

    prefix: str
    checksum: Written
    namespace: str = ""
    kms_key: str = "kms-key-id"

    @property
    def meta(self) -> str:
        """Beginning of the headers of user metadata."""
        return f"{self.prefix}meta-"

    @property
    def encryption(self) -> str:
        """Beginning of the headers of server-side encryption."""
        return f"{self.prefix}server-side-encryption"

    @property
    def source(self) -> str:
        """Header that names the source of a copy, and beginning of those that are about it."""
        return f"{self.prefix}copy-source"

    @property
    def request_id(self) -> str:
        """Header that names the request in the service's own logs."""
        return f"{self.prefix}request-id"

    def of_part(self, part: Part) -> str:
        """Return the element of a complete that repeats a part's checksum; empty where there is none."""
        text, name = self.checksum.write(part.checksum), self.checksum.element
        return f"<{name}>{text}</{name}>" if text and name else ""
