"""StorageClient: what people import. One backend, one account, any bucket.

It resolves the configuration, makes the driver, and hands each call to the engine (``uploader.py``,
``downloader.py``) or, guarded, to the driver. The methods are in the groups that it is made of: see
``_client_base.py``. It adds no rule of its own but one: keys under ``.storagekit/`` are hidden.

Every call can be written with names only, in any order: ``client.upload_file(bucket="b", key="k", file_path="p")``.
``bucket`` is never positional beside a key, so that arguments in another client's order fail instead of meaning
something else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import TracebackType
from typing import NoReturn

from storagekit._arguments import check
from storagekit._client_buckets import BucketMethods
from storagekit._client_listings import ListingMethods
from storagekit._client_objects import ObjectMethods
from storagekit._client_unfinished import UnfinishedMethods
from storagekit._client_uploads import UploadMethods
from storagekit._clock import Cancel, Clock
from storagekit._retry import RetryPolicy
from storagekit.config import Given, choose_backend, resolve, texts
from storagekit.downloader import Downloader
from storagekit.driver import Driver
from storagekit.plugins import Registry
from storagekit.uploader import DEFAULT_MEMORY, DEFAULT_WORKERS, StreamingUploader

__all__ = ["Cancel", "StorageClient"]


class StorageClient(UploadMethods, ObjectMethods, ListingMethods, BucketMethods, UnfinishedMethods):
    """One backend. Safe to share between threads; a context manager that closes its connections.

    Args:
        backend: ``obs``, ``minio`` (or ``s3``), ``oss``, ``local``, ``memory``, or what a plugin brings. None: from
            the environment, or ``minio`` where an endpoint is given.
        bucket: the bucket of calls that name none.
        endpoint: host, host:port or URL of the service.
        part_size: bytes per part of new uploads; None for 16 MiB.
        workers: parts under way at once.
        memory: budget in bytes for all parts under way.
        checkpoint: where upload records are kept: ``auto``, ``bucket``, ``local``, ``off``.
        max_speed: bytes per second that all transfers together send and receive at most; None for no limit.
        retry: how often and how long to try one request.
        clock: time, sleep and chance; replaced in tests.
        environment: variables to read settings from; None for the process's own.
        driver: a driver object to use instead of making one.
        settings: further settings of the backend, such as ``access_key``, ``secret_key``, ``region``, ``use_ssl``,
            ``root``.

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
        max_speed: int | None = None,
        retry: RetryPolicy | None = None,
        clock: Clock | None = None,
        environment: Mapping[str, str] | None = None,
        driver: Driver | None = None,
        **settings: Given | None,
    ) -> None:
        check(bucket=bucket, part_size=part_size, workers=workers, memory=memory, max_speed=max_speed, retry=retry)
        env = os.environ if environment is None else environment
        self.backend = choose_backend(backend, endpoint, env) if driver is None else backend or "driver"
        self._scope = self.backend
        self._service: object = id(driver)
        if driver is None:
            driver, self._scope, account = _make(self.backend, {**settings, "endpoint": endpoint}, env)
            self._service = (self._scope, account)
        self.bucket = bucket
        self._retry = retry or RetryPolicy()
        self._clock = clock or Clock()
        self.uploader = StreamingUploader(
            driver,
            backend=self.backend,
            scope=self._scope,
            part_size=part_size,
            workers=workers,
            memory=memory,
            checkpoint=checkpoint,
            retry=self._retry,
            clock=self._clock,
            max_speed=max_speed,
        )
        self._store = self.uploader.store
        self._downloader = Downloader(self._store, workers, self.uploader.window)

    def __enter__(self) -> StorageClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"StorageClient(backend={self.backend!r}, bucket={self.bucket!r})"

    def __getstate__(self) -> NoReturn:
        raise TypeError("a StorageClient has connections and is not pickled or copied: make one in each process")

    def close(self) -> None:
        """Close the connections. A call after that works, and opens new ones."""
        self._store.driver.close()


def _make(
    backend: str, arguments: Mapping[str, Given | None], environment: Mapping[str, str]
) -> tuple[Driver, str, str | None]:
    """Return the driver, what tells its service apart (one name for a backend and its aliases), and the account."""
    registry = Registry.create(environment)
    spec = registry.find(backend)
    values = texts(resolve(spec, arguments, environment))
    place = values.get("endpoint") or values.get("root") or ""
    return registry.create_driver(backend, values), f"{spec.backend} {place}", values.get("access_key")
