"""The oss driver without a service: its settings, what it puts on the wire, what it makes of answers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import storagekit_oss
from storagekit.driver import Code, DriverError, Limits
from storagekit.errors import ConfigurationError
from storagekit.testing.bodies import BytesBody, digest
from storagekit.types import Part, Upload, WriteOptions
from storagekit_oss._settings import parse, region_of
from storagekit_oss.driver import OssDriver
from tests.unit.minio_wire import Wire, answer, refused

ACCOUNT = {"endpoint": "oss-cn-hangzhou.aliyuncs.com", "access_key": "the-key", "secret_key": "the-secret"}
UPLOAD = Upload("bucket", "key", "id")
PLAIN = WriteOptions()


@pytest.fixture
def anywhere(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name is this wire."""
    real, port = socket.getaddrinfo, int(wire.address.partition(":")[2])
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, _port, *rest: real("127.0.0.1", port, *rest))


def connect(wire: Wire, **settings: str) -> OssDriver:
    account = {**ACCOUNT, "endpoint": f"http://{wire.address}", "region": "cn-hangzhou", "read_timeout_s": "5"}
    return OssDriver.from_settings({**account, **settings})


@pytest.fixture
def driver(wire: Wire) -> Iterator[OssDriver]:
    with closing(connect(wire)) as made:
        yield made


def body(data: bytes, algorithm: str = "crc64", **how: Any) -> BytesBody:
    return BytesBody(data, algorithm, **how)


def crc(data: bytes) -> str:
    return str(int(digest("crc64", data).value, 16))  # type: ignore[union-attr]


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "region"),
    [
        ("oss-cn-hangzhou.aliyuncs.com", "cn-hangzhou"),
        ("oss-cn-hangzhou-internal.aliyuncs.com:443", "cn-hangzhou"),
        ("OSS-ap-southeast-1.aliyuncs.com", "ap-southeast-1"),
        ("data.oss-eu-central-1.aliyuncs.com", "eu-central-1"),
        ("oss-accelerate.aliyuncs.com.example.org", None),
        ("data.example.org", None),
        ("127.0.0.1:9100", None),
    ],
)
def test_the_endpoint_names_the_region(address: str, region: str | None) -> None:
    assert region_of(address) == region


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("oss-cn-hangzhou.aliyuncs.com", ("oss-cn-hangzhou.aliyuncs.com", True, False)),
        ("http://oss.test:9100", ("oss.test:9100", False, False)),
        ("127.0.0.1:9100", ("127.0.0.1:9100", False, True)),
        ("http://[::1]:9100", ("[::1]:9100", False, True)),
        ("localhost:9100", ("localhost:9100", False, True)),
    ],
)
def test_where_the_service_is_and_where_the_bucket_stands(endpoint: str, expected: tuple[str, bool, bool]) -> None:
    found = parse({**ACCOUNT, "endpoint": endpoint, "region": "cn-hangzhou"})
    assert (found.address, found.wires.secure, found.path_style) == expected


def test_defaults() -> None:
    found = parse(ACCOUNT)
    assert (found.signature, found.region, found.credentials, found.cname) == ("v4", "cn-hangzhou", "keys", False)
    assert found.limits == Limits(min_part=100 * 1024, max_key_bytes=1023, checksum="md5", part_checksum="crc64")


@pytest.mark.parametrize(
    ("said", "puts", "parts"), [("auto", "md5", "crc64"), ("md5", "md5", None), ("none", "none", None)]
)
def test_checksum_of_puts_and_of_parts(said: str, puts: str, parts: str | None) -> None:
    limits = parse({**ACCOUNT, "checksum": said}).limits
    assert (limits.checksum, limits.part_checksum) == (puts, parts)


@pytest.mark.parametrize("name", ["endpoint", "access_key", "secret_key"])
def test_what_is_missing_is_named_with_its_variables(name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"'oss' needs {name}.*OSS_"):
        parse({**ACCOUNT, name: " "})


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"endpoint": "storage.example.org"}, r"region.*OSS_REGION"),
        ({"credentials": "ecs"}, "ram_role"),
        ({"ram_role": "a-role"}, "ram_role"),
        ({"cname": "true", "path_style": "true"}, "contradict"),
        ({"kms_key_id": "k"}, "KMS"),
        ({"signature": "v2"}, "signature is 'v2'"),
        ({"checksum": "crc64"}, "checksum is 'crc64'"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, str], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        parse({**ACCOUNT, **settings})


def test_v1_needs_no_region() -> None:
    assert parse({**ACCOUNT, "endpoint": "storage.example.org", "signature": "v1"}).region is None


