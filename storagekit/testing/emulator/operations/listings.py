"""Listings of objects, uploads and parts."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from storagekit.driver import Driver
from storagekit.testing.emulator import xml
from storagekit.testing.emulator.answer import Answer
from storagekit.testing.emulator.operations.documents import coded, iso, owner_node, xml_answer
from storagekit.testing.emulator.operations.labels import STANDARD, labels_of, object_type
from storagekit.testing.emulator.operations.store import Call, Store
from storagekit.testing.emulator.refusal import Refusal
from storagekit.types import ObjectInfo, ObjectPage, Part, PendingUpload, Upload

PAGE = 1000
_LAST = "\U0010ffff"  # sorts behind whatever a key may go on with


def number_in(call: Call, name: str, default: int, most: int) -> int:
    """Return a number of the query, at most ``most``. Raises Refusal where it is none."""
    text = call.request.param(name)
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 10):
        raise Refusal("InvalidArgument", f"{name} has to be a number.", ArgumentName=name, ArgumentValue=text)
    least = 1 if name.startswith("max-") else 0  # a size of pages, or a number to begin behind
    if not least <= int(text) <= most and call.dialect.strict_pages:
        raise Refusal("InvalidArgument", f"{name} is {least} to {most:,}.", ArgumentName=name, ArgumentValue=text)
    return min(int(text), most)


@dataclass(frozen=True)
class _Query:
    prefix: str
    delimiter: str
    encoding: str

    @classmethod
    def of(cls, call: Call) -> _Query:
        encoding = call.request.param("encoding-type") or ""
        if encoding not in ("", "url"):
            raise Refusal("InvalidArgument", "encoding-type has to be url.", ArgumentName="encoding-type")
        return cls(call.request.param("prefix") or "", call.request.param("delimiter") or "", encoding)

    def shown(self, *pairs: tuple[str, str]) -> list[xml.Node]:
        """Return elements with keys in them."""
        return [(name, coded(text, self.encoding)) for name, text in pairs]

    def tail(self) -> list[xml.Node]:
        delimiter = self.shown(("Delimiter", self.delimiter)) if self.delimiter else []
        return [*delimiter, *([("EncodingType", self.encoding)] if self.encoding else [])]

    def folded(self, key: str) -> str | None:
        """Return the common prefix that stands for a key, or None where it stands for itself."""
        cut = key.find(self.delimiter, len(self.prefix)) if self.delimiter else -1
        return key[: cut + len(self.delimiter)] if cut >= 0 else None


def list_objects(store: Store, call: Call) -> Answer:
    """Answer with a page of objects; ``list-type=2`` asks for Amazon's second form."""
    store.require(call.bucket, call.owner)
    query, limit = _Query.of(call), number_in(call, "max-keys", call.dialect.page, PAGE)
    second = call.request.param("list-type") == "2"
    marker = _marker_2(call) if second else call.request.param("marker") or ""
    page = _page(store.driver, call.bucket, query, marker, limit)
    last = max([*(info.key for info in page.objects[-1:]), *page.prefixes[-1:]], default="")
    rows: list[xml.Node] = [("Name", call.bucket), *query.shown(("Prefix", query.prefix))]
    if second:
        rows += _rows_2(call, query, page, last)
    else:
        rows += query.shown(("Marker", marker), *([("NextMarker", last)] if page.token is not None else []))
    rows += [("MaxKeys", str(limit)), ("IsTruncated", str(page.token is not None).lower()), *query.tail()]
    rows += [_content(call, query, info) for info in page.objects]
    rows += [("CommonPrefixes", query.shown(("Prefix", prefix))) for prefix in page.prefixes]
    location = call.dialect.header("bucket-region" if call.dialect.owner_names else "bucket-location")
    return xml_answer(call, ("ListBucketResult", rows), {location: store.location_of(call.bucket)})


def _page(driver: Driver, bucket: str, query: _Query, marker: str, limit: int) -> ObjectPage:
    if not limit:
        return ObjectPage(())
    if marker and query.folded(marker) == marker:  # a common prefix: what it stands for was listed with it
        marker += _LAST
    return driver.list(bucket, query.prefix, query.delimiter, marker, limit=limit)


def _marker_2(call: Call) -> str:
    """Return where the second form goes on: its token is the last name of the page before."""
    token = call.request.param("continuation-token")
    if not token:
        return call.request.param("start-after") or ""
    try:
        return base64.urlsafe_b64decode(token).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise Refusal("InvalidArgument", "The continuation token provided is incorrect") from None


def _rows_2(call: Call, query: _Query, page: ObjectPage, last: str) -> list[xml.Node]:
    rows: list[xml.Node] = [("KeyCount", str(len(page.objects) + len(page.prefixes)))]
    rows += query.shown(*([("StartAfter", after)] if (after := call.request.param("start-after")) else []))
    if token := call.request.param("continuation-token"):
        rows.append(("ContinuationToken", token))
    if page.token is not None:
        rows.append(("NextContinuationToken", base64.urlsafe_b64encode(last.encode()).decode()))
    return rows


def _content(call: Call, query: _Query, info: ObjectInfo) -> xml.Node:
    labels, dialect = labels_of(info), call.dialect
    rows: list[xml.Node] = [*query.shown(("Key", info.key)), ("LastModified", iso(call, info.modified))]
    rows += [("ETag", dialect.etag(info.etag)), *([("Type", object_type(labels))] if dialect.full else [])]
    rows += [("Size", str(info.size)), ("StorageClass", dialect.storage_class(labels.storage_class))]
    asked = call.request.param("list-type") != "2" or call.request.param("fetch-owner") == "true"
    return "Contents", [*rows, owner_node(call)] if asked or not dialect.full else rows


