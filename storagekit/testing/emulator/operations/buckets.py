"""What services do alike with buckets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timezone

from storagekit.testing.emulator.answer import Answer
from storagekit.testing.emulator.ledger import BUCKET
from storagekit.testing.emulator.operations.documents import iso
from storagekit.testing.emulator.operations.store import Call, Store


def own_buckets(store: Store, call: Call) -> Iterator[tuple[str, str]]:
    """Yield the names of the caller's buckets, and when each was made."""
    for name in store.driver.list_buckets():
        if name != BUCKET and store.owner_of(name) == call.owner:
            yield name, created(store, call, name)


def created(store: Store, call: Call, bucket: str) -> str:
    """Return when a bucket was made."""
    facts: Mapping[str, str] = store.ledger.get(f"bucket/{bucket}")
    return facts.get("created", iso(call, None))


def make_bucket(store: Store, call: Call, location: str, **more: str) -> None:
    """Make a bucket, and note whose it is and what ``more`` there is to know."""
    store.driver.create_bucket(call.bucket)
    now = iso(call, datetime.fromtimestamp(store.clock(), timezone.utc))
    store.ledger.put(f"bucket/{call.bucket}", {"owner": call.owner, "location": location, "created": now, **more})


def delete_bucket(store: Store, call: Call) -> Answer:
    """Delete an empty bucket."""
    store.require(call.bucket, call.owner)
    store.driver.delete_bucket(call.bucket)
    store.ledger.drop(f"bucket/{call.bucket}")
    return Answer(204)
