"""The client's methods for everything below a prefix: sent, fetched, copied, deleted, measured.

A prefix means a directory: ``raw`` and ``raw/`` both mean what lies below ``raw/``, never ``raw2/x``. What lies below
the source lands below the target; the source's own name is not added. Keys under ``.storagekit/`` are neither copied
nor deleted.

Both sides are walked in byte order of the keys and merged, ``workers`` objects are under way at once inside the
client's memory budget, and each is skipped where it is there already: so a transfer that was interrupted goes on when
it is called again. How, is in ``_tree/``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from storagekit._arguments import check
from storagekit._client_base import ClientBase
from storagekit._client_listings import visible
from storagekit._client_objects import ObjectMethods
from storagekit._client_uploads import UploadMethods
from storagekit._clock import Cancel
from storagekit._tree.crew import OnObject, OnTreeProgress, Tally, Task, run_all
from storagekit._tree.files import Directory
from storagekit._tree.moves import Copies, Downloads, Target, Uploads, Wishes
from storagekit._tree.rules import below, overlap
from storagekit._tree.walk import walk
from storagekit.errors import ConfigurationError, NotFoundError
from storagekit.types import DeleteFailure, ObjectFailure, ObjectInfo, ObjectOutcome, ObjectPage, TreeResult, TreeSize

_FIRST = 5  # keys that are shown before they are deleted


class TreeMethods(UploadMethods, ObjectMethods):
    """Recursive transfers and deletes.

    What the methods have in common:

    Args:
        prefix: the directory in the bucket; empty for the whole bucket.
        bucket: the client's where None.
        chunk_size: bytes per part or request, None for the client's ``part_size``.
        resume: False to move also what is there already.
        restart: the same, and unfinished uploads of each key are discarded first.
        verify: read every object that is moved back and compare; what is skipped is not read.
        dry_run: only tell what would be done.
        on_object: called with what became of each object, from worker threads, one call at a time.
        on_progress: called with the state of the whole, in the same way.
        cancel: set it from another thread to stop.

    An object that fails is in ``TreeResult.failed`` and ``failures``, and the others go on. What no other could survive
    is raised: BucketNotFoundError, CredentialsError, ConfigurationError, TransferCancelled, a full disk, ServiceError
    where four objects in a row have met it, PermissionDeniedError where the first four have.
    """

    def upload_tree(
        self,
        directory: str | os.PathLike[str],
        prefix: str = "",
        *,
        bucket: str | None = None,
        storage_class: str | None = None,
        chunk_size: int | None = None,
        resume: bool = True,
        restart: bool = False,
        verify: bool = False,
        dry_run: bool = False,
        on_object: OnObject | None = None,
        on_progress: OnTreeProgress | None = None,
        cancel: Cancel | None = None,
    ) -> TreeResult:
        """Upload all files below ``directory``. Empty directories leave nothing.

        Skipped is what is there with the same size and was made from a file of the same size, time (in seconds) and
        edges. Symbolic links are followed. What is no file (a pipe, a device) or has a name that is no UTF-8 is a
        failure, and is never opened. Raises NotFoundError, and ConfigurationError for what is no directory.
        """
        check(storage_class=storage_class)
        check(directory=directory, prefix=prefix, chunk_size=chunk_size, on_progress=on_progress, cancel=cancel)
        root, name, stop = _existing(directory), self._bucket(bucket), Cancel(cancel)
        wishes = Wishes(restart or not resume, restart, verify, dry_run, chunk_size, storage_class)
        with self._at("upload_tree", name):
            target = Target(self, self._store.with_cancel(stop), name, below(prefix), wishes, stop)
            tasks = Uploads(target).tasks(walk(root), _there(self, target))
            return self._run_all(tasks, stop, on_object, on_progress)

    def download_tree(
        self,
        prefix: str,
        directory: str | os.PathLike[str],
        *,
        bucket: str | None = None,
        chunk_size: int | None = None,
        resume: bool = True,
        restart: bool = False,
        verify: bool = False,
        dry_run: bool = False,
        on_object: OnObject | None = None,
        on_progress: OnTreeProgress | None = None,
        cancel: Cancel | None = None,
    ) -> TreeResult:
        """Write all objects below ``prefix`` to files below ``directory``, which is made where it is missing.

        Each file gets the object's time of change, and is skipped where it has this time and the object's size: a file
        that was changed since, and has both all the same, is not noticed. With ``resume`` off what killed downloads
        left is not used either. A key that is no path below the directory (``..``, two slashes, a name too long, a file
        where a directory is needed) is a failure. Raises ConfigurationError where ``directory`` is a file.
        """
        check(directory=directory, prefix=prefix, chunk_size=chunk_size, on_progress=on_progress, cancel=cancel)
        root, name, stop = Directory(os.fspath(directory)), self._bucket(bucket), Cancel(cancel)
        fresh = restart or not resume
        wishes = Wishes(fresh, restart, verify, dry_run, chunk_size)
        with self._at("download_tree", name):
            start = below(prefix)
            downloads = Downloads(self, name, start, root, wishes, not fresh, stop)
            return self._run_all(downloads.tasks(_listed(self, name, start, stop)), stop, on_object, on_progress)

    def copy_tree(
        self,
        source_prefix: str,
        prefix: str = "",
        *,
        source_bucket: str | None = None,
        bucket: str | None = None,
        source_client: TreeMethods | None = None,
        storage_class: str | None = None,
        chunk_size: int | None = None,
        resume: bool = True,
        restart: bool = False,
        verify: bool = False,
        dry_run: bool = False,
        on_object: OnObject | None = None,
        on_progress: OnTreeProgress | None = None,
        cancel: Cancel | None = None,
    ) -> TreeResult:
        """Copy all objects below ``source_prefix``, each as ``copy_object`` does.

        ``source_bucket`` is the source client's where None. Skipped is what is there with the same size and was made
        from the source as it is. Raises ConfigurationError where one of the two directories lies in the other.
        """
        check(prefix=source_prefix, chunk_size=chunk_size, on_progress=on_progress, cancel=cancel)
        check(prefix=prefix, storage_class=storage_class)
        origin, start, stop = source_client or self, below(source_prefix), Cancel(cancel)
        source, name = origin._bucket(source_bucket), self._bucket(bucket)  # noqa: SLF001  # a client knows its kind
        same_place = (origin._service, source) == (self._service, name)  # noqa: SLF001
        if same_place and overlap(start, below(prefix)):
            raise ConfigurationError("source and target lie in each other", hint="Choose another prefix")
        wishes = Wishes(restart or not resume, restart, verify, dry_run, chunk_size, storage_class)
        with self._at("copy_tree", name):
            target = Target(self, self._store.with_cancel(stop), name, below(prefix), wishes, stop)
            copies = Copies(target, origin, origin._store.with_cancel(stop), source, start)  # noqa: SLF001
            tasks = copies.tasks(_listed(origin, source, start, stop), _there(self, target))
            return self._run_all(tasks, stop, on_object, on_progress)

    def _run_all(
        self, tasks: Iterator[Task], stop: Cancel, on_object: OnObject | None, on_progress: OnTreeProgress | None
    ) -> TreeResult:
        return run_all(tasks, self.uploader.workers, stop, on_object, on_progress)

    def delete_tree(
        self,
        prefix: str,
        *,
        bucket: str | None = None,
        dry_run: bool = False,
        on_object: OnObject | None = None,
        on_progress: OnTreeProgress | None = None,
        cancel: Cancel | None = None,
    ) -> TreeResult:
        """Delete all objects below ``prefix``, page by page; with an empty one, all of the bucket. Nothing is asked.

        Raises BucketNotFoundError, and what else a request for a whole page meets.
        """
        check(prefix=prefix, on_progress=on_progress, cancel=cancel)
        name, tally = self._bucket(bucket), Tally(on_object, on_progress)
        with self._at("delete_tree", name):
            for page in _pages(self, name, below(prefix), Cancel(cancel)):
                keys = [info.key for info in page.objects]
                failed = {} if dry_run else {one.key: one for one in self.delete_objects(keys, bucket=name)}
                for info in page.objects:
                    tally.note(_deleted(info, failed.get(info.key)))
        return tally.result

    def tree_size(self, prefix: str = "", *, bucket: str | None = None, cancel: Cancel | None = None) -> TreeSize:
        """Count the objects below ``prefix`` and their bytes, by listing all of them. Raises BucketNotFoundError."""
        check(prefix=prefix, cancel=cancel)
        name, count, size = self._bucket(bucket), 0, 0
        first: tuple[str, ...] = ()
        with self._at("tree_size", name):
            for info in _listed(self, name, below(prefix), Cancel(cancel)):
                first = first if count >= _FIRST else (*first, info.key)
                count, size = count + 1, size + info.size
        return TreeSize(count, size, first)


def _deleted(info: ObjectInfo, failure: DeleteFailure | None) -> ObjectOutcome:
    if failure is None:
        return ObjectOutcome(info.key, info.size, "deleted")
    why = ObjectFailure(info.key, type(failure).__name__, failure.code, failure.message)
    return ObjectOutcome(info.key, info.size, "failed", failure=why)


def _there(client: ClientBase, target: Target) -> Iterable[ObjectInfo]:
    """Return what is at the target already; nothing where all is to be sent."""
    return () if target.wishes.fresh else _listed(client, target.bucket, target.base, target.stop)


def _listed(client: ClientBase, bucket: str, start: str, stop: Cancel) -> Iterator[ObjectInfo]:
    for page in _pages(client, bucket, start, stop):
        yield from page.objects


def _pages(client: ClientBase, bucket: str, start: str, stop: Cancel) -> Iterator[ObjectPage]:
    store = client._store.with_cancel(stop)  # noqa: SLF001  # a group of its methods
    with client._at("list", bucket):  # noqa: SLF001
        yield from map(visible, store.pages(bucket, start))


def _existing(directory: str | os.PathLike[str]) -> str:
    path = os.fspath(directory)
    if not Path(path).exists():
        raise NotFoundError(f"no such directory: {path}")
    if not Path(path).is_dir():
        raise ConfigurationError(f"{path} is no directory", hint="For a file use upload_file")
    return path
