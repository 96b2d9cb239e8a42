"""A server that plays one answer after the other, for tests of what the minio driver sends and understands."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from storagekit.driver import Failure
from storagekit.testing.bodies import BytesBody
from storagekit_minio.driver import MinioDriver

ACCOUNT = {"endpoint": "127.0.0.1:9000", "access_key": "the-key", "secret_key": "the-secret"}

CUT = b""  # an answer that is none: the connection is closed


class Wire:
    """A server that plays ``answers`` in order, whatever is asked, and keeps the requests that it was sent."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.requests: list[bytes] = []
        self.connections = 0
        self.pause_s = 0.0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                connection.settimeout(20)
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        while self.answers:
            try:
                request = self._receive(connection)
            except OSError:
                return
            if request is None:
                return
            self.requests.append(request)
            answer = self.answers.pop(0)
            if answer == CUT:
                return
            connection.sendall(answer)
            if b"Connection: close" in answer:
                return

    def _receive(self, connection: socket.socket) -> bytes | None:
        """One request, head and body; None where the other side hung up."""
        data = b""
        while b"\r\n\r\n" not in data or len(data) < self._length(data):
            if self.pause_s and b"\r\n\r\n" in data:
                time.sleep(self.pause_s)
            block = connection.recv(1 << 16)
            if not block:
                return None
            data += block
        return data

    def _length(self, data: bytes) -> int:
        head, _, _ = data.partition(b"\r\n\r\n")
        sizes = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        return len(head) + 4 + (int(sizes[0]) if sizes else 0)

    def head(self, index: int = -1) -> dict[str, str]:
        """The headers of a request; the request line under ``""``."""
        lines = self.requests[index].partition(b"\r\n\r\n")[0].decode().split("\r\n")
        return {
            "": lines[0],
            **{name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])},
        }

    def body(self, index: int = -1) -> bytes:
        return self.requests[index].partition(b"\r\n\r\n")[2]

    def close(self) -> None:
        self.answers.clear()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(30)


def answer(status: int = 200, body: bytes | str = b"", length: int | None = None, /, **headers: str) -> bytes:
    data = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(data) if length is None else length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + data


def refused(status: int, code: str, message: str = "", **headers: str) -> bytes:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return answer(status, body, Content_Type="application/xml", **headers)


def make_driver(wire: Wire, **settings: str) -> MinioDriver:
    return MinioDriver.from_settings({**ACCOUNT, "endpoint": wire.address, "read_timeout_s": "5", **settings})


def body(data: bytes, **how: Any) -> BytesBody:
    return BytesBody(data, "md5", **how)


def failure_of(driver: MinioDriver, call: Callable[[], object]) -> Failure:
    with pytest.raises(Exception) as caught:
        call()
    return driver.classify(caught.value)
