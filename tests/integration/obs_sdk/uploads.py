"""Multipart uploads: begun, filled, listed, completed, aborted; and what a service refuses in them."""

from __future__ import annotations

import io
import re
from typing import Any

from obs import CompleteMultipartUploadRequest, CompletePart, ListMultipartUploadsRequest

from tests.integration.obs_sdk.bench import Bench, check, headers
from tests.integration.sdk_checks import PART, Trickle, content_md5, crc64, equal, pattern, quoted_md5

FIRST, SECOND, LAST = pattern(PART, 1), pattern(PART + 1, 2), pattern(1000, 3)
MULTIPART_ETAG = r'"[0-9a-f]{32}-%d"'


def complete(
    sdk: Bench, key: str, upload: str, etags: dict[int, str], status: int = 200, code: str | None = None
) -> Any:
    parts = [CompletePart(partNum=number, etag=etag) for number, etag in etags.items()]
    request = CompleteMultipartUploadRequest(parts)
    return sdk.status(sdk.client.completeMultipartUpload(sdk.bucket, key, upload, request), status, code)


def uploads(sdk: Bench, **asked: Any) -> Any:
    return sdk.status(sdk.client.listMultipartUploads(sdk.bucket, ListMultipartUploadsRequest(**asked)), 200)


def parts(sdk: Bench, key: str, upload: str, **asked: Any) -> Any:
    return sdk.status(sdk.client.listParts(sdk.bucket, key, upload, **asked), 200)


def ids(body: Any) -> list[tuple[str, str]]:
    return [(entry.key, entry.uploadId) for entry in body.upload or []]


@check()
def parts_make_an_object(sdk: Bench) -> None:
    upload = sdk.begin("dir/a b", contentType="text/x-own", metadata={"colour": "red"})
    etags = {number: sdk.part("dir/a b", upload, number, data) for number, data in ((1, FIRST), (2, SECOND), (3, LAST))}
    equal(sdk.keys(), [], "keys before it is complete")
    body = complete(sdk, "dir/a b", upload, etags)
    equal((body.bucket, body.key), (sdk.bucket, "dir/a b"), "bucket and key in the answer")
    equal(bool(re.fullmatch(MULTIPART_ETAG % 3, body.etag)), True, f"ETag ({body.etag}) of three parts")
    equal(sdk.read("dir/a b"), FIRST + SECOND + LAST, "what was read")
    answer = sdk.client.getObjectMetadata(sdk.bucket, "dir/a b")
    equal((answer.body.etag, answer.body.contentType), (body.etag, "text/x-own"), "ETag and type in HEAD")
    equal(headers(answer).get("colour"), "red", "metadata")
    equal(ids(uploads(sdk)), [], "uploads afterwards")


@check()
def an_object_says_which_upload_made_it(sdk: Bench) -> None:
    """`x-obs-uploadid`: how to tell whether a completion whose answer was lost has happened."""
    upload = sdk.begin("a")
    complete(sdk, "a", upload, {1: sdk.part("a", upload, 1, LAST)})
    equal(headers(sdk.client.getObjectMetadata(sdk.bucket, "a")).get("uploadid"), upload, "upload id in HEAD")
    sdk.put("a", b"other")
    equal(headers(sdk.client.getObjectMetadata(sdk.bucket, "a")).get("uploadid"), None, "after a plain PUT")


@check()
def parts_come_in_any_order_and_number(sdk: Bench) -> None:
    upload = sdk.begin("a")
    etags = {number: sdk.part("a", upload, number, data) for number, data in ((10_000, LAST), (7, SECOND), (2, FIRST))}
    complete(sdk, "a", upload, etags)
    equal(sdk.read("a"), FIRST + SECOND + LAST, "what was read")


@check()
def only_listed_parts_are_in_the_object(sdk: Bench) -> None:
    upload = sdk.begin("a")
    etags = {number: sdk.part("a", upload, number, data) for number, data in ((1, FIRST), (2, SECOND), (3, LAST))}
    del etags[2]
    complete(sdk, "a", upload, etags)
    equal(sdk.read("a"), FIRST + LAST, "what was read")


