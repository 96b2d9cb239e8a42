"""Regions: found once, from what a refusal says, or asked for; one that was given stays."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import partial
from urllib.parse import parse_qs, urlsplit

import pytest

from storagekit.driver import Code
from storagekit.types import WriteOptions
from storagekit_minio._endpoint import sts_of_amazon
from tests.unit.minio_wire import Wire, answer, body, failure_of, make_driver

MALFORMED = "<Error><Code>AuthorizationHeaderMalformed</Code>{}</Error>"


def signed_for(request: bytes) -> str:
    found = re.search(rb"Credential=[^/]+/\d+/([^/]+)/s3", request)
    assert found
    return found[1].decode()


@pytest.mark.parametrize(
    "refusal",
    [
        answer(400, MALFORMED.format("<Region>eu-west-9</Region>")),
        answer(400, x_amz_bucket_region="eu-west-9"),
        answer(301, x_amz_bucket_region="eu-west-9"),
    ],
)
def test_region_is_learnt_from_a_refusal_and_remembered(wire: Wire, refusal: bytes) -> None:
    driver = make_driver(wire)
    wire.answers = [refusal, answer(200, ETag='"e"'), answer(200, ETag='"e"'), answer(204)]
    assert driver.put("bucket", "key", body(b"data"), WriteOptions()).etag == "e"
    assert driver.put("bucket", "key", body(b"more"), WriteOptions()).etag == "e"
    driver.delete("other", "key")
    assert ["us-east-1", "eu-west-9", "eu-west-9", "us-east-1"] == [signed_for(request) for request in wire.requests]
    assert wire.requests[1].endswith(b"data")
    driver.close()


def test_region_that_a_refusal_does_not_name_is_asked_for(wire: Wire) -> None:
    driver = make_driver(wire)
    where = "<LocationConstraint>eu-west-9</LocationConstraint>"
    wire.answers = [
        answer(400, x_minio_error_code="AuthorizationHeaderMalformed"),
        answer(200, where),
        answer(ETag='"e"'),
    ]
    assert driver.head("bucket", "key").etag == "e"
    assert ["us-east-1", "us-east-1", "eu-west-9"] == [signed_for(request) for request in wire.requests]
    assert b"GET /bucket?location=" in wire.requests[1]
    driver.close()


def test_region_that_may_not_be_asked_for_leaves_the_first_refusal(wire: Wire) -> None:
    driver = make_driver(wire)
    wire.answers = [answer(400, x_minio_error_code="AuthorizationHeaderMalformed"), answer(403)]
    assert failure_of(driver, lambda: driver.head("bucket", "key")).vendor_code == "AuthorizationHeaderMalformed"
    driver.close()


def region_in(url: str) -> str:
    return parse_qs(urlsplit(url).query)["X-Amz-Credential"][0].split("/")[2]


@pytest.mark.parametrize(
    ("answers", "region"),
    [
        ([answer(200)], "us-east-1"),
        ([answer(403)], "us-east-1"),
        ([answer(404)], "us-east-1"),
        ([answer(301, x_amz_bucket_region="eu-west-9"), answer(200)], "eu-west-9"),
        ([answer(403, x_amz_bucket_region="eu-west-9"), answer(403)], "eu-west-9"),
    ],
)
def test_region_for_a_signed_url_is_asked_for_once(wire: Wire, answers: list[bytes], region: str) -> None:
    driver = make_driver(wire)
    wire.answers = list(answers)
    urls = [driver.presign("GET", "bucket", "key", timedelta(hours=1)) for _ in range(2)]
    assert ([region] * 2, len(answers)) == ([region_in(url) for url in urls], len(wire.requests))
    driver.close()


def test_region_for_a_signed_url_is_not_guessed_where_the_service_is_busy(wire: Wire) -> None:
    driver = make_driver(wire)
    wire.answers = [answer(503)]
    sign = partial(driver.presign, "GET", "bucket", "key", timedelta(hours=1))
    assert failure_of(driver, sign).code is Code.THROTTLED
    wire.answers = [answer(301, x_amz_bucket_region="eu-west-9"), answer(200)]
    assert "eu-west-9" == region_in(sign())
    driver.close()


def test_region_for_a_signed_url_that_an_answer_has_shown_is_not_asked_for(wire: Wire) -> None:
    driver = make_driver(wire)
    wire.answers = [answer(400, MALFORMED.format("<Region>eu-west-9</Region>")), answer(200, ETag='"e"')]
    driver.put("bucket", "key", body(b"data"), WriteOptions())
    assert "eu-west-9" == region_in(driver.presign("GET", "bucket", "key", timedelta(hours=1)))
    assert 2 == len(wire.requests)
    driver.close()


def test_region_that_was_given_stays(wire: Wire) -> None:
    given = make_driver(wire, region="us-west-1")
    wire.answers = [answer(400, MALFORMED.format("<Region>eu-west-9</Region>"))]
    assert failure_of(given, lambda: given.list("bucket")).code is Code.WRONG_ENDPOINT
    assert [signed_for(request) for request in wire.requests] == ["us-west-1"]
    given.close()


def test_region_that_was_given_wrongly_is_named_also_where_a_header_says_it(wire: Wire) -> None:
    given = make_driver(wire, region="us-west-1")
    for status in (400, 301):
        wire.answers = [answer(status, x_amz_bucket_region="eu-west-9")]
        failure = failure_of(given, lambda: given.head("bucket", "key"))
        assert (failure.code, "eu-west-9" in failure.detail) == (Code.WRONG_ENDPOINT, True)
    given.close()


@pytest.mark.parametrize(
    ("address", "region", "expected"),
    [
        ("s3.amazonaws.com", None, "https://sts.amazonaws.com"),
        ("s3.eu-west-1.amazonaws.com", None, "https://sts.eu-west-1.amazonaws.com"),
        ("s3.eu-west-1.amazonaws.com:443", "us-east-2", "https://sts.us-east-2.amazonaws.com"),
        ("s3.cn-north-1.amazonaws.com.cn", None, "https://sts.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_where_amazon_gives_keys_for_a_role(address: str, region: str | None, expected: str) -> None:
    assert sts_of_amazon(address, region) == expected


def test_region_of_the_account_is_learnt_by_a_listing_of_its_buckets(wire: Wire) -> None:
    driver = make_driver(wire)
    found = "<ListAllMyBucketsResult><Buckets><Bucket><Name>b</Name></Bucket></Buckets></ListAllMyBucketsResult>"
    wire.answers = [answer(400, MALFORMED.format("<Region>eu-west-9</Region>")), answer(200, found)]
    assert driver.list_buckets() == ["b"]
    assert ["us-east-1", "eu-west-9"] == [signed_for(request) for request in wire.requests]
    driver.close()
