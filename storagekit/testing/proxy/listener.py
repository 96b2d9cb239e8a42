"""Accepting connections, and cutting all sockets when a proxy closes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from typing_extensions import Self

from storagekit.testing.proxy.wire import shut

HOST = "127.0.0.1"

P = TypeVar("P", bound="Listening")


class Listener:
    """Accepts connections and serves each in a thread; ``close`` cuts all sockets and waits for the threads."""

    def __init__(self, port: int, serve: Callable[[socket.socket, Listener], None]) -> None:
        self._closing = threading.Event()
        self._socket = socket.create_server((HOST, port), backlog=128)
        self.port: int = self._socket.getsockname()[1]
        self._serve = serve
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()
        self._acceptor = threading.Thread(target=self._accept, name=f"proxy-{self.port}", daemon=True)
        self._acceptor.start()

    def track(self, sock: socket.socket) -> None:
        """Have ``close`` cut this socket."""
        with self._lock:
            self._open.add(sock)
            if self._closing.is_set():
                shut(sock)

    def forget(self, sock: socket.socket) -> None:
        """Take ``track`` back."""
        with self._lock:
            self._open.discard(sock)

    def pause(self, seconds: float) -> None:
        """Wait, until the proxy closes at most."""
        # Event.wait refuses more than about 292 years, infinity in particular.
        self._closing.wait(seconds if seconds < threading.TIMEOUT_MAX else None)

    def close(self) -> None:
        """Stop accepting, cut what is connected, wait for the threads."""
        self._closing.set()
        shut(self._socket)  # on Linux this ends the accept under way; closing alone would not
        self._acceptor.join()
        self._socket.close()
        with self._lock:
            for sock in self._open:
                shut(sock)
            threads = list(self._threads)
        for thread in threads:
            thread.join(timeout=5)

    def _accept(self) -> None:
        self._socket.settimeout(0.2)  # where a shut listener does not wake up accept (macOS)
        while not self._closing.is_set():
            with contextlib.suppress(OSError):
                self._start(self._socket.accept()[0])

    def _start(self, sock: socket.socket) -> None:
        sock.settimeout(None)
        thread = threading.Thread(target=self._run, args=(sock,), daemon=True)
        with self._lock:
            self._open.add(sock)
            self._threads.add(thread)
        thread.start()

    def _run(self, sock: socket.socket) -> None:
        try:
            self._serve(sock, self)
        finally:
            self.forget(sock)
            sock.close()
            with self._lock:
                self._threads.discard(threading.current_thread())


class Listening:
    """What both proxies are: something that listens on loopback while it is entered, or from ``start`` to ``close``."""

    def __init__(self) -> None:
        self._port = 0
        self._listener: Listener | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def start(self) -> Self:
        """Listen and serve in background threads."""
        self._listener = Listener(self._port, self._serve)
        self._port = self._listener.port
        return self

    def close(self) -> None:
        """Stop listening, cut what is connected, wait for the threads."""
        if self._listener is not None:
            self._listener.close()

    @property
    def host(self) -> str:
        """Address listened on."""
        return HOST

    @property
    def port(self) -> int:
        """Port listened on."""
        return self._port

    @property
    def endpoint(self) -> str:
        """The address as an http URL: what to give the client instead of the server's."""
        return f"http://{self.host}:{self.port}"

    def _serve(self, sock: socket.socket, listener: Listener) -> None:
        raise NotImplementedError
