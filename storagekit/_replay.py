"""Send a source that is read from its first byte to its last: a stream, or one that cannot say whether it changed.

The calling thread reads one part after the other (``_ordered.py``): the caller's iterator never runs in a thread that
it does not know, and Ctrl-C interrupts it at once. Workers send. Where the upload is resumed this is a *replay*: each
part is compared with the one that the service lists, by size and MD5, and sent only if it is another. So a killed
stream that is repeated sends nothing twice, and one that differs in a byte sends exactly the parts that differ.

Where etags are no MD5 (KMS) nothing can be compared. That is learnt from the first part that is sent: from then on the
parts of a strong identity are trusted by their size (unless a SHA-256 is promised: parts of an earlier run were never
proven against it), and those of a weak one sent again.
"""

from __future__ import annotations

import hashlib

from storagekit._clock import Cancel
from storagekit._crew import Crew
from storagekit._feed import Feed
from storagekit._hash import NO_CHECKSUM, new_hasher
from storagekit._job import Job, Sent, Session
from storagekit._ordered import Loaded, Reading
from storagekit._plan import effective_workers
from storagekit._resume import is_opaque, same_bytes
from storagekit._send import KEPT, PartSender, proof_of, sent_with
from storagekit.errors import ServiceError, TransferCancelled
from storagekit.types import Checksum, Part, Progress


class SourceBroke(Exception):
    """The source broke off, which is not the service's fault: reading it once more may help."""

    def __init__(self, error: ServiceError, offset: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.offset = offset


def send_in_order(job: Job, session: Session, reading: Reading | None, trusted: int = 0) -> Sent:
    """Send what ``reading`` yields, from the part after the first ``trusted`` ones, which are kept unseen.

    Raises what the source raises after the parts under way have been sent (a ServiceError as SourceBroke), or the first
    error of any part. ``reading`` is None where nothing follows.
    """
    replay = _Replay(job, session, trusted, reading.cancel if reading is not None else Cancel(job.cancel))
    if reading is not None:
        replay.run(reading)
    return replay.sent()


class _Replay:
    """The state of one reading: what was found to be there (by the reading thread), and what the workers sent."""

    def __init__(self, job: Job, session: Session, trusted: int, stop: Cancel) -> None:
        self._job = job
        self._session = session
        self._stop = stop
        self._workers = effective_workers(job.workers, job.window.budget, session.plan.part_size)
        self._kept = {number: session.kept[number] for number in range(1, trusted + 1)}
        there = sum(part.size for part in self._kept.values())
        start = Progress(there, job.request.size, there, self._workers, session.plan.part_size)
        self._meter = job.store.meter(start, job.listener)
        self._sender = PartSender(job, session, self._meter, self._stop)
        self._feed: Feed[Loaded] = Feed(self._stop)
        self._crew: Crew[Loaded, Part] = Crew(self._feed, self._send, self._stop)
        self._proofs: dict[int, str] = {}
        self._first = trusted + 1
        self._opaque: bool | None = None
        self._broken: Exception | None = None

    def run(self, reading: Reading) -> None:
        try:
            self._crew.run(self._workers, meanwhile=lambda: self._read(reading))
        except Exception:
            self._raise_broken(reading)  # it came first
            raise
        finally:
            for part in self._feed.drain():
                part.slot.release()
        self._raise_broken(reading)

    def _raise_broken(self, reading: Reading) -> None:
        if isinstance(self._broken, ServiceError):
            raise SourceBroke(self._broken, reading.offset) from self._broken
        if self._broken is not None:
            raise self._broken

    def sent(self) -> Sent:
        return sent_with(self._kept, self._crew.results, self._sender, self._proofs)

    def _read(self, reading: Reading) -> None:
        """Feed the workers. An error of the source waits until they are done: what they send need not be sent again."""
        try:
            for part in reading.parts(self._session.plan, self._first):
                self._take(part)
        except TransferCancelled:
            raise
        except Exception as error:
            if self._crew.has_failed:
                raise
            self._broken = error
        finally:
            self._feed.close()

    def _take(self, part: Loaded) -> None:
        listed = self._session.kept.get(part.number)
        try:
            proof = None if listed is None else self._proof(part, listed)
            if listed is None or proof is None:
                self._feed.put(part)
                return
        except BaseException:
            part.slot.release()
            raise
        part.slot.release()
        self._kept[part.number], self._proofs[part.number] = listed, proof
        self._meter.keep(part.length)

    def _proof(self, part: Loaded, listed: Part) -> str | None:
        """Return how it is known that the service has this part already; None where it has not."""
        if listed.size != part.length:
            return None
        if self._opaque and self._session.record.strong and self._job.sha256 is None:
            return KEPT
        hasher = new_hasher(self._session.algorithm(self._job.store.limits))
        hasher.update(part.view)
        seen = hasher.checksum()
        md5 = seen if seen.algorithm == "md5" else Checksum("md5", _md5(part.view))
        return proof_of(md5 if seen == NO_CHECKSUM else seen) if same_bytes(listed, md5.value, seen) else None

    def _send(self, part: Loaded) -> Part:
        try:
            done = self._sender.send_view(part.number, part.view)
            if self._opaque is None:
                self._learn(is_opaque(done, _md5(part.view)))
            return done
        finally:
            part.slot.release()

    def _learn(self, opaque: bool) -> None:  # noqa: FBT001  # the one thing there is to learn
        if opaque and self._opaque is None and not self._session.record.strong:
            self._job.log.note("etags are no MD5 here (an encrypted bucket?): a repeated stream is sent again whole")
        self._opaque = opaque


def _md5(view: memoryview) -> str:
    return hashlib.md5(view, usedforsecurity=False).hexdigest()
