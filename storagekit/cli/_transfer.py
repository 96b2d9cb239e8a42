"""What ``cp`` does for one object: a file, URL, object or standard input to an object; an object to a file or a pipe.

A dry run looks at the source as the transfer would, and stops there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from storagekit._units import show_size
from storagekit.cli import _options
from storagekit.cli._output import Meter, Output
from storagekit.cli._streams import standard_input, write_to_stdout
from storagekit.cli._uri import LocalPath, Location, Remote, StandardStream, WebURL
from storagekit.errors import ConfigurationError, ObjectNotFoundError
from storagekit.types import DownloadResult, UploadResult

if TYPE_CHECKING:
    from storagekit._source import Source
    from storagekit.client import StorageClient


@dataclass(frozen=True)
class Wishes:
    """What the user wants of a transfer. ``size`` and ``sha256`` are what is said of the source's bytes."""

    resume: bool = True
    restart: bool = False
    verify: bool = False
    dry_run: bool = False
    size: int | None = None
    sha256: str | None = None
    part_size: int | None = None
    storage_class: str | None = None
    content_type: str | None = None

    def refuse_promises(self) -> None:
        """Raise ConfigurationError if anything is said of the bytes where nothing can be done with it."""
        if self.size is not None or self.sha256 is not None:
            raise ConfigurationError("--size and --sha256 are for one object or file", hint="Leave them out")


@dataclass(frozen=True)
class Upload:
    """One upload to ``target``, from whatever source."""

    client: StorageClient
    target: Remote
    output: Output
    wishes: Wishes

    def of(self, source: Location) -> None:
        """Upload a file, a URL, or standard input."""
        target = self.target.named(_name_of(source))
        if self.wishes.dry_run:
            self._say_what_would_be(target, None if isinstance(source, StandardStream) else reader_of(source), source)
            return
        self._send(self.client.upload, reader_of(source), target)

    def of_object(self, origin: StorageClient, source: Remote) -> None:
        """Copy an object of ``origin``."""
        target = self.target.named(base_name(_options.need_key(source).key))
        if self.wishes.dry_run:
            self._say_copy(target, str(source), origin.head_object(source.key, bucket=source.bucket).size)
            return
        self._send(self.client.copy_object, source.key, target, source_bucket=source.bucket, source_client=origin)

    def _send(self, how: Callable[..., UploadResult], source: object, target: Remote, **more: object) -> None:
        """Upload or copy as the user wishes, and say the result; ``how`` is the client's method."""
        with self._telling(target) as listener:
            result = how(
                source,
                target.key,
                size=self.wishes.size,
                sha256=self.wishes.sha256,
                restart=self.wishes.restart,
                verify=self.wishes.verify,
                storage_class=self.wishes.storage_class,
                on_progress=listener,
                on_note=self.output.note,
                **more,
            )
        self._say(result)

    def _say_what_would_be(self, target: Remote, reader: Source | None, source: Location) -> None:
        from storagekit._clock import Cancel

        size = None
        if reader is not None:
            opened = reader.open(Cancel())
            size = opened.size
            opened.close()
        self._say_copy(target, shown(source), size)

    def _say_copy(self, target: Remote, source: str, size: int | None) -> None:
        from storagekit._names import check_key

        check_key(target.key, self.client.uploader.store.limits)
        say_what_would_be(self.output, source, str(target), size)

    @contextmanager
    def _telling(self, target: Remote) -> Iterator[Meter]:
        with saying_how_to_go_on(self.output), self.output.progress(str(target)) as listener:
            yield listener

    def _say(self, result: UploadResult) -> None:
        from storagekit._verify import require_verified

        if self.wishes.verify:
            require_verified(result)
        self.output.result(dict(result), line_of(f"{self.client.backend}://{result.bucket}/{result.key}", result))


def reader_of(source: Location) -> Source:
    """Return the source that an argument names."""
    from storagekit._http import HTTPSource
    from storagekit._source import FileSource
    from storagekit._stream_source import StreamSource

    if isinstance(source, WebURL):
        return HTTPSource(source.url)
    if isinstance(source, LocalPath):
        return FileSource(source.path)
    return StreamSource(standard_input(), "standard input")


