"""Conversations with the OBS emulator over real sockets, by a client that shares no code with it."""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastcrc import crc64

from storagekit.driver import Driver
from storagekit.drivers.local import LocalDriver
from storagekit.drivers.memory import MemoryDriver
from storagekit.testing.bodies import pattern
from storagekit.testing.emulator import LIMITS, Account, Emulator, Settings, resolving
from storagekit.testing.emulator.fixtures import obs_emulator  # noqa: F401  # a fixture of the tests below
from storagekit.testing.tls import Authority
from tests.integration.emulator_client import Client, Reply

pytestmark = pytest.mark.integration

SMALL = 100 * 1024  # the least part but the last
ACCOUNTS: dict[str, str | Account] = {"AK": "the-secret", "OTHER": Account("another-secret", owner="somebody-else")}

Speak = Callable[..., Client]


@pytest.fixture(params=["memory", "local"])
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Driver:
    return MemoryDriver(LIMITS) if request.param == "memory" else LocalDriver(tmp_path / "buckets")


@pytest.fixture
def emulator(driver: Driver) -> Iterator[Emulator]:
    with Emulator("obs", driver, ACCOUNTS) as running:
        yield running


@pytest.fixture
def speak() -> Iterator[Speak]:
    """Makes clients, whose connections are closed at the end."""
    made: list[Client] = []

    def make(*args: Any, **named: Any) -> Client:
        made.append(Client(*args, **named))
        return made[-1]

    yield make
    for client in made:
        client.connection.close()


@pytest.fixture
def client(emulator: Emulator, speak: Speak) -> Client:
    made = speak(emulator.port, "AK", "the-secret")
    assert made.ask("PUT", "data").status == 200
    return made


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def refused(reply: Reply, status: int, code: str) -> bool:
    return (reply.status, reply.code) == (status, code)


# --- objects ----------------------------------------------------------------------------------------------------------


def test_an_object_comes_back_with_all_that_was_said_of_it(client: Client) -> None:
    sent = {
        "Content-Type": "text/x-odd",
        "Cache-Control": "no-store",
        "x-obs-meta-a": "1",
        "x-obs-storage-class": "WARM",
    }
    put = client.ask("PUT", "data", "a b/ü.txt", body=b"hello", headers=sent)
    assert (put.status, put.headers["server"]) == (200, "OBS")
    assert put.headers["x-obs-checksum-crc64ecma"] == str(crc64.xz(b"hello"))
    for method in ("GET", "HEAD"):
        got = client.ask(method, "data", "a b/ü.txt")
        assert (got.status, got.data) == (200, b"hello" if method == "GET" else b"")
        wanted = {
            "content-length": "5",
            "content-type": "text/x-odd",
            "cache-control": "no-store",
            "x-obs-meta-a": "1",
            "x-obs-storage-class": "WARM",
            "x-obs-checksum-crc64ecma": str(crc64.xz(b"hello")),
            "etag": put.headers["etag"],
            "accept-ranges": "bytes",
        }
        assert wanted.items() <= got.headers.items()
        assert {"x-obs-request-id", "x-obs-id-2", "date", "last-modified"} <= got.headers.keys()
    assert client.ask("DELETE", "data", "a b/ü.txt").status == 204
    assert refused(client.ask("GET", "data", "a b/ü.txt"), 404, "NoSuchKey")
    assert refused(client.ask("HEAD", "data", "a b/ü.txt"), 404, "NoSuchKey")


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_bodies_of_any_size_come_back(client: Client, size: int) -> None:
    data = pattern(size)
    assert client.ask("PUT", "data", "key", body=data, headers={"Content-MD5": md5(data)}).status == 200
    assert client.ask("GET", "data", "key").data == data


