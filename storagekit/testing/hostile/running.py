"""Run one case through the real client and engine, and look at what is in the bucket afterwards.

The content is five parts of 32 KiB, so that multipart uploads happen. Waits between retries are not slept
(``FakeClock``), and a server may be silent for 0.4 s only. The exit code is what the command line makes of the error.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from storagekit._http import HTTPSource
from storagekit._retry import RetryPolicy
from storagekit.client import StorageClient
from storagekit.errors import StorageError
from storagekit.testing.faults import FakeClock
from storagekit.testing.hostile.case import Case
from storagekit.testing.hostile.faults import TIMEOUT_S
from storagekit.testing.hostile.server import HostileServer
from storagekit.testing.hostile.site import PART

BUCKET, KEY = "hostile", "object.bin"

_MEMORY = 1024**2
_SECRET = "hush-hush"  # travels in the query; no error may show it


@dataclass(frozen=True)
class Seen:
    """What came of a case: the bytes at the key, or None, and how the run ended."""

    data: bytes | None
    error: str | None
    exit_code: int
    message: str = ""

    def __str__(self) -> str:
        there = "no object" if self.data is None else f"object of {len(self.data):,} bytes"
        return there if self.error is None else f"{self.error}, exit {self.exit_code}, {there}"


def holds(case: Case, seen: Seen) -> bool:
    """Tell whether a case came out as it must: these very bytes, or no object and the right error; and no secret."""
    expected = case.expected
    as_expected = (expected.data, expected.error, expected.exit_code) == (seen.data, seen.error, seen.exit_code)
    return as_expected and _SECRET not in seen.message


def run_case(case: Case, exit_code: Callable[[BaseException], int]) -> Seen:
    """Run a case against a new server and into a new directory. ``exit_code`` maps an error to that of a command."""
    with tempfile.TemporaryDirectory() as root, HostileServer((case.before or case.make)()) as server:
        if case.before is not None:
            earlier = _run(case, server, Path(root), exit_code)
            assert earlier.error, f"the earlier run of {case.name} was to fail"
            server.script = case.make()
            server.forget()
        return _run(case, server, Path(root), exit_code)


def _run(case: Case, server: HostileServer, root: Path, exit_code: Callable[[BaseException], int]) -> Seen:
    policy, clock = RetryPolicy(attempts=5), FakeClock()
    source = HTTPSource(f"{server.url}?signature={_SECRET}", policy=policy, clock=clock, timeout_s=TIMEOUT_S)
    with _client(root, case.workers, policy, clock) as client:
        if not client.bucket_exists():
            client.create_bucket()
        try:
            client.upload(source, KEY, size=case.size, sha256=case.sha256)
        except (StorageError, OSError) as error:
            return Seen(_object(client), type(error).__name__, exit_code(error), f"{error} {error!r}")
        return Seen(_object(client), None, 0)


def run_command(case: Case) -> Seen:
    """The same through ``storagekit cp`` in a process of its own. Its clock is real: retries take their time."""
    with (
        tempfile.TemporaryDirectory() as root,
        HostileServer(case.make()) as server,
        _client(Path(root), case.workers, RetryPolicy(), FakeClock()) as client,
    ):
        client.create_bucket()
        run = subprocess.run(
            [sys.executable, "-m", "storagekit", *_arguments(case, f"{server.url}?signature={_SECRET}")],
            env={**os.environ, "STORAGEKIT_LOCAL_ROOT": root},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        last = json.loads(run.stdout.splitlines()[-1])
        return Seen(_object(client), last.get("error"), run.returncode, run.stdout + run.stderr)


def _arguments(case: Case, url: str) -> list[str]:
    known = [] if case.size is None else ["--size", str(case.size)]
    known += [] if case.sha256 is None else ["--sha256", case.sha256]
    settings = ["--json", "--part-size", str(PART), "--workers", str(case.workers), *known]
    return ["cp", url, f"local://{BUCKET}/{KEY}", *settings]


def _client(root: Path, workers: int, policy: RetryPolicy, clock: FakeClock) -> StorageClient:
    return StorageClient(
        "local",
        BUCKET,
        root=str(root),
        part_size=PART,
        workers=workers,
        memory=_MEMORY,
        retry=policy,
        clock=clock,
        environment={},
    )


def _object(client: StorageClient) -> bytes | None:
    return client.get_object(KEY) if client.object_exists(KEY) else None
