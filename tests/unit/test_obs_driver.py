"""The obs driver without a service: its settings, what it puts on the wire, what it makes of answers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from obs.loadtoken import ECS

import storagekit_obs
from storagekit.driver import Code, DriverError, Limits
from storagekit.errors import ConfigurationError
from storagekit.testing.bodies import BytesBody, digest
from storagekit.types import Part, Upload, WriteOptions
from storagekit_obs._settings import parse, region_of
from storagekit_obs.driver import ObsDriver
from tests.unit.minio_wire import Wire, answer, refused

ACCOUNT = {"endpoint": "obs.cn-north-4.myhuaweicloud.com", "access_key": "the-key", "secret_key": "the-secret"}
UPLOAD = Upload("bucket", "key", "id")
PLAIN = WriteOptions()


@pytest.fixture
def anywhere(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name is this wire."""
    real, port = socket.getaddrinfo, int(wire.address.partition(":")[2])
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, _port, *rest: real("127.0.0.1", port, *rest))


def connect(wire: Wire, **settings: str) -> ObsDriver:
    return ObsDriver.from_settings({**ACCOUNT, "endpoint": f"http://{wire.address}", "read_timeout_s": "5", **settings})


@pytest.fixture
def driver(wire: Wire) -> Iterator[ObsDriver]:
    with closing(connect(wire)) as made:
        yield made


def body(data: bytes, algorithm: str = "crc64", **how: Any) -> BytesBody:
    return BytesBody(data, algorithm, **how)


def crc(data: bytes) -> str:
    return str(int(digest("crc64", data).value, 16))  # type: ignore[union-attr]


def signed(text: str) -> str:
    return base64.b64encode(hmac.new(b"the-secret", text.encode(), hashlib.sha1).digest()).decode()


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("obs.cn-north-4.myhuaweicloud.com", "cn-north-4"),
        ("obsv3.ap-southeast-1.myhuaweicloud.com", "ap-southeast-1"),
        ("obs.eu-de.otc.t-systems.com", "eu-de"),
        ("obs.myhuaweicloud.com", None),
        ("storage.example.org", None),
        ("127.0.0.1", None),
    ],
)
def test_the_endpoint_names_the_region(host: str, region: str | None) -> None:
    assert region_of(host) == region


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("obs.cn-north-4.myhuaweicloud.com", ("obs.cn-north-4.myhuaweicloud.com", 443, True, False)),
        ("http://obs.test:9100", ("obs.test", 9100, False, False)),
        ("127.0.0.1:9100", ("127.0.0.1", 9100, False, True)),
        ("https://192.0.2.7", ("192.0.2.7", 443, True, True)),
        ("http://[::1]:9100", ("[::1]", 9100, False, True)),
        ("localhost:9100", ("localhost", 9100, False, True)),
    ],
)
def test_where_the_service_is_and_where_the_bucket_stands(endpoint: str, expected: tuple[str, int, bool, bool]) -> None:
    found = parse({**ACCOUNT, "endpoint": endpoint})
    assert (found.host, found.port, found.wires.secure, found.path_style) == expected


def test_defaults() -> None:
    found = parse(ACCOUNT)
    assert (found.signature, found.credentials, found.security_token) == ("obs", "keys", None)
    assert found.limits == Limits(min_part=100 * 1024, checksum="crc64", complete_order="initiation")


@pytest.mark.parametrize("signature", ["v2", "v4"])
def test_with_the_signatures_of_s3_the_digest_is_md5(signature: str) -> None:
    assert parse({**ACCOUNT, "signature": signature}).limits.checksum == "md5"
    assert parse({**ACCOUNT, "signature": signature, "checksum": "crc64"}).limits.checksum == "crc64"


