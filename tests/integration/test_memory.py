"""Peak memory of a transfer, as the kernel counts it for the process that does it."""

from __future__ import annotations

import re

import pytest

from storagekit.testing.http_source import SourceProcess
from tests.integration.conftest import Sender, Target, killed_at_the_end

pytestmark = pytest.mark.integration

MIB = 1024**2
PART = 5 * MIB

MEASURED = """
import atexit, sys
atexit.register(lambda: sys.stderr.write(open("/proc/self/status").read()))
from storagekit.cli.main import main
main()
"""
"""The command, and at its end VmHWM. Not ``ru_maxrss``: that keeps what the test process had when it forked."""


def peak_rss(sender: Sender, *arguments: str) -> int:
    """Run the command and return its peak RSS in bytes."""
    with killed_at_the_end(sender.start(*arguments, python=("-c", MEASURED))) as process:
        _, err = process.communicate(timeout=120)
    assert 0 == process.returncode, err
    found = re.search(rb"VmHWM:\s+(\d+) kB", err)
    assert found
    return int(found[1]) * 1024


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


def test_parts_larger_than_the_budget_are_streamed(target: Target, sender: Sender) -> None:
    options = ["--part-size", str(64 * MIB), "--workers", "2", "--memory", str(4 * MIB), "--quiet"]
    with SourceProcess("--size", "1") as tiny, SourceProcess("--size", "150MiB") as source:
        base = peak_rss(sender, "cp", tiny.url, target.uri("tiny"), *options)
        peak = peak_rss(sender, "cp", source.url, target.uri("large"), *options)

    assert peak <= base + 4 * MIB * 11 // 10 + 2 * 2 * MIB
