"""Huawei OBS, through the ``esdk-obs-python`` package.

The SDK names hosts and paths, signs and presigns (``_client``). What is sent, and what the answers mean, is in
``storagekit.transport.driver``; here is what OBS alone has: CRC-64/ECMA that it computes and names, the id of the
upload that made an object, listings of version 1, its documents for new buckets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from xml.sax.saxutils import escape

from storagekit.driver import Body, Code, DriverError, Failure
from storagekit.transport.answers import Answers
from storagekit.transport.connections import make_pool
from storagekit.transport.dialect import Dialect, crc64
from storagekit.transport.driver import PRESIGNED, RestDriver, check_presigned, given, of_part
from storagekit.transport.listing import careful_page
from storagekit.transport.names import check_new_bucket
from storagekit.types import ObjectInfo, ObjectPage, PutResult
from storagekit_obs._client import Client
from storagekit_obs._codes import OBS_CODES
from storagekit_obs._settings import Settings, parse

_OBS = Dialect("x-obs-", crc64("x-obs-checksum-crc64ecma"))
_S3 = Dialect("x-amz-", crc64("x-amz-checksum-crc64ecma"), kms_key="aws-kms-key-id")

_LONGEST_V4 = timedelta(days=7)
_LONGEST = timedelta(days=7300)
"""``Expires`` of OBS and V2 is a moment, for which the API names no limit (obs_04_0011): 20 years are for good."""


class _ObsAnswers(Answers):
    """Reads what OBS answers, in its own dialect or in S3's."""

    def info(self, key: str, headers: Mapping[str, str]) -> ObjectInfo:
        """Return what a HEAD says; an object that was put together has the id of its upload (obs_04_0084)."""
        return replace(super().info(key, headers), upload_id=headers.get(f"{self._dialect.prefix}uploadId"))


class ObsDriver(RestDriver):
    """One account at one endpoint of OBS; see ``storagekit.driver.Driver``."""

    _client: Client

    def __init__(self, settings: Settings) -> None:
        dialect = _OBS if settings.signature == "obs" else _S3
        client = Client(settings, make_pool(settings.wires))
        super().__init__(client, dialect, _ObsAnswers(dialect, OBS_CODES), settings.limits, settings.encryption)

    @classmethod
    def from_settings(cls, given: Mapping[str, str]) -> ObsDriver:
        """Return the driver for resolved settings. Raises ConfigurationError."""
        return cls(parse(given))

    def refresh(self, access_key: str, secret_key: str, security_token: str | None = None) -> None:
        """Use other keys from the next request on: temporary ones end while a transfer runs, at most 24 h."""
        self._client.refresh(access_key, secret_key, security_token)

    def list(
        self,
        bucket: str,
        prefix: str = "",
        delimiter: str = "",
        start_after: str = "",
        token: str | None = None,
        limit: int = 1000,
    ) -> ObjectPage:
        """Return one page of a listing of version 1, which all kinds of buckets have.

        Servers that speak S3 are listed with care: MinIO is one of them.
        """

        def ask(delimiter: str, marker: str | None, limit: int) -> ObjectPage:
            more = {"delimiter": delimiter, "marker": marker or ""}
            common = {"encoding-type": "url", "prefix": prefix, "max-keys": str(limit)}
            return self._answers.object_page(self._client.request("GET", bucket, query={**common, **given(more)}))

        if self._dialect is _S3:
            return careful_page(ask, prefix, delimiter, start_after, token, limit)
        return ask(delimiter, token or start_after, limit)

    def create_bucket(self, bucket: str, location: str | None = None) -> None:
        """Create a bucket in ``location``, by default the region of the driver."""
        check_new_bucket(bucket)
        where = location or self._client.region
        document = _location_document(self._dialect, where) if where else None
        self._client.request("PUT", bucket, body=document)

    def presign(self, operation: str, bucket: str, key: str, expires: timedelta, **options: Any) -> str:
        """Return a URL for one of the four; a Content-Type is signed by all three kinds of signature.

        One that is signed with temporary keys ends with them, whatever ``expires`` says.
        """
        longest = _LONGEST_V4 if self._client.signature == "v4" else _LONGEST
        check_presigned(operation, bucket, key, expires, longest)
        if self._client.is_anonymous:
            raise DriverError(Failure(Code.UNSUPPORTED, "nothing can be signed without credentials"))
        signed = self._client.createSignedUrl(
            PRESIGNED[operation],
            bucket,
            key,
            expires=int(expires.total_seconds()),
            headers=dict(self._signed_headers(operation, options)),
            queryParams=of_part(operation, options),
        )
        return str(signed.signedUrl)

    def _proven(self, body: Body, answer: PutResult) -> PutResult:
        """Require that the service names the CRC-64 that it computed, and that it is the one that was sent."""
        sent = body.checksum
        if sent is None or sent.algorithm != "crc64" or answer.checksum == sent:
            return answer
        if answer.checksum is None:
            detail = "the service did not compare the CRC-64 of what it stored"
            raise DriverError(Failure(Code.UNSUPPORTED, detail, hint="Set checksum = md5"))
        detail = f"the service stored bytes of which the CRC-64 is {answer.checksum.value}, not {sent.value}"
        raise DriverError(Failure(Code.INTEGRITY, detail))


def _location_document(dialect: Dialect, location: str) -> bytes:
    """The body of a bucket's creation; OBS and S3 call the place differently."""
    name = "Location" if dialect is _OBS else "LocationConstraint"
    place = f"<{name}>{escape(location)}</{name}>"
    return f"<CreateBucketConfiguration>{place}</CreateBucketConfiguration>".encode()
