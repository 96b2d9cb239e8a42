"""The drawing of the resume protocol, made from the table of its steps in ``docs/explanation/resume.md``. Pure.

From top to bottom the requests of one run to the service; between two of them what a kill there leaves, and what the
next run does about it. The bars at the right show what lies in the bucket meanwhile.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

PAGE = "docs/explanation/resume.md"

_WIDTH, _RUN, _SERVICE, _TOP = 740, 30, 450, 72
_LINE, _GAP = 17, 16  # pixels: height of a line of text, space above an arrow's words
_CHARACTERS = 54  # of 14 pixels, that fit between the two lifelines
#: What lies in the bucket: from which step's answer to which one's. The object stays.
_BARS = (
    ("intent", 2, 5, "#9a6700"),
    ("upload", 3, 8, "#1f6feb"),
    ("record", 4, 10, "#8250df"),
    ("object", 8, 11, "#1a7f37"),
)
_FROM_ALL = 6  # the step that is done by several workers at once

_STYLE = (
    "text{font:14px system-ui,sans-serif;fill:#1f2328}.head{font-weight:600}.kill{fill:#a40e26}"
    ".life{stroke:#8c959f;stroke-width:2}.call{stroke:#1f2328;stroke-width:1.6;marker-end:url(#tip)}"
    ".window{stroke:#cf222e;stroke-width:1.4;stroke-dasharray:5 4}"
)


@dataclass(frozen=True)
class Step:
    """One row of the table."""

    number: int
    does: str
    leaves: str
    then: str


def steps(page: str) -> list[Step]:
    """Return the rows of the table of steps."""
    rows = re.findall(r"^\| (\d+)\. (.+?) \| (.+?) \| (.+?) \|$", page, re.MULTILINE)
    return [Step(int(number), _plain(does), _plain(leaves), _plain(then)) for number, does, leaves, then in rows]


def drawing(page: str) -> str:
    """Return the drawing of a page's table as SVG."""
    y, pieces, arrows = _TOP, [], {}
    for step in steps(page):
        drawn, arrows[step.number], y = _step(step, y)
        pieces += drawn
    height = y + 24
    lives = [f'<line class="life" x1="{x}" y1="64" x2="{x}" y2="{y + 8}"/>' for x in (_RUN, _SERVICE)]
    arrows[len(arrows) + 1] = y + 8
    bars = [piece for column, bar in enumerate(_BARS) for piece in _bar(column, bar, arrows)]
    return "\n".join([*_head(height), *lives, *bars, *pieces, "</svg>", ""])


def _head(height: int) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="t">',
        '<title id="t">One upload, from top to bottom, and what a kill between two of its requests leaves</title>',
        f"<style>{_STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">',
        '<path d="M0,0 L10,5 L0,10 z" fill="#1f2328"/></marker></defs>',
        f'<rect width="{_WIDTH}" height="{height}" rx="8" fill="#ffffff"/>',
        f'<text class="head" x="{_RUN}" y="52" text-anchor="middle">run</text>',
        f'<text class="head" x="{_SERVICE}" y="52" text-anchor="middle">service</text>',
        f'<text class="head" x="{_SERVICE + 42}" y="24">what lies in the bucket</text>',
    ]


def _step(step: Step, y: int) -> tuple[list[str], int, int]:
    """Return a step's arrow and the window behind it, where its last request is answered, and where the next begins."""
    pieces, y = _words(f"{step.number}. {step.does}", y + _GAP, "does")
    arrows = [y + offset for offset in ((0, 6, 12) if step.number == _FROM_ALL else (0,))]
    pieces += [_arrow(at) for at in arrows]
    y = arrows[-1] + 14
    pieces.append(f'<line class="window" x1="{_RUN - 12}" y1="{y}" x2="{_SERVICE + 12}" y2="{y}"/>')
    told, y = _words(f"✕ killed here leaves {step.leaves}; the next run {step.then}", y + _LINE, "kill")
    return [*pieces, *told], arrows[-1], y


def _words(text: str, y: int, kind: str) -> tuple[list[str], int]:
    lines = textwrap.wrap(text, _CHARACTERS)
    drawn = [
        f'<text class="{kind}" x="{_RUN + 12}" y="{y + index * _LINE}">{escape(line)}</text>'
        for index, line in enumerate(lines)
    ]
    return drawn, y + (len(lines) - 1) * _LINE + 8


def _arrow(y: int) -> str:
    return f'<line class="call" x1="{_RUN}" y1="{y}" x2="{_SERVICE - 2}" y2="{y}"/>'


def _bar(column: int, bar: tuple[str, int, int, str], arrows: dict[int, int]) -> Sequence[str]:
    name, first, last, colour = bar
    x, top, bottom = _SERVICE + 66 + column * 58, arrows[first], arrows[last]
    return (
        f'<text class="head" style="fill:{colour}" x="{x}" y="52" text-anchor="middle">{name}</text>',
        f'<rect x="{x - 6}" y="{top}" width="12" height="{bottom - top}" rx="4" fill="{colour}" opacity="0.85"/>',
    )


def _plain(text: str) -> str:
    return re.sub(r"[*`]|\]\([^)]*\)|\[", "", text)
