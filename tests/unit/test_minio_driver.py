"""The minio driver without a server: settings, what goes over the wire, what comes back, what an error means.

The wire is a socket that plays one answer after the other; what a real server does is in ``conformance/test_s3.py``.
"""

from __future__ import annotations

import base64
import errno
import gzip
import hashlib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from http.client import RemoteDisconnected
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from minio.error import InvalidResponseError, S3Error, ServerError
from urllib3 import HTTPResponse
from urllib3 import exceptions as http

import storagekit_minio
from storagekit.driver import Code, DriverError, Failure, Limits
from storagekit.errors import ConfigurationError
from storagekit.transport import connections, xml
from storagekit.transport.endpoint import parse_endpoint
from storagekit.types import Checksum, Part, Upload, WriteOptions
from storagekit_minio import _client
from storagekit_minio._failures import classify
from storagekit_minio._settings import parse
from storagekit_minio.driver import MinioDriver
from tests.unit.minio_wire import ACCOUNT, CUT, Wire, answer, body, failure_of, make_driver, refused

PLAIN = WriteOptions()
UPLOAD = Upload("bucket", "key", "id")


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "use_ssl", "expected"),
    [
        ("127.0.0.1:9000", None, ("127.0.0.1:9000", False)),
        ("localhost", None, ("localhost", False)),
        ("s3.localhost:9000", None, ("s3.localhost:9000", False)),
        ("[::1]:9000", None, ("[::1]:9000", False)),
        ("127.9.9.9", None, ("127.9.9.9", False)),
        ("play.min.io", None, ("play.min.io", True)),
        ("10.0.0.1:9000", None, ("10.0.0.1:9000", True)),
        ("localhost.example.org", None, ("localhost.example.org", True)),
        ("http://play.min.io", None, ("play.min.io", False)),
        ("HTTPS://127.0.0.1:9000/", None, ("127.0.0.1:9000", True)),
        (" https://play.min.io:443 ", None, ("play.min.io:443", True)),
        ("http://play.min.io", False, ("play.min.io", False)),
        ("https://127.0.0.1", True, ("127.0.0.1", True)),
        ("play.min.io", False, ("play.min.io", False)),
        ("127.0.0.1", True, ("127.0.0.1", True)),
    ],
)
def test_endpoint(text: str, use_ssl: bool | None, expected: tuple[str, bool]) -> None:
    assert parse_endpoint(text, name="MINIO_ENDPOINT", use_ssl=use_ssl) == expected


@pytest.mark.parametrize(("text", "use_ssl"), [("http://play.min.io", True), ("https://127.0.0.1:9000", False)])
def test_a_scheme_and_use_ssl_that_contradict_each_other_are_refused(text: str, use_ssl: bool) -> None:
    with pytest.raises(ConfigurationError, match=f"{text[:4]}.*use_ssl is {str(use_ssl).lower()}"):
        parse_endpoint(text, name="MINIO_ENDPOINT", use_ssl=use_ssl)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ftp://host", "'host' has a scheme"),
        ("host:port", "a port"),
        ("host:0", "a port"),
        ("host:99999", "a port"),
        ("http://", "no host"),
        (":9000", "no host"),
        ("host/bucket", "'host/bucket' has a path"),
        ("http://host:9000/x", "'host:9000/x' has a path"),
        ("host?x=1", "'host' has a query"),
        ("host#x", "a query"),
        ("a b", "a space"),
    ],
)
def test_endpoint_that_is_none(text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{problem}.*MINIO_ENDPOINT"):
        parse_endpoint(text, name="MINIO_ENDPOINT", use_ssl=None)


@pytest.mark.parametrize("password", ["hunter2", "hun/ter2"])
def test_password_in_an_endpoint_is_refused_and_not_shown(password: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_endpoint(f"https://user:{password}@play.min.io", name="MINIO_ENDPOINT", use_ssl=None)
    assert "ter2" not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize(
    ("missing", "variables"),
    [
        ("endpoint", "MINIO_ENDPOINT or STORAGE_ENDPOINT"),
        ("access_key", "MINIO_ACCESS_KEY or STORAGE_ACCESS_KEY"),
        ("secret_key", "MINIO_SECRET_KEY or STORAGE_SECRET_KEY"),
    ],
)
def test_missing_setting_names_the_variable(missing: str, variables: str) -> None:
    with pytest.raises(ConfigurationError, match=variables):
        parse({name: value for name, value in ACCOUNT.items() if name != missing})
    with pytest.raises(ConfigurationError, match=variables):
        parse({**ACCOUNT, missing: " "})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("use_ssl", "maybe"),
        ("connect_timeout_s", "0"),
        ("read_timeout_s", "soon"),
        ("read_timeout_s", "inf"),
        ("max_connections", "-1"),
        ("max_parts", "1.5"),
        ("server", "swift"),
    ],
)
def test_setting_that_makes_no_sense(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} is '{value}'"):
        parse({**ACCOUNT, name: value})


def test_defaults() -> None:
    settings = parse(ACCOUNT)
    assert (settings.region, settings.wires.connect_timeout_s, settings.wires.read_timeout_s) == (None, 10.0, 60.0)
    assert (settings.wires.max_connections, settings.session_token, settings.wires.ca_file) == (32, None, None)
    assert (settings.path_style, settings.credentials, settings.sts_endpoint) == (True, "keys", None)


def test_limits_of_minio_of_s3_and_overridden() -> None:
    s3 = Limits(part_checksum="crc32c")
    assert parse(ACCOUNT).limits == replace(
        s3, max_segment_bytes=255, empty_segments=False, upload_expiry_s=86_400.0, exact_upload_listing=True
    )
    assert parse({**ACCOUNT, "server": "s3"}).limits == s3
    assert parse({**ACCOUNT, "endpoint": "s3.eu-west-1.amazonaws.com"}).limits == s3
    given = {"max_parts": "1000", "min_part": "1", "max_key_bytes": "975", "sparse_complete": "no", "server": "s3"}
    wanted = replace(s3, max_parts=1000, min_part=1, max_key_bytes=975, sparse_complete=False)
    assert parse({**ACCOUNT, **given}).limits == wanted


@pytest.mark.parametrize(
    ("said", "puts", "parts"),
    [("auto", "md5", "crc32c"), ("md5", "md5", None), ("none", "none", None)],
)
def test_checksum_of_puts_and_of_parts(said: str, puts: str, parts: str | None) -> None:
    limits = parse({**ACCOUNT, "checksum": said}).limits
    assert (limits.checksum, limits.part_checksum) == (puts, parts)


