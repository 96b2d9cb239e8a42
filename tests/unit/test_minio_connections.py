"""Connections and bodies of answers, down to the socket."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from storagekit.driver import Code
from storagekit.transport import sockets
from storagekit.types import WriteOptions
from storagekit_minio.driver import MinioDriver
from tests.unit.minio_wire import ACCOUNT, Wire, answer, body, failure_of

WHOLE = b"abcdefghijklmnopqrst"


def read(driver: MinioDriver) -> bytes:
    buffer, data = memoryview(bytearray(7)), b""
    with driver.read("bucket", "key") as reader:
        while count := reader.readinto(buffer):
            data += buffer[:count]
    return data


def chunked(*blocks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    head = b'HTTP/1.1 206 Whatever\r\nTransfer-Encoding: chunked\r\nETag: "e"\r\nContent-Range: bytes 0-19/20\r\n\r\n'
    return head + b"".join(b"%x\r\n%b\r\n" % (len(block), block) for block in blocks) + end


def test_chunked_body_is_read_to_its_end(wire: Wire, driver: MinioDriver) -> None:
    wire.answers = [chunked(WHOLE[:7], WHOLE[7:]), answer(204)]
    assert read(driver) == WHOLE
    driver.delete("bucket", "key")
    assert wire.connections == 1


@pytest.mark.parametrize("end", [b"0\r\n\r\n", b"5\r\nabc", b"what is this?\r\n"])
def test_chunked_body_that_is_short_is_the_network(wire: Wire, driver: MinioDriver, end: bytes) -> None:
    wire.answers = [chunked(WHOLE[:15], end=end)]  # and the wire hangs up
    assert failure_of(driver, lambda: read(driver)).code is Code.NETWORK


class Dripping:
    """Sends one byte of a body after the other, with a pause before each; None: the next one never comes."""

    def __init__(self, pauses: Sequence[float | None]) -> None:
        self._pauses = pauses
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.recv(1 << 16)
            connection.sendall(answer(200, b"", len(self._pauses), ETag='"e"'))
            for pause in self._pauses:
                self._done.wait(20 if pause is None else pause)
                connection.sendall(b"x")

    def __enter__(self) -> Dripping:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join(30)
        self._listener.close()


def to_drops(server: Dripping, timeout_s: str) -> MinioDriver:
    return MinioDriver.from_settings({**ACCOUNT, "endpoint": server.address, "read_timeout_s": timeout_s})


def test_timeout_of_a_body_runs_between_its_pieces() -> None:
    with Dripping([0.4] * 5) as server, closing(to_drops(server, "1.5")) as driver:
        assert read(driver) == b"xxxxx"


def test_body_that_stops_is_a_timeout() -> None:
    with Dripping([0, None]) as server, closing(to_drops(server, "0.3")) as driver:
        assert failure_of(driver, lambda: read(driver)).code is Code.TIMEOUT


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how long a round trip takes")
def test_the_send_buffer_to_this_machine_is_small(wire: Wire, driver: MinioDriver) -> None:
    wire.answers = [answer(204), answer(204)]  # the second keeps the wire from hanging up
    driver.delete("bucket", "key")
    pool = driver._client._http.connection_from_url(f"http://{wire.address}")
    connection: Any = pool._get_conn()
    with closing(connection), socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 768 * 1024)
        sizes = [each.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) for each in (connection.sock, other)]
    assert sizes[0] == sizes[1]  # as Linux grants it


def test_a_head_waits_for_its_body_and_for_nothing_else(
    wire: Wire, driver: MinioDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a body nothing would follow for 200 ms."""
    sent: list[tuple[bytes, bool]] = []
    send_all = sockets.send_all

    def recorded(connection: socket.socket, data: bytes, idle_s: float | None, *, more: bool = False) -> None:
        sent.append((bytes(data[:6]), more))
        send_all(connection, data, idle_s, more=more)

    monkeypatch.setattr(sockets, "send_all", recorded)
    wire.answers = [answer(200, ETag='"e"'), answer(200, ETag='"e"'), answer(204)]
    driver.put("bucket", "key", body(b"abc"), WriteOptions())
    driver.put("bucket", "key", body(b""), WriteOptions())
    driver.delete("bucket", "key")
    assert sent == [(b"PUT /b", True), (b"abc", False), (b"PUT /b", False), (b"DELETE", False)]


def test_server_that_takes_nothing_is_a_timeout() -> None:
    """The handshake is the system's; nobody ever accepts, and what is sent stays in the buffers until they are full."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        settings = {**ACCOUNT, "endpoint": address, "read_timeout_s": "0.5"}
        with closing(MinioDriver.from_settings(settings)) as driver:
            put = partial(driver.put, "bucket", "key", body(b"x" * (32 << 20)), WriteOptions())
            assert failure_of(driver, put).code is Code.TIMEOUT
