"""What an error of OSS means: S3's words, most of which it has too, and its own."""

from __future__ import annotations

from collections.abc import Mapping

from storagekit.driver import Code
from storagekit.transport.codes import S3_CODES

OSS_CODES: Mapping[str, Code] = {
    **S3_CODES,
    "FileAlreadyExists": Code.PRECONDITION,
    "ObjectAlreadyExists": Code.PRECONDITION,
    "FilePartNotExist": Code.PART_INVALID,
    "FilePartStale": Code.PART_INVALID,
    "FilePartInterity": Code.PART_INVALID,
    "SecurityTokenExpired": Code.EXPIRED_CREDENTIALS,
    "InvalidSecurityToken": Code.EXPIRED_CREDENTIALS,
    "SecondLevelDomainForbidden": Code.WRONG_ENDPOINT,
    "InvalidLocationConstraint": Code.WRONG_ENDPOINT,
    "InvalidAuthorization": Code.BAD_CREDENTIALS,
    "UserDisable": Code.ACCESS_DENIED,
    "TooManyBuckets": Code.REFUSED,
    "InvalidObjectName": Code.INVALID_NAME,
    "UploadTrafficRateLimitExceeded": Code.THROTTLED,
    "DownloadTrafficRateLimitExceeded": Code.THROTTLED,
    "TotalQpsLimitExceeded": Code.THROTTLED,
    "MetaOperationQpsLimitExceeded": Code.THROTTLED,
    "TotalTrafficRateLimitExceeded": Code.THROTTLED,
}

HINTS: Mapping[str, str] = {
    "SecondLevelDomainForbidden": "Leave path_style out: OSS wants the bucket in the host name",
    "InvalidAuthorization": "Alibaba closes signature V1: use signature = v4, the default",
}
"""What to do, where the meaning alone does not say it."""
