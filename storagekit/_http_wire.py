"""HTTP/1.1 on the wire, where ``http.client`` is more forgiving than an object store may be.

It parses our answers with four differences, each of which could otherwise end a body early or hang a foreign one on:

* 1xx answers are skipped; ``http.client`` knows only 100, and takes a 103 for the answer itself;
* a header line that is none is an error; ``http.client`` drops it with all that follow, a Content-Length maybe;
* a chunk size is hex digits and a line end: ``int`` also takes ``-1``, which reads without bound, and a cut ``0f0``
  could pass for the ``0`` of the last chunk;
* what follows a chunk is CR LF, not any two bytes.

And urllib3 logs no query of these requests, which may be a signature: it writes the URL of each one at DEBUG, and of an
odd answer at WARNING.

These methods are ``http.client``'s own, the same from Python 3.10 to 3.13; a test for each difference guards them.
"""

from __future__ import annotations

import http.client
import logging
import re
import threading
from email.errors import MissingHeaderBodySeparatorDefect
from typing import Any, NoReturn

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import BaseHTTPResponse

from storagekit.transport import sockets
from storagekit.transport.connections import BLOCK

_SEND_IDLE_S = 60.0  # that a server may take no byte of a body
_MOST_INTERIM = 20  # 1xx answers before one answer; a server sends one or two
_LONGEST_LINE = 1024  # of a chunk size with its extensions
_QUERY = re.compile(r"\?.*", re.DOTALL)
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\n]*)?\r?\n")


class Garbled(http.client.HTTPException):
    """The answer is not HTTP/1.1 as it is written down."""


class _Response(http.client.HTTPResponse):
    def begin(self) -> None:
        super().begin()
        defects = getattr(self.msg, "defects", [])
        if any(isinstance(defect, MissingHeaderBodySeparatorDefect) for defect in defects):
            self._refuse("a header line without a colon")

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(_MOST_INTERIM):
            version, status, reason = super()._read_status()  # type: ignore[misc]  # typeshed shows no private names
            if status == 101 or not 100 <= status < 200:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise Garbled("too many interim answers")

    def _read_next_chunk_size(self) -> int:
        found = _CHUNK_SIZE.fullmatch(self.fp.readline(_LONGEST_LINE))
        if not found:
            self._refuse("a chunk without a size")
        return int(found[1], 16)

    def _safe_read(self, amt: int) -> bytes:
        data: bytes = super()._safe_read(amt)  # type: ignore[misc]
        if self.chunk_left == 0 and data != b"\r\n":  # only between two chunks nothing is left of one
            self._refuse("a chunk longer than its size")
        return data

    def _refuse(self, what: str) -> NoReturn:
        self.close()
        raise Garbled(what)


class _Sending(threading.local):
    """Whether this thread is inside a request of ours."""

    ours = False


_SENDING = _Sending()


def _without_queries(record: logging.LogRecord) -> bool:
    """Cut the queries out of what urllib3 logs of a request of ours; a host program sees its own ones whole."""
    if _SENDING.ours and isinstance(record.args, tuple):
        record.args = tuple(_QUERY.sub("?...", arg) if isinstance(arg, str) else arg for arg in record.args)
    return True


# On the logger, not on a handler: so it holds whatever the program around us does with its handlers and levels.
logging.getLogger("urllib3.connectionpool").addFilter(_without_queries)


class _Connection(HTTPConnection):
    response_class = _Response

    def send(self, data: Any) -> None:
        """Give each sent piece its time: urllib3 gives a whole block the connect timeout."""
        if self.sock is None:
            self.connect()
        sockets.send_all(self.sock, data, _SEND_IDLE_S)


class _SecureConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection

    def _make_request(self, *arguments: Any, **options: Any) -> BaseHTTPResponse:
        _SENDING.ours = True
        try:
            return super()._make_request(*arguments, **options)
        finally:
            _SENDING.ours = False


class _SecurePool(_Pool, HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class StrictAdapter(HTTPAdapter):
    """The transport of ``requests`` with connections that parse strictly, through a proxy or not."""

    def init_poolmanager(self, *arguments: Any, **settings: Any) -> None:
        """Make the pools; called by ``requests``."""
        super().init_poolmanager(*arguments, **{**settings, "blocksize": BLOCK})
        _make_strict(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **settings: Any) -> ProxyManager:
        """Return the pools behind a proxy; called by ``requests``."""
        manager: ProxyManager = super().proxy_manager_for(proxy, **{**settings, "blocksize": BLOCK})
        _make_strict(manager)
        return manager


def _make_strict(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