def _name_of(source: Location) -> str:
    if isinstance(source, WebURL):
        return source.name
    return Path(source.path).name if isinstance(source, LocalPath) else ""


def shown(source: Location) -> str:
    """Return a place as people see it: of a URL nothing that may be a secret."""
    if isinstance(source, WebURL):
        from storagekit._http_rules import public_url

        return public_url(source.url)
    return source.path if isinstance(source, LocalPath) else "standard input"


def say_what_would_be(output: Output, source: str, target: str, size: int | None) -> None:
    """Say the result of a dry run."""
    length = "unknown length" if size is None else show_size(size)
    facts = {"dry_run": True, "source": source, "target": target, "size": size}
    output.result(facts, f"would copy {source} to {target}: {length}")


def download(client: StorageClient, source: Remote, target: Location, output: Output, wishes: Wishes) -> None:
    """Write an object to a file, a device, or standard output."""
    _options.need_key(source)
    path = None if isinstance(target, StandardStream) else file_for(target, source.key)
    if path is None:
        wishes.refuse_promises()
    if path is None and wishes.verify:
        raise ConfigurationError("--verify cannot read standard output back", hint="Copy to a file, or leave it out")
    if wishes.dry_run:
        say_what_would_be(output, str(source), str(path or "standard output"), client.head_object(source.key).size)
    elif path is None:
        write_to_stdout(client, source.key)
    else:
        _to_file(client, source, path, output, wishes)


def _to_file(client: StorageClient, source: Remote, path: Path, output: Output, wishes: Wishes) -> None:
    with saying_how_to_go_on(output), output.progress(str(path)) as listener:
        result = client.download_file(
            source.key,
            path,
            resume=wishes.resume and not wishes.restart,
            chunk_size=wishes.part_size,
            verify=wishes.verify,
            size=wishes.size,
            sha256=wishes.sha256,
            on_progress=listener,
        )
    output.result(dict(result), line_of(str(path), result))


@contextmanager
def saying_how_to_go_on(output: Output) -> Iterator[None]:
    """Inside, an interrupt says what can be done next."""
    try:
        yield
    except KeyboardInterrupt:
        output.note("to go on, run the same command again")
        output.note("to begin afresh instead, whatever is kept, run it with --restart")
        raise


@contextmanager
def pointing_to_recursion(client: StorageClient, source: Location) -> Iterator[None]:
    """Inside, a directory or prefix that is taken for one file or object is an error that says to add ``-r``."""
    if isinstance(source, LocalPath) and Path(source.path).is_dir():
        raise ConfigurationError(f"{source.path} is a directory", hint="Add -r to copy what is in it")
    if isinstance(source, Remote) and source.bucket and not source.key:
        raise ConfigurationError(f"{source} is a bucket", hint="Add -r to copy what is in it")
    try:
        yield
    except ObjectNotFoundError as error:
        if isinstance(source, Remote) and lies_below(client, source):
            raise ConfigurationError(
                f"{source} is no object, but a prefix", hint="Add -r to copy all below it"
            ) from error
        raise


def lies_below(client: StorageClient, source: Remote) -> bool:
    """Tell whether there are objects below the prefix, or in the bucket."""
    from storagekit._tree.rules import below

    return bool(client.list_objects(bucket=source.bucket, prefix=below(source.key), max_keys=1).objects)


def line_of(target: str, result: UploadResult | DownloadResult) -> str:
    """Return the result of a transfer as people read it."""
    kept = f", {show_size(result.kept)} were already there" if result.kept else ""
    verified = ", verified" if result.verified else ""
    return f"{target}: {show_size(result.size)}{kept}{verified}, etag {result.etag}"


def file_for(target: Location, key: str) -> Path:
    """Return the file that a target means: below it where it is a directory, with the last segment of ``key``."""
    assert isinstance(target, LocalPath)  # noqa: S101  # parse_pair saw to it
    into_directory = target.path.endswith("/") or Path(target.path).is_dir()
    return Path(target.path) / base_name(key) if into_directory else Path(target.path)


def base_name(key: str) -> str:
    """Return the last segment of a key."""
    return key.rstrip("/").rpartition("/")[2]
