"""The minio driver on real servers: the conformance suite, then what only a server that verifies can show."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import minio.api
import pytest
import urllib3

from storagekit.driver import Code
from storagekit.testing.conformance import DriverConformance, Harness, failure, pattern
from storagekit.testing.servers import S3Server
from storagekit.types import Part, WriteOptions
from storagekit_minio.driver import MinioDriver

pytestmark = pytest.mark.integration

MIB = 1 << 20
PLAIN = WriteOptions()


def connect(server: S3Server, **settings: str) -> MinioDriver:
    account = {"endpoint": server.endpoint, "access_key": server.access_key, "secret_key": server.secret_key}
    rules = {"server": "minio" if server.name == "minio" else "s3", "max_parts": str(server.max_parts)}
    return MinioDriver.from_settings({**account, "region": server.region, **rules, **settings})


def empty(driver: MinioDriver, bucket: str) -> None:
    """Remove a bucket with what a test left in it. MinIO lists all uploads for an empty prefix, and no other."""
    for upload in driver.list_uploads(bucket).uploads:
        driver._client.request("DELETE", bucket, upload.key, query={"uploadId": upload.id})
    while keys := [info.key for info in driver.list(bucket).objects]:
        assert driver.delete_many(bucket, keys) == []
    driver.delete_bucket(bucket)


def harness_on(server: S3Server, **differences: bool) -> Iterator[Harness]:
    drivers = [connect(server)]
    bucket = f"b-{uuid4().hex}"
    drivers[0].create_bucket(bucket)

    def make_driver() -> MinioDriver:
        drivers.append(connect(server))
        return drivers[-1]

    yield Harness(drivers[0], bucket, make_driver, new_bucket=f"n-{uuid4().hex}", **differences)  # type: ignore[arg-type]
    empty(drivers[0], bucket)
    for driver in drivers:
        driver.close()


class TestMinio(DriverConformance):
    @pytest.fixture
    def harness(self, minio: S3Server) -> Iterator[Harness]:
        yield from harness_on(minio)


class TestSwift(DriverConformance):
    @pytest.fixture
    def harness(self, swift: S3Server) -> Iterator[Harness]:
        yield from harness_on(swift, repeats_complete=True)
