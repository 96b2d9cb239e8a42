"""`oss2`, in the terms of `bench`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import oss2

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

#: oss2 takes headers as they are sent.
HEADERS = {
    "content_type": "Content-Type",
    "content_md5": "Content-MD5",
    "cache_control": "Cache-Control",
    "content_disposition": "Content-Disposition",
    "content_encoding": "Content-Encoding",
    "expires": "Expires",
    "storage_class": "x-oss-storage-class",
    "acl": "x-oss-object-acl",
    "forbid_overwrite": "x-oss-forbid-overwrite",
    "metadata_directive": "x-oss-metadata-directive",
    "range_behavior": "x-oss-range-behavior",
    "if_match": "If-Match",
    "if_none_match": "If-None-Match",
    "if_modified_since": "If-Modified-Since",
    "if_unmodified_since": "If-Unmodified-Since",
}


@contextmanager
def errors() -> Iterator[None]:
    try:
        yield
    except oss2.exceptions.ServerError as error:
        raise Refused(error.status, error.code, error.request_id) from error


class Oss2:
    """Made as a user would make it."""

    version = oss2.__version__
    dotted_paths = False

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._session = oss2.Session()
        self._session.session.trust_env = False  # a ~/.netrc would replace the signature
        if setting.ca_file:
            self._session.session.verify = setting.ca_file
        self._auth = authentication(setting)
        self._made: dict[tuple[str, str], Any] = {}

    def _bucket(self, name: str, endpoint: str = "") -> Any:
        home = endpoint or self._setting.home(name)
        if (name, home) not in self._made:
            self._made[name, home] = oss2.Bucket(
                self._auth,
                home,
                name,
                is_cname=home != self._setting.endpoint,
                session=self._session,
                region=self._setting.region,
                is_path_style=self._setting.path_style,
            )
        return self._made[name, home]

    @errors()
    def create(self, bucket: str, storage_class: str | None = None, acl: str | None = None) -> None:
        config = oss2.models.BucketCreateConfig(storage_class) if storage_class else None
        self._bucket(bucket, self._setting.endpoint).create_bucket(acl, config)

    @errors()
    def drop(self, bucket: str) -> None:
        self._bucket(bucket).delete_bucket()

    def is_bucket(self, bucket: str) -> bool:
        try:
            self._bucket(bucket).get_bucket_info()
        except oss2.exceptions.NoSuchBucket:
            return False
        return True

    @errors()
    def info(self, bucket: str) -> Bucket:
        found = self._bucket(bucket).get_bucket_info()
        return Bucket(
            found.name,
            found.location,
            found.extranet_endpoint,
            found.intranet_endpoint,
            found.storage_class,
            found.owner.id,
            found.acl.grant,
        )

    @errors()
    def location(self, bucket: str) -> str:
        location: str = self._bucket(bucket).get_bucket_location().location
        return location

    @errors()
    def buckets(self, prefix: str = "", marker: str = "", max_keys: int = 100) -> Buckets:
        setting = self._setting
        service = oss2.Service(
            self._auth,
            setting.endpoint,
            session=self._session,
            region=setting.region,
            is_path_style=setting.path_style,
        )
        found = service.list_buckets(prefix, marker, max_keys)
        rows = [
            Bucket(row.name, row.location, row.extranet_endpoint, row.intranet_endpoint, row.storage_class)
            for row in found.buckets
        ]
        return Buckets(rows, found.is_truncated, found.next_marker, found.owner.id)

    @errors()
    def put(self, bucket: str, key: str, data: Any, **options: Any) -> Stored:
        return stored(self._bucket(bucket).put_object(key, data, headers(options)))

    @errors()
    def put_file(self, bucket: str, key: str, path: Path, **options: Any) -> Stored:
        return stored(self._bucket(bucket).put_object_from_file(key, str(path), headers(options)))

    @errors()
    def get(self, bucket: str, key: str, **options: Any) -> Found:
        asked = options.pop("range_header", "")
        params = {name.replace("_", "-"): options.pop(name) for name in list(options) if name.startswith("response_")}
        sent = headers(options) | ({"Range": asked} if asked else {})
        answer = self._bucket(bucket).get_object(key, headers=sent, params=params)
        data = answer.read()
        if answer.content_range is None and answer.server_crc is not None:
            oss2.utils.check_crc("get object", answer.client_crc, answer.server_crc, answer.request_id)
        return found(answer, data)

    @errors()
    def get_file(self, bucket: str, key: str, path: Path) -> None:
        """Compares CRC-64s."""
        self._bucket(bucket).get_object_to_file(key, str(path))

    @errors()
    def head(self, bucket: str, key: str, **options: Any) -> Found:
        return found(self._bucket(bucket).head_object(key, headers(options)))

    @errors()
    def meta(self, bucket: str, key: str) -> Found:
        return found(self._bucket(bucket).get_object_meta(key))

    @errors()
    def is_object(self, bucket: str, key: str) -> bool:
        there: bool = self._bucket(bucket).object_exists(key)
        return there

    @errors()
    def delete(self, bucket: str, key: str) -> int:
        status: int = self._bucket(bucket).delete_object(key).status
        return status

    @errors()
    def delete_many(self, bucket: str, keys: list[str], *, quiet: bool = False) -> list[str]:
        """The SDK cannot ask for quiet."""
        deleted: list[str] = self._bucket(bucket).batch_delete_objects(keys).deleted_keys
        return [] if quiet else deleted

    @errors()
    def copy(self, source: tuple[str, str], bucket: str, key: str, **options: Any) -> Stored:
        sent = {
            f"x-oss-copy-source-{name}" if name.startswith("If-") else name: value
            for name, value in headers(options).items()
        }
        return stored(self._bucket(bucket).copy_object(*source, key, sent))

    @errors()
    def list1(self, bucket: str, **asked: Any) -> Page:
        found = self._bucket(bucket).list_objects(**asked)
        return page(found, found.next_marker)

    @errors()
    def list2(self, bucket: str, **asked: Any) -> Page:
        found = self._bucket(bucket).list_objects_v2(**asked)
        return page(found, found.next_continuation_token)

    @errors()
    def begin(self, bucket: str, key: str, **options: Any) -> str:
        upload: str = self._bucket(bucket).init_multipart_upload(key, headers(options)).upload_id
        return upload

    @errors()
    def part(self, bucket: str, key: str, upload: str, number: int, data: Any, **options: Any) -> Stored:
        return stored(self._bucket(bucket).upload_part(key, upload, number, data, headers=headers(options)))

    @errors()
    def copy_part(
        self, source: tuple[str, str], span: tuple[int, int] | None, bucket: str, key: str, upload: str, number: int
    ) -> Stored:
        return stored(self._bucket(bucket).upload_part_copy(*source, span, key, upload, number))

    @errors()
    def complete(self, bucket: str, key: str, upload: str, parts: dict[int, str], **options: Any) -> Stored:
        rows = [oss2.models.PartInfo(number, etag) for number, etag in parts.items()]
        return stored(self._bucket(bucket).complete_multipart_upload(key, upload, rows, headers(options)))

    @errors()
    def complete_all(self, bucket: str, key: str, upload: str) -> Stored:
        every = {"x-oss-complete-all": "yes"}
        return stored(self._bucket(bucket).complete_multipart_upload(key, upload, None, every))

    @errors()
    def abort(self, bucket: str, key: str, upload: str) -> int:
        status: int = self._bucket(bucket).abort_multipart_upload(key, upload).status
        return status

    @errors()
    def parts(self, bucket: str, key: str, upload: str, after: int = 0, max_parts: int = 1000) -> Parts:
        found = self._bucket(bucket).list_parts(key, upload, str(after) if after else "", max_parts)
        rows = [Part(row.part_number, row.size, row.etag, row.last_modified) for row in found.parts]
        return Parts(rows, found.is_truncated, int(found.next_marker))

    @errors()
    def uploads(self, bucket: str, **asked: Any) -> Uploads:
        found = self._bucket(bucket).list_multipart_uploads(**asked)
        rows = [Upload(row.key, row.upload_id, row.initiation_date) for row in found.upload_list]
        return Uploads(rows, found.prefix_list, found.is_truncated, found.next_key_marker, found.next_upload_id_marker)

    @errors()
    def upload_file(self, bucket: str, key: str, path: Path, part_size: int, records: Path, threads: int = 3) -> Stored:
        return stored(
            oss2.resumable_upload(
                self._bucket(bucket),
                key,
                str(path),
                store=oss2.ResumableStore(root=str(records)),
                multipart_threshold=part_size,
                part_size=part_size,
                num_threads=threads,
            )
        )

    @errors()
    def download_file(self, bucket: str, key: str, path: Path, part_size: int, records: Path, threads: int = 3) -> None:
        oss2.resumable_download(
            self._bucket(bucket),
            key,
            str(path),
            store=oss2.ResumableDownloadStore(root=str(records)),
            multiget_threshold=part_size,
            part_size=part_size,
            num_threads=threads,
        )

    def url(self, method: str, bucket: str, key: str, life: int = 300, **options: Any) -> tuple[str, dict[str, str]]:
        params = {name.replace("_", "-"): options.pop(name) for name in list(options) if name.startswith("response_")}
        params |= {sent: str(options.pop(name)) for name, sent in PART_OF_UPLOAD.items() if name in options}
        signed = headers(options)
        url: str = self._bucket(bucket).sign_url(method, key, life, signed, params, slash_safe=True)
        return url, signed

    def all_pages(self, bucket: str, page: int) -> list[str]:
        return [entry.key for entry in oss2.ObjectIterator(self._bucket(bucket), max_keys=page)]

    def all_parts(self, bucket: str, key: str, upload: str, page: int) -> list[int]:
        return [part.part_number for part in oss2.PartIterator(self._bucket(bucket), key, upload, max_parts=page)]

    def all_uploads(self, bucket: str, page: int) -> list[tuple[str, str]]:
        found = oss2.MultipartUploadIterator(self._bucket(bucket), max_uploads=page)
        return [(row.key, row.upload_id) for row in found]


PART_OF_UPLOAD = {"part_number": "partNumber", "upload_id": "uploadId"}


def authentication(setting: Setting) -> Any:
    if not setting.access_key:
        return oss2.AnonymousAuth()
    if setting.token:
        return oss2.StsAuth(setting.access_key, setting.secret_key, setting.token, auth_version=setting.version)
    kind = oss2.AuthV4 if setting.version == "v4" else oss2.Auth
    return kind(setting.access_key, setting.secret_key)


def headers(options: dict[str, Any]) -> dict[str, str]:
    own = {f"x-oss-meta-{name}": value for name, value in options.pop("metadata", {}).items()}
    return {HEADERS[name]: value for name, value in options.items()} | own


def lower(answer: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


def stored(answer: Any) -> Stored:
    return Stored(answer.etag, answer.crc, lower(answer))


def found(answer: Any, data: bytes = b"") -> Found:
    said = lower(answer)
    return Found(
        size=answer.content_length,
        etag=answer.etag,
        modified=answer.last_modified,
        crc=getattr(answer, "server_crc", None),
        headers=said,
        kind=getattr(answer, "object_type", None),
        content_type=getattr(answer, "content_type", None),
        content_range=getattr(answer, "content_range", None),
        data=data,
    )


def page(answer: Any, following: str) -> Page:
    entries = [
        Entry(
            row.key,
            row.size,
            row.etag,
            row.type,
            row.storage_class,
            row.last_modified,
            row.owner.id if row.owner else None,
        )
        for row in answer.object_list
    ]
    return Page(entries, answer.prefix_list, answer.is_truncated, following, {})
