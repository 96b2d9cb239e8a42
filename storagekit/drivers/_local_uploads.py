"""Multipart uploads of the local driver: parts are written where they will lie, so that a complete copies nothing.

An upload is a directory ``uploads/<id>/``::

    upload.json     key, part size, content type, metadata; never rewritten
    data            the object to be; exists exactly as long as the upload does
    <n>.part        registration of part n, and its lock
    <n>.a, <n>.b    bytes of part n where they cannot lie in ``data``

With a part size, part n is written at offset (n - 1) x part size of ``data``, which is sparse until then. A part that
is larger, an upload without a part size, and a part that replaces a registered one go to a file of their own:
a replacement that fails must leave the old bytes alone. So there are up to three places for a part, and the next one
written is never the registered one.

A registration is one line of JSON, appended and flushed after the part's bytes are on the disk. The last whole line
counts: neither a kill nor a power cut can register bytes that are not there, and a kill half-way leaves the part as it
was. The lock on ``<n>.part`` orders those who send the same number.

Locks on the upload's directory: shared while a part is written, exclusive for a complete, which therefore never
publishes a file that somebody still writes to. An abort waits for nobody: it unlinks ``data`` under the bucket's
lock, under which a complete also commits, so exactly one of the two happens. Everybody looks for ``data`` after taking
a lock, a part writer again before it registers; without it, the upload is gone.
"""

# Keys are text (Path would turn "a//b" into "a/b"), and these are system calls, in the order that matters:
# ruff: noqa: PTH102, PTH104, PTH110, PTH123

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone

from storagekit.driver import Body, Code, DriverError
from storagekit.drivers import _local_files as files
from storagekit.drivers._local_bucket import Bucket, dump_options, parse_options
from storagekit.drivers._local_names import require_key
from storagekit.types import Checksum, Part, PartPage, PendingUpload, PutResult, Upload, UploadPage, WriteOptions

_IN_PLACE = "data"
_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_REGISTRATION = re.compile(r"([1-9][0-9]*)\.part", re.ASCII)


def _gone() -> DriverError:
    return files.refusal(Code.UPLOAD_GONE, "the upload was completed or aborted, or never begun")


@dataclass(frozen=True)
class _Stored:
    """One registered part. ``place`` is ``data``, ``a`` or ``b``; ``modified`` ISO 8601 in UTC."""

    number: int
    size: int
    crc64: str
    place: str
    modified: str

    def part(self) -> Part:
        """Return it as the core knows it. The etag is the CRC-64."""
        modified = datetime.fromisoformat(self.modified)
        return Part(self.number, self.size, self.crc64, Checksum("crc64", self.crc64), modified)


