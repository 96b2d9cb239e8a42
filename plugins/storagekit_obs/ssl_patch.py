"""TLS that is verified, for an ``obs.ObsClient`` of your own.

    client = apply_ssl_patch(ObsClient(access_key_id=..., secret_access_key=..., server="https://obs..."))

What the SDK does without it: no certificate is looked at unless ``ssl_verify`` names a file, and a host name never is;
versions 3.21.8 to 3.23.12 fail on Python 3.12 and newer, which have no ``check_hostname=`` any more; ``long_conn_mode``
hands the connection to one bucket's host to the next bucket.

How it works: everything happens on the one client. It gets a context of its own, TLS 1.2 at least, and
``_get_server_connection_use_http1x``, which all versions call for a new connection, is bound on the instance. Kept
connections lie in ``_kept.Kept``, per host; the SDK puts them there as into its own queue. With ``use_http_conns`` the
session of ``requests`` gets an adapter that asks nobody but the context. The SDK itself is never imported.
"""

from __future__ import annotations

import os
import ssl
import warnings
from dataclasses import dataclass
from typing import Any, TypeVar

import certifi

from storagekit.errors import ConfigurationError
from storagekit.transport.connections import trusting
from storagekit_obs._kept import Kept, Key, connect

Client = TypeVar("Client")

_MARK = "_storagekit_trust"
"""Attribute of a patched client: what it was patched with."""


class UnverifiedTLSWarning(UserWarning):
    """Said once per client whose connections anybody can read and change."""


@dataclass(frozen=True)
class _Trust:
    ca_file: str
    verify: bool


def apply_ssl_patch(client: Client, *, ca_file: str | None = None, verify: bool = True) -> Client:
    """Have an ``obs.ObsClient`` verify certificates and host names, and return it.

    Applied again it changes nothing; with other arguments it applies those. A client for plain HTTP stays as it is.
    Call it before threads share the client. Its client certificate and its ciphers are kept; HTTP/2 and GM-TLS are
    refused, because there it could not hold what it promises.

    Args:
        client: Of any version of the SDK since 3.21.8. This instance is changed, nothing else in the process.
        ca_file: PEM file of the authorities to trust. By default the one that the client's ``ssl_verify`` names, else
            that of ``SSL_CERT_FILE``, else certifi's list.
        verify: False accepts every certificate for every host, and warns, once for this client. Only this argument
            does: ``ssl_verify=False`` is the SDK's default, so it says nothing.

    Raises:
        ConfigurationError: The authorities cannot be read, or the arguments or the client exclude verification.
        TypeError: This is no client of the SDK.
    """
    sdk: Any = client
    if not hasattr(sdk, "_get_server_connection_use_http1x"):
        raise TypeError(f"apply_ssl_patch takes an obs.ObsClient, not {type(client).__name__}")
    if not sdk.is_secure:
        return client
    _require_possible(sdk, ca_file, verify=verify)
    trust = _Trust(_authorities(sdk, ca_file), verify)
    if getattr(sdk, _MARK, None) == trust:
        return client
    _bind(sdk, _context(sdk, trust))
    setattr(sdk, _MARK, trust)
    if not verify:
        warnings.warn(f"TLS to {sdk.server} is not verified: verify=False", UnverifiedTLSWarning, stacklevel=2)
    return client


def _require_possible(sdk: Any, ca_file: str | None, *, verify: bool) -> None:
    """Raise ConfigurationError for what cannot be verified, or contradicts itself."""
    for name, what in {"use_http2": "HTTP/2", "is_use_gmssl": "GM-TLS"}.items():
        if getattr(sdk, name, False):
            raise ConfigurationError(f"TLS is not verified over {what}", hint=f"Make the ObsClient without {name}=True")
    if ca_file and not verify:
        raise ConfigurationError("authorities mean nothing with verify=False", hint="Leave out one of the two")


def _authorities(sdk: Any, ca_file: str | None) -> str:
    """The file of the authorities; ``ssl_verify`` is False, True or a path."""
    named = None if isinstance(sdk.ssl_verify, bool) else sdk.ssl_verify
    return os.fspath(ca_file or named or os.environ.get("SSL_CERT_FILE") or certifi.where())


def _context(sdk: Any, trust: _Trust) -> ssl.SSLContext:
    """A new context: what the SDK's own trusts must not be left in it."""
    context = trusting(trust.ca_file)
    context.set_ciphers(":".join(cipher["name"] for cipher in sdk.context.get_ciphers()))
    own = getattr(sdk, "client_verify", None)
    if own and own.clientCert and own.clientKey:
        context.load_cert_chain(own.clientCert, own.clientKey, own.clientKeyPassword)
    if not trust.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _bind(sdk: Any, context: ssl.SSLContext) -> None:
    """Give the client its context, and the methods by which its connections come and go."""
    sdk.context = context
    if sdk.connHolder is not None:
        _end(sdk.connHolder["connSet"])  # what was connected before was not verified
        sdk.connHolder["connSet"] = Kept()
    if getattr(sdk, "session", None) is not None:
        _mount(sdk.session.session, context)

    def make(is_secure: bool, server: str, port: int, proxy_host: str | None, proxy_port: int | None) -> Any:  # noqa: FBT001  # as the SDK calls it
        key = Key(os.getpid(), is_secure, server, port, proxy_host, proxy_port)
        kept = sdk.connHolder["connSet"].take(key) if sdk.connHolder is not None else None
        return kept or connect(key, sdk.timeout, sdk.context)

    def close() -> None:
        if sdk.connHolder is not None:
            sdk.connHolder["connSet"].end()
        type(sdk).close(sdk)

    sdk._get_server_connection_use_http1x = make  # noqa: SLF001  # the one place that all versions have
    sdk.close = close


def _end(queue: Any) -> None:
    """Close what is in the SDK's queue, or in ours."""
    if isinstance(queue, Kept):
        queue.end()
        return
    while not queue.empty():
        queue.get_nowait().close()


def _mount(session: Any, context: ssl.SSLContext) -> None:
    """Have a session of ``requests`` ask the context and nobody else: ``verify`` would add certifi's list."""
    from requests.adapters import HTTPAdapter

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs, ssl_context=context)

        def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
            return super().proxy_manager_for(*args, **kwargs, ssl_context=context)

        def cert_verify(self, conn: Any, *_: Any) -> None:
            conn.cert_reqs = conn.ca_certs = conn.ca_cert_dir = None

    size = session.get_adapter("https://")._pool_maxsize  # noqa: SLF001  # pool_size, which nobody else remembers
    session.mount("https://", Adapter(pool_connections=size, pool_maxsize=size))
