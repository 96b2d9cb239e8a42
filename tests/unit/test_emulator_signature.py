"""Signatures: the worked examples of the documentation, and what is refused.

The examples are Huawei's ("Using an Authorization Header", support.huaweicloud.com api-obs obs_04_0010, and "Using a
Pre-Signed URL", obs_04_0011), which give the text to sign but no secret, and Amazon's (docs.aws.amazon.com, S3,
RESTAuthentication and sig-v4-header-based-auth), which give both.
"""

from __future__ import annotations

from calendar import timegm
from collections.abc import Mapping
from dataclasses import replace
from email.utils import parsedate_to_datetime

import pytest

from storagekit.testing.emulator.accounts import Account
from storagekit.testing.emulator.obs.address import parse_address
from storagekit.testing.emulator.obs.dialect import AMZ, OBS
from storagekit.testing.emulator.obs.signature import (
    Claim,
    authenticate,
    dialect_of,
    find_claim,
    signature,
    string_to_sign,
)
from storagekit.testing.emulator.operations.store import Address
from storagekit.testing.emulator.refusal import Refusal
from storagekit.testing.emulator.request import Request, parse_request
from storagekit.testing.emulator.signing import MAX_SKEW_S

REGION = "obs.region.example.com"
AMAZON = "s3.amazonaws.com"
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ACCOUNTS = {KEY: Account(SECRET)}


def request(method: str, target: str, **headers: str) -> Request:
    return parse_request(method, target, [(name.replace("_", "-"), value) for name, value in headers.items()])


def obs_text(asked: Request, domain: str = REGION, expires: str | None = None) -> str:
    return string_to_sign(asked, Claim("obs", "AK", "", expires), parse_address(asked, domain))


# --- Huawei's examples ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "target", "headers", "text"),
    [
        (
            "GET",
            "/object.txt",
            {"Date": "Sat, 12 Oct 2015 08:12:38 GMT"},
            "GET\n\n\nSat, 12 Oct 2015 08:12:38 GMT\n/bucket/object.txt",
        ),
        (
            "PUT",
            "/object.txt",
            {
                "User_Agent": "curl/7.15.5",
                "x_obs_date": "Tue, 15 Oct 2015 07:20:09 GMT",
                "x_obs_security_token": "YwkaRTbdY8g7q....",
                "content_type": "text/plain",
                "Content_Length": "5913339",
            },
            (
                "PUT\n\ntext/plain\n\nx-obs-date:Tue, 15 Oct 2015 07:20:09 GMT\n"
                "x-obs-security-token:YwkaRTbdY8g7q....\n/bucket/object.txt"
            ),
        ),
        (
            "PUT",
            "/object.txt",
            {"Date": "Mon, 14 Oct 2015 12:08:34 GMT", "x_obs_acl": "public-read", "content_type": "text/plain"},
            "PUT\n\ntext/plain\nMon, 14 Oct 2015 12:08:34 GMT\nx-obs-acl:public-read\n/bucket/object.txt",
        ),
        (
            "GET",
            "/object.txt?acl",
            {"Date": "Sat, 12 Oct 2015 08:12:38 GMT"},
            "GET\n\n\nSat, 12 Oct 2015 08:12:38 GMT\n/bucket/object.txt?acl",
        ),
        (
            "PUT",
            "/object.txt",
            {"x_obs_date": "Tue, 15 Oct 2015 07:20:09 GMT", "Content_MD5": "I5pU0r4+sgO9Emgl1KMQUg=="},
            "PUT\nI5pU0r4+sgO9Emgl1KMQUg==\n\n\nx-obs-date:Tue, 15 Oct 2015 07:20:09 GMT\n/bucket/object.txt",
        ),
    ],
    ids=["object", "token", "headers", "acl", "md5"],
)
def test_the_texts_of_the_documentation(method: str, target: str, headers: Mapping[str, str], text: str) -> None:
    assert text == obs_text(request(method, target, Host=f"bucket.{REGION}", **headers))