def test_secrets_are_not_shown() -> None:
    driver = MinioDriver.from_settings({**ACCOUNT, "session_token": "the-token"})
    shown = f"{parse({**ACCOUNT, 'session_token': 'the-token'})!r} {driver!r} {driver._client!r}"
    assert not [word for word in ("the-key", "the-secret", "the-token") if word in shown]


def test_announcing_the_backend_imports_no_sdk() -> None:
    code = "import sys, storagekit_minio as m; m.storagekit_drivers(); print({'minio', 'urllib3'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["set()"]


def test_spec() -> None:
    (spec,) = storagekit_minio.storagekit_drivers()
    assert (spec.backend, spec.aliases, spec.install_hint) == ("minio", ("s3",), "storagekit-sdk[minio]")
    s3 = spec.called("s3")
    for each in (spec, s3):
        secret = {setting.name for setting in each.settings if setting.secret}
        assert secret == {"secret_key", "session_token", "customer_key"}
        assert isinstance(each.factory(ACCOUNT), MinioDriver)
    assert (s3.backend, spec.called("minio")) == ("minio", spec)


def test_pool_retries_nothing_and_verifies() -> None:
    plain, secure = (connections.make_pool(parse({**ACCOUNT, "use_ssl": flag}).wires) for flag in ("no", "yes"))
    for pool in (plain, secure):
        given = pool.connection_pool_kw
        assert getattr(given["retries"], "total", given["retries"]) is False  # older urllib3 keeps it as it was given
        assert (given["maxsize"], given["block"], given["blocksize"]) == (32, False, 4 << 20)
        assert (given["timeout"].connect_timeout, given["timeout"].read_timeout) == (10.0, 60.0)
    context = secure.connection_pool_kw["ssl_context"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_ca_file_that_is_none(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match="ca_file"):
        MinioDriver.from_settings({**ACCOUNT, "use_ssl": "yes", "ca_file": str(path)})


@pytest.mark.parametrize("wrong", [{"region": "no region!"}, {"endpoint": "https://ec2x.amazonaws.com"}])
def test_what_the_sdk_refuses_is_a_wrong_configuration(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="cannot be used"):
        MinioDriver.from_settings({**ACCOUNT, **wrong})


# --- the wire ---------------------------------------------------------------------------------------------------------


def test_put_on_the_wire(wire: Wire, driver: MinioDriver) -> None:
    wire.answers = [answer(ETag='"abc"', x_amz_version_id="v1")]
    data = b"0123456789" * 300_000
    options = WriteOptions("text/plain", {"mtime": "1.5"})

    result = driver.put("bucket", "a key/ü+", body(data), options)

    head = wire.head()
    assert (result.etag, result.version) == ("abc", "v1")
    assert head[""] == "PUT /bucket/a%20key/%C3%BC%2B HTTP/1.1"
    assert head["content-length"] == str(len(data))
    assert head["content-md5"] == base64.b64encode(hashlib.md5(data).digest()).decode()
    assert head["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
    assert (head["content-type"], head["x-amz-meta-mtime"]) == ("text/plain", "1.5")
    assert "transfer-encoding" not in head
    assert wire.body() == data


def test_accept_encoding_is_sent_and_not_signed(wire: Wire, driver: MinioDriver) -> None:
    wire.answers = [answer(ETag='"e"')]
    with driver.read("bucket", "key"):
        pass
    assert wire.head()["accept-encoding"] == "identity"
    assert "accept-encoding" not in wire.head()["authorization"]


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_body_without_checksum_is_not_hashed_at_all(wire: Wire, driver: MinioDriver, size: int) -> None:
    wire.answers = [answer(ETag='"abc"')]
    part = driver.put_part(UPLOAD, 7, body(b"x" * size, checksum=None))

    head = wire.head()
    assert part == Part(7, size, "abc")
    assert head[""] == "PUT /bucket/key?partNumber=7&uploadId=id HTTP/1.1"
    assert (head["content-length"], head["x-amz-content-sha256"]) == (str(size), "UNSIGNED-PAYLOAD")
    assert not {"content-md5", "transfer-encoding"} & set(head)
    assert len(wire.body()) == size


def test_documents_are_signed_with_their_hash(wire: Wire, driver: MinioDriver) -> None:
    wire.answers = [answer(200, "<DeleteResult/>")]
    driver.delete_many("bucket", ["a&b", "c\rd"])
    assert wire.head()["x-amz-content-sha256"] == hashlib.sha256(wire.body()).hexdigest()
    assert b"<Key>a&amp;b</Key>" in wire.body()
    assert b"<Key>c&#13;d</Key>" in wire.body()


def test_headers_of_the_caller_are_left_alone(wire: Wire, driver: MinioDriver) -> None:
    wire.answers = [answer(), answer()]
    headers = {"X-One": "1"}
    driver._client.request("GET", "bucket", headers=headers)
    assert headers == {"X-One": "1"}


def test_slow_reader_is_no_timeout(wire: Wire) -> None:
    """8 MiB at 64 KiB per 10 ms: any one sent block takes longer than the connect timeout, which urllib3 would use."""
    driver = make_driver(wire, connect_timeout_s="0.05")
    wire.pause_s, wire.answers = 0.005, [answer(ETag='"abc"')]
    driver.put("bucket", "key", body(b"x" * (8 << 20)), PLAIN)
    driver.close()


class SourceError(Exception):
    pass


@pytest.mark.parametrize(
    "error",
    [
        SourceError(),
        BrokenPipeError(errno.EPIPE, "x"),
        ConnectionResetError(errno.ECONNRESET, "x"),
        TimeoutError(),
        KeyboardInterrupt(),
    ],
)
def test_what_the_body_raises_passes_through_at_once(wire: Wire, driver: MinioDriver, error: BaseException) -> None:
    wire.answers = [answer(ETag='"1"'), answer(ETag='"2"'), answer(ETag='"3"')]
    driver.put("bucket", "key", body(b"x"), PLAIN)

    def fail(at: int) -> None:
        if at >= 1 << 20:
            raise error

    began = time.monotonic()
    with pytest.raises(type(error)) as caught:
        driver.put("bucket", "key", body(b"x" * (3 << 20), hook=fail), PLAIN)

    assert caught.value is error
    assert error.__cause__ is None
    assert time.monotonic() - began < 2, "urllib3 swallowed it and waited for an answer"
    driver.put("bucket", "key", body(b"x"), PLAIN)
    assert wire.connections == 2, "the connection that the failure left half used was used again"


@pytest.mark.parametrize(("size", "announced"), [(10, 11), (10, 9), (10, 0), (0, 1), (3 << 20, 1 << 20)])
def test_body_of_another_size_than_announced_is_never_whole(
    wire: Wire, driver: MinioDriver, size: int, announced: int
) -> None:
    wire.answers = [answer(ETag='"1"')]
    with pytest.raises(ValueError, match="announced"):
        driver.put("bucket", "key", body(b"x" * size, lie_size=announced, checksum=None), PLAIN)
    driver.close()
    assert wire.requests == []


def test_answer_before_the_body_is_read(wire: Wire, driver: MinioDriver) -> None:
    """A server that refuses early closes; what it said is not lost in the broken pipe."""
    wire._length = lambda data: 0  # type: ignore[method-assign]
    wire.answers = [refused(403, "AccessDenied", "No.", Connection="close")]
    failure = failure_of(driver, lambda: driver.put("bucket", "key", body(b"x" * 1000), PLAIN))
    assert failure.code is Code.ACCESS_DENIED


def test_fresh_connection_that_dies_is_the_network(wire: Wire, driver: MinioDriver) -> None:
    wire.answers = [CUT]
    assert failure_of(driver, lambda: driver.head("bucket", "key")).code is Code.NETWORK


@pytest.mark.parametrize("size", [0, 100, 5 << 20])
def test_pooled_connection_that_dies_is_stale(wire: Wire, driver: MinioDriver, size: int) -> None:
    wire.answers = [answer(ETag='"1"'), CUT, answer(ETag='"2"')]
    driver.put("bucket", "key", body(b"x"), PLAIN)
    failure = failure_of(driver, lambda: driver.put("bucket", "key", body(b"x" * size), PLAIN))
    assert failure.code is Code.STALE_CONNECTION
    assert driver.put("bucket", "key", body(b"x"), PLAIN).etag == "2"
    assert wire.connections == 2


def test_no_answer_is_a_timeout(wire: Wire) -> None:
    driver = make_driver(wire, read_timeout_s="0.2")
    wire._length = lambda data: 1 << 30  # type: ignore[method-assign]
    wire.answers = [CUT]
    assert failure_of(driver, lambda: driver.head("bucket", "key")).code is Code.TIMEOUT
    driver.close()


def test_refused_connection_and_unknown_host() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    for endpoint in (address, "http://no-such-host.invalid"):
        driver = MinioDriver.from_settings({**ACCOUNT, "endpoint": endpoint})
        assert failure_of(driver, lambda: driver.head("bucket", "key")).code is Code.NETWORK  # noqa: B023


def test_plain_http_on_an_https_endpoint_says_what_to_write(wire: Wire) -> None:
    driver = make_driver(wire, use_ssl="yes")
    wire._receive = lambda connection: connection.recv(100)  # type: ignore[method-assign]
    wire.answers = [answer(400)]
    failure = failure_of(driver, lambda: driver.head("bucket", "key"))
    assert failure.code is Code.WRONG_ENDPOINT
    assert "Write http:// in the endpoint" in (failure.hint or "")
    driver.close()


def test_https_on_an_http_endpoint_says_what_to_write(wire: Wire, driver: MinioDriver) -> None:
    wire.answers = [answer(400, "Client sent an HTTP request to an HTTPS server.\n", Connection="close")]
    failure = failure_of(driver, lambda: driver.list("bucket"))
    assert "Write https:// in the endpoint" == failure.hint


@pytest.mark.parametrize("status", [301, 307])
def test_redirects_are_not_followed(wire: Wire, driver: MinioDriver, status: int) -> None:
    wire.answers = [answer(status, Location=f"http://{wire.address}/elsewhere", x_amz_bucket_region="us-east-1")] * 2
    for call in (lambda: driver.head("bucket", "key"), lambda: driver.list("bucket")):
        assert failure_of(driver, call).code is Code.WRONG_ENDPOINT
    assert len(wire.requests) == 2


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, Code.REFUSED),
        (403, Code.ACCESS_DENIED),
        (404, Code.NOT_FOUND),
        (405, Code.UNSUPPORTED),
        (409, Code.CONFLICT),
        (412, Code.PRECONDITION),
        (429, Code.THROTTLED),
        (500, Code.SERVER),
        (503, Code.THROTTLED),
        (520, Code.SERVER),
    ],
)
def test_head_is_told_by_its_status(wire: Wire, driver: MinioDriver, status: int, code: Code) -> None:
    wire.answers = [answer(status, Retry_After="3", x_amz_request_id="r1")]
    failure = failure_of(driver, lambda: driver.head("bucket", "key"))
    assert (failure.code, failure.status, failure.vendor_code) == (code, status, None)
    assert (failure.retry_after_s, failure.request_id) == (3.0, "r1")


