"""The connections of one driver: how they send, and when they are stale.

urllib3 gives sending the *connect* timeout, and Python's ``sendall`` counts it over the whole block: 1 MiB in 10 s is
105 kB/s per connection, which 32 workers behind a 20 Mbit/s line do not have. Here a timeout runs from one sent piece
to the next, as it does for reading. A connection that has answered before and then dies without an answer is told
apart from one that never worked: it was stale.
"""

from __future__ import annotations

import os
import ssl
from http.client import RemoteDisconnected
from typing import Any

import certifi
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection

from storagekit.errors import ConfigurationError
from storagekit_minio._settings import Settings

BLOCK = 1024**2
"""Bytes that urllib3 asks a body for: with its 16 KiB four sending threads reach a fifth of the speed."""


class StaleConnectionError(RemoteDisconnected):
    """Marks, inside urllib3's ProtocolError, a pooled connection that ended without an answer."""


class _Connection(HTTPConnection):
    """Counts its answers, and lets the read timeout run between two sent pieces."""

    idle_s: float | None = None
    answers = 0

    def connect(self) -> None:
        self.answers = 0
        super().connect()

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self.sock.settimeout(self.idle_s)
        rest = memoryview(data)
        while rest:
            rest = rest[self.sock.send(rest) :]

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


def make_pool(settings: Settings) -> PoolManager:
    """Return the connections of one driver. It retries nothing, follows nothing and never blocks."""
    pool = PoolManager(
        retries=False,
        timeout=Timeout(connect=settings.connect_timeout_s, read=settings.read_timeout_s),
        maxsize=settings.max_connections,
        block=False,
        blocksize=BLOCK,
        cert_reqs="CERT_REQUIRED",
        ssl_context=_tls(settings) if settings.secure else None,
    )
    pool.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
    return pool


def _tls(settings: Settings) -> ssl.SSLContext:
    """One context for all connections: reading certifi's authorities takes 15 ms."""
    authorities = settings.ca_file or certifi.where()
    try:
        context = ssl.create_default_context(cafile=authorities)
    except OSError as error:  # no such file, or (ssl.SSLError) no certificate in it
        raise ConfigurationError(
            f"the certificate authorities in {authorities!r} cannot be read: {error.strerror or error}",
            hint="Correct ca_file or SSL_CERT_FILE",
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
