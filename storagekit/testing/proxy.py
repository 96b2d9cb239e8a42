"""Faults between a client and a real server: an HTTP-aware proxy for S3 and a byte-exact one for anything on TCP.

How ``FaultProxy`` works
------------------------
Each client connection has one thread and, on demand, one connection to the upstream server; both are kept alive
together. Heads and bodies pass as the bytes they are (Host too, so that SigV4 signatures made for the proxy's address
stay valid), in blocks of at most 256 KiB; only framing is understood: Content-Length, chunked, until close, no body.
While the client's body is awaited the upstream is watched as well, so "100 Continue" passes when it comes and an early
refusal reaches a client that is still sending.

Every request becomes a ``Transaction``. The first ``Fault`` whose predicate says yes has its action applied to it; an
action is any object with ``apply(transaction)`` and is composed of the transaction's steps: ``forward_request``,
``relay_answer``, ``swallow_answer``, ``read_body``, ``answer``, ``pause``, ``hang_up``. Without a fault the action is
``Forward``. What happened is kept as a frozen ``Exchange``.

>>> with FaultProxy("http://127.0.0.1:9000", [Fault(is_complete(), DropAnswer())]) as proxy:
...     upload(endpoint=proxy.endpoint)  # the object is there, the client never heard of it
...     assert proxy.part_puts() == [1, 2, 3]

``TCPProxy`` passes bytes between two sockets with one thread per direction, counts them, and cuts, stalls or delays
after so many of them (``LinkFault``).
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from types import TracebackType
from typing import Literal, NoReturn, Protocol, TypeAlias, final
from xml.sax.saxutils import escape

__all__ = [
    "Action",
    "Answer",
    "CutAnswer",
    "CutRequest",
    "Delay",
    "DropAnswer",
    "Exchange",
    "Fault",
    "FaultProxy",
    "Forward",
    "Garbage",
    "LinkFault",
    "Predicate",
    "Request",
    "Stall",
    "TCPProxy",
    "Transaction",
    "is_abort",
    "is_any",
    "is_complete",
    "is_create_upload",
    "is_get_object",
    "is_head",
    "is_list_parts",
    "is_part",
    "is_put_object",
]

BLOCK = 256 * 1024
"""Most bytes moved at once; each connection holds two such blocks."""
HEAD_BLOCK = 16 * 1024
"""Most bytes read at once while looking for the end of a head or line, to keep bodies out of the slow buffer."""
HEAD_LIMIT = 256 * 1024
LINGER_SECONDS = 1.0
"""How long a connection stays half open after an answer that did not wait for the request body."""

Block: TypeAlias = "bytes | memoryview"


# ---------------------------------------------------------------------------------------------------------------------
# Requests, exchanges and predicates


@dataclass(frozen=True)
class Request:
    """The head of a request."""

    method: str
    path: str
    """The path as sent (percent-encoded), without the query."""
    query: Mapping[str, str]
    """The query, decoded; of a repeated name the last value."""
    headers: Mapping[str, str]
    """Headers by lower-case name; of a repeated name the last value."""
    number: int
    """Rank among all requests of the proxy, from 1."""
    connection: int
    """Rank of its client connection, from 1."""

    @property
    def part_number(self) -> int | None:
        """Part number of an UploadPart, None for anything else."""
        number = self.query.get("partNumber", "")
        if self.method == "PUT" and "uploadId" in self.query and number.isdigit():
            return int(number)
        return None


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


Predicate: TypeAlias = Callable[[Request], bool]


def is_any() -> Predicate:
    """Every request."""
    return lambda _: True


def is_part(*numbers: int) -> Predicate:
    """UploadPart with one of these part numbers; with none given, any UploadPart."""
    return lambda request: request.part_number is not None and (not numbers or request.part_number in numbers)


def is_create_upload() -> Predicate:
    """CreateMultipartUpload."""
    return lambda request: request.method == "POST" and "uploads" in request.query


def is_complete() -> Predicate:
    """CompleteMultipartUpload."""
    return lambda request: request.method == "POST" and "uploadId" in request.query


def is_abort() -> Predicate:
    """AbortMultipartUpload."""
    return lambda request: request.method == "DELETE" and "uploadId" in request.query


def is_list_parts() -> Predicate:
    """ListParts."""
    return lambda request: request.method == "GET" and "uploadId" in request.query


def is_put_object() -> Predicate:
    """PutObject (path-style address: ``/bucket/key``)."""
    return lambda request: request.method == "PUT" and "uploadId" not in request.query and _has_key(request)


def is_get_object() -> Predicate:
    """GetObject (path-style address: ``/bucket/key``)."""
    return lambda request: request.method == "GET" and "uploadId" not in request.query and _has_key(request)


def is_head() -> Predicate:
    """HeadObject or HeadBucket."""
    return lambda request: request.method == "HEAD"


def _has_key(request: Request) -> bool:
    return bool(request.path.lstrip("/").partition("/")[2])


# ---------------------------------------------------------------------------------------------------------------------
# Faults and actions


class Action(Protocol):
    """What to do with a request."""

    def apply(self, transaction: Transaction) -> None:
        """Carry the transaction to its end, step by step; runs in the connection's thread."""


