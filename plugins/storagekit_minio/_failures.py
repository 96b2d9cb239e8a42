"""What an exception of this driver means. The tables are those of ``storagekit.transport.codes``."""

from __future__ import annotations

from dataclasses import replace

from minio.error import InvalidResponseError, S3Error, ServerError
from urllib3 import exceptions as http

from storagekit.driver import Code, DriverError, Failure
from storagekit.transport import tls_wanted, wants_tls
from storagekit.transport.codes import SERVICE, of_code, of_network, retry_after


def classify(error: BaseException) -> Failure:
    """Return what ``error`` means; UNKNOWN for what this module has never seen. Pure."""
    if isinstance(error, DriverError):
        return error.failure
    if isinstance(error, S3Error):
        return _of_answer(error)
    if isinstance(error, InvalidResponseError):
        return of_code(None, None, error._code, None)  # noqa: SLF001  # the SDK has no other place for the status
    if isinstance(error, ServerError):
        return of_code(None, None, error.status_code, None)
    if isinstance(error, (http.HTTPError, OSError)):
        return of_network(error)
    return Failure(Code.UNKNOWN, f"{type(error).__name__}: {error}")


def _of_answer(error: S3Error) -> Failure:
    headers, status = error.response.headers, error.response.status
    if status == 400 and wants_tls(error.response.data or b""):
        return tls_wanted(SERVICE, status)
    failure = of_code(error.code, error.message, status, headers.get("x-amz-request-id"))
    return replace(failure, retry_after_s=retry_after(headers))
