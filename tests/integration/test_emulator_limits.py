"""What else the emulator refuses: by time, digest, address and limit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from fastcrc import crc64

from tests.integration.emulator_world import BODY, BUCKET, KEY, OWNER, PART, World, md5
from tests.integration.obs_signing import Dialect, signed, signed_url, signed_url_v4, signed_v4
from tests.integration.raw_requests import Answer, Request, Wire, hmac_sha1, rfc1123, wire, with_headers, with_query

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("settled")]
KIND = World
PUT = Request("PUT", BUCKET, "new", body=b"new")
GET = Request("GET", BUCKET, KEY)


# --- time -----------------------------------------------------------------------------------------------------------


def at(world: World, seconds: float, way: str) -> Answer:
    """A request that says it was made at this time."""
    account, date = OWNER, rfc1123(seconds)
    ways: dict[str, Callable[[], Request]] = {
        "Date": lambda: signed(with_headers(GET, {"Date": date}), account),
        "x-obs-date": lambda: signed(with_headers(GET, {"x-obs-date": date, "Date": rfc1123(0)}), account),
        "v2 Date": lambda: signed(with_headers(GET, {"Date": date}), account, "v2"),
        "v2 x-amz-date": lambda: signed(with_headers(GET, {"x-amz-date": date}), account, "v2"),
        "v4": lambda: signed_v4(GET, account, seconds, world.domain_host),
    }
    return world.send(wire(ways[way](), world.domain_host))


WAYS = pytest.mark.parametrize("way", ["Date", "x-obs-date", "v2 Date", "v2 x-amz-date", "v4"])


@WAYS
@pytest.mark.parametrize("skew", [-899, 899])
def test_a_clock_just_inside_a_quarter_of_an_hour_is_accepted(world: World, way: str, skew: int) -> None:
    assert at(world, world.now + skew, way).verdict == (200, None)


@WAYS
@pytest.mark.parametrize("skew", [-901, 901, -86400, 86400])
def test_a_clock_just_outside_a_quarter_of_an_hour_is_refused(
    world: World, unchanged: None, way: str, skew: int
) -> None:
    assert at(world, world.now + skew, way).verdict == (403, "RequestTimeTooSkewed")


@pytest.mark.parametrize("date", ["", "yesterday", "1800000000", "2027-01-15T08:00:00Z"])
def test_a_request_without_a_date_is_refused(world: World, unchanged: None, date: str) -> None:
    request = signed(with_headers(PUT, {"Date": date}) if date else PUT, OWNER)
    assert world.send(wire(request, world.domain_host)).verdict == (403, "AccessDenied")


def url(world: World, request: Request, dialect: str) -> Wire:
    """Good for 300 seconds from now."""
    host = world.domain_host
    if dialect == "v4":
        return wire(signed_url_v4(request, OWNER, world.now, host), host)
    return wire(signed_url(request, OWNER, int(world.now) + 300, "v2" if dialect == "v2" else "obs"), host)


@pytest.mark.parametrize("dialect", ["obs", "v2", "v4"])
def test_a_url_ends_when_it_says(world: World, unchanged: None, dialect: str) -> None:
    reading, writing = url(world, GET, dialect), url(world, PUT, dialect)
    world.now += 299
    assert world.send(reading).verdict == (200, None)
    world.now += 2
    assert world.send(reading).verdict == (403, "RequestTimeTooSkewed")
    assert world.send(writing).verdict == (403, "RequestTimeTooSkewed")


@pytest.mark.parametrize("expires", ["never", "", "-1", "1.9e9", " 1800000100", "99999999999999999999"])
def test_a_url_that_ends_at_no_time_is_refused(world: World, unchanged: None, expires: str) -> None:
    text = f"PUT\n\n\n{expires}\n/{BUCKET}/new"
    proof = {"AccessKeyId": OWNER.access_key, "Expires": expires, "Signature": hmac_sha1(OWNER.secret_key, text)}
    assert world.send(wire(with_query(PUT, proof), world.domain_host)).status == 403


# --- digests --------------------------------------------------------------------------------------------------------


def crc(body: bytes) -> str:
    return str(crc64.xz(body))


BAD: dict[str, tuple[dict[str, str], str]] = {
    "another body's MD5": ({"Content-MD5": md5(b"other")}, "BadDigest"),
    "an MD5 that is too short": ({"Content-MD5": "bm8gbWQ1"}, "InvalidDigest"),
    "an MD5 that is no base64": ({"Content-MD5": "!" * 24}, "InvalidDigest"),
    "an MD5 in hexadecimal": ({"Content-MD5": "22af645d1859cb5ca6da0c484f1f37ea"}, "InvalidDigest"),
    "another body's CRC": ({"x-obs-checksum-crc64ecma": crc(b"other")}, "BadDigest"),
    "a good MD5 and another body's CRC": (
        {"Content-MD5": md5(b"new"), "x-obs-checksum-crc64ecma": crc(b"other")},
        "BadDigest",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_an_object_with_a_bad_digest_is_not_stored(world: World, unchanged: None, name: str) -> None:
    headers, code = BAD[name]
    assert world.ask(with_headers(PUT, headers)).verdict == (400, code)
    assert world.ask(replace(PUT, key=KEY, headers=headers)).verdict == (400, code)
    assert world.good(GET).body == BODY


@pytest.mark.parametrize("name", BAD)
def test_a_part_with_a_bad_digest_is_not_stored(world: World, unchanged: None, name: str) -> None:
    headers, code = BAD[name]
    for number in ("1", "2"):
        part = Request("PUT", BUCKET, "big", {"partNumber": number, "uploadId": world.upload}, headers, b"new")
        assert world.ask(part).verdict == (400, code)


def test_every_single_changed_bit_of_a_body_is_noticed(world: World, unchanged: None) -> None:
    body = b"new body"
    for headers in ({"Content-MD5": md5(body)}, {"x-obs-checksum-crc64ecma": crc(body)}):
        for bit in range(len(body) * 8):
            flipped = bytearray(body)
            flipped[bit // 8] ^= 1 << bit % 8
            answer = world.ask(Request("PUT", BUCKET, "new", headers=headers, body=bytes(flipped)))
            assert answer.verdict == (400, "BadDigest"), (headers, bit)


def test_a_whole_with_a_bad_crc_is_not_completed(world: World, unchanged: None) -> None:
    """What is unchanged: the upload and its part, and that there is no object."""
    body = f"<CompleteMultipartUpload>{part(1, md5_hex(b'p' * PART))}</CompleteMultipartUpload>".encode()
    request = Request("POST", BUCKET, "big", {"uploadId": world.upload}, {"x-obs-checksum-crc64ecma": crc(b"no")}, body)
    assert world.ask(request).verdict == (400, "BadDigest")
    assert world.ask(Request("GET", BUCKET, "big")).verdict == (404, "NoSuchKey")


def test_a_body_in_signed_chunks_is_refused_and_not_taken_for_content(world: World, unchanged: None) -> None:
    """Amazon's `aws-chunked`, which OBS does not know."""
    chunked = replace(PUT, body=b"3;chunk-signature=" + b"0" * 64 + b"\r\nnew\r\n0;chunk-signature=" + b"0" * 64)
    for payload in ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"):
        request = signed_v4(chunked, OWNER, world.now, world.domain_host, payload=payload)
        assert world.send(wire(request, world.domain_host)).status in (400, 501), payload


