"""The memory driver: the conformance suite, plain, with S3's part sizes, and its own refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from storagekit.driver import Code, DriverError, Failure, Limits
from storagekit.drivers import memory
from storagekit.drivers.memory import LIMITS, MemoryDriver, MemoryStore
from storagekit.testing.conformance import BytesBody, DriverConformance, Harness, failure
from storagekit.types import WriteOptions

PLAIN = WriteOptions()


def make_harness(limits: Limits) -> Harness:
    store = MemoryStore()

    def make_driver() -> MemoryDriver:
        return MemoryDriver(limits, store=store)

    driver = make_driver()
    driver.create_bucket("bucket")
    return Harness(driver, "bucket", make_driver)


class TestMemory(DriverConformance):
    @pytest.fixture
    def harness(self) -> Harness:
        return make_harness(LIMITS)


class TestMemoryLikeMinio(DriverConformance):
    """The declared differences run through the suite too: small parts refused, MD5, exact upload listing."""

    @pytest.fixture
    def harness(self) -> Harness:
        return make_harness(
            replace(LIMITS, min_part=5000, checksum="md5", sparse_complete=False, exact_upload_listing=True)
        )


class TestMemoryThatVerifiesNothing(DriverConformance):
    """A service without checksums: bodies carry none."""

    @pytest.fixture
    def harness(self) -> Harness:
        return make_harness(replace(LIMITS, checksum="none"))


def test_time_is_injected() -> None:
    moment = datetime(2020, 1, 1, tzinfo=timezone.utc)
    driver = MemoryDriver(now=lambda: moment)
    driver.create_bucket("bucket")
    driver.put("bucket", "key", BytesBody(b"x"), PLAIN)
    assert driver.head("bucket", "key").modified == moment

    moment += timedelta(days=1)
    upload = driver.create_upload("bucket", "key", PLAIN, None)
    assert driver.list_uploads("bucket").uploads[0].initiated == moment
    assert driver.put_part(upload, 1, BytesBody(b"x")).modified == moment


def test_drivers_are_apart_unless_they_share_a_store() -> None:
    first, second = MemoryDriver(), MemoryDriver()
    first.create_bucket("bucket")
    assert list(second.list_buckets()) == []
    assert list(MemoryDriver(store=first.store).list_buckets()) == ["bucket"]


def test_the_spec_makes_drivers_that_share() -> None:
    (spec,) = memory.storagekit_drivers()
    first, second = spec.factory({}), spec.factory({})
    first.create_bucket("shared-by-the-spec")
    try:
        assert second.bucket_exists("shared-by-the-spec")
    finally:
        second.delete_bucket("shared-by-the-spec")


def test_etags_are_those_of_s3() -> None:
    driver = MemoryDriver()
    driver.create_bucket("bucket")
    assert driver.put("bucket", "key", BytesBody(b"hello"), PLAIN).etag == "5d41402abc4b2a76b9719d911017c592"
    upload = driver.create_upload("bucket", "key", PLAIN, 5)
    parts = [driver.put_part(upload, number, BytesBody(b"hello")) for number in (1, 2)]
    # MD5 of the MD5 of "hello", binary, twice
    assert driver.complete_upload(upload, parts).etag == "616b22817b80eed9f65c3aa38cd29054-2"


Act = Callable[[MemoryDriver], object]


@pytest.mark.parametrize(
    ("act", "code", "vendor_code"),
    [
        (lambda d: d.head("bucket", "nothing"), Code.NOT_FOUND, "NoSuchKey"),
        (lambda d: d.list("nothing"), Code.BUCKET_NOT_FOUND, "NoSuchBucket"),
        (lambda d: d.create_bucket("bucket"), Code.BUCKET_EXISTS, "BucketAlreadyOwnedByYou"),
        (lambda d: d.put("bucket", "k" * 1025, BytesBody(b""), PLAIN), Code.INVALID_NAME, "KeyTooLongError"),
        (lambda d: d.put("bucket", "", BytesBody(b""), PLAIN), Code.INVALID_NAME, "KeyTooLongError"),
        (lambda d: d.put("bucket", "k", BytesBody(b"too long"), PLAIN), Code.TOO_LARGE, "EntityTooLarge"),
    ],
)
def test_refusals_carry_the_codes_of_s3(act: Act, code: Code, vendor_code: str) -> None:
    driver = MemoryDriver(replace(LIMITS, max_put=7))
    driver.create_bucket("bucket")
    refused = failure(driver, lambda: act(driver))
    assert (refused.code, refused.vendor_code) == (code, vendor_code)


def test_classify_reads_a_driver_error() -> None:
    brought = Failure(Code.THROTTLED, "later", retry_after_s=2.0)
    assert MemoryDriver().classify(DriverError(brought)) == brought
