"""Objects: put from memory, streams and files, headed, deleted; keys and metadata of every kind."""

from __future__ import annotations

import io
from urllib.parse import unquote

from obs import DeleteObjectsRequest, Object, PutObjectHeader

from tests.integration.obs_sdk.bench import Bench, check, headers
from tests.integration.sdk_checks import Trickle, content_md5, crc64, equal, pattern, quoted_md5

KEYS = (
    "plain",
    "with space",
    " leading and trailing ",
    "a+b",
    "a%2Fb",
    "100%",
    "what?",
    "#hash",
    "a&b=c",
    "semi;colon,comma:colon",
    "'single' \"double\"",
    "tab\there",
    "back\\slash",
    "<xml>&amp;</xml>",
    "~tilde-_.!*()",
    "[brackets]{braces}|^`",
    "at@dollar$",
    "größe/日本語/😀",
    "deep/er/and/deeper",
    "two//slashes",
    "/leading",
    "trailing/",
    "acl",
    "a/../b",
    "a/./b",
    "uploads?uploadId=1&partNumber=2",
    "x" * 1000,
)


@check()
def bytes_are_stored(sdk: Bench) -> None:
    data = pattern(50_000)
    body = sdk.put("a", data)
    equal(body.etag, quoted_md5(data), "ETag")
    equal(sdk.read("a"), data, "what was read")


@check()
def text_is_stored_as_utf_8(sdk: Bench) -> None:
    sdk.status(sdk.client.putContent(sdk.bucket, "a", content="grüße"), 200)
    equal(sdk.read("a"), "grüße".encode(), "what was read")


@check()
def an_empty_object_is_stored(sdk: Bench) -> None:
    equal(sdk.put("a", b"").etag, quoted_md5(b""), "ETag")
    equal(sdk.read("a"), b"", "what was read")
    equal(sdk.status(sdk.client.getObjectMetadata(sdk.bucket, "a"), 200).contentLength, 0, "size")


@check()
def a_stream_of_known_size_is_stored(sdk: Bench) -> None:
    data = pattern(300_000)
    known = PutObjectHeader(contentLength=len(data))
    sdk.status(sdk.client.putContent(sdk.bucket, "a", content=io.BytesIO(data), headers=known), 200)
    equal(sdk.read("a"), data, "what was read")


@check()
def a_stream_of_unknown_size_is_stored(sdk: Bench) -> None:
    """In chunks (`Transfer-Encoding: chunked`), as long as they come."""
    data = pattern(300_000)
    sdk.status(sdk.client.putContent(sdk.bucket, "a", content=Trickle(data)), 200)
    equal(sdk.read("a"), data, "what was read")


@check()
def an_empty_stream_is_stored(sdk: Bench) -> None:
    sdk.status(sdk.client.putContent(sdk.bucket, "a", content=Trickle(b"")), 200)
    equal(sdk.read("a"), b"", "what was read")


@check()
def a_file_is_stored(sdk: Bench) -> None:
    data = pattern(200_000)
    file = sdk.scratch / "file.txt"
    file.write_bytes(data)
    body = sdk.status(sdk.client.putFile(sdk.bucket, "a.txt", str(file)), 200)
    equal(body.etag, quoted_md5(data), "ETag")
    equal(sdk.read("a.txt"), data, "what was read")


@check()
def a_second_put_replaces_the_first_and_its_metadata(sdk: Bench) -> None:
    sdk.put("a", b"first", metadata={"colour": "red"})
    sdk.put("a", b"second")
    equal(sdk.read("a"), b"second", "what was read")
    equal("colour" in headers(sdk.client.getObjectMetadata(sdk.bucket, "a")), False, "metadata of the first")


@check()
def head_says_what_was_stored(sdk: Bench) -> None:
    sdk.put("a.bin", b"12345", headers=PutObjectHeader(contentType="text/x-own; charset=utf-8"))
    body = sdk.status(sdk.client.getObjectMetadata(sdk.bucket, "a.bin"), 200)
    equal((body.contentLength, body.etag), (5, quoted_md5(b"12345")), "size and ETag")
    equal(body.contentType, "text/x-own; charset=utf-8", "type")
    equal((len(body.lastModified), body.lastModified[-4:]), (29, " GMT"), "date (RFC 1123)")
    sdk.status(sdk.client.headObject(sdk.bucket, "a.bin"), 200)


