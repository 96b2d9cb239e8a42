"""Throttling on demand: a test says which requests the service is to be too busy for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from storagekit.testing.emulator.refusal import Refusal
from storagekit.testing.emulator.request import Request

When = Callable[[Request], bool]


class Throttled(Refusal):
    """A request came while the service was busy. ``delay_ms`` is when to come again, where the service says so."""

    def __init__(self, code: str, delay_ms: int | None) -> None:
        super().__init__(code, "Please reduce your request rate.")
        self.delay_ms = delay_ms


@dataclass(frozen=True)
class _Order:
    count: int
    code: str
    delay_ms: int | None
    when: When


class Throttle:
    """What was asked for and is still to come; used from many threads."""

    def __init__(self) -> None:
        self.refused = 0
        self._orders: list[_Order] = []
        self._lock = threading.Lock()

    def order(self, count: int, code: str, delay_ms: int | None, when: When) -> None:
        """Have the next ``count`` requests for which ``when`` is true refused."""
        with self._lock:
            self._orders.append(_Order(count, code, delay_ms, when))

    def check(self, request: Request) -> None:
        """Raise Throttled where this request is one that was asked for."""
        with self._lock:
            for index, order in enumerate(self._orders):
                if order.count and order.when(request):
                    self._orders[index] = replace(order, count=order.count - 1)
                    self.refused += 1
                    raise Throttled(order.code, order.delay_ms)
