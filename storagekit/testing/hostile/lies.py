"""The lies: functions that turn an honest answer into another one. Each takes the request and the answer so far."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from storagekit.testing.hostile.site import Lie
from storagekit.testing.hostile.wire import Answer, Request

When = Callable[[Request], bool]


def when(condition: When, *lies: Lie) -> Lie:
    """Tell the lies only to the requests that ``condition`` holds for."""

    def lie(request: Request, answer: Answer) -> Answer:
        for one in lies if condition(request) else ():
            answer = one(request, answer)
        return answer

    return lie


def first(count: int) -> When:
    """Hold for the first ``count`` requests."""
    return lambda request: request.nth <= count


def since(nth: int) -> When:
    """Hold from the ``nth`` request on."""
    return lambda request: request.nth >= nth


def only(nth: int) -> When:
    """Hold for the ``nth`` request."""
    return lambda request: request.nth == nth


def every(count: int) -> When:
    """Hold for every ``count``-th request."""
    return lambda request: request.nth % count == 0


def looks(request: Request) -> bool:
    """Hold for requests of the first byte."""
    return request.is_look


def ranges(request: Request) -> bool:
    """Hold for requests of a range that is no look."""
    return bool(request.range) and not request.is_look


def plain(request: Request) -> bool:
    """Hold for requests without a range."""
    return not request.range


def conditional(request: Request) -> bool:
    """Hold for requests with If-Match or If-Range."""
    return "if-match" in request.headers or "if-range" in request.headers


def change(**fields: Any) -> Lie:
    """Set fields of the answer."""
    return lambda _, answer: replace(answer, **fields)


def raw(data: bytes) -> Lie:
    """Answer with these bytes and nothing else, and end the connection."""
    return change(raw=data)


def header(name: str, value: str | None) -> Lie:
    """Set a header, or leave it out."""

    def lie(_: Request, answer: Answer) -> Answer:
        kept = tuple(pair for pair in answer.headers if pair[0].lower() != name.lower())
        return replace(answer, headers=kept if value is None else (*kept, (name, value)))

    return lie


def also(name: str, value: str) -> Lie:
    """Add a header, even if it is there."""
    return lambda _, answer: replace(answer, headers=(*answer.headers, (name, value)))


def status(code: int, **headers: str) -> Lie:
    """Answer with this status, and no word of the source."""
    shown = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return lambda _request, _answer: Answer(code, shown, b"no\n")


def whole(body: Callable[[bytes], bytes]) -> Lie:
    """Exchange the body."""
    return lambda _, answer: replace(answer, body=body(answer.body))


def without_range(lie_to: Callable[[Request], Answer]) -> Lie:
    """Answer as if there were neither Range nor condition."""

    def lie(request: Request, _: Answer) -> Answer:
        kept = {name: text for name, text in request.headers.items() if name not in ("range", "if-match", "if-range")}
        return lie_to(replace(request, headers=kept))

    return lie


def asking(lie_to: Callable[[Request], Answer], shift: Callable[[int, int], tuple[int, int]]) -> Lie:
    """Answer another range than was asked for, and say so: ``shift`` gets the first and the last byte."""

    def lie(request: Request, _: Answer) -> Answer:
        first_byte, last = shift(*_range_of(request))
        return lie_to(replace(request, headers={**request.headers, "range": f"bytes={first_byte}-{last}"}))

    return lie


def ignoring_conditions(lie_to: Callable[[Request], Answer]) -> Lie:
    """Serve the range although the condition does not hold."""

    def lie(request: Request, _: Answer) -> Answer:
        kept = {name: text for name, text in request.headers.items() if not name.startswith("if-")}
        return lie_to(replace(request, headers=kept))

    return lie


def _range_of(request: Request) -> tuple[int, int]:
    begin, _, end = request.range.removeprefix("bytes=").partition("-")
    return int(begin), int(end or begin)


def total(text: Callable[[int], object]) -> Lie:
    """Write another total into Content-Range; ``text`` gets the true one."""

    def lie(request: Request, answer: Answer) -> Answer:
        placed = dict(answer.headers).get("Content-Range", "")
        if answer.status != 206:
            return answer
        where, _, truth = placed.partition("/")
        return header("Content-Range", f"{where}/{text(int(truth))}")(request, answer)

    return lie


def redirect(places: Mapping[str, tuple[int, str]]) -> Lie:
    """Redirect paths; ``{host}`` in a location is the host that was asked."""

    def lie(request: Request, answer: Answer) -> Answer:
        if request.path not in places:
            return answer
        code, location = places[request.path]
        return Answer(code, (("Location", location.format(host=request.headers["host"])),), b"moved\n")

    return lie


def encoded(coding: str, encode: Callable[[bytes], bytes]) -> Lie:
    """Compress whole answers, and leave ranges alone."""

    def lie(request: Request, answer: Answer) -> Answer:
        if answer.status != 200:
            return answer
        return header("Content-Encoding", coding)(request, replace(answer, body=encode(answer.body)))

    return lie


def truncated_gzip(data: bytes) -> bytes:
    """Compress, and lose the end."""
    return gzip.compress(data)[:-400]


def two_members(data: bytes) -> bytes:
    """Compress in two gzip members."""
    return gzip.compress(data[:50_000]) + gzip.compress(data[50_000:])


def bad_crc(data: bytes) -> bytes:
    """Compress, and damage the checksum at the end."""
    coded = gzip.compress(data)
    return coded[:-8] + bytes([coded[-8] ^ 1]) + coded[-7:]


def raw_deflate(data: bytes) -> bytes:
    """Compress without the zlib header, as some servers do."""
    coder = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return coder.compress(data) + coder.flush()
