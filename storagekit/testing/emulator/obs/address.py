"""Which bucket and key a request is about: by virtual host, or by path where OBS allows that.

``bucket.obs.test/key`` is the rule. A path may name the bucket only where the host is an IP address or ``localhost``;
at the endpoint's own name OBS answers 403 VirtualHostDomainRequired.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import unquote

from storagekit.testing.emulator.refusal import Refusal
from storagekit.testing.emulator.request import Request

MAX_KEY = 1024  # bytes, "Uploading Objects - PUT" (obs_04_0080)

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)


@dataclass(frozen=True)
class Address:
    """``bucket`` is empty for the service itself, ``key`` for the bucket. ``virtual``: the host names the bucket."""

    bucket: str = ""
    key: str = ""
    virtual: bool = False


def parse_address(request: Request, domain: str) -> Address:
    """Return what the request is about. Raises Refusal where host, bucket or key cannot be."""
    host = _host(request)
    path = _decoded(request.path[1:])
    if host.endswith(f".{domain}"):
        return _checked(Address(host.removesuffix(f".{domain}"), path, virtual=True))
    bucket, _, key = path.partition("/")
    if host == domain:
        if bucket:
            raise Refusal(
                "VirtualHostDomainRequired", "Virtual host domain is required when accessing a specific bucket."
            )
        return Address()
    if not _takes_paths(host):
        raise Refusal("BadDomainName", f"The domain name {host} is not {domain} and not below it.")
    return _checked(Address(bucket, key))


def _host(request: Request) -> str:
    """Return the host without its port, lower-case."""
    given = (request.header("host") or "").lower()
    if not given:
        raise Refusal("InvalidRequest", "The request has no Host.")
    if "," in given:
        raise Refusal("InvalidRequest", "The request has more than one Host.")
    if given.startswith("["):
        return given.partition("]")[0][1:]
    return given.rpartition(":")[0] if ":" in given else given


def _takes_paths(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _decoded(path: str) -> str:
    try:
        return unquote(path, errors="strict")
    except UnicodeDecodeError:
        raise Refusal("InvalidURI", "Could not parse the specified URI: it is not UTF-8.") from None


def _checked(address: Address) -> Address:
    if address.bucket and not is_bucket_name(address.bucket):
        raise Refusal("InvalidBucketName", f"The bucket name {address.bucket} is not valid.")
    check_key(address.key)
    return address


def is_bucket_name(name: str) -> bool:
    """Tell whether a bucket may be called so: 3 to 63 of a-z, 0-9, ``-`` and ``.``, and no IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return bool(_BUCKET.fullmatch(name)) and not any(pair in name for pair in ("..", ".-", "-."))
    return False


def check_key(key: str) -> None:
    """Raise Refusal for a key that is too long, or that leads out of the bucket like ``../..``."""
    if len(key.encode("utf-8", "surrogateescape")) > MAX_KEY:
        raise Refusal("KeyTooLong", f"The key has more than {MAX_KEY:,} bytes.")
    depth = 0
    for segment in key.split("/"):
        depth += {"..": -1, ".": 0}.get(segment, 1)
        if depth < 0:
            raise Refusal("InvalidURI", "The key leads out of the bucket.")
