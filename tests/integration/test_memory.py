"""Peak memory of a transfer, as the kernel counts it for the process that does it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from storagekit.testing.http_source import SourceProcess
from tests.integration.conftest import LocalTarget, Sender, Target

pytestmark = pytest.mark.integration

MIB = 1024**2
PART = 5 * MIB

on_each_kind = pytest.mark.parametrize("target", ["local", "minio", "swift"], indirect=True)
"""Not on moto, rclone and Ceph: what a process keeps in memory is its own affair, and 1.4 GB are moved per server."""

MEASURED = """
import atexit, sys
atexit.register(lambda: sys.stderr.write(open("/proc/self/status").read()))
from storagekit.cli.main import main
main()
"""
"""The command, and at its end VmHWM. Not ``ru_maxrss``: that keeps what the test process had when it forked."""


def peak_rss(sender: Sender, *arguments: str, stdin: Path | None = None) -> int:
    """Run the command, with a file as its standard input if told so, and return its peak RSS in bytes."""
    command = [sys.executable, "-c", MEASURED, *arguments]
    with (stdin or Path(os.devnull)).open("rb") as source:
        done = subprocess.run(
            command, stdin=source, env=sender.environment(), capture_output=True, timeout=120, check=False
        )
    err = done.stderr
    assert 0 == done.returncode, err
    found = re.search(rb"VmHWM:\s+(\d+) kB", err)
    assert found
    return int(found[1]) * 1024


@on_each_kind
@pytest.mark.parametrize("workers", [1, 4, 16])
def test_the_peak_is_base_plus_budget_plus_a_tenth_plus_one_mib_per_worker(
    target: Target, sender: Sender, workers: int
) -> None:
    budget = workers * PART
    options = ["--part-size", str(PART), "--workers", str(workers), "--memory", str(budget), "--quiet"]
    with SourceProcess("--size", "1") as tiny, SourceProcess("--size", "160MiB") as source:
        base = peak_rss(sender, "cp", tiny.url, target.uri("tiny"), *options)
        peak = peak_rss(sender, "cp", source.url, target.uri("large"), *options)

    bound = base + budget * 11 // 10 + workers * MIB
    print(
        f"{target.name}, {workers} workers: base {base / MIB:.0f}, peak {peak / MIB:.0f}, bound {bound / MIB:.0f} MiB"
    )
    assert base < peak <= bound


@on_each_kind
def test_parts_larger_than_the_budget_are_streamed(target: Target, sender: Sender) -> None:
    options = ["--part-size", str(64 * MIB), "--workers", "2", "--memory", str(4 * MIB), "--quiet"]
    with SourceProcess("--size", "1") as tiny, SourceProcess("--size", "150MiB") as source:
        base = peak_rss(sender, "cp", tiny.url, target.uri("tiny"), *options)
        peak = peak_rss(sender, "cp", source.url, target.uri("large"), *options)

    assert peak <= base + 4 * MIB * 11 // 10 + 2 * 2 * MIB


@pytest.mark.parametrize("kind", ["file", "stdin"])
def test_a_shorter_last_part_costs_no_more(tmp_path: Path, kind: str) -> None:
    """What the allocator keeps of a freed buffer counts as well: 8 MiB too much, before slots were used again."""
    target = LocalTarget(tmp_path / "root")
    sender = Sender(target, tmp_path / "homes")
    tiny, large = tmp_path / "tiny", tmp_path / "large"
    tiny.write_bytes(b"x")
    large.write_bytes(os.urandom(104 * MIB))
    options = ["--part-size", str(16 * MIB), "--memory", str(32 * MIB), "--quiet"]

    def peak(path: Path) -> int:
        stream = kind == "stdin"
        source = "-" if stream else str(path)
        return peak_rss(sender, "cp", source, target.uri(path.name), *options, stdin=path if stream else None)

    assert peak(large) <= peak(tiny) + 32 * MIB * 11 // 10 + 4 * MIB
