"""URLs as sources: a real server on loopback that behaves, misbehaves and changes."""

from __future__ import annotations

import os
import time

import pytest

from storagekit import RetryPolicy
from storagekit._http import HTTPSource
from storagekit._http_rules import Pin
from storagekit.driver import Code
from storagekit.errors import (
    ChecksumError,
    IntegrityError,
    ObjectNotFoundError,
    PermissionDeniedError,
    ServiceError,
    SourceChangedError,
    UnsupportedSourceError,
)
from storagekit.testing.faults import FakeClock, fault
from storagekit.testing.http_source import Behaviour, SourceServer
from tests.engine.conftest import BUCKET, Service

MIB = 1024**2
DATA = os.urandom(5 * MIB + 17)
OPTIONS = {"part_size": MIB, "workers": 3}


def source(server: SourceServer, path: str = "") -> HTTPSource:
    return HTTPSource(server.url + path, policy=RetryPolicy(attempts=4), clock=FakeClock())


def published(service: Service) -> bool:
    return bool(service.memory.list(BUCKET, "k").objects)


@pytest.mark.parametrize("size", [0, 1, MIB, 2 * MIB, 5 * MIB + 17])
def test_a_url_arrives_whole_and_is_read_once(service: Service, size: int) -> None:
    with SourceServer(DATA[:size]) as server:
        result = service.upload(source(server), uploader=OPTIONS)

        assert DATA[:size] == service.content()
        assert server.bytes_served <= size + 2  # one byte each to look before and after
    assert size == result.sent
    assert service.left_over() == []


def test_parts_are_read_in_parallel_ranges_pinned_to_the_etag(service: Service) -> None:
    with SourceServer(DATA) as server:
        service.upload(source(server), uploader=OPTIONS)

        ranged = [request for request in server.requests if "if-match" in request.headers]
        assert 6 == len(ranged)
        assert {server.etag} == {request.headers.get("if-match") for request in ranged}
        assert len({request.connection for request in ranged}) > 1


def test_resume_fetches_only_the_missing_ranges(service: Service) -> None:
    with SourceServer(DATA) as server:
        service.fails(lambda c: fault(Code.ACCESS_DENIED) if c.operation == "put_part" and c.number == 3 else None)
        with pytest.raises(PermissionDeniedError):
            service.upload(source(server), uploader={**OPTIONS, "workers": 1})
        service.heals()
        before = server.bytes_served

        result = service.upload(source(server, "?token=other#part"), uploader=OPTIONS)

        assert ([3, 4, 5, 6], True) == (service.sent_parts(), result.resumed)
        assert server.bytes_served - before <= len(DATA) - 2 * MIB + 2
    assert DATA == service.content()


def test_an_etag_that_changed_between_runs_starts_afresh_and_is_named(service: Service) -> None:
    with SourceServer(DATA) as server:
        service.fails(lambda c: fault(Code.ACCESS_DENIED) if c.operation == "put_part" and c.nth > 2 else None)
        with pytest.raises(PermissionDeniedError):
            service.upload(source(server), uploader=OPTIONS)
        service.heals()
        server.change()

        result = service.upload(source(server), uploader=OPTIONS)

        assert (False, len(DATA)) == (result.resumed, result.sent)
        assert any("another source or version" in note for note in result.notes)
        assert server.content.read(0, len(DATA)) == service.content()


@pytest.mark.parametrize("after", [1, MIB, 3 * MIB, len(DATA) - 1])
def test_a_change_during_the_run_is_an_error_and_publishes_nothing(service: Service, after: int) -> None:
    with SourceServer(DATA, behaviour=Behaviour(change_after=after)) as server:
        with pytest.raises(SourceChangedError):
            service.upload(source(server), uploader=OPTIONS)

    assert not published(service)


def test_a_change_after_the_last_range_is_still_caught(service: Service) -> None:
    with SourceServer(DATA) as server:
        service.fails(lambda c: server.change() if c.operation == "put_part" and c.nth == 6 else None)

        with pytest.raises(SourceChangedError):
            service.upload(source(server), uploader={**OPTIONS, "workers": 1})

    assert not published(service)


