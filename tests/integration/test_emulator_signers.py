"""Whom the emulator refuses: who does not sign, or not all of it; and what is no change to a signed request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from storagekit.testing.emulator import Account as EmulatorAccount
from storagekit.testing.emulator import Emulator
from tests.integration.emulator_world import BUCKET, GUEST, KEY, OWNER, World, md5
from tests.integration.obs_signing import (
    UNSIGNED,
    Dialect,
    canonical,
    signed,
    signed_url,
    signed_url_v4,
    signed_v4,
    v4_signature,
)
from tests.integration.raw_requests import Line, Request, rfc1123, stamp, wire, with_headers

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("settled")]
KIND = World
PUT = Request("PUT", BUCKET, "new", body=b"new")
GET = Request("GET", BUCKET, KEY)


# --- who asks -------------------------------------------------------------------------------------------------------


def test_who_does_not_sign_is_refused(world: World, unchanged: None) -> None:
    asked = [
        PUT,
        GET,
        Request("DELETE", BUCKET, KEY),
        Request("GET", BUCKET),
        Request("GET"),
        Request("PUT", "other-1"),
    ]
    asked += [
        Request("POST", BUCKET, "x", {"uploads": None}),
        Request("DELETE", BUCKET, "big", {"uploadId": world.upload}),
    ]
    for request in asked:
        assert world.send(wire(request, world.domain_host)).verdict == (403, "AccessDenied"), request
    assert world.send(wire(Request("HEAD", BUCKET, KEY), world.domain_host)).status == 403


def test_anybody_may_ask_what_the_service_speaks(world: World) -> None:
    """The SDK's negotiation; without that parameter it is an unsigned request like any other."""
    for bucket in ("", BUCKET):
        answer = world.send(wire(Request("HEAD", bucket, query={"apiversion": None}), world.domain_host))
        assert (answer.status, answer.headers.get("x-obs-api")) == (200, "3.0")
        assert world.send(wire(Request("HEAD", bucket), world.domain_host)).status in (403, 405)


