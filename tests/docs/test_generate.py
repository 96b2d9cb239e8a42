"""What the pages say of the code is what the code says of itself."""

from __future__ import annotations

from collections import Counter
from html import escape

import pytest

from tests.docs.command_pages import commands
from tests.docs.drawing import PAGE, drawing, steps
from tests.docs.generate import MADE, names, renewed, stale
from tests.docs.pages import PAGES, ROOT, name_of


def test_everything_that_is_made_is_up_to_date() -> None:
    assert [] == list(map(name_of, stale())), "run: python -m tests.docs.generate"


def test_everything_that_can_be_made_is_made_once() -> None:
    assert Counter(list(MADE)) == Counter(name for page in PAGES for name in names(page.read_text()))


def test_a_marked_place_is_found() -> None:
    old = "before\n<!-- made: commands -->\nold\n<!-- end -->\nafter"

    assert ["commands"] == names(old)
    assert MADE["commands"]() in renewed(old)
    assert renewed(old).startswith("before\n")
    assert renewed(old).endswith("\nafter")


def test_the_drawing_shows_every_step_of_the_table() -> None:
    page = (ROOT / PAGE).read_text()
    drawn = drawing(page)

    assert list(range(1, 11)) == [step.number for step in steps(page)]
    assert 10 == drawn.count("✕ killed here") == drawn.count('class="window"')
    assert all(f">{step.number}. {escape(step.does[:20])}" in drawn for step in steps(page))


def _examples() -> list[tuple[str, str]]:
    helps = [(name, line.strip()) for name, command in commands().items() for line in (command.help or "").splitlines()]
    return [(name, line) for name, line in helps if f"storagekit {name}" in line]


def test_every_command_has_an_example() -> None:
    assert set(commands()) == {name for name, _ in _examples()}


@pytest.mark.parametrize(("name", "line"), _examples(), ids=lambda value: value)
def test_the_example_of_a_help_is_understood(name: str, line: str) -> None:
    words = line[line.index("storagekit ") :].partition("#")[0].split()
    arguments = words[1 + len(name.split()) :]

    assert arguments == [] or commands()[name].make_context(name, arguments)
