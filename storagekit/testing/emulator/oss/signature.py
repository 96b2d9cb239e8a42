"""Signatures as OSS verifies them: V1 and V4, each in a header or in the URL. Pure, and of our own.

Written after alibabacloud.com/help/oss, "Include a V1 signature in the Authorization header", "Add signatures to
URLs", "Include a V4 signature in the Authorization header" and "... in a URL".

    V1    base64(HMAC-SHA1(secret, method \n Content-MD5 \n Content-Type \n date \n headers resource))
    V4    hex(HMAC-SHA256(key of date, region and service, algorithm \n date \n scope \n hash of the request))

Both sign ``/bucket/key`` however the bucket is addressed: V1 as it is, V4 percent-encoded.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import quote

from storagekit.testing.emulator.accounts import Account, Accounts
from storagekit.testing.emulator.operations.store import Address
from storagekit.testing.emulator.refusal import Refusal
from storagekit.testing.emulator.request import Request
from storagekit.testing.emulator.signing import (
    MAX_URL_S,
    UNSIGNED,
    as_bytes,
    chained,
    check_begun,
    check_skew,
    check_token,
    encoded,
    http_seconds,
    needed,
    prove,
    shown_time,
    v4_date,
    v4_seconds,
)

ALGORITHM = "OSS4-HMAC-SHA256"

SUB_RESOURCES = frozenset(
    """
    accessPoint accessPointPolicy acl append asyncFetch bucketArchiveDirectRead bucketInfo callback callback-var
    cloudboxes cname comp continuation-token cors delete encryption endTime group httpsConfig img inventory inventoryId
    lifecycle link live location logging metaQuery objectInfo objectMeta partNumber policy position publicAccessBlock
    qos qosInfo qosRequester redundancyTransition referer regionList replication replicationLocation
    replicationProgress requestPayment requesterQosInfo resourceGroup resourcePool resourcePoolBuckets
    resourcePoolInfo response-cache-control response-content-disposition response-content-encoding
    response-content-language response-content-type response-expires restore security-token sequential startTime stat
    status style styleName symlink tagging transferAcceleration uploadId uploads versionId versioning versions vod
    website worm wormExtend wormId x-oss-ac-forward-allow x-oss-ac-source-ip x-oss-ac-subnet-mask x-oss-ac-vpc-id
    x-oss-access-point-name x-oss-async-process x-oss-process x-oss-redundancy-transition-taskid x-oss-request-payer
    x-oss-target-redundancy-type x-oss-traffic-limit x-oss-write-get-object-response
    """.split()  # noqa: SIM905  # a list of 80 lines says no more
)
"""Parameters that V1 signs: the documentation's, and those that only SDKs sign. Their case matters."""

_V4_FIELDS = {"Credential", "AdditionalHeaders", "Signature"}
_ALWAYS = ("content-type", "content-md5")


@dataclass(frozen=True)
class Claim:
    """What a request says of its own signature. ``expires`` is set where it stands in the URL.

    ``scope`` (date/region/service/terminator) and ``additional`` (names of headers) are V4's.
    """

    scheme: str
    access_key: str
    signature: str
    expires: str | None = None
    scope: str = ""
    additional: tuple[str, ...] = ()


@dataclass(frozen=True)
class Policy:
    """Which signatures are taken, and the only region that V4 may name, where there is one."""

    signatures: Collection[str] = ("v1", "v4")
    v4_region: str | None = None


def authenticate(
    request: Request, claim: Claim | None, address: Address, accounts: Accounts, now: float, policy: Policy
) -> Account:
    """Return whose request it is. Raises Refusal."""
    if claim is None:
        raise Refusal("AccessDenied", "You have no right to access this object because of bucket acl.")
    if claim.scheme not in policy.signatures:
        raise Refusal("InvalidArgument", f"The signature version {claim.scheme} is not supported here.")
    account = accounts.get(claim.access_key)
    if account is None:
        raise Refusal(
            "InvalidAccessKeyId",
            "The OSS Access Key Id you provided does not exist in our records.",
            OSSAccessKeyId=claim.access_key,
        )
    _check_time(request, claim, now)
    if claim.scheme == "v4":
        _check_scope(request, claim, policy.v4_region)
    text = string_to_sign(request, claim, address)
    prove(signature(claim, account.secret_key, text), claim.signature, text, OSSAccessKeyId=claim.access_key)
    check_token(_token_in(request, claim), account, now)
    return account


