"""The SDK's client with four things of our own: what it hashes, how it answers, its connections, its bodies.

**Hashes.** Over plain HTTP the SDK would read every body twice, once for SHA-256 at 1.9 GB/s; here a streamed body goes
out as UNSIGNED-PAYLOAD and the server verifies the Content-MD5 that the core has computed. The small XML documents are
signed with their SHA-256.

**Answers.** The SDK loses Retry-After where an error is not ``application/xml``, raises ValueError for a HEAD that is
answered with 409, and repeats a HEAD that is redirected. Here every answer that is no 2xx becomes one S3Error that
holds the response; nothing is sent twice.

**Connections.** urllib3 gives sending the *connect* timeout, and Python's ``sendall`` counts it over the whole block:
1 MiB in 10 s is 105 kB/s per connection, which 32 workers behind a 20 Mbit/s line do not have. Here a timeout runs
from one sent piece to the next, as it does for reading. A connection that has answered before and then dies without an
answer is told apart from one that never worked: it was stale.

**Bodies.** urllib3 takes an OSError for its own: a broken pipe of the *source* is swallowed, and the request waits for
an answer until its timeout. A body's exception travels as one that urllib3 does not know.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from hashlib import sha256
from http.client import RemoteDisconnected
from typing import Any
from urllib.parse import urlunsplit

import certifi
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.error import S3Error
from minio.signer import sign_v4_s3
from urllib3 import HTTPConnectionPool, HTTPHeaderDict, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import BaseHTTPResponse

from storagekit.driver import Body
from storagekit.errors import ConfigurationError
from storagekit_minio import _xml
from storagekit_minio._names import check_bucket, check_key, invalid_bucket, is_bucket_name
from storagekit_minio._settings import Settings

BLOCK = 1024**2
"""Bytes that urllib3 asks a body for: with its 16 KiB four sending threads reach a fifth of the speed."""

_SHOWN = 200
"""Characters of an error in plain text that are worth repeating."""


class StaleConnectionError(RemoteDisconnected):
    """Marks, inside urllib3's ProtocolError, a pooled connection that ended without an answer."""


class _Connection(HTTPConnection):
    """Counts its answers, and lets the read timeout run between two sent pieces."""

    idle_s: float | None = None
    answers = 0

    def connect(self) -> None:
        self.answers = 0
        super().connect()

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self.sock.settimeout(self.idle_s)
        rest = memoryview(data)
        while rest:
            rest = rest[self.sock.send(rest) :]

    def getresponse(self) -> Any:
        try:
            response = super().getresponse()
        except ConnectionError as error:  # RemoteDisconnected is one
            if self.answers:
                raise StaleConnectionError(str(error)) from error
            raise
        self.answers += 1
        return response


class _TLSConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    """Leaves its connections behind in a forked child: they are the parent's; each would read the other's answer."""

    ConnectionCls = _Connection

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._owner = os.getpid()
        self._slots = kwargs.get("maxsize", 1)

    def _get_conn(self, timeout: float | None = None) -> Any:
        if self._owner != os.getpid():
            self._owner = os.getpid()
            self.pool = self.QueueCls(self._slots)
            for _ in range(self._slots):
                self.pool.put(None)
        return super()._get_conn(timeout)

    def _new_conn(self) -> Any:
        connection: Any = super()._new_conn()
        connection.idle_s = self.timeout.read_timeout
        return connection


