"""Connections of an ``obs.ObsClient`` that are kept for the next request to the same host.

The SDK keeps them in one queue for all hosts and takes the first: the request for bucket B goes to the server of bucket
A, over a certificate that was checked for A. ``Kept`` lies in the place of that queue. The SDK puts connections there
and asks whether it is empty before it takes one of any host, so ``empty`` is always true; ``take`` says for whom.

Kept is what can be used again: its answer was read to the end, and nothing has come since. A forked child has keys of
its own, because it would read its parent's answers. ``dict.setdefault``, ``list.append`` and ``list.pop`` are atomic,
hence no lock, which a fork could leave locked.
"""

from __future__ import annotations

import contextlib
import ssl
from functools import partial
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any, NamedTuple

from urllib3.util import wait_for_read


class Key(NamedTuple):
    """Whose connection it is, and to whom it leads."""

    process: int
    secure: bool
    host: str
    port: int
    proxy_host: str | None
    proxy_port: int | None


class _Plain(HTTPConnection):
    """Knows for whom it is, and what it has been answered."""

    key: Key
    answer: HTTPResponse | None = None
    """To the request that is not over yet."""

    def set_tunnel(self, host: str, port: int | None = None, headers: Any = None) -> None:
        if self.sock is None:  # else it stands already, and leads to the same host
            super().set_tunnel(host, port, headers)

    def getresponse(self) -> HTTPResponse:
        self.answer = super().getresponse()
        return self.answer

    def is_quiet(self) -> bool:
        """Tell whether it stands, and nothing waits to be read: what comes unasked is the server's goodbye."""
        return self.sock is not None and not wait_for_read(self.sock, timeout=0)


class _Secure(_Plain, HTTPSConnection):
    """The same over TLS, as its context has it."""


def connect(key: Key, timeout: float, context: ssl.SSLContext) -> HTTPConnection:
    """Return a connection that connects when it is used, as the SDK's own."""
    proxied = key.proxy_host is not None and key.proxy_port is not None
    host, port = (key.proxy_host, key.proxy_port) if proxied else (key.host, key.port)
    make = partial(_Secure, context=context) if key.secure else _Plain
    made = make(host or "", port, timeout=timeout)
    made.key = key
    return made


class Kept:
    """Takes the place of the SDK's queue."""

    def __init__(self) -> None:
        self._waiting: dict[Key, list[_Plain]] = {}

    def empty(self) -> bool:
        """True: here is no connection for whoever does not say to which host."""
        return True

    def put_nowait(self, connection: _Plain) -> None:
        """Keep a connection whose request is over, or close it where something of the answer is left."""
        answer, connection.answer = connection.answer, None
        if answer is None:  # an answer that is closed twice comes twice: the connection is here, or with somebody else
            return
        if answer.isclosed() and connection.is_quiet():
            self._waiting.setdefault(connection.key, []).append(connection)
        else:
            connection.close()

    def take(self, key: Key) -> HTTPConnection | None:
        """Return the one that was used last, which servers close last, or None."""
        with contextlib.suppress(IndexError):
            while True:
                connection = self._waiting.get(key, []).pop()
                if connection.is_quiet():
                    return connection
                connection.close()
        return None

    def end(self) -> None:
        """Close all of them."""
        for waiting in self._waiting.values():
            while waiting:
                waiting.pop().close()
