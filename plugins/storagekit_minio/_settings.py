"""What the backend can be told, and what it makes of it: text in, one frozen value out.

The core resolves arguments, environment and profile to a mapping of text; ``parse`` checks it before any SDK is
imported and raises ConfigurationError, which names the setting and the variable to set and never shows a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from storagekit.driver import Limits, Setting
from storagekit.errors import ConfigurationError
from storagekit_minio._encryption import Encryption
from storagekit_minio._encryption import parse as parse_encryption
from storagekit_minio._endpoint import is_amazon, parse_endpoint, sts_of_amazon

T = TypeVar("T")

AMAZON = "https://s3.amazonaws.com"

_ENDPOINT = "host[:port] or URL; without a scheme HTTP on loopback, HTTPS elsewhere"

_COMMON = (
    Setting("use_ssl", help="true or false, for an endpoint without a scheme"),
    Setting("path_style", help="false: the bucket in the host name", default="false at AWS, else true"),
    Setting("ca_file", env=("SSL_CERT_FILE",), help="PEM file of the authorities to trust", default="certifi's"),
    Setting("connect_timeout_s", help="seconds until a connection must stand", default="10"),
    Setting("read_timeout_s", help="seconds without a byte sent or received", default="60"),
    Setting("max_connections", help="connections kept open; more are made when more threads call", default="32"),
    Setting("server", help="minio or s3: whose rules for keys and listings hold", default="s3 at AWS, else minio"),
    Setting(
        "credentials", help="keys, aws (all that AWS's tools know, by botocore) or anonymous (unsigned)", default="keys"
    ),
    Setting("aws_profile", help="profile that credentials = aws uses", default="AWS_PROFILE, or default"),
    Setting("role_arn", help="role to take on with the keys"),
    Setting(
        "sts_endpoint",
        help="URL that exchanges the keys for temporary ones",
        default="AWS's or the endpoint, for a role",
    ),
    Setting("encryption", help="AES256 (SSE-S3), aws:kms or aws:kms:dsse", default="as the bucket says"),
    Setting("kms_key_id", help="key of the key service, for aws:kms"),
    Setting("kms_context", help="encryption context, a JSON object of texts, for aws:kms"),
    Setting("customer_key", secret=True, help="base64 of 32 bytes (SSE-C); over TLS only"),
    Setting(
        "checksum",
        help="auto, md5 or none: what the server verifies; auto: parts crc32c where it agrees, all else md5",
        default="auto",
    ),
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

SETTINGS = (
    Setting("endpoint", env=("MINIO_ENDPOINT", "STORAGE_ENDPOINT"), required=True, help=_ENDPOINT),
    Setting("access_key", env=("MINIO_ACCESS_KEY", "STORAGE_ACCESS_KEY"), required=True, unless="credentials"),
    Setting(
        "secret_key",
        env=("MINIO_SECRET_KEY", "STORAGE_SECRET_KEY"),
        secret=True,
        required=True,
        unless="credentials",
    ),
    Setting("session_token", env=("MINIO_SESSION_TOKEN",), secret=True, help="of temporary credentials"),
    Setting("region", env=("MINIO_REGION",), help="of the buckets", default="us-east-1, or what the service says"),
    *_COMMON,
)

_OF_AWS: Mapping[str, tuple[str, ...]] = {
    "endpoint": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "access_key": ("AWS_ACCESS_KEY_ID",),
    "secret_key": ("AWS_SECRET_ACCESS_KEY",),
    "session_token": ("AWS_SESSION_TOKEN",),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
}


def _at_amazon(setting: Setting) -> Setting:
    """Return a setting as ``s3`` has it: AWS's variables come after MINIO_..., and there is an endpoint."""
    first, *others = setting.env or ("",)
    more = replace(setting, env=(first, *_OF_AWS[setting.name], *others)) if setting.name in _OF_AWS else setting
    return replace(more, required=False, default=AMAZON) if setting.name == "endpoint" else more


S3_SETTINGS = tuple(map(_at_amazon, SETTINGS))


@dataclass(frozen=True)
class Settings:
    """The settings, checked. ``address`` is ``host[:port]``; keys and token stay out of the repr."""

    address: str
    secure: bool
    access_key: str = field(repr=False, default="")
    secret_key: str = field(repr=False, default="")
    session_token: str | None = field(repr=False, default=None)
    region: str | None = None
    path_style: bool = True
    credentials: str = "keys"
    aws_profile: str | None = None
    role_arn: str | None = None
    sts_endpoint: str | None = None
    ca_file: str | None = None
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    max_connections: int = 32
    is_minio: bool = True
    encryption: Encryption = field(default_factory=Encryption)
    limits: Limits = field(default_factory=Limits)


