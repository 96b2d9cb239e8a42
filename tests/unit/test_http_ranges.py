"""An HTTP source in ranges, where no try may fail: what an honest but peculiar server needs is no retry."""

from __future__ import annotations

import pytest

from storagekit import RetryPolicy
from storagekit._clock import Cancel
from storagekit._http import HTTPSource
from storagekit._source import OpenSource
from storagekit.errors import SourceChangedError
from storagekit.testing.faults import FakeClock
from storagekit.testing.hostile import lies
from storagekit.testing.hostile.case import DATA
from storagekit.testing.hostile.server import HostileServer
from storagekit.testing.hostile.site import OTHER, Site

HONEST = Site()


def open_once(server: HostileServer) -> OpenSource:
    return HTTPSource(server.url, policy=RetryPolicy(attempts=1), clock=FakeClock()).open(Cancel())


def read_range(source: OpenSource, offset: int, length: int | None) -> bytes:
    reader, buffer, found = source.open_range(offset, length, Cancel()), bytearray(7000), bytearray()
    while count := reader.readinto(memoryview(buffer)):
        found += buffer[:count]
    reader.close()
    return bytes(found)


@pytest.mark.parametrize(
    "site",
    [
        HONEST,
        Site(etag="none"),
        Site(refuse_etag=True),
        Site(refuse_etag=True, modified="none"),
        Site(
            lies=(lies.when(lies.ranges, lies.asking(HONEST, lambda begin, last: (begin, min(last, begin + 9_999)))),)
        ),
        Site(lies=(lies.when(lies.ranges, lies.change(framing="chunked")),)),
        Site(lies=(lies.when(lies.conditional, lies.without_range(HONEST)),)),
        Site(lies=(lies.when(lies.only(2), lies.without_range(HONEST)),)),
    ],
    ids=["honest", "date", "no-if-match", "no-pin", "capped", "chunked", "whole-to-conditions", "whole-once"],
)
def test_every_range_is_had_at_the_first_try(site: Site) -> None:
    with HostileServer(site) as server:
        source = open_once(server)
        pieces = [read_range(source, at, min(50_000, len(DATA) - at)) for at in range(0, len(DATA), 50_000)]
        assert DATA == b"".join(pieces) == read_range(source, 0, None)
        assert b"" == read_range(source, 10, 0)
        source.check()
        source.verify()
        source.close()


def test_connections_are_kept_for_the_next_range() -> None:
    with HostileServer(HONEST) as server:
        source = open_once(server)
        for at in range(0, 100_000, 10_000):
            read_range(source, at, 10_000)
        source.close()

    assert 11 == len(server.requests)
    assert 2 >= len({request.connection for request in server.requests})  # the look closes its own


def test_the_last_look_asks_for_all_from_the_last_byte_on() -> None:
    with HostileServer(HONEST) as server:
        source = open_once(server)
        source.verify()
        source.close()

        assert f"bytes={len(DATA) - 1}-" == server.requests[-1].range


@pytest.mark.parametrize(
    "then", [Site(content=OTHER), Site(content=OTHER, ranges=False), Site(lies=(lies.status(416),))]
)
def test_the_last_look_sees_another_version(then: Site) -> None:
    with HostileServer(HONEST) as server:
        source = open_once(server)
        server.script = then
        with pytest.raises(SourceChangedError):
            source.verify()
        source.close()
