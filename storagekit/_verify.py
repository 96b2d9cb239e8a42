"""``verify``: after an upload, read the object back and compare it with its source, part by part.

Of what this run sent, or compared when it was there, the receipt has the checksum of the source's bytes. What it says
nothing of (parts of an earlier run, a copy that the service made) is read from the source once more, where that can be
read by ranges. What is left is said: it was not compared. The CRC of the whole object, where the service told it, has
to be that of what was read back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from storagekit._body import fill
from storagekit._clock import Cancel
from storagekit._crew import Crew
from storagekit._hash import Hasher, joined, new_hasher
from storagekit._job import Job
from storagekit._plan import MIB, Plan, Span, effective_workers
from storagekit._ranges import Ranges
from storagekit._send import proof_of
from storagekit._source import Access
from storagekit.errors import IntegrityError, SourceChangedError, SourceTruncatedError
from storagekit.types import ObjectInfo, PartReceipt, Progress, UploadResult

_RANGE = 16 * MIB


@dataclass(frozen=True)
class Piece:
    """A range of the object, and what is known of its bytes in the source: ``algorithm:hex``, or ``server``."""

    span: Span
    proof: str

    @property
    def number(self) -> int:
        """Number of the part."""
        return self.span.number

    @property
    def algorithm(self) -> str | None:
        """The checksum that ``proof`` names; None where it names none."""
        name = self.proof.partition(":")[0]
        return name if name in ("crc64", "crc32c", "md5") else None


def read_back(job: Job, result: UploadResult) -> UploadResult:
    """Compare the object with the job's source, and return the result with ``verified``.

    Raises IntegrityError where they differ, SourceChangedError where either is replaced meanwhile, and what reading
    raises. The object stays where it is. Another writer's object is not looked at.
    """
    if result.superseded_by:
        return _with_note(job, result, "not compared: another writer's object is at the key")
    job.log.note("reading the object back, to compare it with its source")
    info = job.store.head(job.bucket, job.key)
    if info.etag != result.etag:
        raise _replaced(job)
    unknown = _compare_all(job, info, list(pieces_of(result.receipt, result.size)), result.checksum)
    if unknown:
        why = "this run has no checksum of their bytes, and the source cannot be read again by ranges"
        return _with_note(job, result, f"{_counted(unknown)} could not be compared: {why}")
    return replace(result, verified=True, notes=tuple(job.log.lines))


def require_verified(result: UploadResult) -> None:
    """Raise IntegrityError, with the reason, where an object that was to be compared could not be, or not all of it."""
    if not result.verified:
        again = "Upload it again with restart (--restart) to have all of it compared"
        raise IntegrityError(
            f"the object was stored, but not verified: {result.notes[-1]}",
            hint="Look at what is there now" if result.superseded_by else again,
        )


def _compare_all(job: Job, info: ObjectInfo, pieces: Sequence[Piece], whole: str | None) -> list[int]:
    """Return the numbers of the parts that could not be compared. ``whole`` is what the service said of the object."""
    stop = Cancel(job.cancel)
    crew = Crew(pieces, _Comparison(job, info, stop).compare, stop)
    try:
        largest = max((piece.span.length for piece in pieces), default=1)
        workers = effective_workers(job.workers, job.window.budget, min(largest, _RANGE))
        crew.run(min(workers, max(1, len(pieces))))
        job.source.verify()
    except (SourceChangedError, SourceTruncatedError) as error:  # else it says that nothing was published
        hint = "The object of the old version is at the key; run again to send the new one"
        raise type(error)(error.message, hint=hint, context=error.context) from error
    _require_whole(whole, [(piece, crew.results[piece.number]) for piece in pieces])
    return sorted(number for number, found in crew.results.items() if found is None)


def _require_whole(whole: str | None, found: Sequence[tuple[Piece, str | None]]) -> None:
    """Raise IntegrityError where the service says that the object has another CRC than the bytes that it gave back."""
    algorithm, _, value = (whole or "").partition(":")
    named = [(piece, proof.partition(":")) for piece, proof in found if proof]
    known = [(piece.span.length, digits) for piece, (name, _, digits) in named if name == algorithm]
    ours = joined(algorithm, known) if known and len(known) == len(found) else None
    if ours is not None and ours.value != value:
        raise _differs(f"has the {algorithm} {value}, says the service, and gave bytes back that have {ours.value}")


def _with_note(job: Job, result: UploadResult, line: str) -> UploadResult:
    job.log.note(line)
    return replace(result, notes=tuple(job.log.lines))


def _replaced(job: Job) -> SourceChangedError:
    return SourceChangedError(
        f"{job.key} was replaced by another writer before it could be read back", hint="Look at what is there now"
    )


def pieces_of(receipts: Sequence[PartReceipt], size: int) -> Iterator[Piece]:
    """Yield the parts of an object with what is known of each; an object without receipts in ranges of 16 MiB."""
    if not receipts:
        yield from (Piece(span, "server") for span in Plan(size, _RANGE).spans() if span.length)
    offset = 0
    for receipt in receipts:
        if receipt.size:
            yield Piece(Span(receipt.number, offset, receipt.size), receipt.proof)
        offset += receipt.size


class _Comparison:
    """Compares one piece; used by all workers."""

    def __init__(self, job: Job, info: ObjectInfo, stop: Cancel) -> None:
        self._job = job
        self._stop = stop
        self._ranges = Ranges(job.store, job.bucket, info, job.store.meter(Progress(0, info.size)))

    def compare(self, piece: Piece) -> str | None:
        """Return the proof of what was read back; None where there was nothing to compare it with.

        Raises IntegrityError where it is not the same.
        """
        if piece.algorithm is None and self._job.source.access is not Access.RANGES:
            return None
        algorithm = piece.algorithm or "crc64"
        wanted = piece.proof if piece.algorithm else self._checksum(piece.span, algorithm, self._from_source)
        if self._checksum(piece.span, algorithm, self._from_object) != wanted:
            end = piece.span.offset + piece.span.length
            raise _differs(f"differs from its source in part {piece.number}, bytes {piece.span.offset:,} to {end:,}")
        return wanted

    def _checksum(self, span: Span, algorithm: str, read: Callable[[Span, memoryview, Hasher], None]) -> str:
        hasher = new_hasher(algorithm)
        end = span.offset + span.length
        with self._job.window.slot(min(span.length, _RANGE, self._job.window.budget), self._stop) as buffer:
            for offset in range(span.offset, end, len(buffer)):
                piece = Span(span.number, offset, min(len(buffer), end - offset))
                read(piece, buffer[: piece.length], hasher)
        return proof_of(hasher.checksum())

    def _from_source(self, span: Span, buffer: memoryview, hasher: Hasher) -> None:
        fill(self._job.source, span, buffer, hasher, self._stop)

    def _from_object(self, span: Span, buffer: memoryview, hasher: Hasher) -> None:
        self._ranges.read(span, buffer, self._stop)
        hasher.update(buffer)


def _differs(how: str) -> IntegrityError:
    return IntegrityError(
        f"the object {how}", hint="It is at the key all the same: upload again with restart (--restart), or delete it"
    )


def _counted(numbers: Sequence[int]) -> str:
    return f"part {numbers[0]}" if len(numbers) == 1 else f"{len(numbers)} parts"