@check()
def the_last_of_two_parts_with_one_number_counts(sdk: Bench) -> None:
    upload = sdk.begin("a")
    before = sdk.part("a", upload, 1, FIRST)
    after = sdk.part("a", upload, 1, SECOND)
    equal([part.size for part in parts(sdk, "a", upload).parts], [len(SECOND)], "sizes of the parts")
    complete(sdk, "a", upload, {1: before}, 400, "InvalidPart")
    complete(sdk, "a", upload, {1: after})
    equal(sdk.read("a"), SECOND, "what was read")


@check()
def an_etag_without_its_quotes_is_the_same(sdk: Bench) -> None:
    upload = sdk.begin("a")
    complete(sdk, "a", upload, {1: sdk.part("a", upload, 1, LAST).strip('"')})
    equal(sdk.read("a"), LAST, "what was read")


@check()
def one_empty_part_makes_an_empty_object(sdk: Bench) -> None:
    upload = sdk.begin("a")
    complete(sdk, "a", upload, {1: sdk.part("a", upload, 1, b"")})
    equal(sdk.read("a"), b"", "what was read")


@check()
def a_part_comes_from_a_stream_or_a_file(sdk: Bench) -> None:
    upload = sdk.begin("a")
    file = sdk.scratch / "part.bin"
    file.write_bytes(b"skipped" + SECOND + b"behind")
    known = sdk.client.uploadPart(sdk.bucket, "a", 1, upload, content=io.BytesIO(FIRST), partSize=len(FIRST))
    etags = {1: sdk.status(known, 200).etag}
    some = {"isFile": True, "offset": 7, "partSize": len(SECOND), "isAttachMd5": True}
    etags[2] = sdk.status(sdk.client.uploadPart(sdk.bucket, "a", 2, upload, content=str(file), **some), 200).etag
    unknown = sdk.client.uploadPart(sdk.bucket, "a", 3, upload, content=Trickle(LAST))
    etags[3] = sdk.status(unknown, 200).etag
    complete(sdk, "a", upload, etags)
    equal(sdk.read("a"), FIRST + SECOND + LAST, "what was read")


@check()
def a_part_with_another_md5_is_refused_and_not_kept(sdk: Bench) -> None:
    upload = sdk.begin("a")
    good = sdk.client.uploadPart(sdk.bucket, "a", 1, upload, content=LAST, md5=content_md5(LAST))
    sdk.status(good, 200)
    bad = sdk.client.uploadPart(sdk.bucket, "a", 2, upload, content=LAST, md5=content_md5(FIRST))
    sdk.status(bad, 400, "BadDigest")
    equal([part.partNumber for part in parts(sdk, "a", upload).parts], [1], "parts")


@check(since=(3, 24, 6))
def a_part_s_crc64_is_checked(sdk: Bench) -> None:
    upload = sdk.begin("a")
    good = sdk.client.uploadPart(sdk.bucket, "a", 1, upload, content=LAST, crc64=crc64(LAST))
    equal(sdk.status(good, 200).crc64, str(crc64(LAST)), "CRC-64 in the answer")
    bad = sdk.client.uploadPart(sdk.bucket, "a", 2, upload, content=LAST, crc64=crc64(b"other"))
    equal((bad.status, bad.errorCode), (400, "BadDigest"), "answer to another part's CRC-64")
    equal([part.partNumber for part in parts(sdk, "a", upload).parts], [1], "parts")


@check(since=(3, 24, 6))
def the_object_s_crc64_is_checked_at_the_end(sdk: Bench) -> None:
    """The SDK combines the parts' into the whole's."""
    upload = sdk.begin("a")
    listed = []
    for number, data in ((1, FIRST), (2, LAST)):
        etag = sdk.part("a", upload, number, data)
        listed.append(CompletePart(partNum=number, etag=etag, crc64=crc64(data), size=len(data)))
    request = CompleteMultipartUploadRequest(listed)
    answer = sdk.client.completeMultipartUpload(sdk.bucket, "a", upload, request, isAttachCrc64=True)
    equal(sdk.status(answer, 200).crc64, str(crc64(FIRST + LAST)), "CRC-64 in the answer")
    body = sdk.status(sdk.client.getObjectMetadata(sdk.bucket, "a"), 200)
    equal(body.crc64, str(crc64(FIRST + LAST)), "CRC-64 in HEAD")


