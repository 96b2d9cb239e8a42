"""Listing, by both of OSS's calls: prefixes, markers, delimiters, pages, encoded keys."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.integration.oss_sdk.bench import Bench, Page, check, etag, refused
from tests.integration.sdk_checks import equal

KEYS = ["a", "b/1", "b/2", "b/c/3", "b/d/4", "c", "d/5", "d/6"]


def fill(bench: Bench, *names: str) -> None:
    for name in names or KEYS:
        bench.put(name, name.encode())


def ways(bench: Bench) -> list[tuple[Callable[..., Page], str, str]]:
    """The call, what it begins behind, and where its next page begins."""
    return [(bench.sdk.list1, "marker", "marker"), (bench.sdk.list2, "start_after", "continuation_token")]


def told(page: Page, **expected: Any) -> None:
    """What v2 reads of what a listing repeats; oss2 reads nothing of it."""
    equal({name: page.told.get(name) for name in expected if page.told}, expected if page.told else {}, "repeated")


@check()
def an_empty_bucket_lists_nothing(bench: Bench) -> None:
    for call, _, _ in ways(bench):
        page = call(bench.bucket)
        equal((page.keys, page.prefixes, page.truncated), ([], [], False), "keys, prefixes, truncated")
        told(page, name=bench.bucket, max_keys=100)


@check()
def every_object_is_listed_in_order_with_what_it_is(bench: Bench) -> None:
    fill(bench)
    for call, _, _ in ways(bench):
        page = call(bench.bucket)
        equal(page.keys, KEYS, "keys")
        expected = [(len(key), etag(key.encode()), "Normal", "Standard") for key in KEYS]
        equal([(e.size, e.etag, e.kind, e.storage_class) for e in page.entries], expected, "what they are")
        equal({abs(e.modified - time.time()) < 60 for e in page.entries}, {True}, "dates of now")
    equal({bool(e.owner) for e in bench.sdk.list1(bench.bucket).entries}, {True}, "owners in V1")
    equal({e.owner for e in bench.sdk.list2(bench.bucket).entries}, {None}, "owners in V2")
    owned = bench.sdk.list2(bench.bucket, fetch_owner=True).entries
    equal({bool(e.owner) for e in owned}, {True}, "owners in V2 when asked for")


@check()
def order_is_that_of_the_bytes(bench: Bench) -> None:
    names = ["A", "B", "a", "a!", "a/", "a0", "b", "ä", "日", "\uffee", "\U0001f600"]
    fill(bench, *reversed(names))
    for call, _, _ in ways(bench):
        equal(call(bench.bucket).keys, names, "keys")


@check()
def a_prefix_picks(bench: Bench) -> None:
    fill(bench)
    for call, _, _ in ways(bench):
        page = call(bench.bucket, prefix="b/")
        equal(page.keys, KEYS[1:5], "keys")
        told(page, prefix="b/")
        equal(call(bench.bucket, prefix="nothing").keys, [], "keys under a prefix that none has")


@check()
def a_listing_begins_behind_a_key(bench: Bench) -> None:
    fill(bench)
    for call, after, _ in ways(bench):
        page = call(bench.bucket, **{after: "b/2"})
        equal(page.keys, KEYS[3:], f"keys behind {after}")
        told(page, **{after: "b/2"})
        equal(call(bench.bucket, **{after: "b/20"}).keys, KEYS[3:], "keys behind what is no key")


@check()
def a_delimiter_folds(bench: Bench) -> None:
    fill(bench)
    for call, _, _ in ways(bench):
        page = call(bench.bucket, delimiter="/")
        equal((page.keys, page.prefixes), (["a", "c"], ["b/", "d/"]), "top level")
        told(page, delimiter="/")
        page = call(bench.bucket, delimiter="/", prefix="b/")
        equal((page.keys, page.prefixes), (["b/1", "b/2"], ["b/c/", "b/d/"]), "second level")


@check()
def pages_hold_everything_once(bench: Bench) -> None:
    fill(bench)
    for call, _, following in ways(bench):
        keys, prefixes, pages = paged(bench, call, following, max_keys=3)
        equal((keys, prefixes, pages), (KEYS, [], 3), "keys, prefixes and pages")


@check()
def pages_of_folded_keys_hold_everything_once(bench: Bench) -> None:
    """With a delimiter a page counts prefixes as keys, and the next one does not begin with the last prefix again."""
    fill(bench)
    for call, _, following in ways(bench):
        keys, prefixes, pages = paged(bench, call, following, max_keys=1, delimiter="/")
        equal((keys, prefixes, pages), (["a", "c"], ["b/", "d/"], 4), "keys, prefixes and pages")


def paged(
    bench: Bench, call: Callable[..., Page], following: str, max_keys: int, **asked: Any
) -> tuple[list[str], list[str], int]:
    keys: list[str] = []
    prefixes: list[str] = []
    more: dict[str, str] = {}
    for pages in range(1, 12):
        page = call(bench.bucket, max_keys=max_keys, **asked, **more)
        keys, prefixes = keys + page.keys, prefixes + page.prefixes
        equal(len(page.keys) + len(page.prefixes) <= max_keys, True, "entries in a page within the limit")
        if not page.truncated:
            return keys, prefixes, pages
        equal(bool(page.next), True, "where the next page begins")
        more = {following: page.next}
    raise AssertionError(f"no end after {keys} and {prefixes}")


@check()
def the_sdk_s_own_iterators_hold_everything_once(bench: Bench) -> None:
    fill(bench)
    equal(bench.sdk.all_pages(bench.bucket, 3), KEYS, "keys")


@check()
def a_page_that_is_just_full_is_the_last(bench: Bench) -> None:
    fill(bench, "a", "b", "c")
    for call, _, _ in ways(bench):
        equal([call(bench.bucket, max_keys=size).truncated for size in (2, 3)], [True, False], "truncated at 2 and 3")


@check()
def more_than_a_thousand_keys_cannot_be_asked_for(bench: Bench) -> None:
    for call, _, _ in ways(bench):
        for size in (1001, 0):
            with refused(400, "InvalidArgument"):
                call(bench.bucket, max_keys=size)


@check()
def more_than_a_hundred_take_two_pages_unless_asked_for(bench: Bench) -> None:
    if not bench.setting.thorough:
        return
    names = [f"{number:04}" for number in range(103)]
    fill(bench, *names)
    for call, after, _ in ways(bench):
        first = call(bench.bucket)
        equal((len(first.keys), first.truncated), (100, True), "first page")
        equal(call(bench.bucket, **{after: first.keys[-1]}).keys, names[100:], "second page")
        equal(call(bench.bucket, max_keys=1000).keys, names, "one page of a thousand")


@check()
def keys_that_xml_cannot_hold_are_listed_encoded(bench: Bench) -> None:
    names = ["a b", "a+b", "d\x01/e", "größe/ü"]
    fill(bench, *names)
    for call, after, _ in ways(bench):
        equal(call(bench.bucket).keys, names, "keys")
        page = call(bench.bucket, delimiter="/", max_keys=3, **{after: "a b"})
        equal((page.keys, page.prefixes), (["a+b"], ["d\x01/", "größe/"]), "keys and prefixes")
        page = call(bench.bucket, prefix="größe/", delimiter="ü")
        equal((page.keys, page.prefixes), ([], ["größe/ü"]), "keys and prefixes under a prefix")
        told(page, prefix="größe/", delimiter="ü")
