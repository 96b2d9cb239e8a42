"""Buckets: made, found, listed, located, removed."""

from __future__ import annotations

from tests.integration.oss_sdk.bench import Bench, check, refused
from tests.integration.sdk_checks import equal


@check()
def a_bucket_that_was_made_is_there(bench: Bench) -> None:
    equal(bench.sdk.is_bucket(bench.bucket), True, "whether it is there")
    equal(bench.sdk.info(bench.bucket).name, bench.bucket, "name")


@check()
def a_bucket_that_was_not_made_is_not_there(bench: Bench) -> None:
    bench.sdk.drop(bench.bucket)
    equal(bench.sdk.is_bucket(bench.bucket), False, "whether it is there")
    with refused(404, "NoSuchBucket"):
        bench.sdk.info(bench.bucket)


@check()
def a_bucket_says_what_and_where_it_is(bench: Bench) -> None:
    info = bench.sdk.info(bench.bucket)
    equal(info.location, f"oss-{bench.setting.region}", "location")
    equal(bench.sdk.location(bench.bucket), info.location, "location when asked for it alone")
    equal((info.storage_class, info.acl, bool(info.owner)), ("Standard", "private", True), "class, ACL, an owner")
    equal((bool(info.extranet), bool(info.intranet)), (True, True), "endpoints")


@check()
def buckets_are_listed_with_what_and_where_they_are(bench: Bench) -> None:
    found = bench.sdk.buckets(prefix=bench.bucket, max_keys=1000)
    row = next(row for row in found.rows if row.name == bench.bucket)
    info = bench.sdk.info(bench.bucket)
    expected = info.location, info.extranet, info.intranet, "Standard"
    equal((row.location, row.extranet, row.intranet, row.storage_class), expected, "what the list says")
    equal(found.owner, info.owner, "owner")


@check()
def buckets_are_picked_by_prefix_and_paged(bench: Bench) -> None:
    names = [f"{bench.bucket}-{letter}" for letter in "abc"]
    for name in names:
        bench.sdk.create(name)
    prefix = f"{bench.bucket}-"
    equal([row.name for row in bench.sdk.buckets(prefix).rows], names, "names under a prefix")
    first = bench.sdk.buckets(prefix, max_keys=2)
    equal(([row.name for row in first.rows], first.truncated, first.next), (names[:2], True, names[1]), "first page")
    second = bench.sdk.buckets(prefix, first.next, 2)
    equal(([row.name for row in second.rows], second.truncated), (names[2:], False), "second page")


@check()
def a_bucket_can_be_made_with_a_storage_class_and_an_acl(bench: Bench) -> None:
    bench.sdk.drop(bench.bucket)
    bench.sdk.create(bench.bucket, storage_class="IA", acl="private")
    equal(bench.sdk.info(bench.bucket).storage_class, "IA", "storage class")


@check()
def one_s_own_bucket_can_be_made_again(bench: Bench) -> None:
    bench.put("kept", b"still here")
    bench.sdk.create(bench.bucket)
    equal(bench.read("kept"), b"still here", "what was in it")


@check()
def an_empty_bucket_can_be_removed(bench: Bench) -> None:
    bench.sdk.drop(bench.bucket)
    equal(bench.sdk.is_bucket(bench.bucket), False, "whether it is there")
    equal([row.name for row in bench.sdk.buckets(bench.bucket).rows if row.name == bench.bucket], [], "in the list")


@check()
def a_bucket_with_an_object_cannot_be_removed(bench: Bench) -> None:
    bench.put("a", b"a")
    with refused(409, "BucketNotEmpty"):
        bench.sdk.drop(bench.bucket)
    equal(bench.read("a"), b"a", "the object")


@check()
def a_bucket_with_an_upload_cannot_be_removed(bench: Bench) -> None:
    upload = bench.begin("a")
    with refused(409, "BucketNotEmpty"):
        bench.sdk.drop(bench.bucket)
    equal(bench.sdk.uploads(bench.bucket).ids, [("a", upload)], "uploads")


@check()
def a_bucket_that_is_not_there_cannot_be_removed_or_used(bench: Bench) -> None:
    bench.sdk.drop(bench.bucket)
    for call in (
        lambda: bench.sdk.drop(bench.bucket),
        lambda: bench.sdk.list1(bench.bucket),
        lambda: bench.sdk.list2(bench.bucket),
        lambda: bench.put("a", b"a"),
        lambda: bench.sdk.get(bench.bucket, "a"),
        lambda: bench.begin("a"),
    ):
        with refused(404, "NoSuchBucket"):
            call()
