"""What all groups of the client's methods share: the store, the engine, the default bucket, and where errors happen.

``StorageClient`` (``client.py``) is made of one class per group, each in a module of its own: ``_client_uploads.py``,
``_client_objects.py``, ``_client_trees.py``, ``_client_listings.py``, ``_client_buckets.py``,
``_client_unfinished.py``, ``_client_urls.py``. They share these attributes, which ``StorageClient.__init__`` sets once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from storagekit._arguments import check
from storagekit._clock import Clock
from storagekit._retry import RetryPolicy
from storagekit._store import Store
from storagekit.downloader import Downloader
from storagekit.errors import ConfigurationError, Context, InvalidNameError, StorageError
from storagekit.types import Progress
from storagekit.uploader import StreamingUploader

OnProgress = Callable[[Progress], None]
OnNote = Callable[[str], None]


class ClientBase:
    """The attributes of a client, and the two things that every call begins with: which bucket, and where it is."""

    backend: str
    bucket: str | None
    uploader: StreamingUploader
    _service: object
    """Equal for clients of one account at one service: an object of one can be copied by the other on the server."""
    _store: Store
    _downloader: Downloader
    _scope: str
    _retry: RetryPolicy
    _clock: Clock

    def _bucket(self, given: str | None) -> str:
        check(bucket=given)
        name = given or self.bucket
        if not name:
            raise ConfigurationError("no bucket was named", hint="Give bucket= to the client or to the call")
        return name

    @contextmanager
    def _at(self, operation: str, bucket: str | None, key: str | None = None) -> Iterator[None]:
        """Inside, every error of ours says where it happened; one of another place (a URL) says that."""
        try:
            yield
        except StorageError as error:
            error.locate(Context(backend=self.backend, bucket=bucket, key=key, operation=operation))
            raise

    @contextmanager
    def _at_object(self, operation: str, bucket: str, key: str) -> Iterator[None]:
        """The same for an object that may exist under any name; only what is no name at all is refused."""
        with self._at(operation, bucket, key):
            require_key(key)
            yield


def require_key(key: object) -> None:
    """Raise InvalidNameError for what is no key. A request for the key None is one for the bucket: also a DELETE."""
    if not isinstance(key, str) or not key:
        raise InvalidNameError(f"{key!r} is no key", hint="Give the object's key, as text")
