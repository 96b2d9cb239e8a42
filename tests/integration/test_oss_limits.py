"""What else the OSS emulator refuses: by time, digest, address and limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.integration.emulator_world import BODY, BUCKET, GUEST, KEY, OWNER, PART, World, md5
from tests.integration.oss_signing import signed, signed_url, signed_url_v4, signed_v4
from tests.integration.oss_world import OssWorld
from tests.integration.raw_requests import (
    Answer,
    Request,
    Wire,
    hmac_sha1,
    rfc1123,
    stamp,
    wire,
    with_headers,
    with_query,
)

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("settled")]
KIND = OssWorld
PUT = Request("PUT", BUCKET, "new", body=b"new")
GET = Request("GET", BUCKET, KEY)
VERSIONS = pytest.mark.parametrize("version", ["v1", "v4"])


# --- time -----------------------------------------------------------------------------------------------------------


def at(world: World, seconds: float, way: str) -> Answer:
    """A request that says it was made at this time."""
    ways: dict[str, Callable[[], Request]] = {
        "Date": lambda: signed(with_headers(GET, {"Date": rfc1123(seconds)}), OWNER),
        "x-oss-date": lambda: signed(with_headers(GET, {"x-oss-date": rfc1123(seconds), "Date": rfc1123(0)}), OWNER),
        "v4": lambda: signed_v4(GET, OWNER, seconds),
    }
    return world.send(wire(ways[way](), world.domain_host))


WAYS = pytest.mark.parametrize("way", ["Date", "x-oss-date", "v4"])


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


def url(world: World, request: Request, version: str, life: int = 300) -> Wire:
    """Good for 300 seconds from now."""
    if version == "v4":
        return wire(signed_url_v4(request, OWNER, world.now, life), world.domain_host)
    return wire(signed_url(request, OWNER, int(world.now) + life), world.domain_host)


@VERSIONS
def test_a_url_ends_when_it_says(world: World, unchanged: None, version: str) -> None:
    reading, writing = url(world, GET, version), url(world, PUT, version)
    world.now += 299
    assert world.send(reading).verdict == (200, None)
    world.now += 2
    assert world.send(reading).verdict == (403, "AccessDenied")
    assert world.send(writing).verdict == (403, "AccessDenied")


@pytest.mark.parametrize("life", [0, -1, 604_801])
def test_a_url_of_v4_lives_a_second_at_least_and_a_week_at_most(world: World, unchanged: None, life: int) -> None:
    assert world.send(url(world, PUT, "v4", life)).verdict == (403, "AccessDenied")
    assert world.send(url(world, GET, "v4", 604_800)).status == 200


@pytest.mark.parametrize("expires", ["never", "", "-1", "1.9e9", " 1800000100", "99999999999999999999"])
def test_a_url_that_ends_at_no_time_is_refused(world: World, unchanged: None, expires: str) -> None:
    text = f"PUT\n\n\n{expires}\n/{BUCKET}/new"
    proof = {"OSSAccessKeyId": OWNER.access_key, "Expires": expires, "Signature": hmac_sha1(OWNER.secret_key, text)}
    assert world.send(wire(with_query(PUT, proof), world.domain_host)).verdict == (403, "AccessDenied")


# --- who ------------------------------------------------------------------------------------------------------------


@VERSIONS
def test_a_temporary_key_needs_its_token(world: World, unchanged: None, version: str) -> None:
    def asked(token: str | None) -> Answer:
        account, dated = replace(GUEST, token=token), with_headers(PUT, {"Date": rfc1123(world.now)})
        request = signed(dated, account) if version == "v1" else signed_v4(PUT, account, world.now)
        return world.send(wire(request, world.domain_host))

    for token in (None, "", "another", f"{GUEST.token}x"):
        assert asked(token).verdict == (403, "InvalidSecurityToken"), token


def test_nobody_is_refused(world: World, unchanged: None) -> None:
    for request in (PUT, GET, Request("DELETE", BUCKET, KEY), Request("GET", BUCKET), Request("GET")):
        assert world.send(wire(request, world.domain_host)).verdict == (403, "AccessDenied"), request


def test_two_signatures_at_once_are_refused(world: World, unchanged: None) -> None:
    both = signed(with_headers(signed_url(PUT, OWNER, int(world.now) + 300), {"Date": rfc1123(world.now)}), OWNER)
    assert world.send(wire(both, world.domain_host)).status == 400


# --- digests --------------------------------------------------------------------------------------------------------

BAD = {
    "another body's MD5": md5(b"other"),
    "an MD5 that is too short": "bm8gbWQ1",
    "an MD5 that is no base64": "!" * 24,
    "an MD5 in hexadecimal": "22af645d1859cb5ca6da0c484f1f37ea",
}


@pytest.mark.parametrize("name", BAD)
def test_what_has_a_bad_digest_is_not_stored(world: World, unchanged: None, name: str) -> None:
    bad = {"Content-MD5": BAD[name]}
    for request in (PUT, replace(PUT, key=KEY), *(part_of(world, number, b"new") for number in (1, 2))):
        assert world.ask(with_headers(request, bad)).verdict == (400, "InvalidDigest"), request
    assert world.good(GET).body == BODY


def test_every_single_changed_bit_of_a_body_is_noticed(world: World, unchanged: None) -> None:
    body = b"new body"
    for bit in range(len(body) * 8):
        flipped = bytearray(body)
        flipped[bit // 8] ^= 1 << bit % 8
        answer = world.ask(replace(PUT, headers={"Content-MD5": md5(body)}, body=bytes(flipped)))
        assert answer.verdict == (400, "InvalidDigest"), bit


def test_a_payload_that_v4_would_hash_is_refused(world: World, unchanged: None) -> None:
    """OSS knows `UNSIGNED-PAYLOAD` alone; neither a hash nor Amazon's chunks are taken for content."""
    for payload in ("0" * 64, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"):
        sent = wire(signed_v4(PUT, OWNER, world.now), world.domain_host).with_header("x-oss-content-sha256", payload)
        assert world.send(sent).verdict == (400, "InvalidArgument"), payload


# --- addresses ------------------------------------------------------------------------------------------------------


@VERSIONS
def test_path_style_on_the_domain_is_refused(world: World, unchanged: None, version: str) -> None:
    for request in (PUT, GET, Request("DELETE", BUCKET, KEY), Request("GET", BUCKET), Request("PUT", "other-1")):
        path = with_headers(replace(request, path_style=True), {"Date": rfc1123(world.now)})
        proved = signed(path, OWNER) if version == "v1" else signed_v4(path, OWNER, world.now)
        assert world.send(wire(proved, world.domain_host)).verdict == (403, "SecondLevelDomainForbidden"), request


def test_a_host_of_somebody_else_is_refused(world: World, unchanged: None) -> None:
    for host in (f"{BUCKET}.example.com", f"{BUCKET}.oss.test.example.com", "example.com", f"x{BUCKET}oss.test"):
        sent = wire(signed(with_headers(PUT, {"Date": rfc1123(world.now)}), OWNER), world.domain_host)
        assert world.send(sent.with_header("Host", host)).status in (400, 403, 404), host


@pytest.mark.parametrize("name", ["ab", "a" * 64, "Upper", "under_score", "-begins", "ends-", "a.dot", "192.168.0.1"])
def test_a_name_that_no_bucket_may_have_is_refused(world: World, unchanged: None, name: str) -> None:
    assert world.ask(Request("PUT", name, path_style=True)).verdict == (400, "InvalidBucketName")


# --- limits ---------------------------------------------------------------------------------------------------------


def part_of(world: World, number: int | str, body: bytes) -> Request:
    return Request("PUT", BUCKET, "big", {"partNumber": str(number), "uploadId": world.upload}, body=body)


def listed(world: World, number: int, body: bytes) -> str:
    """Send a part; what completes with it."""
    etag = world.good(part_of(world, number, body)).headers["etag"]
    return f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"


def complete(world: World, parts: str, **headers: str) -> Answer:
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    return world.ask(Request("POST", BUCKET, "big", {"uploadId": world.upload}, headers, body))


def test_an_upload_that_is_unknown_is_refused_in_every_call(world: World, unchanged: None) -> None:
    source = {"x-oss-copy-source": f"/{BUCKET}/{KEY}"}
    for upload in ("unknown", world.upload[:-1], world.upload + "0", "../../etc"):
        numbered = {"partNumber": "1", "uploadId": upload}
        for request in (
            Request("PUT", BUCKET, "big", numbered, body=b"x"),
            Request("PUT", BUCKET, "big", numbered, source),
            Request("GET", BUCKET, "big", {"uploadId": upload}),
            Request("DELETE", BUCKET, "big", {"uploadId": upload}),
        ):
            assert world.ask(request).verdict == (404, "NoSuchUpload"), request


def test_a_part_too_small_is_refused_at_the_end_unless_it_is_the_last(world: World) -> None:
    first, second, third = (
        listed(world, number, body) for number, body in ((1, b"a" * PART), (2, b"b" * (PART - 1)), (3, b""))
    )
    assert complete(world, first + second + third).verdict == (400, "EntityTooSmall")
    assert complete(world, second + third).verdict == (400, "EntityTooSmall")
    assert world.ask(Request("GET", BUCKET, "big")).verdict == (404, "NoSuchKey")
    assert complete(world, first + second).status == 200
    assert world.good(Request("GET", BUCKET, "big")).body == b"a" * PART + b"b" * (PART - 1)
    world.good(Request("DELETE", BUCKET, "big"))


@pytest.mark.parametrize("number", ["0", "-1", "10001", "1.5", "one", "99999999999999999999"])
def test_a_part_number_out_of_bounds_is_refused(world: World, unchanged: None, number: str) -> None:
    request = part_of(world, number, b"x")
    copied = replace(request, body=b"", headers={"x-oss-copy-source": f"/{BUCKET}/{KEY}"})
    for asked in (request, copied):
        assert world.ask(asked).verdict == (400, "InvalidArgument")


def test_parts_that_are_wrong_are_refused_at_the_end(world: World) -> None:
    first, second = listed(world, 1, b"a" * PART), listed(world, 2, b"b")
    for parts, code in {
        second + first: "InvalidPartOrder",
        first + first: "InvalidPartOrder",
        first + second.replace(">2<", ">3<"): "InvalidPart",
        first.replace("<ETag>", '<ETag>"0') + second: "InvalidPart",
        "": "MalformedXML",
        "<Part><PartNumber>1</PartNumber></Part>": "MalformedXML",
        "<Part>": "MalformedXML",
    }.items():
        assert complete(world, parts).verdict == (400, code), parts
    assert world.ask(Request("GET", BUCKET, "big")).verdict == (404, "NoSuchKey")
    assert world.good(Request("GET", BUCKET, "big", {"uploadId": world.upload})).status == 200


@pytest.mark.parametrize("key", ["k" * 1024, "ü" * 512, "/leading", "\\leading", "/"], ids=lambda key: key[:9])
def test_a_key_that_no_object_may_have_is_refused(world: World, unchanged: None, key: str) -> None:
    for method, query in (("PUT", {}), ("GET", {}), ("POST", {"uploads": None})):
        assert world.ask(Request(method, BUCKET, key, query)).verdict == (400, "InvalidObjectName"), method


def test_the_longest_key_is_accepted(world: World) -> None:
    for key in ("k" * 1023, "ü" * 511 + "k", "a\\b", "a//b"):
        world.good(replace(PUT, key=key))
        assert world.good(replace(GET, key=key)).body == b"new"
        world.good(Request("DELETE", BUCKET, key))


def test_nothing_is_replaced_that_must_not_be(world: World, unchanged: None) -> None:
    """By an object or a copy; of uploads that begin the documentation says nothing."""
    forbidden = {"x-oss-forbid-overwrite": "true"}
    copy = Request("PUT", BUCKET, KEY, headers={"x-oss-copy-source": f"/{BUCKET}/big-source", **forbidden})
    for request in (replace(PUT, key=KEY, headers=forbidden), copy):
        assert world.ask(request).verdict == (409, "FileAlreadyExists"), request
        unclear = with_headers(request, {"x-oss-forbid-overwrite": "yes"})
        assert world.ask(unclear).verdict == (400, "InvalidArgument"), request
    assert world.good(GET).body == BODY


def test_an_upload_does_not_end_on_an_object_that_must_not_be_replaced(world: World) -> None:
    whole = listed(world, 1, b"a" * PART)
    world.good(replace(PUT, key="big"))
    assert complete(world, whole, **{"x-oss-forbid-overwrite": "true"}).verdict == (409, "FileAlreadyExists")
    assert world.good(Request("GET", BUCKET, "big")).body == b"new"
    world.good(Request("DELETE", BUCKET, "big"))
    assert complete(world, whole, **{"x-oss-forbid-overwrite": "true"}).status == 200
    world.good(Request("DELETE", BUCKET, "big"))


def deletion(body: bytes, **headers: str) -> Request:
    return Request("POST", BUCKET, query={"delete": None}, headers={"Content-MD5": md5(body), **headers}, body=body)


def test_a_document_that_is_none_is_refused(world: World, unchanged: None) -> None:
    for body in (b"", b"no xml", b"<Delete>", b"<Delete/>", b'<!DOCTYPE x [<!ENTITY a "b">]><Delete>&a;</Delete>'):
        assert world.ask(deletion(body)).verdict == (400, "MalformedXML"), body


def test_more_than_a_thousand_deletions_at_once_are_refused(world: World, unchanged: None) -> None:
    objects = b"<Object><Key>dir/Object-1.txt</Key></Object>" * 1001
    assert world.ask(deletion(b"<Delete>" + objects + b"</Delete>")).verdict == (400, "MalformedXML")


@pytest.mark.parametrize("size", ["0", "1001", "-1", "many"])
def test_a_page_of_no_possible_size_is_refused(world: World, unchanged: None, size: str) -> None:
    upload = {"uploadId": world.upload, "max-parts": size}
    for request in (
        Request("GET", BUCKET, query={"max-keys": size}),
        Request("GET", BUCKET, query={"list-type": "2", "max-keys": size}),
        Request("GET", BUCKET, query={"uploads": None, "max-uploads": size}),
        Request("GET", BUCKET, "big", upload),
        Request("GET", query={"max-keys": size}),
    ):
        assert world.ask(request).verdict == (400, "InvalidArgument"), request


def test_the_time_of_a_signature_is_that_of_its_scope(world: World, unchanged: None) -> None:
    """A date of yesterday in the credential with a time of today: the key is another day's."""
    sent = wire(signed_v4(PUT, OWNER, world.now), world.domain_host)
    today, yesterday = stamp(world.now)[:8], stamp(world.now - 86400)[:8]
    changed = sent.header("authorization").replace(today, yesterday)
    assert world.send(sent.with_header("authorization", changed)).verdict == (400, "InvalidArgument")
