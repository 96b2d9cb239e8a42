"""The proxies: bytes pass unchanged, every fault does what it says, the log tells what happened."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import math
import socket
import struct
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator

import pytest

from storagekit.testing.http_source import SourceServer, pattern
from storagekit.testing.proxy import (
    Answer,
    CutAnswer,
    CutRequest,
    Delay,
    DropAnswer,
    Fault,
    FaultProxy,
    Garbage,
    LinkFault,
    Request,
    Stall,
    Strike,
    TCPProxy,
    Transaction,
    When,
    is_abort,
    is_any,
    is_complete,
    is_create_upload,
    is_get_object,
    is_head,
    is_list_parts,
    is_part,
    is_put_object,
    matches,
)

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: "e"\r\n\r\nok'
BODY = pattern(5, 0, 700_000)
PART = "/b/k?partNumber=1&uploadId=u"

Read = Callable[[int], bytes]
Script = Callable[[socket.socket, bytes, bytes], bytes]
"""Given the connection, a request's head and body as received, the answer; b"" closes the connection."""


class Upstream:
    """A server that keeps the very bytes it receives and answers by script."""

    def __init__(self) -> None:
        self.script: Script = lambda *_: OK
        self.early: Callable[[socket.socket, bytes, Read], bool] = lambda *_: False
        """Called with the head and a reader before the body is read; True: that was all, close."""
        self.requests: list[tuple[bytes, bytes]] = []
        self.connections = 0
        self.ended = threading.Event()
        """Set when a connection has been closed."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=10)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._threads.append(threading.Thread(target=self._serve, args=(sock,), daemon=True))
            self._threads[-1].start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, sock.makefile("rb") as file:
            try:
                while self._one(sock, file.readline, file.read):
                    pass
            except ConnectionError:
                pass
        self.ended.set()

    def _one(self, sock: socket.socket, line: Callable[[], bytes], read: Read) -> bool:
        lines = [line()]
        while lines[-1] not in (b"\r\n", b""):
            lines.append(line())
        head = b"".join(lines[:-1]) if lines[-1] else b""
        if not head or self.early(sock, head, read):
            return False
        body = chunked(line, read) if b"chunked" in head else read(length_of(head))
        self.requests.append((head, body))
        answer = self.script(sock, head, body)
        sock.sendall(answer)
        return bool(answer) and b"Connection: close" not in answer


def length_of(head: bytes) -> int:
    found = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return int(found[0].split(b":")[1]) if found else 0


def chunked(line: Callable[[], bytes], read: Read) -> bytes:
    """The raw bytes of a chunked body."""
    raw = []
    while True:
        raw.append(line())
        size = int(raw[-1].split(b";")[0], 16)
        if size == 0:
            break
        raw.append(read(size + 2))
    while raw[-1] != b"\r\n":
        raw.append(line())
    return b"".join(raw)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture
def proxy(upstream: Upstream) -> Iterator[FaultProxy]:
    with FaultProxy(upstream.endpoint) as running:
        yield running


def ask(proxy: FaultProxy, method: str, target: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    client = http.client.HTTPConnection(proxy.host, proxy.port, timeout=10)
    try:
        client.request(method, target, body, headers)
        answer = client.getresponse()
        return answer.status, answer.read()
    finally:
        client.close()


def exchange_raw(proxy: FaultProxy | TCPProxy, data: bytes) -> bytes:
    """Send these bytes, then everything until the proxy closes."""
    with socket.create_connection((proxy.host, proxy.port), timeout=10) as sock:
        sock.sendall(data)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def refused(proxy: FaultProxy, method: str, target: str, body: bytes | None = None) -> None:
    """The client gets no answer at all."""
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        ask(proxy, method, target, body)


# Passing on


def test_request_and_answer_pass_byte_by_byte(proxy: FaultProxy, upstream: Upstream) -> None:
    answer = b"HTTP/1.1 201 Sure thing\r\nX-Odd:  two  spaces \r\nConnection: close\r\nContent-Length: 5\r\n\r\n"
    answer += b"\x00\xff\r\n!"
    upstream.script = lambda *_: answer
    head = b"PUT /b/a%20b+%C3%A9?partNumber=07&x=%2F&uploadId=u~ HTTP/1.1\r\nhOST: signed.example:1\r\nX-A:  b \r\n"
    head += b"x-a: again\r\nContent-Length: 700000\r\n"
    assert exchange_raw(proxy, head + b"\r\n" + BODY) == answer
    assert upstream.requests == [(head, BODY)]
    (seen,) = proxy.exchanges
    assert (seen.method, seen.path) == ("PUT", "/b/a%20b+%C3%A9")
    assert seen.query == {"partNumber": "07", "x": "/", "uploadId": "u~"}
    assert (seen.request_bytes, seen.status, seen.upstream_status, seen.answer_bytes) == (700_000, 201, 201, 5)
    assert (seen.complete, seen.fault, seen.headers["host"]) == (True, None, "signed.example:1")
    assert proxy.part_puts() == [7]


def test_chunked_both_ways(proxy: FaultProxy, upstream: Upstream) -> None:
    body = b"5;ext=1\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nX-Trailer: t\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    upstream.script = lambda *_: answer
    head = b"PUT /b/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    with socket.create_connection((proxy.host, proxy.port), timeout=10) as sock:
        for _ in range(2):
            sock.sendall(head + b"\r\n" + body)
            got = b""
            while len(got) < len(answer):
                got += sock.recv(65536)
            assert got == answer
    assert upstream.requests == [(head, body)] * 2
    assert upstream.connections == 1


def test_keep_alive_on_both_sides(proxy: FaultProxy, upstream: Upstream) -> None:
    client = http.client.HTTPConnection(proxy.host, proxy.port, timeout=10)
    for number in range(1, 6):
        client.request("PUT", f"/b/k?partNumber={number}&uploadId=u", b"x" * number)
        assert client.getresponse().read() == b"ok"
    client.close()
    assert upstream.connections == 1
    assert proxy.part_puts() == [1, 2, 3, 4, 5]
    assert {exchange.connection for exchange in proxy.exchanges} == {1}


def test_answers_without_a_body(proxy: FaultProxy, upstream: Upstream) -> None:
    upstream.script = lambda _sock, head, _body: {
        b"HEAD": b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n",
        b"DELE": b"HTTP/1.1 204 No Content\r\n\r\n",
        b"GET ": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
    }[head[:4]]
    client = http.client.HTTPConnection(proxy.host, proxy.port, timeout=10)
    statuses = []
    for method in ("HEAD", "DELETE", "GET", "HEAD"):
        client.request(method, "/b/k")
        answer = client.getresponse()
        statuses.append((answer.status, answer.read()))
    client.close()
    assert statuses == [(200, b""), (204, b""), (304, b""), (200, b"")]
    assert upstream.connections == 1


def test_answer_until_close(proxy: FaultProxy, upstream: Upstream) -> None:
    def script(sock: socket.socket, _head: bytes, _body: bytes) -> bytes:
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + BODY)
        return b""

    upstream.script = script
    assert ask(proxy, "GET", "/b/k") == (200, BODY)


def test_large_bodies_stream(proxy: FaultProxy) -> None:
    with SourceServer(64 << 20) as source, FaultProxy(source.url) as front:
        client = http.client.HTTPConnection(front.host, front.port, timeout=10)
        client.request("GET", "/any")
        answer = client.getresponse()
        assert sum(len(block) for block in iter(lambda: answer.read(1 << 20), b"")) == 64 << 20
        client.close()
        assert front.exchanges[0].answer_bytes == 64 << 20
    with socket.create_connection((proxy.host, proxy.port), timeout=10) as sock:
        sock.sendall(b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 67108864\r\n\r\n")
        for _ in range(64):
            sock.sendall(bytes(1 << 20))
        assert sock.recv(100).startswith(b"HTTP/1.1 200")


def test_expect_continue_comes_from_the_server(proxy: FaultProxy, upstream: Upstream) -> None:
    def go_on(sock: socket.socket, _head: bytes, _read: Read) -> bool:
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return False

    upstream.early = go_on
    with socket.create_connection((proxy.host, proxy.port), timeout=10) as sock:
        sock.sendall(b"PUT /b/k HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"hello")
        assert sock.recv(1000).startswith(b"HTTP/1.1 200")
    assert upstream.requests[0][1] == b"hello"


def test_expect_refused_without_the_body(proxy: FaultProxy, upstream: Upstream) -> None:
    def refuse(sock: socket.socket, _head: bytes, _read: Read) -> bool:
        sock.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        return True

    upstream.early = refuse
    request = b"PUT /b/k HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    assert exchange_raw(proxy, request).startswith(b"HTTP/1.1 403 Forbidden")
    assert (proxy.exchanges[0].status, proxy.exchanges[0].request_bytes) == (403, 0)


def test_early_refusal_reaches_a_sending_client(proxy: FaultProxy, upstream: Upstream) -> None:
    def refuse(sock: socket.socket, _head: bytes, _read: Read) -> bool:
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad")
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass
        return True

    upstream.early = refuse
    assert ask(proxy, "PUT", "/b/k", bytes(8 << 20)) == (400, b"bad")


def test_server_that_closed_an_idle_connection(proxy: FaultProxy, upstream: Upstream) -> None:
    def last(sock: socket.socket, _head: bytes, _body: bytes) -> bytes:
        sock.sendall(OK)
        return b""

    upstream.script = last
    client = http.client.HTTPConnection(proxy.host, proxy.port, timeout=10)
    for count in (1, 2, 3):
        client.request("GET", "/b/k")
        assert client.getresponse().read() == b"ok"
        assert upstream.ended.wait(10)
        upstream.ended.clear()
        assert upstream.connections == count
    client.close()


def test_server_that_is_not_there(upstream: Upstream) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with FaultProxy(f"http://127.0.0.1:{port}") as proxy:
        refused(proxy, "GET", "/b/k")
        proxy.wait_idle()
        assert (proxy.exchanges[0].status, proxy.exchanges[0].complete) == (0, False)
        assert "refused" in proxy.exchanges[0].error
    with pytest.raises(ValueError, match="not an http endpoint"):
        FaultProxy("https://example.org")


def test_server_that_talks_nonsense(proxy: FaultProxy, upstream: Upstream) -> None:
    upstream.script = lambda *_: b"HTTP/1.1 twohundred OK\r\n\r\n"
    refused(proxy, "GET", "/b/k")
    proxy.wait_idle()
    assert "not HTTP" in proxy.exchanges[0].error


# Predicates, faults and the log


@pytest.mark.parametrize(
    ("method", "target", "predicate"),
    [
        ("PUT", "/b/k?partNumber=3&uploadId=u", is_part()),
        ("PUT", "/b/k?partNumber=3&uploadId=u", is_part(2, 3)),
        ("POST", "/b/k?uploads", is_create_upload()),
        ("POST", "/b/k?uploads=", is_create_upload()),
        ("POST", "/b/k?uploadId=u", is_complete()),
        ("DELETE", "/b/k?uploadId=u", is_abort()),
        ("GET", "/b/k?uploadId=u&max-parts=5", is_list_parts()),
        ("PUT", "/b/k/l", is_put_object()),
        ("GET", "/b/k", is_get_object()),
        ("HEAD", "/b/k", is_head()),
        ("PATCH", "/", is_any()),
        ("PUT", "/b/.storagekit/uploads/1/2.json", matches("PUT", r"/\.storagekit/.*json$")),
        ("DELETE", "/b/k?uploadId=a/b", matches("DELETE", r"/k\?uploadId=a/b$")),
        ("LOCK", "/b/k", matches("*", "k$")),
    ],
)
def test_predicates(method: str, target: str, predicate: Callable[[Request], bool]) -> None:
    predicates = (is_part(), is_create_upload(), is_complete(), is_abort(), is_list_parts(), is_put_object(), is_head())
    request = request_for(method, target)
    assert predicate(request)
    assert sum(each(request) for each in predicates) <= 1
    assert not is_part(4)(request)


def request_for(method: str, target: str) -> Request:
    path, _, query = target.partition("?")
    pairs = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
    return Request(method, path, pairs, {}, 1, 1)


@pytest.mark.parametrize(("method", "target"), [("PUT", "/b"), ("PUT", "/b/"), ("GET", "/b?list-type=2"), ("GET", "/")])
def test_a_bucket_is_no_object(method: str, target: str) -> None:
    assert not is_put_object()(request_for(method, target))
    assert not is_get_object()(request_for(method, target))


def test_a_pattern_that_is_not_found_picks_nothing() -> None:
    request = request_for("PUT", "/b/k")
    assert not matches("GET", "k")(request)
    assert not matches("PUT", "uploads")(request)
    assert matches("PUT")(request)


def test_times_and_skip() -> None:
    request = request_for("GET", "/b/k")
    fault = Fault(is_any(), Answer(500), times=2, skip=1)
    assert [fault.take(request) for _ in range(5)] == [False, True, True, False, False]
    assert fault.fired == 2
    assert "fired=2" in repr(fault)
    always = Fault(is_any(), Answer(500), times=None)
    assert all(always.take(request) for _ in range(5))
    assert not Fault(is_head(), Answer(500)).take(request)


def test_faults_can_change_while_running(proxy: FaultProxy) -> None:
    proxy.faults.append(Fault(is_get_object(), Answer(500)))
    assert ask(proxy, "PUT", "/b/k", b"x")[0] == 200
    assert ask(proxy, "GET", "/b/k")[0] == 500
    assert ask(proxy, "GET", "/b/k")[0] == 200
    proxy.faults = [Fault(is_any(), Answer(503), times=None)]
    assert ask(proxy, "GET", "/b/k")[0] == 503
    proxy.faults = []
    assert ask(proxy, "GET", "/b/k")[0] == 200


def test_log_helpers(proxy: FaultProxy) -> None:
    proxy.faults = [Fault(is_part(2), Answer(503))]
    for number in (1, 2, 2, 3):
        ask(proxy, "PUT", f"/b/k?partNumber={number}&uploadId=u", b"part")
    ask(proxy, "POST", "/b/k?uploadId=u", b"<xml/>")
    assert proxy.part_puts() == [1, 2, 2, 3]
    assert proxy.part_puts(200) == [1, 2, 3]
    assert proxy.count(is_complete()) == 1
    assert [exchange.status for exchange in proxy.matching(is_part())] == [200, 503, 200, 200]
    assert proxy.exchanges[1].fault == Answer(503)
    assert [exchange.number for exchange in proxy.exchanges] == [1, 2, 3, 4, 5]
    with pytest.raises(dataclasses.FrozenInstanceError):
        proxy.exchanges[0].status = 1  # type: ignore[misc]
    proxy.clear()
    assert proxy.exchanges == []


def test_on_request_sees_every_request_first(proxy: FaultProxy, upstream: Upstream) -> None:
    seen: list[tuple[int | None, int]] = []
    proxy.on_request = lambda request: seen.append((request.part_number, len(upstream.requests)))
    ask(proxy, "PUT", PART, b"x")
    ask(proxy, "GET", "/b/k")
    assert seen == [(1, 0), (None, 1)]


def test_request_under_way_is_in_the_log(proxy: FaultProxy) -> None:
    with socket.create_connection((proxy.host, proxy.port), timeout=10) as sock:
        sock.sendall(b"PUT /b/k?partNumber=9&uploadId=u HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf!")
        wait_for(lambda: proxy.exchanges and proxy.exchanges[0].request_bytes == 5)
        assert (proxy.part_puts(), proxy.exchanges[0].finished) == ([9], False)
        assert not proxy.wait_idle(0.02)
    assert proxy.wait_idle()
    assert "5 bytes before the end" in proxy.exchanges[0].error


# Each action


def test_answer_instead_of_the_server(proxy: FaultProxy, upstream: Upstream) -> None:
    proxy.faults = [Fault(is_part(), Answer(503, retry_after=2))]
    client = http.client.HTTPConnection(proxy.host, proxy.port, timeout=10)
    client.request("PUT", PART, BODY)
    answer = client.getresponse()
    body = answer.read()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    assert answer.headers["x-amz-request-id"]
    assert b"<Error><Code>SlowDown</Code>" in body
    assert b"<Resource>/b/k</Resource>" in body
    assert upstream.requests == []
    client.request("PUT", PART, BODY)
    assert client.getresponse().read() == b"ok"
    client.close()
    first, second = proxy.exchanges
    assert (first.request_bytes, first.status, first.upstream_status, first.complete) == (700_000, 503, 0, True)
    assert first.connection == second.connection


def test_answer_without_reading_the_body(proxy: FaultProxy, upstream: Upstream) -> None:
    proxy.faults = [Fault(is_part(), Answer(403, read_body=False))]
    request = b"PUT /b/k?partNumber=1&uploadId=u HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n"
    with socket.create_connection((proxy.host, proxy.port), timeout=10) as sock:
        sock.sendall(request)
        answer = sock.recv(65536)
    assert answer.startswith(b"HTTP/1.1 403")
    assert b"Connection: close" in answer
    assert b"AccessDenied" in answer
    assert (proxy.exchanges[0].request_bytes, upstream.requests) == (0, [])


def test_answer_to_a_client_that_expects_to_continue(proxy: FaultProxy) -> None:
    proxy.faults = [Fault(is_any(), Answer(500))]
    with socket.create_connection((proxy.host, proxy.port), timeout=10) as sock:
        sock.sendall(b"PUT /b/k HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"hello")
        assert sock.recv(100).startswith(b"HTTP/1.1 500")


def test_answer_to_head_has_no_body(proxy: FaultProxy) -> None:
    proxy.faults = [Fault(is_head(), Answer(404, code="NoSuchKey"))]
    client = http.client.HTTPConnection(proxy.host, proxy.port, timeout=10)
    statuses = []
    for _ in range(2):
        client.request("HEAD", "/b/k")
        answer = client.getresponse()
        statuses.append((answer.status, answer.read()))
    client.close()
    assert statuses == [(404, b""), (200, b"")]


def test_two_hundred_with_an_error_inside(proxy: FaultProxy, upstream: Upstream) -> None:
    proxy.faults = [Fault(is_complete(), Answer(200)), Fault(is_complete(), Answer(200, "SlowDown", forward=True))]
    status, body = ask(proxy, "POST", "/b/k?uploadId=u", b"<xml/>")
    assert (status, upstream.requests) == (200, [])
    assert b"<Error><Code>InternalError</Code>" in body
    status, body = ask(proxy, "POST", "/b/k?uploadId=u", b"<xml/>")
    assert (status, len(upstream.requests)) == (200, 1)
    assert b"<Error><Code>SlowDown</Code>" in body
    assert proxy.exchanges[1].upstream_status == 200


def test_own_body(proxy: FaultProxy) -> None:
    proxy.faults = [Fault(is_any(), Answer(200, body=b"mine"))]
    assert ask(proxy, "GET", "/b/k") == (200, b"mine")


@pytest.mark.parametrize("reset", [False, True])
def test_dropped_answer(proxy: FaultProxy, upstream: Upstream, reset: bool) -> None:
    known: list[int] = []
    proxy.faults = [Fault(is_complete(), DropAnswer(reset=reset, then=lambda: known.append(len(upstream.requests))))]
    refused(proxy, "POST", "/b/k?uploadId=u", b"<xml/>")
    assert upstream.requests[0][1] == b"<xml/>"
    assert known == [1]
    assert proxy.wait_idle()
    (seen,) = proxy.exchanges
    assert (seen.status, seen.upstream_status, seen.complete, seen.error) == (0, 200, False, "hung up")
    assert ask(proxy, "POST", "/b/k?uploadId=u", b"<xml/>") == (200, b"ok")


def test_cut_request_body(proxy: FaultProxy, upstream: Upstream) -> None:
    received: list[bytes] = []

    def keep(_sock: socket.socket, _head: bytes, read: Read) -> bool:
        received.append(read(len(BODY)))
        return True

    upstream.early = keep
    proxy.faults = [Fault(is_part(), CutRequest(300_001))]
    refused(proxy, "PUT", PART, BODY)
    assert proxy.wait_idle()
    assert proxy.exchanges[0].error == "hung up"
    assert 300_001 < proxy.exchanges[0].request_bytes <= 300_001 + 256 * 1024
    assert upstream.ended.wait(10)
    assert received == [BODY[:300_001]]


def test_cut_request_body_with_reset(proxy: FaultProxy, upstream: Upstream) -> None:
    proxy.faults = [Fault(is_part(), CutRequest(300_001, reset=True))]
    refused(proxy, "PUT", PART, BODY)
    assert upstream.ended.wait(10)
    assert upstream.requests == []


def with_errors(action: Callable[[], object]) -> None:
    with contextlib.suppress(ConnectionError):
        action()


def test_cut_beyond_the_body_changes_nothing(proxy: FaultProxy) -> None:
    proxy.faults = [Fault(is_part(), CutRequest(700_000)), Fault(is_get_object(), CutAnswer(2))]
    assert ask(proxy, "PUT", PART, BODY) == (200, b"ok")
    assert ask(proxy, "GET", "/b/k") == (200, b"ok")


def test_cut_answer(proxy: FaultProxy, upstream: Upstream) -> None:
    upstream.script = lambda *_: b"HTTP/1.1 200 OK\r\nContent-Length: 700000\r\n\r\n" + BODY
    proxy.faults = [Fault(is_get_object(), CutAnswer(500_000))]
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(proxy, "GET", "/b/k")
    assert caught.value.partial == BODY[:500_000]
    assert ask(proxy, "GET", "/b/k") == (200, BODY)
    assert proxy.wait_idle()
    first, second = proxy.exchanges
    assert (first.status, first.answer_bytes, first.complete) == (200, 500_000, False)
    assert (second.answer_bytes, second.complete) == (700_000, True)


def test_cut_answer_with_reset(proxy: FaultProxy, upstream: Upstream) -> None:
    upstream.script = lambda *_: b"HTTP/1.1 200 OK\r\nContent-Length: 700000\r\n\r\n" + BODY
    proxy.faults = [Fault(is_get_object(), CutAnswer(500_000, reset=True))]
    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        ask(proxy, "GET", "/b/k")


def test_delay_and_stalls(proxy: FaultProxy, upstream: Upstream) -> None:
    upstream.script = lambda *_: b"HTTP/1.1 200 OK\r\nContent-Length: 700000\r\n\r\n" + BODY
    proxy.faults = [
        Fault(is_any(), Delay(0.1)),
        Fault(is_any(), Delay(0.1, do=Answer(500))),
        Fault(is_any(), Stall(0.1, after=1000)),
        Fault(is_any(), Stall(0.1, after=1000, where="answer")),
    ]
    for status in (200, 500, 200, 200):
        began = time.monotonic()
        got = ask(proxy, "PUT", PART, BODY)
        assert got[0] == status
        assert time.monotonic() - began >= 0.1
    assert got[1] == BODY
    assert [body for _, body in upstream.requests] == [BODY] * 3


def test_stall_holds_the_body_at_the_mark(upstream: Upstream) -> None:
    upstream.script = lambda *_: b"HTTP/1.1 200 OK\r\nContent-Length: 700000\r\n\r\n" + BODY
    with FaultProxy(upstream.endpoint, [Fault(is_any(), Stall(math.inf, after=1000, where="answer"))]) as proxy:
        sock = socket.create_connection((proxy.host, proxy.port), timeout=10)
        sock.sendall(b"GET /b/k HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: proxy.exchanges and proxy.exchanges[0].answer_bytes == 1000)
        began = time.monotonic()
    assert time.monotonic() - began < 4  # closing ends a stall for ever
    sock.close()


def test_garbage(proxy: FaultProxy) -> None:
    proxy.faults = [Fault(is_any(), Garbage()), Fault(is_any(), Garbage(b"", read_body=False))]
    with pytest.raises(http.client.BadStatusLine):
        ask(proxy, "PUT", PART, b"x")
    refused(proxy, "GET", "/b/k")


def test_own_action(proxy: FaultProxy, upstream: Upstream) -> None:
    class Twice:
        """Asks the server, and answers with what it had."""

        def apply(self, transaction: Transaction) -> None:
            transaction.forward_request()
            transaction.swallow_answer()
            transaction.answer(202, b"number %d" % transaction.request.number)

    proxy.faults = [Fault(is_any(), Twice())]
    assert ask(proxy, "PUT", PART, b"x") == (202, b"number 1")
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("status", [500, 503, 429])
@pytest.mark.parametrize("retry_after", [None, 2, "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_storm(proxy: FaultProxy, upstream: Upstream, status: int, retry_after: str | int | None) -> None:
    proxy.faults = [Fault(is_part(), Answer(status, retry_after=retry_after), times=3)]
    client = http.client.HTTPConnection(proxy.host, proxy.port, timeout=10)
    answers = []
    for _ in range(4):
        client.request("PUT", PART, b"part")
        answer = client.getresponse()
        answer.read()
        answers.append((answer.status, answer.headers["Retry-After"]))
    client.close()
    assert [(status, None if retry_after is None else str(retry_after))] * 3 + [(200, None)] == answers
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("when", "at_the_server", "answered"),
    [
        ("before forward", 0, False),
        ("in the body", 0, False),
        ("after forward, before answer", 1, False),
        ("after answer", 1, True),
    ],
)
def test_strike(proxy: FaultProxy, upstream: Upstream, when: When, at_the_server: int, answered: bool) -> None:
    seen: list[int] = []
    proxy.faults = [Fault(is_part(), Strike(lambda: seen.append(len(upstream.requests)), when, after=500_000))]
    if answered:
        assert ask(proxy, "PUT", PART, BODY) == (200, b"ok")
    else:
        refused(proxy, "PUT", PART, BODY)
    assert proxy.wait_idle()
    assert [at_the_server] == seen
    assert at_the_server == sum(len(body) == len(BODY) for _, body in upstream.requests)  # half a body may have come


def test_strike_in_a_body_that_is_shorter_does_not_come(proxy: FaultProxy) -> None:
    seen: list[int] = []
    proxy.faults = [Fault(is_part(), Strike(lambda: seen.append(1), "in the body", after=5))]
    assert ask(proxy, "PUT", PART, b"short") == (200, b"ok")
    assert [] == seen


def test_client_that_dies_within_a_part(proxy: FaultProxy, upstream: Upstream) -> None:
    with socket.create_connection((proxy.host, proxy.port)) as sock:
        sock.sendall(b"PUT /b/k?partNumber=1&uploadId=u HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nhalf")
        wait_for(lambda: proxy.exchanges)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert upstream.ended.wait(10)
    assert proxy.wait_idle()
    assert (proxy.exchanges[0].status, proxy.exchanges[0].complete) == (0, False)


def test_many_connections_at_once(proxy: FaultProxy, upstream: Upstream) -> None:
    proxy.faults = [Fault(is_any(), Answer(503), times=7)]
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(ask(proxy, "PUT", PART, BODY)[0])) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 13 + [503] * 7
    assert sum(exchange.request_bytes for exchange in proxy.exchanges) == 20 * 700_000
    assert all(body == BODY for _, body in upstream.requests)


# TCPProxy


@pytest.fixture
def tcp(upstream: Upstream) -> Iterator[TCPProxy]:
    with TCPProxy("127.0.0.1", upstream.port) as running:
        yield running


GET = b"GET /b/k HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture
def big(upstream: Upstream) -> bytes:
    """The upstream's answer."""
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BODY
    upstream.script = lambda *_: answer
    return answer


