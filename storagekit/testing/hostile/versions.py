"""Cases about versions: validators of every kind, sources that change, and servers that refuse conditions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from storagekit.testing.hostile import lies
from storagekit.testing.hostile.case import CHANGED, DATA, FORBIDDEN, Case, Expected, an_object
from storagekit.testing.hostile.site import CONTENT, PART, PARTS, Site
from storagekit.testing.http_source.content import BytesContent, Content, PatternContent

LONGER: Content = PatternContent(CONTENT.size + PART, seed=8)
SHORTER: Content = PatternContent(CONTENT.size - PART, seed=8)
GROWN: Content = BytesContent(DATA + b"one more line\n")
ONE_BYTE: Content = BytesContent(DATA[: 2 * PART] + bytes([DATA[2 * PART] ^ 1]) + DATA[2 * PART + 1 :])

_MIDDLE = 4  # the fourth request: one look and two ranges were answered
_END = PARTS + 2  # the look, all ranges; and now the last look


def cases() -> Iterator[Case]:
    """Yield them."""
    yield from _validators()
    yield from _changes()
    yield from _changes_of_whole_answers()
    yield from _conditions()
    yield from _expired()
    yield from _between_runs()


def _case(name: str, says: str, site: Site, expected: Expected, *, workers: int = 2) -> Case:
    return Case(name, says, lambda: site, expected, workers=workers)


def _validators() -> Iterator[Case]:
    right = an_object()
    yield _case("strong-etag-ranges", "A strong ETag and ranges: the good case.", Site(), right)
    yield _case("strong-etag-no-ranges", "A strong ETag, but every Range is ignored.", Site(ranges=False), right)
    yield _case("weak-etag-ranges", "A weak ETag says nothing about bytes.", Site(etag="weak", modified="none"), right)
    weak = Site(etag="weak", modified="none", ranges=False)
    yield _case("weak-etag-no-ranges", "A weak ETag, and every Range is ignored.", weak, right)
    bare = Site(etag="none", modified="none")
    yield _case("no-validators-ranges", "Ranges, but nothing to pin them with.", bare, right)
    yield _case("no-validators-no-ranges", "Nothing but the bytes.", replace(bare, ranges=False), right)
    yield _case("settled-date-ranges", "Only a Last-Modified, a day old: as good as an ETag.", Site(etag="none"), right)
    fresh = Site(etag="none", modified="fresh")
    yield _case("fresh-date-ranges", "Only a Last-Modified of this second: may cover two versions.", fresh, right)
    yield _case("fresh-date-no-ranges", "The same without ranges.", replace(fresh, ranges=False), right)


def _changes() -> Iterator[Case]:
    yield _case("etag-changes-midway", "Content and ETag change between two ranges.", Site(changes_at=_MIDDLE), CHANGED)
    yield _case(
        "etag-changes-at-the-end", "They change after the last range.", Site(changes_at=_END), CHANGED, workers=1
    )
    dated = Site(etag="none", changes_at=_MIDDLE)
    yield _case("date-changes-midway", "Content and Last-Modified change between two ranges.", dated, CHANGED)
    yield _case(
        "same-etag-longer",
        "The content grows under the same ETag.",
        Site(changes_at=_MIDDLE, other=LONGER, same_etag=True),
        CHANGED,
    )
    yield _case(
        "same-etag-shorter-at-the-end",
        "The content shrinks under the same ETag, after the last range.",
        Site(changes_at=_END, other=SHORTER, same_etag=True),
        CHANGED,
        workers=1,
    )
    stubborn = Site(changes_at=_MIDDLE)
    lie = lies.when(lies.ranges, lies.ignoring_conditions(stubborn))
    yield _case(
        "range-of-another-version",
        "If-Match no longer holds, and is served all the same.",
        replace(stubborn, lies=(lie,)),
        CHANGED,
    )
    yield _case(
        "etag-missing-in-ranges",
        "The look shows an ETag, the ranges show none.",
        Site(lies=(lies.when(lies.ranges, lies.header("ETag", None)),)),
        CHANGED,
    )


def _changes_of_whole_answers() -> Iterator[Case]:
    yield _case(
        "changes-behind-a-whole-answer", "Replaced while it is read.", Site(ranges=False, changes_at=2), CHANGED
    )
    yield _case(
        "weak-etag-changes-at-the-end",
        "A weak ETag changes while the body is read.",
        Site(etag="weak", modified="none", changes_at=3),
        CHANGED,
    )
    cut = lies.when(lies.only(1), lies.change(cut=2 * PART + 100))
    yield _case(
        "changes-after-a-cut",
        "A whole answer breaks off, and the next one is of another version.",
        Site(ranges=False, changes_at=2, lies=(cut,)),
        CHANGED,
    )


def _conditions() -> Iterator[Case]:
    right = an_object()
    yield _case("refuses-if-match", "A CDN answers 412 to the ETag that it shows.", Site(refuse_etag=True), right)
    yield _case(
        "refuses-if-match-no-date",
        "The same, and there is no date to pin with.",
        Site(refuse_etag=True, modified="none"),
        right,
    )
    yield _case(
        "whole-answer-to-conditions",
        "Any condition on a range is answered with 200 and everything.",
        Site(lies=(lies.when(lies.conditional, lies.without_range(Site())),)),
        right,
    )
    yield _case(
        "ignores-every-second-range",
        "A pool of two servers, one of which knows no ranges.",
        Site(lies=(lies.when(lies.every(2), lies.without_range(Site())),)),
        right,
        workers=1,
    )


def _expired() -> Iterator[Case]:
    yield _case(
        "last-look-forbidden",
        "The URL expires after the last range, so its version cannot be looked at again.",
        Site(lies=(lies.when(lies.since(_END), lies.status(403)),)),
        FORBIDDEN,
        workers=1,
    )
    yield _case(
        "one-time-url",
        "A URL without validators that is good for one request.",
        Site(etag="none", modified="none", ranges=False, lies=(lies.when(lies.since(2), lies.status(403)),)),
        an_object(),
    )


def _between_runs() -> Iterator[Case]:
    stopped = Site(lies=(lies.when(lies.since(_MIDDLE), lies.status(403)),))
    yield _second(
        "shrinks-between-runs",
        "A run is stopped; before the next one the source shrinks.",
        stopped,
        Site(content=SHORTER),
    )
    yield _second(
        "grows-between-runs", "A run is stopped; before the next one the source grows.", stopped, Site(content=LONGER)
    )
    weak = Site(etag="none", modified="none", ranges=False)
    cut = replace(weak, lies=(lies.change(cut=3 * PART + 500),))
    for name, difference, content in (
        ("weak-one-byte-between-runs", "a byte of a sent part is another", ONE_BYTE),
        ("weak-grows-between-runs", "a line was appended", GROWN),
        ("weak-shrinks-between-runs", "a part is missing at the end", SHORTER),
        ("weak-same-between-runs", "nothing is different", CONTENT),
    ):
        yield _second(name, f"A run breaks off; in the next one {difference}.", cut, replace(weak, content=content))


def _second(name: str, says: str, before: Site, site: Site) -> Case:
    return Case(name, says, lambda: site, an_object(site.content), before=lambda: before)
