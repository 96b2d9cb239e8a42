"""What a service knows and a driver has no place for: whose a bucket is, which upload made an object.

Small facts by name, each one object of JSON in a bucket of the driver that no client can see or reach. So they live as
long as the data do. They are all read at the start and held in memory.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping

from storagekit.driver import Code, Driver
from storagekit.testing.bodies import BytesBody
from storagekit.types import WriteOptions

BUCKET = "storagekit-emulator"
"""The bucket that clients do not see."""


class Ledger:
    """Facts by name; a name is a key of the bucket."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._lock = threading.Lock()
        self._made = False
        self._facts: dict[str, Mapping[str, str]] = dict(self._stored())

    def get(self, name: str) -> Mapping[str, str]:
        """Return the facts of that name; empty where there are none."""
        return self._facts.get(name, {})

    def put(self, name: str, facts: Mapping[str, str]) -> None:
        """Keep facts, in place of those of that name."""
        body = BytesBody(json.dumps(dict(facts)).encode(), checksum=None)
        with self._lock:
            self._make_bucket()
            self._driver.put(BUCKET, name, body, WriteOptions())
            self._facts[name] = dict(facts)

    def drop(self, name: str) -> None:
        """Forget the facts of that name, where there are any."""
        with self._lock:
            if self._facts.pop(name, None) is not None:
                self._driver.delete(BUCKET, name)

    def _make_bucket(self) -> None:
        if self._made:
            return
        try:
            self._driver.create_bucket(BUCKET)
        except Exception as error:
            if self._driver.classify(error).code is not Code.BUCKET_EXISTS:
                raise
        self._made = True

    def _stored(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        if not self._driver.bucket_exists(BUCKET):
            return
        token = None
        while True:
            page = self._driver.list(BUCKET, token=token)
            for info in page.objects:
                yield info.key, json.loads(self._read(info.key, info.size))
            token = page.token
            if token is None:
                return

    def _read(self, name: str, size: int) -> bytes:
        data = memoryview(bytearray(size))
        with self._driver.read(BUCKET, name) as reader:
            done = 0
            while done < size and (count := reader.readinto(data[done:])):
                done += count
        return bytes(data)
