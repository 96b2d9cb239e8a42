"""URLs signed as S3's signature V4 has it, with headers that whoever uses them must send.

The SDK's own ``presign_v4`` signs the host and no other header, so that a URL could not say which Content-Type an
object gets. Rules: AWS, "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)". Pure.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from urllib.parse import SplitResult, quote, urlunsplit

from minio.credentials.credentials import Credentials

_ALGORITHM = "AWS4-HMAC-SHA256"


def presigned(
    method: str,
    url: SplitResult,
    headers: Mapping[str, str],
    region: str,
    keys: Credentials,
    now: datetime,
    expires_s: int,
) -> str:
    """Return ``url`` with what allows one request for ``expires_s`` seconds from ``now``, an aware time in UTC.

    The query of ``url`` is percent-encoded already.
    """
    scope = f"{now:%Y%m%d}/{region}/s3/aws4_request"
    signed = {"host": url.netloc, **{name.lower(): " ".join(value.split()) for name, value in headers.items()}}
    added = {
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{keys.access_key}/{scope}",
        "X-Amz-Date": f"{now:%Y%m%dT%H%M%SZ}",
        "X-Amz-Expires": str(expires_s),
        "X-Amz-SignedHeaders": ";".join(sorted(signed)),
        **({"X-Amz-Security-Token": keys.session_token} if keys.session_token else {}),
    }
    pairs = [*filter(None, url.query.split("&")), *map(_pair, added.items())]
    query = "&".join(sorted(pairs, key=lambda pair: pair.partition("=")))
    lines = [f"{name}:{value}" for name, value in sorted(signed.items())]
    request = "\n".join([method, url.path or "/", query, *lines, "", added["X-Amz-SignedHeaders"], "UNSIGNED-PAYLOAD"])
    text = "\n".join([_ALGORITHM, added["X-Amz-Date"], scope, sha256(request.encode()).hexdigest()])
    signature = _hmac(_key(keys.secret_key, scope), text).hex()
    return urlunsplit(url._replace(query=f"{query}&X-Amz-Signature={signature}"))


def _pair(item: tuple[str, str]) -> str:
    return f"{item[0]}={quote(item[1], safe='-_.~')}"


def _key(secret_key: str, scope: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for step in scope.split("/"):
        key = _hmac(key, step)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), sha256).digest()
