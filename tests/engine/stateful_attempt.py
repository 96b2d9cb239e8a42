"""One run of the engine inside the stateful test, and what happens to it on its way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from storagekit._clock import Cancel
from storagekit._context import UploadContext
from storagekit._object_source import ObjectSource
from storagekit._source import Access, BytesSource, FileSource
from storagekit.driver import Code
from storagekit.testing.bodies import BytesBody
from storagekit.testing.faults import Call, FaultyDriver, fault
from storagekit.types import UploadResult
from storagekit.uploader import StreamingUploader
from tests.engine.stateful_plans import KEYS, MIB, RETRYABLE, Event, Run
from tests.engine.stateful_service import BUCKET, OURS, Budget, RunClock, Witness
from tests.engine.stateful_sources import Announced, Faucet, OnlyRead, Pipe, Trouble, Web, hash_of, iterator

if TYPE_CHECKING:
    from tests.engine.stateful_world import World

JUNK = b"junk!"
"""No part has five bytes: one that has is seen to be somebody else's."""


class Killed(BaseException):
    """What a kill looks like from inside: no call of the run gets through from then on."""


WEBS = {
    "web_strong_ranges": (Access.RANGES, True, True),
    "web_strong_restart": (Access.RESTART, True, True),
    "web_weak_restart": (Access.RESTART, False, True),
    "web_weak_once": (Access.ONCE, False, True),
    "web_chunked_restart": (Access.RESTART, False, False),
}
STREAMS = ("iterator", "pipe", "only_read", "announced")
ENDLESS = ("iterator", "pipe", "only_read", "web_chunked_restart")
"""Kinds that do not say how long they are."""