def parse(given: Mapping[str, str]) -> Settings:
    """Return the settings. Raises ConfigurationError for what is missing or makes no sense."""
    address, secure = parse_endpoint(_required(given, "endpoint"), use_ssl=_optional(given, "use_ssl", _boolean, None))
    at_amazon = is_amazon(address)
    is_minio = _optional(given, "server", _one_of("minio", "s3"), "s3" if at_amazon else "minio") == "minio"
    credentials = _optional(given, "credentials", _one_of("keys", "aws", "anonymous"), "keys")
    own_keys = credentials == "keys"
    encryption = parse_encryption(given, secure=secure)
    region = given.get("region") or None
    found = Settings(
        address=address,
        secure=secure,
        access_key=_required(given, "access_key") if own_keys else "",
        secret_key=_required(given, "secret_key") if own_keys else "",
        session_token=given.get("session_token") or None,
        region=region,
        path_style=_optional(given, "path_style", _boolean, not at_amazon),
        credentials=credentials,
        aws_profile=given.get("aws_profile") or None,
        role_arn=given.get("role_arn") or None,
        sts_endpoint=_sts_endpoint(given, address, region, secure=secure),
        ca_file=given.get("ca_file") or None,
        connect_timeout_s=_optional(given, "connect_timeout_s", _seconds, 10.0),
        read_timeout_s=_optional(given, "read_timeout_s", _seconds, 60.0),
        max_connections=_optional(given, "max_connections", _count, 32),
        is_minio=is_minio,
        encryption=encryption,
        limits=_limits(given, encryption, is_minio=is_minio),
    )
    _require_one_way(found)
    return found


def parse_s3(given: Mapping[str, str]) -> Settings:
    """Return the settings of ``s3``, which is at Amazon where no endpoint is given. Raises ConfigurationError."""
    return parse({**given, "endpoint": given.get("endpoint") or AMAZON})


def _sts_endpoint(given: Mapping[str, str], address: str, region: str | None, *, secure: bool) -> str | None:
    """Where temporary keys are asked for: as given, or for a role at the service itself; Amazon has hosts for it."""
    said = given.get("sts_endpoint") or None
    if said is not None:
        host, with_tls = parse_endpoint(said, use_ssl=None, name="sts_endpoint")
        return f"http{'s' * with_tls}://{host}"
    if not given.get("role_arn"):
        return None
    return sts_of_amazon(address, region) if is_amazon(address) else f"http{'s' * secure}://{address}"


def _require_one_way(settings: Settings) -> None:
    """Raise ConfigurationError for settings of which one would be ignored."""
    if settings.sts_endpoint and settings.credentials != "keys":
        raise ConfigurationError(
            f"role_arn and sts_endpoint mean nothing with credentials = {settings.credentials}",
            hint="Give the keys that the role is taken on with; AWS's own profiles can name a role, too",
        )
    if settings.sts_endpoint and settings.session_token:
        raise ConfigurationError(
            "a session_token is of temporary keys, and STS is asked with lasting ones", hint="Leave out one of the two"
        )


def _limits(given: Mapping[str, str], encryption: Encryption, *, is_minio: bool) -> Limits:
    """The limits of S3, MinIO's own rules where it is one, and what the settings say otherwise.

    Content-MD5 is verified by all of them; CRC-32C is asked for with each upload. A part that carries it in an upload
    that did not agree is refused by Amazon ("Checksum Type mismatch"), so it is never the rule for all bodies.
    """
    checksum = _optional(given, "checksum", _one_of("auto", "md5", "none"), "auto")
    plain = Limits(
        checksum="none" if checksum == "none" else "md5",
        part_checksum="crc32c" if checksum == "auto" else None,
        encryption=encryption.label,
        min_part=_optional(given, "min_part", _count, Limits.min_part),
        max_part=_optional(given, "max_part", _count, Limits.max_part),
        max_parts=_optional(given, "max_parts", _count, Limits.max_parts),
        max_key_bytes=_optional(given, "max_key_bytes", _count, Limits.max_key_bytes),
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
    more = "" if name == "endpoint" else "; a public bucket needs none with credentials = anonymous"
    raise ConfigurationError(
        f"the backend 'minio' needs {name}",
        hint=f"Give {name}=, or set {' or '.join(variables)}, or put it into a profile{more}",
    )


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


def _one_of(*known: str) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if text not in known:
            raise ValueError(f"none of {', '.join(known)}")
        return text

    return convert
