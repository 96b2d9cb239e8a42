"""The commands that go on with an unfinished upload, or end it. Pure.

A record names its source for people: a file's path as it was typed, a URL without user name, password and query, an
object as ``backend://bucket/key``, ``standard input``, and for what a program handed over ``stream`` or ``... bytes in
memory``. So the command is exact for objects, for whole paths, and for URLs without a query. What else has to be known
is said in a sentence.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from storagekit.cli._connection import Connection
from storagekit.cli._uri import Remote
from storagekit.types import UnfinishedUpload

_STDIN = "standard input"
_URL = re.compile(r"https?://", re.IGNORECASE)
_OBJECT = re.compile(r"([a-z][a-z0-9+.-]*)://")  # what a path never begins with: pathlib makes one slash of two
_IN_MEMORY = re.compile(r"[\d,]+ bytes in memory")

_RECORDED_SHORT = "a user name, a password and a query (?...) of a URL are not recorded: add what it had"
_RELATIVE = "a relative path is shown as it was typed: run the command where it was run"
_DIGEST = "the SHA-256 that was promised is not recorded: put it in place of HEX"
_REACHED = "how SRC was reached is not recorded: add --source-profile, or set its variables, as it was"
_PROGRAM = "run the program again that began it"


@dataclass(frozen=True)
class Resume:
    """A command for the shell, None where a program has to be run again; ``note`` is what else has to be known."""

    command: str | None
    note: str | None = None


def how_to_resume(upload: UnfinishedUpload, target: Remote, connection: Connection) -> Resume | None:
    """Return how ``target`` is gone on with; None where nothing is kept, or nobody knows of what."""
    source = upload.source
    if source is None or upload.parts is None:
        return None
    if not _can_be_typed(str(target), source) or target.key.endswith("/") or _is_a_programs(upload, source):
        return Resume(None, _PROGRAM)
    if source == _STDIN:
        command = _cp([*_options(connection), *_promises(upload)], "-", target)
        return Resume(f"... | {command}", _note(upload))
    if _URL.match(source):
        return Resume(_cp([*_options(connection), *_promises(upload)], source, target), _note(upload, _RECORDED_SHORT))
    scheme = _OBJECT.match(source)
    options = [*_options(connection, same=not scheme or scheme[1] == target.backend), *_promises(upload)]
    if scheme:
        return Resume(_cp(options, source, target), _note(upload, _REACHED))
    relative = None if source.startswith("/") else _RELATIVE
    return Resume(_cp(options, _as_path(source), target), _note(upload, relative))


def abort_command(target: Remote, upload_id: str, connection: Connection) -> str | None:
    """Return the command that aborts exactly this upload; None where its key or id cannot be typed."""
    if not _can_be_typed(str(target), upload_id):
        return None
    return shlex.join(["storagekit", "uploads", "abort", *_options(connection), str(target), "--id", upload_id])


def _cp(options: list[str], source: str, target: Remote) -> str:
    return shlex.join(["storagekit", "cp", *options, source, str(target)])


def _options(connection: Connection, *, same: bool = True) -> list[str]:
    """Return the options of the connection; between two backends, endpoint and region could be meant for either."""
    given = {"--profile": connection.profile}
    if same:
        given |= {"--endpoint-url": connection.endpoint_url, "--region": connection.region}
    return [word for name, value in given.items() if value is not None for word in (name, value)]


def _promises(upload: UnfinishedUpload) -> list[str]:
    """Return what is promised of the source: by its size another one that has the name by now is refused."""
    digest = ["--sha256", "HEX"] if upload.promised == "sha256" else []
    return digest + (["--size", str(upload.size)] if upload.size is not None else [])


def _note(upload: UnfinishedUpload, about_source: str | None = None) -> str | None:
    said = [about_source, _DIGEST if upload.promised == "sha256" else None]
    return "; ".join(filter(None, said)) or None


def _as_path(source: str) -> str:
    """Return a path that no option and no other kind of source looks like."""
    return f"./{source}" if source.startswith("-") else source


def _is_a_programs(upload: UnfinishedUpload, source: str) -> bool:
    if source == "stream" or _IN_MEMORY.fullmatch(source) or upload.promised == "source_id":
        return True
    return not upload.strong and source != _STDIN and not _URL.match(source)


def _can_be_typed(*words: str) -> bool:
    return all(word.isprintable() for word in words)
