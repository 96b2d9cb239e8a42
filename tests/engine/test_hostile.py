"""The hostile HTTP source: every case through the client and the engine, some through the installed command."""

from __future__ import annotations

from dataclasses import replace

import pytest

from storagekit.cli._exit import exit_code
from storagekit.testing.hostile.__main__ import main
from storagekit.testing.hostile.case import Case, an_object, refused
from storagekit.testing.hostile.running import Seen, holds, run_case, run_command
from storagekit.testing.hostile.table import CASES
from tests.secrets_scan import declare

BY_NAME = {case.name: case for case in CASES}
SECRET = declare("hush-" + "hush")  # is in the query of every URL; in two pieces here, which a failure may show

# Without retries: in a process of its own the clock is real.
COMMAND = [
    "strong-etag-ranges",
    "etag-changes-midway",
    "range-shorter",
    "chunked",
    "gzip",
    "gzip-bad-crc",
    "close-delimited",
    "close-delimited-size",
    "close-delimited-short-sha256",
    "status-403",
    "status-404",
    "redirect-loop",
    "one-time-url",
]


def test_there_are_many_cases_and_each_has_its_own_name() -> None:
    assert len(CASES) >= 44
    assert len(BY_NAME) == len(CASES)
    assert {True, False} == {case.expected.data is None for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_hostile_source_gives_its_bytes_or_the_right_error(case: Case) -> None:
    seen = run_case(case, exit_code)

    assert holds(case, seen), f"{case.says} Expected {case.expected}, saw {seen}: {seen.message}"


@pytest.mark.parametrize("name", COMMAND)
def test_the_command_says_the_same(name: str) -> None:
    case = BY_NAME[name]

    seen = run_command(case)

    assert holds(case, seen), f"{case.says} Expected {case.expected}, saw {seen}: {seen.message}"


def test_a_case_that_comes_out_otherwise_does_not_hold(capsys: pytest.CaptureFixture[str]) -> None:
    good, refusal = BY_NAME["one-byte"], BY_NAME["status-404"]

    assert not holds(replace(good, expected=an_object(b"y")), run_case(good, exit_code))
    assert not holds(replace(good, expected=refused("ServiceError", 5)), run_case(good, exit_code))
    assert not holds(replace(refusal, expected=refused("ObjectNotFoundError", 5)), run_case(refusal, exit_code))
    assert not holds(refusal, Seen(b"", "ObjectNotFoundError", 3))
    assert not holds(refusal, Seen(None, "ObjectNotFoundError", 3, f"?signature={SECRET}"))
    assert 0 == main([good.name])
    assert 1 == main(["no such case"])
    assert "1 of 1 hold" in capsys.readouterr().out
