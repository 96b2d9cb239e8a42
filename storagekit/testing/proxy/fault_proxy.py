"""The HTTP proxy: serves connections, finds the fault for each request, keeps the log."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable, Sequence
from typing import final

from storagekit.testing.proxy.actions import Forward
from storagekit.testing.proxy.faults import Fault
from storagekit.testing.proxy.framing import Head, parse_head
from storagekit.testing.proxy.link import Link
from storagekit.testing.proxy.listener import Listener, Listening
from storagekit.testing.proxy.request import Predicate, Request
from storagekit.testing.proxy.transaction import Exchange, HungUpError, Transaction


@final
class FaultProxy(Listening):
    """An HTTP proxy in front of a real S3 server; a context manager, or ``start`` and ``close``.

    ``faults`` is an ordinary list, looked at once per request: change or replace it while the proxy runs.
    ``on_request`` is called in the connection's thread with every request, after its head has arrived and before
    anything is done about it, e.g. to kill a process at the n-th UploadPart.
    """

    def __init__(
        self,
        upstream_endpoint: str,
        faults: Sequence[Fault] = (),
        *,
        on_request: Callable[[Request], object] | None = None,
    ) -> None:
        super().__init__()
        self.faults = list(faults)
        self.on_request = on_request
        self._upstream = _address(upstream_endpoint)
        self._lock = threading.Lock()
        self._transactions: list[Transaction] = []
        self._requests = 0
        self._connections = 0

    @property
    def exchanges(self) -> list[Exchange]:
        """All requests in the order they came in, those under way as they stand."""
        with self._lock:
            transactions = list(self._transactions)
        return [transaction.exchange() for transaction in transactions]

    def matching(self, when: Predicate) -> list[Exchange]:
        """The exchanges of the requests that ``when`` picks."""
        return [exchange for exchange in self.exchanges if when(exchange)]

    def count(self, when: Predicate) -> int:
        """Number of requests that ``when`` picks."""
        return len(self.matching(when))

    def part_puts(self, status: int | None = None) -> list[int]:
        """Part numbers of all UploadParts that came in, in order; with ``status``, of those the server answered so."""
        puts = [exchange for exchange in self.exchanges if status in (None, exchange.upstream_status)]
        return [exchange.part_number for exchange in puts if exchange.part_number is not None]

    def wait_idle(self, timeout: float = 5.0) -> bool:
        """Wait until no request is under way; False when that takes longer."""
        deadline = time.monotonic() + timeout
        while not all(exchange.finished for exchange in self.exchanges):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True

    def clear(self) -> None:
        """Forget the log; the faults and their counts stay."""
        with self._lock:
            self._transactions.clear()

    def _serve(self, client: socket.socket, listener: Listener) -> None:
        with self._lock:
            self._connections += 1
            number = self._connections
        link = Link(client, self._upstream, listener)
        with contextlib.closing(link), contextlib.suppress(OSError):  # the client left between two requests
            while (raw := link.client.head()) and self._one(parse_head(raw), number, link):
                pass

    def _one(self, head: Head, connection: int, link: Link) -> bool:
        """Serve a request; whether another may follow."""
        transaction = self._open_transaction(head, connection, link)
        error = "an exception in a callback or action"
        try:
            self._meet(transaction)
            error = ""
        except HungUpError:
            error = "hung up"
        except OSError as problem:
            error = str(problem) or type(problem).__name__
        finally:
            transaction.finish(error)
        return transaction.keep_alive and not error

    def _open_transaction(self, head: Head, connection: int, link: Link) -> Transaction:
        method, target, _ = head.first
        path, _, query = target.partition("?")
        pairs = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        with self._lock:
            self._requests += 1
            request = Request(method, path, pairs, head.headers, self._requests, connection)
            transaction = Transaction(request, head, link)
            self._transactions.append(transaction)
        return transaction

    def _meet(self, transaction: Transaction) -> None:
        """Tell the callback, find the fault, act."""
        request = transaction.request
        if self.on_request is not None:
            self.on_request(request)
        fault = next((fault for fault in list(self.faults) if fault.take(request)), None)
        transaction.fault = None if fault is None else fault.do
        (transaction.fault or Forward()).apply(transaction)


def _address(endpoint: str) -> tuple[str, int]:
    parts = urllib.parse.urlsplit(endpoint)
    if parts.scheme != "http" or parts.hostname is None:
        raise ValueError(f"not an http endpoint: {endpoint!r}")
    return parts.hostname, parts.port or 80
