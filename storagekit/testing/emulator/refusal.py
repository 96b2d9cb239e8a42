"""Refusals, in OBS's words where another service has no other, and what a driver's failures are called there.

Codes and statuses: support.huaweicloud.com, api-obs, "Error Codes" (obs_04_0115) and the obs_errorcode pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from storagekit.driver import Code, Failure

STATUS: Mapping[str, int] = MappingProxyType(
    {
        "AccessDenied": 403,
        "BadDigest": 400,
        "BadDomainName": 400,
        "BadRequest": 400,
        "BucketAlreadyExists": 409,
        "BucketAlreadyOwnedByYou": 409,
        "BucketNotEmpty": 409,
        "DownloadTrafficRateLimitExceeded": 503,
        "EntityTooLarge": 400,
        "EntityTooSmall": 400,
        "ExpiredToken": 403,
        "FileAlreadyExists": 409,
        "IncompleteBody": 400,
        "InternalError": 500,
        "InvalidAccessKeyId": 403,
        "InvalidArgument": 400,
        "InvalidBucketName": 400,
        "InvalidDigest": 400,
        "InvalidObjectName": 400,
        "InvalidPart": 400,
        "InvalidPartOrder": 400,
        "InvalidRange": 416,
        "InvalidRequest": 400,
        "InvalidSecurityToken": 403,
        "InvalidToken": 403,
        "InvalidURI": 400,
        "KeyTooLong": 400,
        "MalformedXML": 400,
        "MetaOperationQpsLimitExceeded": 503,
        "MethodNotAllowed": 405,
        "MissingArgument": 400,
        "MissingContentLength": 411,
        "NoSuchBucket": 404,
        "NoSuchKey": 404,
        "NoSuchUpload": 404,
        "NotImplemented": 501,
        "NotModified": 304,
        "OperationAborted": 409,
        "PreconditionFailed": 412,
        "RequestTimeTooSkewed": 403,
        "RequestTimeout": 400,
        "SecondLevelDomainForbidden": 403,
        "SecurityTokenExpired": 403,
        "ServiceUnavailable": 503,
        "SignatureDoesNotMatch": 403,
        "TotalQpsLimitExceeded": 503,
        "UploadTrafficRateLimitExceeded": 503,
        "VirtualHostDomainRequired": 403,
        "XAmzContentSHA256Mismatch": 400,
    }
)

_OF_DRIVER: Mapping[Code, str] = MappingProxyType(
    {
        Code.NOT_FOUND: "NoSuchKey",
        Code.BUCKET_NOT_FOUND: "NoSuchBucket",
        Code.UPLOAD_GONE: "NoSuchUpload",
        Code.BUCKET_EXISTS: "BucketAlreadyOwnedByYou",
        Code.BUCKET_NOT_EMPTY: "BucketNotEmpty",
        Code.CONFLICT: "OperationAborted",
        Code.PRECONDITION: "PreconditionFailed",
        Code.PART_INVALID: "InvalidPart",
        Code.TOO_SMALL: "EntityTooSmall",
        Code.TOO_LARGE: "EntityTooLarge",
        Code.INTEGRITY: "BadDigest",
        Code.ACCESS_DENIED: "AccessDenied",
        Code.INVALID_NAME: "InvalidArgument",
        Code.UNSUPPORTED: "NotImplemented",
        Code.THROTTLED: "ServiceUnavailable",
        Code.TIMEOUT: "ServiceUnavailable",
        Code.NETWORK: "ServiceUnavailable",
    }
)


class Refusal(Exception):
    """An answer that is an error. ``code`` is a key of ``STATUS``; ``facts`` are further elements of its XML."""

    def __init__(self, code: str, message: str, **facts: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.facts = facts

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS[self.code]


class ClientGone(Exception):
    """The client broke off in the middle of its request: there is nobody to answer."""


def refusal_of(failure: Failure) -> Refusal:
    """Return what OBS would say where the driver that keeps the data says ``failure``."""
    code = _OF_DRIVER.get(failure.code, "InternalError")
    return Refusal(code, failure.detail or failure.code.value)
