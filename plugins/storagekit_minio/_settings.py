"""What the backend can be told, and what it makes of it: text in, one frozen value out.

The core resolves arguments, environment and profile to a mapping of text; ``parse`` checks it before any SDK is
imported and raises ConfigurationError, which names the setting and the variable to set and never shows a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from storagekit.driver import Limits, Setting
from storagekit.errors import ConfigurationError

T = TypeVar("T")

SETTINGS = (
    Setting(
        "endpoint",
        env=("MINIO_ENDPOINT", "STORAGE_ENDPOINT"),
        required=True,
        help="host[:port] or URL; without a scheme HTTP on loopback, HTTPS elsewhere",
    ),
    Setting("access_key", env=("MINIO_ACCESS_KEY", "STORAGE_ACCESS_KEY"), required=True),
    Setting("secret_key", env=("MINIO_SECRET_KEY", "STORAGE_SECRET_KEY"), secret=True, required=True),
    Setting("session_token", env=("MINIO_SESSION_TOKEN",), secret=True, help="of temporary credentials"),
    Setting("region", env=("MINIO_REGION",), help="MinIO takes any unless it is set up otherwise", default="us-east-1"),
    Setting("use_ssl", help="true or false, for an endpoint without a scheme"),
    Setting("ca_file", env=("SSL_CERT_FILE",), help="PEM file of the authorities to trust", default="certifi's"),
    Setting("connect_timeout_s", help="seconds until a connection must stand", default="10"),
    Setting("read_timeout_s", help="seconds without a byte sent or received", default="60"),
    Setting("max_connections", help="connections kept open; more are made when more threads call", default="32"),
    Setting("server", help="minio or s3: whose rules for keys and listings hold", default="s3 at AWS, else minio"),
    Setting("checksum", help="md5, or none for a service that verifies none (moto)", default="md5"),
    Setting("min_part", help="smallest part but the last, bytes", default="5 MiB"),
    Setting("max_part", help="largest part, bytes", default="5 GiB"),
    Setting("max_parts", help="parts of one upload; 1,000 on Swift unless it is set up otherwise", default="10,000"),
    Setting("max_key_bytes", help="longest key; 969 on Swift, which adds to the key of a part", default="1,024"),
    Setting(
        "sparse_complete",
        help="false where a complete must name every part that was sent (Ceph RGW, rclone)",
        default="true",
    ),
)


@dataclass(frozen=True)
class Settings:
    """The settings, checked. ``address`` is ``host[:port]``; keys and token stay out of the repr."""

    address: str
    secure: bool
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    session_token: str | None = field(repr=False, default=None)
    region: str = "us-east-1"
    ca_file: str | None = None
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    max_connections: int = 32
    is_minio: bool = True
    limits: Limits = field(default_factory=Limits)


def parse(given: Mapping[str, str]) -> Settings:
    """Return the settings. Raises ConfigurationError for what is missing or makes no sense."""
    address, secure = parse_endpoint(_required(given, "endpoint"), use_ssl=_optional(given, "use_ssl", _boolean, None))
    is_minio = _optional(given, "server", _is_minio, not _is_amazon(address))
    return Settings(
        address=address,
        secure=secure,
        access_key=_required(given, "access_key"),
        secret_key=_required(given, "secret_key"),
        session_token=given.get("session_token") or None,
        # Named, because an SDK that knows no region asks for it: one more GET ?location per bucket.
        region=given.get("region") or "us-east-1",
        ca_file=given.get("ca_file") or None,
        connect_timeout_s=_optional(given, "connect_timeout_s", _seconds, 10.0),
        read_timeout_s=_optional(given, "read_timeout_s", _seconds, 60.0),
        max_connections=_optional(given, "max_connections", _count, 32),
        is_minio=is_minio,
        limits=_limits(given, is_minio=is_minio),
    )


def parse_endpoint(text: str, *, use_ssl: bool | None) -> tuple[str, bool]:
    """Return ``host[:port]`` and whether TLS is spoken there: as the scheme or ``use_ssl`` says, else by the host.

    Raises ConfigurationError also where the two contradict each other: neither may win by chance.
    """
    scheme, _, rest = text.strip().rpartition("://")
    parts = urlsplit(f"//{rest}")
    problem = "a scheme other than http and https" if scheme.lower() not in ("", "http", "https") else _problem(parts)
    if problem:
        raise ConfigurationError(
            f"the endpoint {_shown(parts)!r} has {problem}",
            hint="Give MINIO_ENDPOINT as host, host:port or http(s)://host:port; buckets are named elsewhere",
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


def _is_amazon(address: str) -> bool:
    return address.partition(":")[0].lower().endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _limits(given: Mapping[str, str], *, is_minio: bool) -> Limits:
    """The limits of S3, MinIO's own rules where it is one, and what the settings say otherwise."""
    plain = Limits(
        min_part=_optional(given, "min_part", _count, Limits.min_part),
        max_part=_optional(given, "max_part", _count, Limits.max_part),
        max_parts=_optional(given, "max_parts", _count, Limits.max_parts),
        max_key_bytes=_optional(given, "max_key_bytes", _count, Limits.max_key_bytes),
        checksum=_optional(given, "checksum", _checksum, Limits.checksum),
        sparse_complete=_optional(given, "sparse_complete", _boolean, default=True),
    )
    return _as_minio(plain) if is_minio else plain


def _as_minio(limits: Limits) -> Limits:
    """MinIO keeps every key segment as one directory entry, hence 255 bytes and none of them empty.

    It drops an unfinished upload 24 h after its initiation (api.stale_uploads_expiry), whatever was sent meanwhile,
    and finds uploads by the hash of the whole key, so that a listing by any shorter prefix is empty.
    """
    return replace(
        limits, max_segment_bytes=255, empty_segments=False, upload_expiry_s=86_400.0, exact_upload_listing=True
    )


def _required(given: Mapping[str, str], name: str) -> str:
    value = given.get(name, "").strip()
    if value:
        return value
    variables = next(setting.env for setting in SETTINGS if setting.name == name)
    raise ConfigurationError(f"the minio backend has no {name}", hint=f"Set {' or '.join(variables)}")


def _optional(given: Mapping[str, str], name: str, convert: Callable[[str], T], default: T) -> T:
    text = given.get(name, "").strip()
    if not text:
        return default
    try:
        return convert(text)
    except ValueError as error:
        raise ConfigurationError(f"the minio setting {name} is {text!r}: {error}") from error


def _boolean(text: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if text.lower() not in known:
        raise ValueError("neither true nor false")
    return known[text.lower()]


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError("not a positive number of seconds")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError("not a positive number")
    return value


def _checksum(text: str) -> str:
    if text not in ("md5", "none"):
        raise ValueError("neither md5 nor none")
    return text


def _is_minio(text: str) -> bool:
    if text not in ("minio", "s3"):
        raise ValueError("neither minio nor s3")
    return text == "minio"
