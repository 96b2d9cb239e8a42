"""Every hook is documented with its signature and an example, which is installed here and really used."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pluggy
import pytest

from storagekit import hookspecs

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGE = Path(__file__).parents[2] / "docs/reference/plugins.md"


def hooks() -> dict[str, str]:
    """Signature of each hook, as Python writes it, by its name: whatever pluggy takes for a hook, and nothing else."""
    manager = pluggy.PluginManager("storagekit")
    manager.add_hookspecs(hookspecs)
    signatures = {name: str(inspect.signature(getattr(hookspecs, name))) for name in vars(manager.hook)}
    return {name: name + signature.replace("'", "") for name, signature in signatures.items()}  # annotations are text


def section(hook: str) -> str:
    found = re.search(rf"^## `{hook}`$(.*?)(?=^## |\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert found, f"{PAGE.name} has no section `{hook}`"
    return found[1]


def snippet(text: str, fence: str) -> str:
    found = re.search(rf"^```{fence}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert found, f"there is no block {fence}"
    return found[1]


def install(hook: str, home: Path) -> str:
    """Install a hook's example, as pip would, and return the name of its first entry point."""
    text = section(hook)
    module = re.search(r'```python title="(\w+\.py)"', text)
    assert module
    (home / module[1]).write_text(snippet(text, rf'python title="{module[1]}"'))
    project = tomllib.loads(snippet(text, "toml"))["project"]
    points = project["entry-points"]["storagekit"]
    info = home / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[storagekit]", *lines, ""]))
    return str(next(iter(points)))


def storagekit(home: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "storagekit", *arguments],
        env={**os.environ, "HOME": str(home), "PYTHONPATH": str(home), "SCRATCH_ROOT": str(home / "buckets")},
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_there_are_hooks() -> None:
    assert "storagekit_drivers" in hooks()


@pytest.mark.parametrize("hook", hooks())
def test_every_hook_has_a_section_with_its_signature(hook: str) -> None:
    assert hooks()[hook] == snippet(section(hook), "text").strip()


def test_no_section_is_of_a_hook_that_is_gone() -> None:
    assert hooks().keys() == set(re.findall(r"^## `(storagekit_\w+)`$", PAGE.read_text(), re.MULTILINE))


@pytest.mark.parametrize("hook", hooks())
def test_the_example_of_every_hook_works_where_it_is_installed(hook: str, tmp_path: Path) -> None:
    backend = install(hook, tmp_path)
    (tmp_path / "file.bin").write_bytes(b"some bytes")

    events = [json.loads(line) for line in storagekit(tmp_path, "backends", "--json").splitlines()]
    [listed] = [event for event in events if event["backend"] == backend]
    storagekit(tmp_path, "mb", f"{backend}://data")
    storagekit(tmp_path, "cp", "file.bin", f"{backend}://data/raw/")

    assert ("ready", []) == (listed["state"], listed["problems"])
    assert "some bytes" == storagekit(tmp_path, "cat", f"{backend}://data/raw/file.bin")
    for alias in listed["aliases"]:
        assert "some bytes" == storagekit(tmp_path, "cat", f"{alias}://data/raw/file.bin")