def test_tcp_passes_and_counts(tcp: TCPProxy, big: bytes) -> None:
    assert exchange_raw(tcp, GET) == big
    assert exchange_raw(tcp, GET) == big
    assert (tcp.bytes_up, tcp.bytes_down, tcp.connections) == (2 * len(GET), 2 * len(big), 2)
    assert tcp.endpoint == f"http://127.0.0.1:{tcp.port}"


def test_tcp_cut_down(tcp: TCPProxy, big: bytes) -> None:
    tcp.down = LinkFault(cut_after=123_456, times=1)
    assert exchange_raw(tcp, GET) == big[:123_456]
    assert exchange_raw(tcp, GET) == big


def test_tcp_cut_up(tcp: TCPProxy, upstream: Upstream) -> None:
    tcp.up = LinkFault(cut_after=10)
    assert exchange_raw(tcp, GET) == b""
    assert (tcp.bytes_up, upstream.requests) == (10, [])
    tcp.up = LinkFault(cut_after=0)
    with_errors(lambda: exchange_raw(tcp, GET))
    assert tcp.bytes_up == 10


def test_tcp_reset(tcp: TCPProxy, big: bytes) -> None:
    tcp.down = LinkFault(cut_after=1000, reset=True)
    with pytest.raises(ConnectionResetError):
        exchange_raw(tcp, GET)
    assert big


