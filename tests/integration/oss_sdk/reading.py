"""Objects read: whole, in ranges, under conditions, with other headers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.integration.oss_sdk.bench import Bench, check, etag, refused
from tests.integration.sdk_checks import crc64, equal, pattern

DATA = pattern(100_000, seed=1)
PAST = "Wed, 01 Jan 2020 00:00:00 GMT"


@check()
def all_of_it_is_read(bench: Bench) -> None:
    bench.put("a", DATA)
    found = bench.sdk.get(bench.bucket, "a")
    equal((found.data, found.size, found.etag), (DATA, len(DATA), etag(DATA)), "content, size and ETag")
    equal((found.crc, found.kind, found.content_range), (crc64(DATA), "Normal", None), "CRC-64, kind, no range")


@check()
def ranges_are_cut_exactly(bench: Bench) -> None:
    bench.put("a", DATA)
    cases = {"0-0": DATA[:1], "5-1004": DATA[5:1005], "99999-": DATA[-1:], "-7": DATA[-7:], "0-99999": DATA}
    for asked, expected in cases.items():
        equal(bench.sdk.get(bench.bucket, "a", range_header=f"bytes={asked}").data, expected, f"range {asked}")


@check()
def a_range_says_which_it_is(bench: Bench) -> None:
    bench.put("a", DATA)
    found = bench.sdk.get(bench.bucket, "a", range_header="bytes=10-19")
    equal((found.content_range, found.size), ("bytes 10-19/100000", 10), "Content-Range and size")
    equal((found.etag, found.crc), (etag(DATA), crc64(DATA)), "ETag and CRC-64, which are the whole object's")


@check()
def a_range_that_is_not_all_there_is_ignored(bench: Bench) -> None:
    """OSS's rule unless `x-oss-range-behavior` says `standard`."""
    bench.put("a", b"12345")
    for asked in ("5-9", "2-9", "9-"):
        found = bench.sdk.get(bench.bucket, "a", range_header=f"bytes={asked}")
        equal((found.data, found.content_range), (b"12345", None), f"range {asked}")


@check()
def a_range_is_cut_or_refused_when_that_is_asked_for(bench: Bench) -> None:
    bench.put("a", b"12345")
    found = bench.sdk.get(bench.bucket, "a", range_header="bytes=2-9", range_behavior="standard")
    equal((found.data, found.content_range), (b"345", "bytes 2-4/5"), "what is there of the range")
    with refused(416, "InvalidRange"):
        bench.sdk.get(bench.bucket, "a", range_header="bytes=5-9", range_behavior="standard")


@check()
def etags_are_compared(bench: Bench) -> None:
    bench.put("a", b"1")
    right, wrong = f'"{etag(b"1")}"', f'"{etag(b"2")}"'
    for method in (bench.sdk.get, bench.sdk.head):
        equal(method(bench.bucket, "a", if_match=right).etag, etag(b"1"), "If-Match")
        equal(method(bench.bucket, "a", if_none_match=wrong).etag, etag(b"1"), "If-None-Match")
        with refused(412, "PreconditionFailed"):
            method(bench.bucket, "a", if_match=wrong)
        with refused(304, None):
            method(bench.bucket, "a", if_none_match=right)


@check()
def dates_are_compared(bench: Bench) -> None:
    bench.put("a", b"1")
    own = bench.head("a").headers["last-modified"]
    for condition in ({"if_modified_since": PAST}, {"if_unmodified_since": own}):
        equal(bench.sdk.get(bench.bucket, "a", **condition).data, b"1", f"{condition}")
    with refused(304, None):
        bench.sdk.get(bench.bucket, "a", if_modified_since=own)
    with refused(412, "PreconditionFailed"):
        bench.sdk.get(bench.bucket, "a", if_unmodified_since=PAST)


@check()
def an_answer_s_headers_can_be_asked_for(bench: Bench) -> None:
    bench.put("a", b"1", content_type="text/plain")
    asked = {
        "response_content_type": "application/x-own",
        "response_content_language": "de",
        "response_cache_control": "no-cache",
        "response_content_disposition": 'attachment; filename="a b.txt"',
        "response_content_encoding": "identity",
        "response_expires": "never",
    }
    found = bench.sdk.get(bench.bucket, "a", **asked).headers
    expected = {name.removeprefix("response_").replace("_", "-"): value for name, value in asked.items()}
    equal({name: found.get(name) for name in expected}, expected, "headers")


@check()
def eight_threads_share_a_client(bench: Bench) -> None:
    def there_and_back(number: int) -> bool:
        key, data = f"{number}", pattern(20_000, seed=number)
        bench.put(key, data)
        return bench.read(key) == data

    with ThreadPoolExecutor(8) as pool:
        equal(list(pool.map(there_and_back, range(24))), [True] * 24, "what each thread read")
