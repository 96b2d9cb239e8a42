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

from minio.credentials.credentials import Credentials
from minio.credentials.providers import AssumeRoleProvider, Provider, StaticProvider
from urllib3 import PoolManager
from urllib3.exceptions import HTTPError

from storagekit.driver import Code, DriverError, Failure
from storagekit.errors import ConfigurationError
from storagekit_minio._settings import Settings

_SESSION = "storagekit"


class _TemporaryKeys(Provider):
    """Keys that may fail to be had: that is a refusal of the credentials, not a ValueError."""

    def __init__(self, retrieve: Callable[[], Credentials], what: str) -> None:
        self._retrieve = retrieve
        self._what = what

    def retrieve(self) -> Credentials:
        """Return keys that are valid now. Raises DriverError; what the network does passes as it is."""
        try:
            return self._retrieve()
        except (HTTPError, DriverError):
            raise
        except Exception as error:  # the SDK's ValueError with a status in its words, botocore's own tree
            detail = f"no temporary credentials from {self._what}: {_said(error)}"
            raise DriverError(Failure(Code.BAD_CREDENTIALS, detail)) from error


def provider(settings: Settings, pool: PoolManager) -> Provider | None:
    """Return what is asked for the keys of each request; None where requests are not signed.

    Raises ConfigurationError where botocore is needed and missing, or knows no credentials.
    """
    if settings.credentials == "anonymous":
        return None
    if settings.credentials == "aws":
        return _TemporaryKeys(_of_botocore(settings.aws_profile), "AWS's configuration")
    if settings.sts_endpoint:
        return _TemporaryKeys(_of_sts(settings, settings.sts_endpoint, pool), f"STS at {settings.sts_endpoint}")
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
        http_client=pool,
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


def _said(error: Exception) -> str:
    """The first line of what went wrong: no query, which may hold a policy or a token."""
    first = (str(error).splitlines() or [""])[0]
    return first.partition("?")[0].strip() or type(error).__name__