class TestPins:
    def test_a_server_that_refuses_etags_is_pinned_by_date(self, service: Service) -> None:
        with SourceServer(DATA, behaviour=Behaviour(refuse_etag=True)) as server:
            result = service.upload(source(server), uploader=OPTIONS)

            pinned = [request for request in server.requests if "if-range" in request.headers]
            assert {server.last_modified} == {request.headers["if-range"] for request in pinned}
        assert DATA == service.content()
        assert "head" == result.proof

    def test_without_an_etag_an_old_enough_date_is_a_strong_identity(self, service: Service) -> None:
        with SourceServer(DATA, behaviour=Behaviour(etag="none")) as server:
            service.fails(lambda c: fault(Code.ACCESS_DENIED) if c.operation == "put_part" and c.nth > 2 else None)
            with pytest.raises(PermissionDeniedError):
                service.upload(source(server), uploader=OPTIONS)
            service.heals()

            assert service.upload(source(server), uploader=OPTIONS).resumed

    @pytest.mark.parametrize(
        "behaviour",
        [Behaviour(etag="none", last_modified=False), Behaviour(etag="weak", last_modified=False)],
        ids=["nothing", "weak"],
    )
    def test_a_source_without_a_strong_validator_is_read_again_and_compared(
        self, service: Service, behaviour: Behaviour
    ) -> None:
        with SourceServer(DATA, behaviour=behaviour) as server:
            service.fails(lambda c: fault(Code.ACCESS_DENIED) if c.operation == "put_part" and c.number == 3 else None)
            with pytest.raises(PermissionDeniedError):
                service.upload(source(server), uploader={**OPTIONS, "workers": 1})
            service.heals()
            server.reset()

            result = service.upload(source(server), uploader=OPTIONS)

            assert server.bytes_served >= len(DATA)
        assert ([3, 4, 5, 6], True) == (service.sent_parts(), result.resumed)
        assert any("has no strong ETag" in note for note in result.notes)
        assert DATA == service.content()
        assert service.left_over() == []

    def test_a_fresh_last_modified_is_weak(self, service: Service) -> None:
        with SourceServer(DATA, behaviour=Behaviour(etag="none"), last_modified=time.time()) as server:
            opened = source(server).open(service.uploader().store.guard.cancel)
            assert not opened.identity.strong
            opened.close()

    def test_the_weaker_pin_is_kept_for_the_rest_of_the_transfer(self, service: Service) -> None:
        with SourceServer(DATA, behaviour=Behaviour(refuse_etag=True)) as server:
            service.upload(source(server), uploader={**OPTIONS, "workers": 1})

            assert 1 == sum(request.status == 412 for request in server.requests)

    def test_the_pins_are_ordered(self) -> None:
        assert [Pin.IF_MATCH, Pin.IF_RANGE, Pin.COMPARE] == sorted(Pin, key=lambda pin: pin.value)


class TestBrokenConnections:
    @pytest.mark.parametrize("reset", [True, False])
    def test_cut_connections_go_on_at_the_byte_they_reached(self, service: Service, reset: bool) -> None:
        behaviour = Behaviour(cut_after=700_000, cut_times=4, cut_reset=reset)
        with SourceServer(DATA, behaviour=behaviour) as server:
            service.upload(source(server), uploader=OPTIONS)

            assert server.bytes_served < len(DATA) + 5 * MIB
        assert DATA == service.content()

    def test_a_body_that_is_always_short_is_given_up(self, service: Service) -> None:
        with (
            SourceServer(DATA, behaviour=Behaviour(short_by=1000)) as server,
            pytest.raises((ServiceError, IntegrityError)),
        ):
            service.upload(source(server), uploader=OPTIONS)

        assert not published(service)

    @pytest.mark.parametrize("status", [500, 502, 503, 429])
    def test_a_storm_is_waited_out(self, service: Service, status: int) -> None:
        with SourceServer(DATA, behaviour=Behaviour(storm_requests=2, storm_status=status)) as server:
            service.upload(source(server), uploader=OPTIONS)

        assert DATA == service.content()

    def test_retry_after_is_honoured(self, service: Service) -> None:
        clock = FakeClock()
        behaviour = Behaviour(storm_requests=1, storm_status=503, storm_retry_after=7)
        with SourceServer(DATA, behaviour=behaviour) as server:
            service.upload(HTTPSource(server.url, clock=clock), uploader=OPTIONS)

        assert any(7 <= slept <= 8 for slept in clock.slept)

    def test_a_server_that_is_not_there_is_a_service_error(self, service: Service) -> None:
        with SourceServer(DATA) as server:
            gone = source(server)

        with pytest.raises(ServiceError):
            service.upload(gone)


