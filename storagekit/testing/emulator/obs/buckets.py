"""Operations on buckets."""

from __future__ import annotations

from datetime import datetime, timezone

from storagekit.testing.emulator import xml
from storagekit.testing.emulator.answer import Answer
from storagekit.testing.emulator.ledger import BUCKET
from storagekit.testing.emulator.obs.dialect import OBS
from storagekit.testing.emulator.obs.store import Call, Store
from storagekit.testing.emulator.refusal import Refusal


def xml_answer(call: Call, node: xml.Node, headers: dict[str, str] | None = None) -> Answer:
    """Return a 200 with a document."""
    return Answer(200, {"Content-Type": "application/xml", **(headers or {})}, xml.render(node, call.dialect.namespace))


def iso(when: datetime | None) -> str:
    """Return a time as listings have it."""
    moment = when or datetime.fromtimestamp(0, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def owner_node(call: Call, name: str = "Owner") -> xml.Node:
    """Return who owns; Amazon's dialect has a name besides the id."""
    shown: list[xml.Node] = [("ID", call.owner)]
    return name, shown if call.dialect is OBS else [*shown, ("DisplayName", call.owner)]


def list_buckets(store: Store, call: Call) -> Answer:
    """Answer with the caller's buckets."""
    rows: list[xml.Node] = []
    for name in store.driver.list_buckets():
        if name == BUCKET or store.owner_of(name) != call.owner:
            continue
        facts = store.ledger.get(f"bucket/{name}")
        row: list[xml.Node] = [("Name", name), ("CreationDate", facts.get("created", iso(None)))]
        if call.request.header(call.dialect.header("location")) == "true":
            row.append(("Location", store.location_of(name)))
        if call.dialect is OBS:
            row.append(("BucketType", "OBJECT"))
        rows.append(("Bucket", row))
    return xml_answer(call, ("ListAllMyBucketsResult", [owner_node(call), ("Buckets", rows)]))


def create_bucket(store: Store, call: Call) -> Answer:
    """Make a bucket. One's own in the same region is there already, which is success ("Creating a Bucket")."""
    location = _location_in(call.body.whole(), store.region)
    if call.bucket == BUCKET or store.driver.bucket_exists(call.bucket):
        if (store.owner_of(call.bucket), store.location_of(call.bucket)) == (call.owner, location):
            return Answer(200, {"Location": f"/{call.bucket}"})
        raise Refusal("BucketAlreadyExists", "The requested bucket name is not available.", BucketName=call.bucket)
    store.driver.create_bucket(call.bucket)
    created = iso(datetime.fromtimestamp(store.clock(), timezone.utc))
    facts = {"owner": call.owner, "location": location, "created": created}
    store.ledger.put(f"bucket/{call.bucket}", facts)
    return Answer(200, {"Location": f"/{call.bucket}"})


def _location_in(data: bytes, default: str) -> str:
    if not data:
        return default
    root = xml.parse(data, "CreateBucketConfiguration")
    name = "Location" if root.find("Location") is not None else "LocationConstraint"
    return xml.text_of(root, name)


def delete_bucket(store: Store, call: Call) -> Answer:
    """Delete an empty bucket."""
    store.require(call.bucket, call.owner)
    store.driver.delete_bucket(call.bucket)
    store.ledger.drop(f"bucket/{call.bucket}")
    return Answer(204)


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
