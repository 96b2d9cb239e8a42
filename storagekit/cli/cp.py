"""``storagekit cp``: one file, URL, object or standard input to another place."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from storagekit.cli import _options
from storagekit.cli._command import command
from storagekit.cli._connection import Connection
from storagekit.cli._output import Meter, Output
from storagekit.cli._units import parse_size, show_size
from storagekit.cli._uri import LocalPath, Location, Remote, StandardStream, WebURL, parse
from storagekit.errors import ConfigurationError
from storagekit.types import UploadResult

if TYPE_CHECKING:
    from storagekit.client import StorageClient

_HELP = """Copy SRC to DST: a path, an http(s) URL, backend://bucket/key, or - for standard input or output.

A copy that was interrupted goes on where it stopped when the same command is run again, from any machine. An object is
copied on the server where both are of one service, else its bytes are streamed through.

\b
Examples:
  storagekit cp https://host/shard-0001.tar minio://datasets/raw/
  storagekit cp shard.tar local://datasets/raw/shard.tar
  storagekit cp minio://datasets/raw/shard.tar ./
  storagekit cp minio://datasets/raw/shard.tar minio://archive/
  pg_dump db | storagekit cp - minio://backups/db.sql
"""


def cp(
    connection: Connection,
    src: Annotated[str, typer.Argument(metavar="SRC")],
    dst: Annotated[str, typer.Argument(metavar="DST")],
    part_size: Annotated[str | None, typer.Option(help="Bytes per part of a new upload, such as 16MiB.")] = None,
    workers: Annotated[int, typer.Option(help="Parts under way at once.")] = 4,
    memory: Annotated[str, typer.Option(help="Memory budget for all parts under way.")] = "256MiB",
    checkpoint: Annotated[
        str, typer.Option(help="Where the upload record is kept: auto, bucket, local, off.")
    ] = "auto",
    no_resume: Annotated[bool, typer.Option("--no-resume", help="The same as --checkpoint off.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Discard what earlier runs left first.")] = False,
    size: Annotated[str | None, typer.Option(help="Bytes that SRC must have; else nothing is published.")] = None,
    sha256: Annotated[
        str | None, typer.Option(metavar="HEX", help="SHA-256 that SRC must have; else nothing is published.")
    ] = None,
    as_json: _options.Json = False,
    quiet: _options.Quiet = False,
) -> None:
    source, target = parse_pair(src, dst)
    output = Output(as_json, quiet, data_on_stdout=isinstance(target, StandardStream))
    remote = target if isinstance(target, Remote) else source
    assert isinstance(remote, Remote)  # noqa: S101  # parse_pair saw to it
    with ExitStack() as stack:
        client = stack.enter_context(
            connection.client(
                remote,
                part_size=parse_size(part_size) if part_size else None,
                workers=workers,
                memory=parse_size(memory),
                checkpoint="off" if no_resume else checkpoint,
            )
        )
        promise = _Promise(parse_size(size) if size else None, sha256)
        if not isinstance(target, Remote):
            promise.refuse()
            _download(client, remote, target, output, resume=not (no_resume or restart))
            return
        upload = _Upload(client, target, output, promise, restart)
        if isinstance(source, Remote):
            require_one_meaning(source, target, connection)
            same = source.backend == target.backend
            origin = client if same else stack.enter_context(Connection().client(source))
            upload.of_object(origin, _options.need_key(source))
        else:
            upload.of(source)


cp.__doc__ = _HELP


@dataclass(frozen=True)
class _Promise:
    """What the user says of the source's bytes."""

    size: int | None
    sha256: str | None

    def refuse(self) -> None:
        """Raise ConfigurationError if anything is promised: a download is proven by the service's own facts."""
        if self.size is not None or self.sha256 is not None:
            raise ConfigurationError("--size and --sha256 are for uploads", hint="Leave them out")


def parse_pair(src: str, dst: str) -> tuple[Location, Location]:
    """Return source and target. Raises ConfigurationError for a pair that makes no sense."""
    source, target = parse(src), parse(dst)
    if isinstance(target, WebURL):
        raise ConfigurationError(f"{dst} cannot be written to", hint="Write backend://bucket/key or a path")
    if not isinstance(source, Remote) and not isinstance(target, Remote):
        raise ConfigurationError(f"neither {src} nor {dst} is an object", hint="Write one as backend://bucket/key")
    return source, target


