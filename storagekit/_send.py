"""Send the missing parts with several workers.

Each worker (``_crew.py``) takes the next span, waits for a slot of the memory window, reads the part from the source
into it, hashing as it passes, sends it, and only then gives the slot back. While one reads, the others send.
"""

from __future__ import annotations

from storagekit._body import BLOCK, MemoryBody, StreamBody, fill
from storagekit._clock import Cancel
from storagekit._crew import Crew
from storagekit._hash import new_hasher
from storagekit._job import Job, Session
from storagekit._meter import Meter
from storagekit._plan import Span, effective_workers
from storagekit._store import Store
from storagekit.types import Checksum, Part, PartReceipt, Progress


def send_parts(job: Job, session: Session) -> tuple[dict[int, Part], list[PartReceipt]]:
    """Send every part of the plan that is not kept. Return all parts by number, and their receipts.

    Raises the first error of any part, after the other workers have stopped.
    """
    missing = [span for span in session.plan.spans() if span.number not in session.kept]
    allowed = 1 if job.source.sequential else job.workers
    workers = min(effective_workers(allowed, job.window.budget, session.plan.part_size), max(1, len(missing)))
    start = Progress(session.kept_bytes, session.plan.size, session.kept_bytes, workers, session.plan.part_size)
    stop = Cancel(job.cancel)
    sender = _Sender(job, session, Meter(start, job.listener), stop)
    crew = Crew(missing, sender.send, stop)
    crew.run(workers)
    receipts = [PartReceipt(part.number, part.size, part.etag, "server") for part in session.kept.values()]
    receipts += sender.receipts
    return {**session.kept, **crew.results}, sorted(receipts, key=lambda receipt: receipt.number)


class _Sender:
    """Reads and sends one part; used by all workers of one upload."""

    def __init__(self, job: Job, session: Session, meter: Meter, stop: Cancel) -> None:
        self._source = job.source
        self._window = job.window
        self._upload = session.record.upload
        self._store: Store = job.store.with_cancel(stop)
        self._algorithm = job.store.limits.checksum
        self._log = job.log
        self._meter = meter
        self._stop = stop
        self.receipts: list[PartReceipt] = []

    def send(self, span: Span) -> Part:
        """Send one part, verified by the service or by comparison with what it answers."""
        streamed = span.length > self._window.budget
        with self._window.slot(min(span.length, BLOCK) if streamed else span.length, self._stop) as buffer:
            part, seen = (self._stream if streamed else self._buffered)(span, buffer)
        self._log.sent(part.size)
        self.receipts.append(PartReceipt(part.number, part.size, part.etag, f"{seen.algorithm}:{seen.value}"))
        return part

    def _buffered(self, span: Span, buffer: memoryview) -> tuple[Part, Checksum]:
        hasher = new_hasher(self._algorithm)
        fill(self._source, span, buffer, hasher, self._stop)
        seen = hasher.checksum()
        return self._put(span, MemoryBody(buffer, seen, self._meter, self._stop)), seen

    def _stream(self, span: Span, buffer: memoryview) -> tuple[Part, Checksum]:
        """Send a part that memory cannot hold, and compare.

        Where the answer does not agree (an etag under KMS is no MD5), send it again: read once more beforehand, so that
        the server can verify it.
        """
        body = StreamBody(self._source, span, buffer, self._algorithm, self._meter, self._stop)
        try:
            part = self._put(span, body)
            if not agrees(part, body.seen):
                body.look_ahead()
                part = self._put(span, body)
            return part, body.seen
        finally:
            body.close()

    def _put(self, span: Span, body: MemoryBody | StreamBody) -> Part:
        try:
            return self._store.put_part(self._upload, span.number, body)
        except BaseException:
            body.rewind()  # progress takes its bytes back
            raise


def agrees(part: Part, seen: Checksum) -> bool:
    """Tell whether the answer shows the bytes that were read: by its checksum, or an etag that is their MD5."""
    theirs = part.checksum or Checksum("md5", part.etag)
    return theirs == seen
