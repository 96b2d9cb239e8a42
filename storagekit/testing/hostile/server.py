"""A loopback server that answers whatever its script says, on real sockets, one thread per connection."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, final

from storagekit.testing.hostile.wire import Answer, Request, send
from storagekit.testing.http_source.listener import Listener

Script = Callable[[Request], Answer]

HOST = "127.0.0.1"


@final
class HostileServer:
    """Serves ``script``, which may be exchanged while it runs; use as a context manager.

    ``requests`` are all requests so far.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[Request] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._listener = Listener((HOST, 0), partial(_Connection, self))

    def __enter__(self) -> HostileServer:
        # 20 ms is the longest that closing waits for the accept loop.
        threading.Thread(target=self._listener.serve_forever, args=(0.02,), name="hostile", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._closing.set()
        self._listener.stop()

    @property
    def url(self) -> str:
        """Where the content is."""
        return f"http://{HOST}:{self._listener.server_address[1]}/object.bin"

    def forget(self) -> None:
        """Count the requests from 1 again."""
        with self._lock:
            self.requests = []

    def serve(self, connection: Any, method: str, target: str, headers: dict[str, str]) -> bool:
        """Answer one request; False when the connection is to end."""
        with self._lock:
            request = Request(len(self.requests) + 1, method, target, headers, connection.getpeername()[1])
            self.requests.append(request)
        answer = self.script(request)
        send(connection, request, answer, self._closing)
        return not answer.ends_connection


class _Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def __init__(self, server: HostileServer, *connection: Any) -> None:
        self._hostile = server
        super().__init__(*connection)

    def handle(self) -> None:
        while self._one():
            pass

    def _one(self) -> bool:
        words = self.rfile.readline(65536).decode("latin-1").split()
        if len(words) != 3:
            return False
        headers = {}
        while line := self.rfile.readline(65536).decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return self._hostile.serve(self.connection, words[0], words[1], headers)
