"""``storagekit cp``: one file, URL or object to another place."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from storagekit.cli import _options
from storagekit.cli._exit import command
from storagekit.cli._output import Output
from storagekit.cli._units import parse_size, show_size
from storagekit.cli._uri import LocalPath, Location, Remote, StandardStream, WebURL, parse
from storagekit.client import StorageClient
from storagekit.errors import ConfigurationError, UnsupportedSourceError
from storagekit.types import UploadResult

_HELP = """Copy SRC to DST: a path, an http(s) URL, or backend://bucket/key; DST may be - for standard output.

A copy that was interrupted goes on where it stopped when the same command is run again, from any machine.

\b
Examples:
  storagekit cp https://host/shard-0001.tar minio://datasets/raw/
  storagekit cp shard.tar local://datasets/raw/shard.tar
  storagekit cp minio://datasets/raw/shard.tar ./
"""


def cp(
    src: Annotated[str, typer.Argument(metavar="SRC")],
    dst: Annotated[str, typer.Argument(metavar="DST")],
    part_size: Annotated[str | None, typer.Option(help="Bytes per part of a new upload, such as 16MiB.")] = None,
    workers: Annotated[int, typer.Option(help="Parts under way at once.")] = 4,
    memory: Annotated[str, typer.Option(help="Memory budget for all parts under way.")] = "256MiB",
    checkpoint: Annotated[
        str, typer.Option(help="Where the upload record is kept: auto, bucket, local, off.")
    ] = "auto",
    no_resume: Annotated[bool, typer.Option("--no-resume", help="The same as --checkpoint off.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Discard unfinished uploads of this key first.")] = False,
    as_json: _options.Json = False,
    quiet: _options.Quiet = False,
    endpoint_url: _options.Endpoint = None,
    region: _options.Region = None,
    log_level: _options.LogLevel = "warning",
) -> None:
    source, target = parse_pair(src, dst)
    output = Output(as_json, quiet, data_on_stdout=isinstance(target, StandardStream))
    remote = target if isinstance(target, Remote) else source
    assert isinstance(remote, Remote)  # noqa: S101  # parse_pair saw to it
    client = _options.open_client(
        remote,
        endpoint_url,
        region,
        log_level,
        part_size=parse_size(part_size) if part_size else None,
        workers=workers,
        memory=parse_size(memory),
        checkpoint="off" if no_resume else checkpoint,
    )
    with client:
        if isinstance(target, Remote):
            _upload(client, source, target, output, restart=restart)
        else:
            _download(client, remote, target, output)


cp.__doc__ = _HELP


def parse_pair(src: str, dst: str) -> tuple[Location, Location]:
    """Return source and target. Raises ConfigurationError for a pair that this version cannot copy."""
    source, target = parse(src), parse(dst)
    if isinstance(source, StandardStream):
        raise UnsupportedSourceError("standard input cannot be read yet", hint="Write it to a file first")
    if isinstance(target, WebURL):
        raise ConfigurationError(f"{dst} cannot be written to", hint="Write backend://bucket/key or a path")
    if isinstance(source, Remote) and isinstance(target, Remote):
        raise UnsupportedSourceError("an object cannot be copied to an object yet", hint="Copy it to a file first")
    if not isinstance(source, Remote) and not isinstance(target, Remote):
        raise ConfigurationError(f"neither {src} nor {dst} is an object", hint="Write one as backend://bucket/key")
    return source, target


def _upload(client: StorageClient, source: Location, target: Remote, output: Output, *, restart: bool) -> None:
    from storagekit._http import HTTPSource
    from storagekit._source import FileSource, Source

    if isinstance(source, WebURL):
        reader: Source = HTTPSource(source.url)
        target = target.named(source.name)
    else:
        assert isinstance(source, LocalPath)  # noqa: S101  # parse_pair saw to it
        reader, target = FileSource(source.path), target.named(Path(source.path).name)
    try:
        with output.progress(str(target)) as listener:
            result = client.upload(reader, target.key, restart=restart, on_progress=listener, on_note=output.note)
    except KeyboardInterrupt:
        _say_how_to_go_on(output)
        raise
    output.result(dict(result), _line(client.backend, result))


def _say_how_to_go_on(output: Output) -> None:
    output.note("to go on, run the same command again")
    output.note("to discard what is kept and send everything afresh, run it with --restart")


def _line(backend: str, result: UploadResult) -> str:
    kept = f", {show_size(result.kept)} were already there" if result.kept else ""
    return f"{backend}://{result.bucket}/{result.key}: {show_size(result.size)}{kept}, etag {result.etag}"


def _download(client: StorageClient, source: Remote, target: Location, output: Output) -> None:
    _options.need_key(source)
    if isinstance(target, StandardStream):
        write_to_stdout(client, source.key)
        return
    assert isinstance(target, LocalPath)  # noqa: S101  # parse_pair saw to it
    path = _file_for(target.path, source.key)
    with output.progress(str(path)) as listener:
        result = client.download_file(source.key, path, on_progress=listener)
    output.result(dict(result), f"{path}: {show_size(result.size)}, etag {result.etag}")


def _file_for(path: str, key: str) -> Path:
    into_directory = path.endswith("/") or Path(path).is_dir()
    return Path(path) / key.rstrip("/").rpartition("/")[2] if into_directory else Path(path)


def write_to_stdout(client: StorageClient, key: str) -> None:
    """Write an object's bytes to standard output. Raises ConfigurationError where that is closed."""
    if sys.stdout is None:
        raise ConfigurationError("standard output is closed", hint="Redirect it to a file or a pipe")
    for block in client.iter_bytes(key):
        sys.stdout.buffer.write(block)
    sys.stdout.buffer.flush()


run = command(cp)
