"""``storagekit rm``: delete objects that are named one by one, or with ``-r`` all below a prefix."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from storagekit.cli import _options
from storagekit.cli._command import command
from storagekit.cli._connection import Connection
from storagekit.cli._output import Output
from storagekit.cli._transfer import lies_below
from storagekit.cli._tree_report import TreeReport, what_is_lost
from storagekit.cli._uri import Remote, parse_remote
from storagekit.errors import ConfigurationError, CredentialsError, PermissionDeniedError

if TYPE_CHECKING:
    from storagekit.client import StorageClient


@command
def run(
    connection: Connection,
    uris: Annotated[list[str], typer.Argument(metavar="URI...", help="backend://bucket/key")],
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Delete all that lies below each prefix; asks first.")
    ] = False,
    yes: _options.Yes = False,
    dry_run: _options.DryRun = False,
    as_json: _options.Json = False,
    quiet: _options.Quiet = False,
) -> None:
    """Delete objects. One that does not exist is not an error.

    With -r a URI is a directory: raw means what lies below raw/, never raw2/x. How many objects and bytes will be lost
    is shown, and asked for.

    \b
    Examples:
      storagekit rm minio://datasets/raw/shard.tar
      storagekit rm -r minio://datasets/raw
      storagekit rm -r --yes minio://datasets/tmp
    """
    output = Output(as_json, quiet)
    remotes = [_checked(uri, recursive=recursive) for uri in uris]
    with ExitStack() as stack:
        clients: dict[tuple[str, str], StorageClient] = {}
        for remote in remotes:
            place = (remote.backend, remote.bucket)
            if place not in clients:
                clients[place] = stack.enter_context(connection.client_to_delete(remote))
            client = clients[place]
            if recursive and _is_directory(client, remote):
                _delete_tree(client, remote, output, yes=yes, dry_run=dry_run)
            else:
                _delete(client, remote, output, dry_run=dry_run)


def _checked(uri: str, *, recursive: bool) -> Remote:
    """Return what ``uri`` names. Raises ConfigurationError where that is no object, and without -r no single one."""
    remote = parse_remote(uri)
    if recursive and remote.bucket:
        return remote
    if remote.bucket and not remote.key:
        raise ConfigurationError(f"{uri} is a bucket", hint="Add -r to delete what is in it; rb removes the bucket")
    return _options.need_key(remote)


def _is_directory(client: StorageClient, remote: Remote) -> bool:
    """Tell whether a URI means what lies below it. A name with nothing below it is that of one object."""
    return not remote.key or remote.key.endswith("/") or lies_below(client, remote)


def _delete_tree(client: StorageClient, remote: Remote, output: Output, *, yes: bool, dry_run: bool) -> None:
    if not (yes or dry_run) and (size := client.tree_size(remote.key)).objects:
        output.ask(f"Delete {what_is_lost(size, output)} below {remote}?", yes=False)
    with TreeReport(output, str(remote), "delete", dry_run=dry_run) as report:
        result = client.delete_tree(remote.key, dry_run=dry_run, on_object=report.object, on_progress=report.progress)
    report.end(result)


def _delete(client: StorageClient, remote: Remote, output: Output, *, dry_run: bool) -> None:
    """Delete one object. It is looked at first: no service tells whether there was one to delete."""
    facts = {"dry_run": True} if dry_run else {}
    if not _is_there(client, remote):
        if lies_below(client, remote):
            raise ConfigurationError(f"{remote} is no object, but a prefix", hint="Add -r to delete all below it")
        output.result({"deleted": None, **facts}, f"not there: {remote}")
        return
    if not dry_run:
        client.delete_object(remote.key)
    output.result({"deleted": str(remote), **facts}, f"{'would delete' if dry_run else 'gone'}: {remote}")


def _is_there(client: StorageClient, remote: Remote) -> bool:
    """Tell whether there is an object; who may not look is taken to know what to delete."""
    try:
        return client.object_exists(remote.key)
    except CredentialsError:
        raise
    except PermissionDeniedError:
        return True
