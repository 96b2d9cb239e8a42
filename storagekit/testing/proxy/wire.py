"""Sockets: one that reads heads and blocks, and what is done to any socket."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from collections.abc import Callable
from typing import TypeAlias

BLOCK = 256 * 1024
"""Most bytes moved at once; each connection holds two such blocks."""
HEAD_BLOCK = 16 * 1024
"""Most bytes read at once while looking for the end of a head or line, to keep bodies out of the slow buffer."""
HEAD_LIMIT = 256 * 1024

Block: TypeAlias = "bytes | memoryview"


class ClosedError(OSError):
    """The other side closed in the middle of something, or what it sends makes no sense."""


class Wire:
    """A socket with a buffer for what was read past a head. Blocks are views, good until the next read."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.before_receiving: Callable[[], None] | None = None
        self._held = bytearray()
        self._block = memoryview(bytearray(BLOCK))

    @property
    def readable(self) -> bool:
        """Whether a read would not wait (end of stream included)."""
        return bool(self._held) or bool(readable(0, self.sock))

    def send(self, data: Block) -> None:
        """All of it."""
        self.sock.sendall(data)

    def unread(self, data: bytes) -> None:
        """Have the next read give this."""
        self._held[:0] = data

    def some(self, limit: int = BLOCK) -> memoryview:
        """At least one byte, at most ``limit``; empty at the end of the stream."""
        if not self._held:
            return self._receive(limit)
        taken = bytes(self._held[:limit])
        del self._held[:limit]
        return memoryview(taken)

    def line(self) -> bytes:
        """Up to the end of the line."""
        return self._until(b"\r\n")

    def head(self) -> bytes:
        """Up to the empty line; empty when the stream ends before the first byte."""
        try:
            return self._until(b"\r\n\r\n")
        except ClosedError:
            if self._held:
                raise
            return b""

    def _until(self, mark: bytes) -> bytes:
        while (at := self._held.find(mark)) < 0:
            received = self._receive(HEAD_BLOCK)
            if not received or len(self._held) > HEAD_LIMIT:
                raise ClosedError("closed within a head")
            self._held += received
        taken = bytes(self._held[: at + len(mark)])
        del self._held[: len(taken)]
        return taken

    def _receive(self, limit: int) -> memoryview:
        if self.before_receiving is not None:
            self.before_receiving()
        return self._block[: self.sock.recv_into(self._block, min(limit, BLOCK))]

    def close(self, *, reset: bool = False) -> None:
        """Close the socket, with a TCP reset if told."""
        if reset:
            reset_on_close(self.sock)
        else:
            shut(self.sock)
        self.sock.close()


def readable(timeout: float | None, *socks: socket.socket) -> set[int]:
    """Descriptors of the sockets with something to read."""
    # poll, not select: a test process with 1024 descriptors open would otherwise fail here.
    poller = select.poll()
    for sock in socks:
        poller.register(sock, select.POLLIN)
    return {descriptor for descriptor, _ in poller.poll(None if timeout is None else timeout * 1000)}


def shut(sock: socket.socket, how: int = socket.SHUT_RDWR) -> None:
    """End both directions, or one."""
    with contextlib.suppress(OSError):
        sock.shutdown(how)


def reset_on_close(sock: socket.socket) -> None:
    """Have the connection end with a TCP reset."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
