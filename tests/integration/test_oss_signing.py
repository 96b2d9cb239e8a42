"""Worked examples of OSS's signatures: our signer makes what they say, the emulator lets them in.

V1: the page's own, with the key that it prints. V4: the page prints none; these are those that the vendor's SDKs for
Go, PHP and Swift are all tested with, each an implementation of its own.
"""

from __future__ import annotations

import pytest

from storagekit.testing.emulator import Account as EmulatorAccount
from storagekit.testing.emulator import Emulator
from tests.integration.oss_signing import signed, signed_url, signed_url_v4, signed_v4
from tests.integration.raw_requests import Account, Answer, Request, send, wire

pytestmark = pytest.mark.integration
DOMAIN = "oss-cn-hangzhou.aliyuncs.com"
PAGE = Account("44CF9590006BF252F707", "OtxrzxIsfpFjA7SwPzILwy8Bw21TLhquhboDYROV")
PUT = Request(
    "PUT",
    "oss-example",
    "nelson",
    headers={
        "Content-MD5": "ODBGOERFMDMzQTczRUY3NUE3NzA5QzdFNUYzMDQxNEM=",
        "Content-Type": "text/html",
        "Date": "Thu, 17 Nov 2005 18:49:58 GMT",
        "X-OSS-Meta-Author": "foo@bar.com",
        "X-OSS-Magic": "abracadabra",
    },
)
PUT_AT, URL_UNTIL = 1132253398, 1141889120
QUERY = {"param1": "value1", "+param1": "value3", "|param1": "value4", "+param2": "", "|param2": "", "param2": ""}
OTHERS = {"x-oss-head1": "value", "abc": "value", "ZAbc": "value", "XYZ": "value"}
SDKS, TEMPORARY = Account("ak", "sk"), Account("ak", "sk", "token")

#: Account, time, headers signed besides, signature.
V4_HEADERS: list[tuple[Account, int, tuple[str, ...], str]] = [
    (SDKS, 1702743657, (), "e21d18daa82167720f9b1047ae7e7f1ce7cb77a31e8203a7d5f4624fa0284afe"),
    (TEMPORARY, 1702784856, (), "b94a3f999cf85bcdc00d332fbd3734ba03e48382c36fa4d5af5df817395bd9ea"),
    (SDKS, 1702747512, ("abc", "zabc"), "4a4183c187c07c8947db7620deb0a6b38d9fbdd34187b6dbaccb316fa251212f"),
]
V4_URLS: list[tuple[Account, int, tuple[str, ...], str]] = [
    (SDKS, 1702781677, (), "a39966c61718be0d5b14e668088b3fa07601033f6518ac7b523100014269c0fe"),
    (TEMPORARY, 1702785388, (), "3817ac9d206cd6dfc90f1c09c00be45005602e55898f26f5ddb06d7892e1f8b5"),
    (SDKS, 1702783809, ("abc", "zabc"), "6bd984bfe531afb6db1f7550983a741b103a8c58e5e14f83ea474c2322dfa2b7"),
]
NAMES = ["permanent key", "temporary key", "further headers"]


def example(kind: str) -> Request:
    return Request("PUT", "bucket", "1234+-/123/1.txt", QUERY, {**OTHERS, "content-type": kind})


def test_the_signature_of_v1_is_that_of_the_page() -> None:
    found = signed(PUT, PAGE)
    assert found.headers["Authorization"] == "OSS 44CF9590006BF252F707:26NBxoKdsyly4EDv6inkoDft/yA="
    answer = asked(found, PAGE, PUT_AT)
    assert answer.code == "InvalidDigest", answer.body  # let in: what the page gives as an MD5 is none


def test_the_url_of_v1_is_that_of_the_page() -> None:
    found = signed_url(Request("GET", "oss-example", "oss-api.pdf"), PAGE, URL_UNTIL)
    assert found.query["Signature"] == "EwaNTn1erJGkimiJ9WmXgwnANLc="
    assert asked(found, PAGE, URL_UNTIL - 60).code == "NoSuchBucket"


@pytest.mark.parametrize(("account", "at", "also", "signature"), V4_HEADERS, ids=NAMES)
def test_signatures_of_v4_are_those_that_the_vendor_s_sdks_make(
    account: Account, at: int, also: tuple[str, ...], signature: str
) -> None:
    found = signed_v4(example("text/plain"), account, at, also)
    assert found.headers["Authorization"].rpartition("Signature=")[2] == signature
    assert asked(found, account, at).code == "NoSuchBucket"


@pytest.mark.parametrize(("account", "at", "also", "signature"), V4_URLS, ids=NAMES)
def test_urls_of_v4_are_those_that_the_vendor_s_sdks_make(
    account: Account, at: int, also: tuple[str, ...], signature: str
) -> None:
    found = signed_url_v4(example("application/octet-stream"), account, at, 599, also)
    assert found.query["x-oss-signature"] == signature
    assert asked(found, account, at + 598).code == "NoSuchBucket"


def asked(request: Request, account: Account, now: float) -> Answer:
    known = {account.access_key: EmulatorAccount(account.secret_key, token=account.token)}
    with Emulator("oss", accounts=known, domain=DOMAIN, clock=lambda: now) as emulator:
        return send(("127.0.0.1", emulator.port), wire(request, DOMAIN))
