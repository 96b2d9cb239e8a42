"""What ``cp -r`` does for a directory or prefix: one call of the client, with a report around it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from storagekit.cli._output import Output
from storagekit.cli._transfer import Wishes, lies_below, saying_how_to_go_on
from storagekit.cli._tree_report import TreeReport
from storagekit.cli._uri import LocalPath, Location, Remote
from storagekit.errors import ConfigurationError, ObjectNotFoundError

if TYPE_CHECKING:
    from storagekit.client import StorageClient
    from storagekit.types import TreeResult


def is_tree(client: StorageClient, source: Location) -> bool:
    """Tell whether a source is a directory, a bucket, or a prefix with something below it.

    Raises ObjectNotFoundError for a prefix that ends in a slash and has nothing below it.
    """
    if isinstance(source, LocalPath):
        return Path(source.path).is_dir()
    if not isinstance(source, Remote):
        return False
    if not source.key or lies_below(client, source):
        return True
    if source.key.endswith("/"):
        raise ObjectNotFoundError(f"nothing lies below {source}", hint="Look at what there is with storagekit ls")
    return False


def copy(
    client: StorageClient,
    origin: StorageClient,
    source: Location,
    target: Location,
    output: Output,
    wishes: Wishes,
) -> None:
    """Copy what lies below ``source`` to below ``target``. ``client`` is the target's, or of a download the source's.

    Raises typer.Exit where something failed.
    """
    wishes.refuse_promises()
    with saying_how_to_go_on(output), TreeReport(output, str(_name(target)), dry_run=wishes.dry_run) as report:
        result = _run(client, origin, source, target, wishes, report)
    report.end(result)


def _run(
    client: StorageClient,
    origin: StorageClient,
    source: Location,
    target: Location,
    wishes: Wishes,
    report: TreeReport,
) -> TreeResult:
    how: dict[str, Any] = {
        **{name: getattr(wishes, name) for name in ("resume", "restart", "verify", "dry_run")},
        "on_object": report.object,
        "on_progress": report.progress,
    }
    if isinstance(source, Remote) and isinstance(target, LocalPath):
        return client.download_tree(source.key, target.path, **how)
    how["storage_class"] = wishes.storage_class
    if isinstance(source, LocalPath) and isinstance(target, Remote):
        return client.upload_tree(source.path, target.key, **how)
    if isinstance(source, Remote) and isinstance(target, Remote):
        return client.copy_tree(source.key, target.key, source_bucket=source.bucket, source_client=origin, **how)
    raise ConfigurationError("a directory needs a place with names", hint="Write backend://bucket/prefix or a path")


def _name(target: Location) -> str:
    return target.path if isinstance(target, LocalPath) else str(target)
