"""Send the missing parts of a source that serves ranges, with several workers.

Each worker (``_crew.py``) takes the next span, waits for a slot of the memory window, reads the part from the source
into it, hashing as it passes, sends it, and only then gives the slot back. While one reads, the others send. An object
of the same service is not read at all: the service copies the range. A source that is read in order: ``_replay.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from storagekit._body import BLOCK, MemoryBody, StreamBody, fill
from storagekit._clock import Cancel
from storagekit._crew import Crew
from storagekit._hash import NO_CHECKSUM, new_hasher
from storagekit._job import Job, Sent, Session
from storagekit._meter import Meter
from storagekit._object_source import OpenObject
from storagekit._plan import Span, effective_workers
from storagekit._store import Store
from storagekit.driver import Code
from storagekit.errors import ConflictError, ObjectNotFoundError, SourceChangedError, StorageError
from storagekit.types import Checksum, Part, PartReceipt, Progress

KEPT = "server"
"""Proof of a part that was not read in this run: an earlier one had sent it, or the service copied it."""

_UNSEEN: Mapping[int, str] = MappingProxyType({})


def send_parts(job: Job, session: Session) -> Sent:
    """Send every part of the plan that is not kept.

    Raises the first error of any part, after the other workers have stopped.
    """
    plan = session.plan
    missing = [span for span in plan.spans() if span.number not in session.kept]
    allowed = job.workers if job.copied else effective_workers(job.workers, job.window.budget, plan.part_size)
    workers = min(allowed, max(1, len(missing)))
    start = Progress(session.kept_bytes, plan.size, session.kept_bytes, workers, plan.part_size)
    stop = Cancel(job.cancel)
    sender = PartSender(job, session, job.store.meter(start, job.listener), stop)
    crew = Crew(missing, sender.send, stop)
    crew.run(workers)
    return sent_with(session.kept, crew.results, sender)


def sent_with(
    kept: dict[int, Part], sent: dict[int, Part], sender: PartSender, proofs: Mapping[int, str] = _UNSEEN
) -> Sent:
    """Return all parts of an upload: those that were kept, and those that ``sender`` has sent.

    ``proofs`` are of kept parts that this run compared with the source.
    """
    known = [PartReceipt(one.number, one.size, one.etag, proofs.get(one.number, KEPT)) for one in kept.values()]
    return Sent({**kept, **sent}, sorted([*known, *sender.receipts], key=lambda receipt: receipt.number))


class PartSender:
    """Reads and sends one part; used by all workers of one upload. ``receipts`` are of the parts sent so far."""

    def __init__(self, job: Job, session: Session, meter: Meter, stop: Cancel) -> None:
        self._source = job.source
        self._copied = job.copied
        self._window = job.window
        self._upload = session.record.upload
        self._store: Store = job.store.with_cancel(stop)
        self._algorithm = session.algorithm(job.store.limits)
        self._log = job.log
        self._meter = meter
        self._stop = stop
        self._must_look_ahead = self._upload.options.checksum is not None
        self.receipts: list[PartReceipt] = []

    def send(self, span: Span) -> Part:
        """Send one part, verified by the service or by comparison with what it answers."""
        if self._copied is not None:
            return self._acknowledged(self._copy(span, self._copied), KEPT)
        streamed = span.length > self._window.budget
        with self._window.slot(min(span.length, BLOCK) if streamed else span.length, self._stop) as buffer:
            part, seen = (self._stream if streamed else self._buffered)(span, buffer)
        return self._acknowledged(part, proof_of(seen))

    def send_view(self, number: int, view: memoryview) -> Part:
        """Send a part that is in memory."""
        hasher = new_hasher(self._algorithm)
        hasher.update(view)
        seen = hasher.checksum()
        part = self._put(number, MemoryBody(view, seen, self._meter, self._stop))
        return self._acknowledged(part, proof_of(seen))

    def _acknowledged(self, part: Part, proof: str) -> Part:
        self._log.sent(part.size)
        self.receipts.append(PartReceipt(part.number, part.size, part.etag, proof))
        return part

    def _copy(self, span: Span, source: OpenObject) -> Part:
        try:
            part = self._store.copy_part(
                self._upload, span.number, source.bucket, source.key, span.offset, span.length, source.etag
            )
        except (ConflictError, ObjectNotFoundError) as error:
            raise_if_changed(source, error)
            raise
        self._meter.add(span.length)
        return part

    def _buffered(self, span: Span, buffer: memoryview) -> tuple[Part, Checksum]:
        hasher = new_hasher(self._algorithm)
        fill(self._source, span, buffer, hasher, self._stop)
        seen = hasher.checksum()
        return self._put(span.number, MemoryBody(buffer, seen, self._meter, self._stop)), seen

    def _stream(self, span: Span, buffer: memoryview) -> tuple[Part, Checksum]:
        """Send a part that memory cannot hold, and compare.

        Where the answer does not agree (an etag under KMS is no MD5), send it again: read once more beforehand, so that
        the server can verify it. Then so with all parts that follow, and with every part of an upload that agreed on a
        checksum: one that had a larger budget began it.
        """
        body = StreamBody(self._source, span, buffer, self._algorithm, self._meter, self._stop)
        try:
            if self._must_look_ahead:
                body.look_ahead()
            part = self._put(span.number, body)
            if body.checksum is None and not agrees(part, body.seen):
                self._must_look_ahead = True
                body.look_ahead()
                part = self._put(span.number, body)
            return part, body.seen
        finally:
            body.close()

    def _put(self, number: int, body: MemoryBody | StreamBody) -> Part:
        try:
            return self._store.put_part(self._upload, number, body)
        except BaseException:
            body.rewind()  # progress takes its bytes back
            raise


def raise_if_changed(source: OpenObject, error: StorageError) -> None:
    """Raise SourceChangedError for a copy that was refused because its source is another object by now, or none."""
    if error.code in (Code.PRECONDITION.value, Code.NOT_FOUND.value):
        raise SourceChangedError(
            f"{source.identity.shown} changed while it was copied", hint="Run again to copy the new version"
        ) from error


def proof_of(seen: Checksum) -> str:
    """Return what a receipt says of a part or object that was sent with this checksum."""
    return f"{seen.algorithm}:{seen.value}"


def agrees(part: Part, seen: Checksum) -> bool:
    """Tell whether the answer shows the bytes that were read: by its checksum, or an etag that is their MD5.

    Where the service verifies nothing there is nothing to compare.
    """
    if seen == NO_CHECKSUM:
        return True
    theirs = part.checksum or Checksum("md5", part.etag)
    return theirs == seen
