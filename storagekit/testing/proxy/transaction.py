"""A request under way: the steps an action may take with it, and the log's account of it."""

from __future__ import annotations

import contextlib
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import NoReturn, Protocol

from storagekit.testing.proxy.framing import (
    Head,
    answer_body,
    ends_by_closing,
    is_chunked,
    known_length,
    marked,
    parse_head,
    request_body,
)
from storagekit.testing.proxy.link import Link
from storagekit.testing.proxy.request import Request
from storagekit.testing.proxy.wire import Block, ClosedError, Wire, readable

LINGER_SECONDS = 1.0
"""How long a connection stays half open after an answer that did not wait for the request body."""


class Action(Protocol):
    """What to do with a request."""

    def apply(self, transaction: Transaction) -> None:
        """Carry the transaction to its end, step by step; runs in the connection's thread."""


@dataclass(frozen=True)
class Exchange(Request):
    """A request and what became of it."""

    request_bytes: int
    """Bytes of the request body taken from the client (with chunk framing, if chunked)."""
    status: int
    """Status the client was sent; 0 for none."""
    upstream_status: int
    """Status the server answered; 0 when it was not asked or did not answer."""
    answer_bytes: int
    """Bytes of the answer's body sent to the client (with chunk framing, if chunked)."""
    complete: bool
    """Whether the client was sent a whole answer."""
    finished: bool
    """Whether the proxy is done with it, well or badly."""
    fault: Action | None
    """The action of the fault applied, None for plain forwarding."""
    error: str
    """Why it ended early: empty, "hung up", or the error of a socket."""
    seconds: float
    """From the end of the request's head to the end of the exchange."""


class HungUpError(Exception):
    """An action has ended the connection."""


class EarlyAnswerError(Exception):
    """The server answers while the request body is still coming in."""


