"""``storagekit cat``: an object's bytes on standard output."""

from __future__ import annotations

from typing import Annotated

import typer

from storagekit.cli import _options
from storagekit.cli._exit import command
from storagekit.cli._uri import parse_remote
from storagekit.cli.cp import write_to_stdout


@command
def run(
    uri: Annotated[str, typer.Argument(metavar="URI", help="backend://bucket/key")],
    endpoint_url: _options.Endpoint = None,
    region: _options.Region = None,
    log_level: _options.LogLevel = "warning",
) -> None:
    """Write an object's bytes to standard output.

    \b
    Example:
      storagekit cat minio://datasets/README.md
    """
    remote = _options.need_key(parse_remote(uri))
    with _options.open_client(remote, endpoint_url, region, log_level) as client:
        write_to_stdout(client, remote.key)
