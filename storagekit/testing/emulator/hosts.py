"""What hosts, buckets and keys may look like, wherever the service."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import unquote

from storagekit.testing.emulator.refusal import Refusal
from storagekit.testing.emulator.request import Request

MAX_KEY = 1024  # bytes, OBS's "Uploading Objects - PUT" (obs_04_0080)

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)


def host_of(request: Request) -> str:
    """Return the host without its port, lower-case. Raises Refusal where there is none, or more than one."""
    given = (request.header("host") or "").lower()
    if not given:
        raise Refusal("InvalidRequest", "The request has no Host.")
    if "," in given:
        raise Refusal("InvalidRequest", "The request has more than one Host.")
    if given.startswith("["):
        return given.partition("]")[0][1:]
    return given.rpartition(":")[0] if ":" in given else given


def takes_paths(host: str) -> bool:
    """Tell whether the path may name the bucket there: at an IP address, or ``localhost``."""
    return host == "localhost" or _is_ip(host)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def decoded_path(path: str) -> str:
    """Return a path without its percent-encoding. Raises Refusal where it is not UTF-8."""
    try:
        return unquote(path, errors="strict")
    except UnicodeDecodeError:
        raise Refusal("InvalidURI", "Could not parse the specified URI: it is not UTF-8.") from None


def is_bucket_name(name: str) -> bool:
    """Tell whether a bucket may be called so: 3 to 63 of a-z, 0-9, ``-`` and ``.``, and no IP address."""
    if _is_ip(name):
        return False
    return bool(_BUCKET.fullmatch(name)) and not any(pair in name for pair in ("..", ".-", "-."))


def check_key(key: str, longest: int = MAX_KEY) -> None:
    """Raise Refusal for a key that is too long, or that leads out of the bucket like ``../..``."""
    if len(key.encode("utf-8", "surrogateescape")) > longest:
        raise Refusal("KeyTooLong", f"The key has more than {longest:,} bytes.")
    depth = 0
    for segment in key.split("/"):
        depth += {"..": -1, ".": 0}.get(segment, 1)
        if depth < 0:
            raise Refusal("InvalidURI", "The key leads out of the bucket.")
