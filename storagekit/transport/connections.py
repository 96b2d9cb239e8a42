"""The connections of one driver: how they send, and when they are stale.

urllib3 gives sending the *connect* timeout; here it is the read timeout, from one sent piece to the next. A connection
that has answered before and then dies without an answer is told apart from one that never worked: it was stale. What
makes them quick is in ``sockets``.
"""

from __future__ import annotations

import os
import socket
import ssl
from http.client import RemoteDisconnected
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection

from storagekit.errors import ConfigurationError
from storagekit.transport import sockets
from storagekit.transport.settings import Wires

BLOCK = 4 * 1024**2
"""Bytes that urllib3 asks a body for: with its 16 KiB four sending threads reach a fifth of the speed."""


class StaleConnectionError(RemoteDisconnected):
    """Marks, inside urllib3's ProtocolError, a pooled connection that ended without an answer."""


class _Connection(HTTPConnection):
    """Counts its answers, and lets the read timeout run between two sent pieces."""

    idle_s: float | None = None
    answers = 0
    _body_follows = False

    def connect(self) -> None:
        self.answers = 0
        super().connect()

    def _new_conn(self) -> socket.socket:
        connection = super()._new_conn()
        sockets.tune(connection)
        return connection

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **options: Any) -> None:
        self._body_follows = bool(body)
        super().request(method, url, body, headers, **options)

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        is_head, self._body_follows = self._body_follows, False  # the head is sent first, by itself
        sockets.send_all(self.sock, data, self.idle_s, more=is_head)

    def getresponse(self) -> Any:
        try:
            response = super().getresponse()
        except ConnectionError as error:  # RemoteDisconnected is one
            if self.answers:
                raise StaleConnectionError(str(error)) from error
            raise
        self.answers += 1
        return response


class _TLSConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    """Leaves its connections behind in a forked child: they are the parent's; each would read the other's answer."""

    ConnectionCls = _Connection

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._owner = os.getpid()
        self._slots = kwargs.get("maxsize", 1)

    def _get_conn(self, timeout: float | None = None) -> Any:
        if self._owner != os.getpid():
            self._owner = os.getpid()
            self.pool = self.QueueCls(self._slots)
            for _ in range(self._slots):
                self.pool.put(None)
        return super()._get_conn(timeout)

    def _new_conn(self) -> Any:
        connection: Any = super()._new_conn()
        connection.idle_s = self.timeout.read_timeout
        return connection


class _TLSPool(_Pool, HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


def make_pool(wires: Wires) -> PoolManager:
    """Return the connections of one driver. It retries nothing, follows nothing and never blocks.

    Raises ConfigurationError for a file of authorities that cannot be read.
    """
    pool = PoolManager(
        retries=False,
        timeout=Timeout(connect=wires.connect_timeout_s, read=wires.read_timeout_s),
        maxsize=wires.max_connections,
        block=False,
        blocksize=BLOCK,
        cert_reqs="CERT_REQUIRED",
        ssl_context=trusting(wires.ca_file) if wires.secure else None,
    )
    pool.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
    return pool


def close_pool(manager: PoolManager) -> None:
    """Close all connections now; ``clear`` alone leaves that to the garbage collector."""
    for key in manager.pools.keys():  # noqa: SIM118  # urllib3's container cannot be iterated
        pool = manager.pools.get(key)
        if pool is not None:
            pool.close()
    manager.clear()


def trusting(ca_file: str | None) -> ssl.SSLContext:
    """Return a context that trusts the authorities in a file, by default certifi's. Raises ConfigurationError."""
    import certifi

    authorities = ca_file or certifi.where()
    try:
        return sockets.tls_context(authorities)
    except OSError as error:  # no such file, or (ssl.SSLError) no certificate in it
        raise ConfigurationError(
            f"the certificate authorities in {authorities!r} cannot be read: {error.strerror or error}",
            hint="Correct ca_file or SSL_CERT_FILE",
        ) from error
