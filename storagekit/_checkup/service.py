"""The steps of a checkup through the driver: credentials, bucket, and one small object there and back.

The object lies under the reserved prefix, below ``.storagekit/check/``, with a random name: nothing of the user's is
touched, and if it is left behind it is hidden. Each request is tried once: what the service says is what is shown.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property

from storagekit._checkup.finding import Finding, failed, not_needed, not_tried, ok, warning
from storagekit._checkup.refusals import (
    OF_BUCKET,
    OF_CREDENTIALS,
    bucket_unclear,
    is_no_storage_service,
    no_bucket,
    no_storage_service,
    plain,
)
from storagekit._checkup.subject import Subject
from storagekit._checkup.wire import TIMEOUT_S, within
from storagekit._clock import LAST_WORDS_S, Clock
from storagekit._retry import RetryPolicy
from storagekit._store import Store
from storagekit.driver import Driver, DriverSpec
from storagekit.errors import ChecksumError, InvalidNameError, ObjectNotFoundError, PermissionDeniedError, StorageError
from storagekit.types import RESERVED_PREFIX, Upload, WriteOptions

log = logging.getLogger("storagekit")

_SHOWN_BUCKETS = 5
_TYPE = "text/plain"


def driver_settings(spec: DriverSpec, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the settings with the timeouts of a checkup, where the backend has such and none were given."""
    known = {setting.name for setting in spec.settings}
    timeouts = dict.fromkeys({"connect_timeout_s", "read_timeout_s"} & known, str(TIMEOUT_S))
    return timeouts | dict(settings)


def store_of(driver: Driver, backend: str) -> Store:
    """Return the driver behind a guard that tries each request once."""
    return Store.of(driver, backend, RetryPolicy(attempts=1), Clock())


