"""One program, unchanged, on every backend: only the environment differs, and it says the same on each.

But for the signed URL, which a directory has not.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from storagekit.testing.emulator import resolving_environment
from storagekit.testing.http_source import SourceProcess
from storagekit.testing.servers import S3Server
from tests.integration.conftest import sha256_of_pattern

pytestmark = pytest.mark.integration

PROGRAM = Path(__file__).parents[2] / "docs" / "examples" / "same_program.py"
SIZE = 40 * 1024**2 + 7


def environments(minio: S3Server, obs: S3Server, oss: S3Server, root: Path) -> dict[str, dict[str, str]]:
    """What is set for each backend, and nothing else: ``s3`` is told in AWS's own words."""
    return {
        "minio": {
            "STORAGEKIT_BACKEND": "minio",
            "MINIO_ENDPOINT": minio.endpoint,
            "MINIO_ACCESS_KEY": minio.access_key,
            "MINIO_SECRET_KEY": minio.secret_key,
        },
        "s3": {
            "STORAGEKIT_BACKEND": "s3",
            "AWS_ENDPOINT_URL": minio.endpoint,
            "AWS_ACCESS_KEY_ID": minio.access_key,
            "AWS_SECRET_ACCESS_KEY": minio.secret_key,
            "AWS_REGION": minio.region,
        },
        "obs": {
            "STORAGEKIT_BACKEND": "obs",
            "OBS_SERVER": obs.endpoint.replace("127.0.0.1", "obs.test"),
            "OBS_ACCESS_KEY_ID": obs.access_key,
            "OBS_SECRET_ACCESS_KEY": obs.secret_key,
            **resolving_environment("obs.test", {}),
        },
        "oss": {
            "STORAGEKIT_BACKEND": "oss",
            "OSS_ENDPOINT": oss.endpoint.replace("127.0.0.1", "oss.test"),
            "OSS_ACCESS_KEY_ID": oss.access_key,
            "OSS_ACCESS_KEY_SECRET": oss.secret_key,
            "OSS_REGION": oss.region,
            **resolving_environment("oss.test", {}),
        },
        "local": {"STORAGEKIT_BACKEND": "local", "STORAGEKIT_LOCAL_ROOT": str(root)},
    }


def test_program_has_at_most_60_lines() -> None:
    assert len(PROGRAM.read_text("utf-8").splitlines()) <= 60


def test_the_same_program_does_the_same_on_every_backend(
    minio: S3Server, obs: S3Server, oss: S3Server, tmp_path: Path
) -> None:
    inherited = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
    said: dict[str, list[str]] = {}
    with SourceProcess("--size", str(SIZE)) as source:
        for backend, environment in environments(minio, obs, oss, tmp_path / "root").items():
            finished = subprocess.run(
                [sys.executable, "-W", "error", str(PROGRAM), source.url],
                env={**inherited, "HOME": str(tmp_path), **environment},
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert (0, "") == (finished.returncode, finished.stderr), backend
            said[backend] = finished.stdout.splitlines()

    expected = [
        f"uploaded {SIZE} bytes in 3 parts",
        f"object backup/shard.tar {SIZE}",
        f"object raw/shard.tar {SIZE}",
        "origin example",
        "first bytes ",
        f"sha256 {sha256_of_pattern(SIZE)}",
        f"by a signed URL {SIZE}",
        "left ['backup/shard.tar']",
        "removed True",
    ]
    assert "no signed URLs here" == said["local"].pop(6)
    said["local"].insert(6, said["minio"][6])
    for backend, lines in said.items():
        assert [line.startswith(start) for line, start in zip(lines, expected, strict=True)] == [True] * 9, backend
    assert all(lines == said["local"] for lines in said.values())
