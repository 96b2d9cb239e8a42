"""What can be done with a request: each action composed of the steps of a ``Transaction``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NoReturn, TypeAlias
from xml.sax.saxutils import escape

from storagekit.testing.proxy.request import Request
from storagekit.testing.proxy.transaction import Action, Transaction

When: TypeAlias = Literal["before forward", "in the body", "after forward, before answer", "after answer"]
"""A moment of a request as the proxy sees it."""


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
        fields = {"Code": code, "Message": "injected by storagekit.testing.proxy", "Resource": request.path}
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
class Strike:
    """Call ``then``, e.g. to kill the client, at one moment of a request; unless it was answered, hang up after it."""

    then: Callable[[], object]
    when: When = "before forward"
    after: int = 0
    """With ``when="in the body"``: bytes of the request body passed on before. A shorter body passes as usual."""

    def apply(self, transaction: Transaction) -> None:
        """As far as told, then the call, then hang up; or all of it, then the call."""
        if self.when == "before forward":
            self._strike(transaction)
        if self.when == "in the body":
            transaction.forward_request(self.after, lambda: self._strike(transaction))
        else:
            transaction.forward_request()
        if self.when == "after forward, before answer":
            transaction.swallow_answer()
            self._strike(transaction)
        transaction.relay_answer()
        if self.when == "after answer":
            self.then()

    def _strike(self, transaction: Transaction) -> NoReturn:
        self.then()
        transaction.hang_up()


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