def test_a_body_that_v4_signed_another_of_is_refused(world: World, unchanged: None) -> None:
    request = signed_v4(PUT, OWNER, world.now, world.domain_host, payload="0" * 64)
    assert world.send(wire(request, world.domain_host)).status == 400


def md5_hex(body: bytes) -> str:
    return hashlib.md5(body).hexdigest()


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", ["obs", "v2"])
def test_path_style_on_the_domain_is_refused(world: World, unchanged: None, dialect: Dialect) -> None:
    for request in (PUT, GET, Request("DELETE", BUCKET, KEY), Request("GET", BUCKET), Request("PUT", "other-1")):
        dated = with_headers(replace(request, path_style=True), {"Date": rfc1123(world.now)})
        answer = world.send(wire(signed(dated, OWNER, dialect), world.domain_host))
        assert answer.verdict == (403, "VirtualHostDomainRequired"), request


def test_a_host_of_somebody_else_is_refused(world: World, unchanged: None) -> None:
    for host in (f"{BUCKET}.example.com", f"{BUCKET}.obs.test.example.com", "example.com", f"x{BUCKET}obs.test"):
        sent = wire(signed(with_headers(PUT, {"Date": rfc1123(world.now)}), OWNER), world.domain_host)
        assert world.send(sent.with_header("Host", host)).status in (400, 403, 404), host


@pytest.mark.parametrize(
    "name", ["ab", "a" * 64, "Upper", "under_score", "-begins", "ends-", "two..dots", "192.168.0.1"]
)
def test_a_name_that_no_bucket_may_have_is_refused(world: World, unchanged: None, name: str) -> None:
    assert world.ask(Request("PUT", name, path_style=True)).verdict == (400, "InvalidBucketName")


# --- limits ---------------------------------------------------------------------------------------------------------


def complete(world: World, parts: str, upload: str = "") -> Answer:
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    return world.ask(Request("POST", BUCKET, "big", {"uploadId": upload or world.upload}, body=body))


def part(number: int, etag: str) -> str:
    return f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"


