"""The Markdown pages, cut into their code blocks by a CommonMark parser.

What a block is for is said by its language:

    ```python     runs, in one namespace per page       ```json      is parsed, as one document or one per line
    ```bash       runs, in one environment per page     ```toml      is parsed
    ```console    `$ command` lines run, and what they  ```text      is shown
                  print is compared; `...` is anything  ```mermaid   is drawn

A block with `title="name"` is a file of that name: it is written, and something further down has to use it. A block
that cannot run says why in a comment right above it: `<!-- not run: needs ... -->`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUN = ("python", "bash", "console")
LANGUAGES = (*RUN, "json", "toml", "text", "mermaid")

_NOT_RUN = re.compile(r"<!-- not run: (.+?) -->", re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')


@dataclass(frozen=True)
class Block:
    """One code block. ``line`` is where its first line of code stands; ``reason`` why it is not run, or None."""

    language: str
    text: str
    line: int
    title: str | None = None
    reason: str | None = None


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page's text."""
    tokens = MarkdownIt("commonmark").parse(page)
    return [_block(token, before) for before, token in zip([None, *tokens], tokens, strict=False) if _is_fence(token)]


def unfenced(page: str) -> list[int]:
    """Return the lines at which code blocks begin that are only indented: nothing says what they are."""
    return [_line(token) for token in MarkdownIt("commonmark").parse(page) if token.type == "code_block"]


def name_of(page: Path) -> str:
    """Return a page's path as it is written in the project: ``docs/how-to/resume.md``."""
    return page.relative_to(ROOT).as_posix()


def _is_fence(token: Token) -> bool:
    return token.type == "fence"


def _block(token: Token, before: Token | None) -> Block:
    title = _TITLE.search(token.info)
    reason = _NOT_RUN.search(before.content) if before is not None and before.type == "html_block" else None
    return Block(
        language=token.info.partition(" ")[0],
        text=token.content,
        line=_line(token) + 1,
        title=title[1] if title else None,
        reason=" ".join(reason[1].split()) if reason else None,
    )


def _line(token: Token) -> int:
    assert token.map is not None, "a block knows its lines"
    return token.map[0] + 1
