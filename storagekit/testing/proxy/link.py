"""The two connections that a request passes through."""

from __future__ import annotations

import socket

from storagekit.testing.proxy.listener import Listener
from storagekit.testing.proxy.wire import ClosedError, Wire


class Link:
    """A client's connection and, on demand, one to the server."""

    def __init__(self, client: socket.socket, upstream: tuple[str, int], listener: Listener) -> None:
        self.client = Wire(client)
        self._address = upstream
        self._listener = listener
        self._upstream: Wire | None = None

    @property
    def upstream(self) -> Wire:
        """The connection that the request went out on."""
        if self._upstream is None:
            raise ClosedError("the request has not been forwarded")
        return self._upstream

    def fresh_upstream(self) -> Wire:
        """A connection the server has not ended: one that is readable before it was asked anything is at its end."""
        if self._upstream is not None and self._upstream.readable:
            self.drop_upstream()
        if self._upstream is None:
            self._upstream = Wire(self._connect())
        return self._upstream

    def drop_upstream(self, *, reset: bool = False) -> None:
        """Close the connection to the server, if there is one."""
        if self._upstream is not None:
            self._listener.forget(self._upstream.sock)
            self._upstream.close(reset=reset)
            self._upstream = None

    def pause(self, seconds: float) -> None:
        """Wait, until the proxy closes at most."""
        self._listener.pause(seconds)

    def close(self, *, reset: bool = False) -> None:
        """Close both."""
        self.drop_upstream(reset=reset)
        self.client.close(reset=reset)

    def _connect(self) -> socket.socket:
        sock = socket.create_connection(self._address, timeout=10)
        sock.settimeout(None)
        self._listener.track(sock)
        return sock
