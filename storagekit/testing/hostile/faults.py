"""Cases about refusals, storms, redirects, and answers that are no HTTP."""

from __future__ import annotations

from collections.abc import Iterator

from storagekit.testing.hostile import lies
from storagekit.testing.hostile.case import (
    FAILED,
    FORBIDDEN,
    MISSING,
    REFUSED,
    THROTTLED,
    UNSUPPORTED,
    Case,
    Expected,
    an_object,
)
from storagekit.testing.hostile.server import Script
from storagekit.testing.hostile.site import PART, Lie, Site
from storagekit.testing.hostile.wire import Answer, Request

TIMEOUT_S = 0.4
"""How long a server may be silent in these cases."""


def _case(name: str, says: str, expected: Expected, *told: Lie, workers: int = 2) -> Case:
    site = Site(lies=told)
    return Case(name, says, lambda: site, expected, workers=workers)


def cases() -> Iterator[Case]:
    """Yield them."""
    yield from _refusals()
    yield from _storms()
    yield from _redirects()
    yield from _redirects_astray()
    yield from _more_redirects()
    yield from _silence()
    yield from _no_http()
    yield from _odd_heads()


def _refusals() -> Iterator[Case]:
    for code, expected in (
        (401, FORBIDDEN),
        (403, FORBIDDEN),
        (407, FORBIDDEN),
        (451, FORBIDDEN),
        (404, MISSING),
        (410, MISSING),
        (400, REFUSED),
        (418, REFUSED),
        (203, REFUSED),
        (204, REFUSED),
        (205, REFUSED),
        (300, REFUSED),
        (304, REFUSED),
        (501, REFUSED),
    ):
        yield _case(f"status-{code}", f"Every answer is {code}.", expected, lies.status(code))
    head = lies.when(lambda request: request.method == "HEAD", lies.status(405))
    yield _case("head-refused", "HEAD is not allowed: it is not needed.", an_object(), head)


def _storms() -> Iterator[Case]:
    right = an_object()
    for code, expected in ((500, FAILED), (502, FAILED), (503, THROTTLED), (429, THROTTLED)):
        yield _case(
            f"{code}-storm", f"The first three answers are {code}.", right, lies.when(lies.first(3), lies.status(code))
        )
        yield _case(f"{code}-for-ever", f"Every answer is {code}.", expected, lies.status(code))
    seconds = lies.status(503, Retry_After="3")
    yield _case(
        "retry-after-seconds", "503 with a Retry-After in seconds, twice.", right, lies.when(lies.first(2), seconds)
    )
    date = lies.status(503, Date="Fri, 01 May 2026 12:00:00 GMT", Retry_After="Fri, 01 May 2026 12:00:10 GMT")
    yield _case(
        "retry-after-date", "503 with a Retry-After that is a date, twice.", right, lies.when(lies.first(2), date)
    )
    late = lies.status(503, Retry_After="86400")
    yield _case("retry-after-tomorrow", "503 with a Retry-After of a day: not waited for.", THROTTLED, late)
    yield _case(
        "storm-midway",
        "Three 503 in the middle of the ranges.",
        right,
        lies.when(lambda request: 3 <= request.nth <= 5, lies.status(503)),
    )


def _redirects() -> Iterator[Case]:
    right = an_object()
    chain = {
        "/object.bin": (301, "/a"),
        "/a": (302, "http://{host}/b"),
        "/b": (303, "c/d?x=1"),
        "/c/d": (307, "//{host}/e"),
        "/e": (308, "/f"),
    }
    yield _case(
        "redirect-chain", "301, 302, 303, 307, 308: relative, absolute, without scheme.", right, lies.redirect(chain)
    )
    yield _case(
        "redirect-loop",
        "Two paths that lead to each other.",
        REFUSED,
        lies.redirect({"/object.bin": (302, "/a"), "/a": (302, "/object.bin")}),
    )
    yield _case("redirect-endless", "A path that leads to a new one each time.", REFUSED, _endless)
    yield _case(
        "redirect-to-ftp",
        "To a scheme that cannot be read.",
        UNSUPPORTED,
        lies.redirect({"/object.bin": (302, "ftp://host/a")}),
    )
    yield _case(
        "redirect-to-file",
        "To a file of the machine that reads.",
        UNSUPPORTED,
        lies.redirect({"/object.bin": (302, "file:///etc/passwd")}),
    )


def _redirects_astray() -> Iterator[Case]:
    yield _case("redirect-nowhere", "302 without a Location.", REFUSED, lies.status(302))
    yield _case(
        "redirect-no-url", "To what is no URL.", UNSUPPORTED, lies.redirect({"/object.bin": (302, "http://[::1/a")})
    )


