"""What the docs name exists, and what exists is named."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from storagekit import StorageClient, errors, hookspecs
from storagekit.cli import _exit
from storagekit.cli.main import app
from storagekit.driver import Limits
from storagekit.plugins import Registry
from tests.docs.command_pages import commands

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND_LINE = (ROOT / "docs/reference/command-line.md").read_text()
ERRORS = (ROOT / "docs/reference/errors.md").read_text()
SITE = (ROOT / ".mkdocs.yml").read_text()

#: Variables of other programs, which the code sets for them: whoever uses storagekit has no use for them.
NOT_READ = {
    *(
        "MINIO_ROOT_USER",
        "MINIO_ROOT_PASSWORD",
        "MINIO_BROWSER",
        "MINIO_UPDATE",
        "MINIO_CI_CD",
        "MINIO_SITE_REGION",
    ),  # of a test's MinIO
}
_VARIABLE = re.compile(r"(?:STORAGEKIT|STORAGE|MINIO|AWS|OBS|OSS|OSSUTIL|MC|SSL)_[A-Z0-9_]*[A-Z0-9]")
_CODE = re.compile(r"^(```|~~~).*?^\1$", re.MULTILINE | re.DOTALL)


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _links(page: Path) -> list[tuple[Path, str]]:
    """Return where the links of a page lead: a file, and a heading in it."""
    found = re.findall(r"\]\(([^)\s#]*)(?:#([\w-]+))?\)", _CODE.sub("", page.read_text()))
    return [((page.parent / file).resolve() if file else page, place) for file, place in found if ":" not in file]


def _anchors(page: Path) -> set[str]:
    """Return the names that headings can be linked by, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.+)$", _CODE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [] == [str(file) for file, _ in _links(page) if not file.exists()]


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_heading_that_is_linked_is_there(page: Path) -> None:
    assert [] == [(str(file), place) for file, place in _links(page) if place and place not in _anchors(file)]


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_file_that_is_named_exists(page: Path) -> None:
    named = re.findall(r"`((?:storagekit|tests|plugins|docs)/[\w./]+)`", page.read_text())
    ours = [name for name in named if not name.endswith(".toml")]  # that is the user's configuration

    assert [] == [name for name in ours if not (ROOT / name).exists()]


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_nothing_outside_of_the_project_is_needed(page: Path) -> None:
    assert "../shared" not in page.read_text()
    assert [] == [str(file) for file, _ in _links(page) if not file.is_relative_to(ROOT)]


def test_every_page_is_in_the_sites_navigation() -> None:
    listed = re.findall(r": ([\w/-]+\.md)$", SITE, re.MULTILINE)
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in PAGES if page.is_relative_to(ROOT / "docs")]

    assert sorted(pages) == sorted(listed)


def test_every_page_is_linked_from_the_first_one_or_by_a_page_that_is() -> None:
    seen, waiting = set[Path](), [ROOT / "docs/README.md"]
    while waiting:
        page = waiting.pop()
        seen.add(page)
        waiting += [file for file, _ in _links(page) if file.suffix == ".md" and file.exists() and file not in seen]
    alone = {page for page in PAGES if page.is_relative_to(ROOT / "docs")} - seen

    assert {
        ROOT / f"docs/reference/api/{name}.md" for name in API_PAGES
    } >= alone  # they are beside each other in the menu


API_PAGES = ("client", "uploader", "errors", "types", "driver", "testing")


def test_the_site_loads_nothing_from_other_hosts() -> None:
    assert "font: false" in SITE
    assert [] == re.findall(r"https?://\S+", SITE)


def test_every_command_and_option_is_documented() -> None:
    for name, command in commands().items():
        section = re.search(rf"^### `storagekit {name}`$(.*?)(?=^##|\Z)", COMMAND_LINE, re.MULTILINE | re.DOTALL)
        assert section is not None, name
        for option in _options(command):
            assert f"`{option}" in section[1], (name, option)