def test_a_body_of_unknown_size_comes_in_chunks(client: Client) -> None:
    headers = client.signed("PUT", "data", "key", {}, {})
    client.connection.request("PUT", "/key", iter([b"one", b"two"]), {"Host": client.host("data"), **headers})
    assert client.connection.getresponse().read() == b""
    assert client.ask("GET", "data", "key").data == b"onetwo"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Content-MD5": md5(b"other")}, "BadDigest"),
        ({"Content-MD5": "nonsense"}, "InvalidDigest"),
        ({"x-obs-checksum-crc64ecma": "1"}, "BadDigest"),
        ({"x-obs-checksum-crc64ecma": "abc"}, "InvalidDigest"),
    ],
)
@pytest.mark.parametrize("size", [0, 5, 3_000_000])
def test_nothing_is_stored_of_a_body_that_is_not_what_was_announced(
    client: Client, headers: dict[str, str], code: str, size: int
) -> None:
    assert refused(client.ask("PUT", "data", "key", body=bytes(size), headers=headers), 400, code)
    upload = client.begin("data", "key")
    query = {"partNumber": "1", "uploadId": upload}
    assert refused(client.ask("PUT", "data", "key", query, bytes(size), headers), 400, code)
    assert client.ask("GET", "data", "key", {"uploadId": upload}).texts("Part") == []
    assert refused(client.ask("GET", "data", "key"), 404, "NoSuchKey")


def test_nothing_is_stored_of_a_body_that_breaks_off(client: Client) -> None:
    headers = client.signed("PUT", "data", "key", {}, {})
    lines = [f"{name}: {value}" for name, value in {"Host": client.host("data"), **headers}.items()]
    head = "\r\n".join(["PUT /key HTTP/1.1", *lines, "Content-Length: 1000", "", ""])
    with socket.create_connection(("127.0.0.1", client.port)) as sock:
        sock.sendall(head.encode() + bytes(999))
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(100) == b""
    assert refused(client.ask("GET", "data", "key"), 404, "NoSuchKey")