def _more_redirects() -> Iterator[Case]:
    right = an_object()
    yield _case("redirect-other-host", "To the same server by another name.", right, _to_localhost)
    yield _case(
        "redirect-long-body",
        "The redirect itself has an endless body, which nobody has to read.",
        right,
        _long_redirect,
    )
    expiring = "A target that is good for one request: every range asks the original URL again."
    yield Case("redirect-expires", expiring, _expiring, right)


def _endless(request: Request, _: Answer) -> Answer:
    return Answer(302, (("Location", f"{request.path}x"),))


def _to_localhost(request: Request, answer: Answer) -> Answer:
    if request.headers["host"].startswith("localhost"):
        return answer
    return lies.redirect({"/object.bin": (302, "http://localhost:" + request.headers["host"].partition(":")[2])})(
        request, answer
    )


def _long_redirect(request: Request, answer: Answer) -> Answer:
    if request.path != "/object.bin":
        return answer
    return Answer(302, (("Location", "/a"), ("Content-Length", str(10**12))), bytes(100_000), hangs_up=True)


def _expiring() -> Script:
    honest, given = Site(), set[str]()

    def script(request: Request) -> Answer:
        if request.path == "/object.bin":
            given.add(f"/signed/{request.nth}")
            return Answer(302, (("Location", f"/signed/{request.nth}"),))
        if request.path not in given:
            return Answer(403)
        given.discard(request.path)
        return honest(request)

    return script


def _silence() -> Iterator[Case]:
    right = an_object()
    stall = lies.change(pause_s=3 * TIMEOUT_S, pause_at=PART // 2)
    yield _case(
        "stall-once", "A range stalls once, for longer than the timeout.", right, lies.when(lies.only(3), stall)
    )
    whole = Site(
        etag="none",
        modified="none",
        ranges=False,
        lies=(lies.when(lies.only(1), lies.change(pause_s=3 * TIMEOUT_S, pause_at=2 * PART)),),
    )
    yield Case("stall-once-no-ranges", "A whole answer stalls once.", lambda: whole, right)
    yield _case("silent", "No answer, ever.", FAILED, lies.change(delay_s=3 * TIMEOUT_S))
    yield _case("slow-drip", "Every body comes 500 bytes at a time.", right, lies.change(drip=500))


def _no_http() -> Iterator[Case]:
    right = an_object()
    yield _case(
        "closed-at-once",
        "The connection ends instead of an answer, once.",
        right,
        lies.when(lies.only(3), lies.raw(b"")),
    )
    yield _case("closed-always", "It always does.", FAILED, lies.raw(b""))
    yield _case(
        "closed-after-each", "Kept-alive connections are closed without a word.", right, lies.change(hangs_up=True)
    )
    yield _case("garbage", "The answer is no HTTP at all.", FAILED, lies.raw(b"\x00\xffSSH-2.0-OpenSSH_9.6\r\n"))
    yield _case(
        "garbage-once", "One answer is no HTTP.", right, lies.when(lies.only(3), lies.raw(b"E R R O R\r\n\r\n"))
    )
    yield _case(
        "half-a-head", "The answer ends within its headers.", FAILED, lies.raw(b"HTTP/1.1 200 OK\r\nContent-Le")
    )
    bomb = tuple((f"X-Header-{i}", "x") for i in range(5000))
    yield _case("header-bomb", "Five thousand headers.", FAILED, lies.change(headers=bomb))


def _odd_heads() -> Iterator[Case]:
    right = an_object()
    yield _case("header-too-long", "One header of a megabyte.", FAILED, lies.header("X-Long", "x" * 1_000_000))
    torn = b'HTTP/1.1 200 OK\r\nETag: "x"\r\nthis is no header\r\nContent-Length: 5\r\n\r\nhello'
    yield _case(
        "header-without-colon", "A line among the headers is none; Content-Length follows it.", FAILED, lies.raw(torn)
    )
    yield _case(
        "continue-100", "A 100 comes before each answer.", right, lies.change(before=b"HTTP/1.1 100 Continue\r\n\r\n")
    )
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
    yield _case("early-hints-103", "Two 103 come before each answer.", right, lies.change(before=2 * hints))
    yield _case("early-hints-for-ever", "Nothing but 103.", FAILED, lies.raw(1000 * hints))
    yield _case(
        "switching-protocols-101",
        "An upgrade that nobody asked for.",
        REFUSED,
        lies.raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
    )
