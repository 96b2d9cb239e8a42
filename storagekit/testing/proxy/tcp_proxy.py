"""The byte-exact proxy: passes, counts, cuts, stalls, delays and falsifies, whatever the bytes mean."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from storagekit.testing.proxy.listener import Listener, Listening
from storagekit.testing.proxy.wire import BLOCK, reset_on_close, shut


@dataclass(frozen=True)
class LinkFault:
    """What happens to one direction of a ``TCPProxy`` connection; the default is nothing."""

    cut_after: int | None = None
    """Close both sockets once so many bytes have passed on the connection; 0 cuts at once."""
    stall_after: int | None = None
    """Pass nothing on for ``stall_seconds`` once so many bytes have passed, then go on."""
    stall_seconds: float = 0.0
    delay_seconds: float = 0.0
    """Wait before passing on each block (of at most 256 KiB)."""
    flip_at: int | None = None
    """Pass the byte at this offset of the connection on with all its bits inverted."""
    reset: bool = False
    """Cut with a TCP reset, which may overtake the last bytes."""
    times: int | None = None
    """How many cuts, stalls and flips in all; None for one each per connection."""


class _Way:
    """One direction of all connections: the fault in force, the bytes passed."""

    def __init__(self, fault: LinkFault) -> None:
        self._lock = threading.Lock()
        self.bytes = 0
        self._marks: list[tuple[int, Callable[[], object]]] = []
        self.change(fault)

    def change(self, fault: LinkFault) -> None:
        self.fault = fault
        self._left = fault.times

    def when(self, count: int, callback: Callable[[], object]) -> None:
        with self._lock:
            self._marks.append((count, callback))
            due = self._due()
        for call in due:
            call()

    def add(self, most: int) -> tuple[int, list[Callable[[], object]]]:
        """Count bytes up to the next mark at most: how many, and what is to be called once they have passed."""
        with self._lock:
            count = min([most, *(mark - self.bytes for mark, _ in self._marks)])
            self.bytes += count
            return count, self._due()

    def _due(self) -> list[Callable[[], object]]:
        due = [call for mark, call in self._marks if mark <= self.bytes]
        self._marks = [(mark, call) for mark, call in self._marks if mark > self.bytes]
        return due

    def hit(self) -> bool:
        with self._lock:
            left = self._left
            if left is not None:
                self._left = max(0, left - 1)
            return left is None or left > 0


class _Pump:
    """Moves bytes from one socket to another, with the faults of its direction."""

    def __init__(self, way: _Way, source: socket.socket, sink: socket.socket, listener: Listener) -> None:
        self._way = way
        self._source = source
        self._sink = sink
        self._listener = listener
        self._passed = 0
        self._stalled = False

    def run(self) -> None:
        block = memoryview(bytearray(BLOCK))
        try:
            while not self._cut():
                self._stall()
                taken = self._source.recv_into(block, self._room())
                if not taken:
                    shut(self._sink, socket.SHUT_WR)
                    break
                self._pass_on(block[:taken])
        except OSError:
            self._end(reset=False)  # one socket failed: the other direction must not wait for it

    def _pass_on(self, block: memoryview) -> None:
        delay = self._way.fault.delay_seconds
        if delay > 0:
            self._listener.pause(delay)
        self._flip(block)
        self._passed += len(block)
        while block:
            count, due = self._way.add(len(block))
            self._sink.sendall(block[:count])
            for call in due:
                call()
            block = block[count:]

    def _flip(self, block: memoryview) -> None:
        at = self._way.fault.flip_at
        if at is not None and self._passed <= at < self._passed + len(block) and self._way.hit():
            block[at - self._passed] ^= 0xFF

    def _room(self) -> int:
        """Bytes up to the next mark, so that a mark is always met exactly."""
        fault = self._way.fault
        marks = [mark - self._passed for mark in (fault.cut_after, fault.stall_after) if mark is not None]
        return min([BLOCK, *(room for room in marks if room > 0)])

    def _stall(self) -> None:
        fault = self._way.fault
        due = fault.stall_after is not None and self._passed >= fault.stall_after and not self._stalled
        if due and self._way.hit():
            self._stalled = True
            self._listener.pause(fault.stall_seconds)

    def _cut(self) -> bool:
        fault = self._way.fault
        if fault.cut_after is None or self._passed < fault.cut_after or not self._way.hit():
            return False
        self._end(reset=fault.reset)
        return True

    def _end(self, *, reset: bool) -> None:
        # The other direction's thread may be reading these sockets, so they are closed only when both are done. For a
        # reset only the reading half is shut, which wakes that thread but sends no FIN.
        for sock in (self._source, self._sink):
            if reset:
                reset_on_close(sock)
            shut(sock, socket.SHUT_RD if reset else socket.SHUT_RDWR)


@final
class TCPProxy(Listening):
    """Passes bytes to ``host:port`` and back; a context manager, or ``start`` and ``close``.

    ``up`` is the fault of the direction to the server, ``down`` that of the one to the client. Both may be assigned
    while it runs; a connection that is waiting for bytes at that moment takes one more block (256 KiB) under the old
    one.
    """

    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        self._upstream = (host, port)
        self._up = _Way(LinkFault())
        self._down = _Way(LinkFault())
        self._lock = threading.Lock()
        self._connections = 0

    @property
    def up(self) -> LinkFault:
        """Fault of the direction to the server."""
        return self._up.fault

    @up.setter
    def up(self, fault: LinkFault) -> None:
        self._up.change(fault)

    @property
    def down(self) -> LinkFault:
        """Fault of the direction to the client."""
        return self._down.fault

    @down.setter
    def down(self, fault: LinkFault) -> None:
        self._down.change(fault)

    @property
    def bytes_up(self) -> int:
        """Bytes passed to the server, all connections together."""
        return self._up.bytes

    @property
    def bytes_down(self) -> int:
        """Bytes passed to clients, all connections together."""
        return self._down.bytes

    def when_up(self, count: int, callback: Callable[[], object]) -> None:
        """Call ``callback`` once when ``bytes_up`` is ``count``, before any byte after it passes on that connection.

        It runs in a thread of the proxy; at once, in the caller's, where so many have passed already.
        """
        self._up.when(count, callback)

    @property
    def connections(self) -> int:
        """Connections accepted so far."""
        return self._connections

    def _serve(self, client: socket.socket, listener: Listener) -> None:
        with self._lock:
            self._connections += 1
        with contextlib.suppress(OSError), socket.create_connection(self._upstream, timeout=10) as upstream:
            upstream.settimeout(None)
            self._join(client, upstream, listener)

    def _join(self, client: socket.socket, upstream: socket.socket, listener: Listener) -> None:
        listener.track(upstream)
        for sock in (client, upstream):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        up = threading.Thread(target=_Pump(self._up, client, upstream, listener).run, daemon=True)
        up.start()
        _Pump(self._down, upstream, client, listener).run()
        up.join()
        listener.forget(upstream)
