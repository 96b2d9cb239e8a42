"""The client's methods that write objects: each makes a source of what it is given and hands it to the engine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

from storagekit._arguments import check
from storagekit._client_base import ClientBase, OnNote, OnProgress, require_key
from storagekit._clock import Cancel
from storagekit._context import UploadContext
from storagekit._http import HTTPSource
from storagekit._object_source import ObjectSource
from storagekit._source import BytesSource, FileSource, Source
from storagekit._stream_source import StreamSource
from storagekit.errors import ConfigurationError
from storagekit.types import UploadResult
from storagekit.uploader import AnySource

Data = bytes | bytearray | memoryview | IO[bytes] | Iterable[bytes]
"""Bytes in memory, or a stream of them: a binary file-like object, or an iterable."""


class UploadMethods(ClientBase):
    """Uploads and copies.

    What the methods have in common:

    Args:
        key: where to; the backend's rules for names are checked before any byte moves.
        bucket: the client's where None.
        content_type: None for what the source says, or the extension of the key.
        metadata: user metadata; names are lower-case ASCII, values any text.
        storage_class: the service's own word for where the object is to be kept, such as ``STANDARD_IA``.
        chunk_size: bytes per part of a new upload, None for the client's ``part_size``; an upload that is gone on with
            keeps its own.
        size: what the source must be long, in bytes; a stream that ends otherwise is not published.
        sha256: hex digest that the source must have; another is not published.
        source_id: names the content of the source. Equal ids mean equal bytes: what an earlier run of it left is
            taken without a look.
        overwrite: False raises ConflictError where there is an object at the key, before any byte moves, and again
            when the new object is published: the service itself looks, where it can.
        restart: discard unfinished uploads of this key first.
        verify: read the object back at the end and compare it with the source; ``result.verified`` says that all was.
        workers: parts under way at once, by default the client's.
        on_progress: called from worker threads, one call at a time.
        on_note: called with each sentence that also ends up in ``UploadResult.notes``.
        cancel: set it from another thread to stop.

    All raise InvalidNameError, NotFoundError, PermissionDeniedError, ServiceError, IntegrityError, ConflictError and
    TransferCancelled, as ``storagekit.errors`` describes them.
    """

    def upload(
        self,
        source: AnySource,
        key: str,
        *,
        bucket: str | None = None,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        storage_class: str | None = None,
        chunk_size: int | None = None,
        size: int | None = None,
        sha256: str | None = None,
        source_id: str | None = None,
        overwrite: bool = True,
        restart: bool = False,
        verify: bool = False,
        workers: int | None = None,
        on_progress: OnProgress | None = None,
        on_note: OnNote | None = None,
        cancel: Cancel | None = None,
    ) -> UploadResult:
        """Upload any source: bytes, a path, a URL, a file-like object, an iterable of bytes."""
        check(chunk_size=chunk_size)
        name = self._bucket(bucket)
        with self._at("upload", name, key):
            return self.uploader.upload(
                source,
                name,
                key,
                content_type=content_type,
                metadata=metadata,
                storage_class=storage_class,
                part_size=chunk_size,
                size=size,
                sha256=sha256,
                source_id=source_id,
                overwrite=overwrite,
                restart=restart,
                verify=verify,
                workers=workers,
                on_progress=on_progress,
                on_note=on_note,
                cancel=cancel,
            )

    def put_object(
        self,
        key: str,
        data: Data,
        *,
        bucket: str | None = None,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        storage_class: str | None = None,
        chunk_size: int | None = None,
        overwrite: bool = True,
    ) -> UploadResult:
        """Upload bytes that are in memory, or what a binary file-like object or an iterable of bytes yields.

        Raises ConfigurationError for text: which encoding is meant only the caller knows.
        """
        return self.upload(
            source_of(data, key),
            key,
            bucket=bucket,
            content_type=content_type,
            metadata=metadata,
            storage_class=storage_class,
            chunk_size=chunk_size,
            overwrite=overwrite,
        )

    def upload_file(
        self,
        file_path: str | os.PathLike[str],
        key: str | None = None,
        *,
        bucket: str | None = None,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        storage_class: str | None = None,
        chunk_size: int | None = None,
        sha256: str | None = None,
        overwrite: bool = True,
        restart: bool = False,
        verify: bool = False,
        on_progress: OnProgress | None = None,
        on_note: OnNote | None = None,
        cancel: Cancel | None = None,
    ) -> UploadResult:
        """Upload a file, in parts where it is large; the key is its base name where none is given."""
        check(file_path=file_path)
        return self.upload(
            FileSource(file_path),
            key or Path(file_path).name,
            bucket=bucket,
            content_type=content_type,
            metadata=metadata,
            storage_class=storage_class,
            chunk_size=chunk_size,
            sha256=sha256,
            overwrite=overwrite,
            restart=restart,
            verify=verify,
            on_progress=on_progress,
            on_note=on_note,
            cancel=cancel,
        )

    def upload_url(
        self,
        url: str,
        key: str,
        *,
        bucket: str | None = None,
        headers: Mapping[str, str] | None = None,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        storage_class: str | None = None,
        chunk_size: int | None = None,
        size: int | None = None,
        sha256: str | None = None,
        source_id: str | None = None,
        overwrite: bool = True,
        restart: bool = False,
        verify: bool = False,
        on_progress: OnProgress | None = None,
        on_note: OnNote | None = None,
        cancel: Cancel | None = None,
    ) -> UploadResult:
        """Stream a URL into an object, without local disk. ``headers`` go to the URL's own host only.

        Raises ConfigurationError for what is no http(s) URL.
        """
        check(url=url, headers=headers)
        if not url.lower().startswith(("http://", "https://")):
            raise ConfigurationError("url is no http(s) URL", hint="For a file use upload_file")
        return self.upload(
            HTTPSource(url, tuple((headers or {}).items()), self._retry, self._clock),
            key,
            bucket=bucket,
            content_type=content_type,
            metadata=metadata,
            storage_class=storage_class,
            chunk_size=chunk_size,
            size=size,
            sha256=sha256,
            source_id=source_id,
            overwrite=overwrite,
            restart=restart,
            verify=verify,
            on_progress=on_progress,
            on_note=on_note,
            cancel=cancel,
        )

    def upload_from_stream(
        self,
        stream: Data,
        key: str,
        *,
        bucket: str | None = None,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        storage_class: str | None = None,
        chunk_size: int | None = None,
        size: int | None = None,
        sha256: str | None = None,
        source_id: str | None = None,
        overwrite: bool = True,
        restart: bool = False,
        verify: bool = False,
        on_progress: OnProgress | None = None,
        on_note: OnNote | None = None,
        cancel: Cancel | None = None,
    ) -> UploadResult:
        """Upload what a binary file-like object yields from where it stands, or an iterable of bytes; it stays open.

        Without ``size`` or ``sha256`` a stream is proven only up to its end. A later run of the same stream sends only
        what differs from what the service kept.
        """
        return self.upload(
            source_of(stream, "stream"),
            key,
            bucket=bucket,
            content_type=content_type,
            metadata=metadata,
            storage_class=storage_class,
            chunk_size=chunk_size,
            size=size,
            sha256=sha256,
            source_id=source_id,
            overwrite=overwrite,
            restart=restart,
            verify=verify,
            on_progress=on_progress,
            on_note=on_note,
            cancel=cancel,
        )

    def copy_object(
        self,
        source_key: str,
        key: str,
        *,
        source_bucket: str | None = None,
        bucket: str | None = None,
        source_client: ClientBase | None = None,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        storage_class: str | None = None,
        chunk_size: int | None = None,
        size: int | None = None,
        sha256: str | None = None,
        overwrite: bool = True,
        restart: bool = False,
        verify: bool = False,
        workers: int | None = None,
        on_progress: OnProgress | None = None,
        on_note: OnNote | None = None,
        cancel: Cancel | None = None,
    ) -> UploadResult:
        """Copy an object of any size: on the server where source and target are one service, else streamed through.

        ``source_bucket`` is the client's where None. ``source_client`` is the client of another backend or account,
        where the object is not one of this one's. Content type and metadata are the source's where None is given; an
        empty ``metadata`` drops the source's. With ``sha256`` the bytes pass through here, to be hashed. Raises
        SourceChangedError where the source is replaced meanwhile.
        """
        origin = source_client or self
        require_key(source_key)
        source = ObjectSource(
            origin._store,  # noqa: SLF001  # a client knows its kind
            self._scope if origin._service == self._service else f"another service than {self._scope}",  # noqa: SLF001
            origin._bucket(source_bucket),  # noqa: SLF001
            source_key,
        )
        return self.upload(
            source,
            key,
            bucket=bucket,
            content_type=content_type,
            metadata=metadata,
            storage_class=storage_class,
            chunk_size=chunk_size,
            size=size,
            sha256=sha256,
            overwrite=overwrite,
            restart=restart,
            verify=verify,
            workers=workers,
            on_progress=on_progress,
            on_note=on_note,
            cancel=cancel,
        )

    def init_upload(
        self,
        key: str,
        *,
        bucket: str | None = None,
        source_id: str | None = None,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        storage_class: str | None = None,
        chunk_size: int | None = None,
        restart: bool = False,
        on_note: OnNote | None = None,
    ) -> UploadContext:
        """Begin an upload whose source the caller opens, or find the one that an earlier run of ``source_id`` left.

        ``ctx.offset`` is the byte to open the source at, ``ctx.to_json()`` the context as text; see ``upload_stream``.
        """
        check(chunk_size=chunk_size)
        name = self._bucket(bucket)
        with self._at("init_upload", name, key):
            return self.uploader.init_upload(
                name,
                key,
                source_id=source_id,
                part_size=chunk_size,
                content_type=content_type,
                metadata=metadata,
                storage_class=storage_class,
                restart=restart,
                on_note=on_note,
            )

    def upload_stream(
        self,
        ctx: UploadContext,
        stream: IO[bytes] | Iterable[bytes],
        *,
        total_size: int | None = None,
        sha256: str | None = None,
        on_progress: OnProgress | None = None,
        on_note: OnNote | None = None,
        cancel: Cancel | None = None,
    ) -> UploadResult:
        """Take the bytes from ``ctx.offset`` on and publish the object; with that offset at the end nothing is read.

        ``total_size`` is that of the whole object, in bytes. Raises SourceTruncatedError where the stream ends before.
        """
        check(ctx=ctx)
        with self._at("upload_stream", ctx.bucket, ctx.key):
            return self.uploader.upload_stream(
                ctx,
                stream,
                total_size=total_size,
                sha256=sha256,
                on_progress=on_progress,
                on_note=on_note,
                cancel=cancel,
            )


def source_of(data: Data, name: str) -> Source:
    """Return the source of bytes or of a stream. Raises ConfigurationError for text and for what is neither."""
    if isinstance(data, (bytes, bytearray, memoryview)):
        return BytesSource(data, name)
    if isinstance(data, (str, os.PathLike)):
        raise ConfigurationError(
            f"the data is {type(data).__name__}, not bytes",
            hint="Encode text, as in data.encode(); for a file use upload_file",
        )
    if not hasattr(data, "read") and not isinstance(data, Iterable):
        raise ConfigurationError(
            f"the data is {type(data).__name__}, not bytes", hint="Give bytes, a binary file or an iterable of bytes"
        )
    return StreamSource(data, name)
