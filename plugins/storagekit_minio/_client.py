"""The SDK's client with two things of our own: what it hashes and how it answers.

Its connections and bodies are those of ``storagekit.transport``, its keys those of ``_credentials``, and the region
that a signature names is that of ``_regions``.

**Hashes.** Over plain HTTP the SDK would read every body twice, once for SHA-256 at 1.9 GB/s; here a streamed body goes
out as UNSIGNED-PAYLOAD and the server verifies the checksum that the core has computed (``_headers``). The small XML
documents are signed with their SHA-256.

**Answers.** The SDK loses Retry-After where an error is not ``application/xml``, raises ValueError for a HEAD that is
answered with 409, and repeats a HEAD that is redirected. Here every answer that is no 2xx becomes one S3Error that
holds the response; nothing is sent twice, but to the region that the service says it should have been sent to.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import Any
from urllib.parse import urlunsplit

from minio import Minio
from minio.credentials.credentials import Credentials
from minio.error import S3Error
from minio.signer import sign_v4_s3
from urllib3 import HTTPHeaderDict, PoolManager
from urllib3.response import BaseHTTPResponse

from storagekit.driver import Code, DriverError, Failure
from storagekit.errors import ConfigurationError
from storagekit.transport import xml
from storagekit.transport.connections import close_pool
from storagekit.transport.names import check_bucket, invalid_bucket, is_bucket_name
from storagekit.transport.sending import Stream
from storagekit_minio._credentials import provider
from storagekit_minio._presign import presigned
from storagekit_minio._regions import USUAL, Regions, located, told
from storagekit_minio._settings import Settings

_SHOWN = 200
"""Characters of an error in plain text that are worth repeating."""


class Client(Minio):
    """One account at one endpoint; safe to share between threads."""

    def __init__(self, settings: Settings, pool: PoolManager) -> None:
        self._http = pool  # before anything can fail: 7.2.0 looks for it in __del__
        keys = provider(settings, pool)
        try:
            super().__init__(
                endpoint=settings.address,
                credentials=keys,
                secure=settings.wires.secure,
                region=settings.region,
                http_client=pool,
            )
        except ValueError as error:  # of a region, or of a host at Amazon
            raise ConfigurationError(f"the minio settings cannot be used: {error}") from error
        self._regions = Regions(settings.region or self._base_url.region)
        self._base_url.virtual_style_flag = not settings.path_style

    @property
    def is_anonymous(self) -> bool:
        """Whether requests are not signed."""
        return self._provider is None

    def region_for(self, bucket: str | None) -> str:
        """Return the region that a bucket is in, as far as is known."""
        return self._regions.of(bucket)

    def request(self, method: str, bucket: str, key: str | None = None, **options: Any) -> BaseHTTPResponse:
        """Send one signed request and return its 2xx answer; options as of ``_sent``. Raises S3Error, urllib3's."""
        check_bucket(bucket)
        return self._sent(method, bucket, key, **options)

    def request_account(self, method: str) -> BaseHTTPResponse:
        """Send a request that is for no bucket."""
        return self._sent(method, None, None)

    def _sent(
        self,
        method: str,
        bucket: str | None,
        key: str | None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        preload: bool = True,
    ) -> BaseHTTPResponse:
        """Return the answer, read whole with ``preload``.

        Where the service says that the bucket is in another region, once more for that one.
        """
        options = {
            "bucket_name": bucket,
            "object_name": key,
            "body": body,
            "query_params": dict(query or {}),
            "preload_content": preload,
        }
        signed_for = self._regions.of(bucket)
        try:
            return self._execute(method=method, headers=dict(headers or {}), **options)
        except S3Error as error:
            if bucket is not None and _is_for_the_name(bucket, error):
                raise invalid_bucket(bucket, 400, error.response.headers.get("x-amz-request-id")) from error
            if not self._was_elsewhere(bucket, signed_for, error):
                _raise_with_region(error, signed_for)
                raise
        if isinstance(body, Stream):
            body.rewind()
        return self._execute(method=method, headers=dict(headers or {}), **options)

    def signed_url(
        self,
        method: str,
        bucket: str,
        key: str,
        expires: timedelta,
        query: Mapping[str, str],
        headers: Mapping[str, str],
    ) -> str:
        """Return a URL that allows one request, with these headers. Raises DriverError for a name that cannot be."""
        region = self._region_for_others(bucket)
        keys = self._provider.retrieve() if self._provider else None
        assert keys is not None  # noqa: S101  # the driver refuses where there are none
        try:
            url = self._base_url.build(
                method=method, region=region, bucket_name=bucket, object_name=key, query_params=dict(query)
            )
        except ValueError as error:  # the SDK's own rules for names: what it refuses no server has
            raise DriverError(Failure(Code.INVALID_NAME, str(error))) from error
        lasting = int(expires.total_seconds())
        return presigned(method, url, headers, region, keys, datetime.now(timezone.utc), lasting)

    def _region_for_others(self, bucket: str) -> str:
        """Return the bucket's region for a URL; where it is not known yet, a HEAD finds it out."""
        if not self._regions.is_known(bucket):
            try:
                self.request("HEAD", bucket)
            except S3Error as error:
                if error.response.status == 429 or error.response.status >= 500:
                    raise
                # No such bucket, no permission to look: it was answered all the same.
            self._regions.settle(bucket)
        return self._regions.of(bucket)

    def _was_elsewhere(self, bucket: str | None, signed_for: str, error: S3Error) -> bool:
        """Tell whether the bucket is in another region than was thought, which is remembered."""
        if not self._regions.may_learn(error):
            return False
        region = told(error)
        if region is None and bucket is not None:
            try:
                answer = self._url_open("GET", USUAL, bucket_name=bucket, query_params={"location": ""})
            except S3Error:  # it may not be asked: the first answer is what counts
                return False
            region = located(answer.data)
        return self._regions.learn(bucket, region, signed_for)

    def _get_region(self, bucket_name: str | None = None) -> str:
        return self._regions.of(bucket_name)  # the SDK's own asks for it, with every bucket

    def close(self) -> None:
        """Close the pooled connections."""
        close_pool(self._http)

    def _build_headers(
        self, host: str, headers: Any = None, body: Any = None, creds: Credentials | None = None
    ) -> tuple[dict[str, Any], datetime]:
        built, date = super()._build_headers(host, dict(headers or {}), None, creds)  # no body: nothing to hash
        if body is not None:
            built["Content-Length"] = str(len(body))  # the SDK forgets it for an empty body: sent chunked, refused
        built["x-amz-content-sha256"] = sha256(body).hexdigest() if isinstance(body, bytes) else "UNSIGNED-PAYLOAD"
        return built, date

    def _url_open(
        self,
        method: str,
        region: str,
        bucket_name: str | None = None,
        object_name: str | None = None,
        body: Any = None,
        headers: Any = None,
        query_params: Any = None,
        preload_content: bool = True,  # noqa: FBT001, FBT002  # the SDK's signature
        no_body_trace: bool = False,  # noqa: FBT001, FBT002
    ) -> BaseHTTPResponse:
        creds = self._provider.retrieve() if self._provider else None
        url = self._base_url.build(
            method=method, region=region, bucket_name=bucket_name, object_name=object_name, query_params=query_params
        )
        built, date = self._build_headers(url.netloc, headers, body, creds)
        if creds is not None:
            built = sign_v4_s3(
                method=method,
                url=url,
                region=region,
                headers=built,
                credentials=creds,
                content_sha256=built["x-amz-content-sha256"],
                date=date,
            )
        # http.client adds "Accept-Encoding: identity" where none is given. Left to it, the header is not signed, and
        # a proxy that rewrites it does no harm.
        response = self._http.urlopen(
            method,
            urlunsplit(url),
            body=body,
            headers=HTTPHeaderDict(built),
            preload_content=preload_content,
            decode_content=False,
            redirect=False,  # urllib3 before 2.5 looks at no pool's retries=False, and follows
        )
        if 200 <= response.status < 300:
            return response
        raise refusal(response)


