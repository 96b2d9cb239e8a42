"""What failures mean: the service's code first, the HTTP status second, the network last. Pure.

The codes are those of S3 and AWS, MinIO's own (``XMinio...``, ``SlowDownRead``), Ceph's and Swift's; OBS and OSS use
most of the same words. The same word may come with another status elsewhere (``RequestTimeout`` is a 400), so a status
decides only where no code is known.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http.client import BadStatusLine

from urllib3 import exceptions as http

from storagekit.driver import Code, Failure
from storagekit.transport.connections import StaleConnectionError
from storagekit.transport.failures import Peer, tls_failure, tls_wanted, wants_tls

S3_CODES: Mapping[str, Code] = {
    "NoSuchKey": Code.NOT_FOUND,
    "NoSuchVersion": Code.NOT_FOUND,
    "NoSuchBucket": Code.BUCKET_NOT_FOUND,
    "NoSuchUpload": Code.UPLOAD_GONE,
    "BucketAlreadyExists": Code.BUCKET_EXISTS,
    "BucketAlreadyOwnedByYou": Code.BUCKET_EXISTS,
    "BucketNotEmpty": Code.BUCKET_NOT_EMPTY,
    "OperationAborted": Code.CONFLICT,
    "XMinioParentIsObject": Code.CONFLICT,
    "XMinioObjectExistsAsDirectory": Code.CONFLICT,
    "PreconditionFailed": Code.PRECONDITION,
    "ConditionalRequestConflict": Code.PRECONDITION,
    "InvalidPart": Code.PART_INVALID,
    "InvalidPartOrder": Code.PART_INVALID,
    "EntityTooSmall": Code.TOO_SMALL,
    "EntityTooLarge": Code.TOO_LARGE,
    "MaxMessageLengthExceeded": Code.TOO_LARGE,
    "BadDigest": Code.INTEGRITY,
    "InvalidDigest": Code.INTEGRITY,
    "XAmzContentSHA256Mismatch": Code.INTEGRITY,
    "XAmzContentChecksumMismatch": Code.INTEGRITY,
    "AccessDenied": Code.ACCESS_DENIED,
    "AccessForbidden": Code.ACCESS_DENIED,
    "AllAccessDisabled": Code.ACCESS_DENIED,
    "AccountProblem": Code.ACCESS_DENIED,
    "InvalidAccessKeyId": Code.BAD_CREDENTIALS,
    "SignatureDoesNotMatch": Code.BAD_CREDENTIALS,
    "ExpiredToken": Code.EXPIRED_CREDENTIALS,
    "InvalidToken": Code.EXPIRED_CREDENTIALS,
    "InvalidTokenId": Code.EXPIRED_CREDENTIALS,
    "TokenRefreshRequired": Code.EXPIRED_CREDENTIALS,
    "RequestTimeTooSkewed": Code.CLOCK_SKEW,
    "InvalidBucketName": Code.INVALID_NAME,
    "InvalidObjectName": Code.INVALID_NAME,
    "XMinioInvalidObjectName": Code.INVALID_NAME,
    "XMinioInvalidResourceName": Code.INVALID_NAME,
    "KeyTooLongError": Code.INVALID_NAME,
    "PermanentRedirect": Code.WRONG_ENDPOINT,
    "TemporaryRedirect": Code.WRONG_ENDPOINT,
    "Redirect": Code.WRONG_ENDPOINT,
    "AuthorizationHeaderMalformed": Code.WRONG_ENDPOINT,
    "IllegalLocationConstraintException": Code.WRONG_ENDPOINT,
    "InvalidRegion": Code.WRONG_ENDPOINT,
    "InvalidObjectState": Code.ARCHIVED,
    "NotImplemented": Code.UNSUPPORTED,
    "MethodNotAllowed": Code.UNSUPPORTED,
    "SlowDown": Code.THROTTLED,
    "SlowDownRead": Code.THROTTLED,
    "SlowDownWrite": Code.THROTTLED,
    "ServiceUnavailable": Code.THROTTLED,
    "TooManyRequests": Code.THROTTLED,
    "RequestLimitExceeded": Code.THROTTLED,
    "BandwidthLimitExceeded": Code.THROTTLED,
    "RequestThrottled": Code.THROTTLED,
    "Throttling": Code.THROTTLED,
    "ThrottlingException": Code.THROTTLED,
    "RequestTimeout": Code.TIMEOUT,
    "OperationTimedOut": Code.TIMEOUT,
    "InternalError": Code.SERVER,
    "XMinioServerNotInitialized": Code.SERVER,
    "IncompleteBody": Code.NETWORK,
    "XMinioStorageFull": Code.REFUSED,
}

_STATUS: Mapping[int, Code] = {
    301: Code.WRONG_ENDPOINT,
    307: Code.WRONG_ENDPOINT,
    401: Code.ACCESS_DENIED,
    403: Code.ACCESS_DENIED,
    404: Code.NOT_FOUND,
    405: Code.UNSUPPORTED,
    408: Code.TIMEOUT,
    409: Code.CONFLICT,
    412: Code.PRECONDITION,
    413: Code.TOO_LARGE,
    429: Code.THROTTLED,
    501: Code.UNSUPPORTED,
    503: Code.THROTTLED,
}

SERVICE = Peer()


def of_code(
    vendor_code: str | None,
    message: str | None,
    status: int | None,
    request_id: str | None,
    codes: Mapping[str, Code] = S3_CODES,
) -> Failure:
    """Return the failure for what a service said, in an error or inside a success."""
    known = codes.get(vendor_code or "")
    code = known or (_of_number(status) if status and status >= 300 else Code.SERVER)
    detail = (message or "").strip().rstrip(".") or _without_words(code, status)
    return Failure(code, detail, request_id=request_id, status=status, vendor_code=vendor_code)


def _without_words(code: Code, status: int | None) -> str:
    """What is said of an answer that says nothing: one to HEAD has no body."""
    meaning = code.value.replace("_", " ")
    return f"{meaning}: the service said no more than HTTP status {status}" if status else meaning


def _of_number(status: int) -> Code:
    return _STATUS.get(status) or (Code.SERVER if status >= 500 else Code.REFUSED)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds; a date counts from the answer's own Date, so that no clock of ours takes part."""
    wish, now = headers.get("Retry-After", ""), headers.get("Date", "")
    try:
        if wish.strip().isdigit():
            return float(wish)
        seconds = (parsedate_to_datetime(wish) - parsedate_to_datetime(now)).total_seconds()
    except (TypeError, ValueError):
        return None
    return max(seconds, 0.0)