@pytest.mark.parametrize(
    "header",
    [
        *("", "OBS", "OBS ", f"OBS {OWNER.access_key}", f"OBS {OWNER.access_key}:", "OBS :", "OBS ::", ":::"),
        *("Basic dXNlcjpwYXNz", "Bearer token", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a"),
        f"AWS4-HMAC-SHA256 Credential={OWNER.access_key}, SignedHeaders=host, Signature=00",
        f"AWS4-HMAC-SHA256 Credential={OWNER.access_key}/20270115/r/s3/aws4_request, SignedHeaders=, Signature=",
    ],
)
def test_an_authorization_that_is_none_is_refused(world: World, unchanged: None, header: str) -> None:
    request = with_headers(PUT, {"Date": rfc1123(world.now), "Authorization": header})
    answer = world.send(wire(request, world.domain_host))
    assert answer.status in (400, 403), answer
    assert answer.code


@pytest.mark.parametrize("dialect", ["obs", "v2"])
def test_a_temporary_key_needs_its_token(world: World, unchanged: None, dialect: Dialect) -> None:
    for token in (None, "", "another", GUEST.token + "0" if GUEST.token else ""):
        answer = world.ask(PUT, replace(GUEST, token=token), dialect)
        assert answer.status == 403, token
        assert answer.code == "InvalidToken", token
    assert world.ask(GET, GUEST, dialect).status == 200


def test_a_temporary_key_ends() -> None:
    now = 1_800_000_000.0
    account = EmulatorAccount(GUEST.secret_key, token=GUEST.token, expires=now + 100)
    with Emulator("obs", accounts={GUEST.access_key: account}, clock=lambda: now) as emulator:
        world = World(emulator, Line(("127.0.0.1", emulator.port)), now)
        assert world.ask(Request("PUT", BUCKET), GUEST).status == 200
        now += 101
        world.now = now
        answer = world.ask(Request("GET", BUCKET), GUEST)
        assert (answer.status // 100, answer.code) == (4, "ExpiredToken")
        world.line.close()


# --- what is signed, and what only looks so ---------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", ["obs", "v2"])
def test_a_header_or_parameter_that_is_added_is_refused(world: World, unchanged: None, dialect: Dialect) -> None:
    prefix = "x-obs-" if dialect == "obs" else "x-amz-"
    sent = wire(signed(with_headers(PUT, {"Date": rfc1123(world.now)}), OWNER, dialect), world.domain_host)
    wrong = (403, "SignatureDoesNotMatch")
    for name in (f"{prefix}meta-colour", f"{prefix}acl", f"{prefix.upper()}Meta-Colour", "Content-Type", "Content-MD5"):
        assert world.send(replace(sent, headers=(*sent.headers, (name, md5(b"new"))))).verdict == wrong, name
    for name in ("acl", "uploads", "uploadId", "partNumber", "versionId", "append", "position", "tagging", "delete"):
        for value in (None, "1"):
            changed = replace(sent, query=((name, value),))
            assert world.send(changed).verdict == wrong, (name, value)


def test_what_is_added_to_a_request_of_v4_is_refused(world: World, unchanged: None) -> None:
    host = world.domain_host
    for sent in (
        wire(signed_v4(PUT, OWNER, world.now, host), host),
        wire(signed_url_v4(PUT, OWNER, world.now, host), host),
    ):
        for header in (
            ("x-amz-acl", "public-read"),
            ("x-amz-meta-colour", "red"),
            ("x-amz-copy-source", f"/{BUCKET}/{KEY}"),
        ):
            assert world.send(replace(sent, headers=(*sent.headers, header))).status == 403, header
        for parameter in (("acl", None), ("prefix", "x"), ("uploadId", world.upload), ("x", "")):
            assert world.send(replace(sent, query=(*sent.query, parameter))).status == 403, parameter


def test_v4_has_to_sign_the_host(world: World, unchanged: None) -> None:
    """Otherwise the request would be good for every bucket."""
    host = world.domain_host
    names, scope = ["x-amz-content-sha256", "x-amz-date"], f"{stamp(world.now)[:8]}/region/s3/aws4_request"
    request = with_headers(PUT, {"x-amz-date": stamp(world.now), "x-amz-content-sha256": UNSIGNED})
    signature = v4_signature(OWNER, scope, stamp(world.now), canonical(request, names, host, UNSIGNED))
    proof = f"Credential={OWNER.access_key}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
    sent = wire(with_headers(request, {"Authorization": f"AWS4-HMAC-SHA256 {proof}"}), host)
    assert world.send(sent).verdict == (403, "AccessDenied")


def test_a_signature_in_both_places_is_refused(world: World, unchanged: None) -> None:
    """Whichever of them is right."""
    request = with_headers(PUT, {"Date": rfc1123(world.now)})
    both = signed_url(signed(request, OWNER), OWNER, int(world.now) + 300)
    wrong = with_headers(signed_url(PUT, OWNER, int(world.now) + 300), {"Authorization": "OBS x:y"})
    for asked in (both, wrong):
        assert world.send(wire(asked, world.domain_host)).status in (400, 403)


@pytest.mark.parametrize("dialect", ["obs", "v2"])
def test_a_signed_header_that_is_doubled_is_refused(world: World, unchanged: None, dialect: Dialect) -> None:
    prefix = "x-obs-" if dialect == "obs" else "x-amz-"
    headers = {"Date": rfc1123(world.now), "Content-Type": "text/plain", f"{prefix}meta-colour": "red"}
    sent = wire(signed(with_headers(PUT, headers), OWNER, dialect), world.domain_host)
    for name in (f"{prefix}meta-colour", "Content-Type", "Date", "Authorization", "Host"):
        for value in ("other", sent.header(name)):
            for doubled in ((*sent.headers, (name, value)), ((name, value), *sent.headers)):
                if name in ("Content-Type", "Date", "Authorization", "Host") and value == sent.header(name):
                    continue  # twice the same: whether that is one or two is HTTP's question
                assert world.send(replace(sent, headers=doubled)).status in (400, 403), (name, value)


def test_spaces_around_a_value_are_not_signed(world: World) -> None:
    """The page: "delete meaningless spaces"."""
    headers = {"Date": rfc1123(world.now), "x-obs-meta-colour": "dark red"}
    sent = wire(signed(with_headers(PUT, headers), OWNER), world.domain_host)
    assert world.send(sent.with_header("x-obs-meta-colour", "  dark red\t ")).status == 200
    assert world.good(Request("HEAD", BUCKET, "new")).headers["x-obs-meta-colour"] == "dark red"
    world.good(Request("DELETE", BUCKET, "new"))


def test_headers_of_one_name_are_signed_as_one(world: World) -> None:
    """The page: `x-obs-meta-name:name1,name2`."""
    headers = {"Date": rfc1123(world.now), "x-obs-meta-name": "name1,name2"}
    sent = wire(signed(with_headers(PUT, headers), OWNER), world.domain_host).without_header("x-obs-meta-name")
    twice = (("x-obs-meta-name", "name1"), ("x-obs-meta-name", "name2"))
    assert world.send(replace(sent, headers=(*sent.headers, *twice))).status == 200
    assert world.send(replace(sent, headers=(*sent.headers, *twice[::-1]))).verdict == (403, "SignatureDoesNotMatch")
    world.good(Request("DELETE", BUCKET, "new"))


def test_a_signature_of_one_dialect_is_none_of_the_other(world: World, unchanged: None) -> None:
    dated = with_headers(PUT, {"Date": rfc1123(world.now), "x-obs-meta-colour": "red"})
    for dialect, other in (("obs", "AWS"), ("v2", "OBS")):
        request = signed(dated, OWNER, "obs" if dialect == "obs" else "v2")
        scheme, _, rest = request.headers["Authorization"].partition(" ")
        assert scheme != other
        changed = with_headers(request, {"Authorization": f"{other} {rest}"})
        assert world.send(wire(changed, world.domain_host)).status == 403
