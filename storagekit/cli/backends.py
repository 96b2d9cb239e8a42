"""``storagekit backends``: what is installed, what is missing, and how to get it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from storagekit.cli import _options
from storagekit.cli._command import command
from storagekit.cli._output import Output

if TYPE_CHECKING:
    from storagekit.plugins import Listed

_INDENT = " " * 6


@command
def run(as_json: _options.Json = False) -> None:
    """List the backends, what each needs, and which distribution brings it.

    \b
    A backend is
      ready      and can be used;
      missing    what it needs: the pip command is below it;
      duplicate  of a name that another distribution brings, too;
      broken     as the reason below it says, which harms no other;
      disabled   by STORAGEKIT_DISABLE_PLUGINS.

    \b
    Examples:
      storagekit backends
      storagekit backends --json
      STORAGEKIT_DISABLE_PLUGINS=sftp storagekit backends
    """
    from storagekit.plugins import Registry

    output = Output(as_json)
    found = Registry.create().listed()
    for listed, lines in zip(found, _table(found, _width()), strict=True):
        output.row("backend", asdict(listed), "\n".join(lines))


def _width() -> int | None:
    """Return how wide the terminal is; None where a file or a program reads, for which no line is broken."""
    import shutil
    import sys

    return shutil.get_terminal_size().columns if sys.stdout and sys.stdout.isatty() else None


def _table(found: Sequence[Listed], width: int | None) -> list[list[str]]:
    """Return the lines of each backend: names, state, distribution, summary; what is wrong with it below."""
    rows = [
        (", ".join((one.backend, *one.aliases)), one.state, f"{one.distribution} {one.version}".rstrip())
        for one in found
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    heads = ["  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)) for row in rows]
    return [
        [*_wrap(one.summary, f"{head}  ", width), *_below(one, width)] for one, head in zip(found, heads, strict=True)
    ]


def _below(listed: Listed, width: int | None) -> list[str]:
    problems = [line for problem in listed.problems for line in _wrap(problem, _INDENT, width)]
    return [*problems, *([f"{_INDENT}{listed.hint}"] if listed.hint else [])]  # in one line: it may be copied


def _wrap(text: str, head: str, width: int | None) -> list[str]:
    """Return ``head`` and ``text`` behind it; below it where that leaves text too little room beside it."""
    from textwrap import wrap

    if not text or width is None or len(head) + len(text) <= width:
        return [f"{head}{text}".rstrip()]
    room = width - len(head)
    if room >= 24:
        return [f"{head if not at else ' ' * len(head)}{line}" for at, line in enumerate(wrap(text, room))]
    lines = wrap(text, max(width - len(_INDENT), 24), break_long_words=False)
    return [*([head.rstrip()] if head.strip() else []), *(f"{_INDENT}{line}" for line in lines)]
