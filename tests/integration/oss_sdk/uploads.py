"""Multipart uploads: begun, filled, listed, completed, aborted; and what a service refuses in them."""

from __future__ import annotations

import io
import re
import time

from tests.integration.oss_sdk.bench import Bench, check, etag, refused
from tests.integration.sdk_checks import PART, content_md5, crc64, equal, pattern

FIRST, SECOND, LAST = pattern(PART, 1), pattern(PART + 1, 2), pattern(1000, 3)
ODD = "größe +%&/a"


def sent(bench: Bench, key: str, upload: str, parts: dict[int, bytes]) -> dict[int, str]:
    return {number: bench.part(key, upload, number, data) for number, data in parts.items()}


@check()
def parts_make_an_object(bench: Bench) -> None:
    upload = bench.begin("dir/a b", content_type="text/x-own", metadata={"colour": "red"})
    etags = sent(bench, "dir/a b", upload, {1: FIRST, 2: SECOND, 3: LAST})
    equal(bench.keys(), [], "keys before it is complete")
    done = bench.sdk.complete(bench.bucket, "dir/a b", upload, etags)
    whole = FIRST + SECOND + LAST
    equal(bool(re.fullmatch(r"[0-9A-F]{32}-3", done.etag)), True, f"ETag ({done.etag}) of three parts")
    equal(done.crc, crc64(whole), "CRC-64")
    found = bench.sdk.get(bench.bucket, "dir/a b")
    equal((found.data, found.etag, found.crc), (whole, done.etag, crc64(whole)), "content, ETag and CRC-64")
    equal((found.metadata, found.content_type), ({"colour": "red"}, "text/x-own"), "metadata and type")
    equal(found.kind, "Multipart", "kind")
    equal(bench.sdk.uploads(bench.bucket).ids, [], "uploads afterwards")


@check()
def every_part_says_its_crc64(bench: Bench) -> None:
    """The SDKs compare it with their own."""
    upload = bench.begin("a")
    equal(bench.sdk.part(bench.bucket, "a", upload, 1, FIRST).crc, crc64(FIRST), "CRC-64 of bytes")
    equal(bench.sdk.part(bench.bucket, "a", upload, 1, io.BytesIO(LAST)).crc, crc64(LAST), "CRC-64 of a stream")


@check()
def parts_come_in_any_order_and_number(bench: Bench) -> None:
    upload = bench.begin("a")
    etags = sent(bench, "a", upload, {10_000: LAST, 7: SECOND, 2: FIRST})
    bench.sdk.complete(bench.bucket, "a", upload, etags)
    equal(bench.read("a"), FIRST + SECOND + LAST, "what was read")


@check()
def only_listed_parts_are_in_the_object(bench: Bench) -> None:
    upload = bench.begin("a")
    etags = sent(bench, "a", upload, {1: FIRST, 2: SECOND, 3: LAST})
    del etags[2]
    bench.sdk.complete(bench.bucket, "a", upload, etags)
    equal(bench.read("a"), FIRST + LAST, "what was read")


@check()
def all_parts_are_in_the_object_when_none_is_listed(bench: Bench) -> None:
    """`x-oss-complete-all: yes`."""
    upload = bench.begin("a")
    sent(bench, "a", upload, {3: LAST, 1: FIRST})
    bench.sdk.complete_all(bench.bucket, "a", upload)
    equal(bench.read("a"), FIRST + LAST, "what was read")


@check()
def a_part_sent_again_replaces_the_first(bench: Bench) -> None:
    upload = bench.begin("a")
    old = bench.part("a", upload, 1, FIRST)
    new = bench.part("a", upload, 1, LAST)
    with refused(400, "InvalidPart"):
        bench.sdk.complete(bench.bucket, "a", upload, {1: old})
    bench.sdk.complete(bench.bucket, "a", upload, {1: new})
    equal(bench.read("a"), LAST, "what was read")


