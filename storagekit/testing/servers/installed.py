"""Servers that pip installs: each in a virtual environment of its own, kept in the cache for the next time."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from storagekit.testing.servers.cache import cache_dir, locked
from storagekit.testing.servers.commands import run

INSTALL_SECONDS = 5 * 60  # measured: Swift 10 s, moto 25 s, rclone 5 s
OWN_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class Package:
    """What pip installs: ``moto[server]`` 5.2.5. ``server`` is the name of the directory in the cache."""

    server: str
    project: str
    version: str


def installed(
    package: Package, interpreter: Path = Path(sys.executable), python_version: str = OWN_VERSION
) -> tuple[Path, str]:
    """Return the directory of the environment's programs, ``python`` among them, and where it came from.

    Args:
        package: what to install.
        interpreter: the Python of the environment.
        python_version: of that one: ``3.13``.
    """
    tag = f"{package.version}-py{python_version}"
    venv = cache_dir() / package.server / tag
    python, marker = venv / "bin" / "python", venv / "installed"
    with locked(venv.with_name(f"{tag}.lock")):
        if marker.exists() and python.exists():  # python is a link: it dangles once its interpreter is uninstalled
            return python.parent, "cached install"
        _install(package, venv, python, interpreter)
        marker.touch()  # last: without it the next start takes the directory for half-finished, and makes it anew
    return python.parent, "installed with pip"


def _install(package: Package, venv: Path, python: Path, interpreter: Path) -> None:
    shutil.rmtree(venv, ignore_errors=True)
    run([str(interpreter), "-m", "venv", str(venv)], INSTALL_SECONDS, {}, "making a virtual environment")
    pip = [str(python), "-m", "pip", "install", "--quiet", f"{package.project}=={package.version}"]
    run(pip, INSTALL_SECONDS, {}, f"installing {package.server} with pip")