class Fault:
    """``do`` for the requests that ``when`` picks: the first ``skip`` of them pass, then ``times`` (None: all) do not.

    A request for which several faults would act gets the first in the list; the others do not count it.
    """

    def __init__(self, when: Predicate, do: Action, times: int | None = 1, skip: int = 0) -> None:
        self.when = when
        self.do = do
        self.times = times
        self.skip = skip
        self._lock = threading.Lock()
        self._seen = 0

    def __repr__(self) -> str:
        return f"Fault({self.do!r}, times={self.times}, skip={self.skip}, fired={self.fired})"

    @property
    def fired(self) -> int:
        """How often it has acted."""
        return max(0, self._seen - self.skip)

    def take(self, request: Request) -> bool:
        """Whether it acts on this request; counts."""
        if not self.when(request):
            return False
        with self._lock:
            if self.times is not None and self._seen >= self.skip + self.times:
                return False
            self._seen += 1
            return self._seen > self.skip


@dataclass(frozen=True)
class Forward:
    """Pass the request on and the answer back: no fault."""

    def apply(self, transaction: Transaction) -> None:
        """Forward and relay."""
        transaction.forward_request()
        transaction.relay_answer()


@dataclass(frozen=True)
class Answer:
    """Answer with a status and S3 error XML instead of the server.

    ``status=200`` is the S3 classic of a complete that fails after the head has been sent. With ``forward`` the server
    does the request first and its answer is dropped. Otherwise the request body is read first, or, with
    ``read_body=False``, left in the socket: the answer goes out at once and the connection ends a second later.
    """

    status: int
    code: str = ""
    """S3 error code; by default the usual one for the status."""
    message: str = "injected by storagekit.testing.proxy"
    retry_after: str | int | None = None
    read_body: bool = True
    forward: bool = False
    body: bytes | None = None
    """Instead of the error XML."""

    def apply(self, transaction: Transaction) -> None:
        """Read or forward the request as told, then answer."""
        if self.forward:
            transaction.forward_request()
            transaction.swallow_answer()
        elif self.read_body:
            transaction.read_body()
        extra = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        body = self._xml(transaction.request) if self.body is None else self.body
        transaction.answer(self.status, body, extra)

    def _xml(self, request: Request) -> bytes:
        code = self.code or _CODES.get(self.status, "InternalError")
        fields = {"Code": code, "Message": self.message, "Resource": request.path}
        text = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
        return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{text}</Error>'.encode()


_CODES = {
    400: "RequestTimeout",
    403: "AccessDenied",
    404: "NoSuchUpload",
    409: "OperationAborted",
    412: "PreconditionFailed",
    429: "TooManyRequests",
    503: "SlowDown",
}