@check()
def a_part_is_copied_from_an_object(sdk: Bench) -> None:
    for key in ("from", "from größe+%20?"):
        sdk.put(key, FIRST + SECOND)
        upload = sdk.begin("a")
        some = {"copySource": f"{sdk.bucket}/{key}", "copySourceRange": f"0-{PART - 1}"}
        first = sdk.status(sdk.client.copyPart(sdk.bucket, "a", 1, upload, **some), 200)
        equal(first.etag, quoted_md5(FIRST), f"ETag of a range of {key!r}")
        second = sdk.status(sdk.client.copyPart(sdk.bucket, "a", 2, upload, copySource=f"{sdk.bucket}/{key}"), 200)
        equal(second.etag, quoted_md5(FIRST + SECOND), f"ETag of all of {key!r}")
        complete(sdk, "a", upload, {1: first.etag, 2: second.etag})
        equal(sdk.read("a"), FIRST + FIRST + SECOND, "what was read")


@check()
def parts_are_listed_with_what_they_are(sdk: Bench) -> None:
    upload = sdk.begin("größe +%&/a")
    etags = {number: sdk.part("größe +%&/a", upload, number, data) for number, data in ((3, FIRST), (1, LAST))}
    for asked in ({}, {"encoding_type": "url"}):
        body = parts(sdk, "größe +%&/a", upload, **asked)
        equal((body.bucketName, body.objectKey, body.uploadId), (sdk.bucket, "größe +%&/a", upload), "what of")
        found = [(part.partNumber, part.size, part.etag) for part in body.parts]
        equal(found, [(1, len(LAST), etags[1]), (3, len(FIRST), etags[3])], "parts")
        equal({len(part.lastModified) for part in body.parts}, {19}, "length of the dates that the SDK read")
        equal(body.isTruncated, False, "truncated")
        equal((bool(body.initiator.id), bool(body.owner.owner_id)), (True, True), "initiator and owner")


@check()
def pages_of_parts_hold_every_part_once(sdk: Bench) -> None:
    upload = sdk.begin("a")
    for number in (1, 2, 3, 5, 8, 13, 21):
        sdk.part("a", upload, number, b"%d" % number)
    found: list[int] = []
    marker, pages = None, 0
    while True:
        body = parts(sdk, "a", upload, maxParts=3, partNumberMarker=marker)
        found, pages = found + [part.partNumber for part in body.parts], pages + 1
        if not body.isTruncated:
            break
        equal(body.nextPartNumberMarker, found[-1], "marker of the next page")
        marker = body.nextPartNumberMarker
    equal((found, pages), ([1, 2, 3, 5, 8, 13, 21], 3), "numbers and pages")


@check()
def uploads_are_listed_with_what_they_are(sdk: Bench) -> None:
    made = [(key, sdk.begin(key)) for key in ("b", "a", "größe/+%")]
    body = uploads(sdk)
    equal((body.bucket, ids(body)), (sdk.bucket, sorted(made)), "bucket and uploads")
    equal(body.isTruncated, False, "truncated")
    equal({len(entry.initiated) for entry in body.upload}, {19}, "length of the dates that the SDK read")
    equal({entry.storageClass for entry in body.upload}, {"STANDARD"}, "storage classes")
    equal({(bool(entry.initiator.id), bool(entry.owner.owner_id)) for entry in body.upload}, {(True, True)}, "who")
    answer = sdk.client.listMultipartUploads(sdk.bucket, encoding_type="url")
    equal(ids(sdk.status(answer, 200)), sorted(made), "uploads, encoded")


@check()
def uploads_are_picked_by_prefix_and_folded(sdk: Bench) -> None:
    made = {key: sdk.begin(key) for key in ("a", "b/1", "b/2", "b/c/3", "c/4")}
    body = uploads(sdk, prefix="b/")
    equal((body.prefix, ids(body)), ("b/", [(key, made[key]) for key in ("b/1", "b/2", "b/c/3")]), "under a prefix")
    body = uploads(sdk, delimiter="/")
    equal((body.delimiter, ids(body)), ("/", [("a", made["a"])]), "at the top")
    equal([entry.prefix for entry in body.commonPrefixs], ["b/", "c/"], "prefixes")


