"""What the backend can be told, and what it makes of it: text in, one frozen value out. Imports no SDK."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from storagekit.driver import Limits, Setting
from storagekit.errors import ConfigurationError
from storagekit.transport.encryption import Encryption
from storagekit.transport.encryption import parse as parse_encryption
from storagekit.transport.endpoint import is_address, parse_endpoint
from storagekit.transport.settings import WIRE_SETTINGS, Given, Wires, boolean, one_of

KIB = 1024

SETTINGS = (
    Setting(
        "endpoint",
        env=("OBS_SERVER", "OBS_ENDPOINT", "STORAGE_ENDPOINT"),
        required=True,
        help="host[:port] or URL; without a scheme HTTP on loopback, HTTPS elsewhere",
    ),
    Setting(
        "access_key",
        env=("OBS_ACCESS_KEY_ID", "OBS_AK", "STORAGE_ACCESS_KEY"),
        required=True,
        unless="credentials",
    ),
    Setting(
        "secret_key",
        env=("OBS_SECRET_ACCESS_KEY", "OBS_SK", "STORAGE_SECRET_KEY"),
        secret=True,
        required=True,
        unless="credentials",
    ),
    Setting("security_token", env=("OBS_SECURITY_TOKEN",), secret=True, help="of temporary credentials"),
    Setting("region", env=("OBS_REGION",), help="of the buckets", default="as the endpoint says"),
    Setting("signature", help="obs, v2 or v4: how requests are signed, and which headers they have", default="obs"),
    Setting("path_style", help="true: the bucket in the path, not in the host name", default="true for an IP address"),
    Setting("use_ssl", help="true or false, for an endpoint without a scheme"),
    Setting(
        "credentials",
        help="keys, ecs (the agency of the machine, refreshed) or anonymous (unsigned)",
        default="keys",
    ),
    *WIRE_SETTINGS,
    Setting("encryption", help="AES256 (SSE-OBS) or kms", default="as the bucket says"),
    Setting("kms_key_id", help="key of the key service, for kms"),
    Setting("customer_key", secret=True, help="base64 of 32 bytes (SSE-C); over TLS only"),
    Setting(
        "checksum",
        help="crc64, md5 or none: what the service verifies on every body",
        default="crc64; md5 with v2, v4",
    ),
    Setting("min_part", help="smallest part but the last, bytes", default="100 KiB"),
    Setting("max_part", help="largest part, bytes", default="5 GiB"),
    Setting("max_parts", help="parts of one upload", default="10,000"),
    Setting("max_key_bytes", help="longest key", default="1,024"),
)

_NO_KEYS = "; a public bucket needs none with credentials = anonymous"
_REGION_IN_HOST = re.compile(r"obsv?3?\.([a-z]{2}-[a-z0-9-]+)\.")


@dataclass(frozen=True)
class Settings:
    """The settings, checked. ``host`` has no port; keys and token stay out of the repr."""

    host: str
    port: int
    wires: Wires
    access_key: str = field(repr=False, default="")
    secret_key: str = field(repr=False, default="")
    security_token: str | None = field(repr=False, default=None)
    region: str | None = None
    signature: str = "obs"
    path_style: bool = False
    credentials: str = "keys"
    encryption: Encryption = field(default_factory=Encryption)
    limits: Limits = field(default_factory=Limits)


def parse(texts: Mapping[str, str]) -> Settings:
    """Return the settings. Raises ConfigurationError for what is missing or makes no sense."""
    given = Given("obs", SETTINGS, texts)
    host, port, secure = _address(given)
    signature = given.optional("signature", one_of("obs", "v2", "v4"), "obs")
    credentials = given.optional("credentials", one_of("keys", "ecs", "anonymous"), "keys")
    encryption = parse_encryption(given, ("kms",), secure=secure)
    own_keys = credentials == "keys"
    region = given.text("region") or region_of(host)
    if signature == "v4" and region is None:
        raise ConfigurationError(
            "signature = v4 needs the region, which the endpoint does not say", hint="Give region=, or set OBS_REGION"
        )
    return Settings(
        host=host,
        port=port,
        wires=given.wires(secure=secure),
        access_key=given.required("access_key", _NO_KEYS) if own_keys else "",
        secret_key=given.required("secret_key", _NO_KEYS) if own_keys else "",
        security_token=given.text("security_token") if own_keys else None,
        region=region,
        signature=signature,
        path_style=given.optional("path_style", boolean, is_address(host)),
        credentials=credentials,
        encryption=encryption,
        limits=_limits(given, signature, encryption),
    )


def _address(given: Given) -> tuple[str, int, bool]:
    """Return host, port and whether TLS is spoken there."""
    use_ssl = given.optional("use_ssl", boolean, None)
    netloc, secure = parse_endpoint(given.required("endpoint"), name="OBS_SERVER", use_ssl=use_ssl)
    parts = urlsplit(f"//{netloc}")
    host = parts.hostname or ""
    return f"[{host}]" if ":" in host else host, parts.port or (443 if secure else 80), secure


def region_of(host: str) -> str | None:
    """Return the region that an endpoint of OBS names, such as ``cn-north-4``; None for another host."""
    found = _REGION_IN_HOST.match(host)
    return found[1] if found else None


def _limits(given: Given, signature: str, encryption: Encryption) -> Limits:
    """The limits of OBS (support.huaweicloud.com, obs_04_0099 for parts), and what the settings say otherwise.

    OBS computes CRC-64/ECMA itself, compares it with the one that a request brings, and names it in the answer. Servers
    that speak S3 know nothing of it, so with their signatures it is Content-MD5, which all of them compare.
    """
    usual = "crc64" if signature == "obs" else "md5"
    limits = Limits(
        min_part=100 * KIB,
        checksum=given.optional("checksum", one_of("crc64", "md5", "none"), usual),
        complete_order="initiation",
        encryption=encryption.label,
    )
    return given.limits(limits)
