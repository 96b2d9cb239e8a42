"""The minio driver on real servers: the conformance suite, then what only a server that verifies can show."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from http.client import HTTPConnection
from types import MappingProxyType
from urllib.parse import urlsplit
from uuid import uuid4

import minio.api
import pytest

from storagekit.driver import Code, Driver
from storagekit.testing.conformance import DriverConformance, Harness, failure, pattern
from storagekit.testing.servers import S3Server
from storagekit.types import Checksum, Upload, WriteOptions
from storagekit_minio.driver import MinioDriver
from tests.conformance.servers import SERVERS

pytestmark = pytest.mark.integration

MIB = 1 << 20
PLAIN = WriteOptions()
WRONG = Checksum("md5", "0" * 32)
NONE: Mapping[str, str] = MappingProxyType({})


def connect(server: S3Server, /, **settings: str) -> MinioDriver:
    account = {"endpoint": server.endpoint, "access_key": server.access_key, "secret_key": server.secret_key}
    rules = {"server": SERVERS[server.name].settings["server"], "max_parts": str(server.max_parts)}
    return MinioDriver.from_settings({**account, "region": server.region, **rules, **settings})


def empty(driver: Driver, bucket: str) -> None:
    """Remove a bucket with what a test left in it. MinIO lists all uploads for an empty prefix, and no other.

    On rclone the folders of unfinished uploads stay behind, and nothing in S3 removes them.
    """
    for pending in driver.list_uploads(bucket).uploads:
        driver.abort_upload(Upload(bucket, pending.key, pending.id))
    for _ in range(3):  # more than a page
        assert driver.delete_many(bucket, [info.key for info in driver.list(bucket).objects]) == []
    assert driver.list(bucket).objects == ()
    if driver.list(bucket, delimiter="/").prefixes == ():
        driver.delete_bucket(bucket)


def harness_on(
    server: S3Server, settings: Mapping[str, str] = MappingProxyType({}), **differences: object
) -> Iterator[Harness]:
    drivers = [connect(server, **settings)]
    bucket = f"b-{uuid4().hex}"
    drivers[0].create_bucket(bucket)

    def make_driver() -> MinioDriver:
        drivers.append(connect(server, **settings))
        return drivers[-1]

    yield Harness(drivers[0], bucket, make_driver, new_bucket=f"n-{uuid4().hex}", **differences)  # type: ignore[arg-type]
    empty(drivers[0], bucket)
    for driver in drivers:
        driver.close()


def declared_harness(server: S3Server) -> Iterator[Harness]:
    """What is declared of the server, in ``servers.py``."""
    declared = SERVERS[server.name]
    yield from harness_on(server, declared.settings, **declared.differences)


class TestMinio(DriverConformance):
    @pytest.fixture
    def harness(self, minio: S3Server) -> Iterator[Harness]:
        yield from declared_harness(minio)


class TestSwift(DriverConformance):
    @pytest.fixture
    def harness(self, swift: S3Server) -> Iterator[Harness]:
        yield from declared_harness(swift)


class TestMoto(DriverConformance):
    @pytest.fixture
    def harness(self, moto: S3Server) -> Iterator[Harness]:
        yield from declared_harness(moto)


class TestRclone(DriverConformance):
    @pytest.fixture
    def harness(self, rclone: S3Server) -> Iterator[Harness]:
        yield from declared_harness(rclone)


class TestRgw(DriverConformance):
    @pytest.fixture
    def harness(self, rgw: S3Server) -> Iterator[Harness]:
        yield from declared_harness(rgw)


# --- what only a real server shows ------------------------------------------------------------------------------------


@pytest.fixture
def harness(s3_server: S3Server) -> Iterator[Harness]:
    yield from harness_on(s3_server)


@pytest.fixture
def strict(strict_server: S3Server) -> Iterator[Harness]:
    yield from harness_on(strict_server)


def test_server_verifies_and_the_sdk_hashes_no_body(strict: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    harness = strict
    hashed: list[int] = []

    def counted(name: str) -> None:
        original = getattr(minio.api, name)

        def count(data: str | bytes | None) -> object:
            hashed.append(len(data or b""))
            return original(data)

        monkeypatch.setattr(minio.api, name, count)

    counted("sha256_hash")
    counted("md5sum_hash")
    data = pattern(6 * MIB)
    upload = harness.begin("parts")

    assert harness.put("key", data).etag == hashlib.md5(data).hexdigest()
    assert harness.send(upload, 1, data).etag == hashlib.md5(data).hexdigest()
    for call in (
        lambda: harness.driver.put(harness.bucket, "key", harness.body(data, checksum=WRONG), PLAIN),
        lambda: harness.send(upload, 1, data, checksum=WRONG),
    ):
        refused = failure(harness.driver, call)
        assert (refused.code, refused.status, refused.vendor_code) == (Code.INTEGRITY, 400, "BadDigest")
    assert set(hashed) <= {0}, "a body was hashed by the SDK"
    harness.holds("key", data)


def test_encoded_object_comes_as_it_is_stored(harness: Harness) -> None:
    data = gzip.compress(pattern(50_000))
    url = harness.driver.presign("PUT", harness.bucket, "key", timedelta(minutes=1))
    assert fetch("PUT", url, data, {"Content-Encoding": "gzip"})[0] == 200
    harness.holds("key", data)
    assert harness.get("key", 100, 1000) == data[100:1100]


def test_presigned_urls(strict: Harness) -> None:
    harness = strict
    driver, soon = harness.driver, timedelta(minutes=1)
    upload = harness.begin("a part/ü+")

    assert fetch("PUT", driver.presign("PUT", harness.bucket, "a key/ü+", soon), b"data")[0] == 200
    assert fetch("HEAD", driver.presign("HEAD", harness.bucket, "a key/ü+", soon))[0] == 200
    assert fetch("GET", driver.presign("GET", harness.bucket, "a key/ü+", soon)) == (200, b"data")
    url = driver.presign("PUT_PART", harness.bucket, upload.key, soon, upload_id=upload.id, part_number=2)
    assert fetch("PUT", url, b"part")[0] == 200
    assert fetch("PUT", url.replace("partNumber=2", "partNumber=3"), b"part")[0] == 403
    assert [(part.number, part.size) for part in driver.list_parts(upload).parts] == [(2, 4)]


def fetch(method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] = NONE) -> tuple[int, bytes]:
    """Without urllib3, which would log the signature."""
    parts = urlsplit(url)
    with contextlib.closing(HTTPConnection(parts.netloc, timeout=30)) as connection:
        connection.request(method, f"{parts.path}?{parts.query}", body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.mark.parametrize("wrong", ["access_key", "secret_key"])
def test_wrong_credentials(strict_server: S3Server, wrong: str) -> None:
    driver = connect(strict_server, **{wrong: "not-the-right-one"})
    assert failure(driver, lambda: driver.list("bucket")).code is Code.BAD_CREDENTIALS
    unclear = {Code.ACCESS_DENIED} if strict_server.name != "minio" else {Code.BAD_CREDENTIALS}
    assert failure(driver, lambda: driver.head("bucket", "key")).code in unclear
    assert failure(driver, lambda: driver.bucket_exists("bucket")).code in unclear
    driver.close()


def test_wrong_session_token(minio: S3Server) -> None:
    driver = connect(minio, session_token="bogus")
    assert failure(driver, lambda: driver.list("bucket")).code is Code.EXPIRED_CREDENTIALS
    driver.close()


def test_wrong_region(swift: S3Server) -> None:
    driver = connect(swift, region="eu-west-9")
    assert failure(driver, lambda: driver.list("bucket")).code is Code.WRONG_ENDPOINT
    driver.close()


def test_minio_finds_uploads_by_the_whole_key(minio: S3Server) -> None:
    """Why ``exact_upload_listing`` is set; the listing of all of them ignores the limit."""
    for harness in harness_on(minio):
        uploads = [harness.begin(key) for key in ("a/1", "a/1", "a/2")]
        found = {
            prefix: len(harness.driver.list_uploads(harness.bucket, prefix).uploads) for prefix in ("a/1", "a/", "a")
        }
        assert found == {"a/1": 2, "a/": 0, "a": 0}
        assert len(harness.driver.list_uploads(harness.bucket, "", None, 1).uploads) == len(uploads)


def test_minio_hides_what_is_below_an_object(minio: S3Server) -> None:
    """``a`` and ``a/b`` can both be stored, read and deleted, but no listing shows ``a/b`` while ``a`` is there."""
    for harness in harness_on(minio):
        harness.put("a/b", b"below")
        harness.put("a", b"above")
        assert (harness.get("a/b"), harness.get("a")) == (b"below", b"above")
        assert (harness.listed(), harness.listed(prefix="a/")) == (["a"], [])
        refused = failure(harness.driver, lambda: harness.driver.delete_bucket(harness.bucket))  # noqa: B023
        harness.driver.delete(harness.bucket, "a")
        assert harness.listed() == ["a/b"]
        assert refused.code is Code.BUCKET_NOT_EMPTY


def test_list_pages_are_complete_whatever_their_size(harness: Harness) -> None:
    """MinIO loses keys behind a ``start-after``; see ``_listing``."""
    keys = sorted(["a/b", "a/b-c", "a/c/d", "a/c/e", "a/d", "a0", "b/x", "c"], key=str.encode)
    for key in keys:
        harness.put(key, b"x")
    for start in ["", *keys]:
        for limit in (1, 2, 3):
            assert harness.listed(limit, start_after=start) == [key for key in keys if key > start]
            assert harness.listed(limit, prefix=start) == [key for key in keys if key.startswith(start)]