def test_minio_tells_the_code_of_a_head_in_a_header(wire: Wire, driver: MinioDriver) -> None:
    wire.answers = [answer(404, x_minio_error_code="NoSuchBucket", x_minio_error_desc='"The bucket does not exist."')]
    failure = failure_of(driver, lambda: driver.head("bucket", "key"))
    assert (failure.code, failure.vendor_code) == (Code.BUCKET_NOT_FOUND, "NoSuchBucket")
    assert failure.detail == "The bucket does not exist"


@pytest.mark.parametrize(
    ("content", "kind"), [(b"\xff\xfe<html>", "text/html"), (b"<Error><Code>", "application/xml"), (b"", "text/plain")]
)
def test_error_that_is_no_xml_keeps_status_and_wish(wire: Wire, driver: MinioDriver, content: bytes, kind: str) -> None:
    wire.answers = [answer(503, content, Content_Type=kind, Retry_After="2")]
    failure = failure_of(driver, lambda: driver.list("bucket"))
    assert (failure.code, failure.retry_after_s, failure.status) == (Code.THROTTLED, 2.0, 503)
    assert "html" not in failure.detail


@pytest.mark.parametrize(
    ("wish", "seconds"),
    [
        ("120", 120.0),
        ("Sat, 21 Nov 2026 01:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 00:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after(wire: Wire, driver: MinioDriver, wish: str, seconds: float | None) -> None:
    wire.answers = [refused(503, "SlowDown", Retry_After=wish, Date="Sat, 21 Nov 2026 01:00:00 GMT")]
    assert failure_of(driver, lambda: driver.list("bucket")).retry_after_s == seconds


# --- reading ----------------------------------------------------------------------------------------------------------


def read(driver: MinioDriver, start: int = 0, length: int | None = None, step: int = 7) -> bytes:
    buffer, data = memoryview(bytearray(step)), b""
    with driver.read("bucket", "key", start, length) as reader:
        while count := reader.readinto(buffer):
            data += buffer[:count]
        assert (reader.etag, reader.total) == ("e", 20)
    return data


WHOLE = b"abcdefghijklmnopqrst"


@pytest.mark.parametrize("status", [200, 206])
def test_range_with_a_content_range(wire: Wire, driver: MinioDriver, status: int) -> None:
    """rclone answers a range with 200."""
    wire.answers = [answer(status, WHOLE[5:15], ETag='"e"', Content_Range="bytes 5-14/20")]
    assert read(driver, 5, 10) == WHOLE[5:15]
    assert wire.head()["range"] == "bytes=5-14"


@pytest.mark.parametrize(("length", "expected"), [(None, WHOLE), (4, WHOLE[:4]), (50, WHOLE)])
def test_whole_object_for_a_range_from_its_start(
    wire: Wire, driver: MinioDriver, length: int | None, expected: bytes
) -> None:
    wire.answers = [answer(200, WHOLE, ETag='"e"')]
    assert read(driver, 0, length) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        answer(200, WHOLE, ETag='"e"'),
        answer(206, WHOLE, ETag='"e"'),
        answer(206, WHOLE[4:], ETag='"e"', Content_Range="bytes 4-19/20"),
        answer(206, WHOLE[5:], ETag='"e"', Content_Range="bytes 5-19/*"),
    ],
)
def test_bytes_that_were_not_asked_for_are_refused(wire: Wire, driver: MinioDriver, wrong: bytes) -> None:
    wire.answers = [wrong, answer(204)]
    assert failure_of(driver, lambda: read(driver, 5)).code is Code.UNSUPPORTED
    driver.delete("bucket", "key")
    assert wire.connections == 2, "what nobody read came before the next answer"


@pytest.mark.parametrize("start", [0, 5])
def test_short_body_is_the_network(wire: Wire, driver: MinioDriver, start: int) -> None:
    said = f"bytes {start}-19/20"
    wire.answers = [answer(206, WHOLE[start:-3], 20 - start, ETag='"e"', Connection="close", Content_Range=said)]
    assert failure_of(driver, lambda: read(driver, start)).code is Code.NETWORK


def test_short_range_is_the_network(wire: Wire, driver: MinioDriver) -> None:
    """The answer is whole in itself, but not what was asked for."""
    wire.answers = [answer(206, WHOLE[5:8], ETag='"e"', Content_Range="bytes 5-7/20")]
    assert failure_of(driver, lambda: read(driver, 5, 10)).code is Code.NETWORK


def test_encoded_objects_come_as_they_are_stored(wire: Wire, driver: MinioDriver) -> None:
    data = gzip.compress(b"x" * 1000)
    wire.answers = [answer(200, data, ETag='"e"', Content_Encoding="gzip")]
    with driver.read("bucket", "key") as reader:
        buffer = bytearray(len(data) + 1)
        assert reader.readinto(memoryview(buffer)) == len(data)
    assert buffer[:-1] == data


def test_empty_object_has_no_first_byte(wire: Wire, driver: MinioDriver) -> None:
    wire.answers = [refused(416, "InvalidRange"), answer(200, ETag='"e"')]
    with driver.read("bucket", "key", 0, 10, "e") as reader:
        assert (reader.etag, reader.total, reader.readinto(memoryview(bytearray(1)))) == ("e", 0, 0)
    assert [wire.head(index).get("range") for index in (0, 1)] == ["bytes=0-9", None]
    assert wire.head(1)["if-match"] == '"e"'


def test_connection_is_used_again_after_a_whole_read_only(wire: Wire, driver: MinioDriver) -> None:
    wire.answers = [answer(200, WHOLE, ETag='"e"'), answer(200, WHOLE, ETag='"e"'), answer(204)]
    assert read(driver) == WHOLE
    with driver.read("bucket", "key") as reader:
        reader.readinto(memoryview(bytearray(3)))
    assert wire.connections == 1
    driver.delete("bucket", "key")
    assert wire.connections == 2


# --- successes that are none ------------------------------------------------------------------------------------------

COMPLETED = "<CompleteMultipartUploadResult><ETag>&quot;abc-1&quot;</ETag></CompleteMultipartUploadResult>"


def complete(driver: MinioDriver) -> str:
    return driver.complete_upload(UPLOAD, [Part(1, 5, "e1"), Part(2, 5, "e2")]).etag


@pytest.mark.parametrize("text", [COMPLETED, f"  \n \n<?xml version='1.0'?>\n   {COMPLETED}"])
def test_complete(wire: Wire, driver: MinioDriver, text: str) -> None:
    wire.answers = [answer(200, text)]
    assert complete(driver) == "abc-1"
    assert b'<Part><PartNumber>2</PartNumber><ETag>"e2"</ETag></Part>' in wire.body()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("<Error><Code>InternalError</Code><Message>We failed.</Message></Error>", Code.SERVER),
        ("<Error><Code>SlowDown</Code></Error>", Code.THROTTLED),
        ("<Error><Code>NoSuchUpload</Code></Error>", Code.UPLOAD_GONE),
        ("<Error><Code>NoSuchKey</Code></Error>", Code.UPLOAD_GONE),
        ("<Error><Code>SomethingNew</Code></Error>", Code.SERVER),
        ("<CompleteMultipartUploadResult><ETag/></CompleteMultipartUploadResult>", Code.SERVER),
        ("<CompleteMultipartUploadResult></CompleteMultipartUploadResult>", Code.SERVER),
        ("<html>", Code.SERVER),
        ("", Code.SERVER),
    ],
)
def test_complete_that_was_none(wire: Wire, driver: MinioDriver, text: str, code: Code) -> None:
    wire.answers = [answer(200, text)]
    failure = failure_of(driver, lambda: complete(driver))
    assert (failure.code, failure.status) == (code, 200)


