"""What the operations work on: the driver that keeps the data, and what the service knows besides.

CRC-64s of whole objects are remembered where they were computed anyway: of what was put, and of what was joined from
parts. Of others, such as those of a run before, the bytes are read once, at the first look.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fastcrc import crc64

from storagekit.driver import Code, Driver
from storagekit.testing.emulator.body import BLOCK, Incoming
from storagekit.testing.emulator.ledger import BUCKET, Ledger
from storagekit.testing.emulator.operations.dialect import Dialect
from storagekit.testing.emulator.refusal import Refusal
from storagekit.testing.emulator.request import Request
from storagekit.types import ObjectInfo

_STRIPES = 64  # locks of completes: two keys rarely share one
_REMEMBERED = 10_000


@dataclass(frozen=True)
class Address:
    """``bucket`` is empty for the service itself, ``key`` for the bucket. ``virtual``: the host names the bucket."""

    bucket: str = ""
    key: str = ""
    virtual: bool = False


@dataclass(frozen=True)
class Call:
    """One request that was let in: by whom, about what, in which dialect. ``public``: anybody may read the bucket."""

    request: Request
    address: Address
    body: Incoming
    dialect: Dialect
    owner: str
    public: bool = False

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self.address.bucket

    @property
    def key(self) -> str:
        """The object's key."""
        return self.address.key


class Store:
    """The data of one emulator; used from many threads."""

    def __init__(
        self, driver: Driver, *, clock: Callable[[], float], region: str, domain: str, scheme: str, min_part: int
    ) -> None:
        self.driver = driver
        self.ledger = Ledger(driver)
        self.region, self.domain, self.scheme, self.min_part = region, domain, scheme, min_part
        self.clock = clock
        self._crcs: dict[tuple[str, str, str], int] = {}
        self._lock = threading.Lock()
        self._stripes = [threading.Lock() for _ in range(_STRIPES)]
        self._last_moment = 0

    def require(self, bucket: str, owner: str) -> None:
        """Raise Refusal where there is no such bucket, or it is somebody else's."""
        if bucket != BUCKET and self.driver.bucket_exists(bucket):
            if self.owner_of(bucket) != owner:
                raise Refusal("AccessDenied", "Access Denied")
            return
        raise Refusal("NoSuchBucket", "The specified bucket does not exist.", BucketName=bucket)

    def owner_of(self, bucket: str) -> str:
        """Return whose a bucket is; one that another program made in the driver is everybody's first owner's."""
        return self.ledger.get(f"bucket/{bucket}").get("owner", "owner")

    def location_of(self, bucket: str) -> str:
        """Return the region that a bucket was made in."""
        return self.ledger.get(f"bucket/{bucket}").get("location", self.region)

    def moment(self) -> int:
        """Return the time in ns, later than any that was returned before."""
        with self._lock:
            self._last_moment = max(int(self.clock() * 1e9), self._last_moment + 1)
            return self._last_moment

    @contextmanager
    def publishing(self, bucket: str, key: str) -> Iterator[None]:
        """Let one complete of a key decide and act at a time."""
        with self._stripes[hash((bucket, key)) % _STRIPES]:
            yield

    def remember_crc(self, bucket: str, key: str, etag: str, crc: int) -> None:
        """Keep the CRC-64 of one version of an object."""
        with self._lock:
            while len(self._crcs) >= _REMEMBERED:
                del self._crcs[next(iter(self._crcs))]
            self._crcs[bucket, key, etag] = crc

    def crc_of(self, bucket: str, info: ObjectInfo) -> int | None:
        """Return the CRC-64 of an object; None where it is another one by now."""
        known = self._crcs.get((bucket, info.key, info.etag))
        if known is None:
            known = self._read_crc(bucket, info)
            if known is not None:
                self.remember_crc(bucket, info.key, info.etag, known)
        return known

    def _read_crc(self, bucket: str, info: ObjectInfo) -> int | None:
        crc, buffer = 0, memoryview(bytearray(BLOCK))
        try:
            with self.driver.read(bucket, info.key, if_match=info.etag) as reader:
                if reader.etag != info.etag:
                    return None
                while count := reader.readinto(buffer):
                    crc = crc64.xz(buffer[:count], crc)
        except Exception as error:
            if self.driver.classify(error).code in (Code.PRECONDITION, Code.NOT_FOUND):
                return None
            raise
        return crc
