"""Alibaba Cloud OSS, through the ``oss2`` package.

The SDK signs (``_client``). What is sent, and what the answers mean, is in ``storagekit.transport.driver``; here is
what OSS alone has: CRC-64/ECMA that it names for every part and for the whole, conditions of its own, lists of buckets
that come by pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from storagekit.driver import Body, Code, DriverError, Failure
from storagekit.transport import xml
from storagekit.transport.answers import Answers
from storagekit.transport.connections import make_pool
from storagekit.transport.dialect import Dialect, crc64
from storagekit.transport.driver import PRESIGNED, RestDriver, check_presigned, given, of_part
from storagekit.transport.headers import Headers, digest
from storagekit.transport.names import check_new_bucket
from storagekit.types import Checksum, ObjectPage, Part, PutResult, Upload, WriteOptions
from storagekit_oss._client import Client
from storagekit_oss._codes import OSS_CODES
from storagekit_oss._settings import Settings, parse

_OSS = Dialect("x-oss-", crc64("x-oss-hash-crc64ecma"), kms_key="key-id")

_LONGEST = timedelta(days=7)


class _OtherBytesError(DriverError):
    """The service stored other bytes than were sent."""


class OssDriver(RestDriver):
    """One account at one endpoint of OSS; see ``storagekit.driver.Driver``."""

    _client: Client

    def __init__(self, settings: Settings) -> None:
        client = Client(settings, make_pool(settings.wires))
        super().__init__(client, _OSS, Answers(_OSS, OSS_CODES), settings.limits, settings.encryption)

    @classmethod
    def from_settings(cls, given: Mapping[str, str]) -> OssDriver:
        """Return the driver for resolved settings. Raises ConfigurationError."""
        return cls(parse(given))

    def refresh(self, access_key: str, secret_key: str, security_token: str | None = None) -> None:
        """Use other keys from the next request on: temporary ones end while a transfer runs."""
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
        """Return one page of a listing of version 2."""
        behind = {"continuation-token": token} if token else {"start-after": start_after}
        query = {"list-type": "2", "encoding-type": "url", "max-keys": str(limit), "prefix": prefix, **behind}
        response = self._client.request("GET", bucket, query=given({**query, "delimiter": delimiter}))
        return self._answers.object_page(response)

    def put_part(self, upload: Upload, number: int, body: Body) -> Part:
        """Store one part, and compare the CRC-64 that the service computed with that of the bytes.

        A part of other bytes is there all the same. It is replaced by an empty one, so that no later run takes it for a
        part of its size, and INTEGRITY is raised.
        """
        try:
            return super().put_part(upload, number, body)
        except _OtherBytesError:
            query = {"partNumber": str(number), "uploadId": upload.id}
            with suppress(Exception):
                self._object("PUT", upload.bucket, upload.key, query=query)
            raise

    def create_bucket(self, bucket: str, location: str | None = None) -> None:
        """Create a bucket, in the region of the endpoint: OSS makes none elsewhere."""
        check_new_bucket(bucket)
        region = self._client.region
        if location and region and location.removeprefix("oss-") != region:
            detail = f"the endpoint is in {region}, and OSS makes buckets nowhere else"
            raise DriverError(Failure(Code.WRONG_ENDPOINT, detail, hint=f"Use the endpoint of {location}"))
        self._client.request("PUT", bucket)

    def bucket_exists(self, bucket: str) -> bool:
        """Tell whether the bucket exists; raises ACCESS_DENIED where the service does not say."""
        try:
            self._client.request("GET", bucket, query={"bucketInfo": ""})
        except DriverError as error:
            if error.failure.code is not Code.BUCKET_NOT_FOUND:
                raise
            return False
        return True

    def list_buckets(self) -> Sequence[str]:
        """Return the names of the account's buckets, sorted; they come by up to 1,000."""
        names: list[str] = []
        marker: str | None = ""
        while marker is not None:
            response = self._client.request_account("GET", given({"max-keys": "1000", "marker": marker}))
            names += self._answers.bucket_names(response)
            root = xml.parse(response.data)
            marker = xml.text(root, "NextMarker") if root is not None and xml.flag(root, "IsTruncated") else None
        return sorted(names)

    def presign(self, operation: str, bucket: str, key: str, expires: timedelta, **options: Any) -> str:
        """Return a URL for one of the four; ``PUT_PART`` takes the options ``upload_id`` and ``part_number``."""
        check_presigned(operation, bucket, key, expires, _LONGEST)
        if self._client.is_anonymous:
            raise DriverError(Failure(Code.UNSUPPORTED, "nothing can be signed without credentials"))
        headers = self._signed_headers(operation, options)
        query = of_part(operation, options)
        return self._client.signed_url(PRESIGNED[operation], bucket, key, expires, query, dict(headers))

    def _condition(self, options: WriteOptions) -> Headers:
        """Publish only where there is no object: OSS looks in the moment in which it publishes."""
        return {"x-oss-forbid-overwrite": "true"} if options.if_absent else {}

    def _ranged(self, start: int, length: int | None) -> Headers:
        """Without that word OSS answers a range that reaches past the end with the whole object."""
        return {**super()._ranged(start, length), "x-oss-range-behavior": "standard"}

    def _digest(self, checksum: Checksum | None) -> Headers:
        """Content-MD5, which OSS verifies; a CRC-64 it would ignore."""
        return digest(_OSS, checksum) if checksum is not None and checksum.algorithm == "md5" else {}

    def _proven(self, body: Body, answer: PutResult) -> PutResult:
        """Require that the service computed the CRC-64 that the bytes have."""
        sent = body.checksum
        if sent is None or sent.algorithm != "crc64" or answer.checksum == sent:
            return answer
        found = answer.checksum.value if answer.checksum else "not told"
        detail = f"the service stored bytes of which the CRC-64 is {found}, not {sent.value}"
        raise _OtherBytesError(Failure(Code.INTEGRITY, detail))

    def _agreed(self, options: WriteOptions, answer: Mapping[str, str]) -> str | None:
        """Every service of this kind computes CRC-64: nothing has to be agreed on."""
        return options.checksum if options.checksum == "crc64" else None
