"""Writes into the pages what the code says of itself: ``python -m tests.docs.generate``.

A page marks the place: ``<!-- made: NAME -->``, what is made, ``<!-- end -->``. A test compares it with what the code
says now, so a page can be read anywhere and is never behind. The drawing is a file of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from tests.docs import command_pages, drawing, server_page
from tests.docs.pages import PAGES, ROOT

MADE: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        "commands": command_pages.overview,
        "common options": command_pages.common,
        "command by command": command_pages.sections,
        "servers": server_page.table,
    }
)

_PLACE = re.compile(r"(<!-- made: (?P<name>[\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def renewed(page: str) -> str:
    """Return the page's text with every marked place made anew. Raises KeyError for a name that nothing makes."""
    return _PLACE.sub(lambda found: f"{found[1]}\n{MADE[found['name']]()}\n\n{found[3]}", page)


def names(page: str) -> list[str]:
    """Return what is made in a page."""
    return [found["name"] for found in _PLACE.finditer(page)]


def wanted() -> dict[Path, str]:
    """Return what each page, and the drawing, should hold."""
    pages = {page: renewed(page.read_text()) for page in PAGES}
    return {**pages, ROOT / "docs/explanation/resume.svg": drawing.drawing(pages[ROOT / drawing.PAGE])}


def stale() -> dict[Path, str]:
    """Return what has to be written anew."""
    return {path: text for path, text in wanted().items() if not path.exists() or path.read_text() != text}


if __name__ == "__main__":
    for path, text in stale().items():
        path.write_text(text)
        print(f"renewed {path}")
