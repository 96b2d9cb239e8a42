"""``storagekit mb``: make a bucket."""

from __future__ import annotations

from typing import Annotated

import typer

from storagekit.cli import _options
from storagekit.cli._command import command
from storagekit.cli._connection import Connection
from storagekit.cli._output import Output
from storagekit.cli._uri import Remote, parse_remote
from storagekit.errors import ConfigurationError, ConflictError


@command
def run(
    connection: Connection,
    uri: Annotated[str, typer.Argument(metavar="URI", help="backend://bucket")],
    dry_run: _options.DryRun = False,
    as_json: _options.Json = False,
    quiet: _options.Quiet = False,
) -> None:
    """Make a bucket.

    \b
    Example:
      storagekit mb local://datasets
    """
    remote = bucket_of(uri)
    name, output = f"{remote.backend}://{remote.bucket}", Output(as_json, quiet)
    with connection.client(remote) as client:
        if not dry_run:
            client.create_bucket()
            output.result({"bucket": remote.bucket}, f"made {name}")
        elif client.bucket_exists():
            raise ConflictError(f"{name} exists", hint="Use the bucket as it is, or choose another name")
        else:
            output.result({"bucket": remote.bucket, "dry_run": True}, f"would make {name}")


def bucket_of(uri: str) -> Remote:
    """Return the bucket that ``uri`` names. Raises ConfigurationError where it names something else."""
    remote = parse_remote(uri)
    if not remote.bucket or remote.key:
        raise ConfigurationError(f"{uri} does not name a bucket", hint="Write backend://bucket")
    return remote
