"""moto, the mock of AWS: an S3 that keeps everything in its memory and verifies neither signatures nor checksums."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from storagekit.testing.servers.installed import Package, installed
from storagekit.testing.servers.server import S3Server
from storagekit.testing.servers.starting import Recipe, serving

MOTO = Package("moto", "moto[server]", "5.2.5")
READY = "/moto-api/data.json"


@contextmanager
def start_moto(tmp_dir: Path) -> Iterator[S3Server]:
    """A moto server on its own; else `Unavailable`. What is stored in it goes with its process."""
    programs, how = installed(MOTO)

    def prepare(_: Path, ports: Sequence[int]) -> list[list[str]]:
        """-I keeps PYTHONPATH and the user's own packages out of it."""
        server = [str(programs / "python"), "-I", str(programs / "moto_server")]
        return [[*server, "-H", "127.0.0.1", "-p", str(ports[0])]]

    with serving(Recipe("moto", prepare, 1, READY, {}), tmp_dir) as (endpoint, root):
        keys = ("storagekit-test", secrets.token_hex(20))  # any are good
        yield S3Server("moto", endpoint, *keys, "us-east-1", how, MOTO.version, root, verifies=False)
