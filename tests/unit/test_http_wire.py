"""What http.client lets pass and we do not: raw answers on a real socket, through the session of an HTTP source."""

from __future__ import annotations

import logging

import pytest
import urllib3

from storagekit._http_failures import read
from storagekit._http_session import Requester
from storagekit.driver import Code, DriverError
from storagekit.testing.hostile.server import HostileServer
from storagekit.testing.hostile.wire import Answer
from storagekit.testing.http_source import SourceServer

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def body_of(raw: bytes) -> bytes:
    """The body of an answer with these bytes, and the end of the connection, as our session reads it."""
    with HostileServer(lambda _: Answer(raw=raw)) as server:
        requester = Requester(server.url, {}, 5.0)
        try:
            with requester.get({}) as answer:
                return b"".join(iter(lambda: read(answer, 100), b""))
        finally:
            requester.close()


def failure(raw: bytes) -> Code:
    with pytest.raises(DriverError) as caught:
        body_of(raw)
    return caught.value.failure.code


@pytest.mark.parametrize(
    "raw",
    [
        PLAIN,
        CHUNKED + b"5\r\nhello\r\n0\r\n\r\n",
        CHUNKED + b"2;a=b\r\nhe\r\n03 \r\nllo\r\n000;x\r\n\r\n",
        CHUNKED + b"5\r\nhello\r\n0\r\nTrailer: x\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN,
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + PLAIN,
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + PLAIN,
    ],
)
def test_what_is_right_is_read(raw: bytes) -> None:
    assert b"hello" == body_of(raw)


@pytest.mark.parametrize(
    "chunks",
    [
        b"5\r\nhello\r\n",  # no last chunk
        b"5\r\nhello\r\n0",  # of "0f0", maybe
        b"5\r\nhello\r\n\r\n",
        b"5\r\nhello\r\n-1\r\nworld",
        b"5\r\nhello\r\n+1\r\nw\r\n0\r\n\r\n",
        b"5\r\nhello\r\n1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0x1\r\nw\r\n0\r\n\r\n",
        b"5\r\nhello\r\nzz\r\n",
        b"4\r\nhello\r\n0\r\n\r\n",  # longer than its size
        b"5\r\nhelloXY0\r\n\r\n",
        b"5;" + b"x" * 5000 + b"\r\nhello\r\n0\r\n\r\n",
        b"6\r\nhello",
    ],
)
def test_chunks_that_are_none_never_end_a_body(chunks: bytes) -> None:
    assert failure(CHUNKED + chunks) in (Code.NETWORK, Code.SERVER)


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nETag: x\r\nthis is no header\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 4\r\n\r\nhello",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000,
        b"HTTP/2 200 OK\r\n\r\n",
        b"hello",
    ],
)
def test_a_head_that_is_none_is_a_failure_of_the_server(raw: bytes) -> None:
    assert Code.SERVER is failure(raw)


@pytest.mark.parametrize("sent", [0, 1, 4])
def test_a_body_shorter_than_its_length_is_a_broken_connection(sent: int) -> None:
    assert Code.NETWORK is failure(PLAIN[: len(PLAIN) - 5 + sent])


def test_the_end_of_the_connection_instead_of_an_answer_is_a_stale_connection() -> None:
    assert Code.STALE_CONNECTION is failure(b"")


def test_bytes_behind_an_answer_are_never_part_of_the_next_one() -> None:
    def script(request: object) -> Answer:
        return Answer(body=b"hello", after=b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")

    with HostileServer(script) as server:
        requester = Requester(server.url, {}, 5.0)
        bodies = []
        for _ in range(5):
            with requester.get({}) as answer:
                bodies.append(b"".join(iter(lambda: read(answer, 100), b"")))
        requester.close()

    assert [b"hello"] * 5 == bodies


def test_answers_through_a_proxy_are_read_as_strictly(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([Answer(body=b"hello"), Answer(raw=CHUNKED + b"5\r\nhello\r\n0")])
    with HostileServer(lambda _: next(answers)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/object.bin"))
        monkeypatch.setenv("no_proxy", "")
        requester = Requester("http://behind.invalid/a", {}, 5.0)
        with requester.get({}) as answer:
            assert b"hello" == read(answer, 100)
        with requester.get({}) as answer, pytest.raises(DriverError):
            while read(answer, 100):
                pass
        requester.close()

        assert ["http://behind.invalid/a"] * 2 == [request.target for request in proxy.requests]


def test_urllib3_logs_no_query_of_ours_and_all_of_others(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with SourceServer(b"x") as source:
        requester = Requester(f"{source.url}?ticket=hush", {}, 5.0)
        requester.get({}).close()
        requester.close()
        with urllib3.PoolManager() as pool:
            pool.request("GET", f"{source.url}?page=2")

    lines = [record.getMessage() for record in caplog.records if record.name == "urllib3.connectionpool"]
    requests = [line for line in lines if '"GET ' in line]
    assert ["/object.bin?...", "/object.bin?page=2"] == [line.split()[2] for line in requests]
