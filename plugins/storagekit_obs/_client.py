"""The SDK's client, which names hosts and paths and signs, over connections of our own.

Every request goes through the SDK's ``_make_request_internal``, whose name and first arguments are the same in 3.21.8
to 3.26.6, and leaves it in ``_send_request``, which is overridden here. So nothing of the SDK's way of sending takes
part: not its ``Connection: close``, not its queue that is not kept by host, not its TLS without verification, not
``str(body)`` behind each body (3 % of the wire), not its retries. Three things are as they are for a reason:

* A body travels as something callable: anything else the SDK turns into text, a memoryview into its repr.
* Headers pass as they are: the SDK percent-encodes values, of which the core has encoded what needs it.
* The date is given, in ``x-obs-date``: else the SDK asks ``utcnow()``, which is deprecated since Python 3.12.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import format_datetime
from typing import Any

from obs import ObsClient, convertor, util
from urllib3 import PoolManager
from urllib3.response import BaseHTTPResponse

from storagekit.driver import Code, DriverError, Failure
from storagekit.transport.connections import close_pool
from storagekit.transport.names import check_bucket
from storagekit.transport.refusals import Refusals
from storagekit_obs._codes import HINTS, OBS_CODES
from storagekit_obs._settings import Settings

_REFUSALS = Refusals(("x-obs-request-id", "x-amz-request-id"), OBS_CODES, HINTS)
_V4_DATE = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class _Carried:
    """A body on its way through the SDK, which leaves alone what can be called; ``preload`` reads the answer whole."""

    body: Any
    preload: bool

    def __call__(self) -> None:
        """Never called: only its being callable counts."""


class Client(ObsClient):  # type: ignore[misc]  # the SDK has no types
    """One account at one endpoint; safe to share between threads."""

    def __init__(self, settings: Settings, pool: PoolManager) -> None:
        self._http = pool
        scheme = "https" if settings.wires.secure else "http"
        super().__init__(
            access_key_id=settings.access_key,
            secret_access_key=settings.secret_key,
            security_token=settings.security_token,
            server=f"{scheme}://{settings.host}",
            region=settings.region,
            is_signature_negotiation=False,
            security_provider_policy="ECS" if settings.credentials == "ecs" else None,
        )
        self._as_said(settings)

    def _as_said(self, settings: Settings) -> None:
        """Set what the SDK would derive: path style is signed as v2 there, and an address is always path style."""
        self.server, self.port = settings.host, settings.port
        self.path_style, self.signature = settings.path_style, settings.signature
        self.calling_format = self._parse_calling_format()
        self.ha = convertor.Adapter(self.signature)
        self.convertor = convertor.Convertor(self.signature, self.ha)
        self._anonymous = settings.credentials == "anonymous"

    def _init_ssl_context(self, *_: Any) -> None:
        """Make none: the SDK's verifies nothing, and the connections have one of their own."""

    @property
    def is_anonymous(self) -> bool:
        """Whether requests are not signed."""
        return self._anonymous

    def request(self, method: str, bucket: str, key: str | None = None, **options: Any) -> BaseHTTPResponse:
        """Send one signed request and return its 2xx answer. Raises DriverError, urllib3's errors."""
        check_bucket(bucket)
        return self._sent(method, bucket, key, **options)

    def request_account(self, method: str) -> BaseHTTPResponse:
        """Send a request that is for no bucket."""
        return self._sent(method, "", None)

    def _sent(
        self,
        method: str,
        bucket: str,
        key: str | None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        preload: bool = True,
    ) -> BaseHTTPResponse:
        sent = {**(headers or {}), self.ha.date_header(): self._date()}
        if body is not None or method in ("PUT", "POST"):
            sent["Content-Length"] = str(len(body or b""))
        arguments = {name: value or None for name, value in (query or {}).items()}
        carried = _Carried(body, preload)
        answer: BaseHTTPResponse = self._make_request_internal(method, bucket, key, arguments, sent, carried)
        if 200 <= answer.status < 300:
            return answer
        raise _REFUSALS.of(answer)

    def _date(self) -> str:
        now = datetime.now(timezone.utc)
        return now.strftime(_V4_DATE) if self.signature == "v4" else format_datetime(now, usegmt=True)

    def _rename_request_headers(self, headers: Mapping[str, str], *_: Any) -> dict[str, str]:
        return dict(headers)

    def _send_request(
        self,
        server: str,
        method: str,
        path: str,
        header: Mapping[str, str],
        entity: _Carried,
        port: int,
        *_: Any,
    ) -> BaseHTTPResponse:
        # By host, not by URL, which urllib3 would take apart and put together: path and headers go out as signed, and
        # 50 of the 430 us that a request costs are saved. The SDK's Host leaves out the scheme's own port.
        pool = self._http.connection_from_host(server, port, "https" if self.is_secure else "http")
        return pool.urlopen(
            method,
            path,
            body=entity.body,
            headers=header,
            preload_content=entity.preload,
            decode_content=False,
            redirect=False,
        )

    def _get_token(self) -> Any:
        """Return the keys of this request. The SDK would go on unsigned where the agency gives none."""
        if self.security_provider_policy is None:
            return self.securityProvider
        found = super()._get_token()
        if not util.is_valid(found.access_key_id):
            detail = "the agency of this machine gave no temporary credentials"
            raise DriverError(Failure(Code.BAD_CREDENTIALS, detail, hint="Give it one that may use OBS, or give keys"))
        return found

    def close(self) -> None:
        """Close the pooled connections."""
        close_pool(self._http)
