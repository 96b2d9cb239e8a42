"""Requests to OBS, signed as its documentation says and sent over a plain socket: a second opinion on signatures.

Shares no line with the emulator, a plugin or an SDK. Sources: "Authentication of Signature in a Header" and "... in a
URL" (obs_04_0010, obs_04_0011) for `OBS`; the same with `AWS` and `x-amz-` for V2; Amazon's description of Signature
Version 4 for V4, its service being `s3`. `test_obs_signing.py` holds it to the worked examples of those pages.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import socket
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from email.utils import format_datetime
from typing import Literal
from urllib.parse import quote, unquote
from xml.etree import ElementTree as ET

Dialect = Literal["obs", "v2"]
SCHEME = {"obs": "OBS", "v2": "AWS"}
PREFIX = {"obs": "x-obs-", "v2": "x-amz-", "v4": "x-amz-"}
KEY_PARAMETER = {"obs": "AccessKeyId", "v2": "AWSAccessKeyId"}
UNSIGNED = "UNSIGNED-PAYLOAD"

#: What the page lists (obs_04_0010, table 1): these parts of a query are signed, others are not.
SUB_RESOURCES = frozenset(
    [
        "acl",
        "attname",
        "cors",
        "customdomain",
        "delete",
        "deletebucket",
        "encryption",
        "inventory",
        "length",
        "lifecycle",
        "location",
        "logging",
        "metadata",
        "modify",
        "name",
        "notification",
        "partNumber",
        "policy",
        "position",
        "quota",
        "rename",
        "replication",
        "requestPayment",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
        "restore",
        "storageClass",
        "storagePolicy",
        "storageinfo",
        "tagging",
        "torrent",
        "truncate",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
        "object-lock",
        "retention",
        "x-obs-security-token",
        "x-amz-security-token",
    ]
)


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


# --- OBS and V2 ---------------------------------------------------------------------------------------------------


def string_to_sign(request: Request, dialect: Dialect, expires: int | None = None) -> str:
    """Obs_04_0010, from its own table 1; with `expires`, obs_04_0011."""
    headers = {name.lower(): value.strip() for name, value in request.headers.items()}
    date = headers.get("date", "") if f"{PREFIX[dialect]}date" not in headers else ""
    own = sorted((name, value) for name, value in headers.items() if name.startswith(PREFIX[dialect]))
    first = [request.method, headers.get("content-md5", ""), headers.get("content-type", "")]
    lines = [*first, date if expires is None else str(expires), *(f"{name}:{value}" for name, value in own)]
    return "\n".join([*lines, resource(request)])


def resource(request: Request) -> str:
    """`/bucket/key?sub-resources`; a bucket alone is `/bucket/` in both styles, as `wire` writes it."""
    found = f"/{request.bucket}/" if request.bucket else "/"
    found += quote(request.key, safe="/~")
    signed = sorted((name, value) for name, value in request.query.items() if name in SUB_RESOURCES)
    texts = [f"{name}={value}" if value else name for name, value in signed]
    return found + "?" * bool(texts) + "&".join(texts)


def hmac_sha1(secret: str, text: str) -> str:
    return b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()


def signed(request: Request, account: Account, dialect: Dialect = "obs") -> Request:
    """With the signature in a header."""
    if account.token is not None:
        request = with_headers(request, {f"{PREFIX[dialect]}security-token": account.token})
    signature = hmac_sha1(account.secret_key, string_to_sign(request, dialect))
    return with_headers(request, {"Authorization": f"{SCHEME[dialect]} {account.access_key}:{signature}"})


def signed_url(request: Request, account: Account, expires: int, dialect: Dialect = "obs") -> Request:
    """With the signature in the query, good until `expires`."""
    if account.token is not None:
        request = with_query(request, {f"{PREFIX[dialect]}security-token": account.token})
    signature = hmac_sha1(account.secret_key, string_to_sign(request, dialect, expires))
    proof = {KEY_PARAMETER[dialect]: account.access_key, "Expires": str(expires), "Signature": signature}
    return with_query(request, proof)


def with_headers(request: Request, more: Mapping[str, str]) -> Request:
    return replace(request, headers={**request.headers, **more})


def with_query(request: Request, more: Mapping[str, str | None]) -> Request:
    return replace(request, query={**request.query, **more})


# --- V4 -----------------------------------------------------------------------------------------------------------


def signed_v4(
    request: Request, account: Account, seconds: float, host: str, region: str = "region", payload: str = UNSIGNED
) -> Request:
    """With the signature in a header; every header is signed."""
    own = {"x-amz-date": stamp(seconds), "x-amz-content-sha256": payload}
    if account.token is not None:
        own["x-amz-security-token"] = account.token
    request = with_headers(request, own)
    names = sorted(name.lower() for name in (*request.headers, "host"))
    scope = f"{stamp(seconds)[:8]}/{region}/s3/aws4_request"
    signature = v4_signature(account, scope, stamp(seconds), canonical(request, names, host, payload))
    proof = f"Credential={account.access_key}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
    return with_headers(request, {"Authorization": f"AWS4-HMAC-SHA256 {proof}"})


def signed_url_v4(
    request: Request, account: Account, seconds: float, host: str, life: int = 300, region: str = "region"
) -> Request:
    """With the signature in the query, good for `life` seconds from `seconds`."""
    names = sorted(name.lower() for name in (*request.headers, "host"))
    scope = f"{stamp(seconds)[:8]}/{region}/s3/aws4_request"
    proof = {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{account.access_key}/{scope}"}
    proof |= {"X-Amz-Date": stamp(seconds), "X-Amz-Expires": str(life), "X-Amz-SignedHeaders": ";".join(names)}
    if account.token is not None:
        proof["X-Amz-Security-Token"] = account.token
    request = with_query(request, proof)
    signature = v4_signature(account, scope, stamp(seconds), canonical(request, names, host, UNSIGNED))
    return with_query(request, {"X-Amz-Signature": signature})


def canonical(request: Request, names: Sequence[str], host: str, payload: str) -> str:
    sent = wire(request, host)
    query = sorted((encoded(unquote(name)), encoded(unquote(value or ""))) for name, value in sent.query)
    lines = [request.method, sent.path, "&".join(f"{name}={value}" for name, value in query)]
    lines += [f"{name}:{' '.join(sent.header(name).split())}" for name in names]
    return "\n".join([*lines, "", ";".join(names), payload])


def v4_signature(account: Account, scope: str, when: str, canonical_request: str) -> str:
    digest = hashlib.sha256(canonical_request.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{when}\n{scope}\n{digest}"
    key = f"AWS4{account.secret_key}".encode()
    for piece in scope.split("/"):
        key = hmac.new(key, piece.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def stamp(seconds: float) -> str:
    """`20130524T000000Z`."""
    return datetime.fromtimestamp(int(seconds), timezone.utc).strftime("%Y%m%dT%H%M%SZ")
