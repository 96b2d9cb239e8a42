"""One reading of a source from its first byte to its last, cut into the parts of a plan.

Here it is proven what can be proven of a stream: that it has as many bytes as the source or the caller says, neither
fewer nor more, and the SHA-256 that the caller promised. A part is loaded into a slot of the memory window, which
travels with it until the service has it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from types import TracebackType

from storagekit._body import truncated
from storagekit._clock import Cancel
from storagekit._job import Job
from storagekit._plan import MIB, Plan
from storagekit._window import Slot
from storagekit.errors import ChecksumError, ConfigurationError, IntegrityError


@dataclass(frozen=True)
class Loaded:
    """One part in memory."""

    number: int
    length: int
    slot: Slot

    @property
    def view(self) -> memoryview:
        """The part's bytes."""
        return self.slot.view[: self.length]


class Reading:
    """Reads the job's source; ``offset`` is where the source begins in the object. A context manager."""

    def __init__(self, job: Job, offset: int = 0) -> None:
        self._job = job
        self.cancel = Cancel(job.cancel)
        """Ends the reading; set by whoever can no longer send what is read."""
        self._reader = job.source.open_range(0, None, self.cancel)
        self._size = job.request.size
        self._offset = offset
        self._sha256 = hashlib.sha256() if job.sha256 is not None else None
        self._ahead = b""
        self._over = False
        self._first: Loaded | None = None

    @property
    def offset(self) -> int:
        """How far the source was read, in bytes of the object."""
        return self._offset

    def __enter__(self) -> Reading:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._first is not None:
            self._first.slot.release()
        self._reader.close()

    def first(self, plan: Plan) -> Loaded:
        """Load the first part, and keep it for ``parts``: whether it is the only one decides how it is sent."""
        self._first = self._load(1, plan)
        return self._first

    def hand_over(self) -> None:
        """Leave the first part, and its slot, to the caller."""
        self._first = None

    def parts(self, plan: Plan, number: int = 1) -> Iterator[Loaded]:
        """Yield the parts from ``number`` on; each with a slot that the caller releases.

        Raises SourceTruncatedError, IntegrityError (more bytes than announced), ChecksumError, ConfigurationError (a
        stream that outgrows what its plan can reach), and what the source raises.
        """
        for current in count(number):
            part, self._first = self._first or self._load(current, plan), None
            if not part.length and current > 1:
                part.slot.release()
                break
            last = part.length < plan.full(current) or self._offset == self._size
            try:
                self._check_reach(part, last=last)
            except BaseException:
                part.slot.release()
                raise
            yield part
            if last:
                break
        self.finish()

    def _load(self, number: int, plan: Plan) -> Loaded:
        wanted = plan.full(number)
        if self._size is not None:
            wanted = min(wanted, self._size - plan.offset(number))
        self._check_memory(wanted)
        slot = self._job.window.take(max(1, wanted), self.cancel)
        try:
            got = self._fill(slot.view[:wanted])
            if self._size is not None and got < wanted:
                raise truncated(self._job.identity.shown, self._offset, self._size)
        except BaseException:
            slot.release()
            raise
        return Loaded(number, got, slot)

    def _check_memory(self, size: int) -> None:
        budget = self._job.window.budget
        if size > budget:
            raise ConfigurationError(
                f"the next part of this upload has {size:,} bytes, and the memory budget is {budget:,}",
                hint=f"Run again with memory (--memory) of {2 * size:,} bytes, or with restart (--restart)",
            )

    def _check_reach(self, part: Loaded, *, last: bool) -> None:
        """A stream that goes on after the last part it may have: stop before that is sent, never cut it off."""
        limits = self._job.store.limits
        at_the_limit = part.number >= limits.max_parts and not last
        if self._offset > limits.max_object or (at_the_limit and not self.ended()):
            raise ConfigurationError(
                f"the stream is longer than the {self._offset:,} bytes that this upload can hold",
                hint="Send it again with restart (--restart) and a larger part size, more memory, or its size",
            )

    def _fill(self, buffer: memoryview) -> int:
        done = 0
        while done < len(buffer):
            self.cancel.check()
            got = self._some(buffer[done : done + MIB])
            if not got:
                break
            done += got
        self._job.source.check()
        return done

    def _some(self, buffer: memoryview) -> int:
        if self._ahead:
            buffer[:1], got = self._ahead, 1
            self._ahead = b""
        else:
            got = self._read(buffer)
        self._offset += got
        if self._sha256 is not None:
            self._sha256.update(buffer[:got])
        return got

    def ended(self) -> bool:
        """Tell whether no byte follows; waits for one."""
        if not self._ahead:
            byte = bytearray(1)
            self._ahead = bytes(byte[: self._read(memoryview(byte))])
        return not self._ahead

    def _read(self, buffer: memoryview) -> int:
        """Read some bytes; nothing after the end: a terminal that is read again wants another Ctrl-D."""
        got = 0 if self._over else self._reader.readinto(buffer)
        self._over = not got
        return got

    def finish(self) -> None:
        """Prove what was promised, after the last part and before anything is published."""
        shown = self._job.identity.shown
        if self._size is not None and self._offset < self._size:
            raise truncated(shown, self._offset, self._size)
        if not self.ended():
            raise IntegrityError(
                f"{shown} goes on after the {self._offset:,} bytes that were announced",
                hint="Nothing was published; give the right size, or none",
            )
        if self._sha256 is not None and self._sha256.hexdigest() != self._job.sha256:
            raise ChecksumError(
                f"{shown} has the SHA-256 {self._sha256.hexdigest()}, and {self._job.sha256} was promised",
                hint="Nothing was published; check the source, or the promise",
            )
