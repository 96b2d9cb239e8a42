"""Objects: put from memory, streams and files, headed, deleted; keys and metadata of every kind."""

from __future__ import annotations

import io
import time

from tests.integration.oss_sdk.bench import Bench, check, etag, refused
from tests.integration.sdk_checks import Trickle, content_md5, crc64, equal, pattern

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
    "mid\\slash",
    "<xml>&amp;</xml>",
    "~tilde-_.!*()",
    "[brackets]{braces}|^`",
    "at@dollar$",
    "größe/日本語/😀",
    "deep/er/and/deeper",
    "two//slashes",
    "trailing/",
    "acl",
    "a/../b",
    "a/./b",
    "uploads?uploadId=1&partNumber=2",
    "x" * 1000,
)


@check()
def bytes_are_stored(bench: Bench) -> None:
    data = pattern(50_000)
    found = bench.put("a", data)
    equal((found.etag, found.crc), (etag(data), crc64(data)), "ETag and CRC-64")
    equal(bool(found.headers["x-oss-request-id"]), True, "a request id")
    equal(bench.read("a"), data, "what was read")


@check()
def an_empty_object_is_stored(bench: Bench) -> None:
    found = bench.put("a", b"")
    equal((found.etag, found.crc), (etag(b""), 0), "ETag and CRC-64")
    equal((bench.read("a"), bench.head("a").size), (b"", 0), "what was read, and size")


@check()
def a_stream_of_known_size_is_stored(bench: Bench) -> None:
    data = pattern(300_000)
    equal(bench.put("a", io.BytesIO(data)).crc, crc64(data), "CRC-64")
    equal(bench.read("a"), data, "what was read")


@check()
def a_stream_of_unknown_size_is_stored(bench: Bench) -> None:
    """In chunks (`Transfer-Encoding: chunked`), as long as they come."""
    data = pattern(100_000)
    source = Trickle(data)
    equal(bench.put("a", iter(source.read, b"")).crc, crc64(data), "CRC-64")
    equal(bench.read("a"), data, "what was read")


@check()
def a_file_is_stored_and_fetched(bench: Bench) -> None:
    data = pattern(200_000)
    up, down = bench.scratch / "file.txt", bench.scratch / "back.txt"
    up.write_bytes(data)
    equal(bench.sdk.put_file(bench.bucket, "a.txt", up).etag, etag(data), "ETag")
    bench.sdk.get_file(bench.bucket, "a.txt", down)
    equal(down.read_bytes(), data, "the file")


@check()
def a_second_put_replaces_the_first_and_its_metadata(bench: Bench) -> None:
    bench.put("a", b"first", metadata={"colour": "red"})
    bench.put("a", b"second")
    equal((bench.read("a"), bench.head("a").metadata), (b"second", {}), "what was read, and metadata")


@check()
def head_says_what_was_stored(bench: Bench) -> None:
    bench.put("a.bin", b"12345", content_type="text/x-own; charset=utf-8")
    found = bench.head("a.bin")
    equal((found.size, found.etag, found.crc), (5, etag(b"12345"), crc64(b"12345")), "size, ETag and CRC-64")
    equal((found.content_type, found.kind), ("text/x-own; charset=utf-8", "Normal"), "type of content and of object")
    equal(abs(found.modified - time.time()) < 60, True, f"date ({found.modified})")
    equal(found.headers["x-oss-storage-class"], "Standard", "storage class")


@check()
def meta_says_the_least(bench: Bench) -> None:
    bench.put("a.bin", b"12345", metadata={"colour": "red"})
    found = bench.sdk.meta(bench.bucket, "a.bin")
    equal((found.size, found.etag), (5, etag(b"12345")), "size and ETag")
    equal((found.modified, found.metadata), (bench.head("a.bin").modified, {}), "date, and no metadata")


@check()
def an_object_is_there_or_not(bench: Bench) -> None:
    bench.put("a", b"")
    equal((bench.sdk.is_object(bench.bucket, "a"), bench.sdk.is_object(bench.bucket, "b")), (True, False), "there")


@check()
def the_type_that_the_sdk_guesses_is_kept(bench: Bench) -> None:
    bench.put("a.html", b"<p>")
    equal(bench.head("a.html").content_type, "text/html", "type")


@check()
def metadata_comes_back(bench: Bench) -> None:
    given = {"colour": "red", "two-words": "some value", "x": "~!@#$^&*()", "percent": "%E6%97%A5"}
    bench.put("a", b"a", metadata=given)
    equal(bench.head("a").metadata, given, "metadata in HEAD")
    equal(bench.sdk.get(bench.bucket, "a").metadata, given, "metadata in GET")


