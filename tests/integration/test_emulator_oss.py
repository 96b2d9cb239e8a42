"""Conversations with the OSS emulator over real sockets, by a client that shares no code with it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastcrc import crc64

from storagekit.driver import Driver
from storagekit.drivers.local import LocalDriver
from storagekit.drivers.memory import MemoryDriver
from storagekit.testing.bodies import pattern
from storagekit.testing.emulator import LIMITS_OF_OSS, Account, Emulator, Settings, resolving
from storagekit.testing.emulator.fixtures import oss_emulator  # noqa: F401  # a fixture of the tests below
from tests.integration.emulator_client import OssClient, Reply

pytestmark = pytest.mark.integration

SMALL = 100 * 1024  # the least part but the last
NOW = 1_800_000_000.0
ACCOUNTS: dict[str, str | Account] = {
    "AK": "the-secret",
    "OTHER": Account("another-secret", owner="somebody-else"),
    "STS": Account("sts-secret", token="a+token/=", expires=NOW + 100),
}
PUBLIC = Settings(public_buckets={"open-1"}, cnames={"files.example.test": "data"})

Speak = Callable[..., OssClient]


@pytest.fixture(params=["memory", "local"])
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Driver:
    return MemoryDriver(LIMITS_OF_OSS) if request.param == "memory" else LocalDriver(tmp_path / "buckets")


@pytest.fixture
def emulator(driver: Driver) -> Iterator[Emulator]:
    with Emulator("oss", driver, ACCOUNTS, settings=PUBLIC) as running:
        yield running


@pytest.fixture
def speak() -> Iterator[Speak]:
    """Makes clients, whose connections are closed at the end."""
    made: list[OssClient] = []

    def make(*args: Any, **named: Any) -> OssClient:
        made.append(OssClient(*args, **named))
        return made[-1]

    yield make
    for client in made:
        client.connection.close()


@pytest.fixture(params=["v1", "v4"])
def client(emulator: Emulator, speak: Speak, request: pytest.FixtureRequest) -> OssClient:
    made = speak(emulator.port, "AK", "the-secret", version=request.param)
    assert made.ask("PUT", "data").status == 200
    return made


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def crc(data: bytes) -> str:
    return str(crc64.xz(data))


def refused(reply: Reply, status: int, code: str) -> bool:
    return (reply.status, reply.code) == (status, code)


# --- objects ----------------------------------------------------------------------------------------------------------


def test_an_object_comes_back_with_all_that_was_said_of_it(client: OssClient) -> None:
    sent = {
        "Content-Type": "text/x-odd",
        "Content-MD5": md5(b"hello"),
        "Cache-Control": "no-store",
        "x-oss-meta-a": "1",
        "x-oss-storage-class": "IA",
    }
    put = client.ask("PUT", "data", "a b/ü~+.txt", body=b"hello", headers=sent)
    assert (put.status, put.headers["server"]) == (200, "AliyunOSS")
    assert put.headers["x-oss-hash-crc64ecma"] == crc(b"hello")
    for method in ("GET", "HEAD"):
        got = client.ask(method, "data", "a b/ü~+.txt")
        assert (got.status, got.data) == (200, b"hello" if method == "GET" else b"")
        wanted = {
            "content-length": "5",
            "content-type": "text/x-odd",
            "cache-control": "no-store",
            "x-oss-meta-a": "1",
            "x-oss-storage-class": "IA",
            "x-oss-object-type": "Normal",
            "x-oss-hash-crc64ecma": crc(b"hello"),
            "etag": put.headers["etag"],
            "accept-ranges": "bytes",
        }
        assert wanted.items() <= got.headers.items()
        assert {"x-oss-request-id", "x-oss-server-time", "date", "last-modified"} <= got.headers.keys()
    assert client.ask("DELETE", "data", "a b/ü~+.txt").status == 204


def test_etags_are_upper_case(client: OssClient, driver: Driver) -> None:
    etag = client.ask("PUT", "data", "key", body=b"hello").etag
    assert etag == etag.upper()
    assert etag == hashlib.md5(b"hello").hexdigest().upper() or isinstance(driver, LocalDriver)
    assert client.ask("GET", "data", "key", headers={"If-Match": f'"{etag}"'}).status == 200
    assert refused(client.ask("GET", "data", "key", headers={"If-Match": '"0"'}), 412, "PreconditionFailed")
    assert client.ask("GET", "data", "key", headers={"If-None-Match": etag}).status == 304


def test_errors_say_the_same_in_a_body_and_for_head_in_a_header(client: OssClient) -> None:
    got, head = client.ask("GET", "data", "no"), client.ask("HEAD", "data", "no")
    assert refused(got, 404, "NoSuchKey")
    assert refused(head, 404, "NoSuchKey")
    assert got.text("RequestId") == got.headers["x-oss-request-id"]
    assert got.text("HostId") == client.host("data")
    assert got.text("EC") == got.headers["x-oss-ec"] == head.headers["x-oss-ec"] == "0026-00000001"
    assert head.data == b""


def test_what_is_known_of_an_object_in_short(client: OssClient) -> None:
    client.ask("PUT", "data", "key", body=b"hello", headers={"x-oss-meta-a": "1"})
    meta = client.ask("HEAD", "data", "key", {"objectMeta": ""})
    assert (meta.status, meta.headers["content-length"]) == (200, "5")
    assert {"etag", "last-modified", "x-oss-hash-crc64ecma"} <= meta.headers.keys()
    assert not {"x-oss-meta-a", "content-type"} & meta.headers.keys()
    assert refused(client.ask("HEAD", "data", "no", {"objectMeta": ""}), 404, "NoSuchKey")


@pytest.mark.parametrize(
    ("digest", "body"),
    [(md5(b"other"), b"hello"), ("nonsense", b"hello"), (md5(b"x"), b"")],
    ids=["another", "none", "empty body"],
)
def test_nothing_is_stored_of_a_body_with_another_md5(client: OssClient, digest: str, body: bytes) -> None:
    sent = {"Content-MD5": digest}
    assert refused(client.ask("PUT", "data", "key", body=body, headers=sent), 400, "InvalidDigest")
    assert refused(client.ask("GET", "data", "key"), 404, "NoSuchKey")
    upload = client.begin("data", "key")
    query = {"partNumber": "1", "uploadId": upload}
    assert refused(client.ask("PUT", "data", "key", query, body, sent), 400, "InvalidDigest")
    assert client.ask("GET", "data", "key", {"uploadId": upload}).texts("Part") == []


@pytest.mark.parametrize(
    ("given", "usual", "standard"),
    [
        ("bytes=2-5", (206, b"2345"), (206, b"2345")),
        ("bytes=7-", (206, b"789"), (206, b"789")),
        ("bytes=-4", (206, b"6789"), (206, b"6789")),
        ("bytes=5-20", (200, b"0123456789"), (206, b"56789")),
        ("bytes=-11", (200, b"0123456789"), (206, b"0123456789")),
        ("bytes=-10", (206, b"0123456789"), (206, b"0123456789")),
        ("bytes=10-", (200, b"0123456789"), (416, b"")),
        ("bytes=9-9", (206, b"9"), (206, b"9")),
        ("byte=1-2", (200, b"0123456789"), (200, b"0123456789")),
    ],
)
def test_a_range_that_is_not_all_in_the_object_is_ignored_unless_asked_for_the_standard(
    client: OssClient, given: str, usual: tuple[int, bytes], standard: tuple[int, bytes]
) -> None:
    client.ask("PUT", "data", "key", body=b"0123456789")
    got = client.ask("GET", "data", "key", headers={"Range": given})
    assert (got.status, got.data) == usual
    assert got.headers["x-oss-hash-crc64ecma"] == crc(b"0123456789")  # of the whole, whatever the range
    got = client.ask("GET", "data", "key", headers={"Range": given, "x-oss-range-behavior": "standard"})
    assert (got.status, b"" if got.status == 416 else got.data) == standard


def test_an_object_is_kept_where_the_request_says_so(client: OssClient) -> None:
    keep = {"x-oss-forbid-overwrite": "true"}
    assert client.ask("PUT", "data", "key", body=b"first", headers=keep).status == 200
    client.ask("PUT", "data", "source", body=b"source")
    copy = {"x-oss-copy-source": "/data/source"}
    assert refused(client.ask("PUT", "data", "key", body=b"second", headers=keep), 409, "FileAlreadyExists")
    assert refused(client.ask("PUT", "data", "key", headers={**copy, **keep}), 409, "FileAlreadyExists")
    upload = client.begin("data", "key")
    etag = client.part("data", "key", upload, 1, b"second")
    assert refused(client.complete("data", "key", upload, [(1, etag)], **keep), 409, "FileAlreadyExists")
    assert client.ask("GET", "data", "key").data == b"first"
    assert client.ask("PUT", "data", "key", body=b"", headers={"x-oss-forbid-overwrite": "false"}).status == 200
    assert client.complete("data", "key", upload, [(1, etag)]).status == 200
    assert client.ask("GET", "data", "key").data == b"second"


def test_of_many_who_may_not_replace_one_publishes(emulator: Emulator, client: OssClient, speak: Speak) -> None:
    clients = [speak(emulator.port, "AK", "the-secret") for _ in range(8)]
    keep = {"x-oss-forbid-overwrite": "true"}

    def put(number: int) -> int:
        return clients[number].ask("PUT", "data", "key", body=bytes([number]) * 1000, headers=keep).status

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(put, range(8)))
    assert sorted(statuses) == [200, *[409] * 7]
    assert client.ask("GET", "data", "key").data == bytes([statuses.index(200)]) * 1000


def test_a_copy_takes_the_labels_along_or_new_ones(client: OssClient) -> None:
    put = client.ask("PUT", "data", "a b", body=b"hello", headers={"x-oss-meta-a": "1", "Content-Type": "text/x"})
    source = {"x-oss-copy-source": "/data/a%20b"}
    copied = client.ask("PUT", "data", "copy", headers=source)
    assert copied.text("ETag") == copied.headers["etag"]
    assert copied.headers["x-oss-hash-crc64ecma"] == crc(b"hello")
    assert client.ask("HEAD", "data", "copy").headers["x-oss-meta-a"] == "1"
    client.ask("PUT", "data", "copy", headers={**source, "x-oss-metadata-directive": "REPLACE", "x-oss-meta-b": "2"})
    new = client.ask("HEAD", "data", "copy").headers
    assert (new["x-oss-meta-b"], "x-oss-meta-a" in new) == ("2", False)
    other = {**source, "x-oss-copy-source-if-match": "x"}
    assert refused(client.ask("PUT", "data", "copy", headers=other), 412, "PreconditionFailed")
    same = {**source, "x-oss-copy-source-if-none-match": put.etag}
    assert client.ask("PUT", "data", "copy", headers=same).status == 304
    assert refused(client.ask("PUT", "data", "c", headers={"x-oss-copy-source": "/data/no"}), 404, "NoSuchKey")


def test_many_are_deleted_at_once(client: OssClient) -> None:
    for key in ("a", "b ü", "c"):
        client.ask("PUT", "data", key, body=b"")

    def delete(query: dict[str, str], quiet: str, *keys: str) -> Reply:
        rows = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
        body = f"<Delete><Quiet>{quiet}</Quiet>{rows}</Delete>".encode()
        return client.ask("POST", "data", "", {"delete": "", **query}, body, {"Content-MD5": md5(body)})

    said = delete({"encoding-type": "url"}, "false", "b ü", "never")
    assert (said.text("EncodingType"), said.texts("Deleted/Key")) == ("url", ["b%20%C3%BC", "never"])
    assert delete({}, "true", "a").texts("Deleted/Key") == []
    assert client.ask("GET", "data").texts("Contents/Key") == ["c"]


# --- listings ---------------------------------------------------------------------------------------------------------


def test_listings_have_what_clients_insist_on(client: OssClient) -> None:
    for key in ("a/1", "a/2", "b ü", "c"):
        client.ask("PUT", "data", key, body=b"x")
    first = client.ask("GET", "data", "", {"max-keys": "2", "encoding-type": "url", "delimiter": "/"})
    assert b"xmlns" not in first.data
    assert first.texts("CommonPrefixes/Prefix") + first.texts("Contents/Key") == ["a/", "b%20%C3%BC"]
    assert (first.text("IsTruncated"), first.text("NextMarker")) == ("true", "b%20%C3%BC")
    names = [element.tag for element in first.xml.findall("Contents/*")]
    assert names == ["Key", "LastModified", "ETag", "Type", "Size", "StorageClass", "Owner"]
    assert first.text("Contents/LastModified").endswith(".000Z")
    rest = client.ask("GET", "data", "", {"marker": "b ü", "delimiter": "/"})
    assert (rest.texts("Contents/Key"), rest.text("IsTruncated")) == (["c"], "false")
    assert rest.text("MaxKeys") == "100"


def test_the_second_form_of_listings_goes_on_by_tokens(client: OssClient) -> None:
    keys = [f"k{number}" for number in range(5)]
    for key in keys:
        client.ask("PUT", "data", key, body=b"x")
    found: list[str] = []
    token = ""
    while True:
        query = {"list-type": "2", "max-keys": "2", **({"continuation-token": token} if token else {})}
        page = client.ask("GET", "data", "", query)
        found += page.texts("Contents/Key")
        assert page.text("KeyCount") == str(len(page.texts("Contents/Key")))
        assert page.texts("Contents/Owner") == []
        if page.text("IsTruncated") == "false":
            break
        token = page.text("NextContinuationToken")
    assert found == keys
    after = client.ask("GET", "data", "", {"list-type": "2", "start-after": "k3", "fetch-owner": "true"})
    assert (after.texts("Contents/Key"), len(after.texts("Contents/Owner/ID"))) == (["k4"], 1)


@pytest.mark.parametrize("number", ["1001", "x", "-1"])
def test_a_page_has_a_thousand_rows_at_most(client: OssClient, number: str) -> None:
    assert refused(client.ask("GET", "data", "", {"max-keys": number}), 400, "InvalidArgument")


def test_uploads_and_parts_are_listed_with_markers_also_on_the_last_page(client: OssClient) -> None:
    uploads = [client.begin("data", f"key {number}") for number in range(3)]
    first = client.ask("GET", "data", "", {"uploads": "", "max-uploads": "2"})
    assert (first.text("NextKeyMarker"), first.text("NextUploadIdMarker")) == ("key 1", uploads[1])
    last = client.ask("GET", "data", "", {"uploads": "", "key-marker": "key 1", "upload-id-marker": uploads[1]})
    assert (last.texts("Upload/UploadId"), last.text("NextKeyMarker")) == ([uploads[2]], "")
    for number in (1, 7):
        client.part("data", "key 0", uploads[0], number, bytes([number]))
    parts = client.ask("GET", "data", "key 0", {"uploadId": uploads[0], "encoding-type": "url", "max-parts": "1"})
    assert parts.xml.tag == "ListPartsResult"
    assert (parts.text("Key"), parts.text("NextPartNumberMarker")) == ("key%200", "1")
    rest = client.ask("GET", "data", "key 0", {"uploadId": uploads[0], "part-number-marker": "1"})
    assert (rest.texts("Part/PartNumber"), rest.text("NextPartNumberMarker")) == (["7"], "7")
    none = client.ask("GET", "data", "key 1", {"uploadId": uploads[1]})
    assert none.text("NextPartNumberMarker") == "0"


# --- uploads ----------------------------------------------------------------------------------------------------------


def test_parts_become_an_object_whose_crc_is_that_of_the_whole(client: OssClient) -> None:
    first, last = pattern(SMALL), b"the rest"
    upload = client.begin("data", "key")
    parts = [(2, client.part("data", "key", upload, 2, first)), (9, client.part("data", "key", upload, 9, last))]
    made = client.complete("data", "key", upload, parts)
    assert made.status == 200
    assert made.headers["etag"] == made.text("ETag")
    assert made.headers["x-oss-hash-crc64ecma"] == crc(first + last)
    head = client.ask("HEAD", "data", "key").headers
    assert head["x-oss-hash-crc64ecma"] == crc(first + last)
    assert (head["x-oss-object-type"], head["etag"]) == ("Multipart", made.headers["etag"])
    assert client.ask("GET", "data", "key").data == first + last
    assert refused(client.complete("data", "key", upload, parts), 404, "NoSuchUpload")


def test_completes_that_do_not_fit_change_nothing(client: OssClient) -> None:
    upload = client.begin("data", "key")
    small = client.part("data", "key", upload, 1, b"small")
    last = client.part("data", "key", upload, 2, b"last")
    assert refused(client.complete("data", "key", upload, [(1, small), (2, last)]), 400, "EntityTooSmall")
    assert refused(client.complete("data", "key", upload, [(2, last), (1, small)]), 400, "InvalidPartOrder")
    assert refused(client.complete("data", "key", upload, [(1, last)]), 400, "InvalidPart")
    assert refused(client.complete("data", "key", upload, [(3, last)]), 400, "InvalidPart")
    assert refused(client.complete("data", "key", upload, []), 400, "MalformedXML")
    assert refused(client.ask("HEAD", "data", "key"), 404, "NoSuchKey")
    assert client.complete("data", "key", upload, [(2, last)]).status == 200


def test_the_service_may_be_left_to_say_which_parts_there_are(client: OssClient) -> None:
    whole = {"x-oss-complete-all": "yes"}
    upload = client.begin("data", "key")
    query = {"uploadId": upload}
    assert refused(client.ask("POST", "data", "key", query, b"", whole), 400, "InvalidPart")
    client.part("data", "key", upload, 3, pattern(SMALL))
    client.part("data", "key", upload, 5, b"end")
    assert refused(client.ask("POST", "data", "key", query, b"<x/>", whole), 400, "InvalidArgument")
    assert client.ask("POST", "data", "key", query, b"", whole).status == 200
    assert client.ask("GET", "data", "key").data == pattern(SMALL) + b"end"


def test_of_two_uploads_the_one_that_is_completed_last_stays(client: OssClient) -> None:
    uploads = [client.begin("data", "key") for _ in range(2)]
    for upload, data in reversed(list(zip(uploads, (b"first", b"second"), strict=True))):
        etag = client.part("data", "key", upload, 1, data)
        assert client.complete("data", "key", upload, [(1, etag)]).status == 200
    assert client.ask("GET", "data", "key").data == b"first"


@pytest.mark.parametrize("number", ["0", "10001", "x", ""])
def test_part_numbers_are_1_to_10000(client: OssClient, number: str) -> None:
    upload = client.begin("data", "key")
    query = {"partNumber": number, "uploadId": upload}
    assert refused(client.ask("PUT", "data", "key", query, b"x"), 400, "InvalidArgument")


def test_a_range_of_another_object_becomes_a_part(client: OssClient) -> None:
    source = client.ask("PUT", "data", "source", body=b"0123456789").etag
    upload = client.begin("data", "key")
    query = {"partNumber": "1", "uploadId": upload}
    copy = {"x-oss-copy-source": "/data/source", "x-oss-copy-source-range": "bytes=2-5"}
    other = {**copy, "x-oss-copy-source-if-match": "x"}
    assert refused(client.ask("PUT", "data", "key", query, headers=other), 412, "PreconditionFailed")
    part = client.ask("PUT", "data", "key", query, headers={**copy, "x-oss-copy-source-if-match": source})
    assert part.headers["etag"] == part.text("ETag")
    client.complete("data", "key", upload, [(1, part.etag)])
    assert client.ask("GET", "data", "key").data == b"2345"
    beyond = {**copy, "x-oss-copy-source-range": "bytes=2-10"}
    assert refused(client.ask("PUT", "data", "key", query, headers=beyond), 400, "InvalidArgument")


def test_an_aborted_upload_is_gone(client: OssClient) -> None:
    upload = client.begin("data", "key")
    assert client.ask("DELETE", "data", "key", {"uploadId": upload}).status == 204
    assert refused(client.ask("DELETE", "data", "key", {"uploadId": upload}), 404, "NoSuchUpload")
    part = client.ask("PUT", "data", "key", {"partNumber": "1", "uploadId": upload}, b"x")
    assert refused(part, 404, "NoSuchUpload")


# --- buckets, names, accounts -----------------------------------------------------------------------------------------


def test_a_bucket_says_what_it_is(client: OssClient) -> None:
    info = client.ask("GET", "data", "", {"bucketInfo": ""})
    assert (info.text("Bucket/Name"), info.text("Bucket/Location")) == ("data", "oss-region-1")
    assert info.text("Bucket/AccessControlList/Grant") == "private"
    assert info.text("Bucket/Owner/ID") == "owner"
    location = client.ask("GET", "data", "", {"location": ""})
    assert (location.xml.tag, location.xml.text) == ("LocationConstraint", "oss-region-1")
    assert client.ask("GET", "data", "", {"acl": ""}).text("AccessControlList/Grant") == "private"
    assert refused(client.ask("GET", "none", "", {"bucketInfo": ""}), 404, "NoSuchBucket")


def test_buckets_are_listed_page_by_page(client: OssClient) -> None:
    for name in ("dat-1", "data-2", "data-3"):
        client.ask("PUT", name)
    first = client.ask("GET", query={"prefix": "data", "max-keys": "2"})
    assert first.texts("Buckets/Bucket/Name") == ["data", "data-2"]
    assert (first.text("IsTruncated"), first.text("NextMarker")) == ("true", "data-2")
    last = client.ask("GET", query={"prefix": "data", "marker": "data-2"})
    assert (last.texts("Buckets/Bucket/Name"), last.text("IsTruncated")) == (["data-3"], "false")
    assert client.ask("DELETE", "data-3").status == 204
    assert refused(client.ask("DELETE", "data-3"), 404, "NoSuchBucket")


def test_another_owners_buckets_are_out_of_reach(client: OssClient, speak: Speak) -> None:
    other = speak(client.port, "OTHER", "another-secret")
    assert refused(other.ask("PUT", "data"), 409, "BucketAlreadyExists")
    assert refused(other.ask("GET", "data"), 403, "AccessDenied")
    assert other.ask("GET").texts("Buckets/Bucket/Name") == []
    assert client.ask("PUT", "data").status == 200  # one's own is there already


def test_keys_are_refused_that_oss_does_not_have(client: OssClient) -> None:
    for key in ("k" * 1024, "/a", "\\a"):
        assert refused(client.ask("PUT", "data", key, body=b""), 400, "InvalidObjectName")
    assert refused(client.ask("PUT", "Data_", body=b""), 400, "InvalidBucketName")


def test_a_wrong_secret_is_told_what_should_have_been_signed(client: OssClient, speak: Speak) -> None:
    reply = speak(client.port, "AK", "wrong", version=client.version).ask("GET", "data")
    assert refused(reply, 403, "SignatureDoesNotMatch")
    assert reply.text("SignatureProvided")
    assert ("/data/" if client.version == "v1" else "OSS4-HMAC-SHA256") in reply.text("StringToSign")
    assert refused(speak(client.port, "NOBODY", "x").ask("GET", "data"), 403, "InvalidAccessKeyId")


def test_headers_that_are_signed_besides_are_verified(emulator: Emulator, client: OssClient, speak: Speak) -> None:
    more = speak(emulator.port, "AK", "the-secret", additional=("cache-control",))
    assert more.ask("PUT", "data", "key", body=b"", headers={"Cache-Control": "no-store"}).status == 200
    sent = more.signed("PUT", "data", "key", {}, {"Cache-Control": "no-store"})
    changed = more.send("PUT", "data", "/key", b"", **{**sent, "Cache-Control": "no-cache"})
    assert refused(changed, 403, "SignatureDoesNotMatch")


def test_paths_name_buckets_only_at_an_address(client: OssClient) -> None:
    client.ask("PUT", "data", "key", body=b"hello")
    sent = client.signed("GET", "data", "key", {}, {})
    at_domain = client.send("GET", "", "/data/key", None, **sent)
    assert refused(at_domain, 403, "SecondLevelDomainForbidden")
    at_address = client.send("GET", "", "/data/key", None, **{**sent, "Host": f"127.0.0.1:{client.port}"})
    assert at_address.data == b"hello"


def test_a_domain_of_ones_own_stands_for_its_bucket(client: OssClient) -> None:
    client.ask("PUT", "data", "key", body=b"hello")
    sent = client.signed("GET", "data", "key", {}, {})
    assert client.send("GET", "", "/key", None, **{**sent, "Host": "files.example.test"}).data == b"hello"
    other = client.send("GET", "", "/key", None, **{**sent, "Host": "other.example.test"})
    assert refused(other, 400, "InvalidRequest")


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_urls_are_good_until_they_end(speak: Speak, version: str) -> None:
    now = [NOW]
    with Emulator("oss", accounts=ACCOUNTS, clock=lambda: now[0]) as emulator:
        client = speak(emulator.port, "AK", "the-secret", clock=NOW, version=version)
        client.ask("PUT", "data")
        typed = {"content-type": "text/x"}
        put = client.url("PUT", "data", "a b", 60, {}, **typed)
        assert client.send("PUT", "data", put, b"hello", **typed).status == 200
        assert refused(client.send("PUT", "data", put, b"other"), 403, "SignatureDoesNotMatch")
        get = client.url("GET", "data", "a b", 60, {"response-content-type": "text/y"})
        now[0] = NOW + 60
        got = client.send("GET", "data", get)
        assert (got.data, got.headers["content-type"]) == (b"hello", "text/y")
        assert refused(client.send("GET", "data", get.replace("text%2Fy", "text%2Fz")), 403, "SignatureDoesNotMatch")
        now[0] = NOW + 61
        assert refused(client.send("GET", "data", get), 403, "AccessDenied")


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_a_temporary_key_comes_with_its_token_until_it_ends(speak: Speak, version: str) -> None:
    now = [NOW]
    with Emulator("oss", accounts=ACCOUNTS, clock=lambda: now[0]) as emulator:
        named = {"clock": NOW, "version": version}
        client = speak(emulator.port, "STS", "sts-secret", token="a+token/=", **named)
        assert client.ask("PUT", "data").status == 200
        assert client.send("GET", "data", client.url("GET", "data", "", 90)).status == 200
        for token in ("", "another"):
            other = speak(emulator.port, "STS", "sts-secret", token=token, **named)
            assert refused(other.ask("GET", "data"), 403, "InvalidSecurityToken")
            assert refused(other.send("GET", "data", other.url("GET", "data", "", 90)), 403, "InvalidSecurityToken")
        now[0] = NOW + 101
        assert refused(client.ask("GET", "data"), 403, "SecurityTokenExpired")


def test_a_clock_that_is_off_is_told_the_time(speak: Speak) -> None:
    with Emulator("oss", accounts=ACCOUNTS, clock=lambda: NOW) as emulator:
        for version in ("v1", "v4"):
            late = speak(emulator.port, "AK", "the-secret", clock=NOW - 901, version=version).ask("GET")
            assert refused(late, 403, "RequestTimeTooSkewed")
            assert late.text("ServerTime") == "2027-01-15T08:00:00Z"


def test_a_service_may_take_one_signature_only_and_one_region(speak: Speak) -> None:
    settings = Settings(signatures=("v4",), v4_region="cn-beijing")
    with Emulator("oss", accounts=ACCOUNTS, settings=settings) as emulator:
        assert speak(emulator.port, "AK", "the-secret", region="cn-beijing").ask("GET").status == 200
        assert refused(speak(emulator.port, "AK", "the-secret").ask("GET"), 400, "InvalidArgument")
        assert refused(speak(emulator.port, "AK", "the-secret", version="v1").ask("GET"), 400, "InvalidArgument")


# --- everybody --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", ["oss", "obs"])
def test_a_public_bucket_is_read_by_anybody_and_no_more(speak: Speak, vendor: str) -> None:
    driver = MemoryDriver(LIMITS_OF_OSS)
    driver.create_bucket("open-1")
    driver.create_bucket("closed")
    with Emulator(vendor, driver, ACCOUNTS, domain="oss.test", settings=PUBLIC) as emulator:
        client = speak(emulator.port, "AK", "the-secret")
        if vendor == "oss":
            for bucket in ("open-1", "closed"):
                client.ask("PUT", bucket, "key", body=b"hello")
            assert client.ask("GET", "open-1", "key", sign=False).data == b"hello"
            assert client.ask("HEAD", "open-1", "key", sign=False).status == 200
            assert client.ask("GET", "open-1", "", {"acl": ""}).text("AccessControlList/Grant") == "public-read"
        assert client.ask("GET", "open-1", sign=False).status == 200
        for method, query in (("PUT", {}), ("DELETE", {}), ("GET", {"uploadId": "1"}), ("POST", {"uploads": ""})):
            assert refused(client.ask(method, "open-1", "key", query, sign=False), 403, "AccessDenied")
        assert refused(client.ask("GET", "open-1", "", {"uploads": ""}, sign=False), 403, "AccessDenied")
        assert refused(client.ask("GET", "closed", "key", sign=False), 403, "AccessDenied")
        assert refused(client.ask("GET", sign=False), 403, "AccessDenied")


# --- throttling -------------------------------------------------------------------------------------------------------


def test_requests_are_refused_as_often_as_the_test_asks(emulator: Emulator, client: OssClient) -> None:
    emulator.throttle(2, "UploadTrafficRateLimitExceeded", delay_ms=250, when=lambda asked: asked.method == "PUT")
    assert client.ask("GET", "data").status == 200
    for _ in range(2):
        busy = client.ask("PUT", "data", "key", body=b"hello")
        assert refused(busy, 503, "UploadTrafficRateLimitExceeded")
        assert busy.headers["x-oss-qos-delay-time"] == "250"
    assert client.ask("PUT", "data", "key", body=b"hello").status == 200
    emulator.throttle(1)
    head = client.ask("HEAD", "data", "key")
    assert refused(head, 503, "TotalQpsLimitExceeded")
    assert "x-oss-qos-delay-time" not in head.headers
    assert emulator.throttled == 3


def test_a_code_that_the_service_does_not_have_cannot_be_asked_for(emulator: Emulator) -> None:
    with pytest.raises(ValueError, match="NoSuchKey is no code of a busy oss"):
        emulator.throttle(1, "NoSuchKey")
    with pytest.raises(ValueError, match="TotalQpsLimitExceeded is no code of a busy obs"):
        Emulator("obs").throttle(1, "TotalQpsLimitExceeded")


def test_the_fixture_resolves_its_buckets(oss_emulator: Emulator, speak: Speak) -> None:  # noqa: F811
    client = speak(oss_emulator.port, oss_emulator.access_key, oss_emulator.secret_key)
    assert client.ask("PUT", "data").status == 200
    assert oss_emulator.endpoint == f"http://oss.test:{oss_emulator.port}"
    with resolving("oss.test"):
        assert client.ask("GET").texts("Buckets/Bucket/Name") == ["data"]
