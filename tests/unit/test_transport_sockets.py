"""Sockets for drivers: over TLS a large buffer is filled in one go; near servers have a small send buffer."""

from __future__ import annotations

import os
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from storagekit.testing.tls import Authority
from storagekit.transport import sockets

RECORD = 16 * 1024
DATA = os.urandom(40 * RECORD + 11)

Talk = Callable[[Callable[[ssl.SSLSocket], None]], ssl.SSLSocket]


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    """Connect to a TLS server that does with the connection what it is told, and closes it."""
    authority = Authority()
    server = authority.issue("127.0.0.1").context()
    context = sockets.tls_context(authority.write(tmp_path / "ca.pem"))
    open_: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def connect(does: Callable[[ssl.SSLSocket], None]) -> ssl.SSLSocket:
        listener = socket.create_server(("127.0.0.1", 0))
        open_.append(listener)

        def serve() -> None:
            connection, _ = listener.accept()
            with server.wrap_socket(connection, server_side=True) as secure:
                does(secure)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        plain = socket.create_connection(listener.getsockname(), timeout=10)
        client = context.wrap_socket(plain, server_hostname="127.0.0.1")
        open_.append(client)
        return client

    yield connect
    for each in open_:
        each.close()
    for thread in threads:
        thread.join(10)


def test_a_large_buffer_is_filled_from_many_records(talk: Talk) -> None:
    client = talk(lambda server: server.sendall(DATA))
    buffer = bytearray(len(DATA))
    assert (client.recv_into(buffer), bytes(buffer)) == (len(DATA), DATA)


def test_a_large_buffer_takes_what_came_before_the_end(talk: Talk) -> None:
    client = talk(lambda server: server.sendall(DATA))
    buffer = bytearray(len(DATA) + 100)
    assert client.recv_into(buffer) == len(DATA)
    assert client.recv_into(buffer) == 0


def test_a_count_bounds_what_is_received(talk: Talk) -> None:
    client = talk(lambda server: server.sendall(DATA))
    buffer = bytearray(len(DATA))
    assert client.recv_into(buffer, 5 * RECORD) == 5 * RECORD
    assert bytes(buffer[: 5 * RECORD + 1]) == DATA[: 5 * RECORD] + b"\0"


def test_a_small_buffer_does_not_wait_for_more_than_there_is(talk: Talk) -> None:
    more = threading.Event()

    def hesitant(server: ssl.SSLSocket) -> None:
        server.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        more.wait(10)

    client = talk(hesitant)
    assert client.recv_into(bytearray(8192)) == 19
    more.set()


def test_through_a_file_as_http_client_reads(talk: Talk) -> None:
    client = talk(lambda server: server.sendall(b"head\r\n" + DATA))
    with client.makefile("rb") as file:
        assert file.readline() == b"head\r\n"
        buffer = bytearray(len(DATA))
        assert (file.readinto(buffer), bytes(buffer)) == (len(DATA), DATA)


def test_a_body_that_stops_is_a_timeout(talk: Talk) -> None:
    done = threading.Event()

    def stops(server: ssl.SSLSocket) -> None:
        server.sendall(DATA[: 3 * RECORD])
        done.wait(10)

    client = talk(stops)
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.recv_into(bytearray(len(DATA)))
    done.set()


@pytest.mark.parametrize(("round_trip_us", "near"), [(1, True), (200, True), (201, False), (80_000, False), (0, False)])
def test_only_a_near_server_gets_a_small_send_buffer(round_trip_us: int, near: bool) -> None:
    assert sockets.send_buffer(round_trip_us, own=False) == (448 * 1024 if near else None)
    assert sockets.send_buffer(round_trip_us, own=True) == (768 * 1024 if near else None)


@pytest.fixture
def near() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection within this machine; nobody reads."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with closing(socket.create_connection(listener.getsockname())) as client:
            server, _ = listener.accept()
            with closing(server):
                yield client, server


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how long a round trip takes")
def test_tuning_finds_that_this_machine_is_near(near: tuple[socket.socket, socket.socket]) -> None:
    client, _ = near
    sockets.tune(client)
    granted = min(768 * 1024, int(Path("/proc/sys/net/core/wmem_max").read_text()))
    assert client.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * granted  # Linux doubles it


def congestion(connection: socket.socket) -> bytes:
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0")


@pytest.mark.skipif(sys.platform != "linux", reason="a choice that Linux offers")
@pytest.mark.parametrize(("system", "tuned"), [(b"bbr", b"reno"), (b"cubic", b"cubic"), (b"reno", b"reno")])
def test_tuning_leaves_bbr_within_this_machine(
    near: tuple[socket.socket, socket.socket], system: bytes, tuned: bytes
) -> None:
    client, _ = near
    try:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, system)
    except OSError:
        pytest.skip(f"{system.decode()} is not to be had here")
    sockets.tune(client)
    assert congestion(client) == tuned


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a head goes out by itself")
def test_what_more_follows_goes_out_with_it(near: tuple[socket.socket, socket.socket]) -> None:
    client, server = near
    sockets.send_all(client, b"head", 5, more=True)
    server.settimeout(0.05)
    with pytest.raises(TimeoutError):
        server.recv(100)
    sockets.send_all(client, b"body", 5)
    server.settimeout(5)
    assert server.recv(100) == b"headbody"


def test_over_tls_more_is_the_same_as_nothing(talk: Talk) -> None:
    got: list[bytes] = []
    client = talk(lambda server: got.append(server.recv(4)))
    sockets.send_all(client, b"head", 5, more=True)
    client.recv(1)  # the server has hung up
    assert got == [b"head"]


def test_sending_times_out_where_nothing_is_taken_any_more() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # the handshake is the system's; nobody ever accepts
        with closing(socket.create_connection(listener.getsockname())) as connection, pytest.raises(TimeoutError):
            sockets.send_all(connection, bytes(32 << 20), 0.3)
