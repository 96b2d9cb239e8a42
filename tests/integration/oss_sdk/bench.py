"""What a check gets: an SDK behind calls of one form, a bucket of its own, and what answers are, in one form too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from tests.integration.sdk_checks import Checks, bare_md5, equal


@dataclass(frozen=True)
class Setting:
    """How to talk to the server. Buckets are `names` and a number; `cname` is their own domain, with `*` for them."""

    sdk: str
    endpoint: str
    names: str
    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    version: str = "v4"
    region: str = "cn-hangzhou"
    path_style: bool = False
    cname: str = ""
    ca_file: str = ""
    thorough: bool = False
    """Whether to make the one check that needs a thousand objects."""

    def home(self, bucket: str) -> str:
        """The endpoint for calls about a bucket that is there."""
        return self.cname.replace("*", bucket) if self.cname else self.endpoint


class Refused(Exception):
    """The service said no, as the SDK told it."""

    def __init__(self, status: int, code: str | None, request_id: str | None) -> None:
        super().__init__(f"{status} {code}")
        self.verdict, self.request_id = (status, code or None), request_id


@dataclass(frozen=True)
class Stored:
    """An object or a part that was written. ETags are without quotes everywhere."""

    etag: str
    crc: int | None
    headers: dict[str, str]


@dataclass(frozen=True)
class Found:
    """An object that was read or asked about; names of headers are in lower case."""

    size: int
    etag: str
    modified: int
    crc: int | None
    headers: dict[str, str]
    kind: str | None = None
    content_type: str | None = None
    content_range: str | None = None
    data: bytes = field(default=b"", repr=False)

    @property
    def metadata(self) -> dict[str, str]:
        start = "x-oss-meta-"
        return {name[len(start) :]: value for name, value in self.headers.items() if name.startswith(start)}


@dataclass(frozen=True)
class Entry:
    key: str
    size: int
    etag: str
    kind: str
    storage_class: str
    modified: int
    owner: str | None = None


@dataclass(frozen=True)
class Page:
    """Of a listing. `next` is where the next one begins, or empty; `told` what it repeats, where the SDK reads that."""

    entries: list[Entry]
    prefixes: list[str]
    truncated: bool
    next: str
    told: dict[str, Any]

    @property
    def keys(self) -> list[str]:
        return [entry.key for entry in self.entries]


@dataclass(frozen=True)
class Part:
    number: int
    size: int
    etag: str
    modified: int


@dataclass(frozen=True)
class Parts:
    rows: list[Part]
    truncated: bool
    next: int


@dataclass(frozen=True)
class Upload:
    key: str
    upload: str
    begun: int


@dataclass(frozen=True)
class Uploads:
    rows: list[Upload]
    prefixes: list[str]
    truncated: bool
    next_key: str
    next_upload: str

    @property
    def ids(self) -> list[tuple[str, str]]:
        return [(row.key, row.upload) for row in self.rows]


@dataclass(frozen=True)
class Bucket:
    """What is said of one, in a list or when asked."""

    name: str
    location: str
    extranet: str
    intranet: str
    storage_class: str
    owner: str | None = None
    acl: str | None = None


@dataclass(frozen=True)
class Buckets:
    rows: list[Bucket]
    truncated: bool
    next: str
    owner: str | None


class Sdk(Protocol):
    """One of the two. `options` are named as `alibabacloud-oss-v2` names them: `content_type`, `if_match`..."""

    version: str
    dotted_paths: bool
    """Whether a key's `/` is sent as it is; then `requests` takes `a/./b` for `a/b` after it was signed."""

    def create(self, bucket: str, storage_class: str | None = None, acl: str | None = None) -> None: ...
    def drop(self, bucket: str) -> None: ...
    def is_bucket(self, bucket: str) -> bool: ...
    def info(self, bucket: str) -> Bucket: ...
    def location(self, bucket: str) -> str: ...
    def buckets(self, prefix: str = "", marker: str = "", max_keys: int = 100) -> Buckets: ...

    def put(self, bucket: str, key: str, data: Any, **options: Any) -> Stored: ...
    def put_file(self, bucket: str, key: str, path: Path, **options: Any) -> Stored: ...
    def get(self, bucket: str, key: str, **options: Any) -> Found: ...
    def get_file(self, bucket: str, key: str, path: Path) -> None: ...
    def head(self, bucket: str, key: str, **options: Any) -> Found: ...
    def meta(self, bucket: str, key: str) -> Found: ...
    def is_object(self, bucket: str, key: str) -> bool: ...
    def delete(self, bucket: str, key: str) -> int: ...
    def delete_many(self, bucket: str, keys: list[str], *, quiet: bool = False) -> list[str]: ...
    def copy(self, source: tuple[str, str], bucket: str, key: str, **options: Any) -> Stored: ...

    def list1(self, bucket: str, **asked: Any) -> Page: ...
    def list2(self, bucket: str, **asked: Any) -> Page: ...

    def begin(self, bucket: str, key: str, **options: Any) -> str: ...
    def part(self, bucket: str, key: str, upload: str, number: int, data: Any, **options: Any) -> Stored: ...
    def copy_part(
        self,
        source: tuple[str, str],
        span: tuple[int, int] | None,
        bucket: str,
        key: str,
        upload: str,
        number: int,
    ) -> Stored: ...
    def complete(self, bucket: str, key: str, upload: str, parts: dict[int, str], **options: Any) -> Stored: ...
    def complete_all(self, bucket: str, key: str, upload: str) -> Stored: ...
    def abort(self, bucket: str, key: str, upload: str) -> int: ...
    def parts(self, bucket: str, key: str, upload: str, after: int = 0, max_parts: int = 1000) -> Parts: ...
    def uploads(self, bucket: str, **asked: Any) -> Uploads: ...

    def upload_file(
        self, bucket: str, key: str, path: Path, part_size: int, records: Path, threads: int = 3
    ) -> Stored: ...
    def download_file(
        self, bucket: str, key: str, path: Path, part_size: int, records: Path, threads: int = 3
    ) -> None: ...

    def url(
        self, method: str, bucket: str, key: str, life: int = 300, **options: Any
    ) -> tuple[str, dict[str, str]]: ...

    def all_pages(self, bucket: str, page: int) -> list[str]: ...
    def all_parts(self, bucket: str, key: str, upload: str, page: int) -> list[int]: ...
    def all_uploads(self, bucket: str, page: int) -> list[tuple[str, str]]: ...


