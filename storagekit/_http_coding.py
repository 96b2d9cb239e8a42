"""Decode a compressed body as a stream: gzip (any number of members) and deflate, in bounded memory.

``readinto`` never holds more than one piece of input and what the caller's buffer takes: a bomb fills the buffers it
is given, and nothing else. A body that ends within a stream is truncated. What zlib refuses, and what follows the
stream without being another one, is damage.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from storagekit.errors import ChecksumError, SourceTruncatedError

_PIECE = 64 * 1024
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


class Decoder:
    """Reads decoded bytes. ``read(n)`` gives up to ``n`` coded ones, and none at their proven end."""

    def __init__(self, coding: str, read: Callable[[int], bytes], shown: str) -> None:
        self._coding = coding
        self._read = read
        self._shown = shown
        self._coded = b""
        self._stream = zlib.decompressobj()
        self._streams = 0

    def readinto(self, buffer: memoryview) -> int:
        """Fill up to ``len(buffer)`` bytes; 0 at the end of the body.

        Raises SourceTruncatedError and ChecksumError.
        """
        while self._in_stream() or self._begin_stream():
            data = self._decode(len(buffer))
            if data:
                buffer[: len(data)] = data
                return len(data)
            if self._in_stream() and not self._fetch():
                raise self._truncated()
        return 0

    def _in_stream(self) -> bool:
        return self._streams > 0 and not self._stream.eof

    def _begin_stream(self) -> bool:
        """Begin the first stream, or the next gzip member; False where the body ends."""
        if not self._coded and not self._fetch():
            if not self._streams:
                raise self._truncated()
            return False
        if self._streams and self._coding != "gzip":
            raise self._damaged("something follows the stream")
        self._stream = zlib.decompressobj(_GZIP if self._coding == "gzip" else self._deflate_window())
        self._streams += 1
        return True

    def _deflate_window(self) -> int:
        """Tell deflate as it is written down, with a zlib header, from the raw kind that some servers send."""
        if len(self._coded) < 2:
            self._coded += self._read(_PIECE)
        head = self._coded[:2]
        has_header = len(head) == 2 and head[0] & 0x0F == 8 and int.from_bytes(head, "big") % 31 == 0
        return _ZLIB if has_header else _RAW

    def _decode(self, room: int) -> bytes:
        try:
            data = self._stream.decompress(self._coded, room)
        except zlib.error as error:
            raise self._damaged(str(error)) from error
        self._coded = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
        return data

    def _fetch(self) -> bool:
        """Get more input when all is decoded; False at its end."""
        self._coded = self._coded or self._read(_PIECE)
        return bool(self._coded)

    def _truncated(self) -> SourceTruncatedError:
        return SourceTruncatedError(
            f"the body of {self._shown} ends within its {self._coding} stream",
            hint="Nothing was published; run again when the source is whole",
        )

    def _damaged(self, how: str) -> ChecksumError:
        return ChecksumError(
            f"the {self._coding} body of {self._shown} is damaged ({how})",
            hint="Nothing was published; run again when the source is whole",
        )
