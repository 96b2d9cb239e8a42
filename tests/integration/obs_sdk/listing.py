"""Listing: prefixes, markers, delimiters, pages, encoded keys."""

from __future__ import annotations

from typing import Any

from tests.integration.obs_sdk.bench import Bench, check
from tests.integration.sdk_checks import equal, quoted_md5

KEYS = ["a", "b/1", "b/2", "b/c/3", "b/d/4", "c", "d/5", "d/6"]


def listed(sdk: Bench, **asked: Any) -> Any:
    return sdk.status(sdk.client.listObjects(sdk.bucket, **asked), 200)


def keys(body: Any) -> list[str]:
    return [entry.key for entry in body.contents or []]


def prefixes(body: Any) -> list[str]:
    return [entry.prefix for entry in body.commonPrefixs or []]


def fill(sdk: Bench, *names: str) -> None:
    for name in names or KEYS:
        sdk.put(name, name.encode())


@check()
def an_empty_bucket_lists_nothing(sdk: Bench) -> None:
    body = listed(sdk)
    equal((body.name, keys(body), prefixes(body)), (sdk.bucket, [], []), "name, keys, prefixes")
    equal((body.is_truncated, body.max_keys), (False, 1000), "truncated, most keys")


@check()
def every_object_is_listed_in_order_with_what_it_is(sdk: Bench) -> None:
    fill(sdk)
    body = listed(sdk)
    equal(keys(body), KEYS, "keys")
    equal(
        [(entry.size, entry.etag) for entry in body.contents], [(len(k), quoted_md5(k.encode())) for k in KEYS], "what"
    )
    equal({entry.storageClass for entry in body.contents}, {"STANDARD"}, "storage classes")
    equal({len(entry.lastModified) for entry in body.contents}, {19}, "length of the dates that the SDK read")
    equal({bool(entry.owner.owner_id) for entry in body.contents}, {True}, "owners' ids")


@check()
def order_is_that_of_the_bytes(sdk: Bench) -> None:
    names = ["A", "B", "a", "a!", "a/", "a0", "b", "ä", "日", "\uffee", "\U0001f600"]
    fill(sdk, *reversed(names))
    equal(keys(listed(sdk)), names, "keys")


@check()
def a_prefix_picks(sdk: Bench) -> None:
    fill(sdk)
    body = listed(sdk, prefix="b/")
    equal((body.prefix, keys(body)), ("b/", KEYS[1:5]), "prefix and keys")
    equal(keys(listed(sdk, prefix="nothing")), [], "keys under a prefix that none has")


@check()
def a_marker_starts_behind_itself(sdk: Bench) -> None:
    fill(sdk)
    body = listed(sdk, marker="b/2")
    equal((body.marker, keys(body)), ("b/2", KEYS[3:]), "marker and keys")
    equal(keys(listed(sdk, marker="b/20")), KEYS[3:], "keys behind a marker that is no key")


@check()
def a_delimiter_folds(sdk: Bench) -> None:
    fill(sdk)
    body = listed(sdk, delimiter="/")
    equal((body.delimiter, keys(body), prefixes(body)), ("/", ["a", "c"], ["b/", "d/"]), "top level")
    body = listed(sdk, delimiter="/", prefix="b/")
    equal((keys(body), prefixes(body)), (["b/1", "b/2"], ["b/c/", "b/d/"]), "second level")
    body = listed(sdk, delimiter="/c/", prefix="")
    equal((keys(body), prefixes(body)), ([k for k in KEYS if "/c/" not in k], ["b/c/"]), "a longer delimiter")


@check()
def pages_hold_everything_once(sdk: Bench) -> None:
    fill(sdk)
    found: list[str] = []
    marker, pages = None, 0
    while True:
        body = listed(sdk, max_keys=3, marker=marker)
        found, marker, pages = found + keys(body), body.next_marker, pages + 1
        equal((len(keys(body)) <= 3, body.max_keys), (True, 3), "a page's size")
        if not body.is_truncated:
            break
    equal((found, pages), (KEYS, 3), "keys and pages")


@check()
def pages_of_folded_keys_hold_everything_once(sdk: Bench) -> None:
    """With a delimiter a page counts prefixes as keys, and the next one does not begin with the last prefix again."""
    fill(sdk)
    found: list[str] = []
    folded: list[str] = []
    marker = None
    for _ in range(8):
        body = listed(sdk, max_keys=1, marker=marker, delimiter="/")
        equal(len(keys(body)) + len(prefixes(body)), 1, "entries in a page")
        found, folded, marker = found + keys(body), folded + prefixes(body), body.next_marker
        if not body.is_truncated:
            break
    equal((found, folded), (["a", "c"], ["b/", "d/"]), "keys and prefixes")


@check()
def a_page_that_is_just_full_is_the_last(sdk: Bench) -> None:
    fill(sdk, "a", "b", "c")
    equal(listed(sdk, max_keys=3).is_truncated, False, "truncated at exactly as many")
    equal(listed(sdk, max_keys=2).is_truncated, True, "truncated at one less")


@check()
def more_than_a_thousand_take_two_pages(sdk: Bench) -> None:
    if not sdk.setting.thorough:  # two seconds, and no dialect pages by itself
        return
    names = [f"{number:04}" for number in range(1003)]
    fill(sdk, *names)
    first = listed(sdk)
    equal((len(first.contents), first.is_truncated), (1000, True), "first page")
    second = listed(sdk, marker=first.next_marker)
    equal((keys(second), second.is_truncated), (names[1000:], False), "second page")
    equal(len(listed(sdk, max_keys=5000).contents), 1000, "a page when more are asked for")


@check()
def keys_that_xml_cannot_hold_are_listed_encoded(sdk: Bench) -> None:
    names = ["a b", "a+b", "d\x01/e", "größe/ü"]
    fill(sdk, *names)
    body = listed(sdk, encoding_type="url")
    equal((body.encoding_type, sorted(keys(body))), ("url", sorted(names)), "keys")
    body = listed(sdk, encoding_type="url", delimiter="/", max_keys=3, marker="a b")
    equal((keys(body), prefixes(body)), (["a+b"], ["d\x01/", "größe/"]), "keys and prefixes")
    body = listed(sdk, encoding_type="url", prefix="größe/")
    equal((body.prefix, keys(body)), ("größe/", ["größe/ü"]), "prefix and keys")
