"""`alibabacloud-oss-v2`, in the terms of `bench`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import alibabacloud_oss_v2 as oss

from tests.integration.oss_sdk.bench import (
    Bucket,
    Buckets,
    Entry,
    Found,
    Page,
    Part,
    Parts,
    Refused,
    Setting,
    Stored,
    Upload,
    Uploads,
)
from tests.integration.sdk_checks import equal


@contextmanager
def errors() -> Iterator[None]:
    try:
        yield
    except (oss.exceptions.OperationError, oss.uploader.UploadError) as error:
        cause = error.unwrap()
        if not isinstance(cause, oss.exceptions.ServiceError):
            raise
        code = "" if cause.code == "BadErrorResponse" and not cause.snapshot else cause.code  # an answer without a body
        raise Refused(cause.status_code, code, cause.request_id) from error


class V2:
    """Made as a user would make it, but for retries, which would hide what a server did wrong."""

    version = oss.__version__
    dotted_paths = True

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._made: dict[str, Any] = {}

    def _client(self, bucket: str = "") -> Any:
        home = self._setting.home(bucket) if bucket else self._setting.endpoint
        if home not in self._made:
            self._made[home] = client(self._setting, home)
        return self._made[home]

    @errors()
    def create(self, bucket: str, storage_class: str | None = None, acl: str | None = None) -> None:
        config = oss.CreateBucketConfiguration(storage_class=storage_class) if storage_class else None
        self._client().put_bucket(oss.PutBucketRequest(bucket=bucket, acl=acl, create_bucket_configuration=config))

    @errors()
    def drop(self, bucket: str) -> None:
        self._client(bucket).delete_bucket(oss.DeleteBucketRequest(bucket=bucket))

    def is_bucket(self, bucket: str) -> bool:
        there: bool = self._client(bucket).is_bucket_exist(bucket)
        return there

    @errors()
    def info(self, bucket: str) -> Bucket:
        found = self._client(bucket).get_bucket_info(oss.GetBucketInfoRequest(bucket=bucket)).bucket_info
        equal(isinstance(found.creation_date, datetime), True, "a date of creation that the SDK can read")
        return Bucket(
            found.name,
            found.location,
            found.extranet_endpoint,
            found.intranet_endpoint,
            found.storage_class,
            found.owner.id,
            found.acl,
        )

    @errors()
    def location(self, bucket: str) -> str:
        request = oss.GetBucketLocationRequest(bucket=bucket)
        location: str = self._client(bucket).get_bucket_location(request).location
        return location

    @errors()
    def buckets(self, prefix: str = "", marker: str = "", max_keys: int = 100) -> Buckets:
        request = oss.ListBucketsRequest(prefix=prefix or None, marker=marker or None, max_keys=max_keys)
        found = self._client().list_buckets(request)
        rows = [
            Bucket(row.name, row.location, row.extranet_endpoint, row.intranet_endpoint, row.storage_class)
            for row in found.buckets or []
        ]
        return Buckets(rows, bool(found.is_truncated), found.next_marker or "", found.owner.id)

    @errors()
    def put(self, bucket: str, key: str, data: Any, **options: Any) -> Stored:
        return stored(self._client(bucket).put_object(oss.PutObjectRequest(bucket, key, body=data, **options)))

    @errors()
    def put_file(self, bucket: str, key: str, path: Path, **options: Any) -> Stored:
        request = oss.PutObjectRequest(bucket, key, **options)
        return stored(self._client(bucket).put_object_from_file(request, str(path)))

    @errors()
    def get(self, bucket: str, key: str, **options: Any) -> Found:
        answer = self._client(bucket).get_object(oss.GetObjectRequest(bucket, key, **options))
        with answer.body as body:
            return found(answer, body.read())

    @errors()
    def get_file(self, bucket: str, key: str, path: Path) -> None:
        """Compares CRC-64s."""
        tries = client(self._setting, self._setting.home(bucket), attempts=2)  # of one it makes none (1.4.1)
        tries.get_object_to_file(oss.GetObjectRequest(bucket, key), str(path))

    @errors()
    def head(self, bucket: str, key: str, **options: Any) -> Found:
        return found(self._client(bucket).head_object(oss.HeadObjectRequest(bucket, key, **options)))

    @errors()
    def meta(self, bucket: str, key: str) -> Found:
        return found(self._client(bucket).get_object_meta(oss.GetObjectMetaRequest(bucket, key)))

    def is_object(self, bucket: str, key: str) -> bool:
        there: bool = self._client(bucket).is_object_exist(bucket, key)
        return there

    @errors()
    def delete(self, bucket: str, key: str) -> int:
        status: int = self._client(bucket).delete_object(oss.DeleteObjectRequest(bucket, key)).status_code
        return status

    @errors()
    def delete_many(self, bucket: str, keys: list[str], *, quiet: bool = False) -> list[str]:
        objects = [oss.DeleteObject(key=key) for key in keys]
        request = oss.DeleteMultipleObjectsRequest(bucket, encoding_type="url", objects=objects, quiet=quiet)
        return [row.key for row in self._client(bucket).delete_multiple_objects(request).deleted_objects or []]

    @errors()
    def copy(self, source: tuple[str, str], bucket: str, key: str, **options: Any) -> Stored:
        request = oss.CopyObjectRequest(bucket, key, source_bucket=source[0], source_key=source[1], **options)
        answer = self._client(bucket).copy_object(request)
        equal(isinstance(answer.last_modified, datetime), True, "a date of the copy that the SDK can read")
        return stored(answer)

    @errors()
    def list1(self, bucket: str, **asked: Any) -> Page:
        found = self._client(bucket).list_objects(oss.ListObjectsRequest(bucket, encoding_type="url", **asked))
        return page(found, found.next_marker, "marker")

    @errors()
    def list2(self, bucket: str, **asked: Any) -> Page:
        found = self._client(bucket).list_objects_v2(oss.ListObjectsV2Request(bucket, encoding_type="url", **asked))
        equal(found.key_count, len(found.contents or []) + len(found.common_prefixes or []), "KeyCount")
        return page(found, found.next_continuation_token, "start_after")

    @errors()
    def begin(self, bucket: str, key: str, **options: Any) -> str:
        request = oss.InitiateMultipartUploadRequest(bucket, key, **options)
        answer = self._client(bucket).initiate_multipart_upload(request)
        equal((answer.bucket, answer.key), (bucket, key), "what the upload is for")
        upload: str = answer.upload_id
        return upload

    @errors()
    def part(self, bucket: str, key: str, upload: str, number: int, data: Any, **options: Any) -> Stored:
        request = oss.UploadPartRequest(bucket, key, number, upload, body=data, **options)
        return stored(self._client(bucket).upload_part(request))

    @errors()
    def copy_part(
        self, source: tuple[str, str], span: tuple[int, int] | None, bucket: str, key: str, upload: str, number: int
    ) -> Stored:
        range_ = f"bytes={span[0]}-{span[1]}" if span else None
        whence = {"source_bucket": source[0], "source_key": source[1], "source_range": range_}
        answer = self._client(bucket).upload_part_copy(oss.UploadPartCopyRequest(bucket, key, number, upload, **whence))
        equal(isinstance(answer.last_modified, datetime), True, "a date of the part that the SDK can read")
        return stored(answer)

    @errors()
    def complete(self, bucket: str, key: str, upload: str, parts: dict[int, str], **options: Any) -> Stored:
        rows = [oss.UploadPart(part_number=number, etag=etag) for number, etag in sorted(parts.items())]
        listed = oss.CompleteMultipartUpload(parts=rows)
        request = oss.CompleteMultipartUploadRequest(bucket, key, upload, complete_multipart_upload=listed, **options)
        answer = self._client(bucket).complete_multipart_upload(request)
        equal((answer.bucket, answer.key, bool(answer.location)), (bucket, key, True), "bucket, key and a location")
        return stored(answer)

    @errors()
    def complete_all(self, bucket: str, key: str, upload: str) -> Stored:
        request = oss.CompleteMultipartUploadRequest(bucket, key, upload, complete_all="yes")
        return stored(self._client(bucket).complete_multipart_upload(request))

    @errors()
    def abort(self, bucket: str, key: str, upload: str) -> int:
        request = oss.AbortMultipartUploadRequest(bucket, key, upload)
        status: int = self._client(bucket).abort_multipart_upload(request).status_code
        return status

    @errors()
    def parts(self, bucket: str, key: str, upload: str, after: int = 0, max_parts: int = 1000) -> Parts:
        request = oss.ListPartsRequest(
            bucket, key, upload, encoding_type="url", max_parts=max_parts, part_number_marker=after or None
        )
        found = self._client(bucket).list_parts(request)
        told = (found.bucket, found.key, found.upload_id, found.max_parts, found.part_number_marker)
        equal(told, (bucket, key, upload, max_parts, after), "what the parts are of, and what was asked")
        rows = [Part(row.part_number, row.size, bare(row.etag), unix(row.last_modified)) for row in found.parts or []]
        return Parts(rows, bool(found.is_truncated), int(found.next_part_number_marker or 0))

    @errors()
    def uploads(self, bucket: str, **asked: Any) -> Uploads:
        request = oss.ListMultipartUploadsRequest(bucket, encoding_type="url", **asked)
        answer = self._client(bucket).list_multipart_uploads(request)
        told = {name: getattr(answer, name) for name in asked}
        equal((answer.bucket, told), (bucket, asked), "the bucket, and what was asked")
        rows = [Upload(row.key, row.upload_id, unix(row.initiated)) for row in answer.uploads or []]
        prefixes = [row.prefix for row in getattr(answer, "common_prefixes", None) or []]
        following = answer.next_key_marker or "", answer.next_upload_id_marker or ""
        return Uploads(rows, prefixes, bool(answer.is_truncated), *following)

    @errors()
    def upload_file(self, bucket: str, key: str, path: Path, part_size: int, records: Path, threads: int = 3) -> Stored:
        uploader = self._client(bucket).uploader(
            part_size=part_size,
            parallel_num=threads,
            leave_parts_on_error=True,
            enable_checkpoint=True,
            checkpoint_dir=f"{records}{os.sep}",
        )
        answer = uploader.upload_file(oss.PutObjectRequest(bucket, key), str(path))
        return Stored(bare(answer.etag), int(answer.hash_crc64), {})

    @errors()
    def download_file(self, bucket: str, key: str, path: Path, part_size: int, records: Path, threads: int = 3) -> None:
        downloader = self._client(bucket).downloader(
            part_size=part_size,
            parallel_num=threads,
            enable_checkpoint=True,
            checkpoint_dir=f"{records}{os.sep}",
            verify_data=True,
        )
        downloader.download_file(oss.GetObjectRequest(bucket, key), str(path))

    def url(self, method: str, bucket: str, key: str, life: int = 300, **options: Any) -> tuple[str, dict[str, str]]:
        kind = {"GET": oss.GetObjectRequest, "PUT": oss.PutObjectRequest, "HEAD": oss.HeadObjectRequest}[method]
        if "part_number" in options:
            kind = oss.UploadPartRequest
        signed = self._client(bucket).presign(kind(bucket, key, **options), expires=timedelta(seconds=life))
        equal(signed.method, method, "the URL's method")
        return signed.url, dict(signed.signed_headers)

    def all_pages(self, bucket: str, page: int) -> list[str]:
        pages = self._client(bucket).list_objects_v2_paginator(limit=page)
        return [
            row.key
            for found in pages.iter_page(oss.ListObjectsV2Request(bucket, encoding_type="url"))
            for row in found.contents or []
        ]

    def all_parts(self, bucket: str, key: str, upload: str, page: int) -> list[int]:
        pages = self._client(bucket).list_parts_paginator(limit=page)
        request = oss.ListPartsRequest(bucket, key, upload)
        return [row.part_number for found in pages.iter_page(request) for row in found.parts or []]

    def all_uploads(self, bucket: str, page: int) -> list[tuple[str, str]]:
        pages = self._client(bucket).list_multipart_uploads_paginator(limit=page)
        request = oss.ListMultipartUploadsRequest(bucket)
        return [(row.key, row.upload_id) for found in pages.iter_page(request) for row in found.uploads or []]


def client(setting: Setting, endpoint: str, attempts: int = 1) -> Any:
    config = oss.config.load_default()
    config.region, config.endpoint = setting.region, endpoint
    config.signature_version = setting.version
    config.retry_max_attempts = attempts
    config.use_path_style, config.use_cname = setting.path_style, endpoint != setting.endpoint
    credentials = (setting.access_key, setting.secret_key, setting.token)
    config.credentials_provider = (
        oss.credentials.StaticCredentialsProvider(*credentials)
        if setting.access_key
        else oss.credentials.AnonymousCredentialsProvider()
    )
    if setting.ca_file:
        os.environ["REQUESTS_CA_BUNDLE"] = setting.ca_file  # the SDK has no option for it
    return oss.Client(config)


def bare(etag: str | None) -> str:
    """The SDK keeps the quotes, which belong there."""
    if etag is None:
        return ""
    equal((etag[:1], etag[-1:]), ('"', '"'), "the quotes of an ETag")
    return etag[1:-1]


def unix(when: datetime | str) -> int:
    return int((parsedate_to_datetime(when) if isinstance(when, str) else when).timestamp())


def lower(answer: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


def number(text: str | None) -> int | None:
    return int(text) if text else None


def stored(answer: Any) -> Stored:
    return Stored(bare(answer.etag), number(getattr(answer, "hash_crc64", None)), lower(answer))


def found(answer: Any, data: bytes = b"") -> Found:
    return Found(
        size=answer.content_length,
        etag=bare(answer.etag),
        modified=unix(answer.last_modified),
        crc=number(answer.hash_crc64),
        headers=lower(answer),
        kind=getattr(answer, "object_type", None),
        content_type=getattr(answer, "content_type", None),
        content_range=getattr(answer, "content_range", None),
        data=data,
    )


def page(answer: Any, following: str | None, start: str) -> Page:
    entries = [
        Entry(
            row.key,
            row.size,
            bare(row.etag),
            row.object_type,
            row.storage_class,
            unix(row.last_modified),
            row.owner.id if row.owner else None,
        )
        for row in answer.contents or []
    ]
    told = {name: getattr(answer, name) for name in ("name", "prefix", "delimiter", "max_keys", start)}
    prefixes = [row.prefix for row in answer.common_prefixes or []]
    return Page(entries, prefixes, bool(answer.is_truncated), following or "", told)