def test_a_url_has_its_expiry_where_a_header_has_its_date() -> None:
    signed = "AccessKeyId=MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc&Expires=1532779451&Signature=0Akylf43%2Bo%3D"
    asked = request("GET", f"/objectkey?{signed}", Host=f"examplebucket.{REGION}")
    with_token = request(
        "GET", f"/objectkey?{signed}&x-obs-security-token=YwkaRTbdY8g7q....", Host=f"examplebucket.{REGION}"
    )

    claim = find_claim(asked)
    assert claim is not None
    assert (claim.access_key, claim.expires) == ("MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc", "1532779451")
    assert claim.signature == "0Akylf43+o="
    assert obs_text(asked, expires=claim.expires) == "GET\n\n\n1532779451\n/examplebucket/objectkey"
    assert obs_text(with_token, expires=claim.expires).endswith(
        "/examplebucket/objectkey?x-obs-security-token=YwkaRTbdY8g7q...."
    )


def test_sub_resources_are_sorted_and_their_values_are_not_encoded() -> None:
    asked = request(
        "GET",
        "/object-test?versionId=xxx&response-content-type=text%2Fplain&other=1&prefix=a",
        Host=f"bucket-test.{REGION}",
        Date="x",
    )
    assert obs_text(asked).endswith("\n/bucket-test/object-test?response-content-type=text/plain&versionId=xxx")


@pytest.mark.parametrize(
    ("host", "target", "resource"),
    [
        (REGION, "/", "/"),
        (f"bucket.{REGION}", "/", "/bucket/"),
        (f"bucket.{REGION}:9100", "/?uploads=&delimiter=/", "/bucket/?uploads"),
        ("127.0.0.1:9100", "/bucket", "/bucket"),
        ("127.0.0.1", "/bucket/", "/bucket/"),
        ("127.0.0.1", "/bucket/a%20b", "/bucket/a%20b"),
        (f"bucket.{REGION}", "/a b(1)~%2f%C3%A4", "/bucket/a%20b%281%29~/%C3%A4"),
        (f"bucket.{REGION}", "//x", "/bucket//x"),
    ],
)
def test_the_resource_is_bucket_and_key_however_they_are_addressed(host: str, target: str, resource: str) -> None:
    assert obs_text(request("GET", target, Host=host)) == f"GET\n\n\n\n{resource}"


def test_headers_of_one_name_are_one_line() -> None:
    headers = [("Host", f"b-1.{REGION}"), ("x-obs-meta-name", " name1 "), ("X-Obs-Meta-Name", "name2"), ("x-obs-b", "")]
    asked = parse_request("PUT", "/k", headers)
    assert obs_text(asked) == "PUT\n\n\n\nx-obs-b:\nx-obs-meta-name:name1,name2\n/b-1/k"


# --- Amazon's examples ------------------------------------------------------------------------------------------------

V2 = [
    (
        request("GET", "/photos/puppy.jpg", Host=f"johnsmith.{AMAZON}", Date="Tue, 27 Mar 2007 19:36:42 +0000"),
        "bWq2s1WEIj+Ydj0vQ697zp+IXMU=",
    ),
    (
        request(
            "PUT",
            "/photos/puppy.jpg",
            Host=f"johnsmith.{AMAZON}",
            Date="Tue, 27 Mar 2007 21:15:45 +0000",
            Content_Type="image/jpeg",
            Content_Length="94328",
        ),
        "MyyxeRY7whkBe+bq8fHCL/2kKUg=",
    ),
    (
        request(
            "GET",
            "/?prefix=photos&max-keys=50&marker=puppy",
            Host=f"johnsmith.{AMAZON}",
            Date="Tue, 27 Mar 2007 19:42:41 +0000",
        ),
        "htDYFYduRNen8P9ZfE/s9SuKy0U=",
    ),
    (
        request("GET", "/?acl", Host=f"johnsmith.{AMAZON}", Date="Tue, 27 Mar 2007 19:44:46 +0000"),
        "c2WLPFtWHVgbEmeEG93a4cG37dM=",
    ),
    (request("GET", "/", Host=AMAZON, Date="Wed, 28 Mar 2007 01:29:59 +0000"), "qGdzdERIC03wnaRNKh6OqZehG9s="),
]


