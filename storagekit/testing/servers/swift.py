"""OpenStack Swift, from a virtual environment of its own that is kept for the next time."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from storagekit.testing.servers.cache import cache_dir, locked
from storagekit.testing.servers.commands import run
from storagekit.testing.servers.server import S3Server, Unavailable
from storagekit.testing.servers.starting import Recipe, serving
from storagekit.testing.servers.swift_config import BACKENDS, MAKE_RINGS, write_config

VERSION = "2.38.3"
INSTALL_SECONDS = 5 * 60  # measured: 10 s


@contextmanager
def start_swift(tmp_dir: Path) -> Iterator[S3Server]:
    """An OpenStack Swift with its S3 interface and its data under `tmp_dir`; else `Unavailable`."""
    _check_xattrs(tmp_dir)
    python, how = _find()
    access_key, secret_key = "test:tester", secrets.token_hex(20)

    def prepare(root: Path, ports: Sequence[int]) -> list[list[str]]:
        write_config(root, ports, secret_key)
        run([str(python), "-I", "-c", MAKE_RINGS, str(root), *map(str, ports[1:])], 60, {}, "making Swift's rings")
        return [_command(python, root, name) for name in ("proxy", *BACKENDS)]

    with serving(Recipe("swift", prepare, 4, "/healthcheck", {}), tmp_dir) as (endpoint, root):
        yield S3Server("swift", endpoint, access_key, secret_key, "us-east-1", how, VERSION, root)


def _find() -> tuple[Path, str]:
    """The interpreter of Swift's virtual environment, and where it came from."""
    tag = f"{VERSION}-py{sys.version_info.major}.{sys.version_info.minor}"
    venv = cache_dir() / "swift" / tag
    python, marker = venv / "bin" / "python", venv / "installed"
    with locked(venv.with_name(f"{tag}.lock")):
        if marker.exists() and python.exists():  # python is a link: it dangles once its interpreter is uninstalled
            return python, "cached install"
        _install(venv, python)
        marker.touch()  # last: without it the next start takes the directory for half-finished, and makes it anew
    return python, "installed with pip"


def _install(venv: Path, python: Path) -> None:
    shutil.rmtree(venv, ignore_errors=True)
    run([sys.executable, "-m", "venv", str(venv)], INSTALL_SECONDS, {}, "making a virtual environment")
    pip = [str(python), "-m", "pip", "install", "--quiet", f"swift=={VERSION}"]
    run(pip, INSTALL_SECONDS, {}, "installing Swift with pip")


def _command(python: Path, root: Path, name: str) -> list[str]:
    """-I keeps PYTHONPATH and the user's own packages out of Swift's processes."""
    return [str(python), "-I", str(python.with_name(f"swift-{name}-server")), str(root / f"{name}.conf")]


def _check_xattrs(directory: Path) -> None:
    """Swift keeps an object's metadata in the extended attributes of its file."""
    if sys.platform != "linux":
        return
    with tempfile.NamedTemporaryFile(dir=directory) as probe:
        try:
            os.setxattr(probe.name, "user.storagekit", b"1")
        except OSError as error:
            raise Unavailable(f"Swift needs extended attributes, and {directory} has none: {error}") from error