@pytest.mark.parametrize("name", ["endpoint", "access_key", "secret_key"])
def test_what_is_missing_is_named_with_its_variables(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'obs' needs {name}.*OBS_"):
        parse({**ACCOUNT, name: " "})


def test_v4_needs_a_region() -> None:
    with pytest.raises(ConfigurationError, match=r"region.*OBS_REGION"):
        parse({**ACCOUNT, "endpoint": "storage.example.org", "signature": "v4"})


@pytest.mark.parametrize(
    ("name", "value"),
    [("signature", "v3"), ("credentials", "none"), ("path_style", "x"), ("checksum", "sha1"), ("max_parts", "0")],
)
def test_setting_that_makes_no_sense(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} is '{value}'"):
        parse({**ACCOUNT, name: value})


def test_secrets_are_not_shown() -> None:
    settings = {**ACCOUNT, "security_token": "the-token"}
    with closing(ObsDriver.from_settings(settings)) as driver:
        shown = f"{parse(settings)!r} {driver!r} {driver._client!r}"
    assert not [word for word in ("the-key", "the-secret", "the-token") if word in shown]


def test_announcing_the_backend_imports_no_sdk() -> None:
    code = "import sys, storagekit_obs as m; m.storagekit_drivers(); print({'obs', 'urllib3'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["set()"]


def test_spec() -> None:
    (spec,) = storagekit_obs.storagekit_drivers()
    assert (spec.backend, spec.install_hint, spec.requires) == ("obs", "storagekit-sdk[obs]", ("obs",))
    assert {each.name for each in spec.settings if each.secret} == {"secret_key", "security_token", "customer_key"}
    assert isinstance(spec.factory(ACCOUNT), ObsDriver)


# --- the wire ---------------------------------------------------------------------------------------------------------


def test_put_on_the_wire(wire: Wire, driver: ObsDriver) -> None:
    data = b"0123456789" * 300_000
    wire.answers = [answer(ETag='"abc"', x_obs_version_id="v1", x_obs_checksum_crc64ecma=crc(data))]

    result = driver.put("bucket", "a key/ü+", body(data), WriteOptions("text/plain", {"mtime": "1.5", "a": "%41 b"}))

    head = wire.head()
    assert (result.etag, result.version, result.checksum) == ("abc", "v1", digest("crc64", data))
    assert head[""] == "PUT /bucket/a%20key/%C3%BC%2B HTTP/1.1"
    assert (head["content-length"], head["x-obs-checksum-crc64ecma"]) == (str(len(data)), crc(data))
    assert (head["content-type"], head["x-obs-meta-mtime"], head["x-obs-meta-a"]) == ("text/plain", "1.5", "%41 b")
    assert {"transfer-encoding", "connection", "expect"}.isdisjoint(head)
    assert wire.body() == data


def test_signature_of_a_part_in_the_host_style(wire: Wire, anywhere: None) -> None:
    with closing(connect(wire, endpoint="http://obs.test:9100", security_token="the-token")) as driver:
        wire.answers = [answer(ETag='"abc"', x_obs_checksum_crc64ecma=crc(b"x"))]
        assert driver.put_part(UPLOAD, 7, body(b"x")) == Part(7, 1, "abc", digest("crc64", b"x"))

    head = wire.head()
    assert (head[""], head["host"]) == ("PUT /key?partNumber=7&uploadId=id HTTP/1.1", "bucket.obs.test:9100")
    own = "".join(f"{name}:{head[name]}\n" for name in sorted(head) if name.startswith("x-obs-"))
    text = f"PUT\n\n\n\n{own}/bucket/key?partNumber=7&uploadId=id"  # support.huaweicloud.com, obs_04_0010
    assert head["authorization"] == f"OBS the-key:{signed(text)}"
    assert head["x-obs-security-token"] == "the-token"
    assert abs(parsedate_to_datetime(head["x-obs-date"]) - datetime.now(timezone.utc)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("signature", "begins"), [("v2", "AWS the-key:"), ("v4", "AWS4-HMAC-SHA256 Credential=the-key/")]
)
def test_signatures_of_s3(wire: Wire, signature: str, begins: str) -> None:
    with closing(connect(wire, signature=signature, region="r-1")) as driver:
        wire.answers = [answer(ETag='"abc"')]
        driver.put("bucket", "key", body(b"x", "md5"), WriteOptions(metadata={"a": "b"}))
    head = wire.head()
    assert head["authorization"].startswith(begins)
    assert (head["x-amz-meta-a"], head["content-md5"]) == ("b", base64.b64encode(hashlib.md5(b"x").digest()).decode())
    assert not [name for name in head if name.startswith("x-obs-")]


def test_path_style_keeps_the_signature_that_was_asked_for(wire: Wire, driver: ObsDriver) -> None:
    wire.answers = [answer(200, "<ListAllMyBucketsResult/>")]
    assert driver.list_buckets() == []
    assert wire.head()["authorization"].startswith("OBS the-key:")


def test_anonymous_requests_are_not_signed(wire: Wire) -> None:
    with closing(connect(wire, credentials="anonymous", access_key="", secret_key="")) as driver:
        wire.answers = [answer(200, "<ListBucketResult/>")]
        driver.list("bucket")
        assert "authorization" not in wire.head()
        with pytest.raises(DriverError, match="without credentials"):
            driver.presign("GET", "bucket", "key", timedelta(hours=1))


def test_other_keys_are_used_from_the_next_request_on(wire: Wire, driver: ObsDriver) -> None:
    wire.answers = [answer(204), answer(204)]
    driver.delete("bucket", "key")
    driver.refresh("new-key", "new-secret", "new-token")
    driver.delete("bucket", "key")
    assert wire.head(0)["authorization"].startswith("OBS the-key:")
    assert (wire.head()["authorization"][:12], wire.head()["x-obs-security-token"]) == ("OBS new-key:", "new-token")
    assert wire.connections == 1


# --- the agency of a cloud server -------------------------------------------------------------------------------------


class Metadata(BaseHTTPRequestHandler):
    """What answers at 169.254.169.254: for newer SDKs a token first, then keys, ever new ones that last so long."""

    lasts: ClassVar[list[timedelta]] = []
    given = 0

    def do_PUT(self) -> None:
        self._answer(b"api" if self.lasts else b"", 200 if self.lasts else 404)

    def do_GET(self) -> None:
        if not self.lasts:
            self._answer(b"", 404)
            return
        number = Metadata.given = Metadata.given + 1
        ends = datetime.now(timezone.utc) + self.lasts[min(number, len(self.lasts)) - 1]
        keys = {"access": f"key-{number}", "secret": "s", "securitytoken": f"token-{number}"}
        found = {
            "credential": {"expires_at": ends.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), **keys}
        }  # older SDKs want the order
        self._answer(json.dumps(found).encode(), 200)

    def _answer(self, body: bytes, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Metadata]]:
    """That server, and no keys from before: the SDK keeps them for the whole process."""
    for name in ("ak", "sk", "token", "expires"):
        monkeypatch.setattr(ECS, name, None)
    monkeypatch.setattr(Metadata, "given", 0)
    real = socket.getaddrinfo
    with ThreadingHTTPServer(("127.0.0.1", 0), Metadata) as server:

        def getaddrinfo(host: Any, *rest: Any) -> Any:
            there = host == "169.254.169.254"
            return real("127.0.0.1", server.server_port, *rest[1:]) if there else real(host, *rest)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Metadata
        server.shutdown()
        thread.join()


