"""Requests to OSS, signed as its documentation says: a second opinion on its signatures.

Shares no line with the emulator, a plugin or an SDK. Sources: "Include a V1 signature in the Authorization header",
"Add signatures to URLs", "Include a V4 signature in the Authorization header" and "Include a V4 signature in a URL"
(alibabacloud.com/help/oss). `test_oss_signing.py` holds it to worked examples.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from urllib.parse import quote

from tests.integration.raw_requests import Account, Request, encoded, hmac_sha1, stamp, with_headers, with_query

PREFIX = "x-oss-"
REGION = "cn-hangzhou"
ALGORITHM = "OSS4-HMAC-SHA256"
PAYLOAD = "UNSIGNED-PAYLOAD"
ALWAYS = ("content-md5", "content-type")

#: What the page on V1 lists: these parts of a query are signed, others are not.
SUB_RESOURCES = frozenset(
    """
    acl uploads location cors logging website referer lifecycle delete append tagging objectMeta uploadId partNumber
    security-token position img style styleName replication replicationProgress replicationLocation cname bucketInfo
    comp qos live status vod startTime endTime symlink x-oss-process x-oss-traffic-limit callback callback-var restore
    response-content-type response-content-language response-expires response-cache-control
    response-content-disposition response-content-encoding
    """.split()  # noqa: SIM905 - a list of 40 lines says no more
)
#: What a signed URL of V1 adds to the query.
PROOF = frozenset({"OSSAccessKeyId", "Expires", "Signature"})


def resource(request: Request) -> str:
    """However the bucket is addressed: `/bucket/key`, nothing encoded."""
    return f"/{request.bucket}/{request.key}" if request.bucket else "/"


# --- V1 -----------------------------------------------------------------------------------------------------------


def string_to_sign(request: Request, expires: int | None = None) -> str:
    headers = {name.lower(): value.strip() for name, value in request.headers.items()}
    own = sorted((name, value) for name, value in headers.items() if name.startswith(PREFIX))
    date = headers.get("x-oss-date") or headers.get("date", "")
    first = [request.method, headers.get("content-md5", ""), headers.get("content-type", "")]
    lines = [*first, date if expires is None else str(expires), *(f"{name}:{value}" for name, value in own)]
    parts = sorted((name, value) for name, value in request.query.items() if name in SUB_RESOURCES)
    query = "&".join(f"{name}={value}" if value else name for name, value in parts)
    return "\n".join([*lines, resource(request) + "?" * bool(query) + query])


def signed(request: Request, account: Account) -> Request:
    """With the signature in a header."""
    if account.token is not None:
        request = with_headers(request, {"x-oss-security-token": account.token})
    signature = hmac_sha1(account.secret_key, string_to_sign(request))
    return with_headers(request, {"Authorization": f"OSS {account.access_key}:{signature}"})


def signed_url(request: Request, account: Account, expires: int) -> Request:
    """With the signature in the query, good until `expires`."""
    if account.token is not None:
        request = with_query(request, {"security-token": account.token})
    signature = hmac_sha1(account.secret_key, string_to_sign(request, expires))
    return with_query(request, {"OSSAccessKeyId": account.access_key, "Expires": str(expires), "Signature": signature})


# --- V4 -----------------------------------------------------------------------------------------------------------


def signed_v4(
    request: Request, account: Account, seconds: float, also: Sequence[str] = (), region: str = REGION
) -> Request:
    """With the signature in a header; `also` are headers that it signs besides those that it always does."""
    own = {"x-oss-date": stamp(seconds), "x-oss-content-sha256": PAYLOAD}
    if account.token is not None:
        own["x-oss-security-token"] = account.token
    request = with_headers(request, own)
    scope = f"{stamp(seconds)[:8]}/{region}/oss/aliyun_v4_request"
    signature = v4_signature(account, scope, stamp(seconds), canonical(request, also))
    names = f"AdditionalHeaders={';'.join(also)}, " if also else ""
    proof = f"{ALGORITHM} Credential={account.access_key}/{scope}, {names}Signature={signature}"
    return with_headers(request, {"Authorization": proof})


def signed_url_v4(
    request: Request, account: Account, seconds: float, life: int = 300, also: Sequence[str] = ()
) -> Request:
    """With the signature in the query, good for `life` seconds from `seconds`."""
    scope = f"{stamp(seconds)[:8]}/{REGION}/oss/aliyun_v4_request"
    proof = {"x-oss-signature-version": ALGORITHM, "x-oss-credential": f"{account.access_key}/{scope}"}
    proof |= {"x-oss-date": stamp(seconds), "x-oss-expires": str(life)}
    if account.token is not None:
        proof["x-oss-security-token"] = account.token
    if also:
        proof["x-oss-additional-headers"] = ";".join(also)
    request = with_query(request, proof)
    signature = v4_signature(account, scope, stamp(seconds), canonical(request, also))
    return with_query(request, {"x-oss-signature": signature})


def canonical(request: Request, also: Sequence[str]) -> str:
    headers = {name.lower(): value.strip() for name, value in request.headers.items()}
    listed = sorted(name for name in headers if name.startswith(PREFIX) or name in (*ALWAYS, *also))
    query = sorted((encoded(name), encoded(value or "")) for name, value in request.query.items())
    lines = [request.method, quote(resource(request), safe="/~")]
    lines += ["&".join(f"{name}={value}" if value else name for name, value in query)]
    lines += [f"{name}:{headers[name]}" for name in listed]
    return "\n".join([*lines, "", ";".join(also), PAYLOAD])


def v4_signature(account: Account, scope: str, when: str, canonical_request: str) -> str:
    digest = hashlib.sha256(canonical_request.encode()).hexdigest()
    key = f"aliyun_v4{account.secret_key}".encode()
    for piece in (*scope.split("/"), f"{ALGORITHM}\n{when}\n{scope}\n{digest}"):
        key = hmac.new(key, piece.encode(), hashlib.sha256).digest()
    return key.hex()
