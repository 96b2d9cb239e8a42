"""One answer as bytes on a socket: a value that can be changed at will, and sent whatever it says.

An ``Answer`` is honest by itself: ``honest`` makes it by the rules of RFC 9110. A lie (``lies.py``) is a
function that returns another answer: with another header, another body, a cut, a pause, or raw bytes in place of all.
"""

from __future__ import annotations

import http
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate

from storagekit.testing.http_source.behaviour import Behaviour
from storagekit.testing.http_source.listener import reset_on_close
from storagekit.testing.http_source.planning import Version, make_plan

_CHUNK = 40_000  # a body of a few parts has several chunks, none of which is as long as a part


@dataclass(frozen=True)
class Request:
    """One request as it came in. ``headers`` are lower case; ``nth`` counts the requests of one server from 1."""

    nth: int
    method: str
    target: str
    headers: Mapping[str, str]
    connection: int = 0
    """Port of the client: equal for requests on one connection."""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def range(self) -> str:
        """The Range header, or nothing."""
        return self.headers.get("range", "")

    @property
    def is_look(self) -> bool:
        """Whether only the first byte is asked for."""
        return self.range == "bytes=0-0"


@dataclass(frozen=True)
class Answer:
    """What goes out. ``framing`` is ``length``, ``chunked`` or ``close``; a Content-Length in ``headers`` wins."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    framing: str = "length"
    version: str = "HTTP/1.1"
    before: bytes = b""
    """Raw bytes in front of the status line."""
    raw: bytes | None = None
    """Raw bytes instead of everything; the connection ends after them."""
    after: bytes = b""
    """Raw bytes behind the body."""
    cut: int | None = None
    """The connection ends after so many bytes of the framed body."""
    reset: bool = False
    """It then ends with a TCP reset."""
    hangs_up: bool = False
    """The connection ends after this answer, without a word."""
    delay_s: float = 0.0
    """Seconds of silence before the status line."""
    pause_s: float = 0.0
    pause_at: int = 0
    """Bytes of the framed body before the pause."""
    drip: int | None = None
    """Bytes of the framed body that go out at a time, 1 ms apart."""

    def framed(self) -> bytes:
        """Return the body as it goes over the wire."""
        if self.framing != "chunked":
            return self.body
        pieces = [self.body[at : at + _CHUNK] for at in range(0, len(self.body), _CHUNK)]
        return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"

    def head(self) -> bytes:
        """Return the status line and the headers."""
        given = {name.lower() for name, _ in self.headers}
        lines = [f"{self.version} {self.status} {_phrase(self.status)}"]
        lines += [] if "date" in given else [f"Date: {formatdate(usegmt=True)}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.framing == "chunked":
            lines.append("Transfer-Encoding: chunked")
        elif self.framing == "length" and "content-length" not in given:
            lines.append(f"Content-Length: {len(self.body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    @property
    def ends_connection(self) -> bool:
        """Whether nothing can follow on this connection."""
        return self.raw is not None or self.cut is not None or self.hangs_up or self.framing == "close"


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Unassigned"


def honest(request: Request, version: Version, behaviour: Behaviour) -> Answer:
    """Return the answer that RFC 9110 asks for; ``behaviour`` says which validators and ranges there are."""
    plan = make_plan(request.headers, version, behaviour)
    body = version.content.read(plan.start, plan.length) if plan.has_body else b""
    return Answer(plan.status, (("Content-Type", "application/octet-stream"), *plan.headers), body)


def send(connection: socket.socket, request: Request, answer: Answer, closing: threading.Event) -> None:
    """Send an answer. ``closing`` ends its pauses."""
    closing.wait(answer.delay_s)
    if answer.raw is not None:
        connection.sendall(answer.raw)
        return
    body = b"" if request.method == "HEAD" else answer.framed()
    end = len(body) if answer.cut is None else min(answer.cut, len(body))
    connection.sendall(answer.before + answer.head())
    connection.sendall(body[: min(answer.pause_at, end)])
    closing.wait(answer.pause_s)
    _send_rest(connection, body[answer.pause_at : end] + answer.after, answer.drip, closing)
    if answer.reset:
        reset_on_close(connection)


def _send_rest(connection: socket.socket, data: bytes, drip: int | None, closing: threading.Event) -> None:
    step = drip or max(1, len(data))
    for at in range(0, len(data), step):
        connection.sendall(data[at : at + step])
        if drip:
            closing.wait(0.001)