def test_error_in_the_success_of_a_copy(wire: Wire, driver: MinioDriver) -> None:
    wire.answers = [answer(200, "<Error><Code>InternalError</Code></Error>")]
    assert failure_of(driver, lambda: driver.copy("b", "k", "c", "l", PLAIN)).code is Code.SERVER


def test_put_without_an_etag(wire: Wire, driver: MinioDriver) -> None:
    wire.answers = [answer(200)]
    assert failure_of(driver, lambda: driver.put("b", "k", body(b"x"), PLAIN)).code is Code.SERVER


@pytest.mark.parametrize("absent", ["NoSuchUpload", "NoSuchKey", "XMinioInvalidResourceName"])
def test_absent_upload_is_gone_whatever_it_is_called(wire: Wire, driver: MinioDriver, absent: str) -> None:
    wire.answers = [refused(404, absent)] * 4
    calls: list[Callable[[], object]] = [
        lambda: driver.put_part(UPLOAD, 1, body(b"x")),
        lambda: driver.list_parts(UPLOAD),
        lambda: complete(driver),
    ]
    for call in calls:
        assert failure_of(driver, call).code is Code.UPLOAD_GONE
    driver.abort_upload(UPLOAD)


def test_absent_bucket_is_no_absent_upload(wire: Wire, driver: MinioDriver) -> None:
    wire.answers = [refused(404, "NoSuchBucket")] * 2
    assert failure_of(driver, lambda: driver.put_part(UPLOAD, 1, body(b"x"))).code is Code.BUCKET_NOT_FOUND
    assert failure_of(driver, lambda: driver.abort_upload(UPLOAD)).code is Code.BUCKET_NOT_FOUND