def find_claim(request: Request) -> Claim | None:
    """Return the claim in the header or the URL, or None where the request is not signed. Raises Refusal."""
    header, url = request.header("authorization"), _claim_in_url(request)
    if header is None:
        return url
    if url is not None:
        raise Refusal("InvalidArgument", "Only one way to sign is allowed: the header or the URL.")
    return _claim_in_header(header)


def string_to_sign(request: Request, claim: Claim, address: Address) -> str:
    """Return the text whose HMAC the signature is."""
    if claim.scheme == "v4":
        digest = hashlib.sha256(as_bytes(canonical_request(request, claim, address))).hexdigest()
        return "\n".join([ALGORITHM, _v4_date(request, claim), claim.scope, digest])
    lines = [
        request.method,
        request.header("content-md5") or "",
        request.header("content-type") or "",
        claim.expires if claim.expires is not None else _v1_date(request) or "",
        *(f"{name}:{value}" for name, value in request.prefixed("x-oss-").items()),
    ]
    return "\n".join(lines) + "\n" + canonical_resource(request, address)


def canonical_resource(request: Request, address: Address) -> str:
    """Return bucket, key and sub-resources as V1 signs them, nothing encoded: ``/bucket/key?uploadId=1``."""
    found = sorted((name, value) for name, value in request.query if name in SUB_RESOURCES)
    listed = "&".join(f"{name}={value}" if value else name for name, value in found)
    return f"{_resource(address)}?{listed}" if listed else _resource(address)


def canonical_request(request: Request, claim: Claim, address: Address) -> str:
    """Return V4's form of the request."""
    query = sorted((encoded(name), encoded(value)) for name, value in request.query if name != "x-oss-signature")
    names = {*_ALWAYS, *claim.additional, *request.prefixed("x-oss-")}
    headers = ((name, request.header(name)) for name in sorted(names))
    return "\n".join(
        [
            request.method,
            quote(_resource(address), "/-_.~", errors="surrogateescape"),
            "&".join(f"{name}={value}" if value else name for name, value in query),
            "".join(f"{name}:{value}\n" for name, value in headers if value is not None),
            ";".join(claim.additional),
            request.header("x-oss-content-sha256") or UNSIGNED,
        ]
    )


def _resource(address: Address) -> str:
    return f"/{address.bucket}/{address.key}" if address.bucket else "/"


def signature(claim: Claim, secret: str, text: str) -> str:
    """Return the right signature of a text."""
    if claim.scheme == "v4":
        return chained("aliyun_v4" + secret, claim.scope, text)
    return base64.b64encode(hmac.digest(as_bytes(secret), as_bytes(text), "sha1")).decode()


# --- claims -----------------------------------------------------------------------------------------------------------


def _claim_in_header(header: str) -> Claim:
    match = re.fullmatch(r"OSS ([^:\s]+):(\S+)", header)
    if match:
        return Claim("v1", match[1], match[2])
    word, _, rest = header.partition(" ")
    fields = dict(_pair(field) for field in rest.split(",")) if word == ALGORITHM else {}
    if not {"Credential", "Signature"} <= fields.keys() <= _V4_FIELDS or len(fields) != rest.count(",") + 1:
        raise Refusal("InvalidArgument", "The Authorization header is not one that OSS knows.")
    return _v4_claim(fields["Credential"], fields["Signature"], fields.get("AdditionalHeaders"))


def _pair(field: str) -> tuple[str, str]:
    name, _, value = field.strip().partition("=")
    return name, value


