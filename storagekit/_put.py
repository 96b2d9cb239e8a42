"""Send an object with a single put, which is atomic by itself and needs no record.

In a worker of its own, so that Ctrl-C is seen while it waits for the service.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from storagekit import _metadata
from storagekit._body import MemoryBody, fill
from storagekit._clock import Cancel
from storagekit._crew import Crew
from storagekit._finish import require_absent
from storagekit._hash import new_hasher
from storagekit._job import Job, Published
from storagekit._meter import Meter
from storagekit._ordered import Loaded
from storagekit._plan import Span
from storagekit._send import proof_of
from storagekit._start import look
from storagekit.errors import ConflictError
from storagekit.types import PartReceipt, Progress

ONE_PUT = 100 * 1000**2
"""Larger objects go in parts: a put that fails is sent again whole."""

Ended = tuple[Published, PartReceipt]


def fits_one_put(job: Job, size: int) -> bool:
    """Tell whether ``size`` bytes fit one slot of the memory window and one request."""
    return size <= min(job.part_size, job.window.budget, ONE_PUT, job.store.limits.max_put)


def never_has_parts(job: Job) -> bool:
    """Tell whether no run can ever have sent this source in parts: then there are no records to look for.

    It is one request instead of three, which matters for 100,000 small files.
    """
    size = job.source.size
    if size is None or job.in_order or job.copied is not None or job.identity != job.source.identity:
        return False
    return size <= job.store.limits.min_part and fits_one_put(job, size)


def put_source(job: Job) -> Ended:
    """Read and send a source that fits one put."""
    span = Span(1, 0, job.source.size or 0)

    def read_and_put(meter: Meter, stop: Cancel) -> Ended:
        with job.window.slot(max(span.length, 1), stop) as buffer:
            data = buffer[: span.length]
            fill(job.source, span, data, new_hasher("none"), stop)  # ``_put`` hashes it
            return _put(job, data, meter, stop)

    return _in_a_worker(job, span, read_and_put)


def put_part(job: Job, part: Loaded) -> Ended:
    """Send what was read already: the first and only part of a source that is read in order.

    The worker releases its slot: it may outlive a caller who was interrupted, and still sends from there.
    """

    def put(meter: Meter, stop: Cancel) -> Ended:
        try:
            return _put(job, part.view, meter, stop)
        finally:
            part.slot.release()

    return _in_a_worker(job, Span(1, 0, part.length), put)


def _in_a_worker(job: Job, span: Span, put: Callable[[Meter, Cancel], Ended]) -> Ended:
    stop = Cancel(job.cancel)
    meter = job.store.meter(Progress(0, span.length, 0, 1, job.part_size), job.listener)
    crew = Crew([span], lambda _: put(meter, stop), stop)
    crew.run(1)
    return crew.results[1]


def _put(job: Job, data: memoryview, meter: Meter, stop: Cancel) -> Ended:
    hasher = new_hasher(job.store.limits.checksum)
    hasher.update(data)
    seen = hasher.checksum()
    job.source.verify()
    require_absent(job)
    body = MemoryBody(data, seen, meter, stop)
    token = job.clock.token()
    options = replace(job.options(token), if_absent=not job.overwrite)
    receipt = partial(PartReceipt, 1, len(data), proof=proof_of(seen))
    try:
        put = job.store.with_cancel(stop).put(job.bucket, job.key, body, options)
    except ConflictError:
        landed = None if job.overwrite else _landed(job, token)
        if landed is None:
            raise
        return landed, receipt(landed.etag)
    job.log.sent(len(data))
    checksum = proof_of(put.checksum) if put.checksum else None
    return Published(put.etag, "put", put.version, checksum=checksum), receipt(put.etag)


def _landed(job: Job, token: str) -> Published | None:
    """Return what an earlier try of this very put made, whose answer was lost: the next one finds it in its way."""
    at_key = look(job)
    if at_key is None or at_key.metadata.get(_metadata.TOKEN) != token:
        return None
    return Published(at_key.etag, "head", at_key.version)
