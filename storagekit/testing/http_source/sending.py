"""Sending one body: piece by piece, counted, at the rate, with the stall and the cut that it is to have."""

from __future__ import annotations

import select
import socket
from dataclasses import dataclass

from .behaviour import Live
from .content import Content
from .log import Entry
from .planning import Plan
from .state import State


@dataclass
class Body:
    """The body under way: where it stops and stalls, in its own bytes."""

    content: Content
    start: int
    stop: int
    stall_at: int | None = None
    cut: bool = False
    """Whether it ends before the end that was promised."""
    chunked: bool = False
    sent: int = 0

    @classmethod
    def of(cls, content: Content, plan: Plan, live: Live, *, chunked: bool) -> Body:
        """The body of a plan, with what the behaviour does to it; uses up the counted faults."""
        behaviour = live.behaviour
        stop = max(0, plan.length - behaviour.short_by)
        body = cls(content, plan.start, stop, cut=stop < plan.length, chunked=chunked)
        if behaviour.cut_after is not None and behaviour.cut_after < stop and live.take("cut"):
            body.stop, body.cut = behaviour.cut_after, True
        if behaviour.stall_seconds > 0 and behaviour.stall_after < body.stop and live.take("stall"):
            body.stall_at = behaviour.stall_after
        return body

    def room(self, piece: int) -> int:
        """How much may go out next without passing a mark."""
        mark = self.stop if self.stall_at is None else min(self.stop, self.stall_at)
        return min(piece, mark - self.sent)


class Sender:
    """Sends a body on a connection."""

    def __init__(self, connection: socket.socket, state: State, entry: Entry) -> None:
        self._connection = connection
        self._state = state
        self._entry = entry

    def send(self, body: Body, stall_seconds: float) -> None:
        """All that the body has; afterwards ``body.cut`` says whether the connection has to end."""
        push = self._push_chunk if body.chunked else self._push
        while body.sent < body.stop:
            if body.sent == body.stall_at:
                body.stall_at = None
                self._state.pause(stall_seconds)
            length = body.room(self._state.piece())
            self._state.throttle(length)
            data = body.content.read(body.start + body.sent, length)
            push(data)
            body.sent += len(data)
            if len(data) < length:
                body.cut = True  # a file that shrank meanwhile
                break
        if body.chunked and not body.cut:
            self._connection.sendall(b"0\r\n\r\n")

    def _push_chunk(self, data: bytes) -> None:
        if data:  # an empty chunk would end the body
            self._connection.sendall(b"%x\r\n" % len(data))
            self._push(data)
            self._connection.sendall(b"\r\n")

    def _push(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._state.meter.send(self._connection, rest, self._entry) :]
            except BlockingIOError:
                _wait_writable(self._connection)


def _wait_writable(connection: socket.socket) -> None:
    # poll, not select: a test process with 1024 descriptors open would otherwise fail here.
    poller = select.poll()
    poller.register(connection, select.POLLOUT)
    poller.poll()
