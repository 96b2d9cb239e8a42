"""``storagekit cat``: an object's bytes on standard output."""

from __future__ import annotations

from typing import Annotated

import typer

from storagekit.cli import _options
from storagekit.cli._command import command
from storagekit.cli._connection import Connection
from storagekit.cli._streams import write_to_stdout
from storagekit.cli._uri import parse_remote


@command
def run(
    connection: Connection,
    uri: Annotated[str, typer.Argument(metavar="URI", help="backend://bucket/key")],
) -> None:
    """Write an object's bytes to standard output.

    \b
    Example:
      storagekit cat minio://datasets/README.md
    """
    remote = _options.need_key(parse_remote(uri))
    with connection.client(remote) as client:
        write_to_stdout(client, remote.key)
