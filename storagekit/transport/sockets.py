"""Sockets that keep up with the line, for drivers: what Python's own lose over TLS, and to a server that is near.

**Receiving over TLS.** TLS comes in records of 16 KiB, and ``http.client`` asks for each of them through four layers of
Python: 0.82 of the speed of a bare loop. ``TLSSocket`` fills a large buffer by itself: 0.99.

**Sending to a near server.** Linux lets the send buffer of a connection grow to 4 MiB, and what lies there has left
the processor's cache when it is read again: to a server on the same machine one thread sent 3.0 GB/s, and with a buffer
of 256 KiB 5 to 6 GB/s, at half the CPU. A long line needs the large buffer to be full, so the round trip decides.

**Timeouts.** Python's ``sendall`` counts its timeout over the whole block: 4 MiB in 60 s is 70 kB/s per connection,
which 32 workers behind a 10 Mbit/s line do not have. With ``send_all`` it runs from one sent piece to the next.
"""

from __future__ import annotations

import socket
import ssl
import struct
import sys
from typing import Any

NEAR_US = 200
"""Round trip in microseconds up to which a server is near; 256 KiB per 200 us are 10 Gbit/s."""

_NEAR_BUFFER = 256 * 1024
_ROUND_TRIP = struct.Struct("68xI")
"""Where Linux has ``tcpi_rtt``, in microseconds, in its ``tcp_info``."""

_LARGE = 64 * 1024
"""Bytes from which on a buffer is one for a body: http.client reads headers by 8 KiB."""


class TLSSocket(ssl.SSLSocket):
    """Receives as many records as a large buffer holds, or until the other side has closed."""

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """Return how many bytes were received; as with ``socket.socket``, but for a large ``buffer``."""
        view = memoryview(buffer).cast("B")[: nbytes or None]
        if flags or len(view) < _LARGE:  # there may be no more than this for now
            return super().recv_into(view, None, flags)
        done = 0
        while done < len(view) and (count := int(self.read(len(view) - done, view[done:]))):
            done += count
        return done


def tls_context(ca_file: str) -> ssl.SSLContext:
    """Return a context that trusts the authorities in a file and checks names: TLS 1.2 at least, ``TLSSocket`` inside.

    Make one for all connections: reading certifi's authorities takes 15 ms. Raises OSError where there is no such file,
    and ssl.SSLError, an OSError as well, where no certificate is in it.
    """
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = TLSSocket
    return context


def tune(connection: socket.socket) -> None:
    """Give a connection that has just been made the send buffer that suits the way to its server."""
    size = send_buffer(_round_trip_us(connection))
    if size is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)


def send_buffer(round_trip_us: int) -> int | None:
    """Return the size of the send buffer for a round trip; None leaves it to the system. 0 is a round trip unknown."""
    return _NEAR_BUFFER if 0 < round_trip_us <= NEAR_US else None


def _round_trip_us(connection: socket.socket) -> int:
    """How long the handshake of TCP took, which no program of the other side slows down; 0 where nobody says."""
    if sys.platform != "linux":
        return 0
    (round_trip,) = _ROUND_TRIP.unpack(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ROUND_TRIP.size))
    return int(round_trip)


def send_all(connection: socket.socket, data: bytes | bytearray | memoryview, idle_s: float | None) -> None:
    """Send all bytes. Raises TimeoutError where the connection takes none for ``idle_s`` seconds."""
    if connection.gettimeout() != idle_s:
        connection.settimeout(idle_s)  # a call into the kernel, which gives the interpreter lock away
    rest = memoryview(data)
    while rest:
        rest = rest[connection.send(rest) :]