def _claim_in_url(request: Request) -> Claim | None:
    names = [name for name, _ in request.query]
    own = {"OSSAccessKeyId", "Signature", "x-oss-credential", "x-oss-signature", "x-oss-additional-headers"}
    if any(names.count(name) > 1 for name in own):
        raise Refusal("InvalidArgument", "A signed URL says each thing once.")
    if request.param("OSSAccessKeyId") is not None:
        return Claim("v1", needed(request, "OSSAccessKeyId"), needed(request, "Signature"), needed(request, "Expires"))
    if request.param("x-oss-signature-version") is None:
        return None
    if request.param("x-oss-signature-version") != ALGORITHM:
        raise Refusal("InvalidArgument", f"x-oss-signature-version has to be {ALGORITHM}.")
    return _v4_claim(
        needed(request, "x-oss-credential"),
        needed(request, "x-oss-signature"),
        request.param("x-oss-additional-headers"),
        needed(request, "x-oss-expires"),
    )


def _v4_claim(credential: str, given: str, additional: str | None, expires: str | None = None) -> Claim:
    key, _, scope = credential.partition("/")
    names = tuple(additional.split(";")) if additional else ()
    if list(names) != sorted(set(names)) or any(name != name.lower() for name in names):
        raise Refusal("InvalidArgument", "AdditionalHeaders are in lower case, in order, and each one once.")
    return Claim("v4", key, given, expires, scope, names)


# --- time, scope, token -----------------------------------------------------------------------------------------------


def _check_time(request: Request, claim: Claim, now: float) -> None:
    if claim.expires is not None:
        _check_expiry(request, claim, claim.expires, now)
    elif claim.scheme == "v4":
        check_skew(v4_seconds(_v4_date(request, claim)), now)
    else:
        check_skew(http_seconds(_v1_date(request)), now)


def _check_expiry(request: Request, claim: Claim, expires: str, now: float) -> None:
    if not re.fullmatch(r"[0-9]{1,18}", expires, re.ASCII):
        raise Refusal("AccessDenied", "Invalid date (should be seconds since epoch).")
    end = int(expires)
    if claim.scheme == "v4":
        if not 1 <= end <= MAX_URL_S:
            raise Refusal("AccessDenied", "x-oss-expires has to be 1 to 604800 seconds.")
        begin = v4_seconds(_v4_date(request, claim))
        check_begun(begin, now)
        end += int(begin)
    if now > end:
        raise Refusal("AccessDenied", "Request has expired.", Expires=shown_time(end), ServerTime=shown_time(now))


def _v1_date(request: Request) -> str | None:
    """Return the date that V1 signs; ``x-oss-date`` goes before ``Date``."""
    return request.header("x-oss-date") or request.header("date")


def _v4_date(request: Request, claim: Claim) -> str:
    if claim.expires is not None:
        return needed(request, "x-oss-date")
    return v4_date(request.header("x-oss-date"), request)


def _check_scope(request: Request, claim: Claim, region: str | None) -> None:
    steps = claim.scope.split("/")
    if len(steps) != 4 or steps[2:] != ["oss", "aliyun_v4_request"] or steps[0] != _v4_date(request, claim)[:8]:
        raise Refusal(
            "InvalidArgument", "The credential's scope has to be date/region/oss/aliyun_v4_request, of the same date."
        )
    if region is not None and steps[1] != region:
        raise Refusal("InvalidArgument", f"Invalid signing region in the credential: it has to be {region}.")
    payload = request.header("x-oss-content-sha256")
    if payload != UNSIGNED and (payload is not None or claim.expires is None):
        raise Refusal("InvalidArgument", f"x-oss-content-sha256 has to be {UNSIGNED}.")


def _token_in(request: Request, claim: Claim) -> str | None:
    """Return the token; the newer vendor SDK signs as V1 with a header ``security-token``."""
    if claim.expires is not None:
        return request.param("security-token" if claim.scheme == "v1" else "x-oss-security-token")
    given = request.header("x-oss-security-token")
    return request.header("security-token") if given is None and claim.scheme == "v1" else given
