"""Transfers by URL: without a client, a backend or credentials, for public objects and for URLs that were signed.

    from storagekit import download_from_url, upload_to_url

    download_from_url(url, "shard.tar")
    upload_to_url(signed_for_put, "shard.tar")

A signed URL is a secret: its query is in no log line, no error, no result and no name of a file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import IO

from storagekit._arguments import check
from storagekit._clock import Cancel, Clock
from storagekit._fetch import RANGE, Wish
from storagekit._http import HTTPSource
from storagekit._http_rules import public_url
from storagekit._retry import RetryPolicy
from storagekit._source import BytesSource, FileSource
from storagekit._stream_source import StreamSource
from storagekit._throttle import Throttle
from storagekit._window import Window
from storagekit.errors import ConfigurationError
from storagekit.types import DownloadResult, Progress, UploadResult
from storagekit.uploader import DEFAULT_MEMORY, DEFAULT_WORKERS

OnProgress = Callable[[Progress], None]
Data = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Iterable[bytes]


def download_from_url(
    url: str,
    file_path: str | os.PathLike[str],
    *,
    headers: Mapping[str, str] | None = None,
    chunk_size: int | None = None,
    overwrite: bool = True,
    resume: bool = True,
    verify: bool = False,
    size: int | None = None,
    sha256: str | None = None,
    workers: int = DEFAULT_WORKERS,
    memory: int = DEFAULT_MEMORY,
    max_speed: int | None = None,
    retry: RetryPolicy | None = None,
    clock: Clock | None = None,
    on_progress: OnProgress | None = None,
    cancel: Cancel | None = None,
) -> DownloadResult:
    """Write what a URL serves to a file, atomically: in parallel ranges and resumable, where the server lets us.

    What cannot be read in ranges of one version (no ranges, no strong ETag and no settled Last-Modified, chunked,
    compressed) is read from its first byte to its last, and begun again where it breaks off.

    Args:
        url: http or https. Signed ones are of GET.
        file_path: the file; its directories are made.
        headers: sent with every request to the URL's own host.
        chunk_size: bytes per request, by default 16 MiB.
        overwrite: False raises ConflictError where the file exists, before any byte moves.
        resume: go on with what a killed download of this version left, under this URL or one that was signed anew.
        verify: read the file back, fetch the URL a second time, and compare, before the file gets its name.
        size: bytes that there must be.
        sha256: hex digest that the file must have before it gets its name.
        workers: ranges under way at once.
        memory: bytes for all ranges under way.
        max_speed: bytes per second at most.
        retry: how often and how long to try one request.
        clock: time, sleep and chance; replaced in tests.
        on_progress: called from worker threads, one call at a time.
        cancel: set it from another thread to stop.

    Returns a result whose ``key`` is the URL without its query, and whose ``bucket`` is empty.

    Raises ObjectNotFoundError, PermissionDeniedError (also for a URL that has ended), SourceChangedError,
    IntegrityError, ServiceError, UnsupportedSourceError, ConfigurationError for what is no URL, or for a directory.
    """
    from storagekit._url_download import URLDownload, real

    check(
        url=url,
        headers=headers,
        file_path=file_path,
        chunk_size=chunk_size,
        size=size,
        sha256=sha256,
        workers=workers,
        memory=memory,
        max_speed=max_speed,
        retry=retry,
        on_progress=on_progress,
        cancel=cancel,
    )
    _require_url(url)
    time = clock or Clock()
    source = HTTPSource(url, tuple((headers or {}).items()), retry or RetryPolicy(), time)
    step = min(chunk_size or RANGE, memory)
    wish = Wish(real(file_path), on_progress, Cancel(cancel), step, overwrite, resume, verify, sha256, workers)
    return URLDownload(source, Window(memory), Throttle(max_speed, time) if max_speed else None, size).to_file(wish)


def upload_to_url(
    url: str,
    file_path: Data,
    *,
    content_type: str | None = None,
    headers: Mapping[str, str] | None = None,
    content_md5: bool = False,
    size: int | None = None,
    sha256: str | None = None,
    max_speed: int | None = None,
    retry: RetryPolicy | None = None,
    clock: Clock | None = None,
    on_progress: OnProgress | None = None,
    cancel: Cancel | None = None,
) -> UploadResult:
    """Send a file, or a stream of known size, to a URL that was signed for PUT: in one request, never all in memory.

    A redirect is followed where it means the same request (307, 308) at the same scheme, and refused otherwise.

    Args:
        url: http or https, signed for PUT: of an object, or of a part of an upload.
        file_path: the file; or bytes, a binary file-like object, an iterable of bytes. Streams are sent once.
        content_type: the one that the URL was signed for; none is sent where None.
        headers: further ones that the URL was signed for.
        content_md5: have the service compare the MD5 of a file, which is read twice then. Only for URLs that were
            signed for it, or whose signature (V4) leaves it out.
        size: what the source must be long, in bytes; needed for a stream that does not say it.
        sha256: hex digest that the source must have; of another the last byte is not sent, and nothing published.
        max_speed: bytes per second at most.
        retry: how often and how long to try.
        clock: time, sleep and chance; replaced in tests.
        on_progress: called from a worker thread, one call at a time.
        cancel: set it from another thread to stop.

    Returns a result whose ``key`` is the URL without its query. Its ``proof`` is ``put`` where the service's etag is
    the MD5 of what was sent, else ``answer``: the service said that it has it, and no more.

    Raises PermissionDeniedError for a URL that has ended, CredentialsError for one that was signed for something else,
    RequestRefusedError, ServiceError, IntegrityError, SourceChangedError, UnsupportedSourceError for a source of which
    nobody says how long it is.
    """
    from storagekit._url_upload import URLUpload

    check(
        url=url,
        headers=headers,
        content_type=content_type,
        size=size,
        sha256=sha256,
        max_speed=max_speed,
        retry=retry,
        on_progress=on_progress,
        cancel=cancel,
    )
    _require_url(url)
    sent = {**(headers or {}), **({"Content-Type": content_type} if content_type else {})}
    time = clock or Clock()
    throttle = Throttle(max_speed, time) if max_speed else None
    upload = URLUpload(url, sent, retry or RetryPolicy(), time, throttle, content_md5, size, sha256)
    return upload.send(_source_of(file_path, size), on_progress, Cancel(cancel))


def _require_url(url: str) -> None:
    if not public_url(url).lower().startswith(("http://", "https://")):
        raise ConfigurationError("this is not an http or https URL", hint="Write http(s)://host/path")


def _source_of(data: Data, size: int | None) -> FileSource | BytesSource | StreamSource:
    if isinstance(data, (str, os.PathLike)):
        return FileSource(data)
    return BytesSource(data) if isinstance(data, (bytes, bytearray, memoryview)) else StreamSource(data, size=size)
