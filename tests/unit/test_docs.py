"""What the docs name exists, and what exists is named."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from typer.main import get_command

from storagekit import StorageClient, errors
from storagekit.cli._exit import exit_code
from storagekit.cli.main import app
from storagekit.driver import Limits
from storagekit.plugins import Registry

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND_LINE = (ROOT / "docs/reference/command-line.md").read_text()
ERRORS = (ROOT / "docs/reference/errors.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text())

    assert [] == [link for link in links if not (page.parent / link).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_exists(page: Path) -> None:
    named = re.findall(r"`((?:storagekit|tests|plugins|docs)/[\w./]+)`", page.read_text())

    assert [] == [name for name in named if not (ROOT / name).exists()]


def test_every_command_and_option_is_documented() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]  # a group

    for name, command in commands.items():
        assert f"`storagekit {name}" in COMMAND_LINE
        for parameter in command.params:
            for option in parameter.opts:
                assert not option.startswith("--") or f"`{option}" in COMMAND_LINE, (name, option)


def test_every_error_is_documented_with_its_exit_code() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|.*?\| (\d+) \|", ERRORS, re.MULTILINE))
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.StorageError)]

    assert {kind.__name__ for kind in kinds} == set(rows)
    assert {kind.__name__: str(exit_code(kind("x"))) for kind in kinds} == rows


def test_every_environment_variable_is_documented() -> None:
    for listed in Registry.create().listed():
        spec = Registry.create().find(listed.backend)
        for setting in spec.settings:
            for variable in setting.env:
                assert variable in COMMAND_LINE, (listed.backend, variable)


def test_every_limit_is_explained() -> None:
    text = inspect.getdoc(Limits) or ""
    unexplained = {"min_part", "max_part", "max_parts", "max_put", "max_object", "max_key_bytes"}

    assert [] == [name for name in Limits.__dataclass_fields__ if name not in text and name not in unexplained]


def test_ci_runs_the_readmes_test_command() -> None:
    commands = re.findall(r"^    (python3 -m venv .*)$", (ROOT / "README.md").read_text(), re.MULTILINE)

    assert 2 == len(commands)
    assert commands[1] in (ROOT / ".ci/run").read_text()


def test_the_table_of_arguments_says_what_the_methods_take() -> None:
    text = (ROOT / "docs/reference/python.md").read_text()
    head, *rows = re.findall(r"^\| (?:takes|`\w+`.*?) \| (?:`?chunk_size`?|yes|) \|.*$", text, re.MULTILINE)
    columns = [re.findall(r"\w+", cell) for cell in head.split("|")[2:-1]]

    told: dict[str, set[str]] = {}
    for row in rows:
        methods, *cells = row.split("|")[1:-1]
        takes = {name for names, cell in zip(columns, cells, strict=True) for name in names if cell.strip() == "yes"}
        told |= dict.fromkeys(re.findall(r"\w+", methods), takes)

    assert {"upload", "upload_url", "put_object", "upload_stream"} <= told.keys()
    for method, takes in told.items():
        taken = set(inspect.signature(getattr(StorageClient, method)).parameters)
        assert takes == taken & {name for names in columns for name in names}, method
