"""What the service's answers say, as values of ours.

A success is not believed on its status: a document may hold an error that came up after the 200 was sent, a write
without an etag has no receipt, a listing that is cut without saying where it goes on is no listing. Each is raised.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from hashlib import md5
from xml.etree import ElementTree as ET

from urllib3.response import BaseHTTPResponse

from storagekit.driver import Code, DriverError, Failure
from storagekit.types import DeleteFailure, ObjectInfo, ObjectPage, Part, PartPage, PendingUpload, PutResult, UploadPage
from storagekit_minio import _xml
from storagekit_minio._failures import of_code
from storagekit_minio._headers import CRC32C, META

_OF_STORED = "the etag of what it stored"


def info(key: str, headers: Mapping[str, str]) -> ObjectInfo:
    """Return what a HEAD says of an object."""
    if "Content-Length" not in headers:  # a proxy that compresses leaves it out
        raise _no_success("how large the object is", Code.UNSUPPORTED)
    return ObjectInfo(
        key=key,
        size=int(headers["Content-Length"]),
        etag=etag_of_object(headers),
        modified=parsedate_to_datetime(headers["Last-Modified"]) if "Last-Modified" in headers else None,
        content_type=headers.get("Content-Type"),
        metadata={
            name.lower().removeprefix(META): value for name, value in headers.items() if name.lower().startswith(META)
        },
        version=headers.get("x-amz-version-id"),
        storage_class=_unusual(headers.get("x-amz-storage-class")),
    )


def _unusual(storage_class: str | None) -> str | None:
    """Listings name the usual class, and HEAD does not: both are None."""
    return None if storage_class == "STANDARD" else storage_class


def plain_etag(headers: Mapping[str, str]) -> str:
    """Return the etag without quotes; empty where there is none."""
    return headers.get("ETag", "").removeprefix("W/").strip('"')


def etag_of_object(headers: Mapping[str, str]) -> str:
    """Return the etag of a HEAD or GET, which every object has: without it no two answers can be told apart."""
    return _some(plain_etag(headers), "which etag the object has")


def stored(response: BaseHTTPResponse) -> PutResult:
    """Return the receipt of a PUT of bytes: its etag, version and checksum are headers."""
    headers = response.headers
    return PutResult(
        _some(plain_etag(headers), _OF_STORED), headers.get("x-amz-version-id"), _xml.crc32c(headers.get(CRC32C))
    )


def made(response: BaseHTTPResponse) -> PutResult:
    """Return the receipt of a copy or a complete: its etag, and the checksum of the whole, are in the document."""
    root = _document(response)
    whole = _xml.crc32c(_xml.text(root, "ChecksumCRC32C"))
    return PutResult(_some(_xml.etag(root), _OF_STORED), response.headers.get("x-amz-version-id"), whole)


def copied_part(response: BaseHTTPResponse) -> PutResult:
    """Return the receipt of a part that was copied.

    A service that knows no such copies (rclone) takes it for a part without bytes, and answers as for one: no document.
    """
    if not response.data and response.headers.get("ETag"):
        raise DriverError(Failure(Code.UNSUPPORTED, "the service does not copy parts", status=response.status))
    return made(response)


def completed(response: BaseHTTPResponse, parts: Sequence[Part]) -> PutResult:
    """Return the receipt of a complete.

    Ceph names the object in its first answer and leaves the etag empty, which then is the one that S3 defines.
    """
    root = _document(response)
    if _xml.local_name(root) == "CompleteMultipartUploadResult" and _xml.text(root, "Key") and not _xml.etag(root):
        return PutResult(_some(_etag_of(parts), _OF_STORED), response.headers.get("x-amz-version-id"))
    return made(response)


def _etag_of(parts: Sequence[Part]) -> str | None:
    """The MD5 of the MD5s of the parts, and how many there are; None where their etags are none."""
    try:
        together = b"".join(bytes.fromhex(part.etag) for part in parts)
    except ValueError:
        return None
    return f"{md5(together, usedforsecurity=False).hexdigest()}-{len(parts)}"


def upload_id(response: BaseHTTPResponse) -> str:
    """Return the id of an upload that was begun."""
    found = _xml.text(_document(response), "UploadId")
    if found is None:
        raise _no_success("which upload it began")
    return found


def object_page(response: BaseHTTPResponse) -> ObjectPage:
    """Return a page of ListObjectsV2."""
    root = _document(response, "ListBucketResult")
    return ObjectPage(
        tuple(_object(root, each) for each in _xml.children(root, "Contents")),
        tuple(_xml.key(root, each, "Prefix") for each in _xml.children(root, "CommonPrefixes")),
        _next(root, _xml.text(root, "NextContinuationToken")),
    )


def bucket_names(response: BaseHTTPResponse) -> list[str]:
    """Return the names of the account's buckets."""
    root = _document(response, "ListAllMyBucketsResult")
    listed = [bucket for buckets in _xml.children(root, "Buckets") for bucket in _xml.children(buckets, "Bucket")]
    return [_xml.text(bucket, "Name") or "" for bucket in listed]