class UploadFolder:
    """The directory of one upload that exists, or existed a moment ago."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.data = f"{directory}/{_IN_PLACE}"
        try:
            with open(f"{directory}/upload.json", encoding="utf-8") as file:
                head = json.load(file)
            self.initiated = datetime.fromisoformat(head["initiated"])
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError):
            raise _gone() from None
        self.key: str = head["key"]
        self.part_size: int | None = head["part_size"]
        self.options = parse_options(head)

    def require(self) -> None:
        """Raise UPLOAD_GONE where the upload was completed or aborted."""
        if not os.path.exists(self.data):
            raise _gone()

    @contextmanager
    def held(self, how: int) -> Iterator[None]:
        """Hold the upload's lock, shared or exclusive. Raises UPLOAD_GONE."""
        with _or_gone():
            fd = files.acquire(self.directory, how)
        try:
            self.require()
            yield
        finally:
            files.release(fd)

    def put_part(self, number: int, body: Body) -> Part:
        """Write one part and register it. Raises what the body raises, INTEGRITY, UPLOAD_GONE."""
        path = f"{self.directory}/{number}.part"
        with self.held(fcntl.LOCK_SH):
            with _or_gone():
                lock = files.acquire(path, fcntl.LOCK_EX, os.O_RDWR | os.O_CREAT)
            try:
                self.require()  # it may have taken long to get here
                place = self._free_place(number, body.size)
                written = self._write(number, place, body)
                self.require()
                now = datetime.now(timezone.utc).isoformat()
                return self._register(lock, _Stored(number, body.size, written.value, place, now))
            finally:
                files.release(lock)

    def stored(self) -> dict[int, _Stored]:
        """Return the registered parts by number, ascending."""
        numbers = [int(match[1]) for e in files.entries(self.directory) if (match := _REGISTRATION.fullmatch(e.name))]
        found = [self._registered(number) for number in sorted(numbers)]
        return {stored.number: stored for stored in found if stored is not None}

    def complete(self, bucket: Bucket, parts: Sequence[Part], min_part: int, *, if_absent: bool) -> PutResult:
        """Publish ``parts``. Raises PART_INVALID, TOO_SMALL, UPLOAD_GONE, CONFLICT, PRECONDITION."""
        options = replace(self.options, if_absent=if_absent)
        with self.held(fcntl.LOCK_EX):
            stored = self.stored()
            self.require()  # an abort takes ``data`` first: what it removed of the rest was not merely never sent
            chosen = _chosen(stored, parts, min_part)
            if len(chosen) == len(stored) and self._is_contiguous(chosen):
                result = self._complete_in_place(bucket, chosen, options)
            else:
                result = self._complete_by_copy(bucket, chosen, options)
            files.remove_flat(self.directory)
        bucket.prune()
        return result

    def abort(self, bucket: Bucket) -> None:
        """End the upload, and with it what a complete that was killed wrote of its labels."""
        with bucket.publishing():
            files.remove(self.data)
            bucket.drop_stale_labels(self.key)

    def _complete_in_place(self, bucket: Bucket, chosen: list[_Stored], options: WriteOptions) -> PutResult:
        with _or_gone(), files.opened(self.data, os.O_RDWR) as fd:
            for stored in chosen:
                if stored.place != _IN_PLACE:  # it was sent twice: the better bytes lie outside
                    self._copy(stored, fd, self._offset(stored.number))
            # nothing registered lies behind the end, so a kill from here on leaves a whole upload
            os.ftruncate(fd, sum(stored.size for stored in chosen))
            return bucket.publish(self.data, fd, self.key, options, alive=self.data, gone=_gone())

    def _complete_by_copy(self, bucket: Bucket, chosen: list[_Stored], options: WriteOptions) -> PutResult:
        with bucket.temporary(self.key) as (path, fd):
            offset = 0
            for stored in chosen:
                with _or_gone():
                    self._copy(stored, fd, offset)
                offset += stored.size
            return bucket.publish(path, fd, self.key, options, alive=self.data, gone=_gone())

    def _copy(self, stored: _Stored, target: int, offset: int) -> None:
        start = self._offset(stored.number) if stored.place == _IN_PLACE else 0
        with files.opened(self._path(stored.number, stored.place), os.O_RDONLY) as source:
            files.copy_range(source, start, target, offset, stored.size)

    def _is_contiguous(self, chosen: list[_Stored]) -> bool:
        """Tell whether the parts are 1, 2, 3... and all but the last as large as planned, the last not larger."""
        if self.part_size is None or chosen[-1].number != len(chosen) or chosen[-1].size > self.part_size:
            return False
        return all(stored.size == self.part_size for stored in chosen[:-1])

    def _offset(self, number: int) -> int:
        return (number - 1) * (self.part_size or 0)

    def _path(self, number: int, place: str) -> str:
        return self.data if place == _IN_PLACE else f"{self.directory}/{number}.{place}"

    def _free_place(self, number: int, size: int) -> str:
        """Return where the part's bytes can go without touching the registered ones."""
        registered = self._registered(number)
        places = [_IN_PLACE, "a"] if self.part_size is not None and size <= self.part_size else ["a", "b"]
        return places[1] if registered is not None and registered.place == places[0] else places[0]

    def _write(self, number: int, place: str, body: Body) -> Checksum:
        in_place = place == _IN_PLACE
        flags = os.O_WRONLY if in_place else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with _or_gone():
            fd = os.open(self._path(number, place), flags, 0o666)
        try:
            written = files.write_body(fd, body, self._offset(number) if in_place else 0)
            files.sync_data(fd)
        finally:
            os.close(fd)
        if not in_place:
            files.sync_directory(self.directory)
        return written

    def _register(self, lock: int, stored: _Stored) -> Part:
        """Append the registration. What a killed writer left of its own line is cut off first."""
        whole = os.pread(lock, os.fstat(lock).st_size, 0).rfind(b"\n") + 1
        os.ftruncate(lock, whole)
        files.write_all(lock, memoryview(json.dumps(asdict(stored)).encode() + b"\n"), whole)
        files.sync_data(lock)
        return stored.part()

    def _registered(self, number: int) -> _Stored | None:
        """Return the last whole line of the registration, or None where there is none."""
        try:
            with open(f"{self.directory}/{number}.part", "rb") as file:
                lines = file.read().rpartition(b"\n")[0].splitlines()
            return _Stored(**json.loads(lines[-1])) if lines else None
        except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
            return None


