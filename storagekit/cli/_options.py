"""Options that several commands share, and the client they make."""

from __future__ import annotations

import logging
import re
from typing import Annotated, Any

import typer

from storagekit.cli._uri import Remote
from storagekit.client import StorageClient
from storagekit.errors import ConfigurationError

_QUERY = re.compile(r"\?[^\s'\")]+")

Endpoint = Annotated[
    str | None, typer.Option("--endpoint-url", metavar="URL", help="Host, host:port or URL of the service.")
]
Region = Annotated[str | None, typer.Option("--region", help="Region of the bucket.")]
LogLevel = Annotated[str, typer.Option("--log-level", help="debug, info, warning or error.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object per event on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]


def open_client(remote: Remote, endpoint: str | None, region: str | None, log_level: str) -> StorageClient:
    """Set the log level and return the client of ``remote``'s backend. Raises ConfigurationError."""
    set_log_level(log_level)
    return client_of(remote, endpoint, region)


def client_of(remote: Remote, endpoint: str | None, region: str | None, **more: Any) -> StorageClient:
    """Return the client of ``remote``'s backend. Raises ConfigurationError."""
    return StorageClient(remote.backend, remote.bucket or None, endpoint=endpoint, region=region, **more)


class _Redacting(logging.Formatter):
    """Cuts the query off every URL: tracebacks of HTTP libraries show signed ones whole."""

    def format(self, record: logging.LogRecord) -> str:
        return _QUERY.sub("?...", super().format(record))


def set_log_level(name: str) -> None:
    """Send storagekit's log lines of at least this level to standard error; not urllib3's, which show signed URLs.

    Raises ConfigurationError for a level that does not exist.
    """
    level = logging.getLevelName(name.upper())
    if not isinstance(level, int):
        raise ConfigurationError(f"unknown log level {name!r}", hint="Use debug, info, warning or error")
    handler = logging.StreamHandler()
    handler.setFormatter(_Redacting("%(levelname)s %(name)s: %(message)s"))
    log = logging.getLogger("storagekit")
    log.handlers[:] = [handler]
    log.setLevel(level)


def need_key(remote: Remote) -> Remote:
    """Return ``remote`` if it names an object. Raises ConfigurationError."""
    if not remote.bucket or not remote.key:
        raise ConfigurationError(f"{remote} names no object", hint="Write backend://bucket/key")
    return remote