@dataclass(frozen=True)
class DropAnswer:
    """Let the server do the request, take its whole answer, and close the client's connection without a word."""

    reset: bool = False
    """Close with a TCP reset."""
    then: Callable[[], object] | None = None
    """Called when the server has answered and before the client can notice, e.g. to kill the client."""

    def apply(self, transaction: Transaction) -> None:
        """Forward, swallow, hang up."""
        transaction.forward_request()
        transaction.swallow_answer()
        if self.then is not None:
            self.then()
        transaction.hang_up(reset=self.reset)


@dataclass(frozen=True)
class CutRequest:
    """Close both connections when ``after`` bytes of the request body have been passed on (and more would follow)."""

    after: int
    reset: bool = False

    def apply(self, transaction: Transaction) -> None:
        """Forward up to the mark; without that many bytes, as usual."""
        transaction.forward_request(self.after, lambda: transaction.hang_up(reset=self.reset))
        transaction.relay_answer()


@dataclass(frozen=True)
class CutAnswer:
    """Close both connections when ``after`` bytes of the answer's body have been passed (and more would follow)."""

    after: int
    reset: bool = False
    """Close with a TCP reset: the kernel may then drop bytes of the ``after``."""

    def apply(self, transaction: Transaction) -> None:
        """Relay up to the mark; without that many bytes, as usual."""
        transaction.forward_request()
        transaction.relay_answer(self.after, lambda: transaction.hang_up(reset=self.reset))


@dataclass(frozen=True)
class Stall:
    """Pass nothing on for ``seconds`` once ``after`` bytes of a body have passed, then go on."""

    seconds: float
    after: int = 0
    where: Literal["request", "answer"] = "request"

    def apply(self, transaction: Transaction) -> None:
        """Forward and relay with one pause."""
        at, then = self.after, lambda: transaction.pause(self.seconds)
        in_request = self.where == "request"
        transaction.forward_request(*((at, then) if in_request else ()))
        transaction.relay_answer(*(() if in_request else (at, then)))


@dataclass(frozen=True)
class Delay:
    """Wait, then do ``do``: by default forward, late but right."""

    seconds: float
    do: Action = field(default_factory=Forward)

    def apply(self, transaction: Transaction) -> None:
        """Pause, then the other action."""
        transaction.pause(self.seconds)
        self.do.apply(transaction)


@dataclass(frozen=True)
class Garbage:
    """Send ``data`` as the whole answer and close."""

    data: bytes = b"\x00\xffnot HTTP at all\r\n\r\n"
    read_body: bool = True

    def apply(self, transaction: Transaction) -> None:
        """Read the body if told, then send and hang up."""
        if self.read_body:
            transaction.read_body()
        transaction.send_raw(self.data)
        transaction.hang_up()


# ---------------------------------------------------------------------------------------------------------------------
# Sockets and framing


class _ClosedError(OSError):
    """The other side closed in the middle of something, or what it sends makes no sense."""


class _HungUpError(Exception):
    """An action has ended the connection."""


class _EarlyAnswerError(Exception):
    """The server answers while the request body is still coming in."""