def test_the_agencys_keys_are_used_and_renewed_before_they_end(
    wire: Wire, metadata: type[Metadata], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "lasts", [timedelta(seconds=30), timedelta(hours=1)])
    wire.answers = [answer(204)] * 3
    with closing(connect(wire, credentials="ecs", access_key="", secret_key="")) as driver:
        for _ in range(3):
            driver.delete("bucket", "key")
    used = [(wire.head(n)["authorization"][:9], wire.head(n)["x-obs-security-token"]) for n in range(3)]
    assert used == [("OBS key-1", "token-1"), ("OBS key-2", "token-2"), ("OBS key-2", "token-2")]


def test_without_an_agency_nothing_is_sent_unsigned(
    wire: Wire, metadata: type[Metadata], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "lasts", [])
    wire.answers = [answer(204)]
    with closing(connect(wire, credentials="ecs", access_key="", secret_key="")) as driver:
        with pytest.raises(DriverError, match="the agency of this machine") as caught:
            driver.delete("bucket", "key")
    assert (caught.value.failure.code, wire.requests) == (Code.BAD_CREDENTIALS, [])


# --- bodies and answers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_body_without_checksum_is_not_hashed_at_all(wire: Wire, driver: ObsDriver, size: int) -> None:
    wire.answers = [answer(ETag='"abc"')]
    assert driver.put_part(UPLOAD, 7, body(b"x" * size, checksum=None)) == Part(7, size, "abc")
    assert wire.head()["content-length"] == str(size)
    assert {"x-obs-checksum-crc64ecma", "content-md5", "transfer-encoding"}.isdisjoint(wire.head())
    assert wire.body() == b"x" * size


def test_a_service_that_names_no_crc_is_told_from_one_that_compares(wire: Wire, driver: ObsDriver) -> None:
    wire.answers = [answer(ETag='"abc"'), answer(ETag='"abc"', x_obs_checksum_crc64ecma=crc(b"y"))]
    for code in (Code.UNSUPPORTED, Code.INTEGRITY):
        with pytest.raises(DriverError) as caught:
            driver.put_part(UPLOAD, 1, body(b"x"))
        assert driver.classify(caught.value).code is code


