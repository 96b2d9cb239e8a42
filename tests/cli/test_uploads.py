"""``storagekit uploads``, as a user runs it, on the local backend."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from storagekit import StorageClient
from storagekit.driver import Code
from storagekit.errors import PermissionDeniedError
from storagekit.plugins import Registry
from storagekit.testing.faults import FaultyDriver, fault
from storagekit.types import WriteOptions

PART = 65_536
DATA = os.urandom(300_000)  # 5 parts
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "data").mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def environment(root: Path, tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "STORAGE"))}
    return {**kept, "HOME": str(tmp_path), "STORAGEKIT_LOCAL_ROOT": str(root), "COLUMNS": "80"}


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Run:
    def command(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "storagekit", *arguments]
        done = subprocess.run(words, env=environment, cwd=tmp_path, input=stdin, capture_output=True, check=False)
        return subprocess.CompletedProcess(words, done.returncode, done.stdout.decode(), done.stderr.decode())

    return command


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "it's shard.bin"
    path.write_bytes(DATA)
    return path


def driver_of(root: Path) -> Any:
    return Registry.create().create_driver("local", {"root": str(root)})


def leave_unfinished(root: Path, source: Path, key: str) -> None:
    """Upload a file until the fourth of five parts is refused; parts and record stay."""
    driver = FaultyDriver(
        driver_of(root),
        before=lambda call: fault(Code.ACCESS_DENIED) if (call.operation, call.number) == ("put_part", 4) else None,
    )
    client = StorageClient("local", "data", driver=driver, part_size=PART, workers=1)
    with client, pytest.raises(PermissionDeniedError):
        client.upload_file(source, key)


def grow_old(root: Path, **by: float) -> None:
    """Have everything that is unfinished begun, and sent, so much earlier."""

    def earlier(found: re.Match[str]) -> str:
        return (datetime.fromisoformat(found[0]) - timedelta(**by)).isoformat()

    for path in [*root.rglob("upload.json"), *root.rglob("*.part")]:
        path.write_text(re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", earlier, path.read_text()))
    then = (datetime.now(timezone.utc) - timedelta(**by)).timestamp()
    for path in root.rglob(".storagekit/uploads/*/*.json"):
        os.utime(path, (then, then))


def events(finished: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in finished.stdout.splitlines()]


def did(finished: subprocess.CompletedProcess[str]) -> list[tuple[str, str, str | None]]:
    assert "result" == events(finished)[-1]["event"]
    return [(event["key"], event["did"], event["why"]) for event in events(finished)[:-1]]


def unfinished(run: Run) -> list[dict[str, Any]]:
    return [event for event in events(run("uploads", "list", "local://data", "--json")) if event["event"] == "upload"]


@contextmanager
def sending(environment: dict[str, str], root: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Have a command read from standard input that is still open, with three parts sent."""
    words = [sys.executable, "-m", "storagekit", "cp", "-", "local://data/live", "--part-size", str(PART)]
    with subprocess.Popen(words, env=environment, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdin is not None
            process.stdin.write(DATA[:200_000])
            process.stdin.flush()
            end = time.monotonic() + 60
            while len([path for path in root.rglob("*.part") if path.stat().st_size]) < 3:
                assert time.monotonic() < end, "it never came to it"
                time.sleep(0.02)
            yield process
        finally:
            process.kill()


def test_the_printed_command_goes_on_where_it_stopped(
    run: Run, root: Path, file: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    leave_unfinished(root, file, "raw/a b.bin")
    grow_old(root, days=3)

    shown = run("uploads", "list", "local://data/raw/")
    head, row, upload_id, resume = shown.stdout.splitlines()

    assert ["AGE", "PARTS", "KEPT", "WHOSE", "STATE", "KEY"] == head.split()
    assert " ".join(row.split()) == "3 d 3 192.0 KiB of 293.0 KiB ours stale raw/a b.bin"
    assert (head.index("KEY"), max(map(len, (head, row)))) == (row.index("raw/"), len(row))
    assert len(row) <= 80
    (listed,) = unfinished(run)
    assert listed["upload_id"] == upload_id.split()[-1]
    assert ["resume", listed["resume"]] == resume.split(maxsplit=1)
    command = [sys.executable, "-m", *shlex.split(listed["resume"]), "--json"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    assert (3 * PART, True) == (result["kept"], result["resumed"])
    assert DATA == (root / "data/raw/a b.bin").read_bytes()
    assert [] == unfinished(run)


def test_a_stream_is_resumed_by_the_printed_command_behind_its_pipe(
    run: Run, root: Path, environment: dict[str, str]
) -> None:
    with sending(environment, root):
        pass
    (listed,) = unfinished(run)
    assert "... | storagekit cp - local://data/live" == listed["resume"]

    words = shlex.split(listed["resume"].removeprefix("... | storagekit"))
    result = events(run(*words, "--json", stdin=DATA))[-1]

    assert (3 * PART, DATA) == (result["kept"], (root / "data/live").read_bytes())


def test_a_running_upload_is_left_alone_by_every_filter_however_old(
    run: Run, root: Path, environment: dict[str, str]
) -> None:
    with sending(environment, root) as process:
        grow_old(root, days=30)
        for filters in (["/live"], ["", "--prefix"], ["", "--stale"], ["", "--older-than", "1d"]):
            finished = run("uploads", "abort", f"local://data{filters[0]}", *filters[1:], "--json")
            assert [("live", "skipped", "live")] == did(finished), filters
            assert (1 if filters == ["/live"] else 0) == finished.returncode  # what was named is still there
        assert ["live"] == [one["key"] for one in unfinished(run) if one["live"]]
        assert process.stdin is not None
        process.stdin.write(DATA[200_000:])
        process.stdin.close()
        process.stdin = None
        assert 0 == process.wait(60)
    assert DATA == (root / "data/live").read_bytes()


def test_what_is_skipped_is_said_with_the_command_that_does_it_all_the_same(run: Run, root: Path, file: Path) -> None:
    leave_unfinished(root, file, "a")
    theirs = driver_of(root).create_upload("data", "b c", WriteOptions(), None)

    lines = run("uploads", "abort", "local://data", "--prefix").stdout.splitlines()

    assert ["skipped: local://data/a: live", "skipped: local://data/b c: another tool's", "2 skipped"] == lines[::2]
    command = lines[3].partition(": ")[2]
    assert f"storagekit uploads abort 'local://data/b c' --id {theirs.id}" == command
    assert 0 == run(*shlex.split(command)[1:]).returncode
    assert ["a"] == [one["key"] for one in unfinished(run)]


def test_filters_narrow_each_other(run: Run, root: Path, file: Path) -> None:
    leave_unfinished(root, file, "raw/old")
    leave_unfinished(root, file, "other/old")
    grow_old(root, days=8)
    leave_unfinished(root, file, "raw/new")
    abort = ["uploads", "abort", "local://data/raw/", "--prefix", "--json"]

    assert [] == did(run(*abort, "--older-than", "2w"))
    assert [("raw/new", "skipped", "live"), ("raw/old", "aborted", None)] == did(run(*abort, "--stale", "--dry-run"))
    assert 3 == len(unfinished(run))
    finished = run(*abort, "--older-than", "7d")

    assert [("raw/old", "aborted", None)] == did(finished)
    assert (1, 3 * PART) == (events(finished)[-1]["aborted"], events(finished)[-1]["freed"])
    assert ["other/old", "raw/new"] == [one["key"] for one in unfinished(run)]
    assert ["aborted: local://data/other/old: 3 parts, 192.0 KiB", "1 aborted (192.0 KiB of parts)"] == run(
        "uploads", "abort", "local://data/other/old"
    ).stdout.splitlines()


def test_an_id_that_no_upload_has_is_not_said_to_be_gone(run: Run) -> None:
    finished = run("uploads", "abort", "local://data/k", "--id", "f" * 32)

    assert (3, "") == (finished.returncode, finished.stdout)
    assert "has the id ffff" in finished.stderr


def test_nothing_to_do_is_no_failure(run: Run) -> None:
    for arguments in (["local://data", "--stale"], ["local://data/k"]):
        assert 0 == run("uploads", "abort", *arguments).returncode
    listed = run("uploads", "list", "local://data")
    assert (0, "", "note: nothing is unfinished below local://data/\n") == (
        listed.returncode,
        listed.stdout,
        listed.stderr,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["abort", "local://data"], 2, "does not say which uploads"),
        (["abort", "local://", "--stale"], 2, "names no bucket"),
        (["abort", "local://data", "--id", "x"], 2, "names no object"),
        (["abort", "local://data/k", "--id", ""], 2, "--id is empty"),
        (["abort", "local://data/k", "--id", "x", "--stale"], 2, "--id names one upload"),
        (["abort", "local://data", "--older-than", "soon"], 2, "is not an age"),
        (["abort", "local://absent", "--stale"], 3, "no bucket"),
        (["list", "local://"], 2, "names no bucket"),
        (["list", "local://absent"], 3, "no bucket"),
        (["list", "file.bin"], 2, "not an object"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_makes_no_sense_is_refused(run: Run, arguments: list[str], code: int, said: str) -> None:
    finished = run("uploads", *arguments)
    assert (code, "") == (finished.returncode, finished.stdout)
    assert said in finished.stderr
    assert "Traceback" not in finished.stderr


def test_one_that_fails_makes_the_exit_code_1_and_the_others_go(run: Run, root: Path, file: Path) -> None:
    for key in ("a", "b"):
        leave_unfinished(root, file, key)
    grow_old(root, days=3)
    broken = next(one["upload_id"] for one in unfinished(run) if one["key"] == "a")
    (data,) = root.rglob(f"{broken}/data")
    data.unlink()
    data.mkdir()  # what nobody can unlink, root neither

    finished = run("uploads", "abort", "local://data", "--stale", "--quiet")

    assert 1 == finished.returncode
    assert ["failed: local://data/a"] == [line.rpartition(": ")[0][:23] for line in finished.stdout.splitlines()]
    assert "Traceback" not in finished.stderr
    assert ["a"] == [one["key"] for one in unfinished(run)]
    again = run("uploads", "abort", "local://data", "--stale", "--json")
    assert (1, "failed", 1) == (again.returncode, events(again)[0]["did"], events(again)[-1]["failed"])
