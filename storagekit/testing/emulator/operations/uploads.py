"""Multipart uploads: initiate, parts, complete, abort.

Where the dialect says so, of two uploads for one key the object of the one that was initiated last stays, whichever is
completed last: OBS's own rule, of completes only ("Completing a Multipart Upload", api-obs obs_04_0102). A complete
that comes too late by it is answered like any other, and publishes nothing.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace

from storagekit.driver import Code
from storagekit.testing.emulator import xml
from storagekit.testing.emulator.answer import Answer
from storagekit.testing.emulator.body import MAX_BODY
from storagekit.testing.emulator.crc64 import joined_crc64
from storagekit.testing.emulator.operations.documents import iso, named, xml_answer
from storagekit.testing.emulator.operations.labels import labels_in, labels_of
from storagekit.testing.emulator.operations.listings import all_parts, part_crc
from storagekit.testing.emulator.operations.objects import check_size, copy_source, crc_header, keeping, made_headers
from storagekit.testing.emulator.operations.store import Call, Store
from storagekit.testing.emulator.refusal import Refusal
from storagekit.types import Part, PutResult, Upload

MAX_PARTS = 10_000

_RANGE = re.compile(r"bytes=([0-9]+)-([0-9]+)", re.ASCII)


def initiate(store: Store, call: Call) -> Answer:
    """Begin an upload. Its labels say from the start which one made the object, for the HEAD of it later on."""
    store.require(call.bucket, call.owner)
    token, begun = secrets.token_hex(16), store.moment()
    labels = replace(labels_in(call.request, call.dialect), token=token, begun=begun)
    upload = store.driver.create_upload(call.bucket, call.key, labels.options(), None)
    store.ledger.put(f"token/{token}", {"upload": upload.id})
    store.ledger.put(f"upload/{upload.id}", {"begun": str(begun), "token": token})
    return xml_answer(call, ("InitiateMultipartUploadResult", named(call, ("UploadId", upload.id))))


def _upload(call: Call) -> Upload:
    return Upload(call.bucket, call.key, call.request.param("uploadId") or "")


def _number(call: Call) -> int:
    text = call.request.param("partNumber") or ""
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or not 1 <= int(text) <= MAX_PARTS:
        raise Refusal("InvalidArgument", f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive.")
    return int(text)


def put_part(store: Store, call: Call) -> Answer:
    """Store one part."""
    store.require(call.bucket, call.owner)
    number = _number(call)
    check_size(call)
    part = store.driver.put_part(_upload(call), number, call.body)
    return Answer(200, {"ETag": call.dialect.etag(part.etag), **crc_header(call.dialect, call.body.crc)})


def copy_part(store: Store, call: Call) -> Answer:
    """Store an object, or a range of it, as a part."""
    store.require(call.bucket, call.owner)
    number = _number(call)
    bucket, key, info = copy_source(store, call)
    start, length = _copy_range(call, info.size)
    if length > MAX_BODY:
        raise Refusal("EntityTooLarge", f"A copy in one request takes {MAX_BODY:,} bytes at most.")
    part = store.driver.copy_part(_upload(call), number, bucket, key, start, length, info.etag)
    etag = call.dialect.etag(part.etag)
    rows: list[xml.Node] = [("LastModified", iso(call, part.modified)), ("ETag", etag)]
    return xml_answer(call, ("CopyPartResult", rows), made_headers(call.dialect, etag, part_crc(part)))


def _copy_range(call: Call, size: int) -> tuple[int, int]:
    text = call.request.header(call.dialect.header("copy-source-range"))
    if text is None:
        return 0, size
    match = _RANGE.fullmatch(text)
    if match is None or not int(match[1]) <= int(match[2]) < size:
        raise Refusal("InvalidArgument", f"The range {text} is not one of the source, which has {size:,} bytes.")
    return int(match[1]), int(match[2]) - int(match[1]) + 1


def complete(store: Store, call: Call) -> Answer:
    """Publish the object made of the parts that the request names."""
    store.require(call.bucket, call.owner)
    announced = call.body.announced
    call.body.expect(replace(announced, crc64=None))  # it is the object's; the request's own is Content-MD5 alone
    data = call.body.whole()
    upload = _upload(call)
    stored = {part.number: part for part in all_parts(store.driver, upload)}
    parts = _chosen(call, _all(stored) if _takes_all(call, data) else _wanted(data), stored, store.min_part)
    crc = _joined(parts)
    if announced.crc64 is not None and crc is not None and announced.crc64 != crc:
        raise Refusal("BadDigest", "The CRC-64 you specified is not that of the parts together.")
    with store.publishing(call.bucket, call.key):
        result = _publish(store, call, upload, parts)
    if crc is not None:
        store.remember_crc(call.bucket, call.key, result.etag, crc)
    elif call.dialect.full:
        crc = _read_back(store, call, result)
    place = f"{store.scheme}://{call.request.header('host')}{call.request.path}"
    etag = call.dialect.etag(result.etag)
    rows: list[xml.Node] = [("Location", place), *named(call, ("ETag", etag))]
    headers = made_headers(call.dialect, etag, crc)
    return xml_answer(call, ("CompleteMultipartUploadResult", rows), headers)


def _read_back(store: Store, call: Call, result: PutResult) -> int | None:
    """Return the CRC-64 of what was made, by its bytes; None where it is another object by now."""
    info = store.driver.head(call.bucket, call.key)
    return store.crc_of(call.bucket, info) if info.etag == result.etag else None


def _takes_all(call: Call, data: bytes) -> bool:
    """Tell whether the client leaves it to the service which parts there are: ``x-oss-complete-all``."""
    asked = call.dialect.full and call.request.header(call.dialect.header("complete-all")) == "yes"
    if asked and data:
        raise Refusal("InvalidArgument", "A complete of all parts lists none of them.")
    return asked


def _all(stored: Mapping[int, Part]) -> list[tuple[int, str | None]]:
    if not stored:
        raise Refusal("InvalidPart", "There is no part.")
    return [(number, None) for number in sorted(stored)]


def _wanted(data: bytes) -> list[tuple[int, str | None]]:
    root = xml.parse(data, "CompleteMultipartUpload")
    pairs = [(xml.text_of(node, "PartNumber"), xml.text_of(node, "ETag")) for node in root.findall("Part")]
    if not pairs or len(pairs) > MAX_PARTS or not all(re.fullmatch(r"[0-9]{1,9}", number) for number, _ in pairs):
        raise Refusal("MalformedXML", f"A complete names 1 to {MAX_PARTS:,} parts, each with its number and ETag.")
    return [(int(number), etag) for number, etag in pairs]


def _chosen(
    call: Call, wanted: Sequence[tuple[int, str | None]], stored: Mapping[int, Part], min_part: int
) -> list[Part]:
    """Return the parts that are wanted, each of them proven to be stored, ascending and large enough."""
    numbers = [number for number, _ in wanted]
    if numbers != sorted(set(numbers)):
        raise Refusal("InvalidPartOrder", "The list of parts was not in ascending order.")
    for number, etag in wanted:
        if number not in stored or not (etag is None or call.dialect.is_etag(etag, stored[number].etag)):
            raise Refusal(
                "InvalidPart",
                "One or more of the specified parts could not be found. The part may not have been uploaded, "
                "or its entity tag may not match the part's entity tag.",
                PartNumber=str(number),
            )
    parts = [stored[number] for number in numbers]
    for part in parts[:-1]:
        if part.size < min_part:
            raise Refusal("EntityTooSmall", f"Part {part.number} has {part.size:,} bytes, fewer than {min_part:,}.")
    return parts


def _joined(parts: Sequence[Part]) -> int | None:
    """Return the CRC-64 of the parts together; None where the driver does not know those of the parts."""
    pieces = [(part.size, crc) for part in parts if (crc := part_crc(part)) is not None]
    return joined_crc64(pieces) if len(pieces) == len(parts) else None


def _publish(store: Store, call: Call, upload: Upload, parts: Sequence[Part]) -> PutResult:
    """Make the object, unless by OBS's rule the one that is there is of an upload that was initiated later."""
    begun = int(store.ledger.get(f"upload/{upload.id}").get("begun", "0"))
    if not call.dialect.from_initiation or _begun_of_object(store, call) <= begun:
        with keeping(store, call) as if_absent:
            options = replace(upload.options, if_absent=if_absent)
            result = store.driver.complete_upload(replace(upload, options=options), parts)
        store.ledger.drop(f"upload/{upload.id}")  # the object's labels know by now
        return result
    store.driver.abort_upload(upload)
    _forget(store, upload)
    digests = hashlib.md5("".join(part.etag for part in parts).encode(), usedforsecurity=False)
    return PutResult(f"{digests.hexdigest()}-{len(parts)}")


def _begun_of_object(store: Store, call: Call) -> int:
    try:
        return labels_of(store.driver.head(call.bucket, call.key)).begun
    except Exception as error:
        if store.driver.classify(error).code is Code.NOT_FOUND:
            return 0
        raise


def abort(store: Store, call: Call) -> Answer:
    """Drop an upload and its parts. Raises NoSuchUpload where it is unknown, which a driver forgives."""
    store.require(call.bucket, call.owner)
    upload = _upload(call)
    store.driver.list_parts(upload, limit=1)
    store.driver.abort_upload(upload)
    _forget(store, upload)
    return Answer(204)


def _forget(store: Store, upload: Upload) -> None:
    token = store.ledger.get(f"upload/{upload.id}").get("token", "")
    store.ledger.drop(f"token/{token}")
    store.ledger.drop(f"upload/{upload.id}")
