"""What the conformance tests stand on: the harness and a few verbs that read well in a test."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from storagekit._guard import classify
from storagekit.driver import Code, Driver, Failure, Reader
from storagekit.testing.bodies import BytesBody, digest, pattern
from storagekit.types import ObjectInfo, ObjectPage, Part, PutResult, Upload, WriteOptions

T = TypeVar("T")

PLAIN = WriteOptions()
TRANSIENT = {Code.NETWORK, Code.SERVER, Code.STALE_CONNECTION, Code.THROTTLED, Code.TIMEOUT}


@dataclass(frozen=True)
class Harness:
    """One backend as the suite sees it; made afresh for every test.

    ``bucket`` exists and is empty; ``missing_bucket`` does not exist; ``new_bucket`` does not exist and may be
    created. ``make_driver`` returns a second instance that reaches the same data. The rest is what backends may
    legitimately differ in and ``Limits`` does not say:

    ``abort_stops_parts``: a part in flight during an abort fails; else (Swift) it may be acknowledged, and is dropped.
    ``forgets_completed``: a completed upload is gone for every call; else (Swift) its parts, which are the object's own
    segments, are still listed.
    ``one_or_the_other``: of an abort and a complete at the same moment one happens; else (Swift) both may, which leaves
    an object that cannot be read, and the suite asks for one after the other only.
    ``repeats_complete``: a second complete of one upload is answered like the first (AWS); else UPLOAD_GONE.
    ``exact_start_after``: a page that starts behind a key in a folder is complete; else (MinIO of 2026-02, where the
    bucket takes several pages) it may leave out keys of that folder.
    ``odd_keys``: keys that the round trip leaves out, because this service cannot hold them.
    """

    driver: Driver
    bucket: str
    make_driver: Callable[[], Driver]
    missing_bucket: str = "storagekit-missing-bucket"
    new_bucket: str = "storagekit-new-bucket"
    abort_stops_parts: bool = True
    forgets_completed: bool = True
    one_or_the_other: bool = True
    repeats_complete: bool = False
    exact_start_after: bool = True
    odd_keys: frozenset[str] = frozenset()

    @property
    def part(self) -> int:
        """Size in bytes of the parts that the suite sends: the smallest allowed, at least 4 KiB."""
        return max(self.driver.limits.min_part, 4096)

    def body(self, data: bytes, **how: Any) -> BytesBody:
        """Return a body with the checksum that the driver wants; ``how`` as for :class:`BytesBody`."""
        return BytesBody(data, self.driver.limits.checksum, **how)

    def put(self, key: str, data: bytes, options: WriteOptions = PLAIN) -> PutResult:
        """Store an object."""
        return self.driver.put(self.bucket, key, self.body(data), options)

    def get(self, key: str, start: int = 0, length: int | None = None, if_match: str | None = None) -> bytes:
        """Return an object's bytes, or a range of them."""
        with self.driver.read(self.bucket, key, start, length, if_match) as reader:
            return drain(reader)

    def head(self, key: str) -> ObjectInfo:
        """Return what the service says of an object."""
        return self.driver.head(self.bucket, key)

    def begin(self, key: str, options: WriteOptions = PLAIN) -> Upload:
        """Begin an upload whose planned part size is ``part``."""
        return self.driver.create_upload(self.bucket, key, options, self.part)

    def send(self, upload: Upload, number: int, data: bytes, **how: Any) -> Part:
        """Store one part."""
        return self.driver.put_part(upload, number, self.body(data, **how))

    def multipart(self, key: str, *parts: bytes, options: WriteOptions = PLAIN) -> PutResult:
        """Store an object made of ``parts``, in order."""
        upload = self.begin(key, options)
        sent = [self.send(upload, number, data) for number, data in enumerate(parts, 1)]
        return self.driver.complete_upload(upload, sent)

    def pages(self, limit: int = 1000, **where: str) -> Iterator[ObjectPage]:
        """Yield the pages of a listing."""
        token: str | None = None
        while True:
            page = self.driver.list(self.bucket, token=token, limit=limit, **where)
            yield page
            token = page.token
            if token is None:
                return

    def listed(self, limit: int = 1000, **where: str) -> list[str]:
        """Return the keys of a whole listing."""
        return [info.key for page in self.pages(limit, **where) for info in page.objects]

    def pending(self, key: str) -> set[str]:
        """Return the ids of the unfinished uploads of ``key``."""
        found = self.driver.list_uploads(self.bucket, key).uploads
        return {upload.id for upload in found if upload.key == key}

    def is_completed(self, upload: Upload, numbers: list[int]) -> None:
        """Assert what a completed upload of these parts is: gone, or still listed where that is declared."""
        if self.forgets_completed:
            self.refuses(Code.UPLOAD_GONE, self.driver.list_parts, upload)
        else:
            assert [part.number for part in self.driver.list_parts(upload).parts] == numbers

    def attempt(self, call: Callable[[], T]) -> T | Code:
        """Return what ``call`` returns, or the code of its failure, where a backend may do the one or the other."""
        try:
            return call()
        except Exception as error:  # noqa: BLE001  # which class it is, is the driver's business
            return classify(self.driver.classify, error).code

    def steadily(self, call: Callable[[], T]) -> T:
        """Return what ``call`` returns; again, as the core would, where a service under load is out of breath."""
        for _ in range(20):
            try:
                return call()
            except Exception as error:
                if classify(self.driver.classify, error).code not in TRANSIENT:
                    raise
            time.sleep(0.1)
        return call()

    def refuses(self, code: Code, call: Callable[..., object], *args: Any) -> None:
        """Assert that ``call(*args)`` fails with ``code``."""
        assert failure(self.driver, partial(call, *args)).code is code

    def is_absent(self, key: str) -> None:
        """Assert that there is no object at ``key``, neither for head nor in a listing."""
        self.refuses(Code.NOT_FOUND, self.driver.head, self.bucket, key)
        assert key not in self.listed(prefix=key)

    def holds(self, key: str, data: bytes) -> None:
        """Assert that the object at ``key`` is ``data``, for head, listing and read alike."""
        info = self.head(key)
        listed = [found for page in self.pages(prefix=key) for found in page.objects if found.key == key]
        assert [(found.size, found.etag) for found in listed] == [(len(data), info.etag)]
        assert info.size == len(data)
        assert self.get(key) == data


def drain(reader: Reader, step: int = 1 << 16) -> bytes:
    """Return what is left in ``reader``, read ``step`` bytes at a time."""
    data, buffer = bytearray(), memoryview(bytearray(step))
    while count := reader.readinto(buffer):
        data += buffer[:count]
    return bytes(data)


def failure(driver: Driver, call: Callable[[], object]) -> Failure:
    """Run ``call``, which must fail, and return what the driver makes of its exception."""
    try:
        result = call()
    except Exception as error:  # noqa: BLE001  # which class it is, is the driver's business
        return classify(driver.classify, error)
    raise AssertionError(f"no failure, but {result!r}")


__all__ = ["PLAIN", "BytesBody", "Harness", "digest", "drain", "failure", "pattern"]
