"""``storagekit rm``: delete objects that are named one by one."""

from __future__ import annotations

from typing import Annotated

import typer

from storagekit.cli import _options
from storagekit.cli._command import command
from storagekit.cli._connection import Connection
from storagekit.cli._output import Output
from storagekit.cli._uri import parse_remote


@command
def run(
    connection: Connection,
    uris: Annotated[list[str], typer.Argument(metavar="URI...", help="backend://bucket/key")],
    as_json: _options.Json = False,
    quiet: _options.Quiet = False,
) -> None:
    """Delete objects. One that does not exist is not an error.

    \b
    Example:
      storagekit rm minio://datasets/raw/shard.tar
    """
    output = Output(as_json, quiet)
    for remote in [_options.need_key(parse_remote(uri)) for uri in uris]:
        with connection.client(remote) as client:
            client.delete_object(remote.key)
        output.result({"deleted": str(remote)}, f"gone: {remote}")  # it may not have been there: no service tells
