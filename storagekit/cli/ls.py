"""``storagekit ls``: the objects of a bucket, or the buckets of an account."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from storagekit.cli import _options
from storagekit.cli._command import command
from storagekit.cli._connection import Connection
from storagekit.cli._output import Output
from storagekit.cli._uri import Remote, parse_remote
from storagekit.types import ObjectInfo

if TYPE_CHECKING:
    from storagekit.client import StorageClient


@command
def run(
    connection: Connection,
    uri: Annotated[str, typer.Argument(metavar="URI", help="backend://, backend://bucket or backend://bucket/prefix")],
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Go into what lies below slashes.")] = False,
    as_json: _options.Json = False,
) -> None:
    """List objects: size in bytes, time (UTC), key. What ends in a slash has more below it; -r lists all of that.

    URI may end anywhere in a key: raw lists raw/a and raw2, and raw/ what cp -r and rm -r mean by raw.

    \b
    Example:
      storagekit ls -r minio://datasets/raw/
    """
    remote = parse_remote(uri)
    output = Output(as_json)
    with connection.client(remote) as client:
        if remote.bucket:
            _objects(client, remote, "" if recursive else "/", output)
        else:
            for name in client.list_buckets():
                output.row("bucket", {"bucket": name}, f"{remote.backend}://{name}/")


def _objects(client: StorageClient, remote: Remote, delimiter: str, output: Output) -> None:
    for page in client.iter_pages(prefix=remote.key, delimiter=delimiter):
        rows = [(prefix, None) for prefix in page.prefixes] + [(info.key, info) for info in page.objects]
        for name, info in sorted(rows, key=lambda row: row[0].encode()):
            _row(output, name, info)


def _row(output: Output, name: str, info: ObjectInfo | None) -> None:
    if info is None:
        output.row("prefix", {"prefix": name}, f"{'':>15}  {'':19}  {printable(name)}")
        return
    when = f"{info.modified:%Y-%m-%d %H:%M:%S}" if info.modified else ""
    output.row("object", asdict(info), f"{info.size:>15}  {when:19}  {printable(name)}")


def printable(name: str) -> str:
    """Return a key as one line that no terminal takes for a command: control characters are escaped."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in name)
