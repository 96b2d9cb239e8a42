"""Requests over a plain socket, byte for byte as a test wants them: what judges of signatures share.

Shares no line with the emulator, a plugin or an SDK.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import socket
from base64 import b64encode
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from email.utils import format_datetime
from urllib.parse import quote
from xml.etree import ElementTree as ET


@dataclass(frozen=True)
class Account:
    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Request:
    """What is meant; `wire` is what is sent."""

    method: str
    bucket: str = ""
    key: str = ""
    query: Mapping[str, str | None] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    path_style: bool = False


@dataclass(frozen=True)
class Wire:
    """A request as its bytes go out, in pieces that a test can change one of."""

    method: str
    path: str
    query: tuple[tuple[str, str | None], ...]  # percent-encoded, as `path`
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str:
        return next((value for found, value in self.headers if found.lower() == name.lower()), "")

    def with_header(self, name: str, value: str) -> Wire:
        """`name` with another value, where it was; at the end if it was not there."""
        kept = [(found, value if found.lower() == name.lower() else old) for found, old in self.headers]
        return replace(self, headers=tuple(kept if self.header(name) else [*kept, (name, value)]))

    def without_header(self, name: str) -> Wire:
        return replace(self, headers=tuple(pair for pair in self.headers if pair[0].lower() != name.lower()))

    def bytes(self) -> bytes:
        query = "&".join(name if value is None else f"{name}={value}" for name, value in self.query)
        lines = [f"{self.method} {self.path}{'?' * bool(query)}{query} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def code(self) -> str | None:
        """Of the error; None where the body names none."""
        if self.status < 300 or not self.body:
            return None
        if not self.headers.get("content-type", "").startswith("application/xml"):
            return f"no code, but {self.body[:200]!r}"
        return ET.fromstring(self.body).findtext("{*}Code")

    @property
    def verdict(self) -> tuple[int, str | None]:
        return self.status, self.code


def wire(request: Request, host: str) -> Wire:
    """`host` with its port; a bucket is put in front of it, or into the path."""
    virtual = request.bucket and not request.path_style
    path = f"/{request.bucket}/" if request.bucket and not virtual else "/"
    path += quote(request.key, safe="/~")
    query = tuple((encoded(name), None if value is None else encoded(value)) for name, value in request.query.items())
    headers = {"Host": f"{request.bucket}.{host}" if virtual else host, **request.headers}
    headers |= {"Content-Length": str(len(request.body))} if request.body or request.method in ("PUT", "POST") else {}
    return Wire(request.method, path, query, tuple(headers.items()), request.body)


def send(address: tuple[str, int], sent: Wire) -> Answer:
    """On a connection of its own."""
    with closing(Line(address)) as line:
        return line.send(sent)


class Line:
    """A connection that is used again for as long as the server keeps it."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._sock: socket.socket | None = None

    def send(self, sent: Wire) -> Answer:
        if self._sock is None:
            self._sock = socket.create_connection(self._address, timeout=20)
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock.sendall(sent.bytes())
        response = http.client.HTTPResponse(self._sock, method=sent.method)
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        answer = Answer(response.status, headers, response.read())
        response.close()
        if response.will_close:
            self.close()
        return answer

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
        self._sock = None


def rfc1123(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(int(seconds), timezone.utc), usegmt=True)


def encoded(text: str) -> str:
    return quote(text, safe="~")


def stamp(seconds: float) -> str:
    """`20130524T000000Z`."""
    return datetime.fromtimestamp(int(seconds), timezone.utc).strftime("%Y%m%dT%H%M%SZ")


def hmac_sha1(secret: str, text: str) -> str:
    return b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()


def with_headers(request: Request, more: Mapping[str, str]) -> Request:
    return replace(request, headers={**request.headers, **more})


def with_query(request: Request, more: Mapping[str, str | None]) -> Request:
    return replace(request, query={**request.query, **more})
