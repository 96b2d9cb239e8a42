"""The vendor's SDK in environments of its own: some versions of it, on some Pythons, made once per machine.

They are kept in the same cache as the servers' (`storagekit.testing.servers.installed`). The SDK comes as source only;
where its dependency `crcmod` finds no C compiler, pip installs that one's slow form without a word.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from storagekit.testing.servers import Unavailable
from storagekit.testing.servers.installed import Package, installed

SDKS = ("3.26.6", "3.21.8")
"""The newest, and the one that every older program has: 2021, as old as the `huaweicloud-sdk-python-obs` on PyPI."""

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


def environment(python: Interpreter, sdk: str) -> Path:
    """The `python` of an environment with this version of the SDK and what it needs, and nothing else."""
    programs, _ = installed(Package("esdk-obs-python", "esdk-obs-python", sdk), python.path, python.version)
    return programs / "python"


def interpreters_line() -> str:
    """`interpreters for the OBS SDK: 3.10, 3.13 and 3.11 (runs the tests)`, and which are missing and why."""
    used, missing = [], []
    for version in dict.fromkeys((*PYTHONS, current().version)):
        try:
            own = " (runs the tests)" * (version == current().version)
            used.append(f"{interpreter(version).version}{own}")
        except Unavailable as error:
            missing.append(f"; {version} not used: {error}")
    return f"interpreters for the OBS SDK: {', '.join(used)}{''.join(missing)}"
