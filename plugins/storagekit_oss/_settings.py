"""What the backend can be told, and what it makes of it: text in, one frozen value out. Imports no SDK."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

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
        env=("OSS_ENDPOINT", "STORAGE_ENDPOINT"),
        required=True,
        help="host[:port] or URL; without a scheme HTTP on loopback, HTTPS elsewhere",
    ),
    Setting("access_key", env=("OSS_ACCESS_KEY_ID", "STORAGE_ACCESS_KEY"), required=True, unless="credentials"),
    Setting(
        "secret_key",
        env=("OSS_ACCESS_KEY_SECRET", "STORAGE_SECRET_KEY"),
        secret=True,
        required=True,
        unless="credentials",
    ),
    Setting("security_token", env=("OSS_SESSION_TOKEN",), secret=True, help="of temporary credentials (STS)"),
    Setting("region", env=("OSS_REGION",), help="such as cn-hangzhou, for signature = v4", default="of the endpoint"),
    Setting("signature", help="v4, or v1, which Alibaba closes step by step", default="v4"),
    Setting("path_style", help="true: the bucket in the path, not in the host name", default="true for an IP address"),
    Setting("cname", help="true: the endpoint is a domain of yours that names one bucket", default="false"),
    Setting("use_ssl", help="true or false, for an endpoint without a scheme"),
    Setting("credentials", help="keys, ecs (a RAM role of the machine, refreshed) or anonymous", default="keys"),
    Setting("ram_role", help="name of that role, for credentials = ecs"),
    *WIRE_SETTINGS,
    Setting("encryption", help="AES256 (SSE-OSS), SM4 or KMS", default="as the bucket says"),
    Setting("kms_key_id", help="key of the key service, for KMS"),
    Setting(
        "checksum",
        help="auto, md5 or none; auto: parts crc64, which the service computes, all else md5",
        default="auto",
    ),
    Setting("min_part", help="smallest part but the last, bytes", default="100 KiB"),
    Setting("max_part", help="largest part, bytes", default="5 GiB"),
    Setting("max_parts", help="parts of one upload", default="10,000"),
    Setting("max_key_bytes", help="longest key", default="1,023"),
)

_NO_KEYS = "; a public bucket needs none with credentials = anonymous"
_REGION_IN_HOST = re.compile(r"(?:.+\.)?oss-([a-z0-9-]+?)(?:-internal)?\.aliyuncs\.com")


@dataclass(frozen=True)
class Settings:
    """The settings, checked. ``address`` is ``host[:port]``; keys and token stay out of the repr."""

    address: str
    wires: Wires
    access_key: str = field(repr=False, default="")
    secret_key: str = field(repr=False, default="")
    security_token: str | None = field(repr=False, default=None)
    region: str | None = None
    signature: str = "v4"
    path_style: bool = False
    cname: bool = False
    credentials: str = "keys"
    ram_role: str | None = None
    encryption: Encryption = field(default_factory=Encryption)
    limits: Limits = field(default_factory=Limits)


def parse(texts: Mapping[str, str]) -> Settings:
    """Return the settings. Raises ConfigurationError for what is missing or makes no sense."""
    given = Given("oss", SETTINGS, texts)
    use_ssl = given.optional("use_ssl", boolean, None)
    address, secure = parse_endpoint(given.required("endpoint"), name="OSS_ENDPOINT", use_ssl=use_ssl)
    credentials = given.optional("credentials", one_of("keys", "ecs", "anonymous"), "keys")
    encryption = parse_encryption(given, ("KMS", "SM4"), secure=secure)
    own_keys = credentials == "keys"
    found = Settings(
        address=address,
        wires=given.wires(secure=secure),
        access_key=given.required("access_key", _NO_KEYS) if own_keys else "",
        secret_key=given.required("secret_key", _NO_KEYS) if own_keys else "",
        security_token=given.text("security_token") if own_keys else None,
        region=given.text("region") or region_of(address),
        signature=given.optional("signature", one_of("v4", "v1"), "v4"),
        path_style=given.optional("path_style", boolean, is_address(address)),
        cname=given.optional("cname", boolean, default=False),
        credentials=credentials,
        ram_role=given.text("ram_role"),
        encryption=encryption,
        limits=_limits(given, encryption),
    )
    _require_whole(found)
    return found


def _require_whole(settings: Settings) -> None:
    """Raise ConfigurationError where one setting needs, or excludes, another."""
    if settings.signature == "v4" and settings.region is None and settings.credentials != "anonymous":
        raise ConfigurationError(
            "signature = v4 needs the region, which the endpoint does not say", hint="Give region=, or set OSS_REGION"
        )
    if (settings.credentials == "ecs") != bool(settings.ram_role):
        raise ConfigurationError(
            "credentials = ecs and ram_role need each other", hint="Give the name of the machine's RAM role"
        )
    if settings.cname and settings.path_style:
        raise ConfigurationError("cname and path_style contradict each other", hint="Leave out one of the two")


def region_of(address: str) -> str | None:
    """Return the region that an endpoint of OSS names, such as ``cn-hangzhou``; None for another host."""
    found = _REGION_IN_HOST.fullmatch(address.partition(":")[0].lower())
    return found[1] if found else None


def _limits(given: Given, encryption: Encryption) -> Limits:
    """The limits of OSS (alibabacloud.com/help/en/oss, "Limits"), and what the settings say otherwise.

    OSS verifies Content-MD5 before it stores; a CRC-64/ECMA it only computes, and names in its answer. So parts, which
    nobody sees before the upload is completed, are compared with that (MD5 would cost 0.7 GB/s of a core), and whole
    objects carry MD5.
    """
    checksum = given.optional("checksum", one_of("auto", "md5", "none"), "auto")
    usual = Limits(
        min_part=100 * KIB,
        max_key_bytes=1023,
        checksum="none" if checksum == "none" else "md5",
        part_checksum="crc64" if checksum == "auto" else None,
        encryption=encryption.label,
    )
    return given.limits(usual)