class _Wire:
    """A socket with a buffer for what was read past a head. Blocks are views, good until the next read."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.before_receiving: Callable[[], None] | None = None
        self._held = bytearray()
        self._block = memoryview(bytearray(BLOCK))

    @property
    def readable(self) -> bool:
        """Whether a read would not wait (end of stream included)."""
        return bool(self._held) or bool(_readable(0, self.sock))

    def send(self, data: Block) -> None:
        self.sock.sendall(data)

    def unread(self, data: bytes) -> None:
        self._held[:0] = data

    def some(self, limit: int = BLOCK) -> memoryview:
        """At least one byte, at most ``limit``; empty at the end of the stream."""
        if not self._held:
            return self._receive(limit)
        taken = bytes(self._held[:limit])
        del self._held[:limit]
        return memoryview(taken)

    def line(self) -> bytes:
        return self._until(b"\r\n")

    def head(self) -> bytes:
        """Up to the empty line; empty when the stream ends before the first byte."""
        try:
            return self._until(b"\r\n\r\n")
        except _ClosedError:
            if self._held:
                raise
            return b""

    def _until(self, mark: bytes) -> bytes:
        while (at := self._held.find(mark)) < 0:
            received = self._receive(HEAD_BLOCK)
            if not received or len(self._held) > HEAD_LIMIT:
                raise _ClosedError("closed within a head")
            self._held += received
        taken = bytes(self._held[: at + len(mark)])
        del self._held[: len(taken)]
        return taken

    def _receive(self, limit: int) -> memoryview:
        if self.before_receiving is not None:
            self.before_receiving()
        return self._block[: self.sock.recv_into(self._block, min(limit, BLOCK))]

    def close(self, *, reset: bool = False) -> None:
        _close(self.sock, reset=reset)


def _readable(timeout: float | None, *socks: socket.socket) -> set[int]:
    """Descriptors of the sockets with something to read."""
    # poll, not select: a test process with 1024 descriptors open would otherwise fail here.
    poller = select.poll()
    for sock in socks:
        poller.register(sock, select.POLLIN)
    return {descriptor for descriptor, _ in poller.poll(None if timeout is None else timeout * 1000)}


def _close(sock: socket.socket, *, reset: bool = False) -> None:
    with contextlib.suppress(OSError):
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            sock.shutdown(socket.SHUT_RDWR)
    sock.close()


@dataclass(frozen=True)
class _Head:
    """The head of a message: its bytes, its first line split, its headers."""

    raw: bytes
    first: tuple[str, str, str]
    headers: dict[str, str]

    @property
    def status(self) -> int:
        return _number(self.first[1])

    @property
    def closing(self) -> bool:
        return "HTTP/1.0" in self.first or "close" in self.headers.get("connection", "").lower()


def _number(text: str, base: int = 10) -> int:
    try:
        return int(text, base)
    except ValueError:
        raise _ClosedError(f"not HTTP: {text!r} where a number should be") from None


def _parse_head(raw: bytes) -> _Head:
    lines = raw.decode("latin-1").split("\r\n")
    one, two, three = [*lines[0].split(" ", 2), "", ""][:3]
    pairs = (line.partition(":") for line in lines[1:] if line)
    return _Head(raw, (one, two, three), {name.strip().lower(): value.strip() for name, _, value in pairs})


def _request_body(wire: _Wire, head: _Head) -> Iterator[Block]:
    if _is_chunked(head):
        return _chunks(wire)
    return _sized(wire, _number(head.headers.get("content-length", "0")))


def _answer_body(wire: _Wire, head: _Head, method: str) -> Iterator[Block]:
    length = _known_length(head, method)
    if length is not None:
        return _sized(wire, length)
    return _chunks(wire) if _is_chunked(head) else _to_end(wire)


def _known_length(head: _Head, method: str) -> int | None:
    """Length of an answer's body, None when only its end will tell."""
    if _bodiless(head, method):
        return 0
    return (
        None if _is_chunked(head) or "content-length" not in head.headers else _number(head.headers["content-length"])
    )


def _bodiless(head: _Head, method: str) -> bool:
    return method == "HEAD" or head.status in (204, 304)


def _is_chunked(head: _Head) -> bool:
    return "chunked" in head.headers.get("transfer-encoding", "").lower()


def _ends_by_closing(head: _Head, method: str) -> bool:
    return head.closing or (_known_length(head, method) is None and not _is_chunked(head))


def _sized(wire: _Wire, length: int) -> Iterator[Block]:
    while length > 0:
        block = wire.some(length)
        if not block:
            raise _ClosedError(f"closed {length} bytes before the end of a body")
        length -= len(block)
        yield block


def _chunks(wire: _Wire) -> Iterator[Block]:
    size = -1
    while size != 0:
        line = wire.line()
        yield line
        size = _number(line.partition(b";")[0].decode("latin-1"), 16)
        if size > 0:
            yield from _sized(wire, size + 2)
    while line != b"\r\n":  # trailers, then the empty line
        line = wire.line()
        yield line


def _to_end(wire: _Wire) -> Iterator[Block]:
    while block := wire.some():
        yield block


def _marked(blocks: Iterable[Block], at: int | None, then: Callable[[], object] | None) -> Iterator[Block]:
    """The blocks, calling ``then`` between byte ``at`` and the one after it; never if there is none after it."""
    seen = 0
    for block in blocks:
        start, seen = seen, seen + len(block)
        if at is None or then is None or not start <= at < seen:
            yield block
            continue
        yield block[: at - start]
        then()
        yield block[at - start :]


