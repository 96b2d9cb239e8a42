"""The scan finds what is put out, wherever it comes out, and fails the very test without repeating it.

Each leak is a small test file that a pytest of its own runs with the plugin.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.secrets_scan import Scan

ROOT = Path(__file__).parents[2]

HEAD = """
import logging, subprocess, sys, tempfile
import pytest, typer
from tests.secrets_scan import declare
from typer.testing import CliRunner
log = logging.getLogger("some.library")
LOG = "import logging; logging.getLogger('lib').debug"

def program(code, **options):
    return subprocess.run([sys.executable, "-c", code], check=False, **options)
"""
KEY = "token-1f2e3d"  # stands in the little tests in two pieces, so that no source line of a failure holds it

LEAKS = {
    "prints it": ("print(key)", "captured stdout call"),
    "prints it to standard error": ("print(key, file=sys.stderr)", "captured stderr call"),
    "capsys": ("print(key); assert capsys.readouterr().out", "the captured output"),
    "logs it": ("log.debug('with %s', key)", "the log of some.library"),
    "logs a cause": (
        """
    try:
        try:
            raise ValueError(key)
        except ValueError as error:
            raise OSError("other words") from error
    except OSError:
        log.debug("failed", exc_info=True)""",
        "the log of some.library",
    ),
    "runs a program": (
        "program(f'print({key!r})', capture_output=True)",
        "standard output of a process that the test started",
    ),
    "runs a program that complains": (
        "program(f'import sys; sys.exit({key!r})', stderr=subprocess.PIPE)",
        "standard error of a process that the test started",
    ),
    "runs a program into a file": (
        "with tempfile.TemporaryFile() as out: program(f'print({key!r})', stdout=out)",
        "the stdout of a process that the test started",
    ),
    "runs a program that logs, with an environment of its own": (
        "program(f'{LOG}({key!r})', env={})",
        "the log of lib in a process that the test started",
    ),
    "runs a program that logs and is killed": (
        "program(f'{LOG}({key!r}); import os; os.kill(os.getpid(), 9)')",
        "the log of lib in a process that the test started",
    ),
    "invokes a command": (
        "app = typer.Typer(); app.command()(lambda: print(key)); assert CliRunner().invoke(app).stdout",
        "the output of a command",
    ),
}

SIGNED = [
    "GET /b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0123abc",
    "/b/k?X-Amz-Credential=me%2F20260101",
    "/b/k?x-amz-security-token=abc",
    "{'X-Amz-Security-Token': 'abc'}",
    "x-obs-security-token: abc",
    "/b/k?OSSAccessKeyId=me&Expires=1&Signature=abc%3D",
    "Authorization: AWS4-HMAC-SHA256 Credential=me/20260101/us-east-1/s3/aws4_request, Signature=0123",
    "{'authorization': b'Bearer abc'}",
    "Authorization: Basic abc",
]

CLEAN = [
    "https://host/b/k?...",
    "SignatureDoesNotMatch: the signature we calculated does not match",
    "SignedHeaders=host;x-amz-date;x-amz-security-token",
    "the header x-amz-security-token is missing",
    "AuthorizationHeaderMalformed",
    "?uploadId=abc&partNumber=1",
]


#: name, body, what stands before the test
CASES = {
    **{name: (body, "") for name, (body, _) in LEAKS.items()},
    "fails": ("raise ValueError('look: ' + key)", ""),
    "clean": ("print('nothing'); log.warning('of note')", ""),
    "marked": ("print(declare('shown on purpose'))", "@pytest.mark.shows_secrets('it is the point')"),
    "meant elsewhere": ("print(key)", "@pytest.mark.shows_secrets('why', only='the log of')"),
    "meant there": ("log.info(key)", "@pytest.mark.shows_secrets('why', only='the log of some')"),
    "level": ("logging.getLogger('strict').debug(key)", "logging.getLogger('strict').setLevel('ERROR')"),
    "quiet": ("logging.getLogger('q').warning('x'); assert not capsys.readouterr().err", ""),
    "behind": ("print('nothing')", ""),
}


@dataclass(frozen=True)
class Ran:
    """What became of the little tests: all that was put out, and the failure of each."""

    output: str
    failures: dict[str, str]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """All of them in one pytest: to start one takes two seconds."""
    directory = tmp_path_factory.mktemp("leaks")
    tests = [
        f"{before}\ndef test_{number}(capsys):\n    key = declare('token-' + '1f2e3d')\n    {body}\n"
        for number, (body, before) in enumerate(CASES.values())
    ]
    (directory / "test_leaks.py").write_text(HEAD + "\n".join(tests))
    command = [sys.executable, "-m", "pytest", "-p", "tests.secrets_scan", "-p", "no:cacheprovider", "-rA"]
    finished = subprocess.run(
        [*command, "--rootdir", ".", "--junitxml", "report.xml"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    report = (directory / "report.xml").read_text()
    names = list(CASES)
    cases = list(ET.fromstring(report).iter("testcase"))
    assert len(CASES) == len(cases), "none fails besides in its clean-up"
    found = {names[int(str(case.get("name"))[5:])]: case.findtext("failure") for case in cases}
    failures = {name: text for name, text in found.items() if text is not None}
    return Ran(finished.stdout + finished.stderr + report, failures)


@pytest.mark.parametrize("name", LEAKS)
def test_a_secret_is_found_wherever_it_comes_out(ran: Ran, name: str) -> None:
    assert f"a secret that was declared is in {LEAKS[name][1]}" in ran.failures[name]


def test_what_is_found_is_not_repeated(ran: Ran) -> None:
    assert KEY not in ran.output


def test_a_failure_that_shows_a_secret_says_so_instead(ran: Ran) -> None:
    assert "look: (hidden)" in ran.failures["fails"]
    assert "a secret that was declared is in the report of the failure" in ran.failures["fails"]


def test_the_log_is_seen_whatever_the_levels_are(ran: Ran) -> None:
    assert "a secret that was declared is in the log of strict" in ran.failures["level"]


def test_nothing_is_said_of_what_is_clean_or_meant_or_has_come_after_a_leak(ran: Ran) -> None:
    assert {*LEAKS, "fails", "level", "meant elsewhere"} == set(ran.failures)


@pytest.mark.parametrize("text", SIGNED)
def test_a_signed_query_or_header_is_found_and_hidden(text: str) -> None:
    scan = Scan()
    scan.look("a place", f"before {text} behind")

    assert ["a signed query or header is in a place"] == scan.news()
    assert [] == scan.news(), "it is told once"
    scan.look("a place", scan.hidden(f"before {text} behind"))
    assert [] == scan.news()


@pytest.mark.parametrize("text", CLEAN)
def test_what_only_speaks_of_signatures_is_clean(text: str) -> None:
    scan = Scan()
    scan.look("a place", text.encode())
    assert [] == scan.news()
