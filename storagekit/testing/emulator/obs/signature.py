"""Signatures as OBS verifies them: its own, V2 and V4, each in a header or in the URL. Pure, and of our own.

Written after support.huaweicloud.com, api-obs, "Using an Authorization Header" (obs_04_0010) and "Using a Pre-Signed
URL" (obs_04_0011), and docs.aws.amazon.com, "Signing and authenticating REST requests" (V2) and "Authenticating
Requests: AWS Signature Version 4".

    OBS and V2    base64(HMAC-SHA1(secret, method \n Content-MD5 \n Content-Type \n date \n headers resource))
    V4            hex(HMAC-SHA256(key of date, region and service, algorithm \n date \n scope \n hash of the request))

``authenticate`` finds the claim, then asks in this order: is the key known, does the time hold, is the signature right,
is the token right. Both signatures are compared in constant time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

from storagekit.testing.emulator.accounts import Account, Accounts
from storagekit.testing.emulator.obs.dialect import AMZ, OBS
from storagekit.testing.emulator.operations.dialect import Dialect
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
    encoded_path,
    http_seconds,
    needed,
    prove,
    shown_time,
    v4_date,
    v4_seconds,
)

SUB_RESOURCES = frozenset(
    """
    acl append attname backtosource bucketstatus cdnnotifyconfiguration cors customdomain delete deletebucket
    directcoldaccess dispolicy encryption fileinterface inventory length lifecycle location logging metadata
    mirrorbacktosource modify name notification object-lock obsalias obsbucketalias obscompresspolicy
    obsworkflowtriggerpolicy orchestration partnumber policy policystatus position publicaccessblock quota rename
    replication requestpayment response-cache-control response-content-disposition response-content-encoding
    response-content-language response-content-type response-expires restore retention select storageclass storageinfo
    storagepolicy tagging torrent truncate uploadid uploads versionid versioning versions website x-image-process
    x-image-save-bucket x-image-save-object x-oss-process x-workflow-execution-state x-workflow-execution-type
    x-workflow-graph-name x-workflow-limit x-workflow-next-marker x-workflow-prefix x-workflow-start
    x-workflow-template-name
    """.split()  # noqa: SIM905  # a list of 80 lines says no more
)
"""Parameters that are signed: the documentation's, and those that only the SDKs sign. Compared in lower case."""

_V4_HEADER = re.compile(r"AWS4-HMAC-SHA256 +Credential=([^,]+), *SignedHeaders=([^,]+), *Signature=([^,]+)")


@dataclass(frozen=True)
class Claim:
    """What a request says of its own signature. ``expires`` is set where it stands in the URL.

    ``scope`` (date/region/service/terminator) and ``signed`` (names of headers) are V4's.
    """

    scheme: str
    access_key: str
    signature: str
    expires: str | None = None
    scope: str = ""
    signed: tuple[str, ...] = ()

    @property
    def dialect(self) -> Dialect:
        """The dialect that the client speaks."""
        return OBS if self.scheme == "obs" else AMZ


def authenticate(
    request: Request, address: Address, accounts: Accounts, now: float, region: str | None = None
) -> Account:
    """Return whose request it is. Raises Refusal; ``region``, where given, is the only one V4 may name."""
    claim = find_claim(request)
    if claim is None:
        raise Refusal("AccessDenied", "Anonymous access is forbidden for this operation.")
    account = accounts.get(claim.access_key)
    if account is None:
        raise Refusal(
            "InvalidAccessKeyId",
            "The access key ID you provided does not exist in our records.",
            AWSAccessKeyId=claim.access_key,
        )
    _check_time(request, claim, now)
    if claim.scheme == "v4":
        _check_scope(request, claim, region)
    text = string_to_sign(request, claim, address)
    prove(signature(claim, account.secret_key, text), claim.signature, text, AWSAccessKeyId=claim.access_key)
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


def dialect_of(request: Request) -> Dialect:
    """Return the dialect to answer in, whatever else is wrong with the request: OBS's where nothing says otherwise."""
    names = {name for name, _ in request.query}
    amz = (request.header("authorization") or "").startswith("AWS") or {"AWSAccessKeyId", "X-Amz-Algorithm"} & names
    return AMZ if amz else OBS


def string_to_sign(request: Request, claim: Claim, address: Address) -> str:
    """Return the text whose HMAC the signature is."""
    if claim.scheme == "v4":
        digest = hashlib.sha256(as_bytes(canonical_request(request, claim))).hexdigest()
        return "\n".join(["AWS4-HMAC-SHA256", _v4_date(request, claim), claim.scope, digest])
    prefix = claim.dialect.prefix
    own = request.prefixed(prefix)
    date = "" if f"{prefix}date" in own else request.header("date") or ""
    lines = [
        request.method,
        request.header("content-md5") or "",
        request.header("content-type") or "",
        date if claim.expires is None else claim.expires,
        *(f"{name}:{value}" for name, value in own.items()),
    ]
    return "\n".join(lines) + "\n" + canonical_resource(request, address, prefix)