# ---------------------------------------------------------------------------------------------------------------------
# One request


class Transaction:
    """A request under way, and the steps an action may take with it. Each step is taken at most once."""

    def __init__(self, request: Request, head: _Head, connection: _Connection) -> None:
        self.request = request
        """The request's head."""
        self.keep_alive = not head.closing
        """Whether the client's connection may serve another request."""
        self.fault: Action | None = None
        self._head = head
        self._connection = connection
        self._client = connection.client
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

    def run(self, fault: Action | None) -> None:
        """Apply the fault's action, or forward."""
        self.fault = fault
        (fault or Forward()).apply(self)

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
        upstream = self._connection.fresh_upstream()
        upstream.send(self._head.raw)
        self._client.before_receiving = self._await_client
        try:
            for block in _marked(self._counted_body(), at, then):
                self._pass_on(upstream, block)
        except _EarlyAnswerError:
            self._early = True
            self.keep_alive = False
        finally:
            self._client.before_receiving = None

    def relay_answer(self, at: int | None = None, then: Callable[[], object] | None = None) -> None:
        """Pass the server's answer back; ``then`` is called when ``at`` bytes of its body have been."""
        head = self._answer_head()
        self._status = head.status
        length = _known_length(head, self.request.method)
        self._complete = length == 0
        self._client.send(head.raw)
        for block in _marked(_answer_body(self._upstream, head, self.request.method), at, then):
            self._answer_bytes += len(block)
            self._complete = self._answer_bytes == length
            self._client.send(block)
        self._complete = True
        self.keep_alive &= not _ends_by_closing(head, self.request.method)
        if self._early:
            self._linger(reading=True)

    def swallow_answer(self) -> None:
        """Take the server's whole answer and keep it."""
        head = self._answer_head(relay_interim=False)
        for _ in _answer_body(self._upstream, head, self.request.method):
            pass
        if _ends_by_closing(head, self.request.method):
            self._connection.drop_upstream()

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
        self._connection.pause(seconds)

    def hang_up(self, *, reset: bool = False) -> NoReturn:
        """Close both connections now."""
        self._connection.drop_upstream(reset=reset)
        self._client.close(reset=reset)
        raise _HungUpError

    @property
    def _upstream(self) -> _Wire:
        return self._connection.current_upstream()

    @property
    def _has_body(self) -> bool:
        return _is_chunked(self._head) or self._head.headers.get("content-length", "0") != "0"

    def _counted_body(self) -> Iterator[Block]:
        for block in _request_body(self._client, self._head):
            self._request_bytes += len(block)
            yield block
        self._body_taken = True

    def _await_client(self) -> None:
        """Return when the client has something to read; pass interim answers meanwhile."""
        upstream = self._upstream
        while True:
            ready = _readable(None, self._client.sock, upstream.sock)
            if upstream.sock.fileno() in ready:
                self._meet_early_answer(upstream)
            elif ready:
                return

    def _meet_early_answer(self, upstream: _Wire) -> None:
        raw = upstream.head()
        if not raw:
            raise _ClosedError("the server closed within the request")
        if 100 <= _parse_head(raw).status < 200:
            self._client.send(raw)
        else:
            upstream.unread(raw)
            raise _EarlyAnswerError

    def _pass_on(self, upstream: _Wire, block: Block) -> None:
        try:
            upstream.send(block)
        except OSError:
            # A server that refuses may close at once; its answer is then still there to be read.
            if upstream.readable:
                raise _EarlyAnswerError from None
            raise

    def _answer_head(self, *, relay_interim: bool = True) -> _Head:
        while True:
            raw = self._upstream.head()
            if not raw:
                raise _ClosedError("the server closed without an answer")
            head = _parse_head(raw)
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
                self._connection.pause(LINGER_SECONDS)


