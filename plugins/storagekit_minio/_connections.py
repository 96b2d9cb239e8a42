"""The connections of one driver: how they send, and when they are stale.

urllib3 gives sending the *connect* timeout, and Python's ``sendall`` counts it over the whole block: 1 MiB in 10 s is
105 kB/s per connection, which 32 workers behind a 20 Mbit/s line do not have. Here a timeout runs from one sent piece
to the next, as it does for reading. A connection that has answered before and then dies without an answer is told
apart from one that never worked: it was stale.

Linux lets the send buffer of a connection grow to 4 MiB, and what lies there has left the processor's cache when it is
read again: to a server on the same machine one thread sent 3.0 GB/s, and with a buffer of 256 KiB 5 to 6 GB/s, at half
the CPU. A long line needs the large buffer to be full, so the round trip decides which it is.
"""

from __future__ import annotations

import os
import socket
import ssl
import struct
import sys
from http.client import RemoteDisconnected
from typing import Any

import certifi
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection

from storagekit.errors import ConfigurationError
from storagekit_minio._settings import Settings

BLOCK = 4 * 1024**2
"""Bytes that urllib3 asks a body for: with its 16 KiB four sending threads reach a fifth of the speed."""

_NEAR_US, _NEAR_BUFFER = 200, 256 * 1024
"""256 KiB per round trip of 200 us are 10 Gbit/s: up to there the small buffer holds no connection back."""
_ROUND_TRIP = struct.Struct("68xI")
"""Where Linux has ``tcpi_rtt``, in microseconds, in its ``tcp_info``."""


class StaleConnectionError(RemoteDisconnected):
    """Marks, inside urllib3's ProtocolError, a pooled connection that ended without an answer."""


class _Connection(HTTPConnection):
    """Counts its answers, and lets the read timeout run between two sent pieces."""

    idle_s: float | None = None
    answers = 0

    def connect(self) -> None:
        self.answers = 0
        super().connect()

    def _new_conn(self) -> socket.socket:
        connection = super()._new_conn()
        size = send_buffer(_round_trip_us(connection))
        if size is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
        return connection

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        if self.sock.gettimeout() != self.idle_s:
            self.sock.settimeout(self.idle_s)  # a call into the kernel, which gives the interpreter lock away
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


def send_buffer(round_trip_us: int) -> int | None:
    """Return the size of the send buffer for a round trip; None leaves it to the system. 0 is a round trip unknown."""
    return _NEAR_BUFFER if 0 < round_trip_us <= _NEAR_US else None


def _round_trip_us(connection: socket.socket) -> int:
    """How long the handshake of TCP took, which no program of the other side slows down; 0 where nobody says."""
    if sys.platform != "linux":
        return 0
    (round_trip,) = _ROUND_TRIP.unpack(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ROUND_TRIP.size))
    return int(round_trip)


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
