"""``storagekit stat``: what the service knows of one object."""

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
    uri: Annotated[str, typer.Argument(metavar="URI", help="backend://bucket/key")],
    as_json: _options.Json = False,
) -> None:
    """Show an object's size, etag, time, content type and metadata.

    \b
    Example:
      storagekit stat minio://datasets/raw/shard.tar
    """
    remote = _options.need_key(parse_remote(uri))
    with connection.client(remote) as client:
        info = client.head_object(remote.key)
    rows = [(name, value) for name, value in dict(info).items() if name != "metadata" and value is not None]
    rows += [(f"metadata {name}", value) for name, value in info.metadata.items()]
    Output(as_json).result(dict(info), "\n".join(f"{name:<13} {value}" for name, value in rows))