class TestWholeAnswers:
    @pytest.mark.parametrize("behaviour", [Behaviour(ignore_range=True), Behaviour(ignore_range=True, chunked=True)])
    @pytest.mark.parametrize("size", [0, 1, MIB, 2 * MIB, 5 * MIB + 17])
    def test_a_server_without_ranges_is_read_in_order_and_once(
        self, service: Service, behaviour: Behaviour, size: int
    ) -> None:
        with SourceServer(DATA[:size], behaviour=behaviour) as server:
            service.upload(source(server), uploader=OPTIONS)

            read_whole = [request for request in server.requests if request.bytes_sent == size]
            assert len(read_whole) <= 2  # the reading, and a last look that is closed unread but may fit the buffers
        assert DATA[:size] == service.content()
        assert service.left_over() == []

    def test_what_was_sent_before_a_cut_is_not_sent_again(self, service: Service) -> None:
        behaviour = Behaviour(ignore_range=True, cut_after=3 * MIB + 100, cut_times=2)
        with SourceServer(DATA, behaviour=behaviour) as server:
            result = service.upload(source(server), uploader=OPTIONS)

        assert [1, 2, 3, 4, 5, 6] == service.sent_parts()
        assert DATA == service.content()
        assert len(DATA) == result.sent

    def test_a_change_behind_a_whole_answer_publishes_nothing(self, service: Service) -> None:
        with SourceServer(DATA, behaviour=Behaviour(ignore_range=True)) as server:
            service.fails(lambda c: server.change() if c.operation == "put_part" and c.nth == 6 else None)

            with pytest.raises(SourceChangedError):
                service.upload(source(server), uploader={**OPTIONS, "workers": 1})

        assert not published(service)


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "error"), [(404, ObjectNotFoundError), (410, ObjectNotFoundError), (403, PermissionDeniedError)]
    )
    def test_statuses_become_our_errors(self, service: Service, status: int, error: type[Exception]) -> None:
        with (
            SourceServer(DATA, behaviour=Behaviour(storm_requests=99, storm_status=status)) as server,
            pytest.raises(error),
        ):
            service.upload(source(server))

    @pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, br"])
    def test_an_encoding_that_is_not_known_is_refused_before_any_byte_is_stored(
        self, service: Service, encoding: str
    ) -> None:
        behaviour = Behaviour(content_encoding=encoding)
        with SourceServer(DATA, behaviour=behaviour) as server, pytest.raises(UnsupportedSourceError):
            service.upload(source(server))

        assert service.driver.calls == []

    def test_a_total_that_is_wrong_never_becomes_an_object(self, service: Service) -> None:
        behaviour = Behaviour(content_range_total=len(DATA) + 1000)
        with SourceServer(DATA, behaviour=behaviour) as server, pytest.raises((IntegrityError, ServiceError)):
            service.upload(source(server), uploader=OPTIONS)

        assert not published(service)

    def test_an_encoding_that_is_claimed_only_is_damage(self, service: Service) -> None:
        behaviour = Behaviour(content_encoding="gzip")
        with SourceServer(DATA, behaviour=behaviour) as server, pytest.raises(ChecksumError):
            service.upload(source(server), uploader=OPTIONS)

        assert not published(service)


def test_user_info_and_query_are_in_no_record_and_no_note(service: Service) -> None:
    with SourceServer(DATA) as server:
        url = server.url.replace("http://", "http://user:hush@") + "?sig=secret"
        service.fails(lambda c: fault(Code.ACCESS_DENIED) if c.operation == "put_part" and c.nth > 2 else None)
        with pytest.raises(PermissionDeniedError) as caught:
            service.upload(HTTPSource(url, clock=FakeClock()), uploader=OPTIONS)
        record = service.memory.list(BUCKET, ".storagekit/").objects[0]

        with service.memory.read(BUCKET, record.key) as reader:
            text = bytearray(record.size)
            reader.readinto(memoryview(text))
    assert b"hush" not in text
    assert b"secret" not in text
    assert server.url.encode() in text
    assert "hush" not in repr(caught.value)