class Attempt:
    """A run: its source, its means, what happened to it and how it ended.

    ``allowed`` are the contents that it may publish, each of them whole.
    """

    def __init__(self, world: World, plan: Run, *, depth: int = 0, context: UploadContext | None = None) -> None:
        self.world = world
        self.plan = plan
        self.depth = depth
        self.context = context
        self.stale = False
        self.fired: list[Event] = []
        self.dead = False
        self.cancel = Cancel()
        self.window = Budget((1, 2, 4)[plan.memory] * MIB)
        self.witness = Witness(world.service, FaultyDriver(world.service, self._before, self._after), plan.key)  # type: ignore[arg-type]
        self.at_start = world.service.object(plan.key)
        self.known_at_start = world.records_of(plan.key)
        self.uploads_at_start = world.service.uploads(plan.key)
        self.data = world.content_for(plan)
        self.trouble = self._trouble()
        self.allowed = {self.data} if self.data is not None else set()
        if self.trouble and self.trouble.kind == "changes" and not self.is_strong_web and plan.second:
            self.allowed.add(plan.second.data(world.unit))
        self.result: UploadResult | None = None
        self.error: BaseException | None = None
        self._counts: dict[str, int] = {}
        self._places: dict[tuple[str, int], dict[str, int]] = {}

    @property
    def is_strong_web(self) -> bool:
        return self.plan.kind in WEBS and WEBS[self.plan.kind][1]

    @property
    def access(self) -> Access:
        if self.context is not None or self.plan.kind in STREAMS:
            return Access.ONCE
        return WEBS[self.plan.kind][0] if self.plan.kind in WEBS else Access.RANGES

    @property
    def in_order(self) -> bool:
        return self.access is not Access.RANGES or "sha256" in self.plan.promise

    @property
    def is_weak(self) -> bool:
        """Whether nothing but a comparison tells what is there."""
        if self.context is not None:
            return not self.context.record.strong
        weak = self.plan.kind in STREAMS or (self.plan.kind in WEBS and not self.is_strong_web)
        return weak and not self.plan.named and "sha256" not in self.plan.promise

    @property
    def incidents(self) -> int:
        """How many requests failed for a reason that is tried again."""
        return sum(event.action in _RETRYABLE for event in self.fired)

    @property
    def happened(self) -> set[str]:
        return {event.action for event in self.fired}

    @property
    def is_calm(self) -> bool:
        """Whether nothing happened but what a retry gets over."""
        return self.depth == 0 and self.incidents < 8 and self.happened <= _RETRYABLE

    def _trouble(self) -> Trouble | None:
        trouble, plan = self.plan.trouble, self.plan
        if trouble is None or plan.kind not in (*STREAMS, *WEBS):
            return None
        if trouble.kind == "ends" and plan.kind in ENDLESS and not plan.promise:
            return None  # that is a shorter stream
        if trouble.kind == "changes" and (plan.kind in STREAMS or (plan.named and not self.is_strong_web)):
            return None  # what a stream yields is the stream, and a name that lies is the caller's
        return trouble

    def source(self, uploader: StreamingUploader) -> Any:
        """Return what the uploader is given."""
        plan, data = self.plan, self.data
        if plan.kind == "object":
            return ObjectSource(uploader.store, uploader._scope, BUCKET, KEYS[plan.place])
        assert data is not None
        if plan.kind == "bytes":
            return BytesSource(data)
        if plan.kind == "file":
            return FileSource(self.world.path(plan.place))
        second = plan.second.data(self.world.unit) if plan.second else b""
        faucet = Faucet(data, second, self.trouble)
        if plan.kind in WEBS:
            return Web(f"https://web/{plan.place}", faucet, *WEBS[plan.kind])
        streams: dict[str, Any] = {"iterator": iterator, "pipe": Pipe, "only_read": OnlyRead, "announced": Announced}
        return streams[plan.kind](faucet)

    def promises(self) -> dict[str, Any]:
        """Return what the caller says of the source."""
        plan, data = self.plan, self.data
        if data is None:
            return {}
        promised: dict[str, Any] = {}
        if "size" in plan.promise:
            promised["size"] = len(data) + plan.lie
        if "sha256" in plan.promise:
            promised["sha256"] = hash_of(data + b"another" * plan.lie)
        return promised

    def uploader(self) -> StreamingUploader:
        """Return a fresh uploader, as a fresh process would have it."""
        plan, world = self.plan, self.world
        uploader = StreamingUploader(
            self.witness,
            part_size=world.part_size(plan),
            workers=min(plan.workers, world.workers),
            checkpoint=plan.checkpoint,
            clock=RunClock(world.prefix, world.counter),
            state_directory=world.directory / "state",
        )
        uploader.window = self.window
        return uploader

    def _before(self, call: Call) -> BaseException | None:
        if self.dead:
            return Killed()
        names = ["any"] if call.operation != "read" or (call.key or "").startswith(OURS) else []
        names.append(("record_" if (call.key or "").startswith(OURS) else "") + call.operation)
        for name in names:
            self._counts[name] = self._counts.get(name, 0) + 1
        self._places[call.operation, call.nth] = {name: self._counts[name] for name in names}
        return self._moment(call, after=False)

    def _after(self, call: Call) -> BaseException | None:
        return Killed() if self.dead else self._moment(call, after=True)

    def _moment(self, call: Call, *, after: bool) -> BaseException | None:
        place = self._places[call.operation, call.nth]
        for event in self.plan.events:
            nth = place.get(event.operation, 0)
            last = event.nth + (event.times if event.is_fault else 1)
            if event.after == after and event.nth <= nth < last:
                error = self._happens(event, call)
                if error is not None:
                    return error
        return None

    def _happens(self, event: Event, call: Call) -> BaseException | None:
        self.fired.append(event)
        if event.is_fault:
            return fault(Code(event.action))
        return getattr(self, f"_{event.action}")(event, call)  # type: ignore[no-any-return]

    def _kill(self, event: Event, call: Call) -> BaseException:
        self.dead = True
        return Killed()

    def _interrupt(self, event: Event, call: Call) -> BaseException:
        return KeyboardInterrupt()

    def _cancel(self, event: Event, call: Call) -> None:
        self.cancel.set()

    def _foreign_put(self, event: Event, call: Call) -> None:
        self.world.place(self.plan.key)

    def _foreign_part(self, event: Event, call: Call) -> None:
        for name in self._own(call):
            self.world.tamper(name, event.times)

    def _drop(self, event: Event, call: Call) -> None:
        for name in self._own(call):
            self.world.service.abort_upload(self.world.service.upload(name))

    def _own(self, call: Call) -> list[str]:
        ours = self.world.ours(self.plan.key)
        return [name for name in ours if call.upload_id in (None, name)]

    def _nested(self, event: Event, call: Call) -> None:
        if self.plan.other is not None:
            self.world.run(self.plan.other, depth=self.depth + 1)

    def _change(self, event: Event, call: Call) -> None:
        if self.plan.kind == "file" and self.plan.second is not None:
            self.world.write(self.plan.place, self.plan.second.data(self.world.unit))
        elif self.plan.kind == "object":
            self.world.place(KEYS[self.plan.place])

    def _later(self, event: Event, call: Call) -> None:
        self.world.later((5, 16, 25 * 60)[event.times - 1])

    def __repr__(self) -> str:
        end = self.result if self.error is None else repr(self.error)
        return f"{self.plan}\n  fired {self.fired}\n  ended {end}"


_RETRYABLE = {code.value for code in (*RETRYABLE, Code.INTEGRITY)}


def junk(size: int) -> BytesBody:
    """Return a part that somebody else writes."""
    return BytesBody(JUNK if size == len(JUNK) else b"y" * size)