@pytest.mark.parametrize(("asked", "given"), V2, ids=["get", "put", "list", "acl", "buckets"])
def test_amazons_examples_of_v2_are_let_in(asked: Request, given: str) -> None:
    signed = replace(asked, headers=(*asked.headers, ("authorization", f"AWS {KEY}:{given}")))
    now = parsedate_to_datetime(asked.header("date") or "").timestamp() + 60
    assert authenticate(signed, parse_address(signed, AMAZON), ACCOUNTS, now) == ACCOUNTS[KEY]


NOON = timegm((2013, 5, 24, 0, 0, 0))
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def v4_example(signature_: str, *, scope: str = f"{KEY}/20130524/us-east-1/s3/aws4_request") -> Request:
    """The example "GET Object" of sig-v4-header-based-auth."""
    return request(
        "GET",
        "/test.txt",
        Host=f"examplebucket.{AMAZON}",
        Range="bytes=0-9",
        x_amz_content_sha256=EMPTY,
        x_amz_date="20130524T000000Z",
        Authorization=f"AWS4-HMAC-SHA256 Credential={scope},"
        f"SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature={signature_}",
    )


RIGHT_V4 = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"


def test_amazons_example_of_v4_is_let_in() -> None:
    asked = v4_example(RIGHT_V4)
    assert authenticate(asked, parse_address(asked, AMAZON), ACCOUNTS, NOON + 60, "us-east-1") == ACCOUNTS[KEY]


