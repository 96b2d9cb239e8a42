"""When an action is to be taken instead of plain forwarding."""

from __future__ import annotations

import threading

from storagekit.testing.proxy.request import Predicate, Request
from storagekit.testing.proxy.transaction import Action


class Fault:
    """``do`` for the requests that ``when`` picks: the first ``skip`` of them pass, then ``times`` (None: all) do not.

    A request for which several faults would act gets the first in the list; the others do not count it.
    """

    def __init__(self, when: Predicate, do: Action, times: int | None = 1, skip: int = 0) -> None:
        self.when = when
        self.do = do
        self.times = times
        self.skip = skip
        self._lock = threading.Lock()
        self._seen = 0

    def __repr__(self) -> str:
        return f"Fault({self.do!r}, times={self.times}, skip={self.skip}, fired={self.fired})"

    @property
    def fired(self) -> int:
        """How often it has acted."""
        return max(0, self._seen - self.skip)

    def take(self, request: Request) -> bool:
        """Whether it acts on this request; counts."""
        if not self.when(request):
            return False
        with self._lock:
            if self.times is not None and self._seen >= self.skip + self.times:
                return False
            self._seen += 1
            return self._seen > self.skip
