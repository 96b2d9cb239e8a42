"""TLS in front of a server that speaks none, or one whose certificate is not bad enough."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from typing import final

from storagekit.testing.proxy.listener import Listener, Listening
from storagekit.testing.proxy.wire import BLOCK, readable, shut

GO = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
"""What Go, and so MinIO, answers to plain HTTP at its TLS port."""

NGINX = (
    b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
    b"<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>\r\n"
)
"""What nginx answers."""

ALERT = b"\x15\x03\x01\x00\x02\x02\x46"
"""What servers answer that know nothing of HTTP: an alert of TLS."""

_GREETING = 0x16
"""First byte of a TLS handshake."""


@final
class TLSFront(Listening):
    """Passes what is inside TLS to ``host:port`` and back; a context manager, or ``start`` and ``close``.

    ``context`` is the server's, so it says with which certificate and which versions of TLS. To a client that does not
    greet in TLS ``plain_answer`` is sent, and the connection ended; the server behind hears nothing of it.
    """

    def __init__(self, host: str, port: int, context: ssl.SSLContext, plain_answer: bytes = GO) -> None:
        super().__init__()
        self._upstream = (host, port)
        self._context = context
        self._plain_answer = plain_answer
        self._lock = threading.Lock()
        self._connections = 0
        self._handshakes = 0
        self._bytes_up = 0

    @property
    def endpoint(self) -> str:
        """The address as an https URL."""
        return f"https://{self.host}:{self.port}"

    @property
    def connections(self) -> int:
        """Connections accepted so far."""
        return self._connections

    @property
    def handshakes(self) -> int:
        """Handshakes that clients ended as they should, which accepts the certificate."""
        return self._handshakes

    @property
    def bytes_up(self) -> int:
        """Bytes of requests, out of TLS or without it, all connections together."""
        return self._bytes_up

    def _serve(self, sock: socket.socket, listener: Listener) -> None:
        self._count(connections=1)
        with contextlib.suppress(OSError):
            if sock.recv(1, socket.MSG_PEEK)[:1] != bytes([_GREETING]):
                self._count(bytes_up=len(sock.recv(BLOCK)))
                sock.sendall(self._plain_answer)
                return
            # A copy of the descriptor, because wrapping takes it away: the listener ends the connection by the first.
            with self._context.wrap_socket(sock.dup(), server_side=True) as near:
                self._count(handshakes=1)
                with socket.create_connection(self._upstream, timeout=10) as far:
                    far.settimeout(None)
                    listener.track(far)
                    self._join(near, far)
                    listener.forget(far)

    def _count(self, connections: int = 0, handshakes: int = 0, bytes_up: int = 0) -> None:
        with self._lock:
            self._connections += connections
            self._handshakes += handshakes
            self._bytes_up += bytes_up

    def _join(self, near: ssl.SSLSocket, far: socket.socket) -> None:
        """Move bytes both ways in this one thread: OpenSSL allows no two on one connection."""
        block = memoryview(bytearray(BLOCK))
        sources: list[socket.socket] = [near, far]
        while far in sources:
            ready = {near.fileno()} if near in sources and near.pending() else readable(None, *sources)
            if near in sources and near.fileno() in ready and not _move(near, far, block, self._add):
                sources.remove(near)
                shut(far, socket.SHUT_WR)
            if far.fileno() in ready and not _move(far, near, block):
                sources.remove(far)
        near.settimeout(0)
        near.unwrap()  # says that this is the end; the answer to that is not waited for

    def _add(self, count: int) -> None:
        self._count(bytes_up=count)


def _move(
    source: socket.socket, sink: socket.socket, block: memoryview, count: Callable[[int], object] = lambda _: None
) -> bool:
    """Pass one block on; False at the end of the source."""
    taken = source.recv_into(block)
    count(taken)
    sink.sendall(block[:taken])
    return taken > 0
