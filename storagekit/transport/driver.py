"""The requests that S3's relatives have in common, as a driver: a subclass brings the SDK's client and what differs.

The client signs and sends; this class says what is sent and what the answer means. Where servers differ, the answer
decides: keys are decoded if it says that they are encoded, and an upload that is not there is UPLOAD_GONE whether it is
called NoSuchUpload or (Ceph, Swift) NoSuchKey.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol

from urllib3 import exceptions as http
from urllib3.response import BaseHTTPResponse

from storagekit.driver import Body, Code, DriverError, Failure, Limits, Reader
from storagekit.transport import headers as heads
from storagekit.transport import xml
from storagekit.transport.answers import Answers
from storagekit.transport.codes import of_network
from storagekit.transport.dialect import Dialect
from storagekit.transport.encryption import Encryption
from storagekit.transport.headers import Headers
from storagekit.transport.names import check_bucket, check_key
from storagekit.transport.reading import open_reader
from storagekit.transport.sending import sending
from storagekit.types import (
    RESERVED_PREFIX,
    Checksum,
    DeleteFailure,
    ObjectInfo,
    Part,
    PartPage,
    PutResult,
    Upload,
    UploadPage,
    WriteOptions,
)

PRESIGNED = {"GET": "GET", "HEAD": "HEAD", "PUT": "PUT", "PUT_PART": "PUT"}
"""Methods of the operations that a URL can be signed for."""


class Client(Protocol):
    """What signs and sends. A refusal is raised, as one of ``RestDriver.refusals``."""

    def request(
        self,
        method: str,
        bucket: str,
        key: str | None = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        preload: bool = True,
    ) -> BaseHTTPResponse:
        """Send one signed request and return its 2xx answer, read whole with ``preload``."""

    def request_account(self, method: str) -> BaseHTTPResponse:
        """Send a request that is for no bucket."""

    def close(self) -> None:
        """Close the connections."""


class RestDriver:
    """One account at one endpoint; see ``storagekit.driver.Driver``, whose other methods a subclass has."""

    refusals: tuple[type[Exception], ...] = (DriverError,)
    """What is raised for an answer that is no success: ``DriverError``, and what the client's SDK has for it."""

    def __init__(
        self, client: Client, dialect: Dialect, answers: Answers, limits: Limits, encryption: Encryption
    ) -> None:
        self._client = client
        self._dialect = dialect
        self._answers = answers
        self._limits = limits
        self._encryption = encryption

    @property
    def limits(self) -> Limits:
        """Facts of this instance."""
        return self._limits

    def classify(self, error: BaseException) -> Failure:
        """Say what an exception of this driver means."""
        if isinstance(error, DriverError):
            return error.failure
        if isinstance(error, (http.HTTPError, OSError)):
            return of_network(error)
        return Failure(Code.UNKNOWN, f"{type(error).__name__}: {error}")

    # --- objects ------------------------------------------------------------------------------------------------------

    def head(self, bucket: str, key: str) -> ObjectInfo:
        """Return what the service knows of the object."""
        return self._answers.info(key, self._object("HEAD", bucket, key, headers=self._opened(key)).headers)

    def read(
        self, bucket: str, key: str, start: int = 0, length: int | None = None, if_match: str | None = None
    ) -> Reader:
        """Open ``length`` bytes from ``start``."""
        whole = self._opened(key)
        if if_match is not None:
            whole["If-Match"] = f'"{if_match}"'
        part = {**whole, **self._ranged(start, length)}
        try:
            response = self._object("GET", bucket, key, headers=part, preload=False)
        except self.refusals as error:
            if self.classify(error).status != 416 or start:
                raise
            # Only an empty object has no byte 0. Its etag is wanted all the same.
            response = self._object("GET", bucket, key, headers=whole, preload=False)
        return open_reader(response, start, length)

    def put(self, bucket: str, key: str, body: Body, options: WriteOptions) -> PutResult:
        """Store one object in one request."""
        headers = {**self._written(key, options), **self._condition(options), **self._digest(body.checksum)}
        with sending(body) as data:
            response = self._object("PUT", bucket, key, headers=headers, body=data)
        return self._proven(body, self._answers.stored(response))

    def delete(self, bucket: str, key: str) -> None:
        """Delete one object; a missing one is success."""
        try:
            self._object("DELETE", bucket, key)
        except self.refusals as error:
            if self.classify(error).code is not Code.NOT_FOUND:
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
        except self.refusals as error:
            failure = self.classify(error)
            if failure.code is Code.BUCKET_NOT_FOUND:
                raise
            return [DeleteFailure(key, failure.code.value, failure.detail)]
        return []

    def _delete_together(self, bucket: str, keys: Sequence[str]) -> list[DeleteFailure]:
        document = xml.delete_document(self._dialect, keys)
        response = self._client.request(
            "POST", bucket, query={"delete": ""}, body=document, headers=heads.hashed(document)
        )
        return self._answers.delete_failures(response)

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
            **self._condition(options),
            **self._copied(source_bucket, source_key, if_match),
            f"{self._dialect.prefix}metadata-directive": "REPLACE",
        }
        return self._answers.made(self._object("PUT", bucket, key, headers=headers))

    # --- multipart uploads --------------------------------------------------------------------------------------------

    def create_upload(self, bucket: str, key: str, options: WriteOptions, part_size: int | None) -> Upload:
        """Begin a multipart upload."""
        response = self._object("POST", bucket, key, query={"uploads": ""}, headers=self._begun(key, options))
        agreed = self._agreed(options, response.headers)
        return Upload(bucket, key, self._answers.upload_id(response), replace(options, checksum=agreed), part_size)

    def put_part(self, upload: Upload, number: int, body: Body) -> Part:
        """Store one part in one request."""
        query = {"partNumber": str(number), "uploadId": upload.id}
        headers = {**self._encryption.of_access(self._dialect), **self._digest(body.checksum)}
        with self._of_upload(), sending(body) as data:
            response = self._object("PUT", upload.bucket, upload.key, query=query, headers=headers, body=data)
        answer = self._proven(body, self._answers.stored(response))
        return Part(number, body.size, answer.etag, answer.checksum or body.checksum)

    def copy_part(
        self, upload: Upload, number: int, source_bucket: str, source_key: str, start: int, length: int, if_match: str
    ) -> Part:
        """Store a range of another object as a part. NoSuchKey is the source here, with every server."""
        opened = self._encryption.of_access(self._dialect)
        headers = {**opened, **self._copied(source_bucket, source_key, if_match)}
        headers[f"{self._dialect.source}-range"] = f"bytes={start}-{start + length - 1}"
        query = {"partNumber": str(number), "uploadId": upload.id}
        response = self._object("PUT", upload.bucket, upload.key, query=query, headers=headers)
        return Part(number, length, self._answers.copied_part(response).etag)

    def list_parts(self, upload: Upload, token: str | None = None, limit: int = 1000) -> PartPage:
        """Return one page of the parts; the token is the number of the last one."""
        query = {"uploadId": upload.id, "max-parts": str(limit), "part-number-marker": token or ""}
        headers = self._encryption.of_access(self._dialect)
        with self._of_upload():
            response = self._object("GET", upload.bucket, upload.key, query=given(query), headers=headers)
        return self._answers.part_page(response)

    def list_uploads(self, bucket: str, prefix: str = "", token: str | None = None, limit: int = 1000) -> UploadPage:
        """Return one page of unfinished uploads.

        An empty delimiter, as the SDK of MinIO sends it, is answered by Swift and rclone with one empty common prefix.
        Keys are asked for encoded only where XML cannot hold them: Ceph encodes them, and does not say so. A bucket
        that never had an upload has NoSuchUpload on rclone.
        """
        query = {"max-uploads": str(limit), "prefix": prefix, "uploads": "", **_upload_markers(token)}
        try:
            response = self._client.request("GET", bucket, query=query)
        except self.refusals as error:
            if self.classify(error).code is not Code.UPLOAD_GONE:
                raise
            return UploadPage(())
        if xml.parse(response.data) is None:
            response = self._client.request("GET", bucket, query={**query, "encoding-type": "url"})
        return self._answers.upload_page(response)

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> PutResult:
        """Publish the object. An error inside the 200 is raised."""
        document = xml.complete_document(self._dialect, parts)
        headers = {
            "Content-Type": "application/xml",
            **heads.hashed(document),
            **self._condition(upload.options),
            **self._encryption.of_access(self._dialect),
        }
        with self._of_upload():
            query = {"uploadId": upload.id}
            response = self._object("POST", upload.bucket, upload.key, query=query, body=document, headers=headers)
            return self._answers.completed(response, parts)

    def abort_upload(self, upload: Upload) -> None:
        """Drop the upload; an absent one is success, also where (Swift, after a complete) it is called NoSuchKey."""
        try:
            self._object("DELETE", upload.bucket, upload.key, query={"uploadId": upload.id})
        except self.refusals as error:
            if not _is_gone(self.classify(error)):
                raise

    @contextmanager
    def _of_upload(self) -> Iterator[None]:
        """Inside, an upload that is not there is UPLOAD_GONE, whatever the service calls it."""
        try:
            yield
        except self.refusals as error:
            failure = self.classify(error)
            if not _is_gone(failure):
                raise
            raise DriverError(replace(failure, code=Code.UPLOAD_GONE)) from error

    # --- buckets, the rest --------------------------------------------------------------------------------------------

    def delete_bucket(self, bucket: str) -> None:
        """Delete an empty bucket."""
        self._client.request("DELETE", bucket)

    def list_buckets(self) -> Sequence[str]:
        """Return the names of the account's buckets, sorted."""
        return sorted(self._answers.bucket_names(self._client.request_account("GET")))

    def bucket_exists(self, bucket: str) -> bool:
        """Tell whether the bucket exists; raises ACCESS_DENIED where the service does not say."""
        try:
            self._client.request("HEAD", bucket)
        except self.refusals as error:
            if self.classify(error).code not in (Code.BUCKET_NOT_FOUND, Code.NOT_FOUND):
                raise
            return False
        return True

    def close(self) -> None:
        """Close the pooled connections."""
        self._client.close()

    # --- what a subclass says otherwise -------------------------------------------------------------------------------

    def _condition(self, options: WriteOptions) -> Headers:
        """Publish only where there is no object; nothing where the service cannot look in that moment."""
        return {}

    def _ranged(self, start: int, length: int | None) -> Headers:
        """Which bytes are wanted; those behind the end are not missed."""
        return heads.ranged(start, length)

    def _digest(self, checksum: Checksum | None) -> Headers:
        """What the service compares with the bytes that it receives."""
        return heads.digest(self._dialect, checksum)

    def _proven(self, body: Body, answer: PutResult) -> PutResult:
        """Return the answer to a body, or raise where it does not say what a service of this kind has to."""
        return answer

    def _begun(self, key: str, options: WriteOptions) -> Headers:
        """Headers of the request that begins an upload."""
        return self._written(key, options)

    def _agreed(self, options: WriteOptions, answer: Mapping[str, str]) -> str | None:
        """Return the checksum of parts that the service agreed on, as its answer to the beginning says."""
        return None

    def _signed_headers(self, operation: str, options: Mapping[str, Any]) -> Headers:
        """Return the headers that whoever uses a signed URL has to send, or raise where that cannot be asked of them.

        A client with ``encryption`` would not get what its settings say: headers that only the user of the URL can
        send. Its parts need none, for the upload that they belong to was begun with them.
        """
        if self._encryption.of_access(self._dialect):
            hint = "Sign with a client that has none, for objects that need none"
            raise DriverError(Failure(Code.UNSUPPORTED, "a signed URL would need the customer_key", hint=hint))
        if operation == "PUT" and self._encryption.of_write(self._dialect):
            hint = "Have the bucket encrypt by default, and sign with a client without the setting"
            detail = "a signed URL cannot hold the setting encryption: whoever uses it would have to send it"
            raise DriverError(Failure(Code.UNSUPPORTED, detail, hint=hint))
        content_type = options.get("content_type")
        return {"Content-Type": content_type} if content_type else {}

    # --- requests -----------------------------------------------------------------------------------------------------

    def _object(self, method: str, bucket: str, key: str, **options: Any) -> BaseHTTPResponse:
        """Send a request for an object. What is no key must not make it one for the bucket."""
        check_key(key)
        return self._client.request(method, bucket, key, **options)

    def _written(self, key: str, options: WriteOptions) -> Headers:
        described = heads.described(self._dialect, options)
        return {**described, **self._encryption.of_write(self._dialect), **self._opened(key)}

    def _opened(self, key: str) -> dict[str, str]:
        """What opens an object. Upload records hold no secret, and whoever writes the object has to read them."""
        is_ours = isinstance(key, str) and key.startswith(RESERVED_PREFIX)  # what is no key is refused further on
        return {} if is_ours else self._encryption.of_access(self._dialect)

    def _copied(self, bucket: str, key: str, if_match: str | None) -> Headers:
        named = heads.source(self._dialect, bucket, key, if_match)
        return {**named, **self._encryption.of_source(self._dialect)}