class _TLSPool(_Pool, HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


def make_pool(settings: Settings) -> PoolManager:
    """Return the connections of one driver. It retries nothing, follows nothing and never blocks."""
    pool = PoolManager(
        retries=False,
        timeout=Timeout(connect=settings.connect_timeout_s, read=settings.read_timeout_s),
        maxsize=settings.max_connections,
        block=False,
        blocksize=BLOCK,
        cert_reqs="CERT_REQUIRED",
        ssl_context=_tls(settings) if settings.secure else None,
    )
    pool.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
    return pool


def _tls(settings: Settings) -> ssl.SSLContext:
    """One context for all connections: reading certifi's authorities takes 15 ms."""
    authorities = settings.ca_file or certifi.where()
    try:
        context = ssl.create_default_context(cafile=authorities)
    except OSError as error:  # no such file, or (ssl.SSLError) no certificate in it
        raise ConfigurationError(
            f"the certificate authorities in {authorities!r} cannot be read: {error.strerror or error}",
            hint="Correct ca_file or SSL_CERT_FILE",
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Client(Minio):
    """One account at one endpoint; safe to share between threads."""

    def __init__(self, settings: Settings, pool: PoolManager) -> None:
        self._http = pool  # before anything can fail: 7.2.0 looks for it in __del__
        try:
            super().__init__(
                endpoint=settings.address,
                access_key=settings.access_key,
                secret_key=settings.secret_key,
                session_token=settings.session_token,
                secure=settings.secure,
                region=settings.region,
                http_client=pool,
            )
        except ValueError as error:  # of a region, or of a host at Amazon
            raise ConfigurationError(f"the minio settings cannot be used: {error}") from error

    def request(
        self,
        method: str,
        bucket: str,
        key: str | None = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        preload: bool = True,
    ) -> BaseHTTPResponse:
        """Send one signed request and return its 2xx answer, read whole with ``preload``. Raises S3Error, urllib3's.

        An answer to HEAD has no words: a 400 for a bucket that cannot be is explained here.
        """
        check_bucket(bucket)
        try:
            return self._execute(
                method=method,
                bucket_name=bucket,
                object_name=key,
                body=body,
                headers=dict(headers or {}),
                query_params=dict(query or {}),
                preload_content=preload,
            )
        except S3Error as error:
            if (
                error.response.status == 400
                and not is_bucket_name(bucket)
                and error.code in (None, "InvalidBucketName")
            ):
                raise invalid_bucket(bucket, 400, error.response.headers.get("x-amz-request-id")) from error
            raise

    def request_object(self, method: str, bucket: str, key: str, **options: Any) -> BaseHTTPResponse:
        """Send a request for an object. What is no key must not make it one for the bucket."""
        check_key(key)
        return self.request(method, bucket, key, **options)

    def close(self) -> None:
        """Close the pooled connections now; ``clear`` alone leaves that to the garbage collector."""
        for key in self._http.pools.keys():  # noqa: SIM118  # urllib3's container cannot be iterated
            pool = self._http.pools.get(key)
            if pool is not None:
                pool.close()
        self._http.clear()

    def _build_headers(
        self, host: str, headers: Any = None, body: Any = None, creds: Credentials | None = None
    ) -> tuple[dict[str, Any], datetime]:
        built, date = super()._build_headers(host, dict(headers or {}), None, creds)  # no body: nothing to hash
        if body is not None:
            built["Content-Length"] = str(len(body))  # the SDK forgets it for an empty body: sent chunked, refused
        built["x-amz-content-sha256"] = sha256(body).hexdigest() if isinstance(body, bytes) else "UNSIGNED-PAYLOAD"
        return built, date

    def _url_open(
        self,
        method: str,
        region: str,
        bucket_name: str | None = None,
        object_name: str | None = None,
        body: Any = None,
        headers: Any = None,
        query_params: Any = None,
        preload_content: bool = True,  # noqa: FBT001, FBT002  # the SDK's signature
        no_body_trace: bool = False,  # noqa: FBT001, FBT002
    ) -> BaseHTTPResponse:
        creds = self._provider.retrieve() if self._provider else None
        url = self._base_url.build(
            method=method, region=region, bucket_name=bucket_name, object_name=object_name, query_params=query_params
        )
        built, date = self._build_headers(url.netloc, headers, body, creds)
        if creds is not None:
            built = sign_v4_s3(
                method=method,
                url=url,
                region=region,
                headers=built,
                credentials=creds,
                content_sha256=built["x-amz-content-sha256"],
                date=date,
            )
        # http.client adds "Accept-Encoding: identity" where none is given. Left to it, the header is not signed, and
        # a proxy that rewrites it does no harm.
        response = self._http.urlopen(
            method,
            urlunsplit(url),
            body=body,
            headers=HTTPHeaderDict(built),
            preload_content=preload_content,
            decode_content=False,
        )
        if 200 <= response.status < 300:
            return response
        raise refusal(response)


def refusal(response: BaseHTTPResponse) -> S3Error:
    """Return the SDK's error for an answer that is no success, and give the connection back.

    MinIO repeats code and message in headers, which makes an error of HEAD as clear as any other.
    """
    data = response.data or b""  # reads what is not read yet
    response.release_conn()
    root, headers = _xml.parse(data), response.headers
    return S3Error(
        response=response,
        code=_xml.text(root, "Code") or headers.get("x-minio-error-code"),
        message=_xml.text(root, "Message")
        or headers.get("x-minio-error-desc", "").strip('"')
        or _plain(response, data),
        resource=_xml.text(root, "Resource"),
        request_id=headers.get("x-amz-request-id"),
        host_id=headers.get("x-amz-id-2"),
    )


def _plain(response: BaseHTTPResponse, data: bytes) -> str | None:
    """What a server says in plain text; a page of HTML says nothing."""
    if response.headers.get("content-type", "text/plain").partition(";")[0] != "text/plain":
        return None
    lines = data.decode("utf-8", "replace").strip().splitlines()
    return lines[0][:_SHOWN] if lines else None


class _BodyFailedError(Exception):
    """Ends a request whose body failed; never leaves this module."""


class _Stream:
    """A body as urllib3 wants it: ``read`` and a length. Blocks are passed on as they are, without a copy."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._sent = 0
        self.failed: BaseException | None = None

    def __len__(self) -> int:
        return self._body.size

    def read(self, n: int = -1) -> memoryview:
        try:
            return self._read(n)
        except BaseException as error:
            self.failed = error
            raise _BodyFailedError from error

    def _read(self, n: int) -> memoryview:
        """Read on, and hold the last block back until the body has shown its end.

        With the last announced byte the server has an object to publish, so what is wrong has to come up before.
        Fewer bytes than announced, and the server waits for the rest; more, and it reads a next request in them.
        """
        block = self._body.read(n)
        self._sent += len(block)
        if self._sent == len(self) and block:
            self._sent += len(self._body.read(1))
        if self._sent > len(self) or (not block and self._sent < len(self)):
            raise ValueError(f"the body does not have the {len(self)} bytes that it announced")
        return block


@contextmanager
def sending(body: Body) -> Iterator[Any]:
    """Give the body as the SDK takes it; what ``body.read`` raises inside leaves as it was."""
    stream = _Stream(body)
    with suppress(_BodyFailedError):
        if not body.size:
            stream.read(1)  # the headers alone publish an empty object
        yield stream
    # Raised outside of any except clause, so that its own cause and context stay what they are.
    if stream.failed is not None:
        raise stream.failed
