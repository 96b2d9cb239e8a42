"""OSS's signatures: the worked examples of the documentation and of the vendor's SDK, and what is refused.

The examples are Alibaba's ("Include a V1 signature in the Authorization header", "Add signatures to URLs", "Include a
V4 signature in the Authorization header"; the last gives the signing key, not the secret), and those that the tests of
alibabacloud-oss-python-sdk-v2 hold its signer to, which give both.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from functools import partial

import pytest

from storagekit.testing.emulator.accounts import Account
from storagekit.testing.emulator.operations.store import Address
from storagekit.testing.emulator.oss.address import parse_address
from storagekit.testing.emulator.oss.signature import (
    Claim,
    Policy,
    authenticate,
    canonical_request,
    canonical_resource,
    find_claim,
    signature,
    string_to_sign,
)
from storagekit.testing.emulator.refusal import Refusal
from storagekit.testing.emulator.request import Request, parse_request
from storagekit.testing.emulator.signing import MAX_SKEW_S

V1_SECRET = "OtxrzxIsfpFjA7SwPzILwy8Bw21TLhquhboDYROV"
V1_KEY = "44CF9590006BF252F707"
ACCOUNTS = {"ak": Account("sk"), V1_KEY: Account(V1_SECRET), "sts": Account("sk", token="token", expires=1_702_800_000)}
V4_QUERY = "param1=value1&%2Bparam1=value3&%7Cparam1=value4&%2Bparam2&%7Cparam2&param2"
V4_KEY = Address("bucket", "1234+-/123/1.txt", virtual=True)
V4_TARGET = "/1234%2B-/123/1.txt"
V4_HEADERS = {"x-oss-head1": "value", "abc": "value", "ZAbc": "value", "XYZ": "value"}


def request(method: str, target: str, headers: Mapping[str, str]) -> Request:
    return parse_request(method, target, headers.items())


def admitted(asked: Request, address: Address, now: float, policy: Policy | None = None) -> Account:
    return authenticate(asked, find_claim(asked), address, ACCOUNTS, now, policy or Policy())


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as caught:
        act()
    return caught.value.code


# --- V1 ---------------------------------------------------------------------------------------------------------------

V1_HEADERS = {
    "Content-MD5": "ODBGOERFMDMzQTczRUY3NUE3NzA5QzdFNUYzMDQxNEM=",
    "Content-Type": "text/html",
    "Date": "Thu, 17 Nov 2005 18:49:58 GMT",
    "Host": "oss-example.oss-cn-hangzhou.aliyuncs.com",
    "X-OSS-Meta-Author": "foo@bar.com",
    "X-OSS-Magic": "abracadabra",
}
V1_TIME = 1132253398.0


def v1_request(right: str = "26NBxoKdsyly4EDv6inkoDft/yA=", **other: str) -> Request:
    return request("PUT", "/nelson", {**V1_HEADERS, **other, "Authorization": f"OSS {V1_KEY}:{right}"})


def test_the_example_of_v1_is_admitted() -> None:
    asked = v1_request()
    address = parse_address(asked, "oss-cn-hangzhou.aliyuncs.com", {})
    claim = find_claim(asked)
    assert claim is not None
    assert string_to_sign(asked, claim, address) == (
        "PUT\nODBGOERFMDMzQTczRUY3NUE3NzA5QzdFNUYzMDQxNEM=\ntext/html\nThu, 17 Nov 2005 18:49:58 GMT\n"
        "x-oss-magic:abracadabra\nx-oss-meta-author:foo@bar.com\n/oss-example/nelson"
    )
    assert admitted(asked, address, V1_TIME) is ACCOUNTS[V1_KEY]


def test_the_example_of_a_v1_url_is_admitted_until_it_ends() -> None:
    signed = f"OSSAccessKeyId={V1_KEY}&Expires=1141889120&Signature=EwaNTn1erJGkimiJ9WmXgwnANLc%3D"
    asked = request("GET", f"/oss-api.pdf?{signed}", {})
    address = Address("oss-example", "oss-api.pdf", virtual=True)
    assert admitted(asked, address, 1141889120.0) is ACCOUNTS[V1_KEY]
    assert code_of(lambda: admitted(asked, address, 1141889121.0)) == "AccessDenied"


@pytest.mark.parametrize(
    "other",
    [
        {"Content-MD5": "x"},
        {"Content-Type": "text/plain"},
        {"Date": "Thu, 17 Nov 2005 18:49:59 GMT"},
        {"X-OSS-Magic": "abracadabr"},
        {"x-oss-more": "1"},
        {"right": "26NBxoKdsyly4EDv6inkoDft/yB="},
    ],
    ids=str,
)
def test_a_v1_signature_is_of_all_that_it_names(other: dict[str, str]) -> None:
    asked = v1_request(**other)
    assert code_of(lambda: admitted(asked, Address("oss-example", "nelson"), V1_TIME)) == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    ("target", "resource"),
    [
        ("/a%20b%C3%BC", "/bucket/a b\u00fc"),
        ("/key?uploadId=A%2FB&partNumber=2&other=1", "/bucket/key?partNumber=2&uploadId=A/B"),
        ("/key?acl&response-content-type=a%2Fb", "/bucket/key?acl&response-content-type=a/b"),
        ("/key?UploadId=x", "/bucket/key"),
        ("/?list-type=2&continuation-token=abc", "/bucket/?continuation-token=abc"),
        ("/", "/bucket/"),
    ],
)
def test_v1_signs_sub_resources_and_nothing_encoded(target: str, resource: str) -> None:
    asked = request("GET", target, {"Host": "bucket.oss.test"})
    assert canonical_resource(asked, parse_address(asked, "oss.test", {})) == resource


# --- V4 ---------------------------------------------------------------------------------------------------------------


def test_the_example_of_v4_has_the_text_and_with_its_key_the_signature_of_the_documentation() -> None:
    headers = {
        "Content-Disposition": "attachment",
        "Content-Length": "3",
        "Content-MD5": "ICy5YqxZB1uWSwcVLSNLcA==",
        "Content-Type": "text/plain",
        "x-oss-content-sha256": "UNSIGNED-PAYLOAD",
        "x-oss-date": "20250411T064124Z",
        "Authorization": (
            "OSS4-HMAC-SHA256 Credential=LTAI/20250411/cn-hangzhou/oss/aliyun_v4_request, "
            "AdditionalHeaders=content-disposition;content-length, Signature=00"
        ),
    }
    asked = request("PUT", "/exampleobject", headers)
    claim = find_claim(asked)
    assert claim is not None
    address = Address("examplebucket", "exampleobject", virtual=True)
    assert canonical_request(asked, claim, address) == (
        "PUT\n/examplebucket/exampleobject\n\ncontent-disposition:attachment\ncontent-length:3\n"
        "content-md5:ICy5YqxZB1uWSwcVLSNLcA==\ncontent-type:text/plain\nx-oss-content-sha256:UNSIGNED-PAYLOAD\n"
        "x-oss-date:20250411T064124Z\n\ncontent-disposition;content-length\nUNSIGNED-PAYLOAD"
    )
    text = string_to_sign(asked, claim, address)
    assert text == (
        "OSS4-HMAC-SHA256\n20250411T064124Z\n20250411/cn-hangzhou/oss/aliyun_v4_request\n"
        "c46d96390bdbc2d739ac9363293ae9d710b14e48081fcb22cd8ad54b63136eca"
    )
    key = bytes.fromhex("3543b7686e65eda71e5e5ca19d548d78423c37e8ddba4dc9d83f90228b457c76")
    assert hmac.new(key, text.encode(), hashlib.sha256).hexdigest() == (
        "053edbf550ebd239b32a9cdfd93b0b2b3f2d223083aa61f75e9ac16856d61f23"
    )


def v4_request(date: str, right: str, key: str = "ak", additional: str = "", **other: str) -> Request:
    scope = f"{date[:8]}/cn-hangzhou/oss/aliyun_v4_request"
    words = f"OSS4-HMAC-SHA256 Credential={key}/{scope},{additional}Signature={right}"
    own = {"x-oss-content-sha256": "UNSIGNED-PAYLOAD", "x-oss-date": date, "content-type": "text/plain"}
    return request("PUT", f"{V4_TARGET}?{V4_QUERY}", {**V4_HEADERS, **own, **other, "Authorization": words})


PLAIN = ("20231216T162057Z", "e21d18daa82167720f9b1047ae7e7f1ce7cb77a31e8203a7d5f4624fa0284afe")


def test_the_sdks_examples_of_v4_are_admitted() -> None:
    asked = v4_request(*PLAIN)
    assert admitted(asked, V4_KEY, 1702743657.0, Policy(v4_region="cn-hangzhou")) is ACCOUNTS["ak"]
    right = "4a4183c187c07c8947db7620deb0a6b38d9fbdd34187b6dbaccb316fa251212f"
    asked = v4_request("20231216T172512Z", right, additional="AdditionalHeaders=abc;zabc,")
    assert admitted(asked, V4_KEY, 1702747512.0) is ACCOUNTS["ak"]


def test_the_sdks_example_of_v4_with_a_token_is_admitted() -> None:
    right = "b94a3f999cf85bcdc00d332fbd3734ba03e48382c36fa4d5af5df817395bd9ea"
    asked = v4_request("20231217T034736Z", right, **{"x-oss-security-token": "token"})
    claim = find_claim(asked)
    assert claim is not None
    assert signature(claim, "sk", string_to_sign(asked, claim, V4_KEY)) == right
    assert code_of(lambda: admitted(asked, V4_KEY, 1702784856.0)) == "InvalidToken"  # the key "ak" has none


@pytest.mark.parametrize(
    ("date", "right", "more"),
    [
        ("20231217T025437Z", "a39966c61718be0d5b14e668088b3fa07601033f6518ac7b523100014269c0fe", ""),
        (
            "20231217T033009Z",
            "6bd984bfe531afb6db1f7550983a741b103a8c58e5e14f83ea474c2322dfa2b7",
            "&x-oss-additional-headers=abc%3Bzabc",
        ),
    ],
    ids=["plain", "additional"],
)
def test_the_sdks_examples_of_a_v4_url_are_admitted_until_they_end(date: str, right: str, more: str) -> None:
    signed = (
        f"x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-date={date}&x-oss-expires=599{more}&x-oss-signature={right}"
        f"&x-oss-credential=ak%2F{date[:8]}%2Fcn-hangzhou%2Foss%2Faliyun_v4_request"
    )
    headers = {**V4_HEADERS, "content-type": "application/octet-stream"}
    asked = request("PUT", f"{V4_TARGET}?{V4_QUERY}&{signed}", headers)
    begin = {"20231217T025437Z": 1702781677, "20231217T033009Z": 1702783809}[date]
    for now in (begin - MAX_SKEW_S, begin, begin + 599):
        assert admitted(asked, V4_KEY, float(now)) is ACCOUNTS["ak"]
    assert code_of(lambda: admitted(asked, V4_KEY, begin + 600.0)) == "AccessDenied"
    assert code_of(lambda: admitted(asked, V4_KEY, begin - MAX_SKEW_S - 1.0)) == "RequestTimeTooSkewed"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("OSS ak", "InvalidArgument"),
        ("OSS2 ak:x", "InvalidArgument"),
        ("OSS4-HMAC-SHA256 Credential=ak/20231216/cn-hangzhou/oss/aliyun_v4_request", "InvalidArgument"),
        ("OSS4-HMAC-SHA256 Credential=ak/20231215/cn-hangzhou/oss/aliyun_v4_request,Signature=1", "InvalidArgument"),
        ("OSS4-HMAC-SHA256 Credential=ak/20231216/cn-hangzhou/s3/aliyun_v4_request,Signature=1", "InvalidArgument"),
        ("OSS4-HMAC-SHA256 Credential=ak/20231216/cn-beijing/oss/aliyun_v4_request,Signature=1", "InvalidArgument"),
        ("OSS4-HMAC-SHA256 Credential=a/20231216/cn-hangzhou/oss/aliyun_v4_request,Signature=1", "InvalidAccessKeyId"),
        (
            "OSS4-HMAC-SHA256 Credential=ak/20231216/cn-hangzhou/oss/aliyun_v4_request,Signature=1,Signature=1",
            "InvalidArgument",
        ),
        (
            (
                "OSS4-HMAC-SHA256 Credential=ak/20231216/cn-hangzhou/oss/aliyun_v4_request,"
                "AdditionalHeaders=zabc;abc,Signature=1"
            ),
            "InvalidArgument",
        ),
        (
            "OSS4-HMAC-SHA256 Credential=ak/20231216/cn-hangzhou/oss/aliyun_v4_request,Signature=1",
            "SignatureDoesNotMatch",
        ),
    ],
)
def test_what_is_no_signature_of_oss_is_refused(words: str, code: str) -> None:
    headers = {"x-oss-date": PLAIN[0], "Date": "Sat, 16 Dec 2023 16:20:57 GMT", "Authorization": words}
    asked = request("GET", V4_TARGET, {**headers, "x-oss-content-sha256": "UNSIGNED-PAYLOAD"})
    policy = Policy(v4_region="cn-hangzhou")
    assert code_of(lambda: admitted(asked, V4_KEY, 1702743657.0, policy)) == code


def test_v4_signs_the_payload_as_unsigned_and_says_so() -> None:
    for payload in ("e3b0", ""):
        asked = v4_request(*PLAIN, **{"x-oss-content-sha256": payload})
        assert code_of(partial(admitted, asked, V4_KEY, 1702743657.0)) == "InvalidArgument"


def test_a_clock_may_be_a_quarter_of_an_hour_off() -> None:
    asked = v4_request(*PLAIN)
    for now in (1702743657.0 - MAX_SKEW_S, 1702743657.0 + MAX_SKEW_S):
        assert admitted(asked, V4_KEY, now) is ACCOUNTS["ak"]
    for now in (1702743656.0 - MAX_SKEW_S, 1702743658.0 + MAX_SKEW_S):
        assert code_of(partial(admitted, asked, V4_KEY, now)) == "RequestTimeTooSkewed"


def test_a_signature_that_is_not_taken_here_is_refused() -> None:
    assert code_of(lambda: admitted(v4_request(*PLAIN), V4_KEY, 1702743657.0, Policy(("v1",)))) == "InvalidArgument"
    example = Address("oss-example", "nelson")
    assert code_of(lambda: admitted(v1_request(), example, V1_TIME, Policy(("v4",)))) == "InvalidArgument"


def test_header_and_url_do_not_both_sign() -> None:
    asked = request("GET", "/key?OSSAccessKeyId=a&Expires=1&Signature=b", {"Authorization": "OSS a:b"})
    assert code_of(lambda: find_claim(asked)) == "InvalidArgument"


@pytest.mark.parametrize("missing", ["Expires", "Signature", "OSSAccessKeyId"])
def test_a_v1_url_says_everything_once(missing: str) -> None:
    pairs = {"OSSAccessKeyId": "a", "Expires": "1", "Signature": "b"}
    query = "&".join(f"{name}={'' if name == missing else value}" for name, value in pairs.items())
    assert code_of(lambda: find_claim(request("GET", f"/key?{query}", {}))) == "AccessDenied"
    twice = request("GET", f"/key?{query}&Signature=c&Signature=d", {})
    assert code_of(lambda: find_claim(twice)) == "InvalidArgument"


def test_a_request_without_a_signature_claims_nothing() -> None:
    assert find_claim(request("GET", "/key?acl", {})) is None
    asked = request("GET", "/key", {})
    assert code_of(lambda: authenticate(asked, None, V4_KEY, ACCOUNTS, 0.0, Policy())) == "AccessDenied"


def test_a_key_that_is_over_is_refused() -> None:
    asked = v4_request("20231217T080000Z", "0", key="sts", **{"x-oss-security-token": "token"})
    claim = find_claim(asked)
    assert isinstance(claim, Claim)
    right = signature(claim, "sk", string_to_sign(asked, claim, V4_KEY))
    asked = v4_request("20231217T080000Z", right, key="sts", **{"x-oss-security-token": "token"})
    assert admitted(asked, V4_KEY, 1_702_800_000.0) is ACCOUNTS["sts"]
    assert code_of(lambda: admitted(asked, V4_KEY, 1_702_800_001.0)) == "ExpiredToken"


# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "path", "address"),
    [
        ("bucket.oss.test:80", "/a/b", Address("bucket", "a/b", virtual=True)),
        ("oss.test", "/", Address()),
        ("127.0.0.1:9200", "/bucket/a/b", Address("bucket", "a/b")),
        ("localhost", "/bucket", Address("bucket")),
        ("data.example.test", "/bucket/a", Address("mine", "bucket/a", virtual=True)),
    ],
)
def test_hosts_and_paths_name_buckets(host: str, path: str, address: Address) -> None:
    asked = request("GET", path, {"Host": host})
    assert parse_address(asked, "oss.test", {"data.example.test": "mine"}) == address


@pytest.mark.parametrize(
    ("host", "path", "code"),
    [
        ("oss.test", "/bucket/a", "SecondLevelDomainForbidden"),
        ("other.test", "/", "InvalidRequest"),
        ("a.b.oss.test", "/", "InvalidBucketName"),
        ("Ab_.oss.test", "/", "InvalidBucketName"),
        ("bucket.oss.test", "/" + "k" * 1024, "KeyTooLong"),
        ("bucket.oss.test", "//a", "InvalidURI"),
        ("bucket.oss.test", "/%5Ca", "InvalidURI"),
        ("bucket.oss.test", "/%ff", "InvalidURI"),
    ],
)
def test_what_is_no_address_is_refused(host: str, path: str, code: str) -> None:
    assert code_of(lambda: parse_address(request("GET", path, {"Host": host}), "oss.test", {})) == code


def test_a_key_has_1023_bytes() -> None:
    asked = request("GET", "/" + "k" * 1023, {"Host": "bucket.oss.test"})
    assert len(parse_address(asked, "oss.test", {}).key) == 1023
