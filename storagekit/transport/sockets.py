"""Sockets that keep up with the line, for drivers: what Python's own lose over TLS, and to a server that is near.

**Receiving over TLS.** TLS comes in records of 16 KiB, and ``http.client`` asks for each of them through four layers of
Python: 0.82 of the speed of a bare loop. ``TLSSocket`` fills a large buffer by itself: 0.99.

**Sending to a near server.** Linux lets the send buffer of a connection grow to 4 MiB, and what lies there has left
the processor's cache when it is read again: to a server on the same machine one thread sent 3.0 GB/s, and with a small
buffer 5 to 6 GB/s, at half the CPU. Not too small: at 32 KiB a server waits 40 ms for the second segment. A long line
needs the large buffer to be full, so the round trip decides.

**The same machine.** BBR, where it is the system's choice, paces what nothing slows down, and beyond 512 KiB of buffer
it is as slow as with 4 MiB. A bare loop of one thread sent 4.4 GB/s with it and 7.5 GB/s with Reno, which every Linux
allows; four threads with a checksum 0.82 and 0.88 of a bare loop with BBR. No other machine is on that way to suffer.

**Heads.** A head of its own wakes the server up for nothing: with four threads 0.84 of a bare loop, and 0.87 where it
goes out together with the first bytes of the body.

**Timeouts.** Python's ``sendall`` counts its timeout over the whole block: 4 MiB in 60 s is 70 kB/s per connection,
which 32 workers behind a 10 Mbit/s line do not have. With ``send_all`` it runs from one sent piece to the next.
"""

from __future__ import annotations

import socket
import ssl
import struct
import sys
from contextlib import suppress
from typing import Any

NEAR_US = 200
"""Round trip in microseconds up to which a server is near; 448 KiB per 200 us are 18 Gbit/s."""

_NEAR_BUFFER = 448 * 1024
_OWN_BUFFER = 768 * 1024
"""Bytes, to a near server and to this machine; Linux doubles it for its own needs, and grants at most ``wmem_max``."""

_ROUND_TRIP = struct.Struct("68xI")
"""Where Linux has ``tcpi_rtt``, in microseconds, in its ``tcp_info``."""

_MORE = getattr(socket, "MSG_MORE", 0)
"""Linux keeps back what is sent with it until more is sent, or 200 ms."""

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
    """Give a connection that has just been made the send buffer, and the congestion control, that suit its way."""
    own = connection.getsockname()[0] == connection.getpeername()[0]
    if own:
        _leave_bbr(connection)
    size = send_buffer(_round_trip_us(connection), own=own)
    if size is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)


def send_buffer(round_trip_us: int, *, own: bool) -> int | None:
    """Return the size of the send buffer, to the ``own`` machine or another; None leaves it to the system.

    A round trip of 0 is one that nobody knows.
    """
    if not 0 < round_trip_us <= NEAR_US:
        return None
    return _OWN_BUFFER if own else _NEAR_BUFFER


def _leave_bbr(connection: socket.socket) -> None:
    """Have Reno decide how much is on the way, where BBR would."""
    if sys.platform == "linux":
        with suppress(OSError):  # where it may not be asked, or not be chosen
            chosen = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
            if chosen.rstrip(b"\0") == b"bbr":
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")


def _round_trip_us(connection: socket.socket) -> int:
    """How long the handshake of TCP took, which no program of the other side slows down; 0 where nobody says."""
    if sys.platform != "linux":
        return 0
    (round_trip,) = _ROUND_TRIP.unpack(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ROUND_TRIP.size))
    return int(round_trip)


def send_all(
    connection: socket.socket, data: bytes | bytearray | memoryview, idle_s: float | None, *, more: bool = False
) -> None:
    """Send all bytes; with ``more``, others follow at once. Raises TimeoutError where none is taken for ``idle_s``."""
    if connection.gettimeout() != idle_s:
        connection.settimeout(idle_s)  # a call into the kernel, which gives the interpreter lock away
    flags = _MORE if more and not isinstance(connection, ssl.SSLSocket) else 0  # TLS takes none
    rest = memoryview(data)
    while rest:
        rest = rest[connection.send(rest, flags) :]
