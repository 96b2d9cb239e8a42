"""What buckets and keys are called. What would address something else is refused before it is sent.

A request for the key None, or for an empty one, is a request for the bucket: a DELETE of it deletes the bucket. The
rule for buckets holds where one is made; elsewhere it only explains a refusal, because what exists must be reachable.
"""

from __future__ import annotations

import re

from storagekit.driver import Code, DriverError, Failure

RULE = (
    "a bucket's name has 3 to 63 characters (a-z, 0-9, '-', '.'), begins and ends with a letter or a digit, "
    "has no two dots in a row and is no IP address"
)

_BUCKET = re.compile(r"[a-z0-9](?!.*\.\.)[a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+", re.ASCII)


def is_bucket_name(name: str) -> bool:
    """Tell whether S3, or OBS, makes a bucket of this name."""
    return bool(_BUCKET.fullmatch(name)) and not _ADDRESS.fullmatch(name)


def check_new_bucket(name: str) -> None:
    """Refuse to make a bucket whose name breaks the rule."""
    check_bucket(name)
    if not is_bucket_name(name):
        raise invalid_bucket(name)


def invalid_bucket(name: str, status: int | None = None, request_id: str | None = None) -> DriverError:
    """Return the error that states the rule, with what the service answered, if it was asked."""
    detail = f"{name!r} is no name of a bucket: {RULE}"
    return DriverError(Failure(Code.INVALID_NAME, detail, request_id=request_id, status=status))


def check_bucket(name: object) -> None:
    """Refuse what cannot be sent as the name of a bucket."""
    if not isinstance(name, str) or name in ("", ".", "..") or "/" in name:
        raise DriverError(Failure(Code.INVALID_NAME, f"{name!r} is no name of a bucket"))


def check_key(key: object) -> None:
    """Refuse what cannot be sent as the key of an object."""
    if not isinstance(key, str):
        raise DriverError(Failure(Code.INVALID_NAME, f"{key!r} is no key"))
    if not key or {".", ".."} & set(key.split("/")):
        detail = f"the key {key!r} cannot be sent: urllib3 resolves '.' and '..' segments, and an empty key is none"
        raise DriverError(Failure(Code.INVALID_NAME, detail))