@check()
def the_type_that_the_sdk_guesses_is_kept(sdk: Bench) -> None:
    sdk.put("a.html", b"<p>")
    equal(sdk.status(sdk.client.getObjectMetadata(sdk.bucket, "a.html"), 200).contentType, "text/html", "type")


@check()
def metadata_comes_back(sdk: Bench) -> None:
    sdk.put("a", b"a", metadata={"colour": "red", "two-words": "some value", "x": "~!@#$^&*()"})
    found = headers(sdk.client.getObjectMetadata(sdk.bucket, "a"))
    expected = {"colour": "red", "two-words": "some value", "x": "~!@#$^&*()"}
    equal({name: found.get(name) for name in expected}, expected, "metadata in HEAD")
    found = headers(sdk.client.getObject(sdk.bucket, "a", loadStreamInMemory=True))
    equal({name: found.get(name) for name in expected}, expected, "metadata in GET")


@check()
def metadata_that_is_not_ascii_comes_back(sdk: Bench) -> None:
    """The SDK percent-encodes; whether it decodes what comes back differs by version. A server must change nothing."""
    sdk.put("a", b"a", metadata={"name": "größe 日本"})
    found = headers(sdk.client.getObjectMetadata(sdk.bucket, "a"))
    equal(unquote(found.get("name", "")), "größe 日本", "metadata in HEAD")


@check()
def headers_that_describe_an_object_come_back(sdk: Bench) -> None:
    sdk.put("a", b"a", headers=PutObjectHeader(storageClass="WARM"))
    body = sdk.status(sdk.client.getObjectMetadata(sdk.bucket, "a"), 200)
    equal(body.storageClass in ("WARM", "STANDARD_IA"), True, f"storage class ({body.storageClass})")


@check()
def a_matching_md5_is_accepted(sdk: Bench) -> None:
    sdk.put("a", b"body", headers=PutObjectHeader(md5=content_md5(b"body")))
    equal(sdk.read("a"), b"body", "what was read")


@check()
def another_body_s_md5_is_refused_and_nothing_stored(sdk: Bench) -> None:
    wrong = PutObjectHeader(md5=content_md5(b"other"))
    sdk.status(sdk.client.putContent(sdk.bucket, "a", content=b"body", headers=wrong), 400, "BadDigest")
    equal(sdk.keys(), [], "keys")


@check()
def what_is_no_md5_is_refused(sdk: Bench) -> None:
    wrong = PutObjectHeader(md5="bm8gbWQ1")
    sdk.status(sdk.client.putContent(sdk.bucket, "a", content=b"body", headers=wrong), 400, "InvalidDigest")
    equal(sdk.keys(), [], "keys")


@check(since=(3, 24, 6))
def a_matching_crc64_is_accepted_and_kept(sdk: Bench) -> None:
    known = PutObjectHeader(crc64=str(crc64(b"body")))
    equal(sdk.put("a", b"body", headers=known).crc64, str(crc64(b"body")), "CRC-64 in the answer")
    body = sdk.status(sdk.client.getObjectMetadata(sdk.bucket, "a"), 200)
    equal(body.crc64, str(crc64(b"body")), "CRC-64 in HEAD")


@check(since=(3, 24, 6))
def the_crc64_that_the_sdk_computes_is_accepted(sdk: Bench) -> None:
    data = pattern(20_000)
    equal(sdk.put("a", data, headers=PutObjectHeader(isAttachCrc64=True)).crc64, str(crc64(data)), "CRC-64")


@check(since=(3, 24, 6))
def another_body_s_crc64_is_refused_and_nothing_stored(sdk: Bench) -> None:
    wrong = PutObjectHeader(crc64=str(crc64(b"other")))
    answer = sdk.client.putContent(sdk.bucket, "a", content=b"body", headers=wrong)
    equal((answer.status, answer.errorCode), (400, "BadDigest"), "answer")
    equal(sdk.keys(), [], "keys")