@check()
def headers_that_describe_an_object_come_back(bench: Bench) -> None:
    given = {"cache_control": "no-cache", "content_disposition": 'attachment; filename="a b"', "expires": "never"}
    bench.put("a", b"a", storage_class="IA", content_encoding="utf-8", **given)
    found = bench.head("a").headers
    equal({name: found.get(name.replace("_", "-")) for name in given}, given, "headers")
    equal((found["content-encoding"], found["x-oss-storage-class"]), ("utf-8", "IA"), "encoding and storage class")


@check()
def a_matching_md5_is_accepted(bench: Bench) -> None:
    bench.put("a", b"body", content_md5=content_md5(b"body"))
    equal(bench.read("a"), b"body", "what was read")


@check()
def another_body_s_md5_is_refused_and_nothing_stored(bench: Bench) -> None:
    with refused(400, "InvalidDigest"):
        bench.put("a", b"body", content_md5=content_md5(b"other"))
    with refused(400, "InvalidDigest"):
        bench.put("a", b"body", content_md5="bm8gbWQ1")
    equal(bench.keys(), [], "keys")


@check()
def an_object_that_must_not_be_replaced_is_not(bench: Bench) -> None:
    bench.put("a", b"first", forbid_overwrite="true")
    with refused(409, "FileAlreadyExists"):
        bench.put("a", b"second", forbid_overwrite="true")
    equal(bench.read("a"), b"first", "what was read")
    bench.put("a", b"third", forbid_overwrite="false")
    equal(bench.read("a"), b"third", "what was read afterwards")


@check()
def every_key_is_kept_apart(bench: Bench) -> None:
    """All at once in one bucket, so that one taken for another is seen."""
    keys = usable(bench)
    for number, key in enumerate(keys):
        bench.put(key, f"{number}".encode())
    for number, key in enumerate(keys):
        equal(bench.read(key), f"{number}".encode(), f"content of {key!r}")
        equal(bench.head(key).etag, etag(f"{number}".encode()), f"ETag of {key!r}")
    equal(bench.sdk.list1(bench.bucket).keys, sorted(keys, key=str.encode), "keys listed by V1")
    equal(bench.keys(), sorted(keys, key=str.encode), "keys listed by V2")
    for key in keys:
        equal(bench.sdk.delete(bench.bucket, key), 204, f"status of the deletion of {key!r}")
    equal(bench.keys(), [], "keys after all were deleted")


def usable(bench: Bench) -> list[str]:
    return [key for key in KEYS if not (bench.sdk.dotted_paths and "/." in key)]


@check()
def a_key_that_no_object_may_have_is_refused(bench: Bench) -> None:
    """`requests` makes one slash of two at the beginning of a path before it is sent."""
    keys = ["\\leading", *([] if bench.sdk.dotted_paths else ["/leading"])]
    for key in keys:
        with refused(400, "InvalidObjectName"):
            bench.put(key, b"a")
    with refused(400, "InvalidObjectName"):
        bench.put("k" * 1024, b"a")
    equal(bench.put("k" * 1023, b"a").etag, etag(b"a"), "ETag of the longest")


@check()
def an_object_that_is_not_there_is_not_found(bench: Bench) -> None:
    with refused(404, "NoSuchKey"):
        bench.sdk.get(bench.bucket, "a")
    with refused(404, "NoSuchKey"):
        bench.head("a")
    with refused(404, "NoSuchKey"):
        bench.sdk.meta(bench.bucket, "a")


@check()
def delete_removes_and_is_content_with_what_is_gone(bench: Bench) -> None:
    bench.put("a", b"a")
    bench.put("b", b"b")
    equal([bench.sdk.delete(bench.bucket, "a") for _ in range(2)], [204, 204], "statuses")
    equal(bench.keys(), ["b"], "keys")


@check()
def many_are_deleted_at_once_and_each_is_reported(bench: Bench) -> None:
    keys = ["a", "with space", "<x>&", "größe", "a+b%2F", "tab\there"]
    for key in [*keys, "kept"]:
        bench.put(key, b"1")
    found = bench.sdk.delete_many(bench.bucket, [*keys, "never was"])
    equal(sorted(found), sorted([*keys, "never was"]), "reported as deleted")
    equal(bench.keys(), ["kept"], "keys")


@check()
def quiet_deletion_reports_nothing(bench: Bench) -> None:
    bench.put("a", b"1")
    equal(bench.sdk.delete_many(bench.bucket, ["a"], quiet=True), [], "reported")
    equal(bench.keys(), [], "keys")
