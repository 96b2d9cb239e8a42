"""``storagekit cp``: one file, URL, object or standard input to another place; with ``-r`` all of a directory."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from storagekit._units import parse_rate, parse_size
from storagekit.cli import _options
from storagekit.cli._command import command
from storagekit.cli._complete import complete_profile
from storagekit.cli._connection import Connection
from storagekit.cli._output import Output
from storagekit.cli._transfer import Upload, Wishes, download, pointing_to_recursion, shown
from storagekit.cli._trees import copy, is_tree
from storagekit.cli._uri import LocalPath, Location, Remote, StandardStream, WebURL, parse
from storagekit.cli._web import WebTransfer, refuse_options
from storagekit.errors import ConfigurationError

if TYPE_CHECKING:
    from storagekit.client import StorageClient


_OF_EVERY_PROFILE = ("HOME", "STORAGEKIT_CONFIG", "STORAGEKIT_DISABLE_PLUGINS", "SSL_CERT_FILE")
"""What SRC's profile takes from the environment. The rest is DST's, and would win over the profile."""

_HELP = """Copy SRC to DST: a path, an http(s) URL, backend://bucket/key, or - for standard input or output.

A copy that was interrupted goes on where it stopped when the same command is run again, from any machine. An object is
copied on the server where both are of one service, else its bytes are streamed through.

A URL needs no credentials: it is fetched to a path, or, signed for PUT, takes a file or standard input in one request.

With -r, what lies below SRC lands below DST; SRC's own name is not added, and a slash at the end changes nothing. What
is there already, unchanged, is skipped. An object that fails does not stop the others; then the exit code is 1.

\b
Examples:
  storagekit cp https://host/shard-0001.tar minio://datasets/raw/
  storagekit cp shard.tar local://datasets/raw/shard.tar
  storagekit cp minio://datasets/raw/shard.tar ./
  storagekit cp minio://datasets/raw/shard.tar minio://archive/
  storagekit cp -r photos minio://backups/photos
  storagekit cp -r minio://backups/photos ./restored
  storagekit cp -r minio://photos minio://archive/photos --source-profile old
  pg_dump db | storagekit cp - minio://backups/db.sql
  storagekit cp https://host/shard-0001.tar ./
  storagekit cp shard.tar "https://host/shard.tar?X-Amz-Signature=..."