def test_secrets_are_not_shown() -> None:
    settings = {**ACCOUNT, "security_token": "the-token"}
    with closing(OssDriver.from_settings(settings)) as driver:
        shown = f"{parse(settings)!r} {driver!r} {driver._client!r}"
    assert not [word for word in ("the-key", "the-secret", "the-token") if word in shown]


def test_announcing_the_backend_imports_no_sdk() -> None:
    code = "import sys, storagekit_oss as m; m.storagekit_drivers(); print({'oss2', 'urllib3'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["set()"]


def test_spec() -> None:
    (spec,) = storagekit_oss.storagekit_drivers()
    assert (spec.backend, spec.install_hint, spec.requires) == ("oss", "storagekit-sdk[oss]", ("oss2",))
    assert {each.name for each in spec.settings if each.secret} == {"secret_key", "security_token"}
    assert isinstance(spec.factory(ACCOUNT), OssDriver)


# --- the wire ---------------------------------------------------------------------------------------------------------


def test_put_on_the_wire(wire: Wire, driver: OssDriver) -> None:
    data = b"0123456789" * 300_000
    wire.answers = [answer(ETag='"ABC"', x_oss_version_id="v1", x_oss_hash_crc64ecma=crc(data))]

    result = driver.put(
        "bucket", "a key/ü+~", body(data, "md5"), WriteOptions("text/plain", {"a": "%41 b"}, if_absent=True)
    )

    head = wire.head()
    assert (result.etag, result.version, result.checksum) == ("ABC", "v1", digest("crc64", data))
    assert head[""] == "PUT /bucket/a%20key/%C3%BC%2B~ HTTP/1.1"
    assert (head["content-length"], head["content-md5"]) == (str(len(data)), md5(data))
    assert (head["content-type"], head["x-oss-meta-a"]) == ("text/plain", "%41 b")
    assert (head["x-oss-forbid-overwrite"], head["x-oss-content-sha256"]) == ("true", "UNSIGNED-PAYLOAD")
    assert {"transfer-encoding", "connection", "expect", "x-oss-hash-crc64ecma"}.isdisjoint(head)
    assert wire.body() == data


def test_v4_signs_for_the_region(wire: Wire, driver: OssDriver) -> None:
    wire.answers = [answer(204)]
    driver.delete("bucket", "key")
    day = datetime.now(timezone.utc).strftime("%Y%m%d")
    begins = f"OSS4-HMAC-SHA256 Credential=the-key/{day}/cn-hangzhou/oss/aliyun_v4_request, Signature="
    assert wire.head()["authorization"].startswith(begins)


def signed(text: str) -> str:
    return base64.b64encode(hmac.new(b"the-secret", text.encode(), hashlib.sha1).digest()).decode()


def test_v1_signature_of_a_part_in_the_host_style(wire: Wire, anywhere: None) -> None:
    settings = {"endpoint": "http://oss.test:9100", "security_token": "the-token", "signature": "v1"}
    with closing(connect(wire, **settings)) as driver:
        wire.answers = [answer(ETag='"ABC"', x_oss_hash_crc64ecma=crc(b"x"))]
        assert driver.put_part(UPLOAD, 7, body(b"x")) == Part(7, 1, "ABC", digest("crc64", b"x"))

    head = wire.head()
    assert (head[""], head["host"]) == ("PUT /key?partNumber=7&uploadId=id HTTP/1.1", "bucket.oss.test:9100")
    own = "".join(f"{name}:{head[name]}\n" for name in sorted(head) if name.startswith("x-oss-"))
    text = f"PUT\n\n\n{head['date']}\n{own}/bucket/key?partNumber=7&uploadId=id"
    assert head["authorization"] == f"OSS the-key:{signed(text)}"
    assert head["x-oss-security-token"] == "the-token"


def test_a_domain_of_ones_own_names_the_bucket(wire: Wire, anywhere: None) -> None:
    with closing(connect(wire, endpoint="http://data.example.org", cname="true")) as driver:
        wire.answers = [answer(204)]
        driver.delete("bucket", "a/b")
    assert (wire.head()[""], wire.head()["host"]) == ("DELETE /a/b HTTP/1.1", "data.example.org")


def test_anonymous_requests_are_not_signed(wire: Wire) -> None:
    with closing(connect(wire, credentials="anonymous", access_key="", secret_key="", region="")) as driver:
        wire.answers = [answer(200, "<ListBucketResult/>")]
        driver.list("bucket")
        assert "authorization" not in wire.head()
        with pytest.raises(DriverError, match="without credentials"):
            driver.presign("GET", "bucket", "key", timedelta(hours=1))


