"""``storagekit rm``: delete objects that are named one by one."""

from __future__ import annotations

from typing import Annotated

import typer

from storagekit.cli import _options
from storagekit.cli._exit import command
from storagekit.cli._output import Output
from storagekit.cli._uri import parse_remote


@command
def run(
    uris: Annotated[list[str], typer.Argument(metavar="URI...", help="backend://bucket/key")],
    as_json: _options.Json = False,
    quiet: _options.Quiet = False,
    endpoint_url: _options.Endpoint = None,
    region: _options.Region = None,
    log_level: _options.LogLevel = "warning",
) -> None:
    """Delete objects. One that does not exist is not an error.

    \b
    Example:
      storagekit rm minio://datasets/raw/shard.tar
    """
    output = Output(as_json, quiet)
    for remote in [_options.need_key(parse_remote(uri)) for uri in uris]:
        with _options.open_client(remote, endpoint_url, region, log_level) as client:
            client.delete_object(remote.key)
        output.result({"deleted": str(remote)}, f"gone: {remote}")  # it may not have been there: no service tells
