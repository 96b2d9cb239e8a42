"""The guard: one retry loop for every request, and one error of ours at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from storagekit import errors
from storagekit._clock import Cancel
from storagekit._guard import Guard, classify, translate
from storagekit._retry import RetryPolicy
from storagekit.driver import Code, DriverError, Failure
from storagekit.testing.faults import FakeClock, fault

POLICY = RetryPolicy(attempts=4, base_s=1.0, cap_s=8.0)


class VendorError(Exception):
    """What some SDK raises."""


class Body:
    """Counts how often it was rewound, and owns up to ``failed``."""

    def __init__(self, failed: BaseException | None = None) -> None:
        self.failed = failed
        self.rewinds = 0

    def rewind(self) -> None:
        self.rewinds += 1


def unknown(error: BaseException) -> Failure:
    return Failure(Code.UNKNOWN, "never seen")


def guard(
    clock: FakeClock, meaning: Callable[[BaseException], Failure] = unknown, cancel: Cancel | None = None
) -> Guard:
    return Guard("minio", meaning, POLICY, clock, cancel or Cancel())


def script(*steps: Exception | str) -> Callable[[], str]:
    """A call that does one step after the other."""
    left: Iterator[Exception | str] = iter(steps)

    def run() -> str:
        step = next(left)
        if isinstance(step, Exception):
            raise step
        return step

    return run


def test_a_call_that_works_is_made_once() -> None:
    clock = FakeClock()
    assert guard(clock).call("head", script("yes")) == "yes"
    assert clock.slept == []


def test_failures_are_slept_over_until_it_works() -> None:
    clock = FakeClock(chance=0.5)
    run = script(fault(Code.SERVER), fault(Code.TIMEOUT), fault(Code.NETWORK), "yes")
    assert guard(clock).call("head", run) == "yes"
    assert clock.slept == [0.5, 1.0, 2.0]


def test_attempts_are_counted_and_bounded() -> None:
    clock = FakeClock()
    with pytest.raises(errors.ServiceError) as caught:
        guard(clock).call("head", script(*[fault(Code.SERVER)] * 4))
    assert caught.value.attempts == 4
    assert len(clock.slept) == 3


def test_a_stale_connection_is_retried_at_once_and_once_uncounted() -> None:
    clock = FakeClock()
    with pytest.raises(errors.ServiceError) as caught:
        guard(clock).call("head", script(fault(Code.STALE_CONNECTION), *[fault(Code.STALE_CONNECTION)] * 4))
    assert clock.slept == [0.5, 1.0, 2.0]
    assert caught.value.attempts == 5


def test_the_services_own_wish_is_waited_for() -> None:
    clock = FakeClock(chance=0.5)
    assert guard(clock).call("head", script(fault(Code.THROTTLED, retry_after_s=30), "yes")) == "yes"
    assert clock.slept == [30.5]


def test_the_deadline_counts_the_time_that_tries_take() -> None:
    clock = FakeClock()

    def run() -> str:
        clock.now += 200.0
        raise fault(Code.TIMEOUT)

    with pytest.raises(errors.ServiceError) as caught:
        guard(clock).call("head", run)
    assert caught.value.attempts == 2


@pytest.mark.parametrize("failures", [0, 1, 3])
def test_a_body_is_rewound_before_each_new_attempt_and_only_then(failures: int) -> None:
    body = Body()
    guard(FakeClock()).call("put", script(*[fault(Code.SERVER)] * failures, "yes"), body=body)
    assert failures == body.rewinds


def test_a_body_is_rewound_after_a_stale_connection() -> None:
    body = Body()
    guard(FakeClock()).call("put", script(fault(Code.STALE_CONNECTION), "yes"), body=body)
    assert body.rewinds == 1


def test_a_broken_source_wins_over_what_the_driver_made_of_it() -> None:
    broken = OSError("disk")
    with pytest.raises(OSError, match="disk") as caught:
        guard(FakeClock()).call("put", script(fault(Code.NETWORK)), body=Body(broken))
    assert caught.value is broken


def test_our_own_errors_pass_unchanged() -> None:
    ours = errors.SourceChangedError("changed", context=errors.Context(backend="http"))
    clock = FakeClock()
    with pytest.raises(errors.SourceChangedError) as caught:
        guard(clock).call("put", script(ours))
    assert caught.value is ours
    assert clock.slept == []


def test_without_retry_there_is_one_attempt() -> None:
    clock = FakeClock()
    with pytest.raises(errors.ServiceError) as caught:
        guard(clock).call("create_bucket", script(fault(Code.STALE_CONNECTION)), retry=False)
    assert caught.value.attempts == 1
    assert clock.slept == []


def test_the_vendors_exception_is_the_cause() -> None:
    vendor = VendorError("XML")
    with pytest.raises(errors.RequestRefusedError) as caught:
        guard(FakeClock()).call("head", script(vendor))
    assert caught.value.__cause__ is vendor


def test_the_error_says_where_it_happened_and_what_the_service_said() -> None:
    def meaning(error: BaseException) -> Failure:
        return Failure(Code.ACCESS_DENIED, "no", request_id="R1", status=403, vendor_code="AccessDenied")

    with pytest.raises(errors.PermissionDeniedError) as caught:
        guard(FakeClock(), meaning).call("put", script(VendorError()), bucket="b", key="k")
    expected = errors.Context("minio", "b", "k", "put", "R1", 403, "access_denied", "AccessDenied", 1)
    assert expected == caught.value.context
    assert caught.value.message == "no"


def test_an_interrupt_is_nobodys_failure() -> None:
    def run() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        guard(FakeClock()).call("head", run)


def test_a_cancelled_transfer_begins_no_request() -> None:
    cancel = Cancel()
    cancel.set()
    with pytest.raises(errors.TransferCancelled):
        guard(FakeClock(), cancel=cancel).call("head", script("never"))


def test_a_cancelled_transfer_ends_its_waits() -> None:
    cancel = Cancel()

    def run() -> str:
        cancel.set()
        raise fault(Code.SERVER)

    with pytest.raises(errors.TransferCancelled):
        guard(FakeClock(), cancel=cancel).call("head", run)


def test_a_driver_error_brings_its_failure_along() -> None:
    failure = Failure(Code.TOO_SMALL, "part 1")
    assert classify(unknown, DriverError(failure)) is failure
    assert classify(unknown, VendorError()) == Failure(Code.UNKNOWN, "never seen")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (Code.NOT_FOUND, errors.ObjectNotFoundError),
        (Code.BUCKET_NOT_FOUND, errors.BucketNotFoundError),
        (Code.UPLOAD_GONE, errors.UploadGoneError),
        (Code.BUCKET_EXISTS, errors.ConflictError),
        (Code.BUCKET_NOT_EMPTY, errors.ConflictError),
        (Code.CONFLICT, errors.ConflictError),
        (Code.PRECONDITION, errors.ConflictError),
        (Code.PART_INVALID, errors.RequestRefusedError),
        (Code.TOO_SMALL, errors.RequestRefusedError),
        (Code.TOO_LARGE, errors.RequestRefusedError),
        (Code.INTEGRITY, errors.ChecksumError),
        (Code.ACCESS_DENIED, errors.PermissionDeniedError),
        (Code.BAD_CREDENTIALS, errors.CredentialsError),
        (Code.EXPIRED_CREDENTIALS, errors.CredentialsError),
        (Code.CLOCK_SKEW, errors.CredentialsError),
        (Code.INVALID_NAME, errors.InvalidNameError),
        (Code.WRONG_ENDPOINT, errors.ConfigurationError),
        (Code.UNTRUSTED, errors.ServiceError),
        (Code.ARCHIVED, errors.RequestRefusedError),
        (Code.UNSUPPORTED, errors.RequestRefusedError),
        (Code.REFUSED, errors.RequestRefusedError),
        (Code.THROTTLED, errors.ThrottledError),
        (Code.TIMEOUT, errors.ServiceError),
        (Code.SERVER, errors.ServiceError),
        (Code.NETWORK, errors.ServiceError),
        (Code.STALE_CONNECTION, errors.ServiceError),
        (Code.UNKNOWN, errors.RequestRefusedError),
    ],
)
def test_every_code_has_its_class(code: Code, kind: type[errors.StorageError]) -> None:
    error = translate(Failure(code), errors.Context("b"), 1)
    assert kind is type(error)
    assert code.value == error.code
    assert code.value.replace("_", " ") == error.message


def test_a_sentence_is_called_the_services_own_only_where_it_said_something() -> None:
    ours = translate(Failure(Code.REFUSED, "no TLS at this port"), errors.Context("b"), 1)
    theirs = translate(Failure(Code.REFUSED, "no", vendor_code="MetadataTooLarge"), errors.Context("b"), 1)
    missing = translate(Failure(Code.NOT_FOUND, "no", vendor_code="NoSuchKey"), errors.Context("b"), 1)

    assert [False, True, False] == ["service's own" in (error.hint or "") for error in (ours, theirs, missing)]


@pytest.mark.parametrize("code", Code)
def test_every_code_says_what_to_do_next(code: Code) -> None:
    assert translate(Failure(code), errors.Context("b"), 1).hint
