"""Every snippet of every page does what the page says: it runs, in order, on a machine made for the page."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.docs.console import Command, agrees, commands, complaint
from tests.docs.pages import LANGUAGES, PAGES, ROOT, RUN, Block, blocks, name_of, unfenced
from tests.docs.place import Place, parse

#: Pages with snippets that are not run, and how many. Whoever adds one says so here.
NOT_RUN = {
    "README.md": 2,
    "CONTRIBUTING.md": 1,
    "docs/how-to/complete-commands-in-a-shell.md": 2,
    "docs/tutorial/first-upload.md": 1,
    "docs/how-to/write-a-driver.md": 1,
    "docs/how-to/run-an-obs-emulator.md": 1,
    "docs/how-to/run-an-oss-emulator.md": 1,
    "docs/how-to/migrate-from-sais-pyobs.md": 1,
    "docs/how-to/migrate-from-rclone-and-s5cmd.md": 2,
    "docs/how-to/migrate-from-an-oss-helper.md": 1,
    "docs/how-to/migrate-from-a-storage-client.md": 1,
    "docs/how-to/migrate-from-an-artifact-store.md": 1,
    "docs/how-to/migrate-from-a-prefix-downloader.md": 1,
}

#: Pages that run another tool as well, which logs at DEBUG what it signs: the logger.
ANOTHER_TOOL = {
    "docs/how-to/migrate-from-boto3.md": "botocore",
    "docs/how-to/migrate-from-an-oss-helper.md": "oss2",
    "docs/how-to/migrate-from-resumable-helpers.md": "oss2",
}

BLOCKS = {page: blocks(page.read_text()) for page in PAGES}
WITH_CODE = [page for page, found in BLOCKS.items() if any(block.language in RUN for block in found)]


def _marked(page: Path) -> Any:
    logger = ANOTHER_TOOL.get(name_of(page))
    if logger is None:
        return page
    why = "another tool: it logs what it signs at DEBUG"
    return pytest.param(page, marks=pytest.mark.shows_secrets(why, only=f"the log of {logger}"))


@pytest.mark.parametrize("page", [_marked(page) for page in WITH_CODE], ids=name_of)
def test_the_snippets_of_a_page_run(page: Path, place: Place) -> None:
    for block in BLOCKS[page]:
        if block.reason is None:
            try:
                place.run(block)
            except Exception as error:
                raise AssertionError(f"{name_of(page)}:{block.line}: {type(error).__name__}: {error}") from error


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_data_is_well_formed(page: Path) -> None:
    for block in BLOCKS[page]:
        parse(block)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_says_what_it_is(page: Path) -> None:
    assert [] == unfenced(page.read_text())
    assert [] == [(block.line, block.language) for block in BLOCKS[page] if block.language not in LANGUAGES]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_that_is_shown_is_used_further_down(page: Path) -> None:
    for index, block in enumerate(BLOCKS[page]):
        if block.title is not None:
            later = "".join(other.text for other in BLOCKS[page][index + 1 :] if other.language in RUN)
            assert Path(block.title).stem in later, (block.line, block.title)


def test_what_is_not_run_is_counted_and_says_what_it_needs() -> None:
    held_back = [(name_of(page), block) for page, found in BLOCKS.items() for block in found if block.reason]

    assert NOT_RUN == Counter(page for page, _ in held_back)
    assert [] == [(page, block.reason) for page, block in held_back if not str(block.reason).startswith("needs ")]


def test_no_reason_stands_where_it_is_not_seen() -> None:
    for page in PAGES:
        assert len(re.findall("<!-- not run", page.read_text())) == sum(
            block.reason is not None for block in BLOCKS[page]
        )


def test_no_snippet_is_part_of_the_pages_by_mistake() -> None:
    assert {ROOT / "README.md", ROOT / "docs/onboarding.md"} < set(PAGES)
    assert len(WITH_CODE) >= 10


class TestTheRunner:
    """A runner that finds nothing wrong proves nothing."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return Place(tmp_path, {"https://host/": "http://127.0.0.1:1/"}, {})

    @pytest.mark.parametrize(
        ("language", "text"),
        [
            ("bash", "false\necho on"),
            ("bash", "no-such-command"),
            ("console", "$ false"),
            ("console", "$ echo one\ntwo"),
            ("console", "$ echo one\none\n$ echo two\none"),
            ("console", "$ true\nerror: no"),
            ("python", "assert 1 == 2"),
            ("python", "print(undefined)"),
        ],
    )
    def test_what_is_wrong_fails(self, place: Place, language: str, text: str) -> None:
        with pytest.raises((AssertionError, NameError)):
            place.run(Block(language, text, line=1))

    def test_what_a_block_does_holds_for_the_next(self, place: Place) -> None:
        place.run(Block("bash", "export GREETING='hello there'\nmkdir below\ncd below", 1))
        place.run(Block("python", "VALUE = 42\n", 1, title="settings.py"))
        place.run(Block("python", "import os, settings\nassert os.getcwd().endswith('below')\nnow = settings.VALUE", 1))
        place.run(Block("python", "assert (now, os.environ['GREETING']) == (42, 'hello there')", 1))
        place.run(Block("console", "$ echo $GREETING; pwd\nhello there\n.../below", 1))

    def test_python_means_what_it_means_in_a_file_of_its_own(self, place: Place) -> None:
        """The runner's own ``from __future__`` is not the snippet's."""
        place.run(Block("python", "def f(x: int): ...\nassert f.__annotations__ == {'x': int}", 1))

    def test_a_failure_that_is_shown_is_none(self) -> None:
        assert complaint(Command("x", "error: no\n"), "error: no\n", 3) is None
        assert complaint(Command("x", ""), "no", 3) is not None

    def test_a_command_goes_on_after_a_greater_than(self) -> None:
        found = commands("$ storagekit cp a \\\n>   b\ndone\n$ echo $?\n0\n")

        assert [Command("storagekit cp a \\\n  b", "done"), Command("echo $?", "0")] == found

    @pytest.mark.parametrize(
        ("shown", "printed", "expected"),
        [
            ("a", "a\n", True),
            ("a", "b", False),
            ("a...", "a and more\nand more", True),
            ("...c", "a\nb\nc", True),
            ("a...c", "a", False),
            ("", "anything", True),
            ("...", "", True),
            ("...\nc", "c", True),
            ("...\nc", "a\nb\nc", True),
            ("...\nc", "abc", False),
            ("a\n...", "a", True),
            ("(a) [b]", "(a) [b]", True),
        ],
    )
    def test_dots_stand_for_anything(self, shown: str, printed: str, expected: bool) -> None:
        assert expected == agrees(shown, printed)
