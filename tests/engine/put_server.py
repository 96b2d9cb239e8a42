"""A web server that takes PUTs, and answers them as a test says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Put:
    """What came: ``path`` with its query, headers with lower-case names, and the body, None where it broke off."""

    path: str
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True)
class Reply:
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


def stored(put: Put) -> Reply:
    """As object stores answer."""
    return Reply(headers=(("ETag", f'"{md5(put.body or b"").hexdigest()}"'),))


Script = Callable[[Put], Reply]


@dataclass
class PutServer:
    script: Script = stored
    puts: list[Put] = field(default_factory=list)
    early: Reply | None = None

    def __enter__(self) -> PutServer:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name http.server gives it
                pass

            def do_PUT(self) -> None:
                outer._handle(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/bucket/key"

    def _handle(self, request: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if self.early is not None:
            self.puts.append(Put(request.path, headers, None))
            request.close_connection = True
            self._answer(request, self.early)
            return
        size = int(headers["content-length"])
        data = request.rfile.read(size)
        put = Put(request.path, headers, data if len(data) == size else None)
        self.puts.append(put)
        if put.body is not None:
            self._answer(request, self.script(put))

    def _answer(self, request: BaseHTTPRequestHandler, reply: Reply) -> None:
        request.send_response_only(reply.status)  # no Date but the test's
        for name, value in (*reply.headers, ("Content-Length", str(len(reply.body)))):
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(reply.body)