def test_missing_source_of_a_part_is_no_absent_upload(wire: Wire, driver: MinioDriver) -> None:
    wire.answers = [refused(404, "NoSuchKey")]
    assert failure_of(driver, lambda: driver.copy_part(UPLOAD, 1, "b", "k", 0, 5, "e")).code is Code.NOT_FOUND


def test_delete_many_reports_failures_by_key(wire: Wire, driver: MinioDriver) -> None:
    errors = "".join(
        f"<Error><Key>{key}</Key><Code>{code}</Code><Message>m</Message></Error>"
        for key, code in (("a", "AccessDenied"), ("b", "NoSuchKey"), ("c", "InternalError"))
    )
    wire.answers = [answer(200, f"<DeleteResult>{errors}</DeleteResult>"), refused(403, "AccessDenied"), answer(204)]
    failures = driver.delete_many("bucket", ["a", "b", "c", "not\x01xml", "not\ufffexml"])
    assert [(failure.key, failure.code) for failure in failures] == [
        ("a", "access_denied"),
        ("c", "server"),
        ("not\x01xml", "access_denied"),
    ]
    assert [wire.head(index)[""].split()[0] for index in range(3)] == ["POST", "DELETE", "DELETE"]


def test_listing_that_is_cut_without_a_token(wire: Wire, driver: MinioDriver) -> None:
    parts = "<ListPartsResult><IsTruncated>true</IsTruncated></ListPartsResult>"
    objects = "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"
    uploads = "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated></ListMultipartUploadsResult>"
    wire.answers = [answer(200, text) for text in (parts, objects, uploads)]
    for call in (lambda: driver.list_parts(UPLOAD), lambda: driver.list("b"), lambda: driver.list_uploads("b")):
        assert failure_of(driver, call).code is Code.SERVER


def query(wire: Wire) -> dict[str, str]:
    target = wire.head()[""].split()[1]
    return {name: values[0] for name, values in parse_qs(urlsplit(target).query, keep_blank_values=True).items()}


