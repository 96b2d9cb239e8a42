"""``storagekit presign``: a URL that somebody without credentials can use."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated

import typer

from storagekit._units import parse_age
from storagekit.cli import _options
from storagekit.cli._command import command
from storagekit.cli._connection import Connection
from storagekit.cli._output import Output
from storagekit.cli._uri import parse_remote


@command
def run(
    connection: Connection,
    uri: Annotated[str, typer.Argument(metavar="URI", help="backend://bucket/key")],
    method: Annotated[str, typer.Option(metavar="METHOD", help="What it allows: GET, HEAD or PUT.")] = "GET",
    expires: Annotated[str, typer.Option(metavar="TIME", help="How long it holds, such as 30m, 12h or 7d.")] = "1h",
    content_type: Annotated[
        str | None, typer.Option(metavar="TYPE", help="Content-Type that must be sent with the PUT; else none may be.")
    ] = None,
    part: Annotated[
        int | None, typer.Option(metavar="N", help="Number of a part that the PUT stores, with --upload-id.")
    ] = None,
    upload_id: Annotated[str | None, typer.Option(metavar="ID", help="The unfinished upload that it is for.")] = None,
    as_json: _options.Json = False,
) -> None:
    """Print a URL that allows one kind of request for one object, without credentials, until it expires.

    Whoever has it can use it: treat it like a password. Nothing is sent but one question, where
    nobody has said in which region an S3 bucket is.

    \b
    Examples:
      storagekit presign minio://datasets/raw/shard.tar
      storagekit presign obs://datasets/raw/shard.tar --method PUT --expires 10m
    """
    remote = _options.need_key(parse_remote(uri))
    lasting = parse_age(expires)
    with connection.client(remote) as client:
        url = client.presigned_url(
            method.upper(),
            remote.bucket,
            remote.key,
            lasting,
            content_type=content_type,
            part=part,
            upload_id=upload_id,
        )
    ends = datetime.now(timezone.utc) + lasting
    headers = {"Content-Type": content_type} if content_type else {}
    facts = {"url": url, "method": method.upper(), "expires": ends.replace(microsecond=0), "headers": headers}
    Output(as_json).result(facts, url)
