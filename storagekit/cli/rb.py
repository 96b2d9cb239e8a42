"""``storagekit rb``: remove a bucket; with ``--force`` also what is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from storagekit._units import show_size
from storagekit.cli import _options
from storagekit.cli._command import command
from storagekit.cli._connection import Connection
from storagekit.cli._output import Output
from storagekit.cli._tree_report import TreeReport, count_of, what_is_lost
from storagekit.cli._uri import Remote
from storagekit.cli.ls import printable
from storagekit.cli.mb import bucket_of
from storagekit.errors import ConflictError

if TYPE_CHECKING:
    from storagekit.client import StorageClient
    from storagekit.types import UnfinishedUpload

_FORCE = "With --force what is in it is deleted, too"


@command
def run(
    connection: Connection,
    uri: Annotated[str, typer.Argument(metavar="URI", help="backend://bucket")],
    force: Annotated[
        bool, typer.Option("--force", help="Delete all objects and unfinished uploads in it, too.")
    ] = False,
    yes: _options.Yes = False,
    dry_run: _options.DryRun = False,
    as_json: _options.Json = False,
    quiet: _options.Quiet = False,
) -> None:
    """Remove a bucket that holds no objects. With --force show what is in it, ask, and delete that first.

    On MinIO only unfinished uploads of storagekit can be found and shown, not those of other tools.

    \b
    Examples:
      storagekit rb minio://old-experiments
      storagekit rb --force minio://old-experiments
    """
    remote, output = bucket_of(uri), Output(as_json, quiet)
    with connection.client_to_delete(remote) as client:
        if force:
            _empty(client, remote, output, yes=yes, dry_run=dry_run)
        elif dry_run and client.tree_size().objects:
            raise ConflictError(f"{uri} is not empty", hint=_FORCE)
        if not dry_run:
            _remove(client, remote)
    name = f"{remote.backend}://{remote.bucket}"
    if dry_run:
        output.result({"bucket": remote.bucket, "dry_run": True}, f"would remove {name}")
    else:
        output.result({"bucket": remote.bucket}, f"removed {name}")


def _remove(client: StorageClient, remote: Remote) -> None:
    try:
        client.delete_bucket(remote.bucket)
    except ConflictError as error:
        error.advise(_FORCE)
        raise


def _empty(client: StorageClient, remote: Remote, output: Output, *, yes: bool, dry_run: bool) -> None:
    """Show what is in the bucket, ask, and delete it. Raises typer.Exit where an object could not be deleted."""
    uploads = client.list_uploads()
    if client.uploader.store.limits.exact_upload_listing:
        output.note("this service finds only the unfinished uploads of storagekit, not those of other tools")
    if not (yes or dry_run) and ((size := client.tree_size()).objects or uploads):
        lost = f"{what_is_lost(size, output)} and {_shown(uploads)}"
        output.ask(f"Delete the bucket {remote.backend}://{remote.bucket} with {lost}?", yes=False)
    with TreeReport(output, str(remote), "delete", dry_run=dry_run) as report:
        result = client.delete_tree("", dry_run=dry_run, on_object=report.object, on_progress=report.progress)
    if result.failed:
        report.end(result)
    for upload in uploads:
        if not dry_run:
            client.abort_upload(upload.key, upload.upload_id)
        facts = {"key": upload.key, "upload_id": upload.upload_id, "kept": upload.kept}
        report.line("upload", facts, f"{'would abort' if dry_run else 'aborted'}: upload of {printable(upload.key)}")


def _shown(uploads: tuple[UnfinishedUpload, ...]) -> str:
    kept = sum(upload.kept or 0 for upload in uploads)
    return f"{count_of(len(uploads), 'unfinished upload')}, {show_size(kept)}"