def test_ranges_conditions_and_overrides(client: Client) -> None:
    etag = client.ask("PUT", "data", "key", body=b"0123456789").headers["etag"]

    def get(**headers: str) -> Reply:
        return client.ask("GET", "data", "key", headers={name.replace("_", "-"): v for name, v in headers.items()})

    part = get(Range="bytes=2-4")
    assert (part.status, part.data, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    assert "x-obs-checksum-crc64ecma" not in part.headers
    assert refused(get(Range="bytes=10-"), 416, "InvalidRange")
    assert (get(If_Match=etag).status, get(If_None_Match='"x"').status) == (200, 200)
    assert refused(get(If_Match='"x"'), 412, "PreconditionFailed")
    assert (get(If_None_Match=etag).status, get(If_None_Match=etag).data) == (304, b"")
    shown = client.ask("GET", "data", "key", {"response-content-type": "image/png"})
    assert shown.headers["content-type"] == "image/png"


def test_a_copy_takes_the_labels_along_or_new_ones(client: Client) -> None:
    labels = {"Content-Type": "text/a", "x-obs-meta-a": "1"}
    etag = client.ask("PUT", "data", "from/ü", body=b"hello", headers=labels).headers["etag"]
    for source in ("/data/from/%C3%BC", "data/from/%C3%BC"):
        copied = client.ask("PUT", "data", "to", headers={"x-obs-copy-source": source})
        assert (copied.status, copied.text("ETag")) == (200, client.ask("HEAD", "data", "to").headers["etag"])
    assert client.ask("HEAD", "data", "to").headers.items() >= {"content-type": "text/a", "x-obs-meta-a": "1"}.items()
    replaced = {"x-obs-metadata-directive": "REPLACE", "Content-Type": "text/b"}
    client.ask("PUT", "data", "to", headers={"x-obs-copy-source": "/data/from/%C3%BC", **replaced})
    got = client.ask("GET", "data", "to")
    assert (got.data, got.headers["content-type"]) == (b"hello", "text/b")
    assert "x-obs-meta-a" not in got.headers

    def copy(source: str, **headers: str) -> Reply:
        more = {f"x-obs-copy-source-{name.replace('_', '-')}": value for name, value in headers.items()}
        return client.ask("PUT", "data", "to", headers={"x-obs-copy-source": source, **more})

    assert copy("/data/from/%C3%BC", if_match=etag).status == 200
    assert refused(copy("/data/from/%C3%BC", if_match='"x"'), 412, "PreconditionFailed")
    assert refused(copy("/data/from/%C3%BC", if_none_match=etag), 412, "PreconditionFailed")
    assert refused(copy("/data/nothing"), 404, "NoSuchKey")
    assert refused(copy("/nobody/key"), 404, "NoSuchBucket")
    assert refused(copy("data"), 400, "InvalidArgument")
    assert refused(copy("/data/from/%C3%BC?versionId=1"), 501, "NotImplemented")


def test_many_are_deleted_at_once(client: Client) -> None:
    for key in ("a", "b <&>", "c"):
        client.ask("PUT", "data", key, body=b"x")
    data = b"<Delete><Object><Key>a</Key></Object><Object><Key>b &lt;&amp;&gt;</Key></Object></Delete>"
    reply = client.ask("POST", "data", "", {"delete": ""}, data, {"Content-MD5": md5(data)})
    assert reply.texts("Deleted/Key") == ["a", "b <&>"]
    quiet = b"<Delete><Quiet>true</Quiet><EncodingType>url</EncodingType><Object><Key>%63</Key></Object></Delete>"
    assert client.ask("POST", "data", "", {"delete": ""}, quiet, {"Content-MD5": md5(quiet)}).texts("Deleted") == []
    assert client.ask("GET", "data").texts("Contents/Key") == []
    assert refused(client.ask("POST", "data", "", {"delete": ""}, data), 400, "InvalidRequest")
    assert refused(
        client.ask("POST", "data", "", {"delete": ""}, b"<x>", {"Content-MD5": md5(b"<x>")}), 400, "MalformedXML"
    )


# --- listings ---------------------------------------------------------------------------------------------------------

KEYS = ["a", "b/1", "b/2", "b/c/3", "d", "ü ö+%"]


def keys_of(client: Client, **query: str) -> list[list[str]]:
    """Return the rows of each page, by markers, until the end."""
    pages, marker = [], ""
    while True:
        asked = {name.replace("_", "-"): value for name, value in query.items()}
        reply = client.ask("GET", "data", "", {**asked, **({"marker": marker} if marker else {})})
        pages.append([*reply.texts("Contents/Key"), *reply.texts("CommonPrefixes/Prefix")])
        if reply.text("IsTruncated") == "false":
            return pages
        marker = reply.text("NextMarker")


def test_listings_go_on_where_the_page_before_ended(client: Client) -> None:
    for key in KEYS:
        client.ask("PUT", "data", key, body=b"x")
    assert keys_of(client) == [KEYS]
    assert keys_of(client, max_keys="4") == [KEYS[:4], KEYS[4:]]
    assert keys_of(client, max_keys="1", delimiter="/") == [["a"], ["b/"], ["d"], ["ü ö+%"]]
    assert keys_of(client, prefix="b/", delimiter="/", max_keys="2") == [["b/1", "b/2"], ["b/c/"]]
    assert keys_of(client, encoding_type="url", prefix="ü") == [["%C3%BC%20%C3%B6%2B%25"]]
    assert client.ask("GET", "data", "", {"max-keys": "0"}).text("IsTruncated") == "false"
    assert refused(client.ask("GET", "data", "", {"max-keys": "x"}), 400, "InvalidArgument")


def test_the_second_form_of_listings_goes_on_by_tokens(client: Client) -> None:
    for key in KEYS:
        client.ask("PUT", "data", key, body=b"x")
    query, seen = {"list-type": "2", "max-keys": "2", "delimiter": "/", "start-after": "a"}, []
    reply = client.ask("GET", "data", "", query)
    while True:
        seen += [*reply.texts("Contents/Key"), *reply.texts("CommonPrefixes/Prefix")]
        if reply.text("IsTruncated") == "false":
            break
        reply = client.ask("GET", "data", "", {**query, "continuation-token": reply.text("NextContinuationToken")})
    assert sorted(seen) == ["b/", "d", "ü ö+%"]


def test_uploads_are_listed_page_by_page(client: Client) -> None:
    begun = {(key, client.begin("data", key)) for key in ("a", "a", "b/1", "b/2", "c")}

    def page(**query: str) -> Reply:
        asked = {name.replace("_", "-"): value for name, value in query.items()}
        return client.ask("GET", "data", "", {"uploads": "", **asked})

    def rows(reply: Reply) -> list[tuple[str, str]]:
        return list(zip(reply.texts("Upload/Key"), reply.texts("Upload/UploadId"), strict=True))

    assert set(rows(page())) == begun
    seen, reply = [], page(max_uploads="1")
    while True:
        seen += rows(reply)
        if reply.text("IsTruncated") == "false":
            break
        markers = (reply.text("NextKeyMarker"), reply.text("NextUploadIdMarker"))
        reply = page(max_uploads="1", key_marker=markers[0], upload_id_marker=markers[1])
    assert seen == sorted(begun)
    assert {key for key, _ in rows(page(prefix="b/"))} == {"b/1", "b/2"}
    folded = page(delimiter="/", max_uploads="3")
    assert (folded.texts("CommonPrefixes/Prefix"), folded.text("NextKeyMarker")) == (["b/"], "b/")
    assert {key for key, _ in rows(page(delimiter="/", key_marker="b/"))} == {"c"}
    assert {key for key, _ in rows(page(key_marker="a"))} == {"b/1", "b/2", "c"}


# --- multipart --------------------------------------------------------------------------------------------------------


def test_parts_become_an_object_that_says_which_upload_made_it(client: Client) -> None:
    upload = client.begin("data", "key", **{"x-obs-meta-a": "1"})
    data = [pattern(SMALL, 1), pattern(SMALL + 7, 2), b"end"]
    parts = [(number, client.part("data", "key", upload, number, one)) for number, one in enumerate(data, 1)]
    first = client.ask("GET", "data", "key", {"uploadId": upload, "max-parts": "2"})
    assert (first.texts("Part/PartNumber"), first.text("IsTruncated")) == (["1", "2"], "true")
    rest = client.ask(
        "GET", "data", "key", {"uploadId": upload, "part-number-marker": first.text("NextPartNumberMarker")}
    )
    assert (rest.texts("Part/Size"), rest.text("IsTruncated")) == (["3"], "false")
    assert refused(client.ask("GET", "data", "key"), 404, "NoSuchKey")

    whole = str(crc64.xz(b"".join(data)))
    assert refused(client.complete("data", "key", upload, parts, **{"x-obs-checksum-crc64ecma": "1"}), 400, "BadDigest")
    done = client.complete("data", "key", upload, parts, **{"x-obs-checksum-crc64ecma": whole})
    assert (done.status, done.headers["x-obs-checksum-crc64ecma"]) == (200, whole)
    assert done.text("Location") == f"http://data.obs.test:{client.port}/key"
    got = client.ask("GET", "data", "key")
    assert got.data == b"".join(data)
    assert got.headers["etag"] == done.text("ETag")
    assert {
        "x-obs-uploadid": upload,
        "x-obs-meta-a": "1",
        "x-obs-checksum-crc64ecma": whole,
    }.items() <= got.headers.items()
    assert refused(client.complete("data", "key", upload, parts), 404, "NoSuchUpload")


def test_completes_that_do_not_fit_change_nothing(client: Client) -> None:
    upload = client.begin("data", "key")
    one, two = (client.part("data", "key", upload, number, pattern(SMALL - number, number)) for number in (0 + 1, 2))
    three = client.part("data", "key", upload, 3, b"x")
    assert refused(client.complete("data", "key", upload, [(2, two), (1, one)]), 400, "InvalidPartOrder")
    assert refused(client.complete("data", "key", upload, [(1, one), (1, one)]), 400, "InvalidPartOrder")
    assert refused(client.complete("data", "key", upload, [(1, two)]), 400, "InvalidPart")
    assert refused(client.complete("data", "key", upload, [(9, one)]), 400, "InvalidPart")
    assert refused(client.complete("data", "key", upload, [(1, one), (3, three)]), 400, "EntityTooSmall")
    assert refused(client.complete("data", "key", upload, []), 400, "MalformedXML")
    assert refused(client.complete("data", "other", upload, [(1, one)]), 404, "NoSuchUpload")
    assert client.complete("data", "key", upload, [(3, three)]).status == 200
    assert client.ask("GET", "data", "key").data == b"x"


@pytest.mark.parametrize("number", ["0", "10001", "-1", "x", ""])
def test_part_numbers_are_1_to_10000(client: Client, number: str) -> None:
    query = {"partNumber": number, "uploadId": client.begin("data", "key")}
    assert refused(client.ask("PUT", "data", "key", query, b"x"), 400, "InvalidArgument")


def test_an_aborted_upload_is_gone(client: Client) -> None:
    upload = client.begin("data", "key")
    etag = client.part("data", "key", upload, 1, b"x")
    assert client.ask("DELETE", "data", "key", {"uploadId": upload}).status == 204
    for method, query in (("DELETE", {}), ("GET", {}), ("PUT", {"partNumber": "1"})):
        reply = client.ask(method, "data", "key", {**query, "uploadId": upload}, b"x" if query else None)
        assert refused(reply, 404, "NoSuchUpload"), method
    assert refused(client.complete("data", "key", upload, [(1, etag)]), 404, "NoSuchUpload")


def test_a_range_of_another_object_becomes_a_part(client: Client) -> None:
    source = pattern(3 * SMALL)
    client.ask("PUT", "data", "source", body=source)
    upload = client.begin("data", "key")

    def copy(number: int, span: str) -> Reply:
        headers = {"x-obs-copy-source": "data/source", **({"x-obs-copy-source-range": span} if span else {})}
        return client.ask("PUT", "data", "key", {"partNumber": str(number), "uploadId": upload}, headers=headers)

    parts = [(1, copy(1, f"bytes=7-{SMALL + 6}")), (2, copy(2, ""))]
    assert refused(copy(3, f"bytes=0-{len(source)}"), 400, "InvalidArgument")
    etags = [(number, reply.text("ETag").strip('"')) for number, reply in parts]
    assert client.complete("data", "key", upload, etags).status == 200
    assert client.ask("GET", "data", "key").data == source[7 : SMALL + 7] + source


def test_the_upload_that_was_initiated_last_stays_whichever_is_completed_last(client: Client) -> None:
    early, late = client.begin("data", "key"), client.begin("data", "key")
    early_part, late_part = client.part("data", "key", early, 1, b"early"), client.part("data", "key", late, 1, b"late")
    assert client.complete("data", "key", late, [(1, late_part)]).status == 200
    overtaken = client.complete("data", "key", early, [(1, early_part)])
    assert (overtaken.status, bool(overtaken.text("ETag"))) == (200, True)
    got = client.ask("GET", "data", "key")
    assert (got.data, got.headers["x-obs-uploadid"]) == (b"late", late)
    assert client.ask("GET", "data", "", {"uploads": ""}).texts("Upload") == []

    again = client.begin("data", "key")
    part = client.part("data", "key", again, 1, b"again")
    assert client.complete("data", "key", again, [(1, part)]).status == 200
    assert client.ask("GET", "data", "key").data == b"again"


def test_a_put_between_goes_and_so_does_its_place_in_the_order(client: Client) -> None:
    early, late = client.begin("data", "key"), client.begin("data", "key")
    parts = {upload: client.part("data", "key", upload, 1, upload.encode()) for upload in (early, late)}
    client.complete("data", "key", late, [(1, parts[late])])
    client.ask("PUT", "data", "key", body=b"put")
    assert client.complete("data", "key", early, [(1, parts[early])]).status == 200
    assert client.ask("GET", "data", "key").data == early.encode()


# --- buckets ----------------------------------------------------------------------------------------------------------


def test_a_bucket_is_made_in_its_place_and_listed(client: Client) -> None:
    data = b'<CreateBucketConfiguration xmlns="http://x/"><Location>north-4</Location></CreateBucketConfiguration>'
    assert client.ask("PUT", "other", body=data).status == 200
    assert client.ask("GET", "other", "", {"location": ""}).xml.text == "north-4"
    assert client.ask("HEAD", "other").headers["x-obs-bucket-location"] == "north-4"
    listed = client.ask("GET", headers={"x-obs-location": "true"})
    assert listed.texts("Buckets/Bucket/Name") == ["data", "other"]
    assert listed.texts("Buckets/Bucket/Location") == ["region-1", "north-4"]
    assert refused(client.ask("PUT", "other"), 409, "BucketAlreadyOwnedByYou")
    client.ask("PUT", "other", "key", body=b"x")
    assert refused(client.ask("DELETE", "other"), 409, "BucketNotEmpty")
    client.ask("DELETE", "other", "key")
    assert client.ask("DELETE", "other").status == 204
    assert refused(client.ask("HEAD", "other"), 404, "NoSuchBucket")
    assert refused(client.ask("PUT", "data2", body=b"<x"), 400, "MalformedXML")


def test_another_owners_buckets_are_out_of_reach(client: Client, speak: Speak) -> None:
    client.ask("PUT", "data", "key", body=b"x")
    other = speak(client.port, "OTHER", "another-secret")
    assert refused(other.ask("GET", "data", "key"), 403, "AccessDenied")
    assert refused(other.ask("PUT", "data"), 409, "BucketAlreadyExists")
    assert other.ask("GET").texts("Buckets/Bucket/Name") == []
    assert other.ask("PUT", "mine").status == 200
    assert client.ask("GET").texts("Buckets/Bucket/Name") == ["data"]
    assert refused(client.ask("PUT", "key", headers={"x-obs-copy-source": "/mine/x"}, key="y"), 404, "NoSuchBucket")


def test_the_emulators_own_bucket_is_nobodys(client: Client) -> None:
    assert refused(client.ask("GET", "storagekit-emulator"), 404, "NoSuchBucket")
    assert refused(client.ask("PUT", "storagekit-emulator"), 409, "BucketAlreadyExists")


# --- who asks, and when -----------------------------------------------------------------------------------------------


def test_only_the_probe_needs_no_signature(client: Client) -> None:
    probe = client.ask("HEAD", "data", "", {"apiversion": ""}, sign=False)
    assert (probe.status, probe.headers["x-obs-api"]) == (200, "3.0")
    assert client.ask("HEAD", "", "", {"apiversion": ""}, sign=False).status == 200
    assert client.ask("HEAD", "nobody", "", {"apiversion": ""}, sign=False).status == 404
    assert refused(client.ask("GET", "data", "", {"apiversion": ""}, sign=False), 403, "AccessDenied")
    assert refused(client.ask("GET", sign=False), 403, "AccessDenied")


def test_a_wrong_secret_is_told_what_should_have_been_signed(client: Client, speak: Speak) -> None:
    wrong = speak(client.port, "AK", "not-the-secret")
    reply = wrong.ask("GET", "data", "key")
    assert refused(reply, 403, "SignatureDoesNotMatch")
    assert reply.text("StringToSign").endswith("/data/key")
    assert (reply.text("Resource"), reply.text("RequestId")) == ("/key", reply.headers["x-obs-request-id"])
    assert refused(speak(client.port, "NOBODY", "x").ask("GET"), 403, "InvalidAccessKeyId")


def test_paths_name_buckets_only_at_an_address(client: Client) -> None:
    client.ask("PUT", "data", "key", body=b"x")
    headers = {"Host": f"obs.test:{client.port}"}
    client.connection.request("GET", "/data/key", headers=headers)
    answer = client.connection.getresponse()
    assert b"<Code>VirtualHostDomainRequired</Code>" in answer.read()
    assert answer.status == 403


def test_the_clock_is_the_emulators_own(speak: Speak) -> None:
    with Emulator("obs", accounts=ACCOUNTS, clock=lambda: 1_900_000_000.0) as emulator:
        assert speak(emulator.port, "AK", "the-secret", clock=1_900_000_899).ask("GET").status == 200
        late = speak(emulator.port, "AK", "the-secret", clock=1_900_000_901).ask("GET")
        assert refused(late, 403, "RequestTimeTooSkewed")
        assert late.headers["date"] == "Sun, 17 Mar 2030 17:46:40 GMT"


# --- connections ------------------------------------------------------------------------------------------------------


def test_a_connection_outlives_bodies_that_were_refused(client: Client) -> None:
    assert client.ask("GET").status == 200
    sock = client.connection.sock
    wrong = {"Authorization": "OBS AK:wrong", "Date": "x"}
    assert client.ask("PUT", "data", "key", body=bytes(3_000_000), headers=wrong, sign=False).status == 403
    assert client.ask("PUT", "nobody", "key", body=bytes(3_000_000)).status == 404
    assert client.ask("GET").status == 200
    assert client.connection.sock is sock


def expecting(client: Client, headers: dict[str, str], size: int) -> socket.socket:
    lines = [f"{name}: {value}" for name, value in {"Host": client.host("data"), **headers}.items()]
    head = ["PUT /key HTTP/1.1", *lines, "Expect: 100-continue", f"Content-Length: {size}", "", ""]
    sock = socket.create_connection(("127.0.0.1", client.port), timeout=20)
    sock.sendall("\r\n".join(head).encode())
    return sock


def test_a_body_that_waits_is_asked_for_once_it_is_wanted(client: Client) -> None:
    with expecting(client, client.signed("PUT", "data", "key", {}, {}), 5) as sock, sock.makefile("rb") as lines:
        assert lines.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert lines.readline() == b"\r\n"
        sock.sendall(b"hello")
        assert lines.readline() == b"HTTP/1.1 200 OK\r\n"
    assert client.ask("GET", "data", "key").data == b"hello"


def test_a_body_that_waits_is_not_asked_for_where_it_is_refused(client: Client) -> None:
    with expecting(client, {"Date": "x", "Authorization": "OBS AK:x"}, 5) as sock, sock.makefile("rb") as lines:
        answer = lines.read()
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"Connection: close\r\n" in answer


def test_a_body_that_stops_coming_is_timed_out(speak: Speak) -> None:
    with Emulator("obs", accounts=ACCOUNTS, settings=Settings(idle_s=0.2)) as emulator:
        client = speak(emulator.port, "AK", "the-secret")
        client.ask("PUT", "data")
        with expecting(client, client.signed("PUT", "data", "key", {}, {}), 5) as sock, sock.makefile("rb") as lines:
            sock.sendall(b"hel")
            answer = lines.read()
    assert b"HTTP/1.1 400 Bad Request\r\n" in answer
    assert b"<Code>RequestTimeout</Code>" in answer


@pytest.mark.parametrize("length", ["x", "-1", "5, 5"])
def test_a_length_that_is_none_is_refused(client: Client, length: str) -> None:
    client.connection.putrequest("PUT", "/key", skip_host=True)
    client.connection.putheader("Host", client.host("data"))
    client.connection.putheader("Content-Length", length)
    client.connection.endheaders()
    assert client.connection.getresponse().status == 400


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"nonsense\r\n\r\n", b"400", b"BadRequest"),
        (b"GET / HTTP/9.0\r\n\r\n", b"400", b"BadRequest"),
        (b"BREW / HTTP/1.1\r\nHost: obs.test\r\n\r\n", b"405", b"MethodNotAllowed"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400", b"InvalidRequest"),
    ],
)
def test_what_is_no_request_is_answered_in_xml_too(client: Client, sent: bytes, status: bytes, code: bytes) -> None:
    with socket.create_connection(("127.0.0.1", client.port), timeout=20) as sock:
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        answer = sock.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"<Code>" + code + b"</Code>" in answer