class _Connection:
    """One client connection and its upstream connection, served by one thread."""

    def __init__(self, sock: socket.socket, number: int, core: _Core) -> None:
        self.client = _Wire(sock)
        self._number = number
        self._core = core
        self._upstream: _Wire | None = None

    def serve(self) -> None:
        try:
            with contextlib.suppress(OSError):  # the client left between two requests
                while (raw := self.client.head()) and self._one(_parse_head(raw)):
                    pass
        finally:
            self.drop_upstream()
            self.client.close()

    def fresh_upstream(self) -> _Wire:
        """A connection the server has not ended: one that is readable before it was asked anything is at its end."""
        if self._upstream is not None and self._upstream.readable:
            self.drop_upstream()
        if self._upstream is None:
            self._upstream = _Wire(self._core.connect())
        return self._upstream

    def current_upstream(self) -> _Wire:
        if self._upstream is None:
            raise _ClosedError("the request has not been forwarded")
        return self._upstream

    def drop_upstream(self, *, reset: bool = False) -> None:
        if self._upstream is not None:
            self._core.forget(self._upstream.sock)
            self._upstream.close(reset=reset)
            self._upstream = None

    def pause(self, seconds: float) -> None:
        self._core.pause(seconds)

    def _one(self, head: _Head) -> bool:
        """Serve a request; whether another may follow."""
        transaction = self._core.open_transaction(head, self._number, self)
        error = "an exception in a callback or action"
        try:
            self._core.meet(transaction)
            error = ""
        except _HungUpError:
            error = "hung up"
        except OSError as problem:
            error = str(problem) or type(problem).__name__
        finally:
            transaction.finish(error)
        return transaction.keep_alive and not error


# ---------------------------------------------------------------------------------------------------------------------
# Listening


class _Listener:
    """Accepts connections and serves each in a thread; ``close`` cuts all sockets and waits for the threads."""

    def __init__(self, host: str, port: int, serve: Callable[[socket.socket], None]) -> None:
        self.closing = threading.Event()
        self._socket = socket.create_server((host, port), backlog=128)
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        self._serve = serve
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()
        self._acceptor = threading.Thread(target=self._accept, name=f"proxy-{self.address[1]}", daemon=True)
        self._acceptor.start()

    def track(self, sock: socket.socket) -> None:
        """Have ``close`` cut this socket."""
        with self._lock:
            self._open.add(sock)
            if self.closing.is_set():
                _shut(sock)

    def forget(self, sock: socket.socket) -> None:
        with self._lock:
            self._open.discard(sock)

    def pause(self, seconds: float) -> None:
        # Event.wait refuses more than about 292 years, infinity in particular.
        self.closing.wait(seconds if seconds < threading.TIMEOUT_MAX else None)

    def close(self) -> None:
        self.closing.set()
        _shut(self._socket)  # on Linux this ends the accept under way; closing alone would not
        self._acceptor.join()
        self._socket.close()
        with self._lock:
            for sock in self._open:
                _shut(sock)
            threads = list(self._threads)
        for thread in threads:
            thread.join(timeout=5)

    def _accept(self) -> None:
        self._socket.settimeout(0.2)  # where a shut listener does not wake up accept (macOS)
        while not self.closing.is_set():
            with contextlib.suppress(OSError):
                self._start(self._socket.accept()[0])

    def _start(self, sock: socket.socket) -> None:
        sock.settimeout(None)
        thread = threading.Thread(target=self._run, args=(sock,), daemon=True)
        with self._lock:
            self._open.add(sock)
            self._threads.add(thread)
        thread.start()

    def _run(self, sock: socket.socket) -> None:
        try:
            self._serve(sock)
        finally:
            self.forget(sock)
            sock.close()
            with self._lock:
                self._threads.discard(threading.current_thread())


def _shut(sock: socket.socket, how: int = socket.SHUT_RDWR) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(how)


def _address(endpoint: str) -> tuple[str, int]:
    parts = urllib.parse.urlsplit(endpoint)
    if parts.scheme != "http" or parts.hostname is None:
        raise ValueError(f"not an http endpoint: {endpoint!r}")
    return parts.hostname, parts.port or 80


