"""MinIO, Amazon S3 and other servers that speak S3, through the ``minio`` package.

The SDK signs and builds URLs (``_client``). What is sent, and what the answers mean, is in
``storagekit.transport.driver``; here is what S3 alone has: agreed checksums, conditions, ListObjectsV2, and the careful
listing that MinIO needs. Requests go through the SDK's ``_execute``, whose name and keywords are the same in 7.1 to
7.2.20: the public methods buffer parts, page by themselves and refuse names.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from minio.error import S3Error

from storagekit.driver import Code, DriverError, Failure
from storagekit.transport.connections import make_pool
from storagekit.transport.driver import PRESIGNED, RestDriver, check_presigned, given, of_part
from storagekit.transport.headers import Headers, hashed
from storagekit.transport.listing import careful_page
from storagekit.transport.names import check_new_bucket
from storagekit.types import ObjectPage, WriteOptions
from storagekit_minio import _headers
from storagekit_minio._answers import S3Answers
from storagekit_minio._client import Client
from storagekit_minio._failures import classify
from storagekit_minio._headers import S3
from storagekit_minio._settings import Settings, parse

_LONGEST = timedelta(days=7)


class MinioDriver(RestDriver):
    """One account at one S3 endpoint; see ``storagekit.driver.Driver``."""

    refusals = (S3Error, DriverError)
    _client: Client

    def __init__(self, settings: Settings) -> None:
        client = Client(settings, make_pool(settings.wires))
        super().__init__(client, S3, S3Answers(S3), settings.limits, settings.encryption)
        self._is_minio = settings.is_minio

    @classmethod
    def from_settings(cls, given: Mapping[str, str]) -> MinioDriver:
        """Return the driver for resolved settings. Raises ConfigurationError."""
        return cls(parse(given))

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

        def ask(delimiter: str, token: str | None, limit: int, start_after: str = "") -> ObjectPage:
            more = {"delimiter": delimiter, "continuation-token": token or "", "start-after": start_after}
            common = {"list-type": "2", "encoding-type": "url", "prefix": prefix, "max-keys": str(limit)}
            return self._answers.object_page(self._client.request("GET", bucket, query={**common, **given(more)}))

        if self._is_minio or delimiter not in ("", "/"):  # rclone takes any other delimiter for a slash
            return careful_page(ask, prefix, delimiter, start_after, token, limit)
        return ask(delimiter, token, limit, "" if token else start_after)

    def create_bucket(self, bucket: str, location: str | None = None) -> None:
        """Create a bucket in ``location``, by default the driver's region; us-east-1 must not be named."""
        check_new_bucket(bucket)
        where = location or self._client.region_for(bucket)
        document = None if where == "us-east-1" else _headers.location_document(where)
        self._client.request("PUT", bucket, body=document, headers=hashed(document) if document else {})

    def presign(self, operation: str, bucket: str, key: str, expires: timedelta, **options: Any) -> str:
        """Return a URL for one of the four, for the region that the bucket is in: who uses it cannot find it out."""
        check_presigned(operation, bucket, key, expires, _LONGEST)
        if self._client.is_anonymous:
            raise DriverError(Failure(Code.UNSUPPORTED, "nothing can be signed without credentials"))
        headers = self._signed_headers(operation, options)
        return self._client.signed_url(PRESIGNED[operation], bucket, key, expires, of_part(operation, options), headers)

    def classify(self, error: BaseException) -> Failure:
        """Say what an exception of this driver means."""
        return classify(error)

    def _condition(self, options: WriteOptions) -> Headers:
        return _headers.condition(options)

    def _begun(self, key: str, options: WriteOptions) -> Headers:
        return {**self._written(key, options), **_headers.wished(options)}

    def _agreed(self, options: WriteOptions, answer: Mapping[str, str]) -> str | None:
        """Return the checksum agreed on; a server that does not say that it keeps it does not."""
        return _headers.agreed(options, answer)