@check()
def pages_of_uploads_hold_every_upload_once(sdk: Bench) -> None:
    """Three for one key among them: the second marker is there for those."""
    made = {(key, sdk.begin(key)) for key in ("a", "b", "b", "b", "c")}
    found: list[tuple[str, str]] = []
    markers: dict[str, str] = {}
    for _ in range(4):
        body = uploads(sdk, max_uploads=2, **markers)
        found += ids(body)
        equal((len(ids(body)) <= 2, body.maxUploads), (True, 2), "a page's size")
        if not body.isTruncated:
            break
        markers = {"key_marker": body.nextKeyMarker, "upload_id_marker": body.nextUploadIdMarker}
    equal((len(found), set(found)), (5, made), "uploads")


@check()
def a_key_marker_alone_starts_behind_the_key(sdk: Bench) -> None:
    made = {key: sdk.begin(key) for key in ("a", "b", "c")}
    equal(ids(uploads(sdk, key_marker="b")), [("c", made["c"])], "uploads behind b")


@check()
def an_aborted_upload_is_gone(sdk: Bench) -> None:
    upload = sdk.begin("a")
    etag = sdk.part("a", upload, 1, LAST)
    sdk.status(sdk.client.abortMultipartUpload(sdk.bucket, "a", upload), 204)
    equal(ids(uploads(sdk)), [], "uploads")
    sdk.status(sdk.client.abortMultipartUpload(sdk.bucket, "a", upload), 404, "NoSuchUpload")
    sdk.status(sdk.client.uploadPart(sdk.bucket, "a", 2, upload, content=LAST), 404, "NoSuchUpload")
    sdk.status(sdk.client.listParts(sdk.bucket, "a", upload), 404, "NoSuchUpload")
    complete(sdk, "a", upload, {1: etag}, 404, "NoSuchUpload")
    equal(sdk.keys(), [], "keys")


@check()
def an_upload_belongs_to_its_key(sdk: Bench) -> None:
    upload = sdk.begin("a")
    sdk.status(sdk.client.uploadPart(sdk.bucket, "b", 1, upload, content=LAST), 404, "NoSuchUpload")
    sdk.status(sdk.client.abortMultipartUpload(sdk.bucket, "b", upload), 404, "NoSuchUpload")
    equal(ids(uploads(sdk)), [("a", upload)], "uploads")


@check()
def a_part_too_small_is_refused_at_the_end(sdk: Bench) -> None:
    upload = sdk.begin("a")
    etags = {1: sdk.part("a", upload, 1, FIRST[:-1]), 2: sdk.part("a", upload, 2, LAST)}
    complete(sdk, "a", upload, etags, 400, "EntityTooSmall")
    equal((sdk.keys(), ids(uploads(sdk))), ([], [("a", upload)]), "keys and uploads")


@check()
def a_part_that_is_not_there_is_refused_at_the_end(sdk: Bench) -> None:
    upload = sdk.begin("a")
    etag = sdk.part("a", upload, 1, FIRST)
    complete(sdk, "a", upload, {1: etag, 2: etag}, 400, "InvalidPart")
    complete(sdk, "a", upload, {1: quoted_md5(b"other")}, 400, "InvalidPart")
    equal((sdk.keys(), ids(uploads(sdk))), ([], [("a", upload)]), "keys and uploads")


@check()
def part_numbers_have_limits(sdk: Bench) -> None:
    upload = sdk.begin("a")
    for number in (0, 10_001):
        answer = sdk.client.uploadPart(sdk.bucket, "a", number, upload, content=LAST)
        sdk.status(answer, 400, "InvalidArgument")
    equal(parts(sdk, "a", upload).parts or [], [], "parts")


@check()
def of_two_uploads_the_later_begun_wins(sdk: Bench) -> None:
    """OBS orders completions by initiation, not by completion."""
    earlier, later = sdk.begin("a"), sdk.begin("a")
    first, second = sdk.part("a", earlier, 1, b"earlier"), sdk.part("a", later, 1, b"later")
    complete(sdk, "a", later, {1: second})
    complete(sdk, "a", earlier, {1: first})
    equal(sdk.read("a"), b"later", "what was read")
    equal(ids(uploads(sdk)), [], "uploads")
