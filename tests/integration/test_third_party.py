"""A driver by somebody else: its wheel beside ours in a fresh environment, its suite, a killed upload, its source."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from storagekit.testing.conformance import DriverConformance

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "tests/third_party/storagekit-sftp"
MAY_IMPORT = {"storagekit", "storagekit.driver", "storagekit.types", "storagekit.errors"}
MOST_TEST_LINES = 25


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the programs of an environment that has nothing but the two wheels and what they ask for."""
    home = tmp_path_factory.mktemp("downstream")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    python = home / "venv/bin/python"
    run(sys.executable, "-m", "venv", "--without-pip", str(home / "venv"))
    run(*pip, "wheel", "--no-deps", "--wheel-dir", str(home / "wheels"), str(ROOT), str(PROJECT))
    ours, theirs = sorted((home / "wheels").glob("*.whl"))
    run(*pip, "--python", str(python), "install", f"{ours}[testing]", f"{theirs}[test]")
    return python.parent


def run(*command: str, cwd: Path | None = None) -> str:
    """Return what a command prints; fails with it where the command does."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_backends_names_it_with_its_distribution(installed: Path) -> None:
    lines = run(str(installed / "storagekit"), "backends", "--json").splitlines()
    found = {event["backend"]: event for event in map(json.loads, lines)}
    assert {"local", "memory", "minio", "obs", "oss", "sftp"} == found.keys()
    assert ("ready", "storagekit-sftp", "0.1.0") == tuple(
        found["sftp"][name] for name in ("state", "distribution", "version")
    )
    for vendor in ("minio", "obs", "oss"):
        assert "missing" == found[vendor]["state"], "the SDK of a neighbour came along"


def test_it_passes_the_whole_suite_and_a_killed_upload_goes_on(installed: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    suite = [str(PROJECT / "tests"), "-c", str(PROJECT / "pyproject.toml"), "-p", "no:cacheprovider", "-q"]
    said = run(str(installed / "python"), "-m", "pytest", *suite, f"--junitxml={report}", cwd=tmp_path)

    assert len(suite_of(DriverConformance)) >= 120
    assert "skipped" not in said
    text = report.read_text()
    missing = [name for name in [*suite_of(DriverConformance), "goes_on_where_it_stopped"] if name not in text]
    assert [] == missing


def suite_of(kind: type) -> list[str]:
    return [name for name in dir(kind) if name.startswith("test_")]


def test_the_suite_costs_few_lines() -> None:
    text = (PROJECT / "tests/test_conformance.py").read_text()
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith('"""')]
    assert any("DriverConformance" in line for line in lines)
    assert len(lines) <= MOST_TEST_LINES


@pytest.mark.parametrize("path", sorted(PROJECT.glob("storagekit_sftp/*.py")), ids=lambda path: path.name)
def test_it_uses_what_is_public(path: Path) -> None:
    found = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, (ast.Import, ast.ImportFrom))]
    modules = {node.module or "" for node in found if isinstance(node, ast.ImportFrom)}
    modules |= {name.name for node in found if isinstance(node, ast.Import) for name in node.names}
    assert {name for name in modules if name.partition(".")[0] == "storagekit"} <= MAY_IMPORT
