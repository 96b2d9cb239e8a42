"""What the answers of S3's relatives say, as values of ours.

A success is not believed on its status: a document may hold an error that came up after the 200 was sent, a write
without an etag has no receipt, a listing that is cut without saying where it goes on is no listing. Each is raised.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from xml.etree import ElementTree as ET

from urllib3.response import BaseHTTPResponse

from storagekit.driver import Code, DriverError, Failure
from storagekit.transport import xml
from storagekit.transport.codes import S3_CODES, of_code
from storagekit.transport.dialect import Dialect
from storagekit.types import DeleteFailure, ObjectInfo, ObjectPage, Part, PartPage, PendingUpload, PutResult, UploadPage


def plain_etag(headers: Mapping[str, str]) -> str:
    """Return the etag without quotes; empty where there is none."""
    return headers.get("ETag", "").removeprefix("W/").strip('"')


def etag_of_object(headers: Mapping[str, str]) -> str:
    """Return the etag of a HEAD or GET, which every object has: without it no two answers can be told apart."""
    return some(plain_etag(headers), "which etag the object has")


def some(etag: str | None, what: str = "the etag of what it stored") -> str:
    """Return the etag, which has to be there. Raises DriverError."""
    if not etag:
        raise no_success(what)
    return etag


def no_success(what: str, code: Code = Code.SERVER) -> DriverError:
    """Return the error for a success that leaves out what makes it one."""
    return DriverError(Failure(code, f"the service answered with a success, but did not say {what}", status=200))


class Answers:
    """Reads the answers of one dialect; ``codes`` are what its errors are called."""

    def __init__(self, dialect: Dialect, codes: Mapping[str, Code] = S3_CODES) -> None:
        self._dialect = dialect
        self._codes = codes

    def info(self, key: str, headers: Mapping[str, str]) -> ObjectInfo:
        """Return what a HEAD says of an object."""
        if "Content-Length" not in headers:  # a proxy that compresses leaves it out
            raise no_success("how large the object is", Code.UNSUPPORTED)
        meta = self._dialect.meta
        return ObjectInfo(
            key=key,
            size=int(headers["Content-Length"]),
            etag=etag_of_object(headers),
            modified=parsedate_to_datetime(headers["Last-Modified"]) if "Last-Modified" in headers else None,
            content_type=headers.get("Content-Type"),
            metadata={
                name.lower().removeprefix(meta): value
                for name, value in headers.items()
                if name.lower().startswith(meta)
            },
            version=self._version(headers),
            storage_class=_unusual(headers.get(f"{self._dialect.prefix}storage-class")),
        )

    def stored(self, response: BaseHTTPResponse) -> PutResult:
        """Return the receipt of a PUT of bytes: its etag, version and checksum are headers."""
        return self._receipt(some(plain_etag(response.headers)), response.headers)

    def made(self, response: BaseHTTPResponse) -> PutResult:
        """Return the receipt of a copy or a complete: etag and checksum of the whole are in the document or headers."""
        root = self.document(response)
        said = xml.text(root, self._dialect.checksum.element) if self._dialect.checksum.element else None
        return self._receipt(some(xml.etag(root) or plain_etag(response.headers)), response.headers, said)

    def _receipt(self, etag: str, headers: Mapping[str, str], said: str | None = None) -> PutResult:
        written = self._dialect.checksum
        return PutResult(etag, self._version(headers), written.read(said or headers.get(written.header)))

    def _version(self, headers: Mapping[str, str]) -> str | None:
        return headers.get(f"{self._dialect.prefix}version-id")

    def copied_part(self, response: BaseHTTPResponse) -> PutResult:
        """Return the receipt of a part that was copied."""
        return self.made(response)

    def completed(self, response: BaseHTTPResponse, parts: Sequence[Part]) -> PutResult:
        """Return the receipt of a complete of these parts."""
        return self.made(response)

    def upload_id(self, response: BaseHTTPResponse) -> str:
        """Return the id of an upload that was begun."""
        found = xml.text(self.document(response), "UploadId")
        if found is None:
            raise no_success("which upload it began")
        return found

    def object_page(self, response: BaseHTTPResponse) -> ObjectPage:
        """Return a page of objects: of ListObjectsV2, or V1, whose token is the key that it ended with."""
        root = self.document(response, "ListBucketResult")
        objects = tuple(_object(root, each) for each in xml.children(root, "Contents"))
        prefixes = tuple(xml.key(root, each, "Prefix") for each in xml.children(root, "CommonPrefixes"))
        token = xml.text(root, "NextContinuationToken") or _next_marker(root, objects, prefixes)
        return ObjectPage(objects, prefixes, _next(root, token))

    def bucket_names(self, response: BaseHTTPResponse) -> list[str]:
        """Return the names of the account's buckets."""
        root = self.document(response, "ListAllMyBucketsResult")
        listed = [bucket for buckets in xml.children(root, "Buckets") for bucket in xml.children(buckets, "Bucket")]
        return [xml.text(bucket, "Name") or "" for bucket in listed]

    def part_page(self, response: BaseHTTPResponse) -> PartPage:
        """Return a page of parts; its token is the number of the last one. (moto calls it a response.)"""
        root = self.document(response, "ListPartsResult", "ListPartsResponse")
        parts = tuple(map(self._part, xml.children(root, "Part")))
        return PartPage(parts, _next(root, xml.text(root, "NextPartNumberMarker")))

    def _part(self, element: ET.Element) -> Part:
        written = self._dialect.checksum
        return Part(
            number=int(xml.text(element, "PartNumber") or 0),
            size=int(xml.text(element, "Size") or 0),
            etag=xml.etag(element) or "",
            checksum=written.read(xml.text(element, written.element)) if written.element else None,
            modified=xml.time(element, "LastModified"),
        )

    def upload_page(self, response: BaseHTTPResponse) -> UploadPage:
        """Return a page of unfinished uploads; its token is key and id of where the next one begins.

        That is where the answer says (rclone: at the first that is not on this page); where it does not (MinIO leaves
        the key out, Swift both for a page of one), behind the last upload. So it is where keys are encoded: Swift then
        leaves the marker as it is.
        """
        root = self.document(response, "ListMultipartUploadsResult")
        uploads = tuple(_pending(root, each) for each in xml.children(root, "Upload"))
        if not uploads:
            return UploadPage(uploads, _next(root, None))
        said = xml.text(root, "EncodingType") is None
        key = (xml.text(root, "NextKeyMarker") if said else None) or uploads[-1].key
        upload = (xml.text(root, "NextUploadIdMarker") if said else None) or uploads[-1].id
        return UploadPage(uploads, _next(root, json.dumps([key, upload])))

    def delete_failures(self, response: BaseHTTPResponse) -> list[DeleteFailure]:
        """Return the failures of a multiple delete; what was not there is none."""
        failures = map(self._delete_failure, xml.children(self.document(response, "DeleteResult"), "Error"))
        return [failure for failure in failures if failure.code != Code.NOT_FOUND.value]

    def _delete_failure(self, element: ET.Element) -> DeleteFailure:
        failure = of_code(xml.text(element, "Code"), xml.text(element, "Message"), None, None, self._codes)
        return DeleteFailure(xml.text(element, "Key") or "", failure.code.value, failure.detail)

    def document(self, response: BaseHTTPResponse, *names: str) -> ET.Element:
        """Return the document, whose root has one of these names: a web page must not be taken for an empty listing."""
        root = xml.parse(response.data)
        found = None if root is None else xml.local_name(root)
        if root is not None and found != "Error" and (not names or found in names):
            return root
        is_page = response.data.lstrip()[:5].lower() in (b"<html", b"<!doc")
        if names and (is_page or found not in (None, "Error")):
            detail = f"what answers there is no storage service: it sent something else than a {names[0]}"
            raise DriverError(Failure(Code.WRONG_ENDPOINT, detail, status=response.status))
        message = xml.text(root, "Message") or "the service answered with a success that is none"
        request_id = response.headers.get(self._dialect.request_id)
        raise DriverError(of_code(xml.text(root, "Code"), message, response.status, request_id, self._codes))


