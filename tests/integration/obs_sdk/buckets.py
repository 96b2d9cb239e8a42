"""Buckets: made, found, listed, located, removed."""

from __future__ import annotations

from obs import CreateBucketHeader

from tests.integration.obs_sdk.bench import Bench, check, client, headers
from tests.integration.sdk_checks import equal


@check()
def a_bucket_that_was_made_is_there(sdk: Bench) -> None:
    sdk.status(sdk.client.headBucket(sdk.bucket), 200)


@check()
def a_bucket_that_was_not_made_is_not_there(sdk: Bench) -> None:
    answer = sdk.client.headBucket(f"{sdk.bucket}-not")
    equal(answer.status, 404, "status of headBucket")


@check()
def buckets_are_listed_with_their_owner_and_date(sdk: Bench) -> None:
    body = sdk.status(sdk.client.listBuckets(isQueryLocation=True), 200)
    mine = [bucket for bucket in body.buckets if bucket.name == sdk.bucket]
    equal(len(mine), 1, f"entries for {sdk.bucket}")
    equal(bool(body.owner.owner_id), True, "an owner's id")
    equal(len(mine[0].create_date), len("2026/01/31 12:00:00"), "length of the date that the SDK read")


@check()
def a_bucket_says_where_it_is(sdk: Bench) -> None:
    location = sdk.status(sdk.client.getBucketLocation(sdk.bucket), 200).location
    equal(bool(location), True, "a location")
    equal(sdk.status(sdk.client.getBucketMetadata(sdk.bucket), 200).location, location, "location in headBucket")
    equal(sdk.status(sdk.client.listObjects(sdk.bucket), 200).location, location, "location in listObjects")


@check()
def listed_buckets_say_where_they_are_when_asked(sdk: Bench) -> None:
    location = sdk.status(sdk.client.getBucketLocation(sdk.bucket), 200).location
    listed = sdk.status(sdk.client.listBuckets(isQueryLocation=True), 200).buckets
    equal({bucket.name: bucket.location for bucket in listed}[sdk.bucket], location, "location in listBuckets")


@check()
def a_bucket_can_be_made_with_a_storage_class_and_an_acl(sdk: Bench) -> None:
    name = f"{sdk.bucket}-x"
    header = CreateBucketHeader(aclControl="private", storageClass="STANDARD")
    sdk.status(sdk.client.createBucket(name, header=header), 200)
    sdk.status(sdk.client.headBucket(name), 200)


@check()
def one_s_own_bucket_can_be_made_again(sdk: Bench) -> None:
    """OBS says nothing to its owner in the same region; what is inside stays."""
    sdk.put("kept", b"still here")
    sdk.status(sdk.client.createBucket(sdk.bucket), 200)
    equal(sdk.read("kept"), b"still here", "what was in it")


@check()
def an_empty_bucket_can_be_removed(sdk: Bench) -> None:
    sdk.status(sdk.client.deleteBucket(sdk.bucket), 204)
    # A client that has negotiated for this bucket keeps the result; a new one finds it gone like this one does.
    equal(sdk.client.headBucket(sdk.bucket).status, 404, "status of headBucket afterwards")
    equal(client(sdk.setting).headBucket(sdk.bucket).status, 404, "status for another client")


@check()
def a_bucket_with_an_object_cannot_be_removed(sdk: Bench) -> None:
    sdk.put("a", b"a")
    sdk.status(sdk.client.deleteBucket(sdk.bucket), 409, "BucketNotEmpty")
    equal(sdk.read("a"), b"a", "the object")


@check()
def a_bucket_that_is_not_there_cannot_be_removed_or_listed(sdk: Bench) -> None:
    sdk.status(sdk.client.deleteBucket(sdk.bucket), 204)
    sdk.status(sdk.client.deleteBucket(sdk.bucket), 404, "NoSuchBucket")
    sdk.status(sdk.client.listObjects(sdk.bucket), 404, "NoSuchBucket")
    sdk.status(sdk.client.putContent(sdk.bucket, "a", content=b"a"), 404, "NoSuchBucket")
    sdk.status(sdk.client.getObject(sdk.bucket, "a", loadStreamInMemory=True), 404, "NoSuchBucket")


@check()
def a_name_that_no_bucket_may_have_is_refused(sdk: Bench) -> None:
    answer = sdk.client.createBucket("ab")
    equal((answer.status, answer.errorCode), (400, "InvalidBucketName"), "answer to a name of two letters")


@check()
def every_answer_has_a_request_id(sdk: Bench) -> None:
    answers = [sdk.client.headBucket(sdk.bucket), sdk.client.listObjects(sdk.bucket), sdk.client.listBuckets()]
    ids = {headers(answer).get("request-id") for answer in answers}
    equal(len(ids - {None, ""}), 3, "request ids, all different")
    equal({answer.requestId for answer in answers}, ids, "ids as the SDK's own field")
