"""Copies inside the service: metadata kept or replaced, conditions, odd keys, from bucket to bucket."""

from __future__ import annotations

from typing import Any

from tests.integration.oss_sdk.bench import Bench, Stored, check, etag, refused
from tests.integration.sdk_checks import equal, pattern

PAST = "Wed, 01 Jan 2020 00:00:00 GMT"
FUTURE = "Fri, 01 Jan 2100 00:00:00 GMT"


def source(bench: Bench) -> None:
    bench.put("a", b"content", metadata={"colour": "red"}, content_type="text/x-own")


def copied(bench: Bench, **options: Any) -> Stored:
    return bench.sdk.copy((bench.bucket, "a"), bench.bucket, "b", **options)


def about(bench: Bench, key: str) -> tuple[dict[str, str], str | None]:
    found = bench.head(key)
    return found.metadata, found.content_type


@check()
def a_copy_has_content_metadata_and_type(bench: Bench) -> None:
    source(bench)
    equal(copied(bench).etag, etag(b"content"), "ETag")
    equal((bench.read("b"), about(bench, "b")), (b"content", ({"colour": "red"}, "text/x-own")), "copy")
    equal(bench.head("b").crc, bench.head("a").crc, "CRC-64")


@check()
def a_copy_that_says_copy_keeps_the_source_s_metadata(bench: Bench) -> None:
    source(bench)
    copied(bench, metadata={"shape": "round"}, metadata_directive="COPY")
    equal(about(bench, "b"), ({"colour": "red"}, "text/x-own"), "metadata and type")


@check()
def a_copy_that_says_replace_has_new_metadata(bench: Bench) -> None:
    source(bench)
    copied(bench, metadata={"shape": "round"}, metadata_directive="REPLACE", content_type="text/x-new")
    equal(about(bench, "b"), ({"shape": "round"}, "text/x-new"), "metadata and type")
    equal(bench.read("b"), b"content", "what was read")


@check()
def an_object_copied_onto_itself_takes_new_metadata(bench: Bench) -> None:
    source(bench)
    new = {"metadata": {"shape": "round"}, "metadata_directive": "REPLACE", "content_type": "text/x-new"}
    bench.sdk.copy((bench.bucket, "a"), bench.bucket, "a", **new)
    equal((about(bench, "a"), bench.read("a")), (({"shape": "round"}, "text/x-new"), b"content"), "the object")


@check()
def a_copy_goes_to_another_bucket(bench: Bench) -> None:
    source(bench)
    first = bench.bucket
    second = bench.fresh_bucket()
    bench.sdk.copy((first, "a"), second, "b")
    equal(bench.read("b", second), b"content", "what was read")


@check()
def conditions_that_hold_let_it_through(bench: Bench) -> None:
    source(bench)
    right, other = f'"{etag(b"content")}"', f'"{etag(b"other")}"'
    for condition in (
        {"if_match": right},
        {"if_none_match": other},
        {"if_modified_since": PAST},
        {"if_unmodified_since": FUTURE},
    ):
        copied(bench, **condition)
        equal(bench.read("b"), b"content", f"what was read after {condition}")
        bench.sdk.delete(bench.bucket, "b")


@check()
def conditions_that_do_not_hold_refuse_it(bench: Bench) -> None:
    """An unchanged source is no mistake to OSS: 304, as with a GET."""
    source(bench)
    with refused(412, "PreconditionFailed"):
        copied(bench, if_match=f'"{etag(b"other")}"')
    with refused(412, "PreconditionFailed"):
        copied(bench, if_unmodified_since=PAST)
    with refused(304, None):
        copied(bench, if_none_match=f'"{etag(b"content")}"')
    equal(bench.keys(), ["a"], "keys")


@check()
def a_copy_that_must_not_replace_does_not(bench: Bench) -> None:
    source(bench)
    bench.put("b", b"kept")
    with refused(409, "FileAlreadyExists"):
        copied(bench, forbid_overwrite="true")
    equal(bench.read("b"), b"kept", "what was read")


@check()
def a_source_that_is_not_there_is_not_found(bench: Bench) -> None:
    with refused(404, "NoSuchKey"):
        copied(bench)
    with refused(404, "NoSuchBucket"):
        bench.sdk.copy((f"{bench.bucket}-not", "a"), bench.bucket, "b")
    equal(bench.keys(), [], "keys")


@check()
def odd_keys_are_copied(bench: Bench) -> None:
    for number, key in enumerate(("with space", "a+b", "a%2Fb", "what?x=1", "#hash", "größe/日本", "two//slashes")):
        data = pattern(100, seed=number)
        bench.put(f"{key}.from", data)
        bench.sdk.copy((bench.bucket, f"{key}.from"), bench.bucket, f"{key}.to")
        equal(bench.read(f"{key}.to"), data, f"copy of {key!r}")