def all_uploads(driver: Driver, bucket: str, prefix: str = "") -> Iterator[PendingUpload]:
    """Yield the unfinished uploads of a bucket."""
    token = None
    while True:
        page = driver.list_uploads(bucket, prefix, token)
        yield from page.uploads
        token = page.token
        if token is None:
            return


def all_parts(driver: Driver, upload: Upload) -> Iterator[Part]:
    """Yield the parts of an upload, ascending."""
    token = None
    while True:
        page = driver.list_parts(upload, token)
        yield from page.parts
        token = page.token
        if token is None:
            return


def list_uploads(store: Store, call: Call) -> Answer:
    """Answer with a page of unfinished uploads, by key and then by id."""
    store.require(call.bucket, call.owner)
    query, limit = _Query.of(call), number_in(call, "max-uploads", PAGE, PAGE)
    key_marker = call.request.param("key-marker") or ""
    id_marker = (call.request.param("upload-id-marker") or "") if key_marker else ""
    found = sorted(all_uploads(store.driver, call.bucket, query.prefix), key=lambda one: (one.key, one.id))
    rest = [one for one in found if _is_behind(query, one, key_marker, id_marker)]
    taken, more = _taken(query, rest, limit)
    rows: list[xml.Node] = [("Bucket", call.bucket), *query.shown(("KeyMarker", key_marker))]
    rows += [("UploadIdMarker", id_marker), *query.shown(("Prefix", query.prefix)), *query.tail()]
    rows += [("MaxUploads", str(limit)), ("IsTruncated", str(more).lower())]
    rows += _next_upload(query, taken[-1] if more and taken else "", shown=more or call.dialect.full)
    rows += [_upload(call, query, one) for one in taken if not isinstance(one, str)]
    rows += [("CommonPrefixes", query.shown(("Prefix", one))) for one in taken if isinstance(one, str)]
    return xml_answer(call, ("ListMultipartUploadsResult", rows))


def _next_upload(query: _Query, last: PendingUpload | str, *, shown: bool) -> list[xml.Node]:
    key, identity = (last, "") if isinstance(last, str) else (last.key, last.id)
    return [*query.shown(("NextKeyMarker", key)), ("NextUploadIdMarker", identity)] if shown else []


def _is_behind(query: _Query, one: PendingUpload, key_marker: str, id_marker: str) -> bool:
    if key_marker and query.folded(key_marker) == key_marker and one.key.startswith(key_marker):
        return False
    return one.key > key_marker or (one.key == key_marker and bool(id_marker) and one.id > id_marker)


def _taken(query: _Query, rest: Sequence[PendingUpload], limit: int) -> tuple[list[PendingUpload | str], bool]:
    """Return uploads and common prefixes of one page, in order, and whether there are more."""
    taken: list[PendingUpload | str] = []
    for one in rest:
        row = query.folded(one.key) or one
        if taken and row == taken[-1]:
            continue
        if len(taken) == limit:
            return taken, bool(limit)
        taken.append(row)
    return taken, False


def _upload(call: Call, query: _Query, one: PendingUpload) -> xml.Node:
    owners: list[xml.Node] = [owner_node(call, "Initiator"), owner_node(call)]
    rows: list[xml.Node] = [*query.shown(("Key", one.key)), ("UploadId", one.id), *owners]
    return "Upload", [*rows, ("StorageClass", _standard(call)), ("Initiated", iso(call, one.initiated))]


def _standard(call: Call) -> str:
    return call.dialect.storage_class(STANDARD)


def list_parts(store: Store, call: Call) -> Answer:
    """Answer with a page of the parts of one upload."""
    store.require(call.bucket, call.owner)
    query, upload = _Query.of(call), Upload(call.bucket, call.key, call.request.param("uploadId") or "")
    limit = number_in(call, "max-parts", PAGE, PAGE)
    marker = number_in(call, "part-number-marker", 0, 1 << 31)
    parts = [part for part in all_parts(store.driver, upload) if part.number > marker]
    page = parts[:limit]
    more = bool(limit) and len(parts) > limit
    rows: list[xml.Node] = [("Bucket", call.bucket), *query.shown(("Key", call.key)), ("UploadId", upload.id)]
    rows += [*query.tail(), owner_node(call, "Initiator"), owner_node(call), ("StorageClass", _standard(call))]
    rows += [("PartNumberMarker", str(marker)), ("MaxParts", str(limit)), ("IsTruncated", str(more).lower())]
    if page or call.dialect.full:
        rows.append(("NextPartNumberMarker", str(page[-1].number if page else marker)))
    rows += [("Part", _part(call, part)) for part in page]
    return xml_answer(call, ("ListPartsResult", rows))


def _part(call: Call, part: Part) -> list[xml.Node]:
    rows: list[xml.Node] = [("PartNumber", str(part.number)), ("LastModified", iso(call, part.modified))]
    crc = part_crc(part) if call.dialect.full else None
    hashed = [("HashCrc64ecma", str(crc))] if crc is not None else []
    return [*rows, ("ETag", call.dialect.etag(part.etag)), *hashed, ("Size", str(part.size))]


def part_crc(part: Part) -> int | None:
    """Return the CRC-64 of a part, where the driver knows it."""
    known = part.checksum
    return int(known.value, 16) if known is not None and known.algorithm == "crc64" else None
