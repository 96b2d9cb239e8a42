"""What a failed upload says of its service: may a later run go on with it, or does only another one help?

The core knows no service by name. It goes by what is answered, and where an answer says too little it asks once more.
"""

from __future__ import annotations

from storagekit._job import Job, Session
from storagekit.driver import Code
from storagekit.errors import RequestRefusedError, ServiceError, UploadGoneError

_UNFINISHABLE = {("complete_upload", Code.PART_INVALID.value), ("put_part", Code.UNSUPPORTED.value)}
"""What is refused, and how, where only a new upload helps: a subset of the parts (Ceph, rclone), or a part in the place
of one that is there (rclone)."""


def beyond_help(job: Job, session: Session, error: BaseException) -> UploadGoneError | None:
    """Return why nobody can finish the upload any more; None where another run may.

    Where the service says no more than that something went wrong with it, it is asked whether the upload is there: Ceph
    (of a complete) and moto (of a part as well) have no other answer to what comes too late.
    """
    if isinstance(error, UploadGoneError):
        return error
    if isinstance(error, RequestRefusedError) and (error.operation, error.code) in _UNFINISHABLE:
        return UploadGoneError(error.message, hint=error.hint, context=error.context)
    if isinstance(error, ServiceError) and error.code == Code.SERVER.value:
        return job.store.gone(session.record.upload)
    return None


def copies_no_parts(error: BaseException) -> bool:
    """Tell whether the service has no copies of ranges: then the source is read and sent like any other."""
    wanted = ("copy_part", Code.UNSUPPORTED.value)
    return isinstance(error, RequestRefusedError) and (error.operation, error.code) == wanted
