"""What the backend can be told, and what it makes of it: text in, one frozen value out.

The core resolves arguments, environment and profile to a mapping of text; ``parse`` checks it before any SDK is
imported and raises ConfigurationError, which names the setting and the variable to set and never shows a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from storagekit.driver import Limits, Setting
from storagekit.errors import ConfigurationError
from storagekit.transport.encryption import Encryption
from storagekit.transport.encryption import parse as parse_encryption
from storagekit.transport.endpoint import parse_endpoint
from storagekit.transport.settings import WIRE_SETTINGS, Given, Wires, boolean, one_of
from storagekit_minio._endpoint import is_amazon, sts_of_amazon

AMAZON = "https://s3.amazonaws.com"
_KMS = ("aws:kms", "aws:kms:dsse")
_NO_KEYS = "; a public bucket needs none with credentials = anonymous"

_ENDPOINT = "host[:port] or URL; without a scheme HTTP on loopback, HTTPS elsewhere"

_COMMON = (
    Setting("use_ssl", help="true or false, for an endpoint without a scheme"),
    Setting("path_style", help="false: the bucket in the host name", default="false at AWS, else true"),
    *WIRE_SETTINGS,
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
    wires: Wires
    access_key: str = field(repr=False, default="")
    secret_key: str = field(repr=False, default="")
    session_token: str | None = field(repr=False, default=None)
    region: str | None = None
    path_style: bool = True
    credentials: str = "keys"
    aws_profile: str | None = None
    role_arn: str | None = None
    sts_endpoint: str | None = None
    is_minio: bool = True
    encryption: Encryption = field(default_factory=Encryption)
    limits: Limits = field(default_factory=Limits)


def parse(texts: Mapping[str, str]) -> Settings:
    """Return the settings. Raises ConfigurationError for what is missing or makes no sense."""
    given = Given("minio", SETTINGS, texts)
    use_ssl = given.optional("use_ssl", boolean, None)
    address, secure = parse_endpoint(given.required("endpoint"), name="MINIO_ENDPOINT", use_ssl=use_ssl)
    at_amazon = is_amazon(address)
    is_minio = given.optional("server", one_of("minio", "s3"), "s3" if at_amazon else "minio") == "minio"
    credentials = given.optional("credentials", one_of("keys", "aws", "anonymous"), "keys")
    own_keys = credentials == "keys"
    encryption = parse_encryption(given, _KMS, secure=secure)
    region = given.text("region")
    found = Settings(
        address=address,
        wires=given.wires(secure=secure),
        access_key=given.required("access_key", _NO_KEYS) if own_keys else "",
        secret_key=given.required("secret_key", _NO_KEYS) if own_keys else "",
        session_token=given.text("session_token"),
        region=region,
        path_style=given.optional("path_style", boolean, not at_amazon),
        credentials=credentials,
        aws_profile=given.text("aws_profile"),
        role_arn=given.text("role_arn"),
        sts_endpoint=_sts_endpoint(given, address, region, secure=secure),
        is_minio=is_minio,
        encryption=encryption,
        limits=_limits(given, encryption, is_minio=is_minio),
    )
    _require_one_way(found)
    return found


def parse_s3(texts: Mapping[str, str]) -> Settings:
    """Return the settings of ``s3``, which is at Amazon where no endpoint is given. Raises ConfigurationError."""
    return parse({**texts, "endpoint": texts.get("endpoint") or AMAZON})


def _sts_endpoint(given: Given, address: str, region: str | None, *, secure: bool) -> str | None:
    """Where temporary keys are asked for: as given, or for a role at the service itself; Amazon has hosts for it."""
    said = given.text("sts_endpoint")
    if said is not None:
        host, with_tls = parse_endpoint(said, use_ssl=None, name="sts_endpoint")
        return f"http{'s' * with_tls}://{host}"
    if not given.text("role_arn"):
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


def _limits(given: Given, encryption: Encryption, *, is_minio: bool) -> Limits:
    """The limits of S3, MinIO's own rules where it is one, and what the settings say otherwise.

    Content-MD5 is verified by all of them; CRC-32C is asked for with each upload. A part that carries it in an upload
    that did not agree is refused by Amazon ("Checksum Type mismatch"), so it is never the rule for all bodies.
    """
    checksum = given.optional("checksum", one_of("auto", "md5", "none"), "auto")
    usual = Limits(
        checksum="none" if checksum == "none" else "md5",
        part_checksum="crc32c" if checksum == "auto" else None,
        encryption=encryption.label,
        sparse_complete=given.optional("sparse_complete", boolean, default=True),
    )
    return given.limits(_as_minio(usual) if is_minio else usual)


def _as_minio(limits: Limits) -> Limits:
    """MinIO keeps every key segment as one directory entry, hence 255 bytes and none of them empty.

    It drops an unfinished upload 24 h after its initiation (api.stale_uploads_expiry), whatever was sent meanwhile,
    and finds uploads by the hash of the whole key, so that a listing by any shorter prefix is empty.
    """
    return replace(
        limits, max_segment_bytes=255, empty_segments=False, upload_expiry_s=86_400.0, exact_upload_listing=True
    )
