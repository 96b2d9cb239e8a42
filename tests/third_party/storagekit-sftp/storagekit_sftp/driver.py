"""The SFTP driver: every change becomes visible by one rename, which the server makes atomic.

On the server, below ``root``::

    bucket/objects/folder.d/name.o          an object (see ``files``); the bucket exists while ``objects`` does
    bucket/uploads/<id>/upload.json         an unfinished upload: its key, its labels, when it was begun
    bucket/uploads/<id>/0/000001-<md5>      part 1; a hundred parts to a directory, so that none gets long
    bucket/tmp/                             what is being written, or removed

SFTP cannot join files, so ``complete_upload`` and the copies move all bytes to this machine and back. Then a complete
takes the upload's directory away with one rename, which only one caller can win, and publishes what it has joined.

The MD5 of a body is compared here, before the rename; on the way SSH itself verifies every packet. Needs a server that
knows ``posix-rename@openssh.com``, as OpenSSH does.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta, timezone
from types import TracebackType
from typing import Any

import paramiko

from storagekit.driver import Body, Code, DriverError, Failure, Limits
from storagekit.types import (
    DeleteFailure,
    ObjectInfo,
    ObjectPage,
    Part,
    PartPage,
    PendingUpload,
    PutResult,
    Upload,
    UploadPage,
    WriteOptions,
)
from storagekit_sftp import files, session, uploads
from storagekit_sftp.files import HEADER, STEP, Facts, refusal
from storagekit_sftp.session import Sessions

TIB = 1024**4
LIMITS = Limits(
    min_part=1,
    max_part=TIB,
    max_put=TIB,
    max_object=16 * TIB,
    max_segment_bytes=files.MAX_SEGMENT,
    checksum="md5",
)
ABANDONED_S = 24 * 3600  # what lies in tmp for so long belongs to nobody who lives


class SftpReader:
    """The bytes of one object or range; it holds a session, and the file as it was when it was opened."""

    def __init__(self, held: ExitStack, file: paramiko.SFTPFile, facts: Facts, start: int, length: int | None) -> None:
        self.etag, self.total = facts.etag, facts.size
        self._held, self._file, self._at = held, file, start
        self._end = facts.size if length is None else min(facts.size, start + length)

    def readinto(self, buffer: memoryview) -> int:
        count = min(len(buffer), STEP, max(0, self._end - self._at))
        if count:
            buffer[:count] = files.read_exactly(self._file, HEADER + self._at, count)
            self._at += count
        return count

    def chunks(self) -> Iterator[memoryview]:
        buffer = memoryview(bytearray(STEP))
        while count := self.readinto(buffer):
            yield buffer[:count]

    def __enter__(self) -> SftpReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.__exit__(kind, error, trace)


class SftpDriver:
    """Buckets below the directory ``root`` of one SSH server. ``connect`` opens a connection."""

    limits = LIMITS

    def __init__(self, connect: session.Connect, root: str = "storagekit") -> None:
        self._root = root.rstrip("/")
        self._sessions = Sessions(connect)

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> SftpDriver:
        """Return a driver as the settings say; it connects on the first call."""
        return cls(session.connector(settings), settings.get("root", "storagekit"))

    def head(self, bucket: str, key: str) -> ObjectInfo:
        with self._sessions.session() as sftp, self._open(sftp, bucket, key) as file:
            facts, modified = files.read_header(file), files.utc(file.stat().st_mtime)
        return ObjectInfo(key, facts.size, facts.etag, modified, facts.content_type, facts.metadata)

    def read(
        self, bucket: str, key: str, start: int = 0, length: int | None = None, if_match: str | None = None
    ) -> SftpReader:
        with ExitStack() as held:
            sftp = held.enter_context(self._sessions.session())
            file = held.enter_context(self._open(sftp, bucket, key))
            facts = files.read_header(file)
            if if_match is not None and if_match != facts.etag:
                raise refusal(Code.PRECONDITION, f"the object's etag is {facts.etag} by now")
            return SftpReader(held.pop_all(), file, facts, start, length)

    def put(self, bucket: str, key: str, body: Body, options: WriteOptions) -> PutResult:
        home = self._home(bucket)
        with self._sessions.session() as sftp, self._draft(sftp, home) as draft:
            facts = files.write_file(sftp, draft, files.chunks_of(body), options)
            files.require_whole(body, facts)
            self._publish(sftp, home, draft, key)
        return PutResult(facts.etag)

    def delete(self, bucket: str, key: str) -> None:
        home, path = self._home(bucket), files.path_of(key)
        with self._sessions.session() as sftp:
            self._require(sftp, home)
            if path is not None:
                files.remove_file(sftp, f"{home}/objects/{path}")
                self._prune(sftp, home, path)

    def delete_many(self, bucket: str, keys: Sequence[str]) -> list[DeleteFailure]:
        failures: list[DeleteFailure] = []
        for key in keys:
            try:
                self.delete(bucket, key)
            except OSError as error:  # each key has its own outcome
                why = self.classify(error)
                failures.append(DeleteFailure(key, why.code.value, why.detail))
        return failures

    def list(
        self,
        bucket: str,
        prefix: str = "",
        delimiter: str = "",
        start_after: str = "",
        token: str | None = None,
        limit: int = 1000,
    ) -> ObjectPage:
        """Return one page. A token is the last key of its page (``k``) or the last common prefix (``p``)."""
        home = self._home(bucket)
        kind, last = (token[0], token[1:]) if token else ("k", "")
        objects: list[ObjectInfo] = []
        prefixes: list[str] = []
        with self._sessions.session() as sftp:
            self._require(sftp, home)
            skipped = last if kind == "p" else None
            walk = files.Walk(sftp, f"{home}/objects", prefix, max(start_after, last), skipped)
            for key, path, modified in walk.below():
                if len(objects) + len(prefixes) == limit:
                    return ObjectPage(tuple(objects), tuple(prefixes), kind + last)
                cut = key.find(delimiter, len(prefix)) if delimiter else -1
                if cut >= 0:
                    kind, last = "p", key[: cut + len(delimiter)]
                    walk.skipped = last
                    prefixes.append(last)
                    continue
                with suppress(FileNotFoundError), sftp.open(path, "rb") as file:
                    facts = files.read_header(file)
                    objects.append(ObjectInfo(key, facts.size, facts.etag, files.utc(modified)))
                    kind, last = "k", key
        return ObjectPage(tuple(objects), tuple(prefixes))

    def copy(
        self,
        bucket: str,
        key: str,
        source_bucket: str,
        source_key: str,
        options: WriteOptions,
        if_match: str | None = None,
    ) -> PutResult:
        home = self._home(bucket)
        with self.read(source_bucket, source_key, if_match=if_match) as source, self._sessions.session() as sftp:
            with self._draft(sftp, home) as draft:
                facts = files.write_file(sftp, draft, source.chunks(), options)
                self._publish(sftp, home, draft, key)
        return PutResult(facts.etag)

    def create_upload(self, bucket: str, key: str, options: WriteOptions, part_size: int | None) -> Upload:
        home, upload = self._home(bucket), Upload(bucket, key, secrets.token_hex(16), options, part_size)
        labels = {"content_type": options.content_type, "metadata": dict(options.metadata)}
        facts = {"key": key, "begun": datetime.now(timezone.utc).isoformat(), **labels}
        draft = f"{home}/tmp/{upload.id}"
        with self._sessions.session() as sftp:
            self._require(sftp, home)
            sftp.mkdir(draft)
            files.write_file(sftp, f"{draft}/upload.json", [json.dumps(facts).encode()])
            sftp.posix_rename(draft, f"{home}/uploads/{upload.id}")
            self._sweep(sftp, home)
        return upload

    def put_part(self, upload: Upload, number: int, body: Body) -> Part:
        folder = self._folder(upload)
        with self._sessions.session() as sftp:
            uploads.facts_of(sftp, folder, upload)
            return uploads.store_part(sftp, folder, number, files.chunks_of(body), body)

    def copy_part(
        self, upload: Upload, number: int, source_bucket: str, source_key: str, start: int, length: int, if_match: str
    ) -> Part:
        folder = self._folder(upload)
        with self.read(source_bucket, source_key, start, length, if_match) as source, self._sessions.session() as sftp:
            uploads.facts_of(sftp, folder, upload)
            return uploads.store_part(sftp, folder, number, source.chunks())

    def list_parts(self, upload: Upload, token: str | None = None, limit: int = 1000) -> PartPage:
        last = int(token or 0)
        with self._sessions.session() as sftp:
            found = uploads.parts_of(sftp, self._folder(upload), upload, last)
        rest = tuple(part for part in found if part.number > last)
        return PartPage(rest[:limit], str(rest[limit - 1].number) if len(rest) > limit else None)

    def list_uploads(self, bucket: str, prefix: str = "", token: str | None = None, limit: int = 1000) -> UploadPage:
        home = self._home(bucket)
        rows: list[tuple[str, str, str]] = []
        with self._sessions.session() as sftp:
            self._require(sftp, home)
            for identity in sftp.listdir(f"{home}/uploads"):
                with suppress(FileNotFoundError):  # ended just now
                    facts = files.read_json(sftp, f"{home}/uploads/{identity}/upload.json")
                    rows.append((facts["key"], facts["begun"], identity))
        rest = sorted(row for row in rows if row[0].startswith(prefix) and "\0".join(row) > (token or ""))
        page = tuple(
            PendingUpload(key, identity, datetime.fromisoformat(begun)) for key, begun, identity in rest[:limit]
        )
        return UploadPage(page, "\0".join(rest[limit - 1]) if len(rest) > limit else None)

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> PutResult:
        home, folder, name = self._home(upload.bucket), self._folder(upload), f"object-{secrets.token_hex(8)}"
        with self._sessions.session() as sftp, files.removed_on_failure(sftp, f"{folder}/{name}"):
            with uploads.absent_is_gone(), self._sessions.session() as source:
                uploads.require_parts(uploads.parts_of(sftp, folder, upload), parts)
                facts = uploads.facts_of(sftp, folder, upload)
                options = WriteOptions(facts["content_type"], facts["metadata"])
                chunks = uploads.joined(source, folder, upload, parts)
                written = files.write_file(sftp, f"{folder}/{name}", chunks, options)
                taken = f"{home}/tmp/{upload.id}"
                sftp.posix_rename(folder, taken)  # of many callers one succeeds; for the others the upload is gone
            try:
                self._publish(sftp, home, f"{taken}/{name}", upload.key)
            except BaseException:
                sftp.posix_rename(taken, folder)
                raise
            files.remove_tree(sftp, taken)
        return PutResult(written.etag)

    def abort_upload(self, upload: Upload) -> None:
        taken = f"{self._home(upload.bucket)}/tmp/{upload.id}"
        with self._sessions.session() as sftp:
            try:
                uploads.facts_of(sftp, self._folder(upload), upload)
                sftp.posix_rename(self._folder(upload), taken)
            except (FileNotFoundError, DriverError):
                return  # no such upload, which is success
            files.remove_tree(sftp, taken)

    def create_bucket(self, bucket: str, location: str | None = None) -> None:
        home = self._home(bucket)
        with self._sessions.session() as sftp:
            if files.exists(sftp, f"{home}/objects"):
                raise refusal(Code.BUCKET_EXISTS, "the bucket exists")
            for path in (self._root, home, f"{home}/uploads", f"{home}/tmp"):
                files.ensure_folder(sftp, path)
            try:
                sftp.mkdir(f"{home}/objects")
            except OSError as error:
                if error.errno is not None:
                    raise
                raise refusal(Code.BUCKET_EXISTS, "somebody created the bucket just now") from None

    def delete_bucket(self, bucket: str) -> None:
        home = self._home(bucket)
        with self._sessions.session() as sftp:
            self._require(sftp, home)
            try:
                sftp.rmdir(f"{home}/objects")
            except OSError as error:
                if error.errno is not None or not files.exists(sftp, f"{home}/objects"):
                    raise
                raise refusal(Code.BUCKET_NOT_EMPTY, "the bucket holds objects") from None
            files.remove_tree(sftp, home)

    def list_buckets(self) -> Iterable[str]:
        with self._sessions.session() as sftp:
            if not files.exists(sftp, self._root):
                return []
            return sorted(n for n in sftp.listdir(self._root) if files.exists(sftp, f"{self._root}/{n}/objects"))

    def bucket_exists(self, bucket: str) -> bool:
        with self._sessions.session() as sftp:
            return files.exists(sftp, f"{self._home(bucket)}/objects")

    def presign(self, operation: str, bucket: str, key: str, expires: timedelta, **options: Any) -> str:
        raise refusal(Code.UNSUPPORTED, "SFTP has no URL that works without credentials")

    def classify(self, error: BaseException) -> Failure:
        return session.classify(error)

    def close(self) -> None:
        self._sessions.close()

    # --- what the methods above are made of

    def _home(self, bucket: str) -> str:
        """Return the bucket's directory. A name that no directory can have is that of a missing bucket."""
        if bucket.startswith(".") or {"/", "\0"} & set(bucket) or not 1 <= len(bucket.encode()) <= 255:
            raise refusal(Code.BUCKET_NOT_FOUND, "no directory can have the bucket's name")
        return f"{self._root}/{bucket}"

    def _folder(self, upload: Upload) -> str:
        return f"{self._home(upload.bucket)}/uploads/{upload.id}"

    def _require(self, sftp: paramiko.SFTPClient, home: str) -> None:
        if not files.exists(sftp, f"{home}/objects"):
            raise refusal(Code.BUCKET_NOT_FOUND, "there is no such bucket")

    @contextmanager
    def _open(self, sftp: paramiko.SFTPClient, bucket: str, key: str) -> Iterator[paramiko.SFTPFile]:
        home, path = self._home(bucket), files.path_of(key)
        try:
            file = sftp.open(f"{home}/objects/{path}", "rb") if path is not None else None
        except FileNotFoundError:
            file = None
        if file is None:
            self._require(sftp, home)
            raise refusal(Code.NOT_FOUND, "there is no object at that key")
        with file:
            yield file

    @contextmanager
    def _draft(self, sftp: paramiko.SFTPClient, home: str) -> Iterator[str]:
        """Yield the path of a temporary file of the bucket, which is removed where it is not renamed."""
        self._require(sftp, home)
        with files.removed_on_failure(sftp, f"{home}/tmp/{secrets.token_hex(16)}") as path:
            yield path

    def _publish(self, sftp: paramiko.SFTPClient, home: str, draft: str, key: str) -> None:
        """Rename a file over the key's. Its directories may be missing, and vanish while others delete in them."""
        path = files.path_of(key)
        if path is None:
            raise refusal(Code.INVALID_NAME, f"between two slashes of a key there may be {files.MAX_SEGMENT} bytes")
        for _ in range(10):
            with suppress(FileNotFoundError):
                sftp.posix_rename(draft, f"{home}/objects/{path}")
                return
            self._require(sftp, home)
            with suppress(FileNotFoundError):
                for slash in re.finditer("/", path):
                    files.ensure_folder(sftp, f"{home}/objects/{path[: slash.start()]}")
        raise refusal(Code.CONFLICT, "the directories of this key disappear as soon as they are made")

    def _prune(self, sftp: paramiko.SFTPClient, home: str, path: str) -> None:
        """Remove the directories that hold nothing any more, from the innermost on."""
        with suppress(OSError):  # the first that is not empty, or removed by somebody else
            while path := path.rpartition("/")[0]:
                sftp.rmdir(f"{home}/objects/{path}")

    def _sweep(self, sftp: paramiko.SFTPClient, home: str) -> None:
        """Remove what killed processes left behind. The server's own clock counts: that of the newest upload."""
        now = sftp.stat(f"{home}/uploads").st_mtime or 0
        for entry in sftp.listdir_attr(f"{home}/tmp"):
            if now - (entry.st_mtime or 0) > ABANDONED_S:
                path = f"{home}/tmp/{entry.filename}"
                files.remove_tree(sftp, path) if files.is_folder(entry) else files.remove_file(sftp, path)
