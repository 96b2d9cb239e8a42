"""OSS's own operations on buckets, and what it says of an object in short."""

from __future__ import annotations

from dataclasses import replace

from storagekit.testing.emulator import xml
from storagekit.testing.emulator.answer import Answer
from storagekit.testing.emulator.ledger import BUCKET
from storagekit.testing.emulator.operations.buckets import created, delete_bucket, make_bucket, own_buckets
from storagekit.testing.emulator.operations.documents import owner_node, xml_answer
from storagekit.testing.emulator.operations.listings import PAGE, number_in
from storagekit.testing.emulator.operations.objects import get_object
from storagekit.testing.emulator.operations.store import Call, Store
from storagekit.testing.emulator.refusal import Refusal

_META = ("ETag", "Last-Modified", "x-oss-hash-crc64ecma")
_REDUNDANCY = "LRS"
_STANDARD = "Standard"


def list_buckets(store: Store, call: Call) -> Answer:
    """Answer with a page of the caller's buckets."""
    prefix, marker = call.request.param("prefix") or "", call.request.param("marker") or ""
    limit = number_in(call, "max-keys", call.dialect.page, PAGE)
    found = sorted(own_buckets(store, call))
    rest = [(name, made) for name, made in found if name.startswith(prefix) and name > marker]
    page, more = rest[:limit], len(rest) > limit
    rows: list[xml.Node] = [("Prefix", prefix), ("Marker", marker), ("MaxKeys", str(limit))]
    rows += [("IsTruncated", str(more).lower()), ("NextMarker", page[-1][0] if more and page else "")]
    buckets: list[xml.Node] = [("Bucket", _facts(store, call, name)) for name, _ in page]
    return xml_answer(call, ("ListAllMyBucketsResult", [*rows, owner_node(call), ("Buckets", buckets)]))


def _facts(store: Store, call: Call, bucket: str) -> list[xml.Node]:
    location = store.location_of(bucket)
    return [
        ("Name", bucket),
        ("CreationDate", created(store, call, bucket)),
        ("Location", location),
        ("Region", location.removeprefix("oss-")),
        ("ExtranetEndpoint", store.domain),
        ("IntranetEndpoint", store.domain),
        ("StorageClass", store.ledger.get(f"bucket/{bucket}").get("storage_class", _STANDARD)),
    ]


def create_bucket(store: Store, call: Call) -> Answer:
    """Make a bucket; one that the caller has already is there, which is success, and stays as it is."""
    data = call.body.whole()
    config = xml.parse(data, "CreateBucketConfiguration") if data else None
    storage_class = (config.findtext("StorageClass") if config is not None else None) or _STANDARD
    exists = store.driver.bucket_exists(call.bucket)
    if call.bucket == BUCKET or (exists and store.owner_of(call.bucket) != call.owner):
        raise Refusal("BucketAlreadyExists", "The requested bucket name is not available.", BucketName=call.bucket)
    if not exists:
        make_bucket(store, call, store.region, storage_class=storage_class)
    return Answer(200, {"Location": f"/{call.bucket}"})


def remove_bucket(store: Store, call: Call) -> Answer:
    """Delete a bucket that has neither objects nor uploads."""
    store.require(call.bucket, call.owner)
    if store.driver.list_uploads(call.bucket, limit=1).uploads:
        raise Refusal("BucketNotEmpty", "The bucket has parts of uploads that go on.", BucketName=call.bucket)
    return delete_bucket(store, call)


def head_bucket(store: Store, call: Call) -> Answer:
    """Say that the bucket is there, and where."""
    store.require(call.bucket, call.owner)
    return Answer(200, {"x-oss-bucket-region": store.location_of(call.bucket).removeprefix("oss-")})


def get_info(store: Store, call: Call) -> Answer:
    """Say what the bucket is."""
    store.require(call.bucket, call.owner)
    rows = [*_facts(store, call, call.bucket), owner_node(call), ("AccessControlList", [("Grant", _grant(call))])]
    rows += [("DataRedundancyType", _REDUNDANCY), ("ServerSideEncryptionRule", [("SSEAlgorithm", "None")])]
    return xml_answer(call, ("BucketInfo", [("Bucket", rows)]))


def get_acl(store: Store, call: Call) -> Answer:
    """Say who may read the bucket."""
    store.require(call.bucket, call.owner)
    granted: xml.Node = ("AccessControlList", [("Grant", _grant(call))])
    return xml_answer(call, ("AccessControlPolicy", [owner_node(call), granted]))


def _grant(call: Call) -> str:
    return "public-read" if call.public else "private"


def get_location(store: Store, call: Call) -> Answer:
    """Say where the bucket is."""
    store.require(call.bucket, call.owner)
    return xml_answer(call, ("LocationConstraint", store.location_of(call.bucket)))


def object_meta(store: Store, call: Call) -> Answer:
    """Say of an object how large it is, and of what time (GetObjectMeta)."""
    answer = get_object(store, call)
    return replace(answer, headers={name: value for name, value in answer.headers.items() if name in _META})