class Service:
    """One account and one bucket of it. The methods are called in their order."""

    def __init__(self, subject: Subject, token: str) -> None:
        self._subject = subject
        self._store = subject.store
        self._bucket = subject.bucket or ""
        self.key = f"{RESERVED_PREFIX}check/{token}"
        self._data = f"storagekit config check {token}\n".encode()
        self._is_put = False
        self._is_refused = False
        self._begun: Upload | None = None

    @cached_property
    def _first_look(self) -> list[str] | StorageError:
        """The first signed request, which three steps read: the bucket's listing, or where none is named of buckets.

        A listing, because its refusal has a body: an answer to HEAD has no words.
        """
        return self._look(self._subject.bucket)

    def _look(self, bucket: str | None) -> list[str] | StorageError:
        driver = self._store.driver
        try:
            if bucket is None:
                return self._store.guard.call("list_buckets", lambda: list(driver.list_buckets()))
            page = self._store.call("list", lambda: driver.list(bucket, limit=1), bucket)
            return [each.key for each in page.objects]
        except StorageError as error:
            return error

    def credentials(self) -> Finding:
        """Send a signed request. A refusal that is about something else shows that the signature holds."""
        if not self._subject.signs:
            return not_needed(f"the backend {self._subject.backend} has none")
        seen = self._first_look
        if isinstance(seen, InvalidNameError) and seen.status is None:
            seen = self._look(None)  # the driver refused the bucket's name, and the service was not asked
        if not isinstance(seen, StorageError):
            return ok("the service takes them")
        if is_no_storage_service(seen):
            return failed(no_storage_service(seen, self._subject))
        if isinstance(seen, PermissionDeniedError) and seen.code not in OF_CREDENTIALS:
            return ok("the service takes the signature, though it does not allow to list")
        if seen.code in OF_BUCKET:
            return ok("the service takes them")
        return failed(plain(seen, "a signed request", self._subject))

    def bucket(self) -> Finding:
        """Find out whether the bucket is there."""
        seen = self._first_look
        if self._subject.bucket is None:
            return self._no_bucket_named(seen)
        if not isinstance(seen, StorageError):
            return ok(f"{self._subject.uri} is there")
        if isinstance(seen, PermissionDeniedError):
            return self._denied_bucket(seen)
        return failed(plain(seen, "a look at the bucket", self._subject))

    def _no_bucket_named(self, seen: list[str] | StorageError) -> Finding:
        if isinstance(seen, StorageError):
            return not_tried("no bucket was named, and buckets cannot be listed")
        names = ", ".join(seen[:_SHOWN_BUCKETS]) + (", ..." if len(seen) > _SHOWN_BUCKETS else "")
        return not_tried("no bucket was named" + (f"; there are {len(seen)}: {names}" if seen else "; there is none"))

    def _denied_bucket(self, seen: PermissionDeniedError) -> Finding:
        """Ask in another way where listing is refused: a HEAD needs no right to list with some services."""
        try:
            is_there = self._store.call(
                "bucket_exists", lambda: self._store.driver.bucket_exists(self._bucket), self._bucket
            )
        except StorageError:
            return warning(*bucket_unclear(seen, self._subject))
        return ok(f"{self._subject.uri} is there") if is_there else failed(no_bucket(self._subject))

    def list(self) -> Finding:
        """Say whether the bucket may be listed."""
        seen = self._first_look
        if isinstance(seen, StorageError):
            return failed(plain(seen, "list", self._subject))
        return ok("the bucket may be listed")

    def put(self) -> Finding:
        """Store the small object."""
        self._is_put = True  # also where the answer is lost: clean_up deletes what may be there
        try:
            self._store.put_bytes(self._bucket, self.key, self._data, _TYPE)
        except PermissionDeniedError as error:
            self._is_put, self._is_refused = False, True
            return failed(plain(error, "put", self._subject))
        except StorageError as error:
            return failed(plain(error, "put", self._subject))
        return ok(f"stored {len(self._data)} bytes as {self.key}", key=self.key)

    def get(self) -> Finding:
        """Read it back; where put was refused, ask for what is not there: that tells whether reading is allowed."""
        try:
            found = self._store.read_bytes(self._bucket, self.key, len(self._data) + 1)
        except ObjectNotFoundError as error:
            if self._is_refused:
                return ok("reading is allowed: an object that is not there was asked for, and not refused")
            return failed(plain(error, "get", self._subject))
        except StorageError as error:
            return failed(plain(error, "get", self._subject))
        if found != self._data:
            problem = f"what was read back differs: {len(found)} bytes instead of the {len(self._data)} that were put"
            hint = "Look for a proxy or a cache that changes answers"
            return failed(ChecksumError(problem, hint=hint))
        return ok("what was read back is what was put")

    def delete(self) -> Finding:
        """Delete it again."""
        if not self._is_put:
            return not_tried("nothing was put")
        try:
            self._delete()
        except StorageError as error:
            self._is_put = False  # has been told; clean_up is for what an interruption left
            return failed(plain(error, "delete", self._subject, self.key))
        return ok("it is gone again")

    def parts(self) -> Finding:
        """Begin an upload in parts and abort it: a permission of its own, and another one to abort."""
        try:
            self._begun = self._store.call("create_upload", self._begin, self._bucket, self.key)
        except StorageError as error:
            return failed(plain(error, "parts", self._subject))
        try:
            self._abort()
        except StorageError as error:
            self._begun = None
            return failed(plain(error, "abort", self._subject, self.key))
        return ok("an upload in parts was begun and aborted")

    def _begin(self) -> Upload:
        driver = self._store.driver
        return driver.create_upload(self._bucket, self.key, WriteOptions(_TYPE), driver.limits.min_part)

    def _delete(self) -> None:
        if self._is_put:
            self._store.delete(self._bucket, self.key)
            self._is_put = False

    def _abort(self) -> None:
        if self._begun is not None:
            self._store.abort(self._begun)
            self._begun = None

    def clean_up(self) -> None:
        """Delete what an interruption left, as far as the service allows: who interrupts does not wait for long."""
        if not self._is_put and self._begun is None:
            return
        try:
            within(LAST_WORDS_S, self._tidy)
        except (StorageError, TimeoutError):
            log.warning("left behind: %s in %s", self.key, self._bucket)

    def _tidy(self) -> None:
        with suppress(StorageError):
            self._abort()
        self._delete()
