"""An HTTP source that is read in one answer: how it is opened, read again, compared and looked at once more."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from storagekit import RetryPolicy
from storagekit._clock import Cancel
from storagekit._http import HTTPSource
from storagekit._source import Access, OpenSource
from storagekit.errors import PermissionDeniedError, ServiceError, SourceChangedError
from storagekit.testing.faults import FakeClock
from storagekit.testing.hostile import lies
from storagekit.testing.hostile.case import DATA
from storagekit.testing.hostile.server import HostileServer
from storagekit.testing.hostile.site import OTHER, Lie, Site
from storagekit.testing.http_source.content import BytesContent

BARE: dict[str, Any] = {"etag": "none", "modified": "none", "ranges": False}
CHUNKED = lies.change(framing="chunked")
CLOSED = lies.change(framing="close")


@contextmanager
def opened(site: Site) -> Iterator[tuple[OpenSource, HostileServer]]:
    with HostileServer(site) as server:
        source = HTTPSource(server.url, policy=RetryPolicy(attempts=4), clock=FakeClock(), timeout_s=0.5)
        one = source.open(Cancel())
        try:
            yield one, server
        finally:
            one.close()


def bytes_of(source: OpenSource) -> bytes:
    reader, buffer, found = source.open_range(0, None, Cancel()), bytearray(5000), bytearray()
    try:
        while count := reader.readinto(memoryview(buffer)):
            found += buffer[:count]
        assert 0 == reader.readinto(memoryview(buffer))
        return bytes(found)
    finally:
        reader.close()


@pytest.mark.parametrize(
    ("site", "size", "strong", "ends_itself"),
    [
        (Site(ranges=False), len(DATA), True, True),
        (Site(ranges=False, etag="none"), len(DATA), True, True),
        (Site(etag="weak", modified="none"), len(DATA), False, True),
        (Site(etag="none", modified="fresh"), len(DATA), False, True),
        (Site(**BARE), len(DATA), False, True),
        (Site(ranges=False, lies=(CHUNKED,)), None, False, True),
        (Site(ranges=False, lies=(CLOSED,)), None, False, False),
        (Site(lies=(lies.total(lambda _: "*"),)), len(DATA), True, True),
        (Site(ranges=False, lies=(lies.encoded("gzip", gzip.compress),)), None, False, True),
    ],
)
def test_how_a_source_is_opened_that_has_no_pinned_ranges(
    site: Site, size: int | None, *, strong: bool, ends_itself: bool
) -> None:
    with opened(site) as (source, _):
        facts = (source.access, source.size, source.identity.strong, source.ends_itself)
        assert (Access.RESTART, size, strong, ends_itself) == facts
        assert [DATA, DATA] == [bytes_of(source), bytes_of(source)]
        source.check()
        source.verify()


@pytest.mark.parametrize(("site", "strong"), [(Site(), True), (Site(etag="none"), True)])
def test_a_source_that_can_be_pinned_is_read_in_ranges(site: Site, *, strong: bool) -> None:
    with opened(site) as (source, _):
        assert (Access.RANGES, len(DATA), strong) == (source.access, source.size, source.identity.strong)
        assert DATA == bytes_of(source)
        source.verify()


def test_the_whole_answer_to_the_look_is_the_first_reading() -> None:
    with opened(Site(**BARE)) as (source, server):
        assert DATA == bytes_of(source)
        assert 1 == len(server.requests)
        assert DATA == bytes_of(source)
        assert ["bytes=0-0", ""] == [request.range for request in server.requests]


def test_a_look_that_cannot_be_pinned_is_followed_by_one_whole_answer() -> None:
    with opened(Site(etag="none", modified="none")) as (source, server):
        assert DATA == bytes_of(source)
        assert ["bytes=0-0", ""] == [request.range for request in server.requests]


def test_a_weak_source_has_the_same_identity_in_every_version() -> None:
    with opened(Site(**BARE)) as (source, server):
        before = source.identity
        server.script = Site(**{**BARE, "content": BytesContent(b"other")})
        again = HTTPSource(server.url + "?signature=1", clock=FakeClock()).open(Cancel())
        again.close()

    assert before == again.identity


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (Site(ranges=False), Site(ranges=False, content=OTHER)),
        (Site(ranges=False, etag="weak"), Site(ranges=False, etag="weak", content=OTHER)),
        (Site(ranges=False, etag="weak"), Site(ranges=False, etag="none")),
        (Site(ranges=False, etag="none"), Site(ranges=False, etag="none", modified="fresh")),
        (Site(**BARE), Site(**{**BARE, "content": BytesContent(DATA[:-1])})),
        (Site(**BARE), Site(**{**BARE, "content": BytesContent(DATA + b"x")})),
    ],
)
def test_reading_again_is_reading_the_same_version(first: Site, then: Site) -> None:
    with opened(first) as (source, server):
        bytes_of(source)
        server.script = then

        with pytest.raises(SourceChangedError):
            bytes_of(source)
        with pytest.raises(SourceChangedError):
            source.verify()


@pytest.mark.parametrize("length", [len(DATA) - 1, len(DATA) + 1])
def test_the_length_of_the_look_holds_for_chunks_too(length: int) -> None:
    other = BytesContent((DATA + b"x")[:length])
    with opened(Site(**BARE)) as (source, server):
        bytes_of(source)
        server.script = Site(**{**BARE, "content": other}, lies=(CHUNKED,))

        with pytest.raises(SourceChangedError):
            bytes_of(source)


def test_a_length_that_was_known_proves_a_body_that_is_ended_by_closing() -> None:
    with opened(Site(**BARE)) as (source, server):
        bytes_of(source)
        server.script = Site(**BARE, lies=(CLOSED,))
        assert DATA == bytes_of(source)
        server.script = Site(**BARE, lies=(CLOSED, lies.change(cut=1000)))
        with pytest.raises(ServiceError):
            bytes_of(source)


def test_an_end_that_was_proven_once_must_be_proven_again() -> None:
    with opened(Site(**BARE, lies=(CHUNKED,))) as (source, server):
        bytes_of(source)
        server.script = Site(**BARE, lies=(CLOSED,))

        with pytest.raises(ServiceError):
            bytes_of(source)


@pytest.mark.parametrize(
    "cut", [lies.change(cut=70_000), lies.change(cut=70_000, reset=True), lies.change(pause_s=1.5, pause_at=70_000)]
)
@pytest.mark.parametrize("framing", [CHUNKED, lies.change()])
def test_a_body_that_breaks_off_is_a_service_error_and_the_next_reading_begins_again(cut: Lie, framing: Lie) -> None:
    with opened(Site(**BARE, lies=(framing, lies.when(lies.only(1), cut)))) as (source, server):
        with pytest.raises(ServiceError):
            bytes_of(source)

        assert DATA == bytes_of(source)
        assert 2 == len(server.requests)


def test_the_request_of_a_second_reading_is_retried() -> None:
    with opened(Site(**BARE)) as (source, server):
        bytes_of(source)
        server.forget()
        server.script = Site(**BARE, lies=(lies.when(lies.first(2), lies.status(503)),))

        assert DATA == bytes_of(source)


class TestLastLook:
    def test_a_strong_identity_is_verified_or_not_published(self) -> None:
        with opened(Site(ranges=False)) as (source, server):
            bytes_of(source)
            server.script = Site(lies=(lies.status(403),))

            with pytest.raises(PermissionDeniedError):
                source.verify()

    @pytest.mark.parametrize("code", [403, 405, 500, 501])
    def test_a_server_that_no_longer_answers_does_not_undo_what_it_has_served(self, code: int) -> None:
        with opened(Site(ranges=False, etag="weak", modified="none")) as (source, server):
            bytes_of(source)
            server.forget()
            server.script = Site(lies=(lies.status(code),))

            source.verify()

            assert 1 == len(server.requests)

    def test_a_416_without_validators_is_looked_behind(self) -> None:
        refuses = Site(lies=(lies.when(lambda request: bool(request.range), lies.status(416)),))
        with opened(refuses) as (source, _):
            assert DATA == bytes_of(source)
            source.verify()