def test_tcp_stall_and_delay(tcp: TCPProxy, big: bytes) -> None:
    tcp.down = LinkFault(stall_after=1000, stall_seconds=0.15, times=1)
    for pause in (True, False):
        began = time.monotonic()
        assert exchange_raw(tcp, GET) == big
        assert time.monotonic() - began >= 0.15 * pause
    assert tcp.down.stall_after == 1000
    tcp.up = LinkFault(delay_seconds=0.1)
    began = time.monotonic()
    assert exchange_raw(tcp, GET) == big
    assert time.monotonic() - began >= 0.1


def test_tcp_stall_and_cut_on_the_way_up(tcp: TCPProxy, upstream: Upstream) -> None:
    tcp.up = LinkFault(stall_after=20, stall_seconds=0.15, cut_after=30)
    began = time.monotonic()
    assert exchange_raw(tcp, GET) == b""
    assert time.monotonic() - began >= 0.15
    assert (tcp.bytes_up, upstream.requests) == (30, [])


def test_tcp_flips_one_byte_each_way(tcp: TCPProxy, upstream: Upstream, big: bytes) -> None:
    tcp.down = LinkFault(flip_at=300_000, times=1)
    got = exchange_raw(tcp, GET)
    assert [at for at in range(len(big)) if got[at] != big[at]] == [300_000]
    assert got[300_000] == big[300_000] ^ 0xFF
    assert exchange_raw(tcp, GET) == big
    tcp.up = LinkFault(flip_at=5)
    exchange_raw(tcp, GET)
    assert upstream.requests[-1][0].startswith(b"GET /\x9d/k")


