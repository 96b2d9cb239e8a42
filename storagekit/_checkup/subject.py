"""What a checkup looks at: a backend with its resolved settings, and the address that they name. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from storagekit._store import Store

_TRUE = ("1", "true", "yes", "on")


@dataclass(frozen=True)
class Address:
    """Where a service is to be reached, and whether TLS is to be spoken there."""

    host: str
    port: int
    secure: bool

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def url(self, *, secure: bool) -> str:
        """Return the endpoint as it would be written with or without TLS."""
        return f"{'https' if secure else 'http'}://{self}"

    @property
    def is_number(self) -> bool:
        """Whether the host is an IP address, which no name server is asked for."""
        try:
            ip_address(self.host.partition("%")[0])
        except ValueError:
            return False
        return True


@dataclass(frozen=True)
class Subject:
    """The backend under examination.

    ``settings`` are the resolved texts, secrets included, hence no repr; ``origins`` says where each came from.
    ``signs``: the backend has secrets, so that there are credentials to be wrong. ``overruling`` are the variables that
    count although the profile says something else.
    """

    backend: str
    bucket: str | None
    store: Store = field(repr=False)
    settings: Mapping[str, str] = field(repr=False)
    origins: Mapping[str, str]
    signs: bool
    overruling: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The endpoint or directory, without what may stand before an @."""
        return (self.settings.get("endpoint") or self.settings.get("root") or "").rpartition("@")[2]

    @property
    def uri(self) -> str:
        """The bucket as it is written on the command line."""
        return f"{self.backend}://{self.bucket or ''}"

    @property
    def address(self) -> Address | None:
        """The address of the endpoint; None for a backend without one, or with one of another protocol than HTTP."""
        endpoint = self.settings.get("endpoint")
        return parse_address(endpoint, self.settings.get("use_ssl")) if endpoint else None

    def origin(self, name: str) -> str:
        """Return where a setting came from, as the end of a sentence: `` (from MINIO_SECRET_KEY)``."""
        found = self.origins.get(name)
        return f" (from {found})" if found and found != "argument" else ""


def parse_address(endpoint: str, use_ssl: str | None) -> Address | None:
    """Return the address of an endpoint that its driver has accepted; None where it is not one of HTTP.

    Without a scheme, plain HTTP on loopback and TLS elsewhere, unless ``use_ssl`` decides.
    """
    scheme, _, rest = endpoint.strip().rpartition("://")
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname, parts.port
    except ValueError:  # a port or an IPv6 address that is none
        return None
    if not host or scheme.lower() not in ("", "http", "https"):
        return None
    secure = _is_secure(scheme.lower(), use_ssl, host)
    return Address(host, port or (443 if secure else 80), secure)


def _is_secure(scheme: str, use_ssl: str | None, host: str) -> bool:
    if scheme:
        return scheme == "https"
    return use_ssl.strip().lower() in _TRUE if use_ssl and use_ssl.strip() else not _is_loopback(host)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
