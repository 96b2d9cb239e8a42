"""What an error of OBS means: S3's words, most of which it has, and its own (support.huaweicloud.com, obs_04_0115)."""

from __future__ import annotations

from collections.abc import Mapping

from storagekit.driver import Code
from storagekit.transport.codes import S3_CODES

OBS_CODES: Mapping[str, Code] = {
    **S3_CODES,
    "WebsiteRedirect": Code.WRONG_ENDPOINT,
    "VirtualHostDomainRequired": Code.WRONG_ENDPOINT,
    "InvalidLocationConstraint": Code.WRONG_ENDPOINT,
    "MissingRegion": Code.WRONG_ENDPOINT,
    "Unauthorized": Code.ACCESS_DENIED,
    "NotSignedUp": Code.ACCESS_DENIED,
    "InArrearOrInsufficientBalance": Code.ACCESS_DENIED,
    "DeregisterUserId": Code.ACCESS_DENIED,
    "FrozenUserId": Code.ACCESS_DENIED,
    "InvalidSecurity": Code.BAD_CREDENTIALS,
    "TooManyWrongSignature": Code.BAD_CREDENTIALS,
    "InvalidBucket": Code.INVALID_NAME,
    "MetadataTooLarge": Code.REFUSED,
    "InsufficientStorageSpace": Code.REFUSED,
    "TooManyBuckets": Code.REFUSED,
    "FsNotSupport": Code.UNSUPPORTED,
    "ServiceNotSupported": Code.UNSUPPORTED,
    "ServiceNotImplemented": Code.UNSUPPORTED,
    "InvalidBucketState": Code.CONFLICT,
}

HINTS: Mapping[str, str] = {
    "VirtualHostDomainRequired": "Leave path_style out: OBS wants the bucket in the host name",
    "InArrearOrInsufficientBalance": "Pay the account's bill",
}
"""What to do, where the meaning alone does not say it."""
