"""Cases about ranges: answers that are shorter, longer, elsewhere, or lie about the total."""

from __future__ import annotations

from collections.abc import Iterator

from storagekit.testing.hostile import lies
from storagekit.testing.hostile.case import CHANGED, FAILED, FORBIDDEN, MISSING, Case, Expected, an_object, refused
from storagekit.testing.hostile.site import CONTENT, Lie, Site

_HONEST = Site()


def _case(name: str, says: str, expected: Expected, *told: Lie, workers: int = 2) -> Case:
    site = Site(lies=told)
    return Case(name, says, lambda: site, expected, workers=workers)


def _on_ranges(*told: Lie) -> Lie:
    return lies.when(lies.ranges, *told)


def cases() -> Iterator[Case]:
    """Yield them."""
    yield from _other_ranges()
    yield from _longer_and_cut()
    yield from _cut()
    yield from _no_ranges()
    yield from _totals()
    yield from _midway()


def _other_ranges() -> Iterator[Case]:
    right = an_object()
    elsewhere = lies.asking(_HONEST, lambda begin, last: (begin + 1, last + 1))
    yield _case("another-range", "Ranges begin one byte late, and say so.", FAILED, _on_ranges(elsewhere))
    overlap = lies.asking(_HONEST, lambda begin, last: (max(0, begin - 10), last))
    yield _case("overlapping-range", "Ranges begin ten bytes early, and say so.", FAILED, _on_ranges(overlap))
    longer = lies.asking(_HONEST, lambda begin, last: (begin, last + 10))
    yield _case("range-longer", "Ranges end ten bytes late, and say so.", FAILED, _on_ranges(longer))
    shorter = lies.asking(_HONEST, lambda begin, last: (begin, min(last, begin + 9_999)))
    yield _case(
        "range-shorter", "Ranges are capped at 10,000 bytes, and say so: ask for the rest.", right, _on_ranges(shorter)
    )
    once = lies.when(lies.only(3), elsewhere)
    yield _case("another-range-once", "A single range is another one, and says so.", right, once)


def _longer_and_cut() -> Iterator[Case]:
    right = an_object()
    yield _case(
        "range-body-longer",
        "Ten bytes follow a range: they are not of this answer.",
        right,
        _on_ranges(lies.change(after=b"0123456789")),
    )
    yield _case(
        "range-chunked-longer",
        "A chunked range has more bytes than its Content-Range.",
        FAILED,
        _on_ranges(lies.whole(lambda body: body + b"0123456789"), lies.change(framing="chunked")),
    )
    yield _case("range-chunked", "Ranges in chunks.", right, _on_ranges(lies.change(framing="chunked")))


def _cut() -> Iterator[Case]:
    yield _case(
        "range-length-contradicts",
        "Content-Length and Content-Range differ.",
        FAILED,
        _on_ranges(lies.header("Content-Length", str(CONTENT.size))),
    )
    yield _case(
        "range-cut-always",
        "Every range breaks off after 5,000 bytes: go on from there.",
        an_object(),
        _on_ranges(lies.change(cut=5000)),
    )
    yield _case(
        "range-cut-at-once", "Every range breaks off before its first byte.", FAILED, _on_ranges(lies.change(cut=0))
    )
    yield _case(
        "range-reset-once",
        "A range ends with a reset once.",
        an_object(),
        lies.when(lies.only(3), lies.change(cut=5000, reset=True)),
    )


def _no_ranges() -> Iterator[Case]:
    yield _case(
        "range-encoded", "A range is of a compressed form.", FAILED, _on_ranges(lies.header("Content-Encoding", "gzip"))
    )
    yield _case("no-content-range", "A 206 that does not say of what.", FAILED, lies.header("Content-Range", None))
    yield _case(
        "multipart",
        "One range is answered with multipart/byteranges.",
        FAILED,
        lies.header("Content-Range", None),
        lies.header("Content-Type", "multipart/byteranges; boundary=x"),
    )
    unpinned = Site(etag="none", modified="none", lies=(lies.when(lies.plain, lies.change(status=206)),))
    yield Case("range-to-nobody", "206, although no range was asked for.", lambda: unpinned, FAILED)


def _totals() -> Iterator[Case]:
    right = an_object()
    yield _case(
        "total-too-large",
        "Content-Range says 1,000 bytes more than there are.",
        CHANGED,
        lies.total(lambda n: n + 1000),
    )
    yield _case(
        "total-too-small",
        "It says 1,000 bytes fewer: the last look goes on past them.",
        FAILED,
        lies.total(lambda n: n - 1000),
    )
    yield _case("total-unknown", "It says *: asked for whole instead.", right, lies.total(lambda _: "*"))
    yield _case(
        "total-huge",
        "It says more than any service holds.",
        refused("ConfigurationError", 2),
        lies.total(lambda _: 10**30),
    )
    yield _case(
        "total-differs-once",
        "A single range tells another total.",
        CHANGED,
        lies.when(lies.only(3), lies.total(lambda n: n + 1)),
    )


def _midway() -> Iterator[Case]:
    for code, expected in ((404, MISSING), (410, MISSING), (403, FORBIDDEN), (416, CHANGED)):
        says = f"After two ranges, every answer is {code}."
        yield _case(f"{code}-midway", says, expected, lies.when(lies.since(4), lies.status(code)))
    every_range = lies.when(
        lambda request: bool(request.range), lies.status(416, Content_Range=f"bytes */{CONTENT.size}")
    )
    yield _case("416-to-every-range", "No range can be satisfied: asked for whole instead.", an_object(), every_range)
    later = _on_ranges(lies.without_range(_HONEST))
    yield _case("ranges-end-after-the-look", "The look gets its range, nobody else does.", FAILED, later)
