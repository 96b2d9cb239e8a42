"""MinIO: the one that is named, the one on PATH, or a build with Go that is kept for the next time."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from storagekit.testing.servers.cache import cache_dir, locked
from storagekit.testing.servers.commands import run
from storagekit.testing.servers.server import S3Server, Unavailable
from storagekit.testing.servers.starting import Recipe, answers, serving

MODULE = "github.com/minio/minio"
#: The last commit of the archived repository (2026-02-12). It has no tag, hence a pseudo-version.
VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"
#: Not `/minio/health/ready`, which answers 200 before the object layer is up: of 18 starts on two busy cores, 6 then
#: refused the first request with 503 XMinioServerNotInitialized, for up to 70 ms; with this one, 0 of 120 did.
READY = "/minio/health/cluster"
BUILD_SECONDS = 20 * 60  # measured: 168 s on two cores with nothing cached; the rest is for slow networks


def minio_required() -> bool:
    """Whether a MinIO that does not run is a failure instead of a reason to test against Swift alone.

    It is where there is a way to one: Go or `minio` on PATH, an endpoint in `STORAGEKIT_TEST_MINIO`; and where
    somebody says so, as a CI job does with `STORAGEKIT_TEST_MINIO_REQUIRED=1`.
    """
    named = os.environ.get("STORAGEKIT_TEST_MINIO") or os.environ.get("STORAGEKIT_TEST_MINIO_REQUIRED")
    return bool(named or shutil.which("go") or shutil.which("minio"))


@contextmanager
def start_minio(
    tmp_dir: Path, *, certs_dir: Path | None = None, variables: Mapping[str, str] = MappingProxyType({})
) -> Iterator[S3Server]:
    """A MinIO with its data under `tmp_dir`, or the one that `STORAGEKIT_TEST_MINIO` names; else `Unavailable`.

    With `certs_dir`, which holds `public.crt` and `private.key`, it speaks TLS; `variables` are more of MinIO's own,
    such as `MINIO_DOMAIN`. With either it is always one of our own.
    """
    if os.environ.get("STORAGEKIT_TEST_MINIO") and certs_dir is None and not variables:
        yield _named()
        return
    binary, how, version = _find()
    access_key, secret_key = "storagekit-test", secrets.token_hex(20)

    def prepare(root: Path, ports: Sequence[int]) -> list[list[str]]:
        data, none = root / "data", root / "certs"  # an empty directory: ~/.minio/certs would turn TLS on
        none.mkdir()
        address = f"127.0.0.1:{ports[0]}"
        return [[str(binary), "server", "--address", address, "--certs-dir", str(certs_dir or none), str(data)]]

    env = {"MINIO_ROOT_USER": access_key, "MINIO_ROOT_PASSWORD": secret_key}
    env |= {
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",
        "MINIO_CI_CD": "1",
        **variables,
    }  # no console, no look for updates
    with serving(Recipe("minio", prepare, 1, READY, env, tls=certs_dir is not None), tmp_dir) as (endpoint, root):
        region = variables.get("MINIO_SITE_REGION", "us-east-1")
        yield S3Server("minio", endpoint, access_key, secret_key, region, how, version, root)


def _named() -> S3Server:
    env, prefix = os.environ, "STORAGEKIT_TEST_MINIO"
    endpoint = env[prefix].rstrip("/")
    access_key = env.get(f"{prefix}_ACCESS_KEY", "minioadmin")
    secret_key = env.get(f"{prefix}_SECRET_KEY", "minioadmin")
    region = env.get(f"{prefix}_REGION", "us-east-1")
    if not answers(endpoint + READY):
        raise Unavailable(f"{prefix} names {endpoint}, where no MinIO answers")
    return S3Server("minio", endpoint, access_key, secret_key, region, prefix, "", None)


def _find() -> tuple[Path, str, str]:
    """The binary, where it came from, its version."""
    if on_path := shutil.which("minio"):
        return Path(on_path), "minio on PATH", _version_of(on_path)
    binary = cache_dir() / "minio" / VERSION / "minio"
    with locked(binary.parent / "lock"):
        if binary.exists():
            return binary, "cached build", VERSION
        _build(binary)
    return binary, "built with Go", VERSION


def _version_of(minio: str) -> str:
    """`minio version RELEASE.2025-09-07T16-13-09Z (commit-id=...)` is the first line of four."""
    answer = subprocess.run([minio, "--version"], capture_output=True, text=True, timeout=30, check=False)
    words = answer.stdout.split()
    return words[2] if len(words) > 2 else "of unknown version"


def _build(binary: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise Unavailable("no Go to build it with, no minio on PATH, no STORAGEKIT_TEST_MINIO")
    with tempfile.TemporaryDirectory(dir=binary.parent, prefix="build-") as bin_dir:
        command = [go, "install", f"{MODULE}@{VERSION}"]
        run(command, BUILD_SECONDS, {"GOBIN": bin_dir}, "building MinIO with Go")
        (Path(bin_dir) / "minio").replace(binary)  # atomic: a binary in the cache is a whole one
