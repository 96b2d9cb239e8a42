"""No secret, token or signed query in anything that the suite puts out: a pytest plugin that looks, in every test.

What is looked for: the keys of the servers that run and whatever a test declares (``declare``, or the fixture
``secret``), and what signed queries and headers look like (``_SIGNED``).

Where: in the records of every logger at DEBUG, tracebacks with all causes included (``scanned_child/every_record.py``);
in what pytest captured, and what tests captured themselves by ``capsys``, ``CliRunner`` or from a process that they
started; in the reports of failures; and in the log records of those processes, which come through a file
(``scanned_child/sitecustomize.py``).

What is found fails the test that was running. The report says where it was, and not what. A test that shows such a
thing on purpose is marked ``@pytest.mark.shows_secrets("why")``; with ``only="the log of botocore"`` what it shows
there is meant, and nothing else.

It is loaded by ``tests/conftest.py``. Changing ``Popen`` and the loggers is the one way to see also what tests do not
pass on; nothing behaves otherwise for them.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import subprocess
import tempfile
from collections.abc import Callable, Generator, Mapping
from logging import LogRecord
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.scanned_child.every_record import text_of, watch

CHILD = Path(__file__).with_name("scanned_child")

_HINTS = ("signature=", "-security-token", "x-amz-credential", "authorization")
"""One of these is in whatever ``_SIGNED`` finds; to look for them costs a tenth."""

_SIGNED = re.compile(
    r"""signature=[\w%+/-]+                                                        # X-Amz-Signature=, Signature=
    | (?: x-(?:amz|obs|oss)-security-token | x-amz-credential ) ['"]? \s* [=:] \s* b?['"]?[\w%+/-]+
    | authorization ['"]? \s* [=:] \s* b?['"]? (?: aws | basic | bearer | obs | oss ) [^\n]*""",
    re.VERBOSE | re.IGNORECASE,
)


class Scan:
    """What must not be shown, and where it was shown."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._found: dict[str, None] = {}
        self._reported: set[str] = set()
        self.log: Path | None = None
        """What processes that are started write their records into."""
        self._log_read = 0

    def declare(self, value: str) -> str:
        """Have ``value`` looked for from now on."""
        self._secrets.add(value.lower())
        return value

    def look(self, where: str, text: str | bytes | None) -> None:
        """Look at what was put out somewhere."""
        shown = (text.decode("utf-8", "replace") if isinstance(text, bytes) else text or "").lower()
        if any(secret in shown for secret in self._secrets):
            self._found[f"a secret that was declared is in {where}"] = None
        if any(hint in shown for hint in _HINTS) and _SIGNED.search(shown):
            self._found[f"a signed query or header is in {where}"] = None

    def hidden(self, text: str) -> str:
        """The text without what must not be shown."""
        for value in self._secrets:
            text = re.sub(re.escape(value), "(hidden)", text, flags=re.IGNORECASE)
        return _SIGNED.sub("(hidden)", text)

    def look_at_record(self, record: LogRecord) -> None:
        """Look at what this process logs."""
        self.look(f"the log of {record.name}", text_of(record))

    def look_at_children(self) -> None:
        """Look at what the processes that were started have logged since the last time."""
        if self.log is None or not self.log.exists() or self.log.stat().st_size == self._log_read:
            return
        with self.log.open("rb") as file:
            file.seek(self._log_read)
            news = file.read()
        self._log_read += len(news)
        for record in news.decode("utf-8", "replace").split("\0"):
            logger, _, text = record.partition("\t")
            self.look(f"the log of {logger} in a process that the test started", text)

    def environment(self, given: Mapping[str, str] | None) -> dict[str, str]:
        """The environment of a child, which is to write its log records into our file."""
        inherited = dict(os.environ if given is None else given)
        paths = [inherited.get("PYTHONPATH", ""), str(CHILD)]  # the emulator's sitecustomize runs the one behind it
        return {**inherited, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "SECRETS_SCAN_LOG": str(self.log)}

    def begin(self) -> None:
        """Begin with another test."""
        self._found, self._reported = {}, set()

    def news(self) -> list[str]:
        """What was found in this test and has not been reported."""
        found = [one for one in self._found if one not in self._reported]
        self._reported.update(found)
        return found


SCAN = Scan()
declare = SCAN.declare


class _Popen(subprocess.Popen[Any]):
    """Looks at what a process has put out: into pipes, as ``communicate`` reads them, and into files, at its end."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._files: dict[str, Any] = {name: options.get(name) for name in ("stdout", "stderr")}
        super().__init__(*arguments, **{**options, "env": SCAN.environment(options.get("env"))})

    def communicate(self, *arguments: Any, **options: Any) -> tuple[Any, Any]:
        out, err = super().communicate(*arguments, **options)
        SCAN.look("standard output of a process that the test started", out)
        SCAN.look("standard error of a process that the test started", err)
        return out, err

    def poll(self) -> int | None:
        status = super().poll()
        if status is not None:
            self._look_at_files()
        return status

    def wait(self, timeout: float | None = None) -> int:
        status = super().wait(timeout)
        self._look_at_files()
        return status

    def _look_at_files(self) -> None:
        files, self._files = self._files, {}
        for name, file in files.items():
            with contextlib.suppress(OSError, ValueError, AttributeError):  # no file, closed, a pipe, only for writing
                number = file.fileno()
                shown = os.pread(number, os.fstat(number).st_size, 0)
                SCAN.look(f"the {name} of a process that the test started", shown)


def _looking_at(function: Callable[..., Any], where: str, *parts: str) -> Callable[..., Any]:
    def wrapper(*arguments: Any, **options: Any) -> Any:
        result = function(*arguments, **options)
        for part in parts:
            with contextlib.suppress(ValueError):  # standard error, where it was not kept apart
                SCAN.look(where, getattr(result, part))
        return result

    return wrapper


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "shows_secrets(why, only=''): puts out on purpose what looks like a secret")
    patch = pytest.MonkeyPatch()
    patch.setattr(subprocess, "Popen", _Popen)
    patch.setattr(CliRunner, "invoke", _looking_at(CliRunner.invoke, "the output of a command", "stdout", "stderr"))
    reading = _looking_at(pytest.CaptureFixture.readouterr, "the captured output", "out", "err")
    patch.setattr(pytest.CaptureFixture, "readouterr", reading)
    directory = tempfile.TemporaryDirectory(prefix="secrets-scan-")
    config.add_cleanup(directory.cleanup)
    SCAN.log = Path(directory.name) / "children.log"
    config.add_cleanup(patch.undo)
    config.add_cleanup(watch(SCAN.look_at_record))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    for name, text in report.sections:
        SCAN.look(name.lower(), text)
    if report.failed:
        SCAN.look("the report of the failure", report.longreprtext)
    SCAN.look_at_children()
    news = [one for one in SCAN.news() if not _is_meant(item, one)]
    if news:
        _fail(report, news)
    if call.when == "teardown":
        SCAN.begin()
    return report


def _is_meant(item: pytest.Item, found: str) -> bool:
    places = [mark.kwargs.get("only", "") for mark in item.iter_markers("shows_secrets")]
    return any(f" is in {place}" in found for place in places)


def _fail(report: pytest.TestReport, news: list[str]) -> None:
    """Make the report one of a failure that says where something was shown, and shows it no more."""
    said = "secrets scan: " + "; ".join(news)
    report.longrepr = f"{SCAN.hidden(report.longreprtext)}\n{said}" if report.failed else said
    report.outcome = "failed"
    report.sections = [(name, SCAN.hidden(text)) for name, text in report.sections]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """What comes with the end of the last test's fixtures belongs to no test."""
    SCAN.look_at_children()
    for one in SCAN.news():
        print(f"secrets scan, behind the last test: {one}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def secret() -> Callable[[str], str]:
    """Makes a secret of a kind (``secret("token")``) that nothing may show."""
    return lambda kind: declare(f"{kind}-{secrets.token_hex(12)}")