def _options(command: Any) -> Iterator[str]:
    for parameter in command.params:
        yield from (option for option in parameter.opts if option.startswith("--") and option != "--help")


def test_the_options_of_the_program_itself_are_documented() -> None:
    program = get_command(app)

    assert [] == [option for option in _options(program) if f"{option}`" not in COMMAND_LINE]


def test_every_error_is_documented_with_its_exit_code() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|.*?\| (\d+) \|", ERRORS, re.MULTILINE))
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.StorageError)]

    assert {kind.__name__ for kind in kinds} == set(rows)
    assert {kind.__name__: str(_exit.exit_code(kind("x"))) for kind in kinds} == rows


def test_every_exit_code_is_documented() -> None:
    table = COMMAND_LINE[COMMAND_LINE.index("## Exit codes") :]
    codes = {value for name, value in vars(_exit).items() if name.isupper() and isinstance(value, int)}

    assert {0, *codes} == {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}


def test_every_environment_variable_is_documented() -> None:
    """Those of the backends' settings, and whatever else looks like one in the code."""
    told = "".join(page.read_text() for page in PAGES)
    read = {variable for path in _modules() for variable in _variables(path)} | set(_variables_of_settings())

    assert {"STORAGEKIT_BACKEND", "MINIO_ENDPOINT", "STORAGEKIT_TEST_MINIO"} <= read
    assert [] == sorted(variable for variable in read - NOT_READ if f"`{variable}" not in told)


def test_every_environment_variable_that_is_documented_is_read() -> None:
    code = "".join(path.read_text() for path in [*_modules(), *(ROOT / "tests").rglob("*.py")])
    told = {name for page in PAGES for name in re.findall(r"`([A-Z]+_[A-Z0-9_]+)`", page.read_text())}

    assert [] == sorted(name for name in told if _VARIABLE.fullmatch(name) and name not in code)


def _modules() -> list[Path]:
    return [*(ROOT / "storagekit").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]


def _variables(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _VARIABLE.fullmatch(node.value):
            yield node.value


def _variables_of_settings() -> Iterator[str]:
    registry = Registry.create({})
    for listed in registry.listed():
        for setting in registry.find(listed.backend).settings:
            yield from setting.env


def test_every_setting_of_a_backend_is_documented() -> None:
    text = (ROOT / "docs/reference/configuration.md").read_text()
    registry = Registry.create({})
    names = {setting.name for listed in registry.listed() for setting in registry.find(listed.backend).settings}

    assert [] == sorted(name for name in names if f"`{name}`" not in text)


def test_every_hook_is_documented_with_an_example() -> None:
    text = (ROOT / "docs/reference/plugins.md").read_text()
    hooks = [name for name, value in vars(hookspecs).items() if hasattr(value, "storagekit_spec")]

    assert hooks
    for hook in hooks:
        assert f"`{hook}" in text, hook
        assert re.search(rf"^```python.*?@hookimpl\s+def {hook}\(.*?^```$", text, re.MULTILINE | re.DOTALL), hook


def test_every_limit_is_explained() -> None:
    text = inspect.getdoc(Limits) or ""
    unexplained = {"min_part", "max_part", "max_parts", "max_put", "max_object", "max_key_bytes"}

    assert [] == [name for name in Limits.__dataclass_fields__ if name not in text and name not in unexplained]


def test_ci_runs_the_readmes_test_command() -> None:
    found = re.findall(r"^(python3 -m venv .*)$", (ROOT / "README.md").read_text(), re.MULTILINE)

    assert 2 == len(found)
    assert found[1] in (ROOT / ".ci/run").read_text()


def test_every_method_of_the_client_is_in_the_guide() -> None:
    text = (ROOT / "docs/reference/python.md").read_text()
    methods = {name for name, value in inspect.getmembers(StorageClient, callable) if not name.startswith("_")}

    assert [] == sorted(name for name in methods if f"`{name}" not in text)


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
