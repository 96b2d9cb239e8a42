"""The vendors' SDKs in environments of their own: some versions of each, on some Pythons, made once per machine.

They are kept in the same cache as the servers' (`storagekit.testing.servers.installed`). Most come as source only;
where their dependency `crcmod` finds no C compiler, pip installs that one's slow form without a word. `oss2` and
`alibabacloud-oss-v2` cannot share an environment: the one needs `crcmod`, the other `crcmod-plus`, the same module.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from storagekit.testing.servers import Unavailable
from storagekit.testing.servers.installed import Package, installed

ROOT = Path(__file__).resolve().parents[2]

PYTHONS = ("3.10", "3.13")
"""The oldest and the newest that the project supports; the one that runs the tests is used besides."""

_ASK = "import sys; print('%d.%d' % sys.version_info[:2])"


@dataclass(frozen=True)
class Interpreter:
    """One that runs. `version` is `3.10`."""

    version: str
    path: Path


def current() -> Interpreter:
    """The one that runs this."""
    return Interpreter(f"{sys.version_info.major}.{sys.version_info.minor}", Path(sys.executable))


@cache
def interpreter(version: str) -> Interpreter:
    """An interpreter of this version; else `Unavailable`."""
    if version == current().version:
        return current()
    tried = [path for path in candidates(version) if answers(path, version)]
    if not tried:
        raise Unavailable(f"no python{version} on PATH or in ~/.pyenv/versions that runs")
    return Interpreter(version, tried[0])


def candidates(version: str) -> Iterator[Path]:
    found = shutil.which(f"python{version}")
    if found:
        yield Path(found)
    root = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    yield from sorted(root.glob(f"versions/{version}.*/bin/python"), reverse=True)


def answers(path: Path, version: str) -> bool:
    """A shim of pyenv is on PATH for Pythons that it has not got."""
    try:
        ran = subprocess.run([path, "-c", _ASK], capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ran.returncode == 0 and ran.stdout.strip() == version


def environment(python: Interpreter, project: str, version: str) -> Path:
    """The `python` of an environment with this version of the SDK and what it needs, and nothing else."""
    programs, _ = installed(Package(project, project, version), python.path, python.version)
    return programs / "python"


def environment_or_not(python: str, project: str, version: str) -> Path:
    """A Python that is not there is a reason to skip, named in the summary; the one running the tests always is."""
    try:
        return environment(interpreter(python), project, version)
    except Unavailable as error:
        pytest.skip(f"{error}")


def asked(module: str, order: dict[str, Any], python: Path) -> list[dict[str, Any]]:
    """What the SDK's process printed: a line for each check, and one that sums up."""
    ran = subprocess.run(
        [python, "-m", module],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TZ": "Asia/Shanghai"},  # an SDK turns times into local ones
    )
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def interpreters_line() -> str:
    """`interpreters for the vendors' SDKs: 3.10, 3.13 and 3.11 (runs the tests)`, and which are missing and why."""
    used, missing = [], []
    for version in dict.fromkeys((*PYTHONS, current().version)):
        try:
            own = " (runs the tests)" * (version == current().version)
            used.append(f"{interpreter(version).version}{own}")
        except Unavailable as error:
            missing.append(f"; {version} not used: {error}")
    return f"interpreters for the vendors' SDKs: {', '.join(used)}{''.join(missing)}"