def test_tcp_calls_back_at_the_exact_byte(tcp: TCPProxy, upstream: Upstream) -> None:
    seen: list[tuple[int, int]] = []
    held, go_on = threading.Event(), threading.Event()

    def at_the_mark() -> None:
        seen.append((tcp.bytes_up, len(upstream.requests)))
        held.set()
        go_on.wait(10)

    tcp.when_up(len(GET) - 1, at_the_mark)
    with socket.create_connection((tcp.host, tcp.port), timeout=10) as sock:
        sock.sendall(GET)
        assert held.wait(10)
        assert [(len(GET) - 1, 0)] == seen
        go_on.set()
        assert sock.recv(100).startswith(b"HTTP/1.1 200")
    tcp.when_up(1, lambda: seen.append((-1, -1)))
    assert (-1, -1) == seen[-1]  # so many had passed already


def test_tcp_half_close(tcp: TCPProxy, upstream: Upstream) -> None:
    def echo(sock: socket.socket, _head: bytes, _read: Read) -> bool:
        while sock.recv(65536):
            pass
        sock.sendall(b"bye")
        return True

    upstream.early = echo
    with socket.create_connection((tcp.host, tcp.port), timeout=10) as sock:
        sock.sendall(GET)
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(100) == b"bye"


def test_tcp_server_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with TCPProxy("127.0.0.1", port) as tcp:
        with_errors(lambda: exchange_raw(tcp, GET))
        assert tcp.bytes_up == 0


def test_closing_cuts_open_connections(upstream: Upstream) -> None:
    for proxy in (TCPProxy("127.0.0.1", upstream.port), FaultProxy(upstream.endpoint)):
        with proxy:
            sock = socket.create_connection((proxy.host, proxy.port), timeout=10)
            sock.sendall(b"PUT /b/k HTTP/1.1\r\nContent-Length: 5\r\n\r\n")
            wait_for(lambda: upstream.connections)
            began = time.monotonic()
        assert time.monotonic() - began < 3
        assert sock.recv(100) == b""
        sock.close()
        upstream.connections = 0
