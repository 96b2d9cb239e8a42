"""The I/O of a checkup below the driver: one name looked up, one connection, one handshake, one request.

Each opens what it needs and closes it, and ends within ``TIMEOUT_S``, also where a server sends a byte a second. No
proxy is used: the drivers connect directly. Nothing here decides what a failure means; exceptions are those of
``socket``, ``ssl`` and ``http.client``.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from storagekit._checkup.subject import Address

T = TypeVar("T")

TIMEOUT_S = 10.0
"""Seconds that one step may take."""

_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, for which ``ssl`` has no name: an expired certificate can be read, too."""


@dataclass(frozen=True)
class Handshake:
    """What a TLS handshake agreed on; ``certificate`` as ``SSLSocket.getpeercert`` returns it."""

    version: str
    certificate: Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """The head of an HTTP answer, its header names in lower case."""

    status: int
    headers: Mapping[str, str]


def look_up(host: str, port: int) -> list[str]:
    """Return the IP addresses of a name. Raises socket.gaierror, UnicodeError, TimeoutError."""
    return within(TIMEOUT_S, lambda: _addresses(host, port))


def within(seconds: float, run: Callable[[], T]) -> T:
    """Return what ``run`` returns, and raise what it raises. Raises TimeoutError where it takes longer.

    In a thread: the system's resolver takes 30 s and more where no server answers, and a socket's timeout is one of
    each ``recv``.
    """
    outcome: SimpleQueue[tuple[T] | Exception] = SimpleQueue()

    def try_it() -> None:
        try:
            outcome.put((run(),))
        except Exception as error:  # noqa: BLE001  # raised again in the caller's thread
            outcome.put(error)

    Thread(target=try_it, daemon=True, name="storagekit-checkup").start()
    try:
        found = outcome.get(timeout=seconds)
    except Empty:
        raise TimeoutError from None
    if isinstance(found, Exception):
        raise found
    return found[0]


def _addresses(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def reach(addresses: Sequence[str], port: int) -> str:
    """Return the first address that takes a connection. Raises the last OSError. They share the time."""
    problem: OSError = TimeoutError()
    for ip in addresses:
        try:
            socket.create_connection((ip, port), TIMEOUT_S / len(addresses)).close()
        except OSError as error:
            problem = error
        else:
            return ip
    raise problem


def trusted(ca_file: str | None) -> ssl.SSLContext:
    """Return the authorities that the drivers trust: those of ``ca_file``, else certifi's. Raises OSError."""
    from requests.utils import DEFAULT_CA_BUNDLE_PATH  # certifi's

    context = ssl.create_default_context(cafile=ca_file or DEFAULT_CA_BUNDLE_PATH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def untrusting() -> ssl.SSLContext:
    """Return what shakes hands with anybody: to find out whether TLS is spoken at all, and with what certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextmanager
def _connected(address: Address, ip: str, context: ssl.SSLContext | None) -> Iterator[socket.socket]:
    with socket.create_connection((ip, address.port), TIMEOUT_S) as plain:
        if context is None:
            yield plain
            return
        with context.wrap_socket(plain, server_hostname=address.host) as secure:
            yield secure


def shake_hands(address: Address, ip: str, context: ssl.SSLContext) -> Handshake:
    """Return what a handshake agreed on. Raises OSError, of which ssl.SSLError is one."""
    return within(TIMEOUT_S, lambda: _shake_hands(address, ip, context))


def _shake_hands(address: Address, ip: str, context: ssl.SSLContext) -> Handshake:
    with _connected(address, ip, context) as connection:
        assert isinstance(connection, ssl.SSLSocket)  # noqa: S101  # for the type checker
        return Handshake(connection.version() or "", connection.getpeercert() or {})


def ask(address: Address, ip: str, context: ssl.SSLContext | None) -> Answer:
    """Return the head of the answer to an unsigned ``GET /``. Raises OSError, http.client.HTTPException."""
    return within(TIMEOUT_S, lambda: _ask(address, ip, context))


def _ask(address: Address, ip: str, context: ssl.SSLContext | None) -> Answer:
    request = f"GET / HTTP/1.1\r\nHost: {address}\r\nUser-Agent: storagekit\r\nConnection: close\r\n\r\n"
    with _connected(address, ip, context) as connection:
        connection.sendall(request.encode("ascii", "replace"))
        response = HTTPResponse(connection, method="GET")
        try:
            response.begin()
            return Answer(response.status, {name.lower(): value for name, value in response.getheaders()})
        finally:
            response.close()


def certificate(address: Address, ip: str) -> Mapping[str, Any]:
    """Return the fields of a certificate that was not accepted; empty where they cannot be had.

    ``ssl`` tells the fields of an accepted certificate only. So it is fetched without looking, and in a second
    handshake it is its own authority, whatever its name and date.
    """
    try:
        pem = ssl.DER_cert_to_PEM_cert(_raw_certificate(address, ip))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(cadata=pem)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
        return shake_hands(address, ip, context).certificate
    except (OSError, ValueError):
        return {}


def _raw_certificate(address: Address, ip: str) -> bytes:
    with _connected(address, ip, untrusting()) as connection:
        assert isinstance(connection, ssl.SSLSocket)  # noqa: S101  # for the type checker
        return connection.getpeercert(binary_form=True) or b""