def listing(*names: str, token: str = "") -> bytes:
    """A page of keys, and of common prefixes, which end in a slash."""
    folders = [f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>" for name in names if name.endswith("/")]
    keys = [f"<Contents><Key>{name}</Key></Contents>" for name in names if not name.endswith("/")]
    more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    return answer(200, f"<ListBucketResult>{''.join(keys + folders)}{more}</ListBucketResult>")


def test_list_as_s3(wire: Wire) -> None:
    driver = make_driver(wire, server="s3")
    wire.answers = [listing("a", "b/", token="t"), listing("c")]
    first = driver.list("bucket", "", "/", "0", limit=2)
    places = {"delimiter": "/", "start-after": "0", "max-keys": "2"}
    assert query(wire) == {"list-type": "2", "encoding-type": "url", "prefix": "", **places}
    assert ([info.key for info in first.objects], first.prefixes, first.token) == (["a"], ("b/",), "t")
    assert driver.list("bucket", token=first.token).token is None
    assert (query(wire)["continuation-token"], "delimiter" in query(wire), "start-after" in query(wire)) == (
        "t",
        False,
        False,
    )
    driver.close()


def walk(
    driver: MinioDriver, prefix: str = "", delimiter: str = "", start_after: str = "", *, limit: int
) -> tuple[list[str], list[str]]:
    keys: list[str] = []
    prefixes: list[str] = []
    token: str | None = None
    while True:
        page = driver.list("bucket", prefix, delimiter, start_after, token, limit)
        assert len(page.objects) + len(page.prefixes) <= limit
        keys += [info.key for info in page.objects]
        prefixes += page.prefixes
        token = page.token
        if token is None:
            return keys, prefixes


def test_list_on_minio_asks_for_two_and_gives_one(wire: Wire, driver: MinioDriver) -> None:
    """For one key MinIO would take the prefix for the whole answer."""
    wire.answers = [listing("a", "a-b", token="t"), listing("a", "a-b", token="t"), listing("a-c")]
    assert walk(driver, "a", limit=1) == (["a", "a-b", "a-c"], [])
    assert query(wire)["max-keys"] == "2"


def test_list_on_minio_drops_what_a_page_repeats(wire: Wire, driver: MinioDriver) -> None:
    """Between two looks at one page the key it had ended with was deleted, and another one was put before it."""
    wire.answers = [listing("b", "c", token="t"), listing("a", "c", token="t"), listing("d")]
    assert walk(driver, limit=1) == (["b", "c", "d"], [])


def test_list_on_minio_starts_at_the_beginning(wire: Wire, driver: MinioDriver) -> None:
    wire.answers = [listing("a", "b", token="t"), listing("c", "d", token="u"), listing("e")]
    assert walk(driver, "", "", "c", limit=2) == (["d", "e"], [])
    assert not [request for request in wire.requests if b"start-after" in request]


def test_list_on_minio_keeps_a_folder_that_it_starts_in(wire: Wire, driver: MinioDriver) -> None:
    wire.answers = [listing("a", "b/", "c"), listing("b/", "c/")]
    assert walk(driver, "", "/", "b/x", limit=5) == (["c"], ["b/"])
    assert walk(driver, "", "/", "bb", limit=5) == ([], ["c/"])


def test_list_on_minio_folds_other_delimiters_itself(wire: Wire, driver: MinioDriver) -> None:
    wire.answers = [listing("a-b", "a-c", token="t"), listing("a-d", "a/e", token="u"), listing("b-", "c")]
    assert walk(driver, "", "-", limit=2) == (["a/e", "c"], ["a-", "b-"])
    assert not [request for request in wire.requests if b"delimiter" in request]


def test_uploads_go_on_behind_the_last_one_whatever_the_markers_say(wire: Wire, driver: MinioDriver) -> None:
    """Swift leaves a plus in NextKeyMarker as it is, and encodes it in Key."""
    text = (
        "<ListMultipartUploadsResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
        "<NextKeyMarker>a+ b</NextKeyMarker><Upload><Key>a%2B%20b</Key><UploadId>1</UploadId>"
        "<Initiated>2026-11-21T01:21:16.000Z</Initiated></Upload></ListMultipartUploadsResult>"
    )
    wire.answers = [answer(200, text), answer(200, "<ListMultipartUploadsResult/>")]
    page = driver.list_uploads("bucket", "a")
    assert [(upload.key, upload.id) for upload in page.uploads] == [("a+ b", "1")]
    driver.list_uploads("bucket", "a", page.token)
    assert (query(wire)["key-marker"], query(wire)["upload-id-marker"]) == ("a+ b", "1")
    assert "delimiter" not in query(wire)


def test_uploads_go_on_where_the_service_says(wire: Wire, driver: MinioDriver) -> None:
    """rclone names the first upload of the next page, and would begin with the last of this one again."""
    text = (
        "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker>"
        "<NextUploadIdMarker>2</NextUploadIdMarker><Upload><Key>a</Key><UploadId>1</UploadId></Upload>"
        "</ListMultipartUploadsResult>"
    )
    wire.answers = [answer(200, text), answer(200, "<ListMultipartUploadsResult/>")]
    driver.list_uploads("bucket", "a", driver.list_uploads("bucket", "a").token)
    assert (query(wire)["key-marker"], query(wire)["upload-id-marker"]) == ("a", "2")


def test_uploads_are_asked_for_encoded_only_where_xml_cannot_hold_them(wire: Wire, driver: MinioDriver) -> None:
    """Ceph encodes keys when asked to, and does not say that it did."""
    plain = "<ListMultipartUploadsResult><Upload><Key>a%20b</Key><UploadId>1</UploadId></Upload>"
    coded = plain.replace("<Upload>", "<EncodingType>url</EncodingType><Upload>", 1)
    end = "</ListMultipartUploadsResult>"
    wire.answers = [answer(200, plain + end), answer(200, plain.replace("%20", "\x01") + end), answer(200, coded + end)]
    assert driver.list_uploads("bucket").uploads[0].key == "a%20b"
    assert "encoding-type" not in query(wire)
    assert driver.list_uploads("bucket").uploads[0].key == "a b"
    assert query(wire)["encoding-type"] == "url"


def test_a_bucket_that_never_had_an_upload_has_none(wire: Wire, driver: MinioDriver) -> None:
    """rclone has no word for it but that of an absent upload."""
    wire.answers = [answer(404, "<Error><Code>NoSuchUpload</Code></Error>", content_type="text/xml")]
    assert driver.list_uploads("bucket").uploads == ()


def test_a_complete_without_an_etag_has_the_one_that_s3_defines(wire: Wire, driver: MinioDriver) -> None:
    """Ceph leaves it out of its first answer. Where parts have no MD5, nothing is made up."""
    root = "CompleteMultipartUploadResult"
    wire.answers = [answer(200, f"<{root}><Key>key</Key><ETag></ETag></{root}>")] * 3
    parts = [Part(number, 1, hashlib.md5(b"%d" % number).hexdigest()) for number in (1, 2)]
    whole = hashlib.md5(b"".join(hashlib.md5(b"%d" % number).digest() for number in (1, 2))).hexdigest()
    assert driver.complete_upload(UPLOAD, parts).etag == f"{whole}-2"
    other = failure_of(driver, lambda: driver.complete_upload(UPLOAD, [Part(1, 1, "opaque")]))
    assert (other.code, other.status) == (Code.SERVER, 200)


def test_a_copy_of_a_part_that_is_taken_for_a_part_without_bytes_is_unsupported(
    wire: Wire, driver: MinioDriver
) -> None:
    """As rclone takes it: there is an etag, and no document."""
    wire.answers = [answer(200, ETag='"d41d8cd98f00b204e9800998ecf8427e"')]
    refused = failure_of(driver, lambda: driver.copy_part(UPLOAD, 1, "bucket", "source", 0, 5, "e"))
    assert refused.code is Code.UNSUPPORTED


def test_a_list_of_parts_may_be_called_a_response(wire: Wire, driver: MinioDriver) -> None:
    """moto calls it so."""
    part = "<Part><PartNumber>3</PartNumber><Size>7</Size><ETag>e</ETag></Part>"
    wire.answers = [answer(200, f"<ListPartsResponse>{part}</ListPartsResponse>")]
    assert driver.list_parts(UPLOAD).parts == (Part(3, 7, "e"),)


def test_the_condition_of_a_copy_has_two_names(wire: Wire, driver: MinioDriver) -> None:
    """AWS's, and Ceph's."""
    wire.answers = [answer(200, "<CopyObjectResult><ETag>e</ETag></CopyObjectResult>")]
    driver.copy("bucket", "key", "bucket", "source", PLAIN, "wanted")
    sent = {name.lower(): value for name, value in wire.head().items()}
    assert sent["x-amz-copy-source-if-match"] == sent["x-amz-copy-if-match"] == '"wanted"'


@pytest.mark.parametrize(
    ("bucket", "key"), [("", "k"), ("a/b", "k"), ("..", "k"), ("b", ""), ("b", "a/../c"), ("b", ".")]
)
def test_names_that_would_address_something_else(bucket: str, key: str) -> None:
    """DELETE of an empty key would delete the bucket; urllib3 would make ``a/../c`` a ``c``."""
    driver = MinioDriver.from_settings({**ACCOUNT, "endpoint": "127.0.0.1:1"})
    assert failure_of(driver, lambda: driver.delete(bucket, key)).code is Code.INVALID_NAME


NO_KEY: Any = None


@pytest.mark.parametrize(
    "call",
    [
        lambda d: d.head("bucket", NO_KEY),
        lambda d: d.read("bucket", NO_KEY),
        lambda d: d.put("bucket", NO_KEY, body(b"data"), PLAIN),
        lambda d: d.delete("bucket", NO_KEY),
        lambda d: d.copy("bucket", NO_KEY, "bucket", "key", PLAIN),
        lambda d: d.create_upload("bucket", NO_KEY, PLAIN, None),
        lambda d: d.put_part(replace(UPLOAD, key=NO_KEY), 1, body(b"data")),
        lambda d: d.list_parts(replace(UPLOAD, key=NO_KEY)),
        lambda d: d.complete_upload(replace(UPLOAD, key=NO_KEY), [Part(1, 1, "e")]),
        lambda d: d.abort_upload(replace(UPLOAD, key=NO_KEY)),
        lambda d: d.presign("PUT", "bucket", NO_KEY, timedelta(hours=1)),
        lambda d: d.delete(None, "key"),
        lambda d: d.delete_bucket(None),
    ],
)
def test_what_is_no_name_is_never_a_request_for_something_else(
    wire: Wire, driver: MinioDriver, call: Callable[[Any], object]
) -> None:
    """DELETE of the key None was a DELETE of the bucket."""
    wire.answers = [answer(204)]
    assert failure_of(driver, lambda: call(driver)).code is Code.INVALID_NAME
    assert wire.requests == []


@pytest.mark.parametrize("name", ["b", "ab", "x" * 64, "Upper", "under_score", "-x-", "a..b", "abc.", "192.168.5.4"])
def test_a_bucket_that_cannot_be_is_not_asked_for_and_the_rule_is_said(
    wire: Wire, driver: MinioDriver, name: str
) -> None:
    failure = failure_of(driver, lambda: driver.create_bucket(name))
    assert (failure.code, wire.requests) == (Code.INVALID_NAME, [])
    assert f"'{name}' is no name of a bucket: a bucket's name has 3 to 63 characters" in failure.detail


@pytest.mark.parametrize("name", ["abc", "x" * 63, "1.2.3", "a-b.c", "1.2.3.4.5"])
def test_a_bucket_that_can_be_is_made(wire: Wire, driver: MinioDriver, name: str) -> None:
    wire.answers = [answer()]
    driver.create_bucket(name)
    assert wire.head()[""] == f"PUT /{name} HTTP/1.1"


@pytest.mark.parametrize(
    ("bucket", "reply", "code"),
    [
        ("B", answer(400, x_amz_request_id="r1"), Code.INVALID_NAME),
        ("B", refused(400, "InvalidBucketName", "Not valid.", x_amz_request_id="r1"), Code.INVALID_NAME),
        ("B", refused(400, "BadRequest", "Another reason.", x_amz_request_id="r1"), Code.REFUSED),
        ("B", answer(404, x_amz_request_id="r1"), Code.NOT_FOUND),
        ("bucket", answer(400, x_amz_request_id="r1"), Code.REFUSED),
    ],
)
def test_a_refusal_without_words_is_explained_by_the_buckets_name(
    wire: Wire, driver: MinioDriver, bucket: str, reply: bytes, code: Code
) -> None:
    wire.answers = [reply]
    failure = failure_of(driver, lambda: driver.read(bucket, "key"))
    assert (failure.code, failure.request_id) == (code, "r1")
    assert ("3 to 63" in failure.detail) is (code is Code.INVALID_NAME)


@pytest.mark.parametrize(
    "token", ["garbage", "{}", "[]", "7", "null", '["a"]', "[1, 2]", '["a", null]', '["a", "b", 3]']
)
def test_a_token_that_is_none_of_ours_is_refused(wire: Wire, driver: MinioDriver, token: str) -> None:
    with pytest.raises(ConfigurationError, match="token"):
        driver.list("bucket", token=token)
    assert wire.requests == []


def test_bucket_in_a_region(wire: Wire) -> None:
    driver = make_driver(wire, region="eu-west-1")
    wire.answers = [answer(), answer()]
    driver.create_bucket("bucket")
    assert b"<LocationConstraint>eu-west-1<" in wire.body()
    driver.create_bucket("bucket", "us-east-1")
    assert wire.body() == b""
    driver.close()


def test_presign() -> None:
    driver = MinioDriver.from_settings({**ACCOUNT, "session_token": "token", "region": "r"})
    url = urlsplit(driver.presign("PUT_PART", "bucket", "k ü", timedelta(hours=1), upload_id="id", part_number=3))
    asked = parse_qs(url.query)
    assert (url.path, asked["partNumber"], asked["uploadId"]) == ("/bucket/k%20%C3%BC", ["3"], ["id"])
    assert (asked["X-Amz-Expires"], asked["X-Amz-Security-Token"]) == (["3600"], ["token"])
    for operation, expires, code in (
        ("DELETE", timedelta(hours=1), Code.UNSUPPORTED),
        ("GET", timedelta(days=8), Code.REFUSED),
        ("GET", timedelta(0), Code.REFUSED),
        ("PUT", timedelta(hours=1), Code.INVALID_NAME),
    ):
        assert failure_of(driver, lambda o=operation, e=expires: driver.presign(o, "bucket", "a/../b", e)).code is code  # type: ignore[misc]


# --- classify ---------------------------------------------------------------------------------------------------------

CODES = {
    "NoSuchKey": (404, Code.NOT_FOUND),
    "NoSuchBucket": (404, Code.BUCKET_NOT_FOUND),
    "NoSuchUpload": (404, Code.UPLOAD_GONE),
    "BucketAlreadyExists": (409, Code.BUCKET_EXISTS),
    "BucketAlreadyOwnedByYou": (409, Code.BUCKET_EXISTS),
    "BucketNotEmpty": (409, Code.BUCKET_NOT_EMPTY),
    "OperationAborted": (409, Code.CONFLICT),
    "PreconditionFailed": (412, Code.PRECONDITION),
    "ConditionalRequestConflict": (409, Code.PRECONDITION),
    "InvalidPart": (400, Code.PART_INVALID),
    "InvalidPartOrder": (400, Code.PART_INVALID),
    "EntityTooSmall": (400, Code.TOO_SMALL),
    "EntityTooLarge": (400, Code.TOO_LARGE),
    "BadDigest": (400, Code.INTEGRITY),
    "InvalidDigest": (400, Code.INTEGRITY),
    "XAmzContentSHA256Mismatch": (400, Code.INTEGRITY),
    "AccessDenied": (403, Code.ACCESS_DENIED),
    "AllAccessDisabled": (403, Code.ACCESS_DENIED),
    "AccountProblem": (403, Code.ACCESS_DENIED),
    "InvalidAccessKeyId": (403, Code.BAD_CREDENTIALS),
    "SignatureDoesNotMatch": (403, Code.BAD_CREDENTIALS),
    "ExpiredToken": (400, Code.EXPIRED_CREDENTIALS),
    "InvalidToken": (400, Code.EXPIRED_CREDENTIALS),
    "InvalidTokenId": (403, Code.EXPIRED_CREDENTIALS),
    "RequestTimeTooSkewed": (403, Code.CLOCK_SKEW),
    "InvalidBucketName": (400, Code.INVALID_NAME),
    "XMinioInvalidObjectName": (400, Code.INVALID_NAME),
    "KeyTooLongError": (400, Code.INVALID_NAME),
    "PermanentRedirect": (301, Code.WRONG_ENDPOINT),
    "AuthorizationHeaderMalformed": (400, Code.WRONG_ENDPOINT),
    "InvalidObjectState": (403, Code.ARCHIVED),
    "NotImplemented": (501, Code.UNSUPPORTED),
    "SlowDown": (503, Code.THROTTLED),
    "SlowDownWrite": (503, Code.THROTTLED),
    "ServiceUnavailable": (503, Code.THROTTLED),
    "TooManyRequests": (429, Code.THROTTLED),
    "RequestTimeout": (400, Code.TIMEOUT),
    "InternalError": (500, Code.SERVER),
    "XMinioServerNotInitialized": (503, Code.SERVER),
    "IncompleteBody": (400, Code.NETWORK),
    "XMinioStorageFull": (507, Code.REFUSED),
    "NobodyKnows": (409, Code.CONFLICT),
    "MalformedXML": (400, Code.REFUSED),
    "InvalidRange": (416, Code.REFUSED),
}


def said(status: int, code: str | None) -> S3Error:
    text = f"<Error><Code>{code}</Code><Message>Why.</Message></Error>" if code else ""
    return _client.refusal(HTTPResponse(text.encode(), {"x-amz-request-id": "r"}, status, preload_content=False))


@pytest.mark.parametrize("vendor_code", CODES)
def test_classify_by_code(vendor_code: str) -> None:
    status, code = CODES[vendor_code]
    assert classify(said(status, vendor_code)) == Failure(code, "Why", None, "r", status, vendor_code)


RESET = ConnectionResetError(errno.ECONNRESET, "reset by peer")
POOL: Any = SimpleNamespace()
CERTIFICATE = ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed certificate")
CERTIFICATE.verify_message = "self-signed certificate"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidResponseError(503, "text/html", "x"), Code.THROTTLED),
        (ServerError("x", 500), Code.SERVER),
        (DriverError(Failure(Code.CLOCK_SKEW)), Code.CLOCK_SKEW),
        (http.ReadTimeoutError(POOL, "/", "Read timed out."), Code.TIMEOUT),
        (http.ConnectTimeoutError("x"), Code.TIMEOUT),
        (http.ProtocolError("Connection aborted.", TimeoutError("timed out")), Code.TIMEOUT),
        (http.ProtocolError("Connection aborted.", http.ReadTimeoutError(POOL, "/", "x")), Code.TIMEOUT),
        (http.NewConnectionError(POOL, "Connection refused"), Code.NETWORK),
        (http.NameResolutionError("host", POOL, socket.gaierror(-2, "Name or service not known")), Code.NETWORK),
        (http.ProtocolError("Connection aborted.", RESET), Code.NETWORK),
        (http.ProtocolError("Connection aborted.", RemoteDisconnected("x")), Code.NETWORK),
        (http.ProtocolError("Connection aborted.", connections.StaleConnectionError("x")), Code.STALE_CONNECTION),
        (http.ProtocolError("Connection broken", http.IncompleteRead(1, 2)), Code.NETWORK),
        (RESET, Code.NETWORK),
        (http.SSLError(CERTIFICATE), Code.UNTRUSTED),
        (http.SSLError(ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")), Code.WRONG_ENDPOINT),
        (http.SSLError(ssl.SSLError(1, "[SSL] record layer failure")), Code.WRONG_ENDPOINT),
        (http.SSLError(ssl.SSLEOFError(8, "EOF occurred in violation of protocol")), Code.NETWORK),
        (KeyError("x"), Code.UNKNOWN),
        (ValueError("x"), Code.UNKNOWN),
        (KeyboardInterrupt(), Code.UNKNOWN),
    ],
)
def test_classify_by_exception(error: BaseException, code: Code) -> None:
    assert classify(error).code is code
    assert replace(classify(error), code=code) == classify(error), "classify is pure"