def test_nothing_is_sent_twice(wire: Wire, driver: ObsDriver) -> None:
    wire.answers = [refused(503, "ServiceUnavailable", "Slow.", Retry_After="3"), answer(ETag='"e"')]
    with pytest.raises(DriverError) as caught:
        driver.put("bucket", "key", body(b"x"), PLAIN)
    failure = driver.classify(caught.value)
    assert (failure.code, failure.retry_after_s, len(wire.requests)) == (Code.THROTTLED, 3.0, 1)


def test_redirects_are_not_followed(wire: Wire, driver: ObsDriver) -> None:
    wire.answers = [refused(307, "TemporaryRedirect", Location=f"http://{wire.address}/elsewhere"), answer(204)]
    with pytest.raises(DriverError) as caught:
        driver.delete("bucket", "key")
    assert (driver.classify(caught.value).code, len(wire.requests)) == (Code.WRONG_ENDPOINT, 1)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "RequestTimeout", Code.TIMEOUT),
        (400, "BadDigest", Code.INTEGRITY),
        (403, "VirtualHostDomainRequired", Code.WRONG_ENDPOINT),
        (403, "InArrearOrInsufficientBalance", Code.ACCESS_DENIED),
        (403, "SignatureDoesNotMatch", Code.BAD_CREDENTIALS),
        (403, "RequestTimeTooSkewed", Code.CLOCK_SKEW),
        (403, "InvalidObjectState", Code.ARCHIVED),
        (403, "SomethingNew", Code.ACCESS_DENIED),
        (404, "NoSuchUpload", Code.UPLOAD_GONE),
        (405, "FsNotSupport", Code.UNSUPPORTED),
        (409, "BucketAlreadyOwnedByYou", Code.BUCKET_EXISTS),
        (503, "SlowDown", Code.THROTTLED),
        (520, "", Code.SERVER),
    ],
)
def test_codes_of_the_service(wire: Wire, driver: ObsDriver, status: int, code: str, expected: Code) -> None:
    wire.answers = [refused(status, code, x_obs_request_id="r1")]
    with pytest.raises(DriverError) as caught:
        driver.delete_bucket("bucket")
    failure = driver.classify(caught.value)
    assert (failure.code, failure.status, failure.request_id) == (expected, status, "r1")


def test_a_refused_head_says_why_in_headers(wire: Wire, driver: ObsDriver) -> None:
    headers = {"x_obs_error_code": "NoSuchBucket", "x_obs_error_message": "No such bucket"}
    wire.answers = [answer(404, b"", 0, **headers)]
    with pytest.raises(DriverError) as caught:
        driver.head("bucket", "key")
    assert driver.classify(caught.value).code is Code.BUCKET_NOT_FOUND


def test_an_object_tells_which_upload_made_it(wire: Wire, driver: ObsDriver) -> None:
    wire.answers = [
        b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "e"\r\nx-obs-uploadId: U1\r\nx-obs-meta-a: %41\r\n\r\n'
    ]
    found = driver.head("bucket", "key")
    assert (found.upload_id, found.metadata, found.size) == ("U1", {"a": "%41"}, 5)


@pytest.mark.parametrize(
    ("settings", "location", "document"),
    [
        ({}, None, b""),
        ({"region": "r-1"}, None, b"<CreateBucketConfiguration><Location>r-1</Location></CreateBucketConfiguration>"),
        ({"region": "r-1"}, "r-2", b"<CreateBucketConfiguration><Location>r-2</Location></CreateBucketConfiguration>"),
        (
            {"region": "r-1", "signature": "v2"},
            None,
            b"<CreateBucketConfiguration><LocationConstraint>r-1</LocationConstraint></CreateBucketConfiguration>",
        ),
    ],
)
def test_where_a_bucket_is_made(wire: Wire, settings: dict[str, str], location: str | None, document: bytes) -> None:
    with closing(connect(wire, **settings)) as driver:
        wire.answers = [answer(200)]
        driver.create_bucket("bucket", location)
    assert (wire.head()[""], wire.body()) == ("PUT /bucket HTTP/1.1", document)


def test_signed_url_of_a_part(wire: Wire, anywhere: None) -> None:
    with closing(connect(wire, endpoint="http://obs.test:9100", security_token="the-token")) as driver:
        url = urlsplit(driver.presign("PUT_PART", "b", "a b", timedelta(hours=1), upload_id="U", part_number=3))
    query = {name: value for name, (value,) in parse_qs(url.query).items()}
    assert (url.scheme, url.netloc, url.path) == ("http", "b.obs.test:9100", "/a%20b")
    assert (query["partNumber"], query["uploadId"], query["AccessKeyId"]) == ("3", "U", "the-key")
    token = f"x-obs-security-token={query['x-obs-security-token']}"
    text = f"PUT\n\n\n{query['Expires']}\n/b/a%20b?partNumber=3&uploadId=U&{token}"
    assert query["Signature"] == signed(text)


