"""Accepting connections, and cutting those that are open when the source closes."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Callable
from typing import Any

SEND_BUFFER = 256 * 1024
"""Bounds how far the counter runs ahead of a client that does not read.

Linux doubles it, and the client's receive buffer comes on top.
"""
LINGER_NOT = struct.pack("ii", 1, 0)
"""The value of SO_LINGER that makes closing a connection a TCP reset."""


class Listener(socketserver.ThreadingTCPServer):
    """Serves each connection in a thread, and keeps the open ones so that ``stop`` can cut them."""

    # Not HTTPServer: that one resolves its own host name while binding, which takes seconds where DNS is missing.
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: Callable[..., socketserver.BaseRequestHandler]) -> None:
        self._idle = threading.Condition()
        self._connections: set[socket.socket] = set()
        super().__init__(address, handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        with self._idle:
            self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._idle:
            self._connections.discard(request)
            self._idle.notify_all()
        if _is_reset(request):
            self.close_request(request)  # without the FIN that `shutdown` would send ahead of the reset
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """Stop accepting, cut what is connected, wait for the threads."""
        self.shutdown()
        self.server_close()
        with self._idle:
            for connection in self._connections:
                _quietly_shut(connection)
            self._idle.wait_for(lambda: not self._connections, timeout=5)


def reset_on_close(connection: socket.socket) -> None:
    """Have the connection end with a TCP reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)


def _is_reset(connection: socket.socket) -> bool:
    return connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(LINGER_NOT)) == LINGER_NOT


def _quietly_shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side may have been faster
        connection.shutdown(socket.SHUT_RDWR)
