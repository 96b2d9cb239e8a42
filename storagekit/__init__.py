"""storagekit: move bytes into and out of object storage, and prove it.

    from storagekit import StorageClient
    with StorageClient(backend="local", bucket="datasets") as client:
        client.upload_url("https://host/shard-0001.tar", key="raw/shard-0001.tar")

Names are loaded when they are first used, so that importing the package costs a few milliseconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pluggy

__version__ = "0.1.0"

hookimpl = pluggy.HookimplMarker("storagekit")
"""Marks a plugin's implementation of a hook; see ``storagekit.hookspecs``."""

_HOME = {
    "StorageClient": "storagekit.client",
    "StreamingUploader": "storagekit.uploader",
    "UploadContext": "storagekit._context",
    "RetryPolicy": "storagekit._retry",
    "ConfigurationError": "storagekit.errors",
    "ConflictError": "storagekit.errors",
    "IntegrityError": "storagekit.errors",
    "NotFoundError": "storagekit.errors",
    "ServiceError": "storagekit.errors",
    "StorageError": "storagekit.errors",
    "ObjectInfo": "storagekit.types",
    "UploadResult": "storagekit.types",
    "DownloadResult": "storagekit.types",
    "Progress": "storagekit.types",
    "download_from_url": "storagekit.urls",
    "upload_to_url": "storagekit.urls",
}

__all__ = [
    "ConfigurationError",
    "ConflictError",
    "DownloadResult",
    "IntegrityError",
    "NotFoundError",
    "ObjectInfo",
    "Progress",
    "RetryPolicy",
    "ServiceError",
    "StorageClient",
    "StorageError",
    "StreamingUploader",
    "UploadContext",
    "UploadResult",
    "hookimpl",
]

if TYPE_CHECKING:
    from storagekit._context import UploadContext
    from storagekit._retry import RetryPolicy
    from storagekit.client import StorageClient
    from storagekit.errors import (
        ConfigurationError,
        ConflictError,
        IntegrityError,
        NotFoundError,
        ServiceError,
        StorageError,
    )
    from storagekit.types import DownloadResult, ObjectInfo, Progress, UploadResult
    from storagekit.uploader import StreamingUploader
    from storagekit.urls import download_from_url as download_from_url  # a name of the package, beside __all__
    from storagekit.urls import upload_to_url as upload_to_url
else:  # hidden from type checkers, which would take any misspelt name for Any

    def __getattr__(name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(f"module 'storagekit' has no attribute {name!r}")
        return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
