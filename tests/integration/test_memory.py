"""Peak memory of the installed command, as the kernel counts it."""

from __future__ import annotations

import os

import pytest

from storagekit.testing.http_source import SourceProcess
from tests.integration.conftest import Sender, Target

pytestmark = pytest.mark.integration

MIB = 1024**2
PART = 5 * MIB


def peak_rss(sender: Sender, *arguments: str) -> int:
    """Run the command and return its peak RSS in bytes (``ru_maxrss`` is in KiB on Linux)."""
    process = sender.start(*arguments)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    _, err = process.communicate()
    assert 0 == process.returncode, err
    return usage.ru_maxrss * 1024


@pytest.mark.parametrize("workers", [1, 4, 16])
def test_the_peak_is_base_plus_budget_plus_a_tenth_plus_one_mib_per_worker(
    target: Target, sender: Sender, workers: int
) -> None:
    budget = workers * PART
    options = ["--part-size", str(PART), "--workers", str(workers), "--memory", str(budget), "--quiet"]
    with SourceProcess("--size", "1") as tiny, SourceProcess("--size", "320MiB") as source:
        base = peak_rss(sender, "cp", tiny.url, target.uri("tiny"), *options)
        peak = peak_rss(sender, "cp", source.url, target.uri("large"), *options)

    bound = base + budget * 11 // 10 + workers * MIB
    print(
        f"{target.name}, {workers} workers: base {base / MIB:.0f}, peak {peak / MIB:.0f}, bound {bound / MIB:.0f} MiB"
    )
    assert peak <= bound