@pytest.mark.parametrize(("signature", "most"), [("obs", 7300), ("v2", 7300), ("v4", 7)])
def test_signed_url_is_valid_as_long_as_its_signature_can_be(wire: Wire, signature: str, most: int) -> None:
    with closing(connect(wire, signature=signature, region="r")) as driver:
        assert "ignature=" in driver.presign("GET", "bucket", "key", timedelta(days=most))
        for expires in (timedelta(0), timedelta(days=most, seconds=1)):
            with pytest.raises(DriverError, match=f"1 second to {most} days"):
                driver.presign("GET", "bucket", "key", expires)


def test_signed_url_of_an_object_with_a_content_type(driver: ObsDriver) -> None:
    url = urlsplit(driver.presign("PUT", "bucket", "key", timedelta(hours=1), content_type="text/x-tar"))
    query = {name: value for name, (value,) in parse_qs(url.query).items()}
    assert query["Signature"] == signed(f"PUT\n\ntext/x-tar\n{query['Expires']}\n/bucket/key")


def test_no_url_is_signed_where_its_user_would_need_the_encryption(wire: Wire) -> None:
    with closing(connect(wire, encryption="AES256")) as driver:
        assert "Signature=" in driver.presign("GET", "bucket", "key", timedelta(hours=1))
        assert "Signature=" in driver.presign("PUT_PART", "b", "k", timedelta(hours=1), upload_id="U", part_number=1)
        with pytest.raises(DriverError, match="encryption") as caught:
            driver.presign("PUT", "bucket", "key", timedelta(hours=1))
        assert caught.value.failure.code is Code.UNSUPPORTED
    key = base64.b64encode(bytes(32)).decode()
    with closing(connect(wire, customer_key=key, endpoint="https://obs.test")) as driver:
        for operation in ("GET", "HEAD", "PUT", "PUT_PART"):
            with pytest.raises(DriverError, match="customer_key"):
                driver.presign(operation, "b", "k", timedelta(hours=1), upload_id="U", part_number=1)


@pytest.mark.parametrize("key", ["", "a/../b", "."])
def test_keys_that_would_address_something_else_are_not_sent(wire: Wire, driver: ObsDriver, key: str) -> None:
    wire.answers = [answer(204)]
    with pytest.raises(DriverError) as caught:
        driver.delete("bucket", key)
    assert (caught.value.failure.code, wire.requests) == (Code.INVALID_NAME, [])


# --- encryption by the service ----------------------------------------------------------------------------------------

SSE = "x-obs-server-side-encryption"


def test_a_key_of_the_key_service_is_named_when_an_object_or_upload_begins(wire: Wire) -> None:
    with closing(connect(wire, encryption="kms", kms_key_id="the-key-of-kms")) as driver:
        wire.answers = [answer(200, "<R><UploadId>U</UploadId></R>"), answer(ETag='"e"')]
        upload = driver.create_upload("bucket", "key", PLAIN, None)
        driver.put_part(upload, 1, body(b"x", checksum=None))
    assert (wire.head(0)[SSE], wire.head(0)[f"{SSE}-kms-key-id"]) == ("kms", "the-key-of-kms")
    assert not [name for name in wire.head(1) if name.startswith(SSE)]


def test_a_key_of_the_customers_goes_with_every_request_for_bytes() -> None:
    key = base64.b64encode(b"k" * 32).decode()
    settings = parse({**ACCOUNT, "customer_key": key})
    with closing(ObsDriver(settings)) as driver:
        opened, source = driver._opened("key"), driver._copied("bucket", "key", None)
    assert (opened[f"{SSE}-customer-algorithm"], opened[f"{SSE}-customer-key"]) == ("AES256", key)
    assert source["x-obs-copy-source-server-side-encryption-customer-key"] == key
    assert settings.limits.encryption.startswith("SSE-C ")
    assert key not in repr(settings)


def test_a_key_of_the_customers_is_not_sent_in_the_clear() -> None:
    with pytest.raises(ConfigurationError, match="plain HTTP"):
        parse({**ACCOUNT, "endpoint": "http://obs.test", "customer_key": base64.b64encode(b"k" * 32).decode()})


@pytest.mark.parametrize(("name", "value"), [("encryption", "aws:kms"), ("kms_key_id", "k")])
def test_encryption_that_makes_no_sense(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match="kms"):
        parse({**ACCOUNT, name: value})