def _unusual(storage_class: str | None) -> str | None:
    """Listings name the usual class, and HEAD does not: both are None."""
    return None if storage_class in ("STANDARD", "Standard") else storage_class


def _object(root: ET.Element, element: ET.Element) -> ObjectInfo:
    return ObjectInfo(
        key=xml.key(root, element, "Key"),
        size=int(xml.text(element, "Size") or 0),
        etag=xml.etag(element) or "",
        modified=xml.time(element, "LastModified"),
        storage_class=_unusual(xml.text(element, "StorageClass")),
    )


def _next_marker(root: ET.Element, objects: Sequence[ObjectInfo], prefixes: Sequence[str]) -> str | None:
    """Where a listing of version 1 goes on. Without a delimiter S3 leaves it to the last key; version 2 has none."""
    if not xml.children(root, "Marker"):
        return None
    names = [*(info.key for info in objects), *prefixes]
    return xml.key(root, root, "NextMarker") or max(names, key=str.encode, default=None)


def _pending(root: ET.Element, element: ET.Element) -> PendingUpload:
    return PendingUpload(
        key=xml.key(root, element, "Key"),
        id=xml.text(element, "UploadId") or "",
        initiated=xml.time(element, "Initiated"),
    )


def _next(root: ET.Element, token: str | None) -> str | None:
    if not xml.flag(root, "IsTruncated"):
        return None
    if not token:
        raise no_success("where a listing that it cut goes on")
    return token
