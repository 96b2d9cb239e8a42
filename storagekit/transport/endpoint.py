"""Where the service is: an endpoint as people write it, with or without a scheme."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from storagekit.errors import ConfigurationError


def parse_endpoint(text: str, *, use_ssl: bool | None, name: str) -> tuple[str, bool]:
    """Return ``host[:port]`` and whether TLS is spoken there: as the scheme or ``use_ssl`` says, else by the host.

    Raises ConfigurationError also where the two contradict each other: neither may win by chance.
    """
    scheme, _, rest = text.strip().rpartition("://")
    parts = urlsplit(f"//{rest}")
    problem = "a scheme other than http and https" if scheme.lower() not in ("", "http", "https") else _problem(parts)
    if problem:
        raise ConfigurationError(
            f"the endpoint {_shown(parts)!r} has {problem}",
            hint=f"Give {name} as host, host:port or http(s)://host:port; buckets are named elsewhere",
        )
    if not scheme:
        return parts.netloc, not _is_loopback(parts.hostname or "") if use_ssl is None else use_ssl
    secure = scheme.lower() == "https"
    if use_ssl not in (None, secure):
        raise ConfigurationError(
            f"the endpoint begins with {scheme.lower()}://, and use_ssl is {str(use_ssl).lower()}",
            hint="Leave out one of the two",
        )
    return parts.netloc, secure


def _problem(parts: SplitResult) -> str | None:
    """Return what an endpoint has that it should not, or lacks."""
    found = {
        "a user or password": "@" in parts.netloc,
        "a space": " " in parts.netloc,
        "no host": not parts.hostname,
        "a port that is none": not _is_port(parts),
        "a path": parts.path not in ("", "/"),
        "a query": bool(parts.query or parts.fragment),
    }
    return next((problem for problem, is_there in found.items() if is_there), None)


def _is_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _shown(parts: SplitResult) -> str:
    """The endpoint without what stands before an @, which may be a password, and without its query."""
    return f"{parts.netloc}{parts.path}".rpartition("@")[2]


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_address(address: str) -> bool:
    """Tell whether ``host[:port]`` is an IP address or localhost, below which no bucket can be a name."""
    host = urlsplit(f"//{address}").hostname or ""
    try:
        ip_address(host)
    except ValueError:
        return host == "localhost"
    return True
