"""What S3 and MinIO say, and which error a caller gets: by the service's code first, by the HTTP status second.

The rows are the table "Error codes to map" of the protocols, its column S3 / MinIO, and what MinIO and others add. Each
error is a real ``S3Error`` as the SDK makes it from a response.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from minio.error import S3Error
from urllib3 import HTTPResponse

from storagekit import errors
from storagekit._guard import translate
from storagekit._retry import Failures, RetryPolicy, decide
from storagekit.driver import Code
from storagekit_minio._failures import classify

PLACE = errors.Context(backend="minio", bucket="b", key="k", operation="put")

#: vendor code, status, code, class, whether it is tried again
ROWS = [
    # ObjectNotFound, BucketNotFound, UploadGone
    ("NoSuchKey", 404, Code.NOT_FOUND, errors.ObjectNotFoundError, False),
    ("NoSuchVersion", 404, Code.NOT_FOUND, errors.ObjectNotFoundError, False),
    ("NoSuchBucket", 404, Code.BUCKET_NOT_FOUND, errors.BucketNotFoundError, False),
    ("NoSuchUpload", 404, Code.UPLOAD_GONE, errors.UploadGoneError, False),
    # BucketExists, BucketNotEmpty
    ("BucketAlreadyExists", 409, Code.BUCKET_EXISTS, errors.ConflictError, False),
    ("BucketAlreadyOwnedByYou", 409, Code.BUCKET_EXISTS, errors.ConflictError, False),
    ("BucketNotEmpty", 409, Code.BUCKET_NOT_EMPTY, errors.ConflictError, False),
    # PartInvalid, TooSmall, TooLarge
    ("InvalidPart", 400, Code.PART_INVALID, errors.RequestRefusedError, False),
    ("InvalidPartOrder", 400, Code.PART_INVALID, errors.RequestRefusedError, False),
    ("EntityTooSmall", 400, Code.TOO_SMALL, errors.RequestRefusedError, False),
    ("EntityTooLarge", 400, Code.TOO_LARGE, errors.RequestRefusedError, False),
    # Integrity
    ("BadDigest", 400, Code.INTEGRITY, errors.ChecksumError, True),
    ("InvalidDigest", 400, Code.INTEGRITY, errors.ChecksumError, True),
    ("XAmzContentSHA256Mismatch", 400, Code.INTEGRITY, errors.ChecksumError, True),
    ("XAmzContentChecksumMismatch", 400, Code.INTEGRITY, errors.ChecksumError, True),
    # AccessDenied, BadCredentials, ExpiredCredentials, ClockSkew
    ("AccessDenied", 403, Code.ACCESS_DENIED, errors.PermissionDeniedError, False),
    ("AccessForbidden", 403, Code.ACCESS_DENIED, errors.PermissionDeniedError, False),
    ("AllAccessDisabled", 403, Code.ACCESS_DENIED, errors.PermissionDeniedError, False),
    ("AccountProblem", 403, Code.ACCESS_DENIED, errors.PermissionDeniedError, False),
    ("InvalidAccessKeyId", 403, Code.BAD_CREDENTIALS, errors.CredentialsError, False),
    ("SignatureDoesNotMatch", 403, Code.BAD_CREDENTIALS, errors.CredentialsError, False),
    ("ExpiredToken", 400, Code.EXPIRED_CREDENTIALS, errors.CredentialsError, False),
    ("InvalidToken", 400, Code.EXPIRED_CREDENTIALS, errors.CredentialsError, False),
    ("RequestTimeTooSkewed", 403, Code.CLOCK_SKEW, errors.CredentialsError, False),
    # Throttled, Timeout, Server
    ("SlowDown", 503, Code.THROTTLED, errors.ThrottledError, True),
    ("SlowDownRead", 503, Code.THROTTLED, errors.ThrottledError, True),
    ("SlowDownWrite", 503, Code.THROTTLED, errors.ThrottledError, True),
    ("TooManyRequests", 429, Code.THROTTLED, errors.ThrottledError, True),
    ("Throttling", 400, Code.THROTTLED, errors.ThrottledError, True),
    ("RequestLimitExceeded", 503, Code.THROTTLED, errors.ThrottledError, True),
    ("BandwidthLimitExceeded", 509, Code.THROTTLED, errors.ThrottledError, True),
    ("ServiceUnavailable", 503, Code.THROTTLED, errors.ThrottledError, True),
    ("RequestTimeout", 400, Code.TIMEOUT, errors.ServiceError, True),
    ("InternalError", 500, Code.SERVER, errors.ServiceError, True),
    ("XMinioServerNotInitialized", 503, Code.SERVER, errors.ServiceError, True),
    # Precondition
    ("PreconditionFailed", 412, Code.PRECONDITION, errors.ConflictError, False),
    ("ConditionalRequestConflict", 409, Code.PRECONDITION, errors.ConflictError, False),
    ("OperationAborted", 409, Code.CONFLICT, errors.ConflictError, False),
    # WrongEndpoint, Archived
    ("PermanentRedirect", 301, Code.WRONG_ENDPOINT, errors.ConfigurationError, False),
    ("TemporaryRedirect", 307, Code.WRONG_ENDPOINT, errors.ConfigurationError, False),
    ("AuthorizationHeaderMalformed", 400, Code.WRONG_ENDPOINT, errors.ConfigurationError, False),
    ("InvalidObjectState", 403, Code.ARCHIVED, errors.RequestRefusedError, False),
    # names, and what is not done here
    ("InvalidBucketName", 400, Code.INVALID_NAME, errors.InvalidNameError, False),
    ("KeyTooLongError", 400, Code.INVALID_NAME, errors.InvalidNameError, False),
    ("XMinioInvalidObjectName", 400, Code.INVALID_NAME, errors.InvalidNameError, False),
    ("NotImplemented", 501, Code.UNSUPPORTED, errors.RequestRefusedError, False),
]

#: what nobody has heard of, by its status
STATUSES = [
    (301, Code.WRONG_ENDPOINT, errors.ConfigurationError, False),
    (307, Code.WRONG_ENDPOINT, errors.ConfigurationError, False),
    (400, Code.REFUSED, errors.RequestRefusedError, False),
    (401, Code.ACCESS_DENIED, errors.PermissionDeniedError, False),
    (403, Code.ACCESS_DENIED, errors.PermissionDeniedError, False),
    (404, Code.NOT_FOUND, errors.ObjectNotFoundError, False),
    (405, Code.UNSUPPORTED, errors.RequestRefusedError, False),
    (408, Code.TIMEOUT, errors.ServiceError, True),
    (409, Code.CONFLICT, errors.ConflictError, False),
    (412, Code.PRECONDITION, errors.ConflictError, False),
    (413, Code.TOO_LARGE, errors.RequestRefusedError, False),
    (416, Code.REFUSED, errors.RequestRefusedError, False),
    (418, Code.REFUSED, errors.RequestRefusedError, False),
    (429, Code.THROTTLED, errors.ThrottledError, True),
    (500, Code.SERVER, errors.ServiceError, True),
    (501, Code.UNSUPPORTED, errors.RequestRefusedError, False),
    (502, Code.SERVER, errors.ServiceError, True),
    (503, Code.THROTTLED, errors.ThrottledError, True),
    (504, Code.SERVER, errors.ServiceError, True),
    (520, Code.SERVER, errors.ServiceError, True),
]


def said(
    vendor_code: str | None, status: int, message: str | None = "The service's own words.", **headers: str
) -> S3Error:
    """Return what the SDK raises for an answer."""
    response = HTTPResponse(b"", {"x-amz-request-id": "R1", **headers}, status, preload_content=False)
    return S3Error(
        code=vendor_code,
        message=message,
        resource="/b/k",
        request_id="R1",
        host_id=None,
        response=response,
        bucket_name="b",
        object_name="k",
    )


def is_tried_again(error: S3Error) -> bool:
    failure = classify(error)
    return decide(RetryPolicy(), failure, Failures().after(failure), 0.0, 0.5) is not None


@pytest.mark.parametrize(("vendor_code", "status", "code", "kind", "again"), ROWS, ids=[row[0] for row in ROWS])
def test_a_known_code_has_its_meaning_its_class_and_its_patience(
    vendor_code: str, status: int, code: Code, kind: type[errors.StorageError], again: bool
) -> None:
    failure = classify(said(vendor_code, status))
    error = translate(failure, PLACE, 1)

    assert (code, status, vendor_code, "R1") == (
        failure.code,
        failure.status,
        failure.vendor_code,
        failure.request_id,
    )
    assert (kind, again) == (type(error), is_tried_again(said(vendor_code, status)))
    assert ("b", "k", "The service's own words") == (error.bucket, error.key, error.message)
    assert error.hint


@pytest.mark.parametrize(("vendor_code", "status", "code", "kind", "again"), ROWS, ids=[row[0] for row in ROWS])
@pytest.mark.parametrize("other_status", [200, 400, 403, 404, 409, 500, 503])
def test_the_code_decides_whatever_the_status_is(
    vendor_code: str, status: int, code: Code, kind: type[errors.StorageError], again: bool, other_status: int
) -> None:
    error = said(vendor_code, other_status)
    assert (code, again) == (classify(error).code, is_tried_again(error))


@pytest.mark.parametrize("vendor_code", [None, "", "NobodyEverHeardOfThis"])
@pytest.mark.parametrize(("status", "code", "kind", "again"), STATUSES)
def test_without_a_known_code_the_status_decides(
    vendor_code: str | None, status: int, code: Code, kind: type[errors.StorageError], again: bool
) -> None:
    error = said(vendor_code, status)
    failure = classify(error)

    assert (code, vendor_code, status) == (failure.code, failure.vendor_code, failure.status)
    assert (kind, again) == (type(translate(failure, PLACE, 1)), is_tried_again(error))


@pytest.mark.parametrize(("wish", "seconds"), [("7", 7.0), ("0", 0.0), ("soon", None), ("", None)])
def test_the_services_wish_to_wait_comes_along(wish: str, seconds: float | None) -> None:
    error = said("SlowDown", 503, **{"Retry-After": wish})
    assert seconds == classify(error).retry_after_s


@pytest.mark.parametrize("message", [None, "", " . "])
def test_an_answer_without_words_is_put_into_words(message: str | None) -> None:
    failure = classify(said(None, 404, message))
    assert "not found: the service said no more than HTTP status 404" == failure.detail


def test_the_table_in_the_docs_says_the_same() -> None:
    text = (Path(__file__).parents[2] / "docs/reference/errors.md").read_text()
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \| (.*?) \| `(\w+)` \| (yes|no)", text, re.MULTILINE)
    documented = {code: (kind, again == "yes") for codes, _, kind, again in rows for code in re.findall(r"\w+", codes)}
    named = {word: codes for codes, words, _, _ in rows for word in re.findall(r"[A-Z]\w+", words)}

    assert {code.value for code in Code} == set(documented)
    for vendor_code, _, code, kind, again in ROWS:
        assert (kind.__name__, again) == documented[code.value], vendor_code
        assert f"`{code.value}`" in named.get(vendor_code, f"`{code.value}`"), vendor_code
    assert named.keys() >= {
        "NoSuchKey",
        "RequestTimeout",
        "InvalidObjectState",
        "ConditionalRequestConflict",
        "SlowDown",
    }
