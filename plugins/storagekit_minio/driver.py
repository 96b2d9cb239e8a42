"""MinIO, Amazon S3 and other servers that speak S3, through the ``minio`` package.

The SDK signs, builds URLs and presigns. Around it: ``_client`` (requests), ``_failures`` (what an error means), and
what all of S3's relatives have in common, in ``storagekit.transport``: connections, bodies, ranges, documents.
Requests go through the SDK's ``_execute``, whose name and keywords are the same in 7.1 to 7.2.20: the public methods
buffer parts, page by themselves and refuse names.

Where servers differ, the answer decides: keys are decoded if it says that they are encoded, and an upload that is not
there is UPLOAD_GONE whether it is called NoSuchUpload or (Ceph, Swift) NoSuchKey. Only listings need to know that the
server is a MinIO (``_listing``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from minio.error import S3Error
from urllib3.response import BaseHTTPResponse

from storagekit.driver import Body, Code, DriverError, Failure, Limits, Reader
from storagekit.transport import xml
from storagekit.transport.connections import make_pool
from storagekit.transport.headers import Headers, described, digest, hashed, ranged
from storagekit.transport.reading import open_reader
from storagekit.transport.sending import sending
from storagekit.types import (
    RESERVED_PREFIX,
    DeleteFailure,
    ObjectInfo,
    ObjectPage,
    Part,
    PartPage,
    PutResult,
    Upload,
    UploadPage,
    WriteOptions,
)
from storagekit_minio import _headers
from storagekit_minio._answers import ANSWERS
from storagekit_minio._client import Client
from storagekit_minio._failures import classify
from storagekit_minio._headers import S3
from storagekit_minio._listing import careful_page, plain_page
from storagekit_minio._names import check_bucket, check_key, check_new_bucket
from storagekit_minio._settings import Settings, parse

_PRESIGNED = {"GET": "GET", "HEAD": "HEAD", "PUT": "PUT", "PUT_PART": "PUT"}


class MinioDriver:
    """One account at one S3 endpoint; see ``storagekit.driver.Driver``."""

    def __init__(self, settings: Settings) -> None:
        self._client = Client(settings, make_pool(settings.wires))
        self._limits = settings.limits
        self._encryption = settings.encryption
        self._is_minio = settings.is_minio

    @classmethod
    def from_settings(cls, given: Mapping[str, str]) -> MinioDriver:
        """Return the driver for resolved settings. Raises ConfigurationError."""
        return cls(parse(given))

    @property
    def limits(self) -> Limits:
        """Facts of this instance."""
        return self._limits

    # --- objects ------------------------------------------------------------------------------------------------------

    def head(self, bucket: str, key: str) -> ObjectInfo:
        """Return what the service knows of the object; MinIO tells a missing bucket apart, in a header."""
        headers = self._opened(key)
        return ANSWERS.info(key, self._client.request_object("HEAD", bucket, key, headers=headers).headers)

    def read(
        self, bucket: str, key: str, start: int = 0, length: int | None = None, if_match: str | None = None
    ) -> Reader:
        """Open ``length`` bytes from ``start``."""
        whole = self._opened(key)
        if if_match is not None:
            whole["If-Match"] = f'"{if_match}"'
        part = {**whole, **ranged(start, length)}
        try:
            response = self._client.request_object("GET", bucket, key, headers=part, preload=False)
        except S3Error as error:
            if error.response.status != 416 or start:
                raise
            # Only an empty object has no byte 0. Its etag is wanted all the same.
            response = self._client.request_object("GET", bucket, key, headers=whole, preload=False)
        return open_reader(response, start, length)

    def put(self, bucket: str, key: str, body: Body, options: WriteOptions) -> PutResult:
        """Store one object in one request."""
        headers = {**self._written(key, options), **_headers.condition(options), **digest(S3, body.checksum)}
        with sending(body) as data:
            response = self._client.request_object("PUT", bucket, key, headers=headers, body=data)
        return ANSWERS.stored(response)

    def delete(self, bucket: str, key: str) -> None:
        """Delete one object; a missing one is success."""
        try:
            self._client.request_object("DELETE", bucket, key)
        except S3Error as error:
            if classify(error).code is not Code.NOT_FOUND:
                raise

    def delete_many(self, bucket: str, keys: Sequence[str]) -> list[DeleteFailure]:
        """Delete up to 1,000 objects in one request, and one by one those whose keys XML cannot hold."""
        together = [key for key in keys if xml.can_hold(key)]
        failures = self._delete_together(bucket, together) if together else []
        for key in keys:
            if not xml.can_hold(key):
                failures += self._delete_alone(bucket, key)
        return failures

    def _delete_alone(self, bucket: str, key: str) -> list[DeleteFailure]:
        try:
            self.delete(bucket, key)
        except S3Error as error:
            failure = classify(error)
            if failure.code is Code.BUCKET_NOT_FOUND:
                raise
            return [DeleteFailure(key, failure.code.value, failure.detail)]
        return []

    def _delete_together(self, bucket: str, keys: Sequence[str]) -> list[DeleteFailure]:
        document = xml.delete_document(S3, keys)
        response = self._client.request("POST", bucket, query={"delete": ""}, body=document, headers=hashed(document))
        return ANSWERS.delete_failures(response)

    def list(
        self,
        bucket: str,
        prefix: str = "",
        delimiter: str = "",
        start_after: str = "",
        token: str | None = None,
        limit: int = 1000,
    ) -> ObjectPage:
        """Return one page. A prefix is sent even if empty: access policies may ask for it."""

        def ask(query: Mapping[str, str]) -> BaseHTTPResponse:
            common = {"list-type": "2", "encoding-type": "url", "prefix": prefix}
            return self._client.request("GET", bucket, query={**common, **query})

        if self._is_minio or delimiter not in ("", "/"):  # rclone takes any other delimiter for a slash
            return careful_page(ask, prefix, delimiter, start_after, token, limit)
        return plain_page(ask, delimiter, start_after, token, limit)

    def copy(
        self,
        bucket: str,
        key: str,
        source_bucket: str,
        source_key: str,
        options: WriteOptions,
        if_match: str | None = None,
    ) -> PutResult:
        """Copy one object on the server, its metadata replaced."""
        headers = {
            **self._written(key, options),
            **_headers.condition(options),
            **self._copied(source_bucket, source_key, if_match),
        }
        headers["x-amz-metadata-directive"] = "REPLACE"
        return ANSWERS.made(self._client.request_object("PUT", bucket, key, headers=headers))

    # --- multipart uploads --------------------------------------------------------------------------------------------

    def create_upload(self, bucket: str, key: str, options: WriteOptions, part_size: int | None) -> Upload:
        """Begin a multipart upload; a server that does not say that it keeps the checksum does not."""
        headers = {**self._written(key, options), **_headers.wished(options)}
        response = self._client.request_object("POST", bucket, key, query={"uploads": ""}, headers=headers)
        agreed = replace(options, checksum=_headers.agreed(options, response.headers))
        return Upload(bucket, key, ANSWERS.upload_id(response), agreed, part_size)

    def put_part(self, upload: Upload, number: int, body: Body) -> Part:
        """Store one part in one request."""
        query = {"partNumber": str(number), "uploadId": upload.id}
        headers = {**self._encryption.of_access(), **digest(S3, body.checksum)}
        with _of_upload(), sending(body) as data:
            response = self._client.request_object(
                "PUT", upload.bucket, upload.key, query=query, headers=headers, body=data
            )
        answer = ANSWERS.stored(response)
        return Part(number, body.size, answer.etag, answer.checksum or body.checksum)

    def copy_part(
        self, upload: Upload, number: int, source_bucket: str, source_key: str, start: int, length: int, if_match: str
    ) -> Part:
        """Store a range of another object as a part. NoSuchKey is the source here, with every server."""
        headers = {**self._encryption.of_access(), **self._copied(source_bucket, source_key, if_match)}
        headers["x-amz-copy-source-range"] = f"bytes={start}-{start + length - 1}"
        query = {"partNumber": str(number), "uploadId": upload.id}
        response = self._client.request_object("PUT", upload.bucket, upload.key, query=query, headers=headers)
        return Part(number, length, ANSWERS.copied_part(response).etag)

    def list_parts(self, upload: Upload, token: str | None = None, limit: int = 1000) -> PartPage:
        """Return one page of the parts; the token is the number of the last one."""
        query = {"uploadId": upload.id, "max-parts": str(limit), "part-number-marker": token or ""}
        with _of_upload():
            response = self._client.request_object(
                "GET", upload.bucket, upload.key, query=_given(query), headers=self._encryption.of_access()
            )
        return ANSWERS.part_page(response)

    def list_uploads(self, bucket: str, prefix: str = "", token: str | None = None, limit: int = 1000) -> UploadPage:
        """Return one page of unfinished uploads.

        The SDK's own method sends an empty delimiter, which Swift and rclone answer with one empty common prefix.
        Keys are asked for encoded only where XML cannot hold them: Ceph encodes them, and does not say so. A bucket
        that never had an upload has NoSuchUpload on rclone.
        """
        query = {"max-uploads": str(limit), "prefix": prefix, "uploads": "", **_upload_markers(token)}
        try:
            response = self._client.request("GET", bucket, query=query)
        except S3Error as error:
            if classify(error).code is not Code.UPLOAD_GONE:
                raise
            return UploadPage(())
        if xml.parse(response.data) is None:
            response = self._client.request("GET", bucket, query={**query, "encoding-type": "url"})
        return ANSWERS.upload_page(response)

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> PutResult:
        """Publish the object. An error inside the 200 is raised. Ceph's first answer leaves the etag out."""
        document = xml.complete_document(S3, parts)
        headers = {
            "Content-Type": "application/xml",
            **hashed(document),
            **_headers.condition(upload.options),
            **self._encryption.of_access(),
        }
        with _of_upload():
            response = self._client.request_object(
                "POST", upload.bucket, upload.key, query={"uploadId": upload.id}, body=document, headers=headers
            )
            return ANSWERS.completed(response, parts)

    def abort_upload(self, upload: Upload) -> None:
        """Drop the upload; an absent one is success, also where (Swift, after a complete) it is called NoSuchKey."""
        try:
            self._client.request_object("DELETE", upload.bucket, upload.key, query={"uploadId": upload.id})
        except S3Error as error:
            if not _is_gone(classify(error)):
                raise

    # --- buckets, URLs, the rest --------------------------------------------------------------------------------------

    def create_bucket(self, bucket: str, location: str | None = None) -> None:
        """Create a bucket in ``location``, by default the driver's region; us-east-1 must not be named."""
        check_new_bucket(bucket)
        where = location or self._client.region_for(bucket)
        document = None if where == "us-east-1" else _headers.location_document(where)
        self._client.request("PUT", bucket, body=document, headers=hashed(document) if document else {})

    def delete_bucket(self, bucket: str) -> None:
        """Delete an empty bucket."""
        self._client.request("DELETE", bucket)

    def list_buckets(self) -> Sequence[str]:
        """Return the names of the account's buckets, sorted."""
        return sorted(ANSWERS.bucket_names(self._client.request_account("GET")))

    def bucket_exists(self, bucket: str) -> bool:
        """Tell whether the bucket exists; raises ACCESS_DENIED where the service does not say."""
        try:
            self._client.request("HEAD", bucket)
        except S3Error as error:
            if classify(error).code not in (Code.BUCKET_NOT_FOUND, Code.NOT_FOUND):
                raise
            return False
        return True

    def presign(self, operation: str, bucket: str, key: str, expires: timedelta, **options: Any) -> str:
        """Return a URL for one of the four; ``PUT_PART`` takes the options ``upload_id`` and ``part_number``."""
        if operation not in _PRESIGNED:
            raise DriverError(Failure(Code.UNSUPPORTED, f"no URL can be signed for {operation}"))
        if not timedelta(seconds=1) <= expires <= timedelta(days=7):
            raise DriverError(Failure(Code.REFUSED, "a signed URL is valid for 1 second to 7 days"))
        if self._client.is_anonymous:
            raise DriverError(Failure(Code.UNSUPPORTED, "nothing can be signed without credentials"))
        check_bucket(bucket)
        check_key(key)
        query: dict[str, Any] = {}
        if operation == "PUT_PART":
            query = {"partNumber": str(options["part_number"]), "uploadId": options["upload_id"]}
        try:
            return self._client.get_presigned_url(
                method=_PRESIGNED[operation],
                bucket_name=bucket,
                object_name=key,
                expires=expires,
                extra_query_params=query,
            )
        except ValueError as error:  # the SDK's own rules for names: what it refuses no server has
            raise DriverError(Failure(Code.INVALID_NAME, str(error))) from error

    def classify(self, error: BaseException) -> Failure:
        """Say what an exception of this driver means."""
        return classify(error)

    def close(self) -> None:
        """Close the pooled connections."""
        self._client.close()

    def _written(self, key: str, options: WriteOptions) -> Headers:
        return {**described(S3, options), **self._encryption.of_write(), **self._opened(key)}

    def _opened(self, key: str) -> dict[str, str]:
        """What opens an object. Upload records hold no secret, and whoever writes the object has to read them."""
        is_ours = isinstance(key, str) and key.startswith(RESERVED_PREFIX)  # what is no key is refused further on
        return {} if is_ours else self._encryption.of_access()

    def _copied(self, bucket: str, key: str, if_match: str | None) -> Headers:
        return {**_headers.source(bucket, key, if_match), **self._encryption.of_source()}


def _given(query: Mapping[str, str]) -> dict[str, str]:
    """What is not empty: an empty delimiter empties the listings of Swift and rclone."""
    return {name: value for name, value in query.items() if value}


def _upload_markers(token: str | None) -> dict[str, str]:
    key, upload_id = json.loads(token) if token else ("", "")
    return _given({"key-marker": key, "upload-id-marker": upload_id})


@contextmanager
def _of_upload() -> Iterator[None]:
    """Inside, an upload that is not there is UPLOAD_GONE, whatever the service calls it."""
    try:
        yield
    except (S3Error, DriverError) as error:
        failure = classify(error)
        if not _is_gone(failure):
            raise
        raise DriverError(replace(failure, code=Code.UPLOAD_GONE)) from error


def _is_gone(failure: Failure) -> bool:
    """Ceph and Swift say NoSuchKey for some absent uploads; MinIO refuses an id that looks like a path."""
    return failure.code in (Code.UPLOAD_GONE, Code.NOT_FOUND) or failure.vendor_code == "XMinioInvalidResourceName"
