"""Where a vendor error becomes ours, and where a request is tried again.

Every driver call of the core goes through ``Guard.call``. It runs the call, asks the driver what a failure
means (``classify``), asks ``_retry.decide`` whether to try again, and at the end raises one error of our tree with
the vendor's as its cause. Nothing else in the core catches a vendor's exception.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from storagekit import errors
from storagekit._clock import Cancel, Clock
from storagekit._retry import Failures, RetryPolicy, decide
from storagekit.driver import Code, DriverError, Failure

T = TypeVar("T")

log = logging.getLogger("storagekit")

_WORTH_SAYING = 3
"""The failure of one request that users are told of: by then it has waited for a second or two."""

HINTS: Mapping[Code, str] = {
    Code.NOT_FOUND: "Check bucket and key; keys are case-sensitive",
    Code.BUCKET_NOT_FOUND: "Create the bucket first, or correct its name",
    Code.UPLOAD_GONE: "Begin the upload again",
    Code.BUCKET_EXISTS: "Use the bucket as it is, or choose another name",
    Code.CONFLICT: "Run again; if it stays, choose another key",
    Code.PRECONDITION: "Look at what is there by now, then run again",
    Code.PART_INVALID: "Begin the upload again",
    Code.TOO_SMALL: "Use larger parts",
    Code.TOO_LARGE: "Use smaller parts, or split the object",
    Code.INTEGRITY: "Run again; if it stays, suspect the memory or network on the way",
    Code.INVALID_NAME: "Choose another name",
    Code.UNSUPPORTED: "This service does not do it: use another one, or do without",
    Code.REFUSED: "Check the endpoint and what was asked for",
    Code.UNKNOWN: "Please report it, with the traceback that --log-level debug shows",
    Code.ACCESS_DENIED: "Ask for this permission, or use other credentials",
    Code.BAD_CREDENTIALS: "Check the access key and the secret key that were given, or are set in the environment",
    Code.EXPIRED_CREDENTIALS: "Get new credentials and run again",
    Code.CLOCK_SKEW: "Set this machine's clock; the service allows 15 minutes of difference",
    Code.THROTTLED: "Run again later, or with fewer workers",
    Code.TIMEOUT: "Run again later",
    Code.SERVER: "Run again later",
    Code.NETWORK: "Check endpoint and network, then run again",
    Code.STALE_CONNECTION: "Check endpoint and network, then run again",
    Code.WRONG_ENDPOINT: "Use the endpoint and region that the bucket lives in",
    Code.UNTRUSTED: "Find out whether it is the right server; if so, make its certificate or key known here",
    Code.ARCHIVED: "Restore the object from the archive first",
    Code.BUCKET_NOT_EMPTY: "Delete the objects first",
}

_SAID = "The sentence is the service's own: look up its code there"
"""For a refusal of a kind that we do not know: where the service gave it a code."""

SOURCE_HINTS: Mapping[Code, str] = {
    Code.NOT_FOUND: "Check the URL",
    Code.ACCESS_DENIED: "Check the URL; if it was signed, it may have expired",
    Code.THROTTLED: "Run again later, or with fewer workers",
    Code.TIMEOUT: "Run again later",
    Code.SERVER: "Run again later",
    Code.NETWORK: "Run again",
    Code.STALE_CONNECTION: "Run again",
    Code.WRONG_ENDPOINT: "Check the URL",
    Code.UNTRUSTED: HINTS[Code.UNTRUSTED],
    Code.REFUSED: "Open the URL with another program to see what its server wants",
    Code.UNKNOWN: HINTS[Code.UNKNOWN],
}
"""For a web server that is read from: it knows neither bucket nor key."""

_CLASSES: dict[Code, type[errors.StorageError]] = {
    Code.NOT_FOUND: errors.ObjectNotFoundError,
    Code.BUCKET_NOT_FOUND: errors.BucketNotFoundError,
    Code.UPLOAD_GONE: errors.UploadGoneError,
    Code.BUCKET_EXISTS: errors.ConflictError,
    Code.BUCKET_NOT_EMPTY: errors.ConflictError,
    Code.CONFLICT: errors.ConflictError,
    Code.PRECONDITION: errors.ConflictError,
    Code.INTEGRITY: errors.ChecksumError,
    Code.ACCESS_DENIED: errors.PermissionDeniedError,
    Code.BAD_CREDENTIALS: errors.CredentialsError,
    Code.EXPIRED_CREDENTIALS: errors.CredentialsError,
    Code.CLOCK_SKEW: errors.CredentialsError,
    Code.INVALID_NAME: errors.InvalidNameError,
    Code.WRONG_ENDPOINT: errors.ConfigurationError,
    Code.UNTRUSTED: errors.ServiceError,
    Code.THROTTLED: errors.ThrottledError,
    Code.TIMEOUT: errors.ServiceError,
    Code.SERVER: errors.ServiceError,
    Code.NETWORK: errors.ServiceError,
    Code.STALE_CONNECTION: errors.ServiceError,
}


class Rewindable(Protocol):
    """What the guard needs of a body: start again, and own up to an error that an SDK may have wrapped."""

    @property
    def failed(self) -> BaseException | None:
        """The exception that ``read`` raised, if it did."""

    def rewind(self) -> None:
        """Go back to the first byte."""


@dataclass(frozen=True)
class Guard:
    """Runs the calls of one driver, or of one HTTP source, for one caller."""

    backend: str
    classify: Callable[[BaseException], Failure]
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    clock: Clock = field(default_factory=Clock)
    cancel: Cancel = field(default_factory=Cancel)
    hints: Mapping[Code, str] = field(default_factory=lambda: HINTS, repr=False)

    def call(
        self,
        operation: str,
        run: Callable[[], T],
        *,
        bucket: str | None = None,
        key: str | None = None,
        body: Rewindable | None = None,
        retry: bool = True,
    ) -> T:
        """Return what ``run`` returns, trying again as the policy says; with ``retry`` off, only once.

        Raises one of ``storagekit.errors``, with the vendor's exception as its cause.
        """
        place = errors.Context(backend=self.backend, bucket=bucket, key=key, operation=operation)
        began, failures = self.clock.monotonic(), Failures()
        while True:
            self.cancel.check()
            try:
                result = run()
            except Exception as error:
                failure = self._understand(error, body)
                failures = failures.after(failure)
                elapsed = self.clock.monotonic() - began
                delay = decide(self.policy, failure, failures, elapsed, self.clock.random()) if retry else None
                if delay is None:
                    raise translate(failure, place, failures.total, self.hints) from error
                level = logging.WARNING if failures.total == _WORTH_SAYING else logging.INFO
                said = failure.detail or failure.code.value
                log.log(level, "%s: %s, again in %.2f s (%d)", place, said, delay, failures.total)
            else:
                log.debug("%s: %.3f s", place, self.clock.monotonic() - began)
                return result
            if delay:
                self.clock.sleep(delay, self.cancel)
            if body is not None:
                body.rewind()

    def _understand(self, error: Exception, body: Rewindable | None) -> Failure:
        """Return the failure, or raise what is ours already: our errors, and what the body's source raised."""
        if body is not None and body.failed is not None:
            raise body.failed
        if isinstance(error, errors.StorageError):
            raise error
        return classify(self.classify, error)


def classify(driver_classify: Callable[[BaseException], Failure], error: BaseException) -> Failure:
    """Return what the driver makes of ``error``; a ``DriverError`` has brought its failure along."""
    return error.failure if isinstance(error, DriverError) else driver_classify(error)


def translate(
    failure: Failure, place: errors.Context, attempts: int, hints: Mapping[Code, str] = HINTS
) -> errors.StorageError:
    """Return the error of our tree for ``failure``: class by ``_CLASSES``, advice its own or else that of ``hints``."""
    kind = _CLASSES.get(failure.code, errors.RequestRefusedError)
    context = errors.Context(
        backend=place.backend,
        bucket=place.bucket,
        key=place.key,
        operation=place.operation,
        request_id=failure.request_id,
        status=failure.status,
        code=failure.code.value,
        vendor_code=failure.vendor_code,
        attempts=max(attempts, 1),
    )
    message = failure.detail or failure.code.value.replace("_", " ")
    advice = _SAID if failure.code is Code.REFUSED and failure.vendor_code else hints.get(failure.code)
    return kind(message, hint=failure.hint or advice, context=context)