def require_one_meaning(source: Remote, target: Remote, connection: Connection) -> None:
    """Raise ConfigurationError where an option could be meant for either of two backends."""
    if source.backend != target.backend and (connection.endpoint_url or connection.region):
        raise ConfigurationError(
            f"--endpoint-url and --region could be meant for {source.backend} or for {target.backend}",
            hint="Set the environment variables of each backend instead",
        )


@dataclass(frozen=True)
class _Upload:
    """One upload to ``target``, from whatever source."""

    client: StorageClient
    target: Remote
    output: Output
    promise: _Promise
    restart: bool

    def of(self, source: Location) -> None:
        """Upload a file, a URL, or standard input."""
        from storagekit._http import HTTPSource
        from storagekit._source import FileSource, Source
        from storagekit._stream_source import StreamSource

        if isinstance(source, WebURL):
            reader: Source = HTTPSource(source.url)
            target = self.target.named(source.name)
        elif isinstance(source, LocalPath):
            reader, target = FileSource(source.path), self.target.named(Path(source.path).name)
        else:
            target = self.target.named("")
            reader = StreamSource(standard_input(), "standard input")
        with self._telling(target) as listener:
            result = self.client.upload(
                reader,
                target.key,
                size=self.promise.size,
                sha256=self.promise.sha256,
                restart=self.restart,
                on_progress=listener,
                on_note=self.output.note,
            )
        self._say(result)

    def of_object(self, origin: StorageClient, source: Remote) -> None:
        """Copy an object of ``origin``."""
        target = self.target.named(base_name(source.key))
        with self._telling(target) as listener:
            result = self.client.copy_object(
                source.key,
                target.key,
                source_bucket=source.bucket,
                source_client=origin,
                size=self.promise.size,
                sha256=self.promise.sha256,
                restart=self.restart,
                on_progress=listener,
                on_note=self.output.note,
            )
        self._say(result)

    @contextmanager
    def _telling(self, target: Remote) -> Iterator[Meter]:
        with _saying_how_to_go_on(self.output), self.output.progress(str(target)) as listener:
            yield listener

    def _say(self, result: UploadResult) -> None:
        self.output.result(dict(result), _line(self.client.backend, result))


def standard_input() -> IO[bytes]:
    """Return standard input without a buffer. Raises ConfigurationError where it is closed.

    Not ``sys.stdin.buffer``: a thread that is blocked in it holds its lock, and the interpreter dies of that at exit.
    """
    if sys.stdin is None:
        raise ConfigurationError("standard input is closed", hint="Give it a file or a pipe")
    return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)


@contextmanager
def _saying_how_to_go_on(output: Output) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        output.note("to go on, run the same command again")
        output.note("to begin afresh instead, whatever is kept, run it with --restart")
        raise


def _line(backend: str, result: UploadResult) -> str:
    kept = f", {show_size(result.kept)} were already there" if result.kept else ""
    return f"{backend}://{result.bucket}/{result.key}: {show_size(result.size)}{kept}, etag {result.etag}"


def _download(client: StorageClient, source: Remote, target: Location, output: Output, *, resume: bool) -> None:
    _options.need_key(source)
    if isinstance(target, StandardStream):
        write_to_stdout(client, source.key)
        return
    assert isinstance(target, LocalPath)  # noqa: S101  # parse_pair saw to it
    path = _file_for(target.path, source.key)
    with _saying_how_to_go_on(output), output.progress(str(path)) as listener:
        result = client.download_file(source.key, path, resume=resume, on_progress=listener)
    output.result(dict(result), f"{path}: {show_size(result.size)}, etag {result.etag}")


def _file_for(path: str, key: str) -> Path:
    into_directory = path.endswith("/") or Path(path).is_dir()
    return Path(path) / base_name(key) if into_directory else Path(path)


def base_name(key: str) -> str:
    """Return the last segment of a key."""
    return key.rstrip("/").rpartition("/")[2]


def write_to_stdout(client: StorageClient, key: str) -> None:
    """Write an object's bytes to standard output. Raises ConfigurationError where that is closed.

    Through a buffer of our own: with PYTHONUNBUFFERED that of ``sys.stdout`` is none, and writes a part of a block
    where the disk is full, without an error.
    """
    if sys.stdout is None:
        raise ConfigurationError("standard output is closed", hint="Redirect it to a file or a pipe")
    output = open(sys.stdout.fileno(), "wb", closefd=False)  # noqa: SIM115  # a close after an error would hide it
    for block in client.iter_bytes(key):
        with _naming_stdout():
            output.write(block)
    with _naming_stdout():
        output.close()


@contextmanager
def _naming_stdout() -> Iterator[None]:
    """Inside, an error of the system (a full disk) says that it is about standard output."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from error


run = command(cp)