def canonical_resource(request: Request, address: Address, prefix: str) -> str:
    """Return bucket, key and sub-resources: ``/bucket/key?uploadId=1``. The key is percent-encoded, values are not."""
    path = encoded_path(request.path, "/~")
    whole = f"/{address.bucket}{path}" if address.virtual else path
    found = sorted(
        (name, value)
        for name, value in request.query
        if name.lower() in SUB_RESOURCES or name.lower().startswith(prefix)
    )
    listed = "&".join(f"{name}={value}" if value else name for name, value in found)
    return f"{whole}?{listed}" if listed else whole


def canonical_request(request: Request, claim: Claim) -> str:
    """Return V4's form of the request."""
    query = sorted((encoded(name), encoded(value)) for name, value in request.query if name != "X-Amz-Signature")
    headers = ((name, re.sub(" +", " ", request.header(name) or "")) for name in claim.signed)
    payload = request.header("x-amz-content-sha256") if claim.expires is None else None
    return "\n".join(
        [
            request.method,
            encoded_path(request.path, "/-_.~"),
            "&".join(f"{name}={value}" for name, value in query),
            "".join(f"{name}:{value}\n" for name, value in headers),
            ";".join(claim.signed),
            payload or UNSIGNED,
        ]
    )


def signature(claim: Claim, secret: str, text: str) -> str:
    """Return the right signature of a text."""
    if claim.scheme != "v4":
        return base64.b64encode(hmac.digest(as_bytes(secret), as_bytes(text), "sha1")).decode()
    return chained("AWS4" + secret, claim.scope, text)


# --- claims -----------------------------------------------------------------------------------------------------------


def _claim_in_header(header: str) -> Claim:
    for scheme, word in (("obs", "OBS"), ("v2", "AWS")):
        match = re.fullmatch(rf"{word} ([^:\s]+):(\S+)", header)
        if match:
            return Claim(scheme, match[1], match[2])
    match = _V4_HEADER.fullmatch(header)
    if match is None:
        raise Refusal("InvalidArgument", "The Authorization header is not one that OBS knows.")
    return _v4_claim(match[1], match[2], match[3])


def _claim_in_url(request: Request) -> Claim | None:
    for scheme, name in (("obs", "AccessKeyId"), ("v2", "AWSAccessKeyId")):
        key = request.param(name)
        if key is not None:
            return Claim(scheme, key, needed(request, "Signature"), needed(request, "Expires"))
    if request.param("X-Amz-Algorithm") is None:
        return None
    if request.param("X-Amz-Algorithm") != "AWS4-HMAC-SHA256":
        raise Refusal("InvalidArgument", "X-Amz-Algorithm has to be AWS4-HMAC-SHA256.")
    names = ("X-Amz-Credential", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Expires")
    return _v4_claim(*(needed(request, name) for name in names))


def _v4_claim(credential: str, signed: str, given: str, expires: str | None = None) -> Claim:
    key, _, scope = credential.partition("/")
    return Claim("v4", key, given, expires, scope, tuple(signed.split(";")))


# --- time, scope, token -----------------------------------------------------------------------------------------------


def _check_time(request: Request, claim: Claim, now: float) -> None:
    if claim.expires is not None:
        _check_expiry(request, claim, claim.expires, now)
        return
    check_skew(_sent_at(request, claim), now)


def _check_expiry(request: Request, claim: Claim, expires: str, now: float) -> None:
    if not re.fullmatch(r"[0-9]{1,18}", expires, re.ASCII):
        raise Refusal("AccessDenied", "Expires is not a number of seconds.")
    end = int(expires)
    if claim.scheme == "v4":
        if not 1 <= end <= MAX_URL_S:
            raise Refusal("AccessDenied", "X-Amz-Expires has to be 1 to 604800 seconds.")
        begin = v4_seconds(_v4_date(request, claim))
        check_begun(begin, now)
        end += int(begin)
    if now > end:
        raise Refusal(
            "RequestTimeTooSkewed", "Request has expired.", Expires=shown_time(end), ServerTime=shown_time(now)
        )


def _sent_at(request: Request, claim: Claim) -> float:
    if claim.scheme == "v4":
        return v4_seconds(_v4_date(request, claim))
    text = request.header(f"{claim.dialect.prefix}date") or request.header("date")
    return http_seconds(text)


def _v4_date(request: Request, claim: Claim) -> str:
    given = request.param("X-Amz-Date") if claim.expires is not None else request.header("x-amz-date")
    return v4_date(given, request)


def _check_scope(request: Request, claim: Claim, region: str | None) -> None:
    steps = claim.scope.split("/")
    if len(steps) != 4 or steps[2:] != ["s3", "aws4_request"] or steps[0] != _v4_date(request, claim)[:8]:
        raise Refusal("AccessDenied", "The credential's scope has to be date/region/s3/aws4_request, of the same date.")
    if region is not None and steps[1] != region:
        raise Refusal("AccessDenied", f"The credential's region has to be {region}.")
    unsigned = {"host", *request.prefixed("x-amz-")} - set(claim.signed)
    if unsigned:
        raise Refusal(
            "AccessDenied", "There are headers that have to be signed.", HeadersNotSigned=", ".join(sorted(unsigned))
        )


def _token_in(request: Request, claim: Claim) -> str | None:
    name = f"{claim.dialect.prefix}security-token"
    in_url = next((value for one, value in request.query if one.lower() == name), None)
    return request.header(name) or in_url
