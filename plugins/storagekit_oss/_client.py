"""The SDK's signatures and credentials, over connections of our own.

What of oss2 takes part is what signs (``oss2.auth``), what it signs (``oss2.http.Request``) and where keys come from
(``oss2.credentials``). What does not: its way of sending over ``requests``, where an entry of ``~/.netrc`` would take
the place of the signature, where bodies go out by 16 KiB, and where each is hashed at 480 MB/s under the interpreter
lock.

oss2 writes what it signs, with the security token in it, to its log at DEBUG; of our requests that is left out.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from oss2 import auth, credentials
from oss2.http import Request
from urllib3 import HTTPHeaderDict, PoolManager
from urllib3.response import BaseHTTPResponse

from storagekit.driver import Code, DriverError, Failure
from storagekit.transport.connections import close_pool
from storagekit.transport.names import check_bucket
from storagekit.transport.refusals import Refusals
from storagekit_oss._codes import HINTS, OSS_CODES
from storagekit_oss._settings import Settings

_REFUSALS = Refusals(("x-oss-request-id",), OSS_CODES, HINTS)
_ROLES = "http://100.100.100.200/latest/meta-data/ram/security-credentials/"
"""Where a machine of Alibaba's asks for the keys of its role."""


class _Signing(threading.local):
    """Whether this thread is signing for us."""

    ours = False


_SIGNING = _Signing()

# On the loggers, not on handlers: so it holds whatever the program around us does with those.
for _name in ("oss2.auth", "oss2.http"):
    logging.getLogger(_name).addFilter(lambda _: not _SIGNING.ours)


@contextmanager
def unlogged() -> Iterator[None]:
    """Inside, this thread leaves nothing in oss2's logs of requests and signatures."""
    _SIGNING.ours = True
    try:
        yield
    finally:
        _SIGNING.ours = False


class Client:
    """One account at one endpoint; safe to share between threads."""

    def __init__(self, settings: Settings, pool: PoolManager) -> None:
        self._settings = settings
        self._http = pool
        self.refresh(settings.access_key, settings.secret_key, settings.security_token)

    def refresh(self, access_key: str, secret_key: str, security_token: str | None) -> None:
        """Use these keys from the next request on, where the settings want keys."""
        settings = self._settings
        if settings.credentials == "anonymous":
            self._auth: Any = auth.AnonymousAuth()
            return
        if settings.credentials == "ecs":
            found: Any = credentials.EcsRamRoleCredentialsProvider(_ROLES + quote(settings.ram_role or "", safe=""))
        else:
            found = credentials.StaticCredentialsProvider(access_key, secret_key, security_token or "")
        self._auth = (auth.ProviderAuthV4 if settings.signature == "v4" else auth.ProviderAuth)(found)

    @property
    def is_anonymous(self) -> bool:
        """Whether requests are not signed."""
        return self._settings.credentials == "anonymous"

    @property
    def region(self) -> str | None:
        """The region that the endpoint is in."""
        return self._settings.region

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
        """Send one signed request and return its 2xx answer. Raises DriverError, urllib3's errors."""
        check_bucket(bucket)
        sent = dict(headers or {})
        if body is not None or method in ("PUT", "POST"):
            sent["Content-Length"] = str(len(body or b""))
        return self._sent(method, bucket, key or "", dict(query or {}), sent, body, preload=preload)

    def request_account(self, method: str, query: Mapping[str, str] | None = None) -> BaseHTTPResponse:
        """Send a request that is for no bucket."""
        return self._sent(method, "", "", dict(query or {}), {}, None, preload=True)

    def _sent(
        self,
        method: str,
        bucket: str,
        key: str,
        query: dict[str, str],
        headers: dict[str, str],
        body: Any,
        *,
        preload: bool,
    ) -> BaseHTTPResponse:
        request = self._request(method, bucket, key, query, headers)
        with self._signing():
            self._auth._sign_request(request, bucket, key)  # noqa: SLF001  # what oss2's own Bucket calls
        answer = self._http.urlopen(
            method,
            _with_query(request.url, query),
            body=body,
            headers=HTTPHeaderDict({name: value for name, value in request.headers.items() if value is not None}),
            preload_content=preload,
            decode_content=False,
            redirect=False,
        )
        if 200 <= answer.status < 300:
            return answer
        raise _REFUSALS.of(answer)

    def signed_url(
        self, method: str, bucket: str, key: str, expires: timedelta, query: dict[str, str], headers: dict[str, str]
    ) -> str:
        """Return a URL that allows one request."""
        request = self._request(method, bucket, key, query, headers)
        with self._signing():
            return str(self._auth._sign_url(request, bucket, key, int(expires.total_seconds())))  # noqa: SLF001  # as above

    def _request(self, method: str, bucket: str, key: str, query: dict[str, str], headers: dict[str, str]) -> Request:
        with unlogged():
            return Request(
                method, self._url(bucket, key), params=query, headers=headers, region=self.region, product="oss"
            )

    @contextmanager
    def _signing(self) -> Iterator[None]:
        """Inside, keys are asked for and used: unlogged, and what goes wrong is about credentials."""
        try:
            with unlogged():
                yield
        except Exception as error:
            detail = f"no credentials from the machine's RAM role: {type(error).__name__}"
            raise DriverError(Failure(Code.BAD_CREDENTIALS, detail, hint="Give it a role that may use OSS")) from error

    def _url(self, bucket: str, key: str) -> str:
        """Where a request goes: the bucket is in the host name, in the path, or (cname) meant by the host."""
        settings, path = self._settings, quote(key, safe="/~")
        scheme = "https" if settings.wires.secure else "http"
        if not bucket or settings.cname:
            return f"{scheme}://{settings.address}/{path}"
        if settings.path_style:
            return f"{scheme}://{settings.address}/{bucket}/{path}"
        return f"{scheme}://{bucket}.{settings.address}/{path}"

    def close(self) -> None:
        """Close the pooled connections."""
        close_pool(self._http)


def _with_query(url: str, query: Mapping[str, str]) -> str:
    """Return a URL with its parameters; one without a value is its name alone, as it is signed."""
    parts = [quote(name, safe="") + (f"={quote(value, safe='')}" if value else "") for name, value in query.items()]
    return f"{url}?{'&'.join(parts)}" if parts else url