class Transaction:
    """A request under way, and the steps an action may take with it. Each step is taken at most once."""

    def __init__(self, request: Request, head: Head, link: Link) -> None:
        self.request = request
        """The request's head."""
        self.keep_alive = not head.closing
        """Whether the client's connection may serve another request."""
        self.fault: Action | None = None
        """The action of the fault applied, None for plain forwarding."""
        self._head = head
        self._link = link
        self._client = link.client
        self._body_taken = False
        self._early = False
        self._began = time.monotonic()
        # What the log shows. All of it is set before the bytes that tell the client are sent, so that a client which
        # has its answer finds it in the log; only the end of a chunked answer may show a moment later.
        self._status = 0
        self._upstream_status = 0
        self._request_bytes = 0
        self._answer_bytes = 0
        self._complete = False
        self._error = ""
        self._seconds: float | None = None

    def finish(self, error: str) -> None:
        """Nothing more will happen."""
        self._error = error
        self._complete = self._complete and not error
        self._seconds = time.monotonic() - self._began

    def exchange(self) -> Exchange:
        """The log's entry as it stands."""
        seconds = self._seconds
        return Exchange(
            **vars(self.request),
            request_bytes=self._request_bytes,
            status=self._status,
            upstream_status=self._upstream_status,
            answer_bytes=self._answer_bytes,
            complete=self._complete,
            finished=seconds is not None,
            fault=self.fault,
            error=self._error,
            seconds=time.monotonic() - self._began if seconds is None else seconds,
        )

    def forward_request(self, at: int | None = None, then: Callable[[], object] | None = None) -> None:
        """Pass the request on; ``then`` is called when ``at`` bytes of its body have been (and more is there)."""
        upstream = self._link.fresh_upstream()
        upstream.send(self._head.raw)
        self._client.before_receiving = self._await_client
        try:
            for block in marked(self._counted_body(), at, then):
                self._pass_on(upstream, block)
        except EarlyAnswerError:
            self._early = True
            self.keep_alive = False
        finally:
            self._client.before_receiving = None

    def relay_answer(self, at: int | None = None, then: Callable[[], object] | None = None) -> None:
        """Pass the server's answer back; ``then`` is called when ``at`` bytes of its body have been."""
        head = self._answer_head()
        self._status = head.status
        length = known_length(head, self.request.method)
        self._complete = length == 0
        self._client.send(head.raw)
        for block in marked(answer_body(self._link.upstream, head, self.request.method), at, then):
            self._answer_bytes += len(block)
            self._complete = self._answer_bytes == length
            self._client.send(block)
        self._complete = True
        self.keep_alive &= not ends_by_closing(head, self.request.method)
        if self._early:
            self._linger(reading=True)

    def swallow_answer(self) -> None:
        """Take the server's whole answer and keep it."""
        head = self._answer_head(relay_interim=False)
        for _ in answer_body(self._link.upstream, head, self.request.method):
            pass
        if ends_by_closing(head, self.request.method):
            self._link.drop_upstream()

    def read_body(self) -> None:
        """Take the request body without passing it on, telling a client that asks to continue."""
        if "100-continue" in self._head.headers.get("expect", "").lower():
            self._client.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        for _ in self._counted_body():
            pass

    def answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Answer the client; when its body has not been taken, the connection ends after that."""
        self.keep_alive &= self._body_taken or not self._has_body
        self._status = status
        self._answer_bytes = 0 if self.request.method == "HEAD" else len(body)
        self._complete = True
        self._client.send(self._own_answer(status, body, headers or {}))
        if self._has_body and not self._body_taken:
            self._linger(reading=False)

    def send_raw(self, data: bytes) -> None:
        """Send the client these very bytes."""
        self._client.send(data)

    def pause(self, seconds: float) -> None:
        """Wait, until the proxy closes at most; ``math.inf`` is for ever."""
        self._link.pause(seconds)

    def hang_up(self, *, reset: bool = False) -> NoReturn:
        """Close both connections now."""
        self._link.close(reset=reset)
        raise HungUpError

    @property
    def _has_body(self) -> bool:
        return is_chunked(self._head) or self._head.headers.get("content-length", "0") != "0"

    def _counted_body(self) -> Iterator[Block]:
        for block in request_body(self._client, self._head):
            self._request_bytes += len(block)
            yield block
        self._body_taken = True

    def _await_client(self) -> None:
        """Return when the client has something to read; pass interim answers meanwhile."""
        upstream = self._link.upstream
        while True:
            ready = readable(None, self._client.sock, upstream.sock)
            if upstream.sock.fileno() in ready:
                self._meet_early_answer(upstream)
            elif ready:
                return

    def _meet_early_answer(self, upstream: Wire) -> None:
        raw = upstream.head()
        if not raw:
            raise ClosedError("the server closed within the request")
        if 100 <= parse_head(raw).status < 200:
            self._client.send(raw)
        else:
            upstream.unread(raw)
            raise EarlyAnswerError

    def _pass_on(self, upstream: Wire, block: Block) -> None:
        try:
            upstream.send(block)
        except OSError:
            # A server that refuses may close at once; its answer is then still there to be read.
            if upstream.readable:
                raise EarlyAnswerError from None
            raise

    def _answer_head(self, *, relay_interim: bool = True) -> Head:
        while True:
            raw = self._link.upstream.head()
            if not raw:
                raise ClosedError("the server closed without an answer")
            head = parse_head(raw)
            self._upstream_status = head.status
            if head.status >= 200 or head.status == 101:
                return head
            if relay_interim:
                self._client.send(raw)

    def _own_answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> bytes:
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"Date: {formatdate(usegmt=True)}"]
        lines += [f"x-amz-request-id: {uuid.uuid4().hex[:16].upper()}", "Server: storagekit-fault-proxy"]
        lines += ["Content-Type: application/xml", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [] if self.keep_alive else ["Connection: close"]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        return head if self.request.method == "HEAD" else head + body

    def _linger(self, *, reading: bool) -> None:
        """Half-close, so that a client still sending finds the answer before the reset that unread bytes cause."""
        with contextlib.suppress(OSError):
            self._client.sock.shutdown(socket.SHUT_WR)
            if reading:
                self._client.sock.settimeout(LINGER_SECONDS)
                while self._client.some():
                    pass
            else:
                self._link.pause(LINGER_SECONDS)