class Bench:
    """One check's view of the server."""

    def __init__(self, setting: Setting, make: Callable[[Setting], Sdk], scratch: Path) -> None:
        self.setting, self._make, self.scratch = setting, make, scratch
        self.sdk = make(setting)
        self.bucket = ""
        self._buckets = 0

    def fresh_bucket(self) -> str:
        """Make one that nobody else looks at; it becomes `self.bucket`."""
        self._buckets += 1
        self.bucket = f"{self.setting.names}-{self._buckets}"
        self.sdk.create(self.bucket)
        return self.bucket

    def other(self, **changes: Any) -> Sdk:
        """Somebody who talks otherwise."""
        return self._make(replace(self.setting, **changes))

    def put(self, key: str, data: Any, **options: Any) -> Stored:
        return self.sdk.put(self.bucket, key, data, **options)

    def read(self, key: str, bucket: str = "") -> bytes:
        return self.sdk.get(bucket or self.bucket, key).data

    def head(self, key: str) -> Found:
        return self.sdk.head(self.bucket, key)

    def keys(self) -> list[str]:
        """What the bucket holds."""
        return self.sdk.list2(self.bucket, max_keys=1000).keys

    def begin(self, key: str, **options: Any) -> str:
        return self.sdk.begin(self.bucket, key, **options)

    def part(self, key: str, upload: str, number: int, data: bytes) -> str:
        """Upload one part; its ETag."""
        found = self.sdk.part(self.bucket, key, upload, number, data)
        equal(found.etag, etag(data), f"ETag of part {number}")
        return found.etag


CHECKS: Checks[Bench] = Checks()
check = CHECKS.check


def etag(data: bytes) -> str:
    """OSS writes them in upper case."""
    return bare_md5(data).upper()


@contextmanager
def refused(status: int, code: str | None) -> Iterator[None]:
    """What is inside is answered with this error, and the error has a request id."""
    try:
        yield
    except Refused as refusal:
        equal(refusal.verdict, (status, code), "refusal")
        equal(bool(refusal.request_id), True, "a request id with the refusal")
    else:
        raise AssertionError(f"not refused with {status} {code}")