def test_a_put_without_a_length_is_refused(client: Client) -> None:
    client.connection.putrequest("PUT", "/key", skip_host=True)
    for name, value in {"Host": client.host("data"), **client.signed("PUT", "data", "key", {}, {})}.items():
        client.connection.putheader(name, value)
    client.connection.endheaders()
    answer = client.connection.getresponse()
    assert (answer.status, b"MissingContentLength" in answer.read()) == (411, True)


def test_tls_is_spoken_with_the_context_that_was_given(speak: Speak, tmp_path: Path) -> None:
    authority = Authority()
    context = authority.issue("obs.test", "*.obs.test").context()
    with Emulator("obs", accounts=ACCOUNTS, tls=context) as emulator, resolving("obs.test"):
        assert emulator.endpoint == f"https://obs.test:{emulator.port}"
        trusted = ssl.create_default_context(cafile=str(authority.write(tmp_path / "ca.pem")))
        client = speak(emulator.port, "AK", "the-secret", tls=trusted)
        data = pattern(3_000_000)
        assert client.ask("PUT", "data").status == 200
        assert client.ask("PUT", "data", "key", body=data).status == 200
        assert client.ask("GET", "data", "key").data == data


# --- what stays -------------------------------------------------------------------------------------------------------


def test_in_a_directory_everything_outlives_the_emulator(speak: Speak, tmp_path: Path) -> None:
    with Emulator("obs", LocalDriver(tmp_path), ACCOUNTS) as emulator:
        client = speak(emulator.port, "AK", "the-secret")
        client.ask("PUT", "data")
        made, early, late = (client.begin("data", key) for key in ("made", "key", "key"))
        client.complete("data", "made", made, [(1, client.part("data", "made", made, 1, b"whole"))])
        etags = {upload: client.part("data", "key", upload, 1, upload.encode()) for upload in (early, late)}
        client.complete("data", "key", late, [(1, etags[late])])
    with Emulator("obs", LocalDriver(tmp_path), ACCOUNTS) as emulator:
        client = speak(emulator.port, "AK", "the-secret")
        head = client.ask("HEAD", "data", "made")
        assert head.headers["x-obs-uploadid"] == made
        assert head.headers["x-obs-checksum-crc64ecma"] == str(crc64.xz(b"whole"))
        assert client.ask("GET", "data", "", {"uploads": ""}).texts("Upload/UploadId") == [early]
        assert client.complete("data", "key", early, [(1, etags[early])]).status == 200
        assert client.ask("GET", "data", "key").data == late.encode()
        assert refused(speak(emulator.port, "OTHER", "another-secret").ask("GET", "data"), 403, "AccessDenied")


def test_an_object_that_another_program_put_into_the_driver_is_an_object(speak: Speak) -> None:
    from storagekit.testing.bodies import BytesBody
    from storagekit.types import WriteOptions

    driver = MemoryDriver(LIMITS)
    driver.create_bucket("data")
    driver.put("data", "key", BytesBody(b"hello"), WriteOptions("text/x", {"a": "1"}))
    with Emulator("obs", driver, ACCOUNTS) as emulator:
        got = speak(emulator.port, "AK", "the-secret").ask("GET", "data", "key")
    assert (got.data, got.headers["content-type"], got.headers["x-obs-meta-a"]) == (b"hello", "text/x", "1")


def test_the_fixture_resolves_its_buckets(obs_emulator: Emulator, speak: Speak) -> None:  # noqa: F811
    client = speak(obs_emulator.port, obs_emulator.access_key, obs_emulator.secret_key)
    client.ask("PUT", "data")
    head = urllib.request.Request(f"http://data.obs.test:{obs_emulator.port}/?apiversion", method="HEAD")
    with urllib.request.urlopen(head) as answer:
        assert answer.headers["x-obs-api"] == "3.0"