@check()
def a_part_s_md5_is_checked(bench: Bench) -> None:
    upload = bench.begin("a")
    bench.sdk.part(bench.bucket, "a", upload, 1, LAST, content_md5=content_md5(LAST))
    with refused(400, "InvalidDigest"):
        bench.sdk.part(bench.bucket, "a", upload, 2, LAST, content_md5=content_md5(FIRST))
    equal([row.number for row in bench.sdk.parts(bench.bucket, "a", upload).rows], [1], "parts")


@check()
def a_part_is_copied_from_an_object(bench: Bench) -> None:
    for key in ("from", "from größe+%20?"):
        bench.put(key, FIRST + SECOND)
        upload = bench.begin("a")
        source = bench.bucket, key
        some = bench.sdk.copy_part(source, (0, PART - 1), bench.bucket, "a", upload, 1)
        every = bench.sdk.copy_part(source, None, bench.bucket, "a", upload, 2)
        found = bench.sdk.parts(bench.bucket, "a", upload).rows
        equal([row.etag for row in found], [etag(FIRST), etag(FIRST + SECOND)], f"ETags of copies of {key!r}")
        equal({some.etag, every.etag} - {"", *(row.etag for row in found)}, set(), "ETags that the SDK returned")
        bench.sdk.complete_all(bench.bucket, "a", upload)
        equal(bench.read("a"), FIRST + FIRST + SECOND, "what was read")


@check()
def parts_are_listed_with_what_they_are(bench: Bench) -> None:
    upload = bench.begin(ODD)
    etags = sent(bench, ODD, upload, {3: FIRST, 1: LAST})
    found = bench.sdk.parts(bench.bucket, ODD, upload)
    expected = [(1, len(LAST), etags[1]), (3, len(FIRST), etags[3])]
    equal([(row.number, row.size, row.etag) for row in found.rows], expected, "parts")
    equal({abs(row.modified - time.time()) < 60 for row in found.rows}, {True}, "dates of now")
    equal((found.truncated, found.next), (False, 3), "truncated, and the marker that is there all the same")


@check()
def pages_of_parts_hold_every_part_once(bench: Bench) -> None:
    upload, numbers = bench.begin("a"), [1, 2, 3, 5, 8, 13, 21]
    sent(bench, "a", upload, {number: b"%d" % number for number in numbers})
    seen: list[list[int]] = []
    after = 0
    for _ in range(4):
        page = bench.sdk.parts(bench.bucket, "a", upload, after, 3)
        seen.append([row.number for row in page.rows])
        if not page.truncated:
            break
        equal(page.next, seen[-1][-1], "marker of the next page")
        after = page.next
    equal(seen, [numbers[:3], numbers[3:6], numbers[6:]], "numbers by page")
    equal(bench.sdk.all_parts(bench.bucket, "a", upload, 3), numbers, "what the SDK's own iterator found")


@check()
def uploads_are_listed_with_what_they_are(bench: Bench) -> None:
    made = sorted((key, bench.begin(key)) for key in ("b", "a", ODD))
    found = bench.sdk.uploads(bench.bucket)
    equal((found.ids, found.truncated), (made, False), "uploads, truncated")
    equal({abs(row.begun - time.time()) < 60 for row in found.rows}, {True}, "dates of now")


@check()
def uploads_are_picked_by_prefix_and_folded(bench: Bench) -> None:
    made = {key: bench.begin(key) for key in ("a", "b/1", "b/2", "b/c/3", "c/4")}
    found = bench.sdk.uploads(bench.bucket, prefix="b/")
    equal(found.ids, [(key, made[key]) for key in ("b/1", "b/2", "b/c/3")], "under a prefix")
    found = bench.sdk.uploads(bench.bucket, delimiter="/")
    equal(found.ids, [("a", made["a"])], "at the top")
    if not bench.sdk.dotted_paths:  # v2 reads no prefixes of uploads
        equal(found.prefixes, ["b/", "c/"], "prefixes")


