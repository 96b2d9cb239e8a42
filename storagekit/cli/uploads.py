"""``storagekit uploads``: what was begun and neither completed nor aborted, listed and tidied up."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated

import typer

from storagekit._units import parse_age, show_age, show_size
from storagekit.cli import _options
from storagekit.cli._command import command
from storagekit.cli._connection import Connection
from storagekit.cli._exit import OTHER
from storagekit.cli._output import Output
from storagekit.cli._resume_command import Resume, abort_command, how_to_resume
from storagekit.cli._uri import Remote, parse_remote
from storagekit.cli.ls import printable
from storagekit.errors import ConfigurationError, NotFoundError
from storagekit.types import UnfinishedUpload

if TYPE_CHECKING:
    from storagekit.client import StorageClient
    from storagekit.types import Answers

_HEAD = f"{'AGE':>6}  {'PARTS':>5}  {'KEPT':<23}  {'WHOSE':<5}  {'STATE':<5}  KEY"

app = typer.Typer(
    help="Show or abort uploads that were begun and neither completed nor aborted.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@command
def list_uploads(
    connection: Connection,
    uri: Annotated[str, typer.Argument(metavar="URI", help="backend://bucket or backend://bucket/prefix")],
    as_json: _options.Json = False,
) -> None:
    """List unfinished uploads: how old, what the service keeps of them, whose, and the command that goes on with them.

    STATE is live (begun, or got a part, less than 15 minutes ago, or its run is seen on this machine), stale (no part
    for 24 hours), idle (in between), or gone: the service dropped it, and only our record is left.

    \b
    Examples:
      storagekit uploads list minio://datasets
      storagekit uploads list minio://datasets/raw/
    """
    remote = _need_bucket(parse_remote(uri))
    output = Output(as_json)
    notes: list[str] = []
    with connection.client(remote) as client:
        found = client.list_uploads(prefix=remote.key, on_note=notes.append)
    if found and not as_json:
        output.row("head", {}, _HEAD)
    if not found:
        notes.append(f"nothing is unfinished below {remote}")
    for upload in found:
        resume = how_to_resume(upload, replace(remote, key=upload.key), connection)
        facts = {"resume": resume and resume.command, "resume_note": resume and resume.note}
        output.row("upload", {**upload, **facts}, "\n".join(_lines(upload, resume, datetime.now(timezone.utc))))
        notes += [resume.note] if resume and resume.command and resume.note else []
    print(end="", flush=True)  # so that the notes come last also where both streams go to one file
    for note in dict.fromkeys(notes):
        output.note(note)


def _lines(upload: UnfinishedUpload, resume: Resume | None, now: datetime) -> list[str]:
    lines = [_line(upload, now), f"{'':6}  id      {printable(upload.upload_id)}"]
    return lines + ([f"{'':6}  resume  {resume.command or resume.note}"] if resume else [])


def _line(upload: UnfinishedUpload, now: datetime) -> str:
    age = show_age(now - upload.initiated) if upload.initiated else "?"
    parts = "-" if upload.parts is None else str(upload.parts)
    whose = "ours" if upload.ours else "other"
    return f"{age:>6}  {parts:>5}  {_kept(upload):<23}  {whose:<5}  {_state(upload):<5}  {printable(upload.key)}"


def _kept(upload: UnfinishedUpload) -> str:
    if upload.kept is None:
        return "-"
    return show_size(upload.kept) + (f" of {show_size(upload.size)}" if upload.size is not None else "")


def _state(upload: UnfinishedUpload) -> str:
    if upload.live:
        return "live"
    if upload.ours and upload.parts is None:
        return "gone"
    return "stale" if upload.stale else "idle"


@command
def abort(
    connection: Connection,
    uri: Annotated[str, typer.Argument(metavar="URI", help="backend://bucket/key, or with an option backend://bucket")],
    prefix: Annotated[bool, typer.Option("--prefix", help="Take the key of URI as the beginning of keys.")] = False,
    older_than: Annotated[
        str | None, typer.Option(metavar="AGE", help="Only what was begun so long ago: 12h, 7d, 2w.")
    ] = None,
    stale: Annotated[
        bool, typer.Option("--stale", help="Only what got no part for 24 hours, or is gone but for its record.")
    ] = False,
    upload_id: Annotated[
        str | None, typer.Option("--id", metavar="UPLOAD_ID", help="Exactly this upload of the key, whatever it is.")
    ] = None,
    dry_run: _options.DryRun = False,
    as_json: _options.Json = False,
    quiet: _options.Quiet = False,
) -> None:
    """Abort our unfinished uploads and delete their records. What they kept on the service is lost.

    URI is a whole key, or with --prefix how keys begin; a bucket needs --prefix, --older-than or --stale. With several
    of them all must hold. Never touched, except with --id: an upload that may be live (begun, or got a part, less than
    15 minutes ago, or its run is seen on this machine), and an upload of another tool.

    \b
    Examples:
      storagekit uploads abort minio://datasets --stale
      storagekit uploads abort minio://datasets/raw/ --prefix --older-than 7d
      storagekit uploads abort minio://datasets/raw/shard.tar --id 2~Vx0m
    """
    remote = _need_bucket(parse_remote(uri))
    output = Output(as_json, quiet)
    age = parse_age(older_than) if older_than is not None else None
    _require_one_meaning(remote, upload_id, narrowed=prefix or stale or age is not None)
    with connection.client_to_delete(remote) as client:
        if upload_id is not None:
            _abort_one(client, remote, upload_id, output, dry_run=dry_run)
            return
        told = _Told(remote, connection, output, dry_run)
        client.abort_uploads(
            key=remote.key if remote.key and not prefix else None,
            prefix=remote.key if prefix else None,
            older_than=age,
            stale=stale,
            dry_run=dry_run,
            on_outcome=told,
            on_note=output.note,
        )
    told.sum_up(named=bool(remote.key) and not prefix)


def _require_one_meaning(remote: Remote, upload_id: str | None, *, narrowed: bool) -> None:
    """Raise ConfigurationError where nothing says which uploads are meant, or an id and something else."""
    if upload_id is not None:
        _options.need_key(remote)
        if narrowed:
            raise ConfigurationError("--id names one upload already", hint="Leave the other options out")
    elif not remote.key and not narrowed:
        raise ConfigurationError(
            f"{remote} does not say which uploads to abort",
            hint="Write a whole key, or add --stale, --older-than 7d, or --prefix for all of ours in the bucket",
        )


def _is_known(client: StorageClient, remote: Remote, upload_id: str) -> bool:
    """Tell whether the upload is listed or recorded; who may not list is believed."""
    try:
        found = client.list_uploads(prefix=remote.key)
    except PermissionError:
        return True
    return (remote.key, upload_id) in {(upload.key, upload.upload_id) for upload in found}


def _abort_one(client: StorageClient, remote: Remote, upload_id: str, output: Output, *, dry_run: bool) -> None:
    if not upload_id:
        raise ConfigurationError("--id is empty", hint="storagekit uploads list shows the ids")
    if not _is_known(client, remote, upload_id):
        raise NotFoundError(
            f"no upload of {_shown(remote)} has the id {upload_id}",
            hint="It may have ended; storagekit uploads list shows those that there are",
        )
    if not dry_run:
        client.abort_upload(remote.key, upload_id)
    word = "would be gone" if dry_run else "gone"
    output.result(
        {"bucket": remote.bucket, "key": remote.key, "upload_id": upload_id, "dry_run": dry_run},
        f"{word}: {_shown(remote)}, upload {upload_id}",
    )


@dataclass
class _Told:
    """Says what became of each upload, and counts."""

    remote: Remote
    connection: Connection
    output: Output
    dry_run: bool
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("aborted", "forgotten", "skipped", "failed"), 0)
    )
    freed: int = 0

    def __call__(self, outcome: Answers) -> None:
        upload, did, why = outcome["upload"], outcome["did"], outcome["why"]
        self.counts[did] += 1
        self.freed += (upload.kept or 0) if did == "aborted" else 0
        facts = {"did": did, "why": why, "dry_run": self.dry_run, **upload}
        if self.output.as_json or not self.output.quiet or did == "failed":
            self.output.row("upload", facts, self._line(upload, did, why))

    def _line(self, upload: UnfinishedUpload, did: str, why: str | None) -> str:
        target = replace(self.remote, key=upload.key)
        place = _shown(target)
        if did == "failed":
            return f"failed: {place}: {printable(str(why))}"
        if did == "skipped":
            by_id = abort_command(target, upload.upload_id, self.connection)
            how = (
                f"to abort it all the same: {by_id}" if by_id else "its key cannot be typed: use abort_upload in Python"
            )
            return f"skipped: {place}: {why}\n         {how}"
        would = "would be " if self.dry_run else ""
        if did == "forgotten":
            return f"{would}forgotten: {place}: only a record was left"
        return f"{would}aborted: {place}: {upload.parts} parts, {show_size(upload.kept or 0)}"

    def sum_up(self, *, named: bool) -> None:
        """Say the counts. Raises typer.Exit where something failed, or what was ``named`` is still there."""
        words = [f"{count} {did}" for did, count in self.counts.items() if count] or [
            f"nothing to abort at {self.remote}"
        ]
        freed = f" ({show_size(self.freed)} of parts)" if self.freed else ""
        facts = {**self.counts, "freed": self.freed, "dry_run": self.dry_run}
        self.output.result(facts, ("dry run: " if self.dry_run else "") + ", ".join(words) + freed)
        if self.counts["failed"] or (named and self.counts["skipped"]):
            raise typer.Exit(OTHER)


def _shown(remote: Remote) -> str:
    return printable(str(remote))


def _need_bucket(remote: Remote) -> Remote:
    if not remote.bucket:
        raise ConfigurationError(f"{remote} names no bucket", hint="Write backend://bucket")
    return remote


app.command("list")(list_uploads)
app.command("abort")(abort)
