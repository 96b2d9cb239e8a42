"""A service in memory, and clients of it, for recursive transfers."""

from __future__ import annotations

import threading
from typing import Any

from storagekit import StorageClient
from storagekit._retry import RetryPolicy
from storagekit.driver import Code
from storagekit.drivers.memory import MemoryDriver
from storagekit.testing.bodies import BytesBody
from storagekit.testing.faults import Call, FakeClock, FaultyDriver, fault
from storagekit.types import WriteOptions

BUCKET = "data"
FILES = {"a.txt": b"1", "a/b/c": b"22", "a/d": b"333", "z": b"4444"}


class World:
    """A service, and clients of it as fresh processes would have them."""

    def __init__(self) -> None:
        self.driver = FaultyDriver(MemoryDriver())
        self.client().create_bucket(BUCKET)

    def client(self, **options: Any) -> StorageClient:
        settings = {"clock": FakeClock(), "retry": RetryPolicy(attempts=2), "workers": 3, **options}
        return StorageClient("memory", BUCKET, driver=self.driver, **settings)

    def names(self) -> list[str]:
        return [info.key for info in self.client().iter_objects()]

    def put(self, *keys: str) -> None:
        for key in keys:
            self.client().put_object(key, key.encode())

    def counted(self, operation: str) -> int:
        return len(self.driver.operations(operation))

    def fails(self, code: Code, operation: str, *keys: str) -> None:
        self.driver.calls.clear()
        self.driver.before = lambda call: (
            fault(code) if call.operation == operation and (not keys or call.key in keys) else None
        )


class Pages:
    """A driver that lists two objects a page."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def list(
        self,
        bucket: str,
        prefix: str = "",
        delimiter: str = "",
        start_after: str = "",
        token: str | None = None,
        limit: int = 1000,
    ) -> Any:
        return self._inner.list(bucket, prefix, delimiter, start_after, token, min(limit, 2))


def meet(call: Call, together: threading.Barrier) -> Exception | None:
    """Let three puts wait for each other; alone, each of them fails."""
    try:
        if call.operation == "put":
            together.wait()
    except threading.BrokenBarrierError:
        return fault(Code.ACCESS_DENIED)
    return None


def body(data: bytes = b"x") -> tuple[Any, Any]:
    """What a driver's put takes: to write keys that the client refuses."""
    return BytesBody(data), WriteOptions()
