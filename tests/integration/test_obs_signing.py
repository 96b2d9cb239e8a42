"""The test-side signer against the worked examples of the pages that it was written from."""

from __future__ import annotations

import pytest

from tests.integration.obs_signing import (
    Account,
    Dialect,
    Request,
    hmac_sha1,
    resource,
    signed_url_v4,
    signed_v4,
    string_to_sign,
)

#: "Authentication of Signature in a Header", tables 2 to 6, and "... in a URL", tables 3 and 4: request, Expires, text.
VENDOR: dict[str, tuple[Request, int | None, str]] = {
    "getting an object": (
        Request("GET", "bucket", "object.txt", headers={"Date": "Sat, 12 Oct 2015 08:12:38 GMT"}),
        None,
        "GET\n\n\nSat, 12 Oct 2015 08:12:38 GMT\n/bucket/object.txt",
    ),
    "putting an object with a temporary key": (
        Request(
            "PUT",
            "bucket",
            "object.txt",
            headers={
                "User-Agent": "curl/7.15.5",
                "x-obs-date": "Tue, 15 Oct 2015 07:20:09 GMT",
                "x-obs-security-token": "YwkaRTbdY8g7q....",
                "content-type": "text/plain",
            },
        ),
        None,
        "PUT\n\ntext/plain\n\nx-obs-date:Tue, 15 Oct 2015 07:20:09 GMT\nx-obs-security-token:YwkaRTbdY8g7q....\n"
        "/bucket/object.txt",
    ),
    "putting an object with headers": (
        Request(
            "PUT",
            "bucket",
            "object.txt",
            headers={
                "User-Agent": "curl/7.15.5",
                "Date": "Mon, 14 Oct 2015 12:08:34 GMT",
                "x-obs-acl": "public-read",
                "content-type": "text/plain",
            },
        ),
        None,
        "PUT\n\ntext/plain\nMon, 14 Oct 2015 12:08:34 GMT\nx-obs-acl:public-read\n/bucket/object.txt",
    ),
    "getting an object's ACL": (
        Request("GET", "bucket", "object.txt", {"acl": None}, {"Date": "Sat, 12 Oct 2015 08:12:38 GMT"}),
        None,
        "GET\n\n\nSat, 12 Oct 2015 08:12:38 GMT\n/bucket/object.txt?acl",
    ),
    "putting an object with an MD5": (
        Request(
            "PUT",
            "bucket",
            "object.txt",
            headers={"x-obs-date": "Tue, 15 Oct 2015 07:20:09 GMT", "Content-MD5": "I5pU0r4+sgO9Emgl1KMQUg=="},
        ),
        None,
        "PUT\nI5pU0r4+sgO9Emgl1KMQUg==\n\n\nx-obs-date:Tue, 15 Oct 2015 07:20:09 GMT\n/bucket/object.txt",
    ),
    "a URL": (
        Request("GET", "examplebucket", "objectkey"),
        1532779451,
        "GET\n\n\n1532779451\n/examplebucket/objectkey",
    ),
    "a URL with a temporary key": (
        Request("GET", "examplebucket", "objectkey", {"x-obs-security-token": "YwkaRTbdY8g7q...."}),
        1532779451,
        "GET\n\n\n1532779451\n/examplebucket/objectkey?x-obs-security-token=YwkaRTbdY8g7q....",
    ),
}

AMAZON = Account("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
#: Amazon's page on its version 2, which OBS's V2 is: request and signature, with the key above.
V2: dict[str, tuple[Request, int | None, str]] = {
    "get": (
        Request("GET", "johnsmith", "photos/puppy.jpg", headers={"Date": "Tue, 27 Mar 2007 19:36:42 +0000"}),
        None,
        "bWq2s1WEIj+Ydj0vQ697zp+IXMU=",
    ),
    "put": (
        Request(
            "PUT",
            "johnsmith",
            "photos/puppy.jpg",
            headers={"Date": "Tue, 27 Mar 2007 21:15:45 +0000", "Content-Type": "image/jpeg"},
        ),
        None,
        "MyyxeRY7whkBe+bq8fHCL/2kKUg=",
    ),
    "list": (
        Request(
            "GET",
            "johnsmith",
            query={"prefix": "photos", "max-keys": "50", "marker": "puppy"},
            headers={"Date": "Tue, 27 Mar 2007 19:42:41 +0000"},
        ),
        None,
        "htDYFYduRNen8P9ZfE/s9SuKy0U=",
    ),
    "sub-resource": (
        Request("GET", "johnsmith", query={"acl": None}, headers={"Date": "Tue, 27 Mar 2007 19:44:46 +0000"}),
        None,
        "c2WLPFtWHVgbEmeEG93a4cG37dM=",
    ),
    "list buckets": (
        Request("GET", headers={"Date": "Wed, 28 Mar 2007 01:29:59 +0000"}),
        None,
        "qGdzdERIC03wnaRNKh6OqZehG9s=",
    ),
    "URL": (Request("GET", "johnsmith", "photos/puppy.jpg"), 1175139620, "NpgCjnDzrM+WFzoENXmpNDUsSn8="),
}


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
    dialect: Dialect = "v2"
    assert hmac_sha1(AMAZON.secret_key, string_to_sign(request, dialect, expires)) == signature


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
