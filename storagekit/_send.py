"""Send the missing parts with several workers.

Each worker (``_crew.py``) takes the next span, waits for a slot of the memory window, reads the part from the source
into it, hashing as it passes, sends it, and only then gives the slot back. While one reads, the others send.
"""

from __future__ import annotations

from storagekit._body import MemoryBody, StreamBody, fill
from storagekit._clock import Cancel
from storagekit._crew import Crew
from storagekit._hash import new_hasher
from storagekit._job import Job, Session
from storagekit._meter import Meter
from storagekit._plan import Span, effective_workers
from storagekit._store import Store
from storagekit.errors import ChecksumError, Context
from storagekit.types import Checksum, Part, PartReceipt, Progress


def send_parts(job: Job, session: Session) -> tuple[dict[int, Part], list[PartReceipt]]:
    """Send every part of the plan that is not kept. Return all parts by number, and their receipts.

    Raises the first error of any part, after the other workers have stopped.
    """
    missing = [span for span in session.plan.spans() if span.number not in session.kept]
    workers = min(effective_workers(job.workers, job.window.budget, session.plan.part_size), max(1, len(missing)))
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
        """Send one part and compare what the service answered with what was read."""
        part, seen = self._stream(span) if span.length > self._window.budget else self._buffered(span)
        if not matches(part, seen):
            raise ChecksumError(
                f"part {span.number} was stored with another checksum than it was sent with",
                hint="Run again: the part will be sent again",
                context=Context(self._store.guard.backend, self._upload.bucket, self._upload.key, "put_part"),
            )
        self._log.sent(part.size)
        self.receipts.append(PartReceipt(part.number, part.size, part.etag, f"{seen.algorithm}:{seen.value}"))
        return part

    def _buffered(self, span: Span) -> tuple[Part, Checksum]:
        with self._window.slot(span.length, self._stop) as buffer:
            hasher = new_hasher(self._algorithm)
            fill(self._source, span, buffer, hasher, self._stop)
            seen = hasher.checksum()
            body = MemoryBody(buffer, seen, self._meter, self._stop)
            return self._store.put_part(self._upload, span.number, body), seen

    def _stream(self, span: Span) -> tuple[Part, Checksum]:
        body = StreamBody(self._source, span, self._algorithm, self._meter, self._stop)
        try:
            return self._store.put_part(self._upload, span.number, body), body.seen
        finally:
            body.close()


def matches(part: Part, seen: Checksum) -> bool:
    """Tell whether the service's answer agrees with the bytes that were read.

    Only its own checksum counts, where it gives one of the same kind. An etag does not: under KMS it is no MD5, and
    where it is one, the server has verified the Content-MD5 that came with the part.
    """
    if part.checksum is not None and part.checksum.algorithm == seen.algorithm:
        return part.checksum.value == seen.value
    return True
