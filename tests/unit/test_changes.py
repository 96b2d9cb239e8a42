"""The fragments that the changelog is put together from (``CONTRIBUTING.md`` says how to write one)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FRAGMENTS = sorted(path for path in (ROOT / ".changes").iterdir() if path.name != "_template.md")
TYPES = re.findall(r'\{directory = "(\w+)"', (ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=lambda path: path.name)
def test_a_fragment_says_something_of_a_known_type(fragment: Path) -> None:
    name, kind, ending = fragment.name.rsplit(".", 2)
    text = fragment.read_text()

    assert re.fullmatch(r"[\w+-]+", name)
    assert (kind in TYPES, ending) == (True, "md")
    assert text.strip().endswith((".", ":", ")", "`", "|"))
    assert not text.startswith(("#", "-", "*"))  # heading and bullet are the changelog's


def test_contributing_explains_every_type() -> None:
    table = (ROOT / "CONTRIBUTING.md").read_text().partition("| type | for |")[2]
    told = re.findall(r"^\| `(\w+)` \| ", table, re.MULTILINE)

    assert TYPES == told


def test_the_changelog_says_where_the_next_section_goes() -> None:
    assert "<!-- towncrier release notes start -->\n" in (ROOT / "CHANGELOG.md").read_text()