@check()
def pages_of_uploads_hold_every_upload_once(bench: Bench) -> None:
    """Three for one key among them: the second marker is there for those."""
    made = {(key, bench.begin(key)) for key in ("a", "b", "b", "b", "c")}
    seen: list[tuple[str, str]] = []
    more: dict[str, str] = {}
    for _ in range(4):
        page = bench.sdk.uploads(bench.bucket, max_uploads=2, **more)
        seen += page.ids
        equal(len(page.ids) <= 2, True, "entries in a page within the limit")
        if not page.truncated:
            break
        more = {"key_marker": page.next_key, "upload_id_marker": page.next_upload}
    equal((len(seen), set(seen)), (5, made), "uploads")
    found = bench.sdk.all_uploads(bench.bucket, 2)
    equal((len(found), set(found)), (5, made), "what the SDK's own iterator found")


@check()
def an_aborted_upload_is_gone(bench: Bench) -> None:
    upload = bench.begin("a")
    part = bench.part("a", upload, 1, LAST)
    equal(bench.sdk.abort(bench.bucket, "a", upload), 204, "status")
    equal(bench.sdk.uploads(bench.bucket).ids, [], "uploads")
    for call in (
        lambda: bench.sdk.abort(bench.bucket, "a", upload),
        lambda: bench.sdk.part(bench.bucket, "a", upload, 2, LAST),
        lambda: bench.sdk.parts(bench.bucket, "a", upload),
        lambda: bench.sdk.complete(bench.bucket, "a", upload, {1: part}),
    ):
        with refused(404, "NoSuchUpload"):
            call()
    equal(bench.keys(), [], "keys")


@check()
def an_upload_belongs_to_its_key(bench: Bench) -> None:
    upload = bench.begin("a")
    with refused(404, "NoSuchUpload"):
        bench.sdk.part(bench.bucket, "b", upload, 1, LAST)
    with refused(404, "NoSuchUpload"):
        bench.sdk.abort(bench.bucket, "b", upload)
    equal(bench.sdk.uploads(bench.bucket).ids, [("a", upload)], "uploads")


@check()
def a_part_too_small_is_refused_at_the_end(bench: Bench) -> None:
    upload = bench.begin("a")
    etags = sent(bench, "a", upload, {1: FIRST[:-1], 2: LAST})
    with refused(400, "EntityTooSmall"):
        bench.sdk.complete(bench.bucket, "a", upload, etags)
    equal((bench.keys(), bench.sdk.uploads(bench.bucket).ids), ([], [("a", upload)]), "keys and uploads")


@check()
def a_part_that_is_not_there_is_refused_at_the_end(bench: Bench) -> None:
    upload = bench.begin("a")
    part = bench.part("a", upload, 1, FIRST)
    for parts in ({1: part, 2: part}, {1: etag(b"other")}):
        with refused(400, "InvalidPart"):
            bench.sdk.complete(bench.bucket, "a", upload, parts)
    equal((bench.keys(), bench.sdk.uploads(bench.bucket).ids), ([], [("a", upload)]), "keys and uploads")


@check()
def part_numbers_have_limits(bench: Bench) -> None:
    upload = bench.begin("a")
    for number in (0, 10_001):
        with refused(400, "InvalidArgument"):
            bench.sdk.part(bench.bucket, "a", upload, number, LAST)
    equal(bench.sdk.parts(bench.bucket, "a", upload).rows, [], "parts")


@check()
def an_upload_that_must_not_replace_does_not(bench: Bench) -> None:
    upload = bench.begin("a")
    part = bench.part("a", upload, 1, LAST)
    bench.put("a", b"kept")
    with refused(409, "FileAlreadyExists"):
        bench.sdk.complete(bench.bucket, "a", upload, {1: part}, forbid_overwrite="true")
    equal(bench.read("a"), b"kept", "what was read")