def test_an_entry_of_netrc_does_not_replace_the_signature(
    wire: Wire, driver: OssDriver, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    wire.answers = [answer(204)]
    driver.delete("bucket", "key")
    assert wire.head()["authorization"].startswith("OSS4-HMAC-SHA256 ")


def test_other_keys_are_used_from_the_next_request_on(wire: Wire, driver: OssDriver) -> None:
    wire.answers = [answer(204), answer(204)]
    driver.delete("bucket", "key")
    driver.refresh("new-key", "new-secret", "new-token")
    driver.delete("bucket", "key")
    assert "Credential=the-key/" in wire.head(0)["authorization"]
    assert "Credential=new-key/" in wire.head(1)["authorization"]
    assert wire.head(1)["x-oss-security-token"] == "new-token"


def test_what_is_signed_is_in_no_log(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), closing(connect(wire, security_token="the-token")) as driver:
        wire.answers = [answer(204)]
        driver.delete("bucket", "key")
        driver.presign("GET", "bucket", "key", timedelta(hours=1))
    assert not [word for word in ("the-token", "the-secret", "Signature") if word in caplog.text]


# --- the CRC-64 of parts ----------------------------------------------------------------------------------------------


def test_a_part_of_other_bytes_is_emptied_and_refused(wire: Wire, driver: OssDriver) -> None:
    wire.answers = [answer(ETag='"e"', x_oss_hash_crc64ecma=crc(b"y")), answer(ETag='"empty"')]
    with pytest.raises(DriverError) as caught:
        driver.put_part(UPLOAD, 3, body(b"x"))
    assert driver.classify(caught.value).code is Code.INTEGRITY
    assert [wire.head(n)[""] for n in range(2)] == ["PUT /bucket/key?partNumber=3&uploadId=id HTTP/1.1"] * 2
    assert (wire.body(0), wire.body(1)) == (b"x", b"")


def test_a_part_whose_crc_is_not_named_is_refused(wire: Wire, driver: OssDriver) -> None:
    wire.answers = [answer(ETag='"e"'), answer(ETag='"empty"')]
    with pytest.raises(DriverError) as caught:
        driver.put_part(UPLOAD, 3, body(b"x"))
    assert driver.classify(caught.value).code is Code.INTEGRITY


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_body_without_checksum_is_not_hashed_at_all(wire: Wire, driver: OssDriver, size: int) -> None:
    wire.answers = [answer(ETag='"abc"')]
    assert driver.put_part(UPLOAD, 7, body(b"x" * size, checksum=None)) == Part(7, size, "abc")
    assert wire.head()["content-length"] == str(size)
    assert {"content-md5", "transfer-encoding"}.isdisjoint(wire.head())
    assert wire.body() == b"x" * size


def test_every_upload_has_the_checksum_that_it_asks_for(wire: Wire, driver: OssDriver) -> None:
    wire.answers = [answer(200, "<R><UploadId>U</UploadId></R>")] * 2
    assert driver.create_upload("bucket", "key", WriteOptions(checksum="crc64"), None).options.checksum == "crc64"
    assert driver.create_upload("bucket", "key", PLAIN, None).options.checksum is None


# --- what the service says --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "FilePartNotExist", Code.PART_INVALID),
        (400, "RequestTimeout", Code.TIMEOUT),
        (403, "SecondLevelDomainForbidden", Code.WRONG_ENDPOINT),
        (403, "SecurityTokenExpired", Code.EXPIRED_CREDENTIALS),
        (403, "InvalidAccessKeyId", Code.BAD_CREDENTIALS),
        (404, "NoSuchUpload", Code.UPLOAD_GONE),
        (409, "FileAlreadyExists", Code.PRECONDITION),
        (503, "UploadTrafficRateLimitExceeded", Code.THROTTLED),
        (503, "TotalQpsLimitExceeded", Code.THROTTLED),
    ],
)
def test_codes_of_the_service(wire: Wire, driver: OssDriver, status: int, code: str, expected: Code) -> None:
    wire.answers = [refused(status, code, x_oss_request_id="r1")]
    with pytest.raises(DriverError) as caught:
        driver.delete_bucket("bucket")
    failure = driver.classify(caught.value)
    assert (failure.code, failure.status, failure.request_id, len(wire.requests)) == (expected, status, "r1", 1)


def test_a_delay_is_told_in_milliseconds(wire: Wire, driver: OssDriver) -> None:
    wire.answers = [refused(503, "DownloadTrafficRateLimitExceeded", x_oss_qos_delay_time="1500")]
    with pytest.raises(DriverError) as caught:
        driver.delete_bucket("bucket")
    assert driver.classify(caught.value).retry_after_s == 1.5


