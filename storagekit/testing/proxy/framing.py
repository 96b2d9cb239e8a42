"""Where an HTTP message ends: heads, and bodies by length, by chunks or by the end of the connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from storagekit.testing.proxy.wire import Block, ClosedError, Wire


@dataclass(frozen=True)
class Head:
    """The head of a message: its bytes, its first line split, its headers."""

    raw: bytes
    first: tuple[str, str, str]
    headers: dict[str, str]

    @property
    def status(self) -> int:
        """Status of an answer's head."""
        return _number(self.first[1])

    @property
    def closing(self) -> bool:
        """Whether its sender wants the connection to end."""
        return "HTTP/1.0" in self.first or "close" in self.headers.get("connection", "").lower()


def _number(text: str, base: int = 10) -> int:
    try:
        return int(text, base)
    except ValueError:
        raise ClosedError(f"not HTTP: {text!r} where a number should be") from None


def parse_head(raw: bytes) -> Head:
    """A head from its bytes; nothing of it is checked."""
    lines = raw.decode("latin-1").split("\r\n")
    one, two, three = [*lines[0].split(" ", 2), "", ""][:3]
    pairs = (line.partition(":") for line in lines[1:] if line)
    return Head(raw, (one, two, three), {name.strip().lower(): value.strip() for name, _, value in pairs})


def request_body(wire: Wire, head: Head) -> Iterator[Block]:
    """The blocks of a request's body, chunk framing included."""
    if is_chunked(head):
        return _chunks(wire)
    return _sized(wire, _number(head.headers.get("content-length", "0")))


def answer_body(wire: Wire, head: Head, method: str) -> Iterator[Block]:
    """The blocks of an answer's body, chunk framing included."""
    length = known_length(head, method)
    if length is not None:
        return _sized(wire, length)
    return _chunks(wire) if is_chunked(head) else _to_end(wire)


def known_length(head: Head, method: str) -> int | None:
    """Length of an answer's body, None when only its end will tell."""
    if _bodiless(head, method):
        return 0
    if is_chunked(head) or "content-length" not in head.headers:
        return None
    return _number(head.headers["content-length"])


def _bodiless(head: Head, method: str) -> bool:
    return method == "HEAD" or head.status in (204, 304)


def is_chunked(head: Head) -> bool:
    """Whether the body comes in chunks."""
    return "chunked" in head.headers.get("transfer-encoding", "").lower()


def ends_by_closing(head: Head, method: str) -> bool:
    """Whether the connection is over with this answer."""
    return head.closing or (known_length(head, method) is None and not is_chunked(head))


def _sized(wire: Wire, length: int) -> Iterator[Block]:
    while length > 0:
        block = wire.some(length)
        if not block:
            raise ClosedError(f"closed {length} bytes before the end of a body")
        length -= len(block)
        yield block


def _chunks(wire: Wire) -> Iterator[Block]:
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


def _to_end(wire: Wire) -> Iterator[Block]:
    while block := wire.some():
        yield block


def marked(blocks: Iterable[Block], at: int | None, then: Callable[[], object] | None) -> Iterator[Block]:
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
