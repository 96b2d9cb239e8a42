"""``storagekit mb``: make a bucket."""

from __future__ import annotations

from typing import Annotated

import typer

from storagekit.cli import _options
from storagekit.cli._command import command
from storagekit.cli._connection import Connection
from storagekit.cli._output import Output
from storagekit.cli._uri import parse_remote
from storagekit.errors import ConfigurationError


@command
def run(
    connection: Connection,
    uri: Annotated[str, typer.Argument(metavar="URI", help="backend://bucket")],
    as_json: _options.Json = False,
    quiet: _options.Quiet = False,
) -> None:
    """Make a bucket.

    \b
    Example:
      storagekit mb local://datasets
    """
    remote = parse_remote(uri)
    if not remote.bucket or remote.key:
        raise ConfigurationError(f"{uri} does not name a bucket", hint="Write backend://bucket")
    with connection.client(remote) as client:
        client.create_bucket()
    Output(as_json, quiet).result({"bucket": remote.bucket}, f"made {remote.backend}://{remote.bucket}")
