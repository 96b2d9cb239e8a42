"""The client's methods for buckets.

Creating and deleting are not repeated blindly: after a failure that leaves open what happened (a lost answer, a pooled
connection that the service had closed) the client looks first, and tries once more only where nothing has happened.
"""

from __future__ import annotations

from collections.abc import Callable

from storagekit._arguments import check
from storagekit._client_base import ClientBase
from storagekit._client_unfinished import forget_bucket, remove_records
from storagekit._records import LocalRecords
from storagekit.driver import Code
from storagekit.errors import ConflictError, ServiceError
from storagekit.types import RESERVED_PREFIX


class BucketMethods(ClientBase):
    """Buckets: made, deleted, listed, looked for."""

    def create_bucket(self, bucket: str | None = None, location: str | None = None) -> None:
        """Create a bucket, in ``location`` where the service has several; None for that of the client's region.

        Raises ConflictError where it exists, InvalidNameError.
        """
        check(location=location)
        name = self._bucket(bucket)
        self._once("create_bucket", name, lambda: self._store.driver.create_bucket(name, location), exists_after=True)

    def delete_bucket(self, bucket: str) -> None:
        """Delete an empty bucket. Upload records of ours do not count: their uploads are aborted and they are deleted.

        Raises BucketNotFoundError, ConflictError where it holds anything else.
        """
        name = self._bucket(bucket)
        try:
            self._delete_bucket(name)
        except ConflictError as error:
            if error.code != Code.BUCKET_NOT_EMPTY.value or self._holds_objects(name):
                raise
            with self._at("delete_bucket", name):
                remove_records(self._store, LocalRecords(self._scope), name)
            self._delete_bucket(name)
        forget_bucket(LocalRecords(self._scope), name)

    def _delete_bucket(self, name: str) -> None:
        self._once("delete_bucket", name, lambda: self._store.driver.delete_bucket(name), exists_after=False)

    def _holds_objects(self, name: str) -> bool:
        pages = self._store.pages(name)
        return any(not info.key.startswith(RESERVED_PREFIX) for page in pages for info in page.objects)

    def _once(self, operation: str, name: str, run: Callable[[], None], *, exists_after: bool) -> None:
        """Run a call that must not be repeated blindly."""
        with self._at(operation, name):
            try:
                self._store.guard.call(operation, run, bucket=name, retry=False)
            except ServiceError:
                if self.bucket_exists(name) != exists_after:
                    self._store.guard.call(operation, run, bucket=name, retry=False)
                elif exists_after:
                    raise  # it may have been there before, and somebody else's

    def list_buckets(self) -> list[str]:
        """Return the names of the account's buckets, sorted."""
        with self._at("list_buckets", None):
            return list(self._store.guard.call("list_buckets", self._store.driver.list_buckets))

    def bucket_exists(self, bucket: str | None = None) -> bool:
        """Tell whether the bucket exists. Raises PermissionDeniedError where the service does not say."""
        name = self._bucket(bucket)
        with self._at("bucket_exists", name):
            return self._store.call("bucket_exists", lambda: self._store.driver.bucket_exists(name), name)
