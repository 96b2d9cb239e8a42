"""Signed URLs: made by the SDK, used by a client that knows nothing of it."""

from __future__ import annotations

import http.client
import ssl
from typing import Any
from urllib.parse import urlsplit

from tests.integration.obs_sdk.bench import Bench, check
from tests.integration.sdk_checks import PART, equal, pattern, quoted_md5


def used(
    sdk: Bench, method: str, signed: Any, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes, dict[str, str]]:
    """Send it with exactly the headers that were signed; status, body and headers (names in lower case)."""
    address = urlsplit(signed.signedUrl)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    if address.scheme == "https":
        context = ssl.create_default_context(cafile=str(sdk.setting.ssl_verify))
        connection = http.client.HTTPSConnection(address.hostname or "", address.port, timeout=20, context=context)
    try:
        sent = {**signed.actualSignedRequestHeaders, **(headers or {})}
        connection.request(method, f"{address.path}?{address.query}", body, sent)
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, answer.read(), found
    finally:
        connection.close()


def signed(sdk: Bench, method: str, key: str | None = "dir/a b+ü", **arguments: Any) -> Any:
    return sdk.client.createSignedUrl(method, sdk.bucket, key, **arguments)


@check()
def a_url_reads(sdk: Bench) -> None:
    sdk.put("dir/a b+ü", b"content")
    status, body, headers = used(sdk, "GET", signed(sdk, "GET"))
    equal((status, body, headers["etag"]), (200, b"content", quoted_md5(b"content")), "answer")


@check()
def a_url_reads_a_range(sdk: Bench) -> None:
    """Range is no signed header."""
    sdk.put("dir/a b+ü", b"content")
    status, body, _ = used(sdk, "GET", signed(sdk, "GET"), headers={"Range": "bytes=1-3"})
    equal((status, body), (206, b"ont"), "answer")


@check()
def a_url_heads(sdk: Bench) -> None:
    sdk.put("dir/a b+ü", b"content")
    status, body, headers = used(sdk, "HEAD", signed(sdk, "HEAD"))
    equal((status, body, headers["content-length"]), (200, b"", "7"), "answer")


@check()
def a_url_writes(sdk: Bench) -> None:
    status, _, headers = used(sdk, "PUT", signed(sdk, "PUT"), b"written")
    equal((status, headers["etag"]), (200, quoted_md5(b"written")), "answer")
    equal(sdk.read("dir/a b+ü"), b"written", "what was read")


@check()
def a_url_writes_with_headers_that_it_signs(sdk: Bench) -> None:
    also = {"Content-Type": "text/x-own", f"{sdk.prefix}meta-colour": "red"}
    status, _, _ = used(sdk, "PUT", signed(sdk, "PUT", headers=also), b"written")
    equal(status, 200, "status")
    answer = sdk.client.getObjectMetadata(sdk.bucket, "dir/a b+ü")
    equal((answer.body.contentType, dict(answer.header).get("colour")), ("text/x-own", "red"), "type and metadata")


@check()
def a_header_that_the_url_did_not_sign_is_refused(sdk: Bench) -> None:
    """V4 lists what it signs, and leaves out the type; the others always sign it."""
    url = signed(sdk, "PUT")
    status, body, _ = used(sdk, "PUT", url, b"written", {f"{sdk.prefix}meta-colour": "red"})
    equal((status, b"<Code>" in body), (403, True), "answer")
    if sdk.setting.signature != "v4":
        status, body, _ = used(sdk, "PUT", url, b"written", {"Content-Type": "text/x-own"})
        equal((status, b"<Code>SignatureDoesNotMatch</Code>" in body), (403, True), "answer to another type")
    equal(sdk.keys(), [], "keys")


@check()
def a_url_deletes(sdk: Bench) -> None:
    sdk.put("dir/a b+ü", b"content")
    status, _, _ = used(sdk, "DELETE", signed(sdk, "DELETE"))
    equal((status, sdk.keys()), (204, []), "status and keys")


@check()
def a_url_is_good_for_its_method_and_key_alone(sdk: Bench) -> None:
    sdk.put("dir/a b+ü", b"content")
    status, body, _ = used(sdk, "DELETE", signed(sdk, "GET"))
    equal((status, b"<Code>SignatureDoesNotMatch</Code>" in body), (403, True), "answer to another method")
    url = signed(sdk, "GET")
    url.signedUrl = url.signedUrl.replace("dir/a", "dir/b")
    status, body, _ = used(sdk, "GET", url)
    equal((status, b"<Code>SignatureDoesNotMatch</Code>" in body), (403, True), "answer to another key")
    equal(sdk.keys(), ["dir/a b+ü"], "keys")


@check()
def a_url_lists(sdk: Bench) -> None:
    sdk.put("b", b"1")
    sdk.put("c", b"1")
    status, body, _ = used(sdk, "GET", signed(sdk, "GET", None, queryParams={"prefix": "c"}))
    equal((status, b"<Key>c</Key>" in body, b"<Key>b</Key>" in body), (200, True, False), "answer")


@check()
def a_url_asks_for_other_headers(sdk: Bench) -> None:
    sdk.put("a", b"1")
    url = signed(sdk, "GET", "a", queryParams={"response-content-type": "text/x own", "response-expires": "never"})
    status, _, headers = used(sdk, "GET", url)
    equal((status, headers["content-type"], headers["expires"]), (200, "text/x own", "never"), "answer")


@check()
def a_url_begins_an_upload_and_others_fill_it(sdk: Bench) -> None:
    status, body, _ = used(sdk, "POST", signed(sdk, "POST", "a", specialParam="uploads"))
    equal(status, 200, "status of the beginning")
    upload = body.partition(b"<UploadId>")[2].partition(b"</UploadId>")[0].decode()
    part = pattern(PART)
    query = {"partNumber": "1", "uploadId": upload}
    status, _, headers = used(sdk, "PUT", signed(sdk, "PUT", "a", queryParams=query), part)
    equal((status, headers["etag"]), (200, quoted_md5(part)), "answer to the part")
    etag = headers["etag"].strip('"')
    xml = (
        f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    )
    status, _, _ = used(sdk, "POST", signed(sdk, "POST", "a", queryParams={"uploadId": upload}), xml.encode())
    equal((status, sdk.read("a")), (200, part), "status of the end, and what was read")


@check()
def an_expired_url_is_refused(sdk: Bench) -> None:
    sdk.put("a", b"1")
    if sdk.setting.signature == "v4":  # a life of one second cannot end in the past: signed two hours ago instead
        url = signed(sdk, "GET", "a", expires=60, headers={"Date": "Wed, 01 Jan 2020 00:00:00 GMT"})
    else:
        url = signed(sdk, "GET", "a", expires=-60)
    status, body, _ = used(sdk, "GET", url)
    equal((status, b"<Code>RequestTimeTooSkewed</Code>" in body), (403, True), f"answer ({body[:300]!r})")