def part_page(response: BaseHTTPResponse) -> PartPage:
    """Return a page of parts; its token is the number of the last one. (moto calls it a response.)"""
    root = _document(response, "ListPartsResult", "ListPartsResponse")
    parts = tuple(_part(each) for each in _xml.children(root, "Part"))
    return PartPage(parts, _next(root, _xml.text(root, "NextPartNumberMarker")))


def upload_page(response: BaseHTTPResponse) -> UploadPage:
    """Return a page of unfinished uploads; its token is key and id of where the next one begins.

    That is where the answer says (rclone: at the first that is not on this page); where it does not (MinIO leaves the
    key out, Swift both for a page of one), behind the last upload. So it is where keys are encoded: Swift then leaves
    the marker as it is.
    """
    root = _document(response, "ListMultipartUploadsResult")
    uploads = tuple(_pending(root, each) for each in _xml.children(root, "Upload"))
    if not uploads:
        return UploadPage(uploads, _next(root, None))
    said = _xml.text(root, "EncodingType") is None
    key = (_xml.text(root, "NextKeyMarker") if said else None) or uploads[-1].key
    upload = (_xml.text(root, "NextUploadIdMarker") if said else None) or uploads[-1].id
    return UploadPage(uploads, _next(root, json.dumps([key, upload])))


def delete_failures(response: BaseHTTPResponse) -> list[DeleteFailure]:
    """Return the failures of a multiple delete; what was not there is none."""
    failures = (_delete_failure(each) for each in _xml.children(_document(response, "DeleteResult"), "Error"))
    return [failure for failure in failures if failure.code != Code.NOT_FOUND.value]


def _delete_failure(element: ET.Element) -> DeleteFailure:
    failure = of_code(_xml.text(element, "Code"), _xml.text(element, "Message"), None, None)
    return DeleteFailure(_xml.text(element, "Key") or "", failure.code.value, failure.detail)


def _object(root: ET.Element, element: ET.Element) -> ObjectInfo:
    return ObjectInfo(
        key=_xml.key(root, element, "Key"),
        size=int(_xml.text(element, "Size") or 0),
        etag=_xml.etag(element) or "",
        modified=_xml.time(element, "LastModified"),
        storage_class=_unusual(_xml.text(element, "StorageClass")),
    )


def _pending(root: ET.Element, element: ET.Element) -> PendingUpload:
    return PendingUpload(
        key=_xml.key(root, element, "Key"),
        id=_xml.text(element, "UploadId") or "",
        initiated=_xml.time(element, "Initiated"),
    )


def _part(element: ET.Element) -> Part:
    return Part(
        number=int(_xml.text(element, "PartNumber") or 0),
        size=int(_xml.text(element, "Size") or 0),
        etag=_xml.etag(element) or "",
        checksum=_xml.crc32c(_xml.text(element, "ChecksumCRC32C")),
        modified=_xml.time(element, "LastModified"),
    )


def _document(response: BaseHTTPResponse, *names: str) -> ET.Element:
    """Return the document, whose root has one of these names: a web page must not be taken for an empty listing."""
    root = _xml.parse(response.data)
    found = None if root is None else _xml.local_name(root)
    if root is not None and found != "Error" and (not names or found in names):
        return root
    is_page = response.data.lstrip()[:5].lower() in (b"<html", b"<!doc")
    if names and (is_page or found not in (None, "Error")):
        detail = f"what answers there is no storage service: it sent something else than a {names[0]}"
        raise DriverError(Failure(Code.WRONG_ENDPOINT, detail, status=response.status))
    message = _xml.text(root, "Message") or "the service answered with a success that is none"
    request_id = response.headers.get("x-amz-request-id")
    raise DriverError(of_code(_xml.text(root, "Code"), message, response.status, request_id))


def _next(root: ET.Element, token: str | None) -> str | None:
    if not _xml.flag(root, "IsTruncated"):
        return None
    if not token:
        raise _no_success("where a listing that it cut goes on")
    return token


def _some(etag: str | None, what: str) -> str:
    if not etag:
        raise _no_success(what)
    return etag


def _no_success(what: str, code: Code = Code.SERVER) -> DriverError:
    return DriverError(Failure(code, f"the service answered with a success, but did not say {what}", status=200))
