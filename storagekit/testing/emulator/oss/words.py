"""Refusals in OSS's words: its codes where they are not OBS's, and the finer ``EC`` of those that we know.

alibabacloud.com/help/oss, "Error responses" and the pages of each EC.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from storagekit.testing.emulator.refusal import Refusal

_CODES: Mapping[str, str] = MappingProxyType(
    {
        "BadDigest": "InvalidDigest",
        "BucketAlreadyOwnedByYou": "BucketAlreadyExists",
        "ExpiredToken": "SecurityTokenExpired",
        "InvalidToken": "InvalidSecurityToken",
        "InvalidURI": "InvalidObjectName",
        "KeyTooLong": "InvalidObjectName",
        "BadRequest": "InvalidRequest",
    }
)

_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "AccessDenied": "0003-00000001",
        "InvalidAccessKeyId": "0002-00000902",
        "MissingArgument": "0016-00000502",
        "NoSuchBucket": "0015-00000101",
        "NoSuchKey": "0026-00000001",
        "NoSuchUpload": "0042-00000002",
        "RequestTimeTooSkewed": "0002-00000504",
        "SignatureDoesNotMatch": "0002-00000040",
    }
)

THROTTLING = (
    "DownloadTrafficRateLimitExceeded",
    "MetaOperationQpsLimitExceeded",
    "TotalQpsLimitExceeded",
    "UploadTrafficRateLimitExceeded",
)
"""Codes of a service that is busy; their status is 503."""


def in_words(refusal: Refusal) -> Refusal:
    """Return a refusal as OSS says it."""
    code = _CODES.get(refusal.code, refusal.code)
    return refusal if code == refusal.code else Refusal(code, refusal.message, **refusal.facts)


def reason_of(refusal: Refusal) -> str:
    """Return the EC; zeros where we do not know it."""
    return _REASONS.get(refusal.code, "0000-00000000")