"""


def cp(
    connection: Connection,
    src: Annotated[str, typer.Argument(metavar="SRC", help="What is copied.")],
    dst: Annotated[str, typer.Argument(metavar="DST", help="Where to.")],
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Copy all that lies below the directory or prefix SRC.")
    ] = False,
    part_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Bytes per part of a new transfer, such as 16MiB.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Parts under way at once, of all objects together. 4 unless the profile says so."
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Memory for all parts under way. 256MiB unless the profile says so."),
    ] = None,
    max_speed: Annotated[
        str | None, typer.Option(metavar="RATE", help="The most that all transfers together move, such as 50MB/s.")
    ] = None,
    checkpoint: Annotated[
        str | None, typer.Option(metavar="WHERE", help="Where the upload record is kept: auto, bucket, local, off.")
    ] = None,
    no_resume: Annotated[
        bool, typer.Option("--no-resume", help="The same as --checkpoint off; with -r also copies what is there.")
    ] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Discard what earlier runs left first; with -r also copies what is there.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read the copy back and compare it with SRC; what is skipped is not read.")
    ] = False,
    size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Bytes that SRC must have; else nothing is published or left.")
    ] = None,
    sha256: Annotated[
        str | None, typer.Option(metavar="HEX", help="SHA-256 that SRC must have; else nothing is published or left.")
    ] = None,
    storage_class: Annotated[
        str | None,
        typer.Option(metavar="CLASS", help="Where DST is kept, in the service's own word, such as STANDARD_IA."),
    ] = None,
    content_type: Annotated[
        str | None,
        typer.Option(metavar="TYPE", help="Content-Type that the URL DST was signed for; without it none is sent."),
    ] = None,
    source_profile: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Profile of SRC, where both are objects.", autocompletion=complete_profile),
    ] = None,
    dry_run: _options.DryRun = False,
    as_json: _options.Json = False,
    quiet: _options.Quiet = False,
) -> None:
    source, target = parse_pair(src, dst)
    require_one_meaning(source, target, connection, source_profile)
    output = Output(as_json, quiet, data_on_stdout=isinstance(target, StandardStream))
    wanted = parse_size(part_size) if part_size is not None else None
    promised = parse_size(size) if size is not None else None
    wishes = Wishes(not no_resume, restart, verify, dry_run, promised, sha256, wanted, storage_class, content_type)
    bounds = {
        "workers": workers,
        "memory": parse_size(memory) if memory is not None else None,
        "max_speed": parse_rate(max_speed) if max_speed is not None else None,
    }
    if not isinstance(source, Remote) and not isinstance(target, Remote):
        refuse_options(connection, checkpoint=checkpoint, storage_class=storage_class, recursive=recursive)
        WebTransfer(source, target, output, wishes, bounds).run()
        return
    if content_type is not None:
        raise ConfigurationError("--content-type is for a URL that was signed for it", hint="Leave it out")
    if storage_class is not None and not isinstance(target, Remote):
        raise ConfigurationError("--storage-class is for what is written to a service", hint="Leave it out")
    with ExitStack() as stack:
        client = stack.enter_context(
            connection.client(
                _place(source, target),
                part_size=wanted,
                **bounds,
                checkpoint="off" if no_resume else checkpoint,
            )
        )
        origin = _origin(client, source, target, source_profile, stack)
        if recursive and is_tree(origin, source):
            copy(client, origin, source, target, output, wishes)
            return
        with pointing_to_recursion(origin, source):
            _copy_one(client, origin, source, target, output, wishes)


cp.__doc__ = _HELP


def parse_pair(src: str, dst: str) -> tuple[Location, Location]:
    """Return source and target. Raises ConfigurationError for a pair that makes no sense."""
    source, target = parse(src), parse(dst)
    if isinstance(target, WebURL) and not isinstance(source, (LocalPath, StandardStream)):
        raise ConfigurationError(
            f"{shown(target)} takes a file or standard input only", hint="Copy the source to a file first"
        )
    if isinstance(source, WebURL) and isinstance(target, StandardStream):
        raise ConfigurationError("a URL is not copied to standard output", hint="Name a file; or use curl")
    if not any(isinstance(place, (Remote, WebURL)) for place in (source, target)):
        raise ConfigurationError(
            f"neither {src} nor {dst} is an object or a URL", hint="Write one as backend://bucket/key"
        )
    return source, target


def require_one_meaning(source: Location, target: Location, connection: Connection, source_profile: str | None) -> None:
    """Raise ConfigurationError where an option could be meant for either of two places, or for none."""
    if not (isinstance(source, Remote) and isinstance(target, Remote)):
        if source_profile is not None:
            raise ConfigurationError(
                "--source-profile is for a copy from object to object", hint="Use --profile for the one object"
            )
    elif source.backend != target.backend and (connection.endpoint_url or connection.region) and not source_profile:
        raise ConfigurationError(
            f"--endpoint-url and --region could be meant for {source.backend} or for {target.backend}",
            hint="Set the environment variables of each backend instead, or name SRC's profile with --source-profile",
        )


def _place(source: Location, target: Location) -> Remote:
    """Return the object or prefix that the options of the connection are for."""
    remote = target if isinstance(target, Remote) else source
    assert isinstance(remote, Remote)  # noqa: S101  # parse_pair saw to it
    return remote


def _origin(
    client: StorageClient, source: Location, target: Location, source_profile: str | None, stack: ExitStack
) -> StorageClient:
    """Return the client of the source: another one only where an object comes from another place.

    A profile of its own says all of the connection to it.
    """
    if not (isinstance(source, Remote) and isinstance(target, Remote)):
        return client
    if source.backend == target.backend and source_profile is None:
        return client
    if source_profile is None:
        return stack.enter_context(Connection().client(source))
    apart = {name: value for name, value in os.environ.items() if name in _OF_EVERY_PROFILE}
    return stack.enter_context(Connection(profile=source_profile).client(source, environment=apart))


def _copy_one(
    client: StorageClient, origin: StorageClient, source: Location, target: Location, output: Output, wishes: Wishes
) -> None:
    if not isinstance(target, Remote):
        assert isinstance(source, Remote)  # noqa: S101  # parse_pair saw to it
        download(client, source, target, output, wishes)
    elif isinstance(source, Remote):
        Upload(client, target, output, wishes).of_object(origin, source)
    else:
        Upload(client, target, output, wishes).of(source)


run = command(cp)