def test_certificate_problem_is_named() -> None:
    assert "self-signed certificate" in classify(http.SSLError(CERTIFICATE)).detail


def test_url_of_a_failed_request_is_not_shown() -> None:
    error = http.ReadTimeoutError(POOL, "/b/k?X-Amz-Signature=secret", "Read timed out.")
    assert "secret" not in classify(error).detail


def test_xml_without_and_with_namespace() -> None:
    for space in ("", ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'):
        root = xml.parse(f"<A{space}><EncodingType>url</EncodingType><Key>a+b%2B</Key></A>".encode())
        assert root is not None
        assert xml.key(root, root, "Key") == "a b+"


def test_checksum_of_another_kind_is_not_sent(wire: Wire, driver: MinioDriver) -> None:
    wire.answers = [answer(200, ETag='"e"')]
    driver.put("b", "k", body(b"x", checksum=Checksum("crc64", "0" * 16)), PLAIN)
    assert "content-md5" not in wire.head()


@pytest.mark.parametrize("page", ["<!DOCTYPE html><p>Console</p>", "<html><body>Console</body></html>", "<x/>"])
def test_a_web_page_is_neither_a_listing_nor_an_object(driver: MinioDriver, wire: Wire, page: str) -> None:
    """MinIO's console answers every path with its page and status 200."""
    asks: list[tuple[Code, Callable[[], object]]] = [
        (Code.WRONG_ENDPOINT, lambda: driver.list("bucket")),
        (Code.WRONG_ENDPOINT, lambda: driver.list_uploads("bucket", "k")),
        (Code.WRONG_ENDPOINT, lambda: driver.list_parts(UPLOAD)),
        (Code.WRONG_ENDPOINT, lambda: driver.delete_many("bucket", ["k"])),
        (Code.SERVER, lambda: driver.read("bucket", "k")),
    ]
    for code, ask in asks:
        wire.answers = [answer(200, page)]
        assert code == failure_of(driver, ask).code
