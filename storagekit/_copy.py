"""Copy an object within one service: no byte passes through here.

Up to 1 GiB in one request, which is atomic by itself; larger ones by parts (``_send.py``), so that no request takes
minutes without an answer, and a copy that was killed goes on like any other upload. One that must not replace anything
goes by parts as well: services look at the condition of a complete, and not at that of a copy (MinIO).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from storagekit._finish import require_absent
from storagekit._job import Job, Published
from storagekit._object_source import OpenObject
from storagekit._send import KEPT, raise_if_changed
from storagekit.errors import ConflictError, ObjectNotFoundError
from storagekit.types import PartReceipt

ONE_COPY = 1024**3
COPY_PART = 256 * 1024**2


def fits_one_copy(job: Job, source: OpenObject) -> bool:
    """Tell whether one request does it."""
    if not job.overwrite and source.size:
        return False
    return source.size <= min(ONE_COPY, job.store.limits.max_put)


def copy_whole(job: Job, source: OpenObject) -> tuple[Published, PartReceipt]:
    """Copy in one request. Raises SourceChangedError where the source is another object by now."""
    require_absent(job)
    options = replace(job.options(job.clock.token()), if_absent=not job.overwrite)
    run = partial(job.store.driver.copy, job.bucket, job.key, source.bucket, source.key, options, source.etag)
    try:
        answer = job.store.call("copy", run, job.bucket, job.key)
    except (ConflictError, ObjectNotFoundError) as error:
        raise_if_changed(source, error)
        raise
    onto_itself = (source.bucket, source.key) == (job.bucket, job.key)
    if answer.etag != source.etag and not onto_itself:  # the same etag is proof enough
        source.look_again(job.cancel)
    job.log.sent(source.size)
    return Published(answer.etag, "put", answer.version), PartReceipt(1, source.size, answer.etag, KEPT)