@check()
def every_key_is_kept_apart(sdk: Bench) -> None:
    """All at once in one bucket, so that one taken for another is seen."""
    for number, key in enumerate(usable(sdk)):
        sdk.put(key, f"{number}".encode())
    for number, key in enumerate(usable(sdk)):
        equal(sdk.read(key), f"{number}".encode(), f"content of {key!r}")
        equal(sdk.status(sdk.client.headObject(sdk.bucket, key), 200), sdk.client.headObject(sdk.bucket, key).body, key)
    body = sdk.status(sdk.client.listObjects(sdk.bucket, encoding_type="url"), 200)
    equal({found.key for found in body.contents}, set(usable(sdk)), "listed keys")
    for key in usable(sdk):
        sdk.status(sdk.client.deleteObject(sdk.bucket, key), 204)
    equal(sdk.keys(), [], "keys after all were deleted")


def usable(sdk: Bench) -> list[str]:
    """`requests` rewrites paths with `.` and `..` after the SDK has signed them."""
    dotted = {"a/../b", "a/./b"}
    return [key for key in KEYS if not (sdk.setting.use_http_conns and key in dotted)]


@check()
def a_key_that_leads_out_of_the_bucket_is_refused(sdk: Bench) -> None:
    if sdk.setting.use_http_conns:  # see `usable`
        return
    for key in ("..", "../..", "a/../../b"):
        equal(sdk.client.putContent(sdk.bucket, key, content=b"a").status, 400, f"status for {key}")
    equal(sdk.keys(), [], "keys")


@check()
def an_object_that_is_not_there_is_not_found(sdk: Bench) -> None:
    sdk.status(sdk.client.getObject(sdk.bucket, "a", loadStreamInMemory=True), 404, "NoSuchKey")
    equal(sdk.client.getObjectMetadata(sdk.bucket, "a").status, 404, "status of getObjectMetadata")
    equal(sdk.client.headObject(sdk.bucket, "a").status, 404, "status of headObject")


@check()
def delete_removes_and_is_content_with_what_is_gone(sdk: Bench) -> None:
    sdk.put("a", b"a")
    sdk.put("b", b"b")
    sdk.status(sdk.client.deleteObject(sdk.bucket, "a"), 204)
    sdk.status(sdk.client.deleteObject(sdk.bucket, "a"), 204)
    equal(sdk.keys(), ["b"], "keys")


@check()
def many_are_deleted_at_once_and_each_is_reported(sdk: Bench) -> None:
    keys = ["a", "with space", "<x>&", "größe", "a+b%2F"]
    for key in [*keys, "kept"]:
        sdk.put(key, b"1")
    request = DeleteObjectsRequest(quiet=False, objects=[Object(key=key) for key in [*keys, "never was"]])
    body = sdk.status(sdk.client.deleteObjects(sdk.bucket, request), 200)
    equal(sorted(entry.key for entry in body.deleted), sorted([*keys, "never was"]), "reported as deleted")
    equal(body.error or [], [], "reported as failed")
    equal(sdk.keys(), ["kept"], "keys")


@check()
def quiet_deletion_reports_nothing(sdk: Bench) -> None:
    sdk.put("a", b"1")
    request = DeleteObjectsRequest(quiet=True, objects=[Object(key="a")])
    body = sdk.status(sdk.client.deleteObjects(sdk.bucket, request), 200)
    equal((body.deleted or [], body.error or []), ([], []), "reported")
    equal(sdk.keys(), [], "keys")


@check()
def keys_that_xml_cannot_hold_are_deleted_encoded(sdk: Bench) -> None:
    keys = ["tab\there", "one\x01", "größe +%"]
    for key in keys:
        sdk.put(key, b"1")
    objects = [Object(key=key) for key in keys]
    request = DeleteObjectsRequest(quiet=False, objects=objects, encoding_type="url")
    body = sdk.status(sdk.client.deleteObjects(sdk.bucket, request), 200)
    equal(sorted(entry.key for entry in body.deleted), sorted(keys), "reported as deleted")
    equal(sdk.keys(), [], "keys")