class _Core:
    """What the connections of a FaultProxy share."""

    def __init__(self, upstream: tuple[str, int], owner: FaultProxy) -> None:
        self.upstream = upstream
        self.listener: _Listener | None = None
        self._owner = owner
        self._lock = threading.Lock()
        self._transactions: list[Transaction] = []
        self._requests = 0
        self._connections = 0

    def serve(self, sock: socket.socket) -> None:
        with self._lock:
            self._connections += 1
            number = self._connections
        _Connection(sock, number, self).serve()

    @property
    def transactions(self) -> list[Transaction]:
        with self._lock:
            return list(self._transactions)

    def clear(self) -> None:
        with self._lock:
            self._transactions.clear()

    def open_transaction(self, head: _Head, connection: int, owner: _Connection) -> Transaction:
        method, target, _ = head.first
        path, _, query = target.partition("?")
        pairs = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        with self._lock:
            self._requests += 1
            request = Request(method, path, pairs, head.headers, self._requests, connection)
            transaction = Transaction(request, head, owner)
            self._transactions.append(transaction)
        return transaction

    def meet(self, transaction: Transaction) -> None:
        """Tell the callback, find the fault, act."""
        request = transaction.request
        if self._owner.on_request is not None:
            self._owner.on_request(request)
        fault = next((fault for fault in list(self._owner.faults) if fault.take(request)), None)
        transaction.run(None if fault is None else fault.do)

    def connect(self) -> socket.socket:
        sock = socket.create_connection(self.upstream, timeout=10)
        sock.settimeout(None)
        if self.listener is not None:
            self.listener.track(sock)
        return sock

    def forget(self, sock: socket.socket) -> None:
        if self.listener is not None:
            self.listener.forget(sock)

    def pause(self, seconds: float) -> None:
        if self.listener is not None:
            self.listener.pause(seconds)