def of_network(error: BaseException) -> Failure:
    """Return the failure for an exception of urllib3 or of a socket.

    The order matters: urllib3's NewConnectionError is a ConnectTimeoutError, and ssl's errors are OSErrors.
    """
    chain = _causes(error)
    tls = next((each for each in chain if isinstance(each, ssl.SSLError)), None)
    if any(isinstance(each, StaleConnectionError) for each in chain):
        return Failure(Code.STALE_CONNECTION, "the service had closed the pooled connection")
    if tls is not None and not isinstance(tls, TimeoutError):
        return tls_failure(tls, SERVICE)
    if any(isinstance(each, BadStatusLine) and wants_tls(each) for each in chain):
        return tls_wanted(SERVICE)
    if isinstance(error, http.NewConnectionError):
        return Failure(Code.NETWORK, f"no connection to the service: {_reason(chain)}")
    if any(isinstance(each, (http.TimeoutError, TimeoutError)) for each in chain):
        return Failure(Code.TIMEOUT, "the service did not answer in time")
    return Failure(Code.NETWORK, f"the connection to the service broke: {_reason(chain)}")


def _causes(error: BaseException) -> list[BaseException]:
    """The error, what it wraps, what that wraps: in its arguments (urllib3) or as its cause."""
    chain: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and each not in chain:
        chain.append(each)
        wrapped = [arg for arg in each.args if isinstance(arg, BaseException)]
        each = wrapped[-1] if wrapped else each.__cause__
    return chain


def _reason(chain: list[BaseException]) -> str:
    """One clause from the innermost error; it never holds a URL, which may be signed."""
    last = chain[-1]
    return (last.strerror if isinstance(last, OSError) else None) or type(last).__name__
