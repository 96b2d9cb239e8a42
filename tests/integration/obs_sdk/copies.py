"""Copies inside the service: metadata kept or replaced, conditions, odd keys, from bucket to bucket."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from obs import CopyObjectHeader, PutObjectHeader

from tests.integration.obs_sdk.bench import Bench, check, headers
from tests.integration.sdk_checks import bare_md5, equal, pattern, quoted_md5

PAST = "Wed, 01 Jan 2020 00:00:00 GMT"
FUTURE = "Fri, 01 Jan 2100 00:00:00 GMT"


def source(sdk: Bench) -> None:
    sdk.put("a", b"content", metadata={"colour": "red"}, headers=PutObjectHeader(contentType="text/x-own"))


def copied(sdk: Bench, status: int = 200, code: str | None = None, **arguments: Any) -> Any:
    return sdk.status(sdk.client.copyObject(sdk.bucket, "a", sdk.bucket, "b", **arguments), status, code)


def about(sdk: Bench, key: str) -> tuple[str | None, str | None, str | None]:
    """Two pieces of metadata, and the type."""
    answer = sdk.client.getObjectMetadata(sdk.bucket, key)
    return headers(answer).get("colour"), headers(answer).get("shape"), answer.body.contentType


@check()
def a_copy_has_content_metadata_and_type(sdk: Bench) -> None:
    source(sdk)
    body = copied(sdk)
    equal((body.etag, len(body.lastModified)), (quoted_md5(b"content"), 19), "ETag and length of the date")
    equal(sdk.read("b"), b"content", "what was read")
    equal(about(sdk, "b"), ("red", None, "text/x-own"), "metadata and type")


@check()
def a_copy_that_says_copy_keeps_the_source_s_metadata(sdk: Bench) -> None:
    source(sdk)
    copied(sdk, metadata={"shape": "round"}, headers=CopyObjectHeader(directive="COPY"))
    equal(about(sdk, "b"), ("red", None, "text/x-own"), "metadata and type")


@check()
def a_copy_that_says_replace_has_new_metadata(sdk: Bench) -> None:
    source(sdk)
    copied(sdk, metadata={"shape": "round"}, headers=CopyObjectHeader(directive="REPLACE", contentType="text/x-new"))
    equal(about(sdk, "b"), (None, "round", "text/x-new"), "metadata and type")
    equal(sdk.read("b"), b"content", "what was read")


@check()
def metadata_that_is_not_ascii_is_copied(sdk: Bench) -> None:
    sdk.put("a", b"content", metadata={"colour": "grün"})
    copied(sdk)
    equal(unquote(about(sdk, "b")[0] or ""), "grün", "metadata")


@check()
def an_object_copied_onto_itself_takes_new_metadata(sdk: Bench) -> None:
    source(sdk)
    replace = CopyObjectHeader(directive="REPLACE", contentType="text/x-new")
    answer = sdk.client.copyObject(sdk.bucket, "a", sdk.bucket, "a", metadata={"shape": "round"}, headers=replace)
    sdk.status(answer, 200)
    equal(about(sdk, "a"), (None, "round", "text/x-new"), "metadata and type")
    equal(sdk.read("a"), b"content", "what was read")


@check()
def a_copy_goes_to_another_bucket(sdk: Bench) -> None:
    source(sdk)
    first = sdk.bucket
    second = sdk.fresh_bucket()
    sdk.status(sdk.client.copyObject(first, "a", second, "b"), 200)
    equal(sdk.read("b", second), b"content", "what was read")


@check()
def conditions_that_hold_let_it_through(sdk: Bench) -> None:
    source(sdk)
    right, other = bare_md5(b"content"), bare_md5(b"other")
    for condition in (
        {"if_match": right},
        {"if_none_match": other},
        {"if_modified_since": PAST},
        {"if_unmodified_since": FUTURE},
    ):
        copied(sdk, headers=CopyObjectHeader(**condition))
        equal(sdk.read("b"), b"content", f"what was read after {condition}")


@check()
def conditions_that_do_not_hold_refuse_it(sdk: Bench) -> None:
    source(sdk)
    for condition in (
        {"if_match": bare_md5(b"other")},
        {"if_none_match": bare_md5(b"content")},
        {"if_unmodified_since": PAST},
    ):
        copied(sdk, 412, "PreconditionFailed", headers=CopyObjectHeader(**condition))
    equal(sdk.keys(), ["a"], "keys")


@check()
def a_source_that_is_not_there_is_not_found(sdk: Bench) -> None:
    copied(sdk, 404, "NoSuchKey")
    answer = sdk.client.copyObject(f"{sdk.bucket}-not", "a", sdk.bucket, "b")
    sdk.status(answer, 404, "NoSuchBucket")
    equal(sdk.keys(), [], "keys")


@check()
def odd_keys_are_copied(sdk: Bench) -> None:
    for number, key in enumerate(
        ("with space", "a+b", "a%2Fb", "what?versionId=1", "#hash", "größe/日本", "two//slashes")
    ):
        data = pattern(100, seed=number)
        sdk.put(f"{key}.from", data)
        answer = sdk.client.copyObject(sdk.bucket, f"{key}.from", sdk.bucket, f"{key}.to")
        if "?versionId=" in key:  # the SDK takes it for a version: whatever the answer, no other object is copied
            equal(answer.status >= 400, True, "a copy of a version that is not there fails")
            continue
        sdk.status(answer, 200)
        equal(sdk.read(f"{key}.to"), data, f"copy of {key!r}")