@final
class FaultProxy:
    """An HTTP proxy in front of a real S3 server; a context manager, or ``start`` and ``close``.

    ``faults`` is an ordinary list, looked at once per request: change or replace it while the proxy runs.
    ``on_request`` is called in the connection's thread with every request, after its head has arrived and before
    anything is done about it, e.g. to kill a process at the n-th UploadPart.
    """

    def __init__(
        self,
        upstream_endpoint: str,
        faults: Sequence[Fault] = (),
        *,
        on_request: Callable[[Request], object] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.upstream_endpoint = upstream_endpoint
        self.faults = list(faults)
        self.on_request = on_request
        self._address = (host, port)
        self._core = _Core(_address(upstream_endpoint), self)

    def __enter__(self) -> FaultProxy:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def start(self) -> FaultProxy:
        """Listen and serve in background threads."""
        self._core.listener = _Listener(*self._address, self._core.serve)
        self._address = self._core.listener.address
        return self

    def close(self) -> None:
        """Stop listening, cut what is connected, wait for the threads. The log stays."""
        if self._core.listener is not None:
            self._core.listener.close()

    @property
    def host(self) -> str:
        """Address listened on."""
        return self._address[0]

    @property
    def port(self) -> int:
        """Port listened on."""
        return self._address[1]

    @property
    def endpoint(self) -> str:
        """What to give the client instead of the server's endpoint."""
        return f"http://{self.host}:{self.port}"

    @property
    def exchanges(self) -> list[Exchange]:
        """All requests in the order they came in, those under way as they stand."""
        return [transaction.exchange() for transaction in self._core.transactions]

    def matching(self, when: Predicate) -> list[Exchange]:
        """The exchanges of the requests that ``when`` picks."""
        return [exchange for exchange in self.exchanges if when(exchange)]

    def count(self, when: Predicate) -> int:
        """Number of requests that ``when`` picks."""
        return len(self.matching(when))

    def part_puts(self, status: int | None = None) -> list[int]:
        """Part numbers of all UploadParts that came in, in order; with ``status``, of those the server answered so."""
        puts = [exchange for exchange in self.exchanges if status in (None, exchange.upstream_status)]
        return [exchange.part_number for exchange in puts if exchange.part_number is not None]

    def wait_idle(self, timeout: float = 5.0) -> bool:
        """Wait until no request is under way; False when that takes longer."""
        deadline = time.monotonic() + timeout
        while not all(exchange.finished for exchange in self.exchanges):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True

    def clear(self) -> None:
        """Forget the log; the faults and their counts stay."""
        self._core.clear()


# ---------------------------------------------------------------------------------------------------------------------
# Bytes only


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
    reset: bool = False
    """Cut with a TCP reset, which may overtake the last bytes."""
    times: int | None = None
    """How many cuts and stalls in all; None for one each per connection."""


class _Way:
    """One direction of all connections: the fault in force, the bytes passed."""

    def __init__(self, fault: LinkFault) -> None:
        self._lock = threading.Lock()
        self.bytes = 0
        self.change(fault)

    def change(self, fault: LinkFault) -> None:
        self.fault = fault
        self._left = fault.times

    def add(self, count: int) -> None:
        with self._lock:
            self.bytes += count

    def hit(self) -> bool:
        with self._lock:
            left = self._left
            if left is not None:
                self._left = max(0, left - 1)
            return left is None or left > 0


class _Pump:
    """Moves bytes from one socket to another, with the faults of its direction."""

    def __init__(self, way: _Way, source: socket.socket, sink: socket.socket, listener: _Listener) -> None:
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
                    _shut(self._sink, socket.SHUT_WR)
                    break
                self._pass_on(block[:taken])
        except OSError:
            self._end(reset=False)  # one socket failed: the other direction must not wait for it

    def _pass_on(self, block: memoryview) -> None:
        delay = self._way.fault.delay_seconds
        if delay > 0:
            self._listener.pause(delay)
        self._passed += len(block)
        self._way.add(len(block))
        self._sink.sendall(block)

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
            with contextlib.suppress(OSError):
                if reset:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            _shut(sock, socket.SHUT_RD if reset else socket.SHUT_RDWR)


@final
class TCPProxy:
    """Passes bytes to ``host:port`` and back; a context manager, or ``start`` and ``close``.

    ``up`` is the direction to the server, ``down`` the one to the client. Both faults may be replaced while it runs;
    a connection that is waiting for bytes at that moment takes one more block (256 KiB) under the old one.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        up: LinkFault | None = None,
        down: LinkFault | None = None,
        listen_host: str = "127.0.0.1",
        listen_port: int = 0,
    ) -> None:
        self._upstream = (host, port)
        self._address = (listen_host, listen_port)
        self._up = _Way(up or LinkFault())
        self._down = _Way(down or LinkFault())
        self._lock = threading.Lock()
        self._connections = 0
        self._listener: _Listener | None = None

    def __enter__(self) -> TCPProxy:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def start(self) -> TCPProxy:
        """Listen and serve in background threads."""
        self._listener = _Listener(*self._address, self._serve)
        self._address = self._listener.address
        return self

    def close(self) -> None:
        """Stop listening, cut what is connected, wait for the threads."""
        if self._listener is not None:
            self._listener.close()

    @property
    def host(self) -> str:
        """Address listened on."""
        return self._address[0]

    @property
    def port(self) -> int:
        """Port listened on."""
        return self._address[1]

    @property
    def endpoint(self) -> str:
        """The address as an http URL."""
        return f"http://{self.host}:{self.port}"

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

    @property
    def connections(self) -> int:
        """Connections accepted so far."""
        return self._connections

    def _serve(self, client: socket.socket) -> None:
        listener = self._listener
        with self._lock:
            self._connections += 1
        with contextlib.suppress(OSError):
            if listener is not None:
                with socket.create_connection(self._upstream, timeout=10) as upstream:
                    upstream.settimeout(None)
                    self._join(client, upstream, listener)

    def _join(self, client: socket.socket, upstream: socket.socket, listener: _Listener) -> None:
        listener.track(upstream)
        for sock in (client, upstream):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        up = threading.Thread(target=_Pump(self._up, client, upstream, listener).run, daemon=True)
        up.start()
        _Pump(self._down, upstream, client, listener).run()
        up.join()
        listener.forget(upstream)
