"""kill -9 at 30, 60 and 90 %, by the source's own byte counter; each run with a home of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from storagekit.testing.http_source import SourceProcess
from tests.integration.conftest import Sender, Target, killed_at_the_end, sha256_of_pattern

pytestmark = pytest.mark.integration

MIB = 1024**2
SIZE = int(os.environ.get("STORAGEKIT_TEST_KILL_SIZE", 128 * MIB))
"""1 GiB in the session ``nox -s acceptance``; the default suite takes an eighth of it."""
RATE = "40MB"
PART = 5 * MIB
WORKERS = 4


def test_killed_three_times_it_goes_on_each_time(target: Target, sender: Sender, tmp_path: Path) -> None:
    group = tmp_path / "pgid"
    uri = target.uri("raw/shard.bin")
    arguments = ["--part-size", str(PART), "--workers", str(WORKERS), "--json"]
    with SourceProcess("--size", str(SIZE), "--rate", RATE) as source:
        for percent in (30, 60, 90):
            source.configure(kill_at=SIZE * percent // 100, kill_pgid_file=str(group))
            with killed_at_the_end(sender.start("cp", source.url, uri, *arguments)) as process:
                group.write_text(str(process.pid))
                assert -9 == process.wait(timeout=300)
            assert target.sha256("raw/shard.bin") is None, "nothing is published before the end"
        result = sender.run("cp", source.url, uri, *arguments).result
        served = source.bytes_served

    bound = 3 * WORKERS * PART + 16
    print(f"{target.name}: {(served - SIZE) / MIB:.1f} MiB served twice in three kills, bound {bound / MIB:.1f} MiB")
    assert result["resumed"]
    assert served - SIZE <= bound
    assert sha256_of_pattern(SIZE) == target.sha256("raw/shard.bin")
    assert target.left_over() == []
