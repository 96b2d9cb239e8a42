"""``storagekit demo``: a transfer is killed half-way and goes on, on this machine, with nothing but pip.

The source's own byte counter triggers the kill and proves at the end how little was read twice: what the killed
process believed is no evidence.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from storagekit._units import parse_size, show_size
from storagekit.cli._command import command
from storagekit.errors import ConfigurationError, IntegrityError, ServiceError

if TYPE_CHECKING:
    from storagekit.testing.http_source import SourceServer

_PART = 4 * 1024**2
_WORKERS = 4
_KEY = "raw/shard-0001.tar"


@command
def run(
    size: Annotated[str, typer.Option(help="Size of the file that is sent.")] = "64MiB",
    rate: Annotated[str, typer.Option(help="Bytes per second that the source gives.")] = "40MB",
    keep: Annotated[Path | None, typer.Option(help="Keep the bucket in this directory.", file_okay=False)] = None,
) -> None:
    """Stream a file over HTTP into a local bucket, kill the transfer half-way, go on, and verify.

    \b
    Example:
      storagekit demo
    """
    total = parse_size(size)
    if total < 4 * _PART:
        raise ConfigurationError(f"{size} is too small to be killed half-way", hint="Use 16MiB or more")
    with _workplace(keep) as root:
        _Demo(root, total, parse_size(rate)).run()


@contextmanager
def _workplace(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="storagekit-demo-") as root:
        yield Path(root)


class _Demo:
    def __init__(self, root: Path, total: int, rate: int) -> None:
        self._root = root
        self._total = total
        self._rate = rate
        self._line = 0

    def run(self) -> None:
        from storagekit.testing.http_source import SourceServer

        file = self._root / "source.tar"
        digest = _make_file(file, self._total)
        bucket = self._root / "bucket-root" / "datasets"
        bucket.mkdir(parents=True, exist_ok=True)
        self._say(f"made a file of {show_size(self._total)} with random bytes, SHA-256 {digest[:16]}...")
        with SourceServer(file, rate=self._rate) as source:
            self._say(f"serving it at {source.url} with {self._rate / 1e6:.0f} MB/s, and counting what is served")
            self._say(f"streaming it to local://datasets/{_KEY}: {_WORKERS} workers, parts of {show_size(_PART)}")
            self._kill_half_way(source)
            first = source.bytes_served
            kept = _kept_parts(bucket)
            self._say(f"killed the whole process group with SIGKILL after {show_size(first)} were served")
            self._say(f"no object is published; {kept} of {self._total // _PART} parts are kept in the bucket")
            self._say("running the same command again, as a new process")
            self._finish(source)
            self._say(f"it went on and was done after {show_size(source.bytes_served - first)} more")
            self._check_bytes(source.bytes_served)
            self._check_object(bucket, digest)
            self._say("the same for your data: storagekit cp URL backend://bucket/key; run it again after a kill")
        file.unlink()

    def _say(self, text: str) -> None:
        self._line += 1
        print(f"{self._line:>2}. {text}", flush=True)

    def _start(self, source: SourceServer) -> subprocess.Popen[bytes]:
        arguments = ["--part-size", str(_PART), "--workers", str(_WORKERS), "--quiet"]
        return subprocess.Popen(  # noqa: S603  # our own command with our own arguments
            [sys.executable, "-m", "storagekit", "cp", source.url, f"local://datasets/{_KEY}", *arguments],
            env={**os.environ, "STORAGEKIT_LOCAL_ROOT": str(self._root / "bucket-root")},
            start_new_session=True,
        )

    def _kill_half_way(self, source: SourceServer) -> None:
        reached = threading.Event()
        source.when_served(self._total // 2, reached.set)
        process = self._start(source)
        while process.poll() is None and not reached.wait(0.05):
            pass
        if process.poll() is not None:
            raise ServiceError(f"the transfer ended by itself with exit code {process.returncode}")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _finish(self, source: SourceServer) -> None:
        code = self._start(source).wait()
        if code != 0:
            raise ServiceError(f"the second run ended with exit code {code}")

    def _check_bytes(self, served: int) -> None:
        again, bound = served - self._total, _WORKERS * _PART
        if again > bound:
            raise IntegrityError(f"{again:,} bytes were served twice, more than the bound of {bound:,}")
        self._say(f"served twice: {show_size(max(again, 0))}; the bound is workers x part size = {show_size(bound)}")

    def _check_object(self, bucket: Path, digest: str) -> None:
        path = bucket / _KEY
        if _sha256(path) != digest:
            raise IntegrityError("the object's SHA-256 is not the file's")
        left = [str(entry) for entry in (bucket / ".storagekit", bucket / ".storagekit-local/uploads") if _files(entry)]
        if left:
            raise IntegrityError(f"something was left behind in {', '.join(left)}")
        self._say("the object's SHA-256 is the file's; no record, part or temporary file is left")


def _make_file(path: Path, size: int) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for offset in range(0, size, 1024**2):
            block = os.urandom(min(1024**2, size - offset))
            digest.update(block)
            file.write(block)
    day_old = path.stat().st_mtime - 86_400
    os.utime(path, (day_old, day_old))
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1024**2):
            digest.update(block)
    return digest.hexdigest()


def _kept_parts(bucket: Path) -> int:
    return len([part for part in bucket.glob(".storagekit-local/uploads/*/*.part") if part.stat().st_size])


def _files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]
