"""The conformance suite finds what it is meant to find: every mutant of the memory driver is killed by an assertion.

A mutant has one wrong behaviour. It counts as killed where an assertion of the suite fails, not where a test ends with
an exception, and a mutant that crashes anywhere fails these tests: it shows nothing about the suite. The table in
docs/reference/conformance.md says which tests kill which mutant.

The suite runs on each of them in one process per core.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from storagekit.testing.conformance import DriverConformance, Harness

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "reference" / "conformance.md"
CONTROL, SPECIMEN = "MemoryDriver", "Crashing"
PATIENCE = 280.0  # seconds for all of them on a machine that is busy with other things; 30 on two idle cores


@dataclass(frozen=True)
class Result:
    """How the suite ended on one driver: for each test ``passed``, ``refused``, ``killed`` or ``crashed``."""

    mutant: str
    wrong: str
    tests: dict[str, str]

    def ended(self, verdict: str) -> list[str]:
        """Return the tests that ended so."""
        return sorted(name for name, ended in self.tests.items() if ended == verdict)


def start(shard: int, shards: int, output: Path) -> subprocess.Popen[bytes]:
    suite, plugin = Path(__file__).with_name("suite.py"), "tests.conformance.mutants.verdicts"
    options = ["-q", "-s", "--assert=plain", "--tb=no", "--no-summary", "-o", "timeout=60"]
    without = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:logging"]
    chosen = ["--shard", f"{shard}/{shards}", "--verdicts", str(output)]
    with output.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", plugin, *without, *options, *chosen, str(suite)],
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )


def finished(process: subprocess.Popen[bytes], output: Path) -> Iterator[Result]:
    """Wait for one of the processes and yield what it saw."""
    code = process.wait(PATIENCE)
    assert code == 0, f"pytest ended with {code}: {output.with_suffix('.log').read_text()[-2000:]}"
    for line in output.read_text().splitlines():
        yield Result(**json.loads(line))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    shards = min(os.cpu_count() or 1, 4)
    outputs = [tmp_path_factory.mktemp("mutants") / "verdicts.jsonl" for _ in range(shards)]
    with ExitStack() as stack:
        processes = [start(shard, shards, output) for shard, output in enumerate(outputs)]
        for process in processes:
            stack.callback(process.wait)
            stack.callback(process.kill)
        seen = [result for running in zip(processes, outputs, strict=True) for result in finished(*running)]
    return {result.mutant: result for result in seen}


@pytest.fixture(scope="module")
def mutants(results: dict[str, Result]) -> list[Result]:
    return [result for name, result in results.items() if name not in {CONTROL, SPECIMEN}]


def test_the_driver_itself_passes_every_test(results: dict[str, Result]) -> None:
    every = {name: "passed" for name in dir(DriverConformance) if name.startswith("test_")}
    assert every == results[CONTROL].tests


def test_every_mutant_runs_through_every_test(results: dict[str, Result], mutants: list[Result]) -> None:
    assert len(mutants) >= 28
    assert {frozenset(results[CONTROL].tests)} == {frozenset(result.tests) for result in mutants}


def test_every_mutant_is_killed_by_an_assertion(mutants: list[Result]) -> None:
    assert [] == [result.mutant for result in mutants if not result.ended("killed")]


def test_no_mutant_crashes(mutants: list[Result]) -> None:
    assert {} == {result.mutant: result.ended("crashed") for result in mutants if result.ended("crashed")}


def test_a_crash_is_told_from_a_finding(results: dict[str, Result]) -> None:
    """A KeyError that the suite takes for a wrong refusal fails an assertion, and is a crash all the same."""
    crashed = results[SPECIMEN].ended("crashed")
    assert {"test_missing_object", "test_delete", "test_broken_put_stores_nothing"} <= set(crashed)


def test_the_table_names_what_kills_each_mutant(mutants: list[Result]) -> None:
    rows = table(PAGE.read_text(encoding="utf-8"))
    assert {result.mutant: result.wrong for result in mutants} == {name: wrong for name, (wrong, _) in rows.items()}
    for result in mutants:
        named = rows[result.mutant][1]
        assert named
        assert named <= set(result.ended("killed")), f"{result.mutant} is killed by {result.ended('killed')}"


def test_the_page_names_every_difference_that_may_be_declared() -> None:
    fixed = {"driver", "bucket", "make_driver", "missing_bucket", "new_bucket"}
    declared = {field.name for field in fields(Harness)} - fixed
    assert declared == set(re.findall(r"^\| `Harness` \| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))


def table(page: str) -> dict[str, tuple[str, set[str]]]:
    """Return the rows of the page's table: what is wrong with each mutant, and the tests named for it."""
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (`test_.*) \|$", page, re.MULTILINE)
    return {name: (wrong, set(re.findall(r"`(test_\w+)`", tests))) for name, wrong, tests in rows}
