"""One object of a recursive transfer: is it there already, and if not, how is it moved.

    upload, copy   there: the target has the same size, and its metadata names the same source (``_metadata.SOURCE``);
                   asked for only where the listing shows the same size
    download       there: the file has the object's size and its time, which it is given when it is written

Each class makes the tasks (``_tree/crew.py``) of one kind of transfer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from storagekit import _metadata
from storagekit._client_objects import ObjectMethods
from storagekit._client_uploads import UploadMethods
from storagekit._clock import Cancel
from storagekit._names import check_key
from storagekit._object_source import ObjectSource
from storagekit._source import FileSource, Source
from storagekit._store import Store
from storagekit._tree.crew import Listener, Task
from storagekit._tree.files import Directory
from storagekit._tree.rules import Parents, is_marker, pair
from storagekit._tree.walk import LocalFile, shown
from storagekit._verify import require_verified
from storagekit.errors import ConflictError, UnsupportedSourceError
from storagekit.types import ObjectInfo, ObjectOutcome, UploadResult


@dataclass(frozen=True)
class Wishes:
    """What the caller wants. ``fresh``: nothing is taken for being there already."""

    fresh: bool = False
    restart: bool = False
    verify: bool = False
    dry_run: bool = False
    chunk_size: int | None = None
    storage_class: str | None = None


@dataclass(frozen=True)
class Target:
    """The directory of a bucket that is written to: ``base`` is what its keys begin with."""

    client: UploadMethods
    store: Store
    bucket: str
    base: str
    wishes: Wishes
    stop: Cancel

    def holds(self, source: Source, there: ObjectInfo | None, size: int, key: str) -> bool:
        """Tell whether what is listed at ``key`` was made from ``source`` as it is now."""
        if there is None or there.size != size:
            return False
        opened = source.open(self.stop)
        opened.close()
        info = self.store.find(self.bucket, key)
        made_from = info.metadata.get(_metadata.SOURCE) if info and info.size == opened.size else None
        return made_from == opened.identity.digest

    def send(
        self,
        how: Callable[..., UploadResult],
        source: object,
        key: str,
        listener: Listener,
        workers: int,
        **more: object,
    ) -> UploadResult:
        """Upload or copy one object as the caller wishes; ``how`` is the client's method. Raises what it does."""
        result = how(
            source,
            key,
            bucket=self.bucket,
            chunk_size=self.wishes.chunk_size,
            storage_class=self.wishes.storage_class,
            restart=self.wishes.restart,
            verify=self.wishes.verify,
            workers=workers,
            on_progress=listener,
            cancel=self.stop,
            **more,
        )
        if self.wishes.verify:
            require_verified(result)
        return result


@dataclass(frozen=True)
class Uploads:
    """Files to objects."""

    target: Target

    def tasks(self, files: Iterable[LocalFile], theirs: Iterable[ObjectInfo]) -> Iterator[Task]:
        """Yield one task per file. Both come in byte order of the keys."""
        base = self.target.base
        for file, there in pair(files, lambda file: base.encode() + file.order, theirs):
            yield Task(base + file.shown, file.path, partial(self._send, file, there))

    def _send(self, file: LocalFile, there: ObjectInfo | None, listener: Listener, workers: int) -> ObjectOutcome:
        if file.problem is not None:
            raise UnsupportedSourceError(f"{shown(file.path)} {file.problem}")
        target, key, source = self.target, self.target.base + file.name, FileSource(file.path)
        check_key(key, target.store.limits)
        if target.holds(source, there, file.size, key):
            return ObjectOutcome(key, file.size, "skipped", file.path)
        if target.wishes.dry_run:
            return ObjectOutcome(key, file.size, "copied", file.path)
        result = target.send(target.client.upload, source, key, listener, workers)
        return ObjectOutcome(key, result.size, "copied", file.path, notes=result.notes)


@dataclass(frozen=True)
class Copies:
    """Objects of ``origin``, which is another client or the target's own, to objects."""

    target: Target
    origin: UploadMethods
    origin_store: Store
    bucket: str
    start: str

    def tasks(self, infos: Iterable[ObjectInfo], theirs: Iterable[ObjectInfo]) -> Iterator[Task]:
        """Yield one task per object. Both come in byte order of the keys."""
        for info, there in pair(infos, lambda info: self._key(info).encode(), theirs):
            yield Task(self._key(info), None, partial(self._copy, info, there))

    def _key(self, info: ObjectInfo) -> str:
        return self.target.base + info.key[len(self.start) :]

    def _copy(self, info: ObjectInfo, there: ObjectInfo | None, listener: Listener, workers: int) -> ObjectOutcome:
        target, key = self.target, self._key(info)
        if is_marker(info):
            return ObjectOutcome(key, 0, "marker")
        check_key(key, target.store.limits)
        source = ObjectSource(self.origin_store, "", self.bucket, info.key)  # the scope says nothing of the identity
        if target.holds(source, there, info.size, key):
            return ObjectOutcome(key, info.size, "skipped")
        if target.wishes.dry_run:
            return ObjectOutcome(key, info.size, "copied")
        origin = {"source_bucket": self.bucket, "source_client": self.origin}
        result = target.send(target.client.copy_object, info.key, key, listener, workers, **origin)
        return ObjectOutcome(key, result.size, "copied", notes=result.notes)


@dataclass(frozen=True)
class Downloads:
    """Objects to files."""

    client: ObjectMethods
    bucket: str
    start: str
    directory: Directory
    wishes: Wishes
    resume: bool
    stop: Cancel

    def tasks(self, infos: Iterable[ObjectInfo]) -> Iterator[Task]:
        """Yield one task per object. They come in byte order of their keys."""
        parents = Parents()
        for info in infos:
            parent = None if is_marker(info) else parents.of(info.key)
            yield Task(info.key, None, partial(self._fetch, info, parent))

    def _fetch(self, info: ObjectInfo, parent: str | None, listener: Listener, workers: int) -> ObjectOutcome:
        if is_marker(info):
            return ObjectOutcome(info.key, 0, "marker")
        if parent is not None:
            raise ConflictError(
                f"{parent} is an object too, so it cannot be a directory", hint="Copy one of them alone"
            )
        path = self.directory.place(info.key[len(self.start) :])
        if not self.wishes.fresh and self.directory.has(path, info):
            return ObjectOutcome(info.key, info.size, "skipped", path)
        if self.wishes.dry_run:
            return ObjectOutcome(info.key, info.size, "copied", path)
        result = self.client.download_file(
            info.key,
            path,
            bucket=self.bucket,
            chunk_size=self.wishes.chunk_size,
            resume=self.resume,
            verify=self.wishes.verify,
            workers=workers,
            on_progress=listener,
            cancel=self.stop,
        )
        self.directory.stamp(path, info)
        return ObjectOutcome(info.key, result.size, "copied", path)