def test_a_refused_head_says_why_in_a_header(wire: Wire, driver: OssDriver) -> None:
    document = base64.b64encode(b"<Error><Code>NoSuchBucket</Code><Message>None.</Message></Error>").decode()
    wire.answers = [answer(404, b"", 0, x_oss_err=document)]
    with pytest.raises(DriverError) as caught:
        driver.head("bucket", "key")
    assert driver.classify(caught.value).code is Code.BUCKET_NOT_FOUND


def test_buckets_come_by_pages(wire: Wire, driver: OssDriver) -> None:
    def page(more: str, *names: str) -> bytes:
        listed = "".join(f"<Bucket><Name>{name}</Name></Bucket>" for name in names)
        return answer(200, f"<ListAllMyBucketsResult>{more}<Buckets>{listed}</Buckets></ListAllMyBucketsResult>")

    wire.answers = [page("<IsTruncated>true</IsTruncated><NextMarker>b</NextMarker>", "b", "a"), page("", "c")]
    assert driver.list_buckets() == ["a", "b", "c"]
    assert wire.head(1)[""] == "GET /?max-keys=1000&marker=b HTTP/1.1"


def test_a_bucket_is_made_where_the_endpoint_is(wire: Wire, driver: OssDriver) -> None:
    wire.answers = [answer(200), answer(200)]
    driver.create_bucket("bucket")
    driver.create_bucket("bucket", "oss-cn-hangzhou")
    with pytest.raises(DriverError, match="nowhere else"):
        driver.create_bucket("bucket", "cn-beijing")
    assert len(wire.requests) == 2


# --- signed URLs ------------------------------------------------------------------------------------------------------


def test_v1_signed_url_of_a_part(wire: Wire, anywhere: None) -> None:
    settings = {"endpoint": "http://oss.test:9100", "signature": "v1"}
    with closing(connect(wire, **settings)) as driver:
        url = urlsplit(driver.presign("PUT_PART", "bkt", "a b", timedelta(hours=1), upload_id="U", part_number=3))
    query = {name: value for name, (value,) in parse_qs(url.query).items()}
    assert (url.scheme, url.netloc, url.path) == ("http", "bkt.oss.test:9100", "/a%20b")
    text = f"PUT\n\n\n{query['Expires']}\n/bkt/a b?partNumber=3&uploadId=U"
    assert (query["OSSAccessKeyId"], query["Signature"]) == ("the-key", signed(text))


@pytest.mark.parametrize("expires", [timedelta(0), timedelta(days=8)])
def test_signed_url_that_is_valid_too_long(driver: OssDriver, expires: timedelta) -> None:
    with pytest.raises(DriverError, match="1 second to 7 days"):
        driver.presign("GET", "bucket", "key", expires)


# --- the role of a machine --------------------------------------------------------------------------------------------


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """What answers at 100.100.100.200."""
    server, real = Wire(), socket.getaddrinfo
    port = int(server.address.partition(":")[2])

    def getaddrinfo(host: Any, *rest: Any) -> Any:
        return real("127.0.0.1", port, *rest[1:]) if host == "100.100.100.200" else real(host, *rest)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield server
    server.close()


def test_the_roles_keys_are_used(wire: Wire, metadata: Wire) -> None:
    ends = (datetime.now(timezone.utc) + timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ")
    keys = {"AccessKeyId": "role-key", "AccessKeySecret": "s", "SecurityToken": "role-token", "Expiration": ends}
    metadata.answers = [answer(200, json.dumps({"Code": "Success", **keys}), Connection="close")]
    wire.answers = [answer(204)] * 2
    with closing(connect(wire, credentials="ecs", ram_role="a-role", access_key="", secret_key="")) as driver:
        for _ in range(2):
            driver.delete("bucket", "key")
    assert metadata.head()[""] == "GET /latest/meta-data/ram/security-credentials/a-role HTTP/1.1"
    assert "Credential=role-key/" in wire.head()["authorization"]
    assert wire.head()["x-oss-security-token"] == "role-token"


def test_without_a_role_nothing_is_sent_unsigned(wire: Wire, metadata: Wire) -> None:
    metadata.answers = [answer(404, Connection="close")] * 3
    with closing(connect(wire, credentials="ecs", ram_role="a-role", access_key="", secret_key="")) as driver:
        with pytest.raises(DriverError, match="RAM role") as caught:
            driver.delete("bucket", "key")
    assert (caught.value.failure.code, wire.requests) == (Code.BAD_CREDENTIALS, [])