@contextmanager
def _or_gone() -> Iterator[None]:
    """Turn a file of the upload that is missing into UPLOAD_GONE. Nothing inside may read a body."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise _gone() from None


def _chosen(stored: dict[int, _Stored], parts: Sequence[Part], min_part: int) -> list[_Stored]:
    """Return the registered parts that ``parts`` name. Raises PART_INVALID, TOO_SMALL."""
    numbers = [part.number for part in parts]
    if not numbers or numbers != sorted(set(numbers)):
        raise files.refusal(Code.PART_INVALID, "the parts do not ascend by number")
    for part in parts:
        if part.number not in stored or stored[part.number].crc64 != part.etag:
            raise files.refusal(Code.PART_INVALID, f"part {part.number} is missing, or another one by now")
    chosen = [stored[number] for number in numbers]
    if any(part.size < min_part for part in chosen[:-1]):
        raise files.refusal(Code.TOO_SMALL, f"a part but the last is below {min_part:,} bytes")
    return chosen


def create(bucket: Bucket, key: str, options: WriteOptions, part_size: int | None) -> Upload:
    """Begin an upload: made under ``tmp`` and renamed, so that it is there as a whole or not at all."""
    bucket.require()
    require_key(bucket.path, key)
    bucket.sweep()
    upload = Upload(bucket.path, key, secrets.token_hex(16), options, part_size)
    draft, directory = f"{bucket.tmp}/{upload.id}", f"{bucket.uploads}/{upload.id}"
    head = {"key": key, "part_size": part_size, "initiated": datetime.now(timezone.utc).isoformat()}
    lock = bucket.inside(bucket.tmp, lambda: _make_draft(draft))
    try:
        files.write_new(f"{draft}/upload.json", json.dumps({**head, **dump_options(options)}).encode())
        files.write_new(f"{draft}/{_IN_PLACE}", b"")
        files.sync_directory(draft)
        bucket.inside(bucket.uploads, lambda: os.rename(draft, directory))
    except FileNotFoundError:  # only the removal of the whole bucket takes a locked draft away
        raise bucket.missing() from None
    finally:
        files.remove_flat(draft)
        files.release(lock)
    files.sync_directory(bucket.uploads)
    files.sync_directory(bucket.path)  # for control itself, which may be as new
    bucket.prune()
    return upload


def _make_draft(path: str) -> int:
    with suppress(FileExistsError):
        os.mkdir(path)
    return files.acquire(path, fcntl.LOCK_EX)


def find(bucket: Bucket, upload: Upload) -> UploadFolder:
    """Return the folder of an upload. Raises UPLOAD_GONE, BUCKET_NOT_FOUND."""
    bucket.require()
    if not _ID.fullmatch(upload.id):
        raise _gone()
    folder = UploadFolder(f"{bucket.uploads}/{upload.id}")
    if folder.key != upload.key:
        raise _gone()
    folder.require()
    return folder


def abort(bucket: Bucket, upload: Upload) -> None:
    """Drop an upload, and what a killed complete or abort left of one. An absent one is success."""
    bucket.require()
    if not _ID.fullmatch(upload.id):
        return
    directory = f"{bucket.uploads}/{upload.id}"
    try:
        folder = UploadFolder(directory)
    except DriverError:
        folder = None
    if folder is not None and folder.key != upload.key:
        return
    if folder is not None:
        folder.abort(bucket)
    files.remove_flat(directory)
    bucket.prune()


def list_parts(folder: UploadFolder, token: str | None, limit: int) -> PartPage:
    """Return one page of registered parts. The token is the last number."""
    rest = [stored for number, stored in folder.stored().items() if number > int(token or 0)]
    folder.require()  # only now is it certain that no complete removed registrations while they were read
    page = tuple(stored.part() for stored in rest[:limit])
    return PartPage(page, str(page[-1].number) if len(rest) > limit else None)


def list_uploads(bucket: Bucket, prefix: str, token: str | None, limit: int) -> UploadPage:
    """Return one page of the uploads that exist, by key, then by their beginning. The token is the last of them."""
    bucket.require()
    rows: list[tuple[str, str, str, datetime]] = []
    for entry in files.entries(bucket.uploads):
        with suppress(DriverError):
            folder = UploadFolder(entry.path)
            folder.require()
            rows.append((folder.key, folder.initiated.isoformat(), entry.name, folder.initiated))
    rest = sorted(row for row in rows if row[0].startswith(prefix) and "\0".join(row[:3]) > (token or ""))
    page = tuple(PendingUpload(key, identity, initiated) for key, _, identity, initiated in rest[:limit])
    return UploadPage(page, "\0".join(rest[limit - 1][:3]) if len(rest) > limit else None)
