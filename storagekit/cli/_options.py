"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from storagekit.cli._uri import Remote
from storagekit.errors import ConfigurationError

Json = Annotated[bool, typer.Option("--json", help="One JSON object per event on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def need_key(remote: Remote) -> Remote:
    """Return ``remote`` if it names an object. Raises ConfigurationError."""
    if not remote.bucket or not remote.key:
        raise ConfigurationError(f"{remote} names no object", hint="Write backend://bucket/key")
    return remote
