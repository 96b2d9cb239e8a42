"""StorageClient: what people import. One backend, one account, any bucket.

It resolves the configuration, makes the driver, and hands each call to the engine (``uploader.py``,
``downloader.py``) or, guarded, to the driver. It adds no rule of its own but one: keys under ``.storagekit/`` are
hidden.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType

from storagekit import _metadata
from storagekit._clock import Cancel, Clock
from storagekit._http import HTTPSource
from storagekit._retry import RetryPolicy
from storagekit._source import BytesSource, FileSource, Source
from storagekit._store import Store
from storagekit.config import choose_backend, resolve, texts
from storagekit.downloader import Downloader
from storagekit.driver import Driver
from storagekit.errors import ConfigurationError
from storagekit.plugins import Registry
from storagekit.types import (
    RESERVED_PREFIX,
    DeleteFailure,
    DownloadResult,
    ObjectInfo,
    ObjectPage,
    Progress,
    UploadResult,
)
from storagekit.uploader import DEFAULT_MEMORY, DEFAULT_WORKERS, StreamingUploader

OnProgress = Callable[[Progress], None]
OnNote = Callable[[str], None]


class StorageClient:
    """One backend. Safe to share between threads; a context manager that closes its connections.

    Args:
        backend: ``obs``, ``minio`` (or ``s3``), ``oss``, ``local``, ``memory``, or what a plugin brings. None: from
            the environment.
        bucket: the bucket of calls that name none.
        endpoint: host, host:port or URL of the service.
        part_size: bytes per part of new uploads; None for 16 MiB.
        workers: parts under way at once.
        memory: budget in bytes for all parts under way.
        checkpoint: where upload records are kept: ``auto``, ``bucket``, ``local``, ``off``.
        retry: how often and how long to try one request.
        clock: time, sleep and chance; replaced in tests.
        environment: variables to read settings from; None for the process's own.
        driver: a driver object to use instead of making one.
        settings: further settings of the backend, such as ``access_key``, ``secret_key``, ``region``, ``root``.

    Raises:
        ConfigurationError: a setting is missing, unknown or makes no sense.
        BackendNotInstalledError: with the pip command.
    """

    def __init__(
        self,
        backend: str | None = None,
        bucket: str | None = None,
        *,
        endpoint: str | None = None,
        part_size: int | None = None,
        workers: int = DEFAULT_WORKERS,
        memory: int = DEFAULT_MEMORY,
        checkpoint: str = "auto",
        retry: RetryPolicy | None = None,
        clock: Clock | None = None,
        environment: Mapping[str, str] | None = None,
        driver: Driver | None = None,
        **settings: str | None,
    ) -> None:
        env = os.environ if environment is None else environment
        self.backend = choose_backend(backend, endpoint, env) if driver is None else backend or "driver"
        scope = self.backend
        if driver is None:
            registry = Registry.create(env)
            arguments = {**settings, "endpoint": endpoint} if endpoint is not None else settings
            values = texts(resolve(registry.find(self.backend), arguments, env))
            driver = registry.create_driver(self.backend, values)
            scope = f"{self.backend} {values.get('endpoint') or values.get('root') or ''}"
        self._driver = driver
        self.bucket = bucket
        self._retry = retry or RetryPolicy()
        self._clock = clock or Clock()
        self._store = Store.of(driver, self.backend, self._retry, self._clock)
        self.uploader = StreamingUploader(
            driver,
            backend=self.backend,
            scope=scope,
            part_size=part_size,
            workers=workers,
            memory=memory,
            checkpoint=checkpoint,
            retry=self._retry,
            clock=self._clock,
        )
        self._downloader = Downloader(self._store, workers, self.uploader.window)

    def __enter__(self) -> StorageClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"StorageClient(backend={self.backend!r}, bucket={self.bucket!r})"

    def close(self) -> None:
        """Close the connections."""
        self._driver.close()

    # -- writing -------------------------------------------------------------------------------------------------

    def upload(
        self,
        source: Source,
        key: str,
        *,
        bucket: str | None = None,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        restart: bool = False,
        on_progress: OnProgress | None = None,
        on_note: OnNote | None = None,
        cancel: Cancel | None = None,
    ) -> UploadResult:
        """Upload any source; see :meth:`StreamingUploader.upload` for arguments and errors."""
        return self.uploader.upload(
            source,
            self._bucket(bucket),
            key,
            content_type=content_type,
            metadata=metadata,
            restart=restart,
            on_progress=on_progress,
            on_note=on_note,
            cancel=cancel,
        )

    def upload_url(
        self,
        url: str,
        key: str,
        *,
        bucket: str | None = None,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        restart: bool = False,
        on_progress: OnProgress | None = None,
    ) -> UploadResult:
        """Stream a URL into an object, without local disk. ``headers`` go to the source's server only."""
        source = HTTPSource(url, tuple((headers or {}).items()), self._retry, self._clock)
        return self.upload(
            source,
            key,
            bucket=bucket,
            content_type=content_type,
            metadata=metadata,
            restart=restart,
            on_progress=on_progress,
        )

    def upload_file(
        self,
        file_path: str | os.PathLike[str],
        key: str | None = None,
        *,
        bucket: str | None = None,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        restart: bool = False,
        on_progress: OnProgress | None = None,
    ) -> UploadResult:
        """Upload a file; the key is its base name where none is given."""
        return self.upload(
            FileSource(file_path),
            key or Path(file_path).name,
            bucket=bucket,
            content_type=content_type,
            metadata=metadata,
            restart=restart,
            on_progress=on_progress,
        )

    def put_object(
        self,
        key: str,
        data: bytes | bytearray | memoryview,
        *,
        bucket: str | None = None,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> UploadResult:
        """Upload bytes that are in memory."""
        return self.upload(BytesSource(data, key), key, bucket=bucket, content_type=content_type, metadata=metadata)

    def delete_object(self, key: str, *, bucket: str | None = None) -> None:
        """Delete one object; a missing one is success."""
        self._store.delete(self._bucket(bucket), key)

    def delete_objects(self, keys: Iterable[str], *, bucket: str | None = None) -> list[DeleteFailure]:
        """Delete objects, 1,000 a request, and return the failures; missing ones are none."""
        name, wanted = self._bucket(bucket), list(keys)
        batches = [wanted[at : at + 1000] for at in range(0, len(wanted), 1000)]
        failures: list[DeleteFailure] = []
        for batch in batches:
            failures += self._store.call("delete_many", partial(self._driver.delete_many, name, batch), name)
        return failures

    # -- reading -------------------------------------------------------------------------------------------------

    def head_object(self, key: str, *, bucket: str | None = None) -> ObjectInfo:
        """Return an object's size, etag, time, type and metadata. Raises ObjectNotFoundError."""
        return _metadata.present(self._store.head(self._bucket(bucket), key))

    def object_exists(self, key: str, *, bucket: str | None = None) -> bool:
        """Tell whether there is an object at ``key``."""
        return self._store.find(self._bucket(bucket), key) is not None

    def get_object(self, key: str, *, bucket: str | None = None) -> bytes:
        """Return an object's bytes; use ``download_file`` or ``iter_bytes`` for large ones."""
        return b"".join(bytes(block) for block in self.iter_bytes(key, bucket=bucket))

    def iter_bytes(self, key: str, *, bucket: str | None = None) -> Iterator[memoryview]:
        """Yield an object's bytes in blocks of up to 16 MiB; each is overwritten by the next."""
        return self._downloader.blocks(self._bucket(bucket), key)

    def download_file(
        self,
        key: str,
        file_path: str | os.PathLike[str],
        *,
        bucket: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> DownloadResult:
        """Write an object to a file, atomically."""
        return self._downloader.to_file(self._bucket(bucket), key, Path(file_path), on_progress)

    def iter_pages(self, prefix: str = "", *, delimiter: str = "", bucket: str | None = None) -> Iterator[ObjectPage]:
        """Yield a listing page by page, in UTF-8 byte order, without upload records."""
        for page in self._store.pages(self._bucket(bucket), prefix, delimiter):
            yield ObjectPage(
                tuple(_metadata.present(info) for info in page.objects if not info.key.startswith(RESERVED_PREFIX)),
                tuple(name for name in page.prefixes if not name.startswith(RESERVED_PREFIX)),
                page.token,
            )

    def iter_objects(self, prefix: str = "", *, bucket: str | None = None) -> Iterator[ObjectInfo]:
        """Yield all objects whose key starts with ``prefix``."""
        for page in self.iter_pages(prefix, bucket=bucket):
            yield from page.objects

    # -- buckets -------------------------------------------------------------------------------------------------

    def create_bucket(self, bucket: str | None = None) -> None:
        """Create a bucket. Raises ConflictError when it exists."""
        name = self._bucket(bucket)
        self._store.guard.call("create_bucket", lambda: self._driver.create_bucket(name), bucket=name, retry=False)

    def list_buckets(self) -> list[str]:
        """Return the names of the account's buckets."""
        return list(self._store.guard.call("list_buckets", self._driver.list_buckets))

    def bucket_exists(self, bucket: str | None = None) -> bool:
        """Tell whether the bucket exists."""
        name = self._bucket(bucket)
        return self._store.call("bucket_exists", lambda: self._driver.bucket_exists(name), name)

    def _bucket(self, given: str | None) -> str:
        name = given or self.bucket
        if not name:
            raise ConfigurationError("no bucket was named", hint="Give bucket= to the client or to the call")
        return name