def v4_url(given: str = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404") -> Request:
    """The example of sigv4-query-string-auth."""
    query = (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={KEY}%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        f"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature={given}"
    )
    return request("GET", f"/test.txt?{query}", Host=f"examplebucket.{AMAZON}")


def test_amazons_example_of_a_v4_url_is_let_in_for_a_day() -> None:
    asked = v4_url()
    address = parse_address(asked, AMAZON)
    assert authenticate(asked, address, ACCOUNTS, NOON + 86_400) == ACCOUNTS[KEY]
    with pytest.raises(Refusal, match=r"Request has expired\."):
        authenticate(asked, address, ACCOUNTS, NOON + 86_401)


# --- refusals ---------------------------------------------------------------------------------------------------------

NOW = 1_900_000_000.0
HTTP_NOW = "Sun, 17 Mar 2030 17:46:40 GMT"


def signed_obs(secret: str = SECRET, key: str = KEY, **headers: str) -> Request:
    """A GET signed with OBS's own signature: what the documentation's formula makes of it."""
    asked = request("GET", "/key", Host="bucket.obs.test", **{"Date": HTTP_NOW, **headers})
    claim = Claim("obs", key, "")
    text = string_to_sign(asked, claim, Address("bucket", "key", virtual=True))
    return replace(asked, headers=(*asked.headers, ("authorization", f"OBS {key}:{signature(claim, secret, text)}")))


def refused(asked: Request, now: float = NOW, accounts: Mapping[str, Account] | None = None, **named: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        authenticate(asked, parse_address(asked, "obs.test"), accounts or ACCOUNTS, now, **named)
    return caught.value


def let_in(asked: Request, now: float = NOW, accounts: Mapping[str, Account] | None = None) -> Account:
    return authenticate(asked, parse_address(asked, "obs.test"), accounts or ACCOUNTS, now)


def test_a_right_signature_is_let_in() -> None:
    assert let_in(signed_obs()) == ACCOUNTS[KEY]


def test_what_is_not_signed_is_refused() -> None:
    assert refused(request("GET", "/key", Host="bucket.obs.test")).code == "AccessDenied"


def test_an_unknown_key_is_refused() -> None:
    assert refused(signed_obs(key="nobody")).code == "InvalidAccessKeyId"


def test_another_secret_is_refused_and_told_what_should_have_been_signed() -> None:
    refusal = refused(signed_obs("another"))
    assert (refusal.code, refusal.status) == ("SignatureDoesNotMatch", 403)
    assert refusal.facts["StringToSign"] == f"GET\n\n\n{HTTP_NOW}\n/bucket/key"
    assert SECRET not in str(refusal.facts)


@pytest.mark.parametrize("drift", [-MAX_SKEW_S, MAX_SKEW_S])
def test_a_clock_may_be_off_by_15_minutes(drift: float) -> None:
    assert let_in(signed_obs(), NOW + drift)


@pytest.mark.parametrize(
    ("drift", "message"),
    [(-MAX_SKEW_S - 1, "Request is not yet valid."), (MAX_SKEW_S + 1, "Request is no longer valid.")],
)
def test_a_clock_that_is_off_by_more_is_refused(drift: float, message: str) -> None:
    refusal = refused(signed_obs(), NOW + drift)
    assert (refusal.code, refusal.message) == ("RequestTimeTooSkewed", message)


@pytest.mark.parametrize("date", ["", "yesterday", "Sun, 17 Mar 2030"])
def test_a_date_that_is_none_is_refused(date: str) -> None:
    assert refused(signed_obs(Date=date)).code == "AccessDenied"


def test_no_date_at_all_is_refused() -> None:
    asked = signed_obs()
    without = replace(asked, headers=tuple(one for one in asked.headers if one[0] != "date"))
    assert refused(without).code == "AccessDenied"


def test_the_dialects_own_date_goes_before_date() -> None:
    assert let_in(signed_obs(Date="Tue, 01 Jan 1980 00:00:00 GMT", x_obs_date=HTTP_NOW))


@pytest.mark.parametrize(
    "header",
    ["", "OBS", "OBS AK", "OBS :sig", "OBR AK:sig", "Basic QUs6U0s=", "AWS4-HMAC-SHA256 Credential=a", "OBS AK:a b"],
)
def test_a_header_of_another_form_is_refused(header: str) -> None:
    asked = request("GET", "/key", Host="bucket.obs.test", Date=HTTP_NOW, Authorization=header)
    assert refused(asked).code == "InvalidArgument"


def test_two_signatures_at_once_are_refused() -> None:
    asked = signed_obs()
    assert refused(replace(asked, query=(("AccessKeyId", KEY), ("Signature", "x"), ("Expires", "1")))).code == (
        "InvalidArgument"
    )


@pytest.mark.parametrize("missing", ["Signature", "Expires"])
def test_a_url_that_lacks_a_piece_is_refused(missing: str) -> None:
    pieces = {"AccessKeyId": KEY, "Signature": "x", "Expires": "9999999999"}
    query = "&".join(f"{name}={value}" for name, value in pieces.items() if name != missing)
    assert refused(request("GET", f"/key?{query}", Host="bucket.obs.test")).code == "AccessDenied"


@pytest.mark.parametrize("expires", ["soon", "-1", "1e9", "٣"])
def test_an_expiry_that_is_no_number_is_refused(expires: str) -> None:
    asked = request("GET", f"/key?AccessKeyId={KEY}&Signature=x&Expires={expires}", Host="bucket.obs.test")
    assert refused(asked).code == "AccessDenied"


TEMPORARY = {KEY: Account(SECRET, token="the-token", expires=NOW + 10)}


def test_a_temporary_key_needs_its_token_until_it_ends() -> None:
    assert let_in(signed_obs(x_obs_security_token="the-token"), accounts=TEMPORARY)
    assert refused(signed_obs(), accounts=TEMPORARY).code == "InvalidToken"
    assert refused(signed_obs(x_obs_security_token="another"), accounts=TEMPORARY).code == "InvalidToken"
    ended = refused(signed_obs(x_obs_security_token="the-token"), NOW + 11, TEMPORARY)
    assert ended.code == "ExpiredToken"


def test_a_permanent_key_has_no_token() -> None:
    assert refused(signed_obs(x_obs_security_token="any")).code == "InvalidToken"


def test_secrets_are_not_shown() -> None:
    assert "the-token" not in repr(TEMPORARY)
    assert SECRET not in repr(TEMPORARY)


@pytest.mark.parametrize(
    "scope",
    [
        "20130525/us-east-1/s3/aws4_request",
        "20130524/us-east-1/ec2/aws4_request",
        "20130524/us-east-1/s3/aws5_request",
        "20130524/us-east-1/s3",
        "20130524",
    ],
)
def test_a_v4_scope_that_does_not_fit_is_refused(scope: str) -> None:
    asked = v4_example(RIGHT_V4, scope=f"{KEY}/{scope}")
    with pytest.raises(Refusal) as caught:
        authenticate(asked, parse_address(asked, AMAZON), ACCOUNTS, NOON)
    assert caught.value.code == "AccessDenied"


def test_a_v4_region_is_any_unless_one_is_asked_for() -> None:
    asked = v4_example(RIGHT_V4)
    with pytest.raises(Refusal, match="region"):
        authenticate(asked, parse_address(asked, AMAZON), ACCOUNTS, NOON, "eu-west-1")


def test_v4_signs_every_header_of_its_own() -> None:
    asked = v4_example(RIGHT_V4)
    more = replace(asked, headers=(*asked.headers, ("x-amz-meta-a", "1")))
    with pytest.raises(Refusal) as caught:
        authenticate(more, parse_address(more, AMAZON), ACCOUNTS, NOON)
    assert caught.value.facts == {"HeadersNotSigned": "x-amz-meta-a"}


def test_a_v4_date_may_come_as_date_like_the_sdk_sends_it() -> None:
    asked = v4_example("0" * 64)
    headers = tuple(one for one in asked.headers if one[0] not in ("x-amz-date", "authorization"))
    credential = f"Credential={KEY}/20130524/us-east-1/s3/aws4_request"
    signed = ("date", "host", "range", "x-amz-content-sha256")
    claim = Claim("v4", KEY, "", scope="20130524/us-east-1/s3/aws4_request", signed=signed)
    dated = replace(asked, headers=(*headers, ("date", "Fri, 24 May 2013 00:00:00 GMT")))
    right = signature(claim, SECRET, string_to_sign(dated, claim, parse_address(dated, AMAZON)))
    header = f"AWS4-HMAC-SHA256 {credential},SignedHeaders={';'.join(signed)},Signature={right}"
    whole = replace(dated, headers=(*dated.headers, ("authorization", header)))
    assert authenticate(whole, parse_address(whole, AMAZON), ACCOUNTS, NOON) == ACCOUNTS[KEY]
    assert string_to_sign(dated, claim, parse_address(dated, AMAZON)).splitlines()[1] == "20130524T000000Z"


@pytest.mark.parametrize(
    ("asked", "dialect"),
    [
        (signed_obs(), OBS),
        (V2[0][0], OBS),
        (v4_example("x"), AMZ),
        (v4_url(), AMZ),
        (request("GET", "/?AWSAccessKeyId=a", Host="x"), AMZ),
        (request("GET", "/", Host="x", Authorization="AWS a:b"), AMZ),
        (request("GET", "/?AccessKeyId=a", Host="x"), OBS),
    ],
)
def test_the_dialect_is_told_by_the_signature(asked: Request, dialect: object) -> None:
    assert dialect_of(asked) is dialect