def check_presigned(operation: str, bucket: str, key: str, expires: timedelta, most: timedelta) -> None:
    """Refuse to sign a URL for what cannot be asked for, or for longer than the service takes it."""
    if operation not in PRESIGNED:
        raise DriverError(Failure(Code.UNSUPPORTED, f"no URL can be signed for {operation}"))
    if not timedelta(seconds=1) <= expires <= most:
        hint = "Choose a time within that; who needs longer has it signed again"
        raise DriverError(Failure(Code.REFUSED, f"a signed URL is valid for 1 second to {most.days} days", hint=hint))
    check_bucket(bucket)
    check_key(key)


def of_part(operation: str, options: Mapping[str, Any]) -> dict[str, str]:
    """Return the query of a URL for one of the four; ``PUT_PART`` takes ``upload_id`` and ``part_number``."""
    if operation != "PUT_PART":
        return {}
    return {"partNumber": str(options["part_number"]), "uploadId": options["upload_id"]}


def given(query: Mapping[str, str]) -> dict[str, str]:
    """Return what is not empty: an empty delimiter empties the listings of Swift and rclone."""
    return {name: value for name, value in query.items() if value}


def _upload_markers(token: str | None) -> dict[str, str]:
    key, upload_id = json.loads(token) if token else ("", "")
    return given({"key-marker": key, "upload-id-marker": upload_id})


def _is_gone(failure: Failure) -> bool:
    """Ceph and Swift say NoSuchKey for some absent uploads; MinIO refuses an id that looks like a path."""
    return failure.code in (Code.UPLOAD_GONE, Code.NOT_FOUND) or failure.vendor_code == "XMinioInvalidResourceName"
