"""The HTTP side: from the bytes of a connection to a ``Request``, and from an ``Answer`` back to bytes.

``http.server`` parses; one thread serves each connection, which is kept alive. A body is read while it is stored. What
is left of one that was refused is received and dropped before the answer goes out, so that a client in the middle of
its send gets to read why; a client that waits for "100 Continue" is not asked for it at all then.
"""

from __future__ import annotations

import contextlib
import http
import http.server
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Protocol

from storagekit.testing.emulator.answer import Answer
from storagekit.testing.emulator.body import BLOCK, Incoming, receive_chunked
from storagekit.testing.emulator.refusal import ClientGone, Refusal
from storagekit.testing.emulator.request import Request, parse_request


class Service(Protocol):
    """What answers; it never raises anything but ClientGone."""

    def answer(self, request: Request, body: Incoming) -> Answer:
        """Return the answer to a request."""

    def refuse(self, request: Request, refusal: Refusal) -> Answer:
        """Return the answer that says the refusal."""


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves the requests of one connection. With ``tls`` the handshake is the first thing it does, in its thread."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, service: Service, tls: ssl.SSLContext | None, idle_s: float, *connection: Any) -> None:
        self._service = service
        self._tls = tls
        self._idle_s = idle_s
        self._waits = False
        super().__init__(*connection)

    def setup(self) -> None:
        self.request.settimeout(self._idle_s)
        if self._tls is not None:
            # A copy of the descriptor, because wrapping takes it away: the listener ends the connection by the first.
            self.request = self._tls.wrap_socket(self.request.dup(), server_side=True)
        super().setup()

    def finish(self) -> None:
        super().finish()
        if isinstance(self.request, ssl.SSLSocket):
            with contextlib.suppress(OSError, ValueError):  # the latter where the other side has broken off
                self.request.settimeout(0)
                self.request.unwrap()  # says that this is the end; the answer to that is not waited for
            self.request.close()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name http.server gives it
        """Keep standard error quiet."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what ``http.server`` cannot parse, or has no method for, in the service's own words."""
        self.close_connection = True
        self.request_version = self.protocol_version  # else there is no status line for what looks like HTTP/0.9
        self.command = getattr(self, "command", None) or "GET"
        known = "MethodNotAllowed" if code == http.HTTPStatus.NOT_IMPLEMENTED else "BadRequest"
        self._send(self._service.refuse(Request(self.command, "/"), Refusal(known, message or "Bad request.")))

    def handle_expect_100(self) -> bool:
        self._waits = True
        return True

    def do_GET(self) -> None:
        try:
            with self._body() as body:
                request = parse_request(self.command, self.requestline.split()[1], self.headers.items())
                self._send(self._answer(request, body))
        except (ClientGone, OSError):
            self.close_connection = True
        finally:
            self._waits = False

    def __getattr__(self, name: str) -> Any:
        """Let the service answer every method: http.server would refuse ``do_PUU`` by a page in HTML."""
        if name.startswith("do_"):
            return self.do_GET
        raise AttributeError(name)

    def _answer(self, request: Request, body: Incoming | Refusal) -> Answer:
        if isinstance(body, Refusal):
            self.close_connection = True  # where its body ends is unknown
            return self._service.refuse(request, body)
        answer = self._service.answer(request, body)
        if body.stalled or (self._waits and body.size and not body.touched):
            self.close_connection = True
            return answer
        try:
            body.drain()
        except Refusal as refusal:  # the rest did not come in time
            self.close_connection = True
            return self._service.refuse(request, refusal)
        return answer

    @contextlib.contextmanager
    def _body(self) -> Iterator[Incoming | Refusal]:
        given = self.headers.get("content-length", "").strip()
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            self._go_on()
            self._waits = False
            try:
                file, size = receive_chunked(self.rfile)  # type: ignore[arg-type]  # BufferedIOBase has what is used
            except Refusal as refusal:
                yield refusal
                return
            with file:
                yield Incoming(file, size)  # type: ignore[arg-type]  # typeshed's BinaryIO has no readinto
        elif given and not (given.isascii() and given.isdecimal()):
            yield Refusal("InvalidArgument", "The Content-Length is no number.")
        else:
            yield Incoming(self.rfile, int(given or 0), self._go_on)

    def _go_on(self) -> None:
        if self._waits:
            self.send_response_only(http.HTTPStatus.CONTINUE)
            self.end_headers()

    def _send(self, answer: Answer) -> None:
        with answer.reader or contextlib.nullcontext():
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value.encode("utf-8", "surrogateescape").decode("latin-1"))
            length = len(answer.data) if answer.length is None else answer.length
            if answer.status not in (204, 304):
                self.send_header("Content-Length", str(length))
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            if self.command == "HEAD" or answer.status in (204, 304):
                return
            self.wfile.write(answer.data)
            if answer.reader is not None:
                self._pass_on(answer, length)

    def _pass_on(self, answer: Answer, length: int) -> None:
        """Send ``length`` bytes of the reader. One that fails or is short ends the connection: the head is out."""
        assert answer.reader is not None
        buffer = memoryview(bytearray(min(BLOCK, max(length, 1))))
        try:
            while length:
                count = answer.reader.readinto(buffer[: min(length, len(buffer))])
                if not count:
                    break
                self.wfile.write(buffer[:count])
                length -= count
        except Exception:  # noqa: BLE001  # a driver's own; the client sees a body that is too short
            self.close_connection = True
        if length:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.request.shutdown(socket.SHUT_RDWR)
