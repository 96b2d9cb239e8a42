"""OpenStack Swift, from a virtual environment of its own that is kept for the next time."""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from storagekit.testing.servers.commands import run
from storagekit.testing.servers.installed import Package, installed
from storagekit.testing.servers.server import S3Server, Unavailable
from storagekit.testing.servers.starting import Recipe, serving
from storagekit.testing.servers.swift_config import BACKENDS, MAKE_RINGS, write_config

SWIFT = Package("swift", "swift", "2.38.3")


@contextmanager
def start_swift(tmp_dir: Path) -> Iterator[S3Server]:
    """An OpenStack Swift with its S3 interface and its data under `tmp_dir`; else `Unavailable`."""
    _check_xattrs(tmp_dir)
    programs, how = installed(SWIFT)
    python = programs / "python"
    access_key, secret_key = "test:tester", secrets.token_hex(20)

    def prepare(root: Path, ports: Sequence[int]) -> list[list[str]]:
        write_config(root, ports, secret_key)
        run([str(python), "-I", "-c", MAKE_RINGS, str(root), *map(str, ports[1:])], 60, {}, "making Swift's rings")
        return [_command(python, root, name) for name in ("proxy", *BACKENDS)]

    with serving(Recipe("swift", prepare, 4, "/healthcheck", {}), tmp_dir) as (endpoint, root):
        yield S3Server("swift", endpoint, access_key, secret_key, "us-east-1", how, SWIFT.version, root)


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