def sent_part(world: World, number: int, body: bytes) -> str:
    request = Request("PUT", BUCKET, "big", {"partNumber": str(number), "uploadId": world.upload}, body=body)
    return part(number, world.good(request).headers["etag"])


def test_an_upload_that_is_unknown_is_refused_in_every_call(world: World, unchanged: None) -> None:
    for upload in ("unknown", world.upload[:-1], world.upload + "0", "../../etc", ""):
        query = {"uploadId": upload}
        numbered = {"partNumber": "1", **query}
        source = {"x-obs-copy-source": f"/{BUCKET}/{KEY}"}
        asked = [
            Request("PUT", BUCKET, "big", numbered, body=b"x"),
            Request("PUT", BUCKET, "big", numbered, source),
            Request("GET", BUCKET, "big", query),
            Request("DELETE", BUCKET, "big", query),
        ]
        expected = {(404, "NoSuchUpload")} | ({(400, "InvalidArgument")} if not upload else set())
        assert {world.ask(request).verdict for request in asked} <= expected, upload
        if upload:
            assert complete(world, part(1, "x"), upload).verdict == (404, "NoSuchUpload")


def test_a_part_too_small_is_refused_at_the_end_unless_it_is_the_last(world: World) -> None:
    first, second, third = (
        sent_part(world, 1, b"a" * PART),
        sent_part(world, 2, b"b" * (PART - 1)),
        sent_part(world, 3, b""),
    )
    assert complete(world, first + second + third).verdict == (400, "EntityTooSmall")
    assert complete(world, second + third).verdict == (400, "EntityTooSmall")
    assert world.ask(Request("GET", BUCKET, "big")).verdict == (404, "NoSuchKey")
    assert complete(world, first + second).status == 200
    assert world.good(Request("GET", BUCKET, "big")).body == b"a" * PART + b"b" * (PART - 1)
    world.good(Request("DELETE", BUCKET, "big"))


@pytest.mark.parametrize("number", ["0", "-1", "10001", "1.5", "one", "", "99999999999999999999"])
def test_a_part_number_out_of_bounds_is_refused(world: World, unchanged: None, number: str) -> None:
    request = Request("PUT", BUCKET, "big", {"partNumber": number, "uploadId": world.upload}, body=b"x")
    assert world.ask(request).verdict == (400, "InvalidArgument")
    copied = with_headers(replace(request, body=b""), {"x-obs-copy-source": f"/{BUCKET}/{KEY}"})
    assert world.ask(copied).verdict == (400, "InvalidArgument")


def test_parts_that_are_wrong_are_refused_at_the_end(world: World) -> None:
    first, second = sent_part(world, 1, b"a" * PART), sent_part(world, 2, b"b")
    for parts, code in {
        second + first: "InvalidPartOrder",
        first + first: "InvalidPartOrder",
        first + part(3, md5(b"")): "InvalidPart",
        part(1, '"00000000000000000000000000000000"') + second: "InvalidPart",
        "": "MalformedXML",
        "<Part><PartNumber>1</PartNumber></Part>": "MalformedXML",
        "<Part>": "MalformedXML",
        part(0, "x"): "",
        part(10_001, "x"): "",
    }.items():
        answer = complete(world, parts)
        assert (answer.status, code in ("", answer.code)) == (400, True), (parts, answer)
    assert world.ask(Request("GET", BUCKET, "big")).verdict == (404, "NoSuchKey")
    assert world.good(Request("GET", BUCKET, "big", {"uploadId": world.upload})).status == 200


def test_a_key_too_long_is_refused(world: World, unchanged: None) -> None:
    for key in ("k" * 1025, "ü" * 513):
        for method, query in (("PUT", {}), ("GET", {}), ("POST", {"uploads": None})):
            assert world.ask(Request(method, BUCKET, key, query)).verdict == (400, "KeyTooLong"), (method, key)


def test_a_document_that_is_none_is_refused(world: World, unchanged: None) -> None:
    for body in (b"", b"no xml", b"<Delete>", b"<Delete/>", b'<!DOCTYPE x [<!ENTITY a "b">]><Delete>&a;</Delete>'):
        request = Request("POST", BUCKET, query={"delete": None}, headers={"Content-MD5": md5(body)}, body=body)
        assert world.ask(request).verdict == (400, "MalformedXML"), body


def test_more_than_a_thousand_deletions_at_once_are_refused(world: World, unchanged: None) -> None:
    objects = b"<Object><Key>dir/Object-1.txt</Key></Object>" * 1001
    body = b"<Delete>" + objects + b"</Delete>"
    request = Request("POST", BUCKET, query={"delete": None}, headers={"Content-MD5": md5(body)}, body=body)
    assert world.ask(request).verdict == (400, "MalformedXML")
