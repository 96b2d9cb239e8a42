"""Requests to OBS, signed as its documentation says and sent over a plain socket: a second opinion on signatures.

Shares no line with the emulator, a plugin or an SDK. Sources: "Authentication of Signature in a Header" and "... in a
URL" (obs_04_0010, obs_04_0011) for `OBS`; the same with `AWS` and `x-amz-` for V2; Amazon's description of Signature
Version 4 for V4, its service being `s3`. `test_obs_signing.py` holds it to the worked examples of those pages.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Literal
from urllib.parse import quote, unquote

from tests.integration.raw_requests import (
    Account,
    Request,
    encoded,
    hmac_sha1,
    stamp,
    wire,
    with_headers,
    with_query,
)

Dialect = Literal["obs", "v2"]
SCHEME = {"obs": "OBS", "v2": "AWS"}
PREFIX = {"obs": "x-obs-", "v2": "x-amz-", "v4": "x-amz-"}
KEY_PARAMETER = {"obs": "AccessKeyId", "v2": "AWSAccessKeyId"}
UNSIGNED = "UNSIGNED-PAYLOAD"

#: What the page lists (obs_04_0010, table 1): these parts of a query are signed, others are not.
SUB_RESOURCES = frozenset(
    [
        "acl",
        "attname",
        "cors",
        "customdomain",
        "delete",
        "deletebucket",
        "encryption",
        "inventory",
        "length",
        "lifecycle",
        "location",
        "logging",
        "metadata",
        "modify",
        "name",
        "notification",
        "partNumber",
        "policy",
        "position",
        "quota",
        "rename",
        "replication",
        "requestPayment",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
        "restore",
        "storageClass",
        "storagePolicy",
        "storageinfo",
        "tagging",
        "torrent",
        "truncate",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
        "object-lock",
        "retention",
        "x-obs-security-token",
        "x-amz-security-token",
    ]
)


# --- OBS and V2 ---------------------------------------------------------------------------------------------------


def string_to_sign(request: Request, dialect: Dialect, expires: int | None = None) -> str:
    """Obs_04_0010, from its own table 1; with `expires`, obs_04_0011."""
    headers = {name.lower(): value.strip() for name, value in request.headers.items()}
    date = headers.get("date", "") if f"{PREFIX[dialect]}date" not in headers else ""
    own = sorted((name, value) for name, value in headers.items() if name.startswith(PREFIX[dialect]))
    first = [request.method, headers.get("content-md5", ""), headers.get("content-type", "")]
    lines = [*first, date if expires is None else str(expires), *(f"{name}:{value}" for name, value in own)]
    return "\n".join([*lines, resource(request)])


def resource(request: Request) -> str:
    """`/bucket/key?sub-resources`; a bucket alone is `/bucket/` in both styles, as `wire` writes it."""
    found = f"/{request.bucket}/" if request.bucket else "/"
    found += quote(request.key, safe="/~")
    signed = sorted((name, value) for name, value in request.query.items() if name in SUB_RESOURCES)
    texts = [f"{name}={value}" if value else name for name, value in signed]
    return found + "?" * bool(texts) + "&".join(texts)


def signed(request: Request, account: Account, dialect: Dialect = "obs") -> Request:
    """With the signature in a header."""
    if account.token is not None:
        request = with_headers(request, {f"{PREFIX[dialect]}security-token": account.token})
    signature = hmac_sha1(account.secret_key, string_to_sign(request, dialect))
    return with_headers(request, {"Authorization": f"{SCHEME[dialect]} {account.access_key}:{signature}"})


def signed_url(request: Request, account: Account, expires: int, dialect: Dialect = "obs") -> Request:
    """With the signature in the query, good until `expires`."""
    if account.token is not None:
        request = with_query(request, {f"{PREFIX[dialect]}security-token": account.token})
    signature = hmac_sha1(account.secret_key, string_to_sign(request, dialect, expires))
    proof = {KEY_PARAMETER[dialect]: account.access_key, "Expires": str(expires), "Signature": signature}
    return with_query(request, proof)


# --- V4 -----------------------------------------------------------------------------------------------------------


def signed_v4(
    request: Request, account: Account, seconds: float, host: str, region: str = "region", payload: str = UNSIGNED
) -> Request:
    """With the signature in a header; every header is signed."""
    own = {"x-amz-date": stamp(seconds), "x-amz-content-sha256": payload}
    if account.token is not None:
        own["x-amz-security-token"] = account.token
    request = with_headers(request, own)
    names = sorted(name.lower() for name in (*request.headers, "host"))
    scope = f"{stamp(seconds)[:8]}/{region}/s3/aws4_request"
    signature = v4_signature(account, scope, stamp(seconds), canonical(request, names, host, payload))
    proof = f"Credential={account.access_key}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
    return with_headers(request, {"Authorization": f"AWS4-HMAC-SHA256 {proof}"})


def signed_url_v4(
    request: Request, account: Account, seconds: float, host: str, life: int = 300, region: str = "region"
) -> Request:
    """With the signature in the query, good for `life` seconds from `seconds`."""
    names = sorted(name.lower() for name in (*request.headers, "host"))
    scope = f"{stamp(seconds)[:8]}/{region}/s3/aws4_request"
    proof = {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{account.access_key}/{scope}"}
    proof |= {"X-Amz-Date": stamp(seconds), "X-Amz-Expires": str(life), "X-Amz-SignedHeaders": ";".join(names)}
    if account.token is not None:
        proof["X-Amz-Security-Token"] = account.token
    request = with_query(request, proof)
    signature = v4_signature(account, scope, stamp(seconds), canonical(request, names, host, UNSIGNED))
    return with_query(request, {"X-Amz-Signature": signature})


def canonical(request: Request, names: Sequence[str], host: str, payload: str) -> str:
    sent = wire(request, host)
    query = sorted((encoded(unquote(name)), encoded(unquote(value or ""))) for name, value in sent.query)
    lines = [request.method, sent.path, "&".join(f"{name}={value}" for name, value in query)]
    lines += [f"{name}:{' '.join(sent.header(name).split())}" for name in names]
    return "\n".join([*lines, "", ";".join(names), payload])


def v4_signature(account: Account, scope: str, when: str, canonical_request: str) -> str:
    digest = hashlib.sha256(canonical_request.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{when}\n{scope}\n{digest}"
    key = f"AWS4{account.secret_key}".encode()
    for piece in scope.split("/"):
        key = hmac.new(key, piece.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
