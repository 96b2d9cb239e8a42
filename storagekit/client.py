"""StorageClient: what people import. One backend, one account, any bucket.

It resolves the configuration, makes the driver, and hands each call to the engine (``uploader.py``,
``downloader.py``) or, guarded, to the driver. The methods are in the groups that it is made of: see
``_client_base.py``. It adds no rule of its own but one: keys under ``.storagekit/`` are hidden.

Every call can be written with names only, in any order: ``client.upload_file(bucket="b", key="k", file_path="p")``.
``bucket`` is never positional beside a key, so that arguments in another client's order fail instead of meaning
something else; but in ``presigned_url``, where both come behind a method that says what is meant.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from types import TracebackType
from typing import NoReturn

from storagekit._arguments import check
from storagekit._client_buckets import BucketMethods
from storagekit._client_listings import ListingMethods
from storagekit._client_objects import ObjectMethods
from storagekit._client_trees import TreeMethods
from storagekit._client_unfinished import UnfinishedMethods
from storagekit._client_uploads import UploadMethods
from storagekit._client_urls import URLMethods
from storagekit._clock import Cancel, Clock
from storagekit._profiles import load
from storagekit._retry import RetryPolicy
from storagekit._tuning import Tuning
from storagekit.config import Configuration, Given, configure, overruled, texts
from storagekit.downloader import Downloader
from storagekit.driver import Driver
from storagekit.plugins import Registry
from storagekit.uploader import StreamingUploader

__all__ = ["Cancel", "StorageClient"]


class StorageClient(
    TreeMethods, UploadMethods, ObjectMethods, ListingMethods, BucketMethods, UnfinishedMethods, URLMethods
):
    """One backend. Safe to share between threads; a context manager that closes its connections.

    Args:
        backend: ``obs``, ``minio`` (or ``s3``), ``oss``, ``local``, ``memory``, or what a plugin brings. None: from
            the profile or the environment, or ``minio`` where an endpoint is given.
        bucket: the bucket of calls that name none; None for that of the environment or the profile.
        profile: name of a profile in the configuration file, or ``obsutil:``, ``ossutil:[NAME]``, ``mc:ALIAS``,
            ``aws:[NAME]``. None: that of STORAGEKIT_PROFILE, or the one named ``default``, where it is of this backend;
            for ``s3`` else AWS's own.
        endpoint: host, host:port or URL of the service.
        part_size: bytes per part of new uploads; None for the profile's, or 16 MiB.
        workers: parts under way at once; None for the profile's, or 4.
        memory: budget in bytes for all parts under way; None for the profile's, or 256 MiB.
        checkpoint: where upload records are kept: ``auto``, ``bucket``, ``local``, ``off``; None for the profile's, or
            ``auto``.
        max_speed: bytes per second that all transfers together send and receive at most; None for the profile's, or
            no limit.
        retry: how often and how long to try one request.
        clock: time, sleep and chance; replaced in tests.
        environment: variables to read settings from; None for the process's own. The user's own files are looked for
            where it has HOME.
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
        profile: str | None = None,
        endpoint: str | None = None,
        part_size: int | None = None,
        workers: int | None = None,
        memory: int | None = None,
        checkpoint: str | None = None,
        max_speed: int | None = None,
        retry: RetryPolicy | None = None,
        clock: Clock | None = None,
        environment: Mapping[str, str] | None = None,
        driver: Driver | None = None,
        **settings: Given | None,
    ) -> None:
        check(bucket=bucket, part_size=part_size, max_speed=max_speed, retry=retry)
        env = os.environ if environment is None else environment
        self.backend = self._scope = backend or "driver"
        self._service: object = id(driver)
        tuning = Tuning()
        if driver is None:
            found, driver = _make(profile, backend, bucket, {**settings, "endpoint": endpoint}, env)
            self.backend, bucket, tuning = found.backend.text, found.bucket, found.tuning
            self._scope, self._service = found.scope, (found.scope, found.account)
        tuning = tuning.but(
            part_size=part_size, workers=workers, memory=memory, checkpoint=checkpoint, max_speed=max_speed
        )
        check(workers=tuning.workers, memory=tuning.memory)
        self.bucket = bucket
        self._retry = retry or RetryPolicy()
        self._clock = clock or Clock()
        self.uploader = StreamingUploader(
            driver,
            backend=self.backend,
            scope=self._scope,
            part_size=tuning.part_size,
            workers=tuning.workers,
            memory=tuning.memory,
            checkpoint=tuning.checkpoint,
            retry=self._retry,
            clock=self._clock,
            max_speed=tuning.max_speed,
        )
        self._store = self.uploader.store
        self._downloader = Downloader(self._store, tuning.workers, self.uploader.window)

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

    @property
    def driver(self) -> Driver:
        """The driver, for what only its backend has, such as ``ObsDriver.refresh``. The client goes on using it."""
        return self._store.driver

    def close(self) -> None:
        """Close the connections. A call after that works, and opens new ones."""
        self._store.driver.close()


def _make(
    profile: str | None,
    backend: str | None,
    bucket: str | None,
    arguments: Mapping[str, Given | None],
    environment: Mapping[str, str],
) -> tuple[Configuration, Driver]:
    """Return what the configuration says, and the driver."""
    registry = Registry.create(environment)
    named = load(profile, environment, backend)
    found = configure(registry.find, named, environment, backend=backend, bucket=bucket, arguments=arguments)
    for value in overruled(found.profile, found.settings):
        logging.getLogger("storagekit").warning("%s counts, not the %s of %s", value.origin, value.name, found.profile)
    return found, registry.create_driver(found.backend.text, texts(found.settings))
