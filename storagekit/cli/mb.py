"""``storagekit mb``: make a bucket."""

from __future__ import annotations

from typing import Annotated

import typer

from storagekit.cli import _options
from storagekit.cli._exit import command
from storagekit.cli._output import Output
from storagekit.cli._uri import parse_remote
from storagekit.errors import ConfigurationError


@command
def run(
    uri: Annotated[str, typer.Argument(metavar="URI", help="backend://bucket")],
    as_json: _options.Json = False,
    quiet: _options.Quiet = False,
    endpoint_url: _options.Endpoint = None,
    region: _options.Region = None,
    log_level: _options.LogLevel = "warning",
) -> None:
    """Make a bucket.

    \b
    Example:
      storagekit mb local://datasets
    """
    remote = parse_remote(uri)
    if not remote.bucket or remote.key:
        raise ConfigurationError(f"{uri} does not name a bucket", hint="Write backend://bucket")
    with _options.open_client(remote, endpoint_url, region, log_level) as client:
        client.create_bucket()
    Output(as_json, quiet).result({"bucket": remote.bucket}, f"made {remote.backend}://{remote.bucket}")
