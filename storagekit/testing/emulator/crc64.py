"""CRC-64/ECMA of bytes that follow each other, from the CRC-64s of the pieces: no byte is read.

A CRC is a remainder of polynomials: bytes that follow multiply what was before by x**8 each, and their own is added
(Mark Adler's ``crc32_combine`` of zlib, with another polynomial).
"""

from __future__ import annotations

from collections.abc import Iterable

_POLYNOMIAL = 0xC96C5795D7870F42  # its bits in reverse, as the checksum has them
_ONE, _BYTE = 1 << 63, 1 << 55  # x**0 and x**8


def joined_crc64(pieces: Iterable[tuple[int, int]]) -> int:
    """Return the CRC-64 of pieces of which size and CRC-64 are given."""
    whole = 0
    for size, value in pieces:
        whole = _times(_power(size), whole) ^ value
    return whole


def _power(size: int) -> int:
    """Return x**(8 * size), modulo the polynomial."""
    power, square = _ONE, _BYTE
    while size:
        if size & 1:
            power = _times(square, power)
        square = _times(square, square)
        size >>= 1
    return power


def _times(one: int, other: int) -> int:
    """Return the product of two polynomials, modulo the polynomial."""
    product, bit = 0, _ONE
    while bit:
        if one & bit:
            product ^= other
        other = (other >> 1) ^ (_POLYNOMIAL if other & 1 else 0)
        bit >>= 1
    return product
