"""The worked examples of the pages on signatures: our signer makes what they say, the emulator lets them in."""

from __future__ import annotations

import pytest

from storagekit.testing.emulator import Account as EmulatorAccount
from storagekit.testing.emulator import Emulator
from tests.integration.obs_examples import AMAZON, V2, VENDOR
from tests.integration.obs_signing import resource, signed_url_v4, signed_v4, string_to_sign
from tests.integration.raw_requests import Answer, Request, hmac_sha1, send, wire, with_headers, with_query


@pytest.mark.parametrize("name", VENDOR)
def test_what_is_signed_is_what_the_vendor_s_examples_say(name: str) -> None:
    request, expires, text = VENDOR[name]
    assert string_to_sign(request, "obs", expires) == text


def test_sub_resources_are_sorted_and_keep_their_values_as_they_are() -> None:
    """The page's own note: `/bucket-test/object-test?response-content-type=text/plain&versionId=xxx`."""
    query = {"versionId": "xxx", "response-content-type": "text/plain", "prefix": "not signed"}
    assert (
        resource(Request("GET", "bucket-test", "object-test", query))
        == "/bucket-test/object-test?response-content-type=text/plain&versionId=xxx"
    )


@pytest.mark.parametrize("name", V2)
def test_signatures_of_v2_are_those_of_the_worked_examples(name: str) -> None:
    request, expires, signature = V2[name]
    assert hmac_sha1(AMAZON.secret_key, string_to_sign(request, "v2", expires)) == signature


EXAMPLE_DAY = 1369353600  # 2013-05-24T00:00:00Z
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    ("request_", "signature"),
    [
        (
            Request("GET", "examplebucket", "test.txt", headers={"Range": "bytes=0-9"}),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            Request("GET", "examplebucket", query={"lifecycle": None}),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            Request("GET", "examplebucket", query={"max-keys": "2", "prefix": "J"}),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
    ids=["range", "lifecycle", "list"],
)
def test_signatures_of_v4_are_those_of_the_worked_examples(request_: Request, signature: str) -> None:
    found = signed_v4(request_, AMAZON, EXAMPLE_DAY, "s3.amazonaws.com", "us-east-1", EMPTY)
    assert found.headers["Authorization"].rpartition("Signature=")[2] == signature


def test_a_url_of_v4_is_that_of_the_worked_example() -> None:
    request = Request("GET", "examplebucket", "test.txt")
    found = signed_url_v4(request, AMAZON, EXAMPLE_DAY, "s3.amazonaws.com", 86400, "us-east-1")
    assert found.query["X-Amz-Signature"] == "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"


# --- the emulator --------------------------------------------------------------------------------------------------

TEMPORARY = EmulatorAccount("any secret", token="YwkaRTbdY8g7q....")


@pytest.mark.parametrize("name", VENDOR)
def test_the_vendor_s_worked_examples_are_let_in(name: str) -> None:
    """Request and text to sign as the page prints them; it keeps its key to itself, so we take our own."""
    request, expires, text = VENDOR[name]
    account = TEMPORARY if "temporary" in name else EmulatorAccount("any secret")
    signature = hmac_sha1(account.secret_key, text)
    if expires is None:
        asked = with_headers(request, {"Authorization": f"OBS KEY:{signature}"})
    else:
        asked = with_query(request, {"AccessKeyId": "KEY", "Expires": str(expires), "Signature": signature})
    when = {"Sat,": 1444637558, "Tue,": 1444893609, "Mon,": 1444824514}  # as their dates, not their weekdays, say
    date = request.headers.get("Date") or request.headers.get("x-obs-date", "")
    answer = example(asked, account, "KEY", when.get(date[:4], 1532779000), "obs.region.example.com")
    expected = {"getting an object's ACL": "NotImplemented", "putting an object with an MD5": "BadDigest"}  # no body
    assert answer.code == expected.get(name, "NoSuchBucket"), answer.body


@pytest.mark.parametrize("name", V2)
def test_the_worked_examples_of_v2_are_let_in(name: str) -> None:
    request, expires, signature = V2[name]
    if expires is None:
        asked = with_headers(request, {"Authorization": f"AWS {AMAZON.access_key}:{signature}"})
    else:
        asked = with_query(
            request, {"AWSAccessKeyId": AMAZON.access_key, "Expires": str(expires), "Signature": signature}
        )
    times = {"get": 1175024202, "put": 1175030145, "list": 1175024561, "sub-resource": 1175024686}
    now = {**times, "list buckets": 1175045399, "URL": 1175139000}[name]
    account = EmulatorAccount(AMAZON.secret_key)
    answer = example(asked, account, AMAZON.access_key, now, "s3.amazonaws.com")
    assert answer.code == {"list buckets": None, "sub-resource": "NotImplemented"}.get(name, "NoSuchBucket"), (
        answer.body
    )


def test_the_worked_examples_of_v4_are_let_in() -> None:
    """Amazon's "GET object" and its URL; `test_obs_signing` shows that the signatures are those of the page."""
    host, day, account = "s3.amazonaws.com", 1369353600, EmulatorAccount(AMAZON.secret_key)
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    request = Request("GET", "examplebucket", "test.txt", headers={"Range": "bytes=0-9"})
    header = signed_v4(request, AMAZON, day, host, "us-east-1", empty)
    url = signed_url_v4(Request("GET", "examplebucket", "test.txt"), AMAZON, day, host, 86400, "us-east-1")
    for asked in (header, url):
        answer = example(asked, account, AMAZON.access_key, day, host)
        assert answer.verdict == (404, "NoSuchBucket"), answer.body


def example(request: Request, account: EmulatorAccount, key: str, now: float, domain: str) -> Answer:
    with Emulator("obs", accounts={key: account}, domain=domain, clock=lambda: now) as emulator:
        return send(("127.0.0.1", emulator.port), wire(request, domain))
