"""The SDKs' own transfers of files: in parts, by several threads, gone on with after a break."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration.oss_sdk.bench import Bench, check
from tests.integration.sdk_checks import PART, crc64, equal, pattern

DATA = pattern(5 * PART + 17, seed=9)
KEY = "dir/größe 1"


def place(bench: Bench, name: str) -> tuple[Path, Path]:
    """A file, and a directory for the records of what is done."""
    records = bench.scratch / f"{name}-records"
    records.mkdir()
    return bench.scratch / name, records


@check()
def a_file_goes_up_in_parts(bench: Bench) -> None:
    path, records = place(bench, "up")
    path.write_bytes(DATA)
    found = bench.sdk.upload_file(bench.bucket, KEY, path, PART, records)
    equal((found.etag[-2:], found.crc), ("-6", crc64(DATA)), "end of the ETag, and CRC-64")
    equal((bench.read(KEY), bench.sdk.uploads(bench.bucket).ids), (DATA, []), "what was read, and uploads")


@check()
def a_small_file_goes_up_as_one(bench: Bench) -> None:
    path, records = place(bench, "small")
    path.write_bytes(DATA[:1000])
    found = bench.sdk.upload_file(bench.bucket, KEY, path, PART, records)
    equal(("-" in found.etag, found.crc), (False, crc64(DATA[:1000])), "ETag of parts, and CRC-64")
    equal(bench.read(KEY), DATA[:1000], "what was read")


@check()
def a_file_comes_down_in_parts(bench: Bench) -> None:
    bench.put(KEY, DATA)
    path, records = place(bench, "down")
    bench.sdk.download_file(bench.bucket, KEY, path, PART, records)
    equal(path.read_bytes(), DATA, "the file")


class Broken(Exception):
    """The connection, as the SDK will see it."""


@contextmanager
def breaking(after: int, method: str, parameter: str) -> Iterator[list[str]]:
    """Let `after` requests of this kind through and then no more; yields the parts that were let through.

    By `requests`, which both SDKs send with: they stay as they are. One thread sends: of several, the ones that are
    under way at the break may or may not be counted as done.
    """
    import requests

    plain: Callable[..., Any] = requests.Session.request
    passed: list[str] = []

    def patched(self: Any, verb: str, url: str, **named: Any) -> Any:
        sent = {**(named.get("params") or {}), **{k.lower(): v for k, v in (named.get("headers") or {}).items()}}
        which = str(sent.get(parameter) or (url if f"{parameter}=" in url else ""))
        if verb == method and which:
            if len(passed) >= after:
                raise requests.ConnectionError(f"broken off after {after}")
            passed.append(which)
        return plain(self, verb, url, **named)

    requests.Session.request = patched  # type: ignore[assignment, method-assign]  # called by name only
    try:
        yield passed
    finally:
        requests.Session.request = plain  # type: ignore[method-assign]  # as it was


def fails(call: Callable[[], object]) -> None:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - each SDK wraps it in errors of its own
        equal("broken off after" in str(error), True, f"the break in {error!r}")
    else:
        raise AssertionError("did not break off")


@check()
def an_upload_that_broke_off_goes_on(bench: Bench) -> None:
    """The same call again sends what is missing, into the same upload."""
    path, records = place(bench, "broken-up")
    path.write_bytes(DATA)
    with breaking(3, "PUT", "partNumber"):
        fails(lambda: bench.sdk.upload_file(bench.bucket, KEY, path, PART, records, threads=1))
    begun = bench.sdk.uploads(bench.bucket).ids
    equal((len(begun), bench.keys()), (1, []), "uploads and keys after the break")
    there = [row.number for row in bench.sdk.parts(bench.bucket, KEY, begun[0][1]).rows]
    equal(there, [1, 2, 3], "parts after the break")
    with breaking(99, "PUT", "partNumber") as sent:
        bench.sdk.upload_file(bench.bucket, KEY, path, PART, records)
    equal(len(sent), 3, "parts sent by the second call")
    equal((bench.read(KEY), bench.sdk.uploads(bench.bucket).ids), (DATA, []), "what was read, and uploads")


@check()
def a_download_that_broke_off_goes_on(bench: Bench) -> None:
    bench.put(KEY, DATA)
    path, records = place(bench, "broken-down")
    with breaking(3, "GET", "range"):
        fails(lambda: bench.sdk.download_file(bench.bucket, KEY, path, PART, records, threads=1))
    with breaking(99, "GET", "range") as asked:
        bench.sdk.download_file(bench.bucket, KEY, path, PART, records)
    equal(len(asked), 3, "parts fetched by the second call")
    equal(path.read_bytes(), DATA, "the file")


@check()
def a_download_that_broke_off_begins_again_when_the_object_changed(bench: Bench) -> None:
    bench.put(KEY, DATA)
    path, records = place(bench, "changed-down")
    with breaking(3, "GET", "range"):
        fails(lambda: bench.sdk.download_file(bench.bucket, KEY, path, PART, records, threads=1))
    bench.put(KEY, DATA[::-1])
    bench.sdk.download_file(bench.bucket, KEY, path, PART, records)
    equal(path.read_bytes(), DATA[::-1], "the file")
