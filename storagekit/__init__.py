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
"""Marks a plugin's implementation of a hook; see :mod:`storagekit.hookspecs`."""

_HOME = {
    "StorageClient": "storagekit.client",
    "StreamingUploader": "storagekit.uploader",
    "RetryPolicy": "storagekit._retry",
    "StorageError": "storagekit.errors",
    "ObjectInfo": "storagekit.types",
    "UploadResult": "storagekit.types",
    "DownloadResult": "storagekit.types",
    "Progress": "storagekit.types",
}

__all__ = [
    "DownloadResult",
    "ObjectInfo",
    "Progress",
    "RetryPolicy",
    "StorageClient",
    "StorageError",
    "StreamingUploader",
    "UploadResult",
    "__version__",
    "hookimpl",
]

if TYPE_CHECKING:
    from storagekit._retry import RetryPolicy
    from storagekit.client import StorageClient
    from storagekit.errors import StorageError
    from storagekit.types import DownloadResult, ObjectInfo, Progress, UploadResult
    from storagekit.uploader import StreamingUploader
else:  # hidden from type checkers, which would take any misspelt name for Any

    def __getattr__(name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(f"module 'storagekit' has no attribute {name!r}")
        return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
