"""The counter of body bytes, and the triggers on it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

from .log import Entry


class Trigger:
    """A callback waiting for a counter; ``cancel`` disarms it."""

    def __init__(self, at: int, callback: Callable[[], object], *, under_lock: bool = False) -> None:
        self.at = at
        self.under_lock = under_lock
        self._callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        """Never fire, unless it already has."""
        self._callback = None

    def fire(self) -> None:
        """Run the callback (the meter calls this once)."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class Meter:
    """The counter of body bytes and the triggers on it.

    Triggers of the source itself (change the content, kill a group) fire under the lock: who sees the counter past the
    mark, or starts a request after it, sees them done. Those of users fire outside, where they may wait for anything.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._value = 0
        self._triggers: list[Trigger] = []

    @property
    def value(self) -> int:
        """Body bytes the kernel took since the start or the last reset."""
        with self.lock:
            return self._value

    @property
    def armed(self) -> bool:
        """Whether a trigger waits."""
        return bool(self._triggers)

    def send(self, connection: socket.socket, data: memoryview, entry: Entry) -> int:
        """Hand over what the kernel takes without waiting, and count it."""
        with self.lock:
            count = connection.send(data, socket.MSG_DONTWAIT)
            entry.bytes_sent += count
            self._value += count
            due = self._meet_due() if self._triggers else []
        for trigger in due:
            trigger.fire()
        return count

    def when(self, trigger: Trigger) -> Trigger:
        """Have the trigger fire at its mark; now, if that is behind already."""
        with self.lock:
            self._triggers.append(trigger)
            due = self._meet_due()
        for other in due:
            other.fire()
        return trigger

    def reset(self) -> None:
        """Count from 0 again; triggers that have not fired stay."""
        with self.lock:
            self._value = 0

    def _meet_due(self) -> list[Trigger]:
        """Fire what fires under the lock; the others that are due."""
        due = [trigger for trigger in self._triggers if trigger.at <= self._value]
        self._triggers = [trigger for trigger in self._triggers if trigger.at > self._value]
        for trigger in due:
            if trigger.under_lock:
                trigger.fire()
        return [trigger for trigger in due if not trigger.under_lock]
