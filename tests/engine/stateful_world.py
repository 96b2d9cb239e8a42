"""The world of the stateful test: a service, files, other programs, and the steps that change them."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from storagekit import _metadata
from storagekit._context import UploadContext
from storagekit._record import Record, parse
from storagekit.types import UploadResult
from tests.engine import stateful_rules as rules
from tests.engine.stateful_attempt import JUNK, Attempt, junk
from tests.engine.stateful_plans import KEYS, Run, Start
from tests.engine.stateful_service import BUCKET, Service
from tests.engine.stateful_sources import Faucet, Version, hash_of, iterator

_PREFIX = uuid4().hex[:16]  # of tokens: other processes on this machine make locks as well


@dataclass
class Kept:
    """A context that a caller keeps, and the content that it was for (None: any)."""

    text: str
    data: bytes | None
    plan: Run
    step: int
    used: bool = False


@dataclass
class World:
    """Everything there is. ``wrong`` are the sentences about what should not be."""

    start: Start
    directory: Path
    workers: int
    service: Service = field(init=False)
    counter: list[int] = field(default_factory=list)
    steps: int = 0
    prefix: str = _PREFIX
    mtime: int = 1_700_000_000
    mtimes: dict[int, int] = field(default_factory=dict)
    files: dict[int, bytes] = field(default_factory=dict)
    foreign: dict[str, tuple[str, dict[int, bytes]]] = field(default_factory=dict)
    whole: set[bytes] = field(default_factory=set)
    creators: dict[str, str] = field(default_factory=dict)
    contexts: list[Kept] = field(default_factory=list)
    written: int = 0
    wrong: list[str] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    last: Run | None = None

    def __post_init__(self) -> None:
        self.service = Service(self.start.manners)

    @property
    def unit(self) -> int:
        return self.start.unit

    def part_size(self, plan: Run) -> int:
        return (1, 2, 3)[plan.part] * self.unit + (0, 0, 8)[plan.part]

    # what runs are given

    def content_for(self, plan: Run) -> bytes | None:
        """Return the bytes of a run's source; None for an object that is not there."""
        if plan.kind == "object":
            return self.service.object(KEYS[plan.place])
        if plan.kind == "file":
            if plan.place not in self.files:
                self.write(plan.place, plan.version.data(self.unit))
            return self.files[plan.place]
        return plan.version.data(self.unit)

    def path(self, place: int) -> Path:
        return self.directory / f"file{place}"

    def write(self, place: int, data: bytes, *, seen: bool = True) -> None:
        """Change a file; not ``seen``: neither size nor time tell."""
        self.mtime += 1
        if seen:
            self.mtimes[place] = self.mtime
        self.files[place] = data
        self.path(place).write_bytes(data)
        os.utime(self.path(place), (self.mtimes[place], self.mtimes[place]))

    def rewrite(self, place: int, version: Version, *, seen: bool) -> None:
        """Change a file between runs: to another version, or without a trace, but for a byte at its beginning."""
        data = self.files.get(place, b"")
        if seen or not data:
            self.write(place, version.data(self.unit))
        else:
            self.write(place, bytes([data[0] ^ 1]) + data[1:], seen=False)

    # runs

    def run(self, plan: Run, *, depth: int = 0) -> None:
        """Upload once."""
        if not depth:
            self.last = plan
        attempt = Attempt(self, plan, depth=depth)
        uploader = attempt.uploader()
        source = attempt.source(uploader)
        self._conclude(
            attempt,
            lambda: uploader.upload(
                source,
                BUCKET,
                plan.key,
                metadata={"x": plan.metadata} if plan.metadata else None,
                source_id=hash_of(attempt.data or b"") if plan.named else None,
                overwrite=plan.overwrite,
                restart=plan.restart,
                cancel=attempt.cancel,
                **attempt.promises(),
            ),
        )

    def run_again(self, plan: Run) -> None:
        """Upload the source of the last run once more, with the means of ``plan``."""
        last = self.last or plan
        same = replace(last, part=plan.part, memory=plan.memory, overwrite=True, restart=False, trouble=None, lie=False)
        self.run(replace(same, events=plan.events[:1] if plan.events[1:] else ()))

    def _conclude(self, attempt: Attempt, call: Any) -> Any:
        try:
            attempt.result = found = call()
        except BaseException as error:  # noqa: BLE001  # judged by the rules
            attempt.error, found = error, None
        self.ends.update([type(attempt.error).__name__ if attempt.error else "succeeded"])
        if isinstance(found, UploadResult) and found.resumed and attempt.witness.completed:
            self.ends.update(["resumed"])
        self.creators.update(dict.fromkeys(attempt.witness.created, attempt.plan.checkpoint))
        self.whole |= attempt.allowed
        self.wrong += [f"{sentence}:\n  {attempt!r}" for sentence in rules.judge(self, attempt)]
        return found

    def init(self, plan: Run) -> None:
        """The first of two phases; the context is kept."""
        plan = replace(plan, kind="iterator", trouble=None)
        if plan.place and self.last is not None:
            plan = replace(plan, version=self.last.version, key=self.last.key, named=self.last.named)
        attempt = Attempt(self, plan, depth=1)
        uploader = attempt.uploader()
        name = hash_of(attempt.data or b"") if plan.named else None
        context = self._conclude(
            attempt, lambda: uploader.init_upload(BUCKET, plan.key, source_id=name, restart=plan.restart)
        )
        if context is not None:
            text = context.to_json()
            data = attempt.data if plan.named else None
            self.contexts.append(Kept(text, data, plan, self.steps, used=bool(attempt.fired)))

    def stream(self, which: int, plan: Run) -> None:
        """The second phase, now or late, once or again."""
        if not self.contexts:
            return
        kept = self.contexts[which % len(self.contexts)]
        context = UploadContext.from_json(kept.text)
        plan = rules.of_context(plan, kept.plan)
        attempt = Attempt(self, plan, context=context)
        if kept.data is not None:
            attempt.data, attempt.allowed = kept.data, {kept.data}
        attempt.stale = kept.used or kept.step < self.steps - 1
        kept.used = True
        assert attempt.data is not None
        uploader = attempt.uploader()
        stream = iterator(Faucet(attempt.data, b"", attempt.trouble), context.offset)
        promised = attempt.promises()
        if context.offset:
            promised.pop("sha256", None)
        total = promised.get("size")
        self._conclude(
            attempt,
            lambda: uploader.upload_stream(
                context, stream, total_size=total, sha256=promised.get("sha256"), cancel=attempt.cancel
            ),
        )

    # what else there is

    def ours(self, key: str) -> list[str]:
        """Return the ids of the uploads that the engine has begun for ``key``."""
        return [name for name in self.service.uploads(key) if name not in self.foreign]

    def place(self, key: str) -> None:
        """Another program writes the object."""
        self.written += 1
        data = b"foreign %d" % self.written
        self.whole.add(data)
        self.service.place(key, data)

    def tamper(self, name: str, number: int) -> None:
        """Another program writes a part into an upload of ours.

        A kept part of a strong identity is told by its size alone, so there it has one that no part of ours has.
        """
        pending = self.service.store.buckets[BUCKET].uploads[name]
        weak = [one for one in self.records_of(pending.upload.key) if one.upload_id == name and not one.strong]
        size = len(pending.parts[number][1]) if weak and number in pending.parts else len(JUNK)
        self.service.put_part(pending.upload, max(1, number), junk(size))

    def another_program(self, key: str, what: str, version: Version) -> None:
        """Another program does something at ``key``."""
        if what == "object":
            self.place(key)
        elif what == "deleted":
            self.service.delete(BUCKET, key)
        elif what == "upload":
            self.foreign_upload(key, version)
        else:
            for name in self.ours(key):
                self.tamper(name, version.parts)

    def foreign_upload(self, key: str, version: Version) -> None:
        """Another tool begins an upload, and sends a part."""
        if len(self.foreign) < 3:
            name = self.service.begin(key, version.data(self.unit) or b"x")
            self.foreign[name] = key, self.service.uploads(key)[name]

    def expire(self, key: str) -> None:
        """The service drops our unfinished uploads."""
        for name in self.ours(key):
            self.service.abort_upload(self.service.upload(name))

    def later(self, minutes: int) -> None:
        self.service.time += timedelta(minutes=minutes)

    def local_records(self) -> list[Record]:
        """Return the records on this machine."""
        found = [parse(path.read_bytes()) for path in sorted((self.directory / "state").glob("uploads/*/*.json"))]
        return [record for record in found if record is not None]

    def records_of(self, key: str, *places: str) -> list[Record]:
        """Return the records and intents of ``key``."""
        where = places or ("bucket", "local")
        found = self.service.records() if "bucket" in where else []
        found += self.local_records() if "local" in where else []
        return [record for record in found if record is not None and record.key == key]

    def source_of(self, name: str) -> str | None:
        """Return the digest of the source of an unfinished upload."""
        return self.service.upload(name).options.metadata.get(_metadata.SOURCE)

    def settle(self) -> None:
        """Check what must hold after every step."""
        self.steps += 1
        self.wrong += rules.always(self)
        assert not self.wrong, "\n".join(self.wrong)
