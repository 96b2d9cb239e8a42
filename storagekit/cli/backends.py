"""``storagekit backends``: what is installed, what is missing, and how to get it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from storagekit.cli import _options
from storagekit.cli._command import command
from storagekit.cli._output import Output

if TYPE_CHECKING:
    from storagekit.plugins import Listed


@command
def run(as_json: _options.Json = False) -> None:
    """List the backends with what they need; a broken plugin is named and harms no other.

    \b
    Example:
      storagekit backends
    """
    from storagekit.plugins import Registry

    output = Output(as_json)
    for listed in Registry.create().listed():
        if as_json:
            output.event("backend", **asdict(listed))
        else:
            print(_line(listed))


def _line(listed: Listed) -> str:
    names = ", ".join((listed.backend, *listed.aliases))
    return f"{names:<12} {listed.problem or 'ready':<40} {listed.summary}".rstrip()
