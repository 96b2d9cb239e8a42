"""Where the keys of a request come from: static ones, temporary ones from STS, AWS's own chain, or nowhere.

``keys``       access_key and secret_key, with session_token where they are temporary
``aws``        whatever AWS's own tools would use: profiles with roles, SSO or a process, containers, instances. That is
               botocore's work (``storagekit-sdk[aws]``); it refreshes them by itself
``anonymous``  requests are not signed: public buckets

With ``sts_endpoint`` or ``role_arn`` the keys are not used for objects: they ask STS (AssumeRole; MinIO answers at its
own endpoint) for temporary ones, and again some seconds before those expire. A provider is asked before every request.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, cast

from minio.credentials.credentials import Credentials
from minio.credentials.providers import AssumeRoleProvider, Provider, StaticProvider
from urllib3 import PoolManager
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from storagekit.driver import Code, DriverError, Failure
from storagekit.errors import ConfigurationError
from storagekit.transport import xml
from storagekit.transport.codes import of_code
from storagekit_minio._settings import Settings

_SESSION = "storagekit"


class _TemporaryKeys(Provider):
    """Keys that end, and are asked for again: by one thread, while the others wait for them.

    What comes up while they are asked for is a failure like any other: a service that is out of breath is asked again.
    """

    def __init__(self, retrieve: Callable[[], Credentials], classify: Callable[[Exception], Failure]) -> None:
        self._retrieve = retrieve
        self._classify = classify
        self._lock = Lock()

    def retrieve(self) -> Credentials:
        """Return keys that are valid now. Raises DriverError; what the network does passes as it is."""
        with self._lock:
            try:
                return self._retrieve()
            except (HTTPError, DriverError):
                raise
            except Exception as error:
                raise DriverError(self._classify(error)) from error


class _StsPool:
    """The connections as the SDK's provider asks them, which knows of any refusal no more than its status."""

    def __init__(self, pool: PoolManager) -> None:
        self._pool = pool

    def urlopen(self, method: str, url: str, body: Any = None, headers: Any = None) -> BaseHTTPResponse:
        """Return the answer to a request for keys. Raises DriverError for a refusal."""
        response = self._pool.urlopen(method, url, body=body, headers=headers, redirect=False)
        if response.status != 200:
            raise DriverError(_refused(response))
        return response


def _refused(response: BaseHTTPResponse) -> Failure:
    """What STS means: 4xx is about the keys, whatever its words; the rest is trouble that passes."""
    root = xml.parse(response.data)
    error = next(iter(xml.children(root, "Error")), root) if root is not None else None
    failure = of_code(xml.text(error, "Code"), xml.text(error, "Message"), response.status, None)
    if not 400 <= response.status < 500 or failure.code in (Code.THROTTLED, Code.TIMEOUT, Code.CLOCK_SKEW):
        return failure
    detail = f"no temporary credentials from STS: {failure.detail}"
    return Failure(Code.BAD_CREDENTIALS, detail, status=response.status, vendor_code=failure.vendor_code)


def _unusable(error: Exception) -> Failure:
    return Failure(Code.BAD_CREDENTIALS, f"no temporary credentials from STS: {_said(error)}")


def provider(settings: Settings, pool: PoolManager) -> Provider | None:
    """Return what is asked for the keys of each request; None where requests are not signed.

    Raises ConfigurationError where botocore is needed and missing, or knows no credentials.
    """
    if settings.credentials == "anonymous":
        return None
    if settings.credentials == "aws":
        return _TemporaryKeys(_of_botocore(settings.aws_profile), _of_aws)
    if settings.sts_endpoint:
        return _TemporaryKeys(_of_sts(settings, settings.sts_endpoint, pool), _unusable)
    return StaticProvider(
        access_key=settings.access_key, secret_key=settings.secret_key, session_token=settings.session_token
    )


def _of_sts(settings: Settings, endpoint: str, pool: PoolManager) -> Callable[[], Credentials]:
    given: Callable[[], Credentials] = AssumeRoleProvider(
        sts_endpoint=endpoint,
        access_key=settings.access_key,
        secret_key=settings.secret_key,
        region=settings.region or "us-east-1",
        role_arn=settings.role_arn,
        role_session_name=_SESSION if settings.role_arn else None,
        http_client=cast("PoolManager", _StsPool(pool)),
    ).retrieve
    return given


def _of_botocore(profile: str | None) -> Callable[[], Credentials]:
    try:
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session
    except ImportError as error:
        raise ConfigurationError(
            "credentials = aws needs botocore",
            hint="Run: pip install 'storagekit-sdk[aws]', or give the keys themselves",
        ) from error
    try:
        found = Session(profile=profile).get_credentials()
    except BotoCoreError as error:
        raise ConfigurationError(f"AWS's configuration cannot be used: {_said(error)}") from error
    if found is None:
        raise ConfigurationError(
            "AWS's configuration has no credentials", hint="Check `aws sts get-caller-identity`, or give the keys"
        )

    def retrieve() -> Credentials:
        now = found.get_frozen_credentials()
        return Credentials(access_key=now.access_key, secret_key=now.secret_key, session_token=now.token)

    return retrieve


def _of_aws(error: Exception) -> Failure:
    """What botocore's error means: whoever gives the keys may be out of reach for a while, or refuse."""
    from botocore.exceptions import HTTPClientError, MetadataRetrievalError

    passing = (HTTPClientError, MetadataRetrievalError)
    if any(isinstance(each, passing) for each in (error, error.__cause__, error.__context__)):
        return Failure(Code.NETWORK, f"AWS's credentials cannot be had: {_said(error)}")
    return Failure(Code.BAD_CREDENTIALS, f"no credentials from AWS's configuration: {_said(error)}")


def _said(error: Exception) -> str:
    """The first line of what went wrong: no query, which may hold a policy or a token."""
    first = (str(error).splitlines() or [""])[0]
    return first.partition("?")[0].strip() or type(error).__name__
