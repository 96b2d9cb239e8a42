"""Operations on buckets."""

from __future__ import annotations

from storagekit.testing.emulator import xml
from storagekit.testing.emulator.answer import Answer
from storagekit.testing.emulator.ledger import BUCKET
from storagekit.testing.emulator.obs.dialect import OBS
from storagekit.testing.emulator.operations.buckets import make_bucket, own_buckets
from storagekit.testing.emulator.operations.documents import owner_node, xml_answer
from storagekit.testing.emulator.operations.store import Call, Store
from storagekit.testing.emulator.refusal import Refusal


def list_buckets(store: Store, call: Call) -> Answer:
    """Answer with the caller's buckets."""
    rows: list[xml.Node] = []
    for name, made in own_buckets(store, call):
        row: list[xml.Node] = [("Name", name), ("CreationDate", made)]
        if call.request.header(call.dialect.header("location")) == "true":
            row.append(("Location", store.location_of(name)))
        if call.dialect is OBS:
            row.append(("BucketType", "OBJECT"))
        rows.append(("Bucket", row))
    return xml_answer(call, ("ListAllMyBucketsResult", [owner_node(call), ("Buckets", rows)]))


def create_bucket(store: Store, call: Call) -> Answer:
    """Make a bucket. One's own in the same region is there already, which is success ("Creating a Bucket")."""
    location = _location_in(call.body.whole(), store.region)
    exists = store.driver.bucket_exists(call.bucket)
    if call.bucket == BUCKET or (exists and store.owner_of(call.bucket) != call.owner):
        raise Refusal("BucketAlreadyExists", "The requested bucket name is not available.", BucketName=call.bucket)
    if exists and store.location_of(call.bucket) != location:
        raise Refusal("BucketAlreadyOwnedByYou", "You own the bucket, in another region.", BucketName=call.bucket)
    if exists:
        return Answer(200, {"Location": f"/{call.bucket}"})
    make_bucket(store, call, location)
    return Answer(200, {"Location": f"/{call.bucket}"})


def _location_in(data: bytes, default: str) -> str:
    if not data:
        return default
    root = xml.parse(data, "CreateBucketConfiguration")
    name = "Location" if root.find("Location") is not None else "LocationConstraint"
    return xml.text_of(root, name)


def head_bucket(store: Store, call: Call) -> Answer:
    """Say that the bucket is there, and where."""
    store.require(call.bucket, call.owner)
    location = "bucket-location" if call.dialect is OBS else "bucket-region"
    headers = {
        call.dialect.header(location): store.location_of(call.bucket),
        call.dialect.header("storage-class"): "STANDARD",
    }
    return Answer(200, {**headers, **({"x-obs-version": "3.0"} if call.dialect is OBS else {})})


def get_location(store: Store, call: Call) -> Answer:
    """Say where the bucket is."""
    store.require(call.bucket, call.owner)
    place = store.location_of(call.bucket)
    if call.dialect is OBS:
        return xml_answer(call, ("Location", place))
    return xml_answer(call, ("CreateBucketConfiguration", [("LocationConstraint", place)]))
