"""The body of one request: streamed, counted, and proven before its last byte is handed on.

A driver stores nothing of a body whose ``read`` raised, so a digest that does not match is found out in time: the last
block is compared with what the client announced before anybody gets it. One block of 1 MiB is in memory, however
large the body is; only a chunked one, whose size nobody knows, is first received as a whole, into a file.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from fastcrc import crc64

from storagekit.testing.emulator.refusal import ClientGone, Refusal
from storagekit.testing.emulator.request import Request
from storagekit.types import Checksum

BLOCK = 1 << 20
MAX_BODY = 5 * 1024**3  # what OBS takes in one request
MAX_XML = 4 << 20  # 10,000 parts take about 1 MB

_UNSIGNED = "UNSIGNED-PAYLOAD"


class Stream(Protocol):
    """What a body is read from."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill the buffer; less only at the end."""


@dataclass(frozen=True)
class Announced:
    """The digests that the client announced; None where it did not."""

    md5: bytes | None = None
    crc64: int | None = None
    sha256: str | None = None


def announced_by(request: Request, prefix: str) -> Announced:
    """Return what the headers announce. Raises Refusal where they cannot be digests."""
    return Announced(
        md5_of(request),
        _crc64(request.header(f"{prefix}checksum-crc64ecma")),
        _sha256(request.header("x-amz-content-sha256")),
    )


def md5_of(request: Request) -> bytes | None:
    """Return the MD5 that a request announces, if it does. Raises Refusal where it cannot be one."""
    text = request.header("content-md5")
    if text is None:
        return None
    try:
        value = base64.b64decode(text, validate=True)
    except binascii.Error:
        value = b""
    if len(value) != 16:
        raise Refusal("InvalidDigest", "The Content-MD5 you specified is not valid.")
    return value


def _crc64(text: str | None) -> int | None:
    """Return the number; OBS and its SDKs write it in decimal."""
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,20}", text, re.ASCII) or int(text) >= 1 << 64:
        raise Refusal("InvalidDigest", "The CRC-64 you specified is no decimal number of 64 bits.")
    return int(text)


def _sha256(text: str | None) -> str | None:
    if text is None or text == _UNSIGNED:
        return None
    if not re.fullmatch(r"[0-9a-f]{64}", text, re.ASCII):  # STREAMING-...: OBS takes no aws-chunked bodies
        raise Refusal("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header is no SHA-256.")
    return text


class Incoming:
    """A body that arrives; a ``storagekit.driver.Body``.

    ``go_on`` is called before the first byte is waited for; from then on the body is ``touched``. It is ``stalled``
    where the rest did not come in time, and then nothing more can be read.
    """

    def __init__(self, stream: Stream, size: int, go_on: Callable[[], object] = lambda: None) -> None:
        self.size = size
        self.failed: BaseException | None = None
        self.touched = False
        self.stalled = False
        self._stream = stream
        self._go_on = go_on
        self._left = size
        self._buffer = memoryview(bytearray(min(BLOCK, size)))
        self._announced = Announced()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()
        self._crc = 0

    @property
    def checksum(self) -> Checksum | None:
        """The CRC-64 that the client announced; this class compares it, and so may the driver."""
        value = self._announced.crc64
        return None if value is None else Checksum("crc64", f"{value:016x}")

    @property
    def announced(self) -> Announced:
        """What is to be compared."""
        return self._announced

    @property
    def crc(self) -> int:
        """CRC-64 of what was read so far."""
        return self._crc

    def expect(self, announced: Announced) -> None:
        """Say what is to be compared. Raises Refusal at once for an empty body of which it is not true."""
        self._announced = announced
        if not self.size:
            self._prove()

    def read(self, n: int = -1) -> memoryview:
        """Return the next bytes, at most 1 MiB; they are overwritten by the next ``read``. Raises as told above."""
        try:
            return self._read(len(self._buffer) if n < 0 else n)
        except BaseException as error:
            self.failed = error
            raise

    def whole(self, limit: int = MAX_XML) -> bytes:
        """Return all the bytes. Raises Refusal where they are more than ``limit``."""
        if self.size > limit:
            raise Refusal("EntityTooLarge", f"This request takes {limit:,} bytes at most.")
        data = bytearray()
        while block := self.read():
            data += block
        return bytes(data)

    def drain(self) -> None:
        """Receive what nobody wants, so that the client gets to read its answer."""
        while self._left:
            self._left -= self._receive(min(self._left, len(self._buffer)))

    def rewind(self) -> None:
        """Raise: what a client sends comes once."""
        raise NotImplementedError("a request's body comes once")

    def view(self) -> memoryview | None:
        """Return None: the bytes are not in memory."""
        return None

    def _read(self, n: int) -> memoryview:
        wanted = min(n, self._left, len(self._buffer))
        if not wanted:
            return self._buffer[:0]
        block = self._buffer[: self._receive(wanted)]
        self._left -= len(block)
        self._add(block)
        if not self._left:
            self._prove()
        return block

    def _receive(self, wanted: int) -> int:
        if not self.touched:
            self.touched = True
            self._go_on()
        try:
            count = self._stream.readinto(self._buffer[:wanted]) or 0
        except TimeoutError:
            self.stalled = True
            raise Refusal("RequestTimeout", "Your socket connection to the server was not read from in time.") from None
        except OSError:
            raise ClientGone from None
        if not count:
            raise ClientGone
        return count

    def _add(self, block: memoryview) -> None:
        self._crc = crc64.xz(block, self._crc)
        if self._announced.md5 is not None:
            self._md5.update(block)
        if self._announced.sha256 is not None:
            self._sha256.update(block)

    def _prove(self) -> None:
        announced = self._announced
        if announced.md5 is not None and announced.md5 != self._md5.digest():
            raise Refusal("BadDigest", "The Content-MD5 you specified did not match what we received.")
        if announced.crc64 is not None and announced.crc64 != self._crc:
            raise Refusal("BadDigest", "The CRC-64 you specified did not match what we received.")
        if announced.sha256 is not None and announced.sha256 != self._sha256.hexdigest():
            raise Refusal("XAmzContentSHA256Mismatch", "The SHA-256 you specified did not match what we received.")


def receive_chunked(lines: BinaryIO) -> tuple[BinaryIO, int]:
    """Receive a chunked body as a whole. Returns a file at its start, and the size. Raises ClientGone, Refusal."""
    file = tempfile.TemporaryFile()  # noqa: SIM115  # whoever asked reads and closes it
    try:
        size = _receive_chunks(lines, file)
    except OSError:
        file.close()
        raise ClientGone from None
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file, size


def _receive_chunks(lines: BinaryIO, file: BinaryIO) -> int:
    size = 0
    while count := _chunk_size(lines.readline(1024)):
        size += count
        if size > MAX_BODY:
            raise Refusal("EntityTooLarge", f"One request takes {MAX_BODY:,} bytes at most.")
        _copy_chunk(lines, file, count)
    while lines.readline(65_536).strip():  # trailers
        pass
    return size


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not re.fullmatch(rb"[0-9a-fA-F]{1,16}", digits):
        raise ClientGone  # where a chunk ends is unknown from here on
    return int(digits, 16)


def _copy_chunk(lines: BinaryIO, file: BinaryIO, count: int) -> None:
    while count:
        block = lines.read(min(count, BLOCK))
        if not block:
            raise ClientGone
        file.write(block)
        count -= len(block)
    if lines.readline(3).strip():
        raise ClientGone
