"""Objects read: whole, as a stream, in ranges, under conditions, with other headers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from obs import GetObjectHeader, GetObjectRequest, PutObjectHeader

from tests.integration.obs_sdk.bench import Bench, check, headers
from tests.integration.sdk_checks import bare_md5, crc64, equal, pattern, quoted_md5

DATA = pattern(100_000, seed=1)
PAST = "Wed, 01 Jan 2020 00:00:00 GMT"
FUTURE = "Fri, 01 Jan 2100 00:00:00 GMT"  # not in the SDK's own time


def get(sdk: Bench, status: int, code: str | None = None, **conditions: str) -> bytes | None:
    answer = sdk.client.getObject(sdk.bucket, "a", headers=GetObjectHeader(**conditions), loadStreamInMemory=True)
    body = sdk.status(answer, status, code)
    return (body.buffer or b"") if status < 300 else None


@check()
def a_stream_gives_all_of_it(sdk: Bench) -> None:
    sdk.put("a", DATA)
    answer = sdk.client.getObject(sdk.bucket, "a", loadStreamInMemory=False)
    body = sdk.status(answer, 200)
    blocks = iter(lambda: body.response.read(8192), b"")
    equal(b"".join(blocks), DATA, "what was read")
    body.response.close()
    equal((body.contentLength, body.etag), (len(DATA), quoted_md5(DATA)), "size and ETag")


@check()
def a_file_gets_all_of_it(sdk: Bench) -> None:
    sdk.put("a", DATA)
    path = sdk.scratch / "downloaded"
    sdk.status(sdk.client.getObject(sdk.bucket, "a", downloadPath=str(path)), 200)
    equal(path.read_bytes(), DATA, "the file")


@check()
def ranges_are_cut_exactly(sdk: Bench) -> None:
    sdk.put("a", DATA)
    cases = {"0-0": DATA[:1], "5-1004": DATA[5:1005], "99999-": DATA[-1:], "99990-200000": DATA[-10:], "-7": DATA[-7:]}
    for asked, expected in cases.items():
        equal(get(sdk, 206, range=asked), expected, f"range {asked}")
    equal(get(sdk, 206, range="-200000"), DATA, "a longer end than there is")


@check()
def a_range_says_which_it_is(sdk: Bench) -> None:
    sdk.put("a", DATA)
    answer = sdk.client.getObject(sdk.bucket, "a", headers=GetObjectHeader(range="10-19"), loadStreamInMemory=True)
    equal(headers(answer).get("content-range"), "bytes 10-19/100000", "Content-Range")
    equal((answer.body.size, answer.body.contentLength), (10, 10), "size")
    equal(answer.body.etag, quoted_md5(DATA), "ETag")


@check()
def a_range_behind_the_end_is_refused(sdk: Bench) -> None:
    sdk.put("a", b"12345")
    get(sdk, 416, "InvalidRange", range="5-9")
    sdk.put("a", b"")
    get(sdk, 416, "InvalidRange", range="0-0")


@check()
def the_right_etag_is_let_through(sdk: Bench) -> None:
    sdk.put("a", b"1")
    equal(get(sdk, 200, if_match=bare_md5(b"1")), b"1", "If-Match")
    equal(get(sdk, 200, if_none_match=bare_md5(b"2")), b"1", "If-None-Match")
    equal(get(sdk, 206, if_match=bare_md5(b"1"), range="0-0"), b"1", "If-Match with a range")


@check()
def a_wrong_etag_is_not(sdk: Bench) -> None:
    sdk.put("a", b"1")
    get(sdk, 412, "PreconditionFailed", if_match=bare_md5(b"2"))
    get(sdk, 304, if_none_match=bare_md5(b"1"))


@check()
def dates_are_compared(sdk: Bench) -> None:
    sdk.put("a", b"1")
    modified = sdk.status(sdk.client.getObjectMetadata(sdk.bucket, "a"), 200).lastModified
    equal(get(sdk, 200, if_modified_since=PAST), b"1", "If-Modified-Since the past")
    get(sdk, 304, if_modified_since=modified)
    equal(get(sdk, 200, if_unmodified_since=modified), b"1", "If-Unmodified-Since its own date")
    equal(get(sdk, 200, if_unmodified_since=FUTURE), b"1", "If-Unmodified-Since the future")
    get(sdk, 412, "PreconditionFailed", if_unmodified_since=PAST)


@check()
def an_answer_s_headers_can_be_asked_for(sdk: Bench) -> None:
    sdk.put("a", b"1", headers=PutObjectHeader(contentType="text/plain"))
    other = GetObjectRequest(
        content_type="application/x-own",
        content_language="de",
        cache_control="no-cache",
        content_disposition='attachment; filename="a b.txt"',
        content_encoding="identity",
        expires=FUTURE,
    )
    body = sdk.status(
        sdk.client.getObject(sdk.bucket, "a", getObjectRequest=other, loadStreamInMemory=True),
        200,
    )
    equal((body.contentType, body.contentLanguage), ("application/x-own", "de"), "type and language")
    equal((body.cacheControl, body.contentEncoding, body.expires), ("no-cache", "identity", FUTURE), "others")
    equal(body.contentDisposition, 'attachment; filename="a b.txt"', "disposition")


@check(since=(3, 24, 6))
def the_sdk_finds_the_crc64_of_what_it_reads_right(sdk: Bench) -> None:
    """It computes and compares; the server has to have sent it."""
    sdk.put("a", DATA)
    path = sdk.scratch / "checked"
    answer = sdk.client.getObject(sdk.bucket, "a", downloadPath=str(path), isAttachCrc64=True)
    equal(sdk.status(answer, 200).crc64, str(crc64(DATA)), "CRC-64")
    equal(path.read_bytes(), DATA, "the file")


@check()
def eight_threads_share_a_client(sdk: Bench) -> None:
    def there_and_back(number: int) -> bool:
        key, data = f"{number}", pattern(20_000, seed=number)
        sdk.put(key, data)
        return sdk.read(key) == data

    with ThreadPoolExecutor(8) as pool:
        equal(list(pool.map(there_and_back, range(40))), [True] * 40, "what each thread read")