def _is_for_the_name(bucket: str, error: S3Error) -> bool:
    """Tell whether a 400 is for a bucket that cannot be; an answer to HEAD has no words for it."""
    return error.response.status == 400 and not is_bucket_name(bucket) and error.code in (None, "InvalidBucketName")


def _raise_with_region(error: S3Error, signed_for: str) -> None:
    """Raise the error of a wrong region with the right one, where only a header names it: HEAD has no document."""
    region, response = error.response.headers.get("x-amz-bucket-region"), error.response
    if error.code is None and response.status in (301, 307, 400) and region not in (None, signed_for):
        detail = f"the bucket is in the region {region}, and the request was signed for {signed_for}"
        raise DriverError(Failure(Code.WRONG_ENDPOINT, detail, status=response.status)) from error


def refusal(response: BaseHTTPResponse) -> S3Error:
    """Return the SDK's error for an answer that is no success, and give the connection back.

    MinIO repeats code and message in headers, which makes an error of HEAD as clear as any other.
    """
    data = response.data or b""  # reads what is not read yet
    response.release_conn()
    root, headers = xml.parse(data), response.headers
    return S3Error(
        response=response,
        code=xml.text(root, "Code") or headers.get("x-minio-error-code"),
        message=xml.text(root, "Message") or headers.get("x-minio-error-desc", "").strip('"') or _plain(response, data),
        resource=xml.text(root, "Resource"),
        request_id=headers.get("x-amz-request-id"),
        host_id=headers.get("x-amz-id-2"),
    )


def _plain(response: BaseHTTPResponse, data: bytes) -> str | None:
    """What a server says in plain text; a page of HTML says nothing."""
    if response.headers.get("content-type", "text/plain").partition(";")[0] != "text/plain":
        return None
    lines = data.decode("utf-8", "replace").strip().splitlines()
    return lines[0][:_SHOWN] if lines else None
