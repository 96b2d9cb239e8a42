"""Conformance of listings: order, prefixes, delimiters, pages."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest

from storagekit.testing._conformance_base import Harness
from storagekit.types import ObjectPage

#: In UTF-8 byte order. ``a/`` stands between ``a.b`` and ``a0``; UTF-16 would put the emoji before ``\\uff5e``.
KEYS = (
    "B",
    "a b",
    "a!b",
    "a-b",
    "a.b",
    "a/b",
    "a/b-c",
    "a/c/d",
    "a/c/e",
    "a/d",
    "a0",
    "b/x",
    "é/1",
    "é/2",
    "\uff5e",
    "😀",
)


def folded(pages: list[ObjectPage]) -> tuple[list[str], list[str]]:
    objects = [info.key for page in pages for info in page.objects]
    return objects, list(chain.from_iterable(page.prefixes for page in pages))


def expected(prefix: str, delimiter: str, start_after: str = "") -> tuple[list[str], list[str]]:
    """Say what a listing of ``KEYS`` is, in the simplest words."""
    chosen = [key for key in KEYS if key.startswith(prefix) and key > start_after]
    cuts = [key.find(delimiter, len(prefix)) for key in chosen]
    objects = [key for key, cut in zip(chosen, cuts, strict=True) if cut < 0]
    prefixes = [key[: cut + len(delimiter)] for key, cut in zip(chosen, cuts, strict=True) if cut >= 0]
    return objects, list(dict.fromkeys(prefixes))


def filled(harness: Harness) -> Harness:
    """Return the harness, its bucket filled with ``KEYS`` in an order that is none."""
    for key in sorted(KEYS, key=lambda key: key[::-1]):
        harness.put(key, key.encode())
    return harness


class ListTests:
    """A listing is complete, ordered and repeats nothing, whatever the page size."""

    def test_empty_bucket(self, harness: Harness) -> None:
        assert harness.driver.list(harness.bucket) == ObjectPage(())

    def test_order_and_facts(self, harness: Harness) -> None:
        full = filled(harness)
        page = full.driver.list(full.bucket)

        assert [info.key for info in page.objects] == list(KEYS)
        assert page.prefixes == ()
        assert page.token is None
        for info in page.objects:
            head = full.head(info.key)
            assert (info.size, info.etag) == (len(info.key.encode()), head.etag)
            assert info.modified is not None

    @pytest.mark.parametrize("limit", [1, 2, 3, len(KEYS) - 1, len(KEYS), len(KEYS) + 1])
    def test_pages(self, harness: Harness, limit: int) -> None:
        full = filled(harness)
        pages = list(full.pages(limit))

        assert folded(pages) == (list(KEYS), [])
        assert all(len(page.objects) <= limit for page in pages)

    @pytest.mark.parametrize("prefix", ["a", "a/", "a/b", "a/c", "a/c/", "a/c/d", "é", "é/", "😀", "a b", "B"])
    @pytest.mark.parametrize("limit", [1, 1000])
    def test_prefix(self, harness: Harness, prefix: str, limit: int) -> None:
        full = filled(harness)
        found = full.listed(limit, prefix=prefix)
        assert found
        assert found == [key for key in KEYS if key.startswith(prefix)]

    @pytest.mark.parametrize("prefix", ["x", "a/c/d/", "A", "a/bb", "B/", "b/x/y/z"])
    def test_prefix_of_nothing(self, harness: Harness, prefix: str) -> None:
        full = filled(harness)
        assert full.driver.list(full.bucket, prefix=prefix) == ObjectPage(())
        assert full.driver.list(full.bucket, prefix=prefix, delimiter="/") == ObjectPage(())

    @pytest.mark.parametrize("limit", [1, 2, 1000])
    @pytest.mark.parametrize("prefix", ["", "a", "a/", "a/c", "a/c/", "é", "b/"])
    def test_delimiter(self, harness: Harness, prefix: str, limit: int) -> None:
        full = filled(harness)
        pages = list(full.pages(limit, prefix=prefix, delimiter="/"))

        objects, prefixes = folded(pages)
        assert objects or prefixes
        assert (objects, prefixes) == expected(prefix, "/")
        assert all(len(page.objects) + len(page.prefixes) <= limit for page in pages)

    @pytest.mark.parametrize("limit", [1, 1000])
    @pytest.mark.parametrize("prefix", ["", "a", "a/"])
    def test_other_delimiter(self, harness: Harness, prefix: str, limit: int) -> None:
        full = filled(harness)
        assert folded(list(full.pages(limit, prefix=prefix, delimiter="-"))) == expected(prefix, "-")

    @pytest.mark.parametrize("limit", [1, 3, 1000])
    @pytest.mark.parametrize("start_after", [*KEYS, "A", "a", "a/", "a/c", "b", "z", "\U0010ffff"])
    def test_start_after(self, harness: Harness, start_after: str, limit: int) -> None:
        full = filled(harness)
        found, wanted = full.listed(limit, start_after=start_after), [key for key in KEYS if key > start_after]
        if full.exact_start_after or limit > len(KEYS) or "/" not in start_after:
            assert found == wanted
        else:
            assert found == [key for key in wanted if key in found]
            assert found[-1:] == wanted[-1:]

    @pytest.mark.parametrize("start_after", ["B", "a/b", "a/c/d", "a/d", "b", "A"])
    def test_start_after_within_a_prefix(self, harness: Harness, start_after: str) -> None:
        full = filled(harness)
        found = full.listed(2, prefix="a/", start_after=start_after)
        assert found == [key for key in KEYS if key.startswith("a/") and key > start_after]

    @pytest.mark.parametrize("start_after", ["B", "a.b", "a0", "~"])
    def test_start_after_with_delimiter(self, harness: Harness, start_after: str) -> None:
        full = filled(harness)
        pages = list(full.pages(1, delimiter="/", start_after=start_after))
        assert folded(pages) == expected("", "/", start_after)

    def test_more_keys_than_a_page_holds(self, harness: Harness) -> None:
        """A page has at most 1,000; a service that is asked for more cuts in silence."""
        keys = [f"{number // 100:02}/{number:04}" for number in range(harness.many + 2)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda key: harness.put(key, b"x"), keys))

        pages = list(harness.pages())
        left = harness.driver.delete_many(harness.bucket, keys[:-3])

        assert folded(pages) == (keys, [])
        assert all(len(page.objects) <= 1000 for page in pages)
        assert left == []
        assert harness.listed() == keys[-3:]

    def test_another_driver_goes_on_with_the_token(self, harness: Harness) -> None:
        full = filled(harness)
        first = full.driver.list(full.bucket, limit=5)
        second = full.make_driver().list(full.bucket, token=first.token)
        assert [info.key for info in first.objects + second.objects] == list(KEYS)

    def test_inserts_and_deletes_between_pages(self, harness: Harness) -> None:
        steady = [f"k/{number:02}" for number in range(0, 40, 2)]
        for key in [*steady, "k/01", "k/03", "k/31", "k/33"]:
            harness.put(key, b"x")
        seen: list[str] = []

        for number, page in enumerate(harness.pages(4)):
            seen += [info.key for info in page.objects]
            harness.put(f"k/{number:02}+", b"before the cursor, soon")
            harness.driver.delete_many(harness.bucket, [["k/01"], ["k/31"], ["k/33", "k/03"]][number % 3])

        assert seen == sorted(set(seen))
        assert [key for key in seen if key in steady] == steady
        assert len(seen) >= len(steady)
