"""Signed URLs: made by the SDKs, used by a client that knows nothing of them."""

from __future__ import annotations

import http.client
import ssl
from typing import Any
from urllib.parse import urlsplit

from tests.integration.oss_sdk.bench import Bench, check, etag
from tests.integration.sdk_checks import PART, crc64, equal, pattern

KEY = "dir/a b+ü"
Answer = tuple[int, bytes, dict[str, str]]


def used(bench: Bench, method: str, url: str, signed: dict[str, str], body: bytes | None = None, **more: str) -> Answer:
    """Send it with exactly the headers that were signed, and more; status, body and headers (names in lower case)."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    if address.scheme == "https":
        context = ssl.create_default_context(cafile=bench.setting.ca_file)
        connection = http.client.HTTPSConnection(address.hostname or "", address.port, timeout=20, context=context)
    try:
        sent = {**signed, **{name.replace("_", "-"): value for name, value in more.items()}}
        connection.request(method, f"{address.path}?{address.query}", body, sent)
        answer = connection.getresponse()
        return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def signed(bench: Bench, method: str, key: str = KEY, life: int = 300, **options: Any) -> tuple[str, dict[str, str]]:
    return bench.sdk.url(method, bench.bucket, key, life, **options)


def code(body: bytes) -> str:
    return body.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()


@check()
def a_url_reads(bench: Bench) -> None:
    bench.put(KEY, b"content")
    status, body, headers = used(bench, "GET", *signed(bench, "GET"))
    equal((status, body, headers["etag"]), (200, b"content", f'"{etag(b"content")}"'), "answer")
    equal(headers["x-oss-hash-crc64ecma"], str(crc64(b"content")), "CRC-64")


@check()
def a_url_reads_a_range(bench: Bench) -> None:
    """Range is no signed header."""
    bench.put(KEY, b"content")
    status, body, _ = used(bench, "GET", *signed(bench, "GET"), Range="bytes=1-3")
    equal((status, body), (206, b"ont"), "answer")


@check()
def a_url_heads(bench: Bench) -> None:
    bench.put(KEY, b"content")
    status, body, headers = used(bench, "HEAD", *signed(bench, "HEAD"))
    equal((status, body, headers["content-length"]), (200, b"", "7"), "answer")


@check()
def a_url_writes(bench: Bench) -> None:
    status, _, headers = used(bench, "PUT", *signed(bench, "PUT"), b"written")
    equal((status, headers["etag"]), (200, f'"{etag(b"written")}"'), "answer")
    equal(bench.read(KEY), b"written", "what was read")


@check()
def a_url_writes_with_headers_that_it_signs(bench: Bench) -> None:
    url, headers = signed(bench, "PUT", content_type="text/x-own", metadata={"colour": "red"})
    equal(used(bench, "PUT", url, headers, b"written")[0], 200, "status")
    found = bench.head(KEY)
    equal((found.content_type, found.metadata), ("text/x-own", {"colour": "red"}), "type and metadata")


@check()
def a_header_that_the_url_did_not_sign_is_refused(bench: Bench) -> None:
    """V1 and V4 both sign the type and everything that begins with `x-oss-`."""
    url, headers = signed(bench, "PUT")
    for more in ({"x_oss_meta_colour": "red"}, {"Content_Type": "text/x-own"}):
        status, body, _ = used(bench, "PUT", url, headers, b"written", **more)
        equal((status, code(body)), (403, "SignatureDoesNotMatch"), f"answer with {more}")
    equal(bench.keys(), [], "keys")


@check()
def a_url_is_good_for_its_method_and_key_alone(bench: Bench) -> None:
    bench.put(KEY, b"content")
    url, headers = signed(bench, "GET")
    for method, changed in (("DELETE", url), ("PUT", url), ("GET", url.replace("dir", "din"))):
        status, body, _ = used(bench, method, changed, headers)
        equal((status, code(body)), (403, "SignatureDoesNotMatch"), f"answer to {method}")
    equal((bench.keys(), bench.read(KEY)), ([KEY], b"content"), "keys, and what was read")


@check()
def a_url_asks_for_other_headers(bench: Bench) -> None:
    bench.put("a", b"1")
    asked: dict[str, Any] = {"response_content_type": "text/x own", "response_expires": "never"}
    status, _, headers = used(bench, "GET", *signed(bench, "GET", "a", **asked))
    equal((status, headers["content-type"], headers["expires"]), (200, "text/x own", "never"), "answer")


@check()
def a_url_fills_an_upload(bench: Bench) -> None:
    upload, part = bench.begin("a"), pattern(PART)
    url, headers = signed(bench, "PUT", "a", part_number=1, upload_id=upload)
    status, _, answered = used(bench, "PUT", url, headers, part)
    equal((status, answered["etag"]), (200, f'"{etag(part)}"'), "answer to the part")
    bench.sdk.complete(bench.bucket, "a", upload, {1: etag(part)})
    equal(bench.read("a"), part, "what was read")


@check()
def an_expired_url_is_refused(bench: Bench) -> None:
    """To V4 a life that ends before it begins is none."""
    bench.put("a", b"1")
    status, body, _ = used(bench, "GET", *signed(bench, "GET", "a", life=-60))
    equal((status, code(body)), (403, "AccessDenied"), f"answer ({body[:300]!r})")
