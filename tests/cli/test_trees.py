"""``cp -r`` and the options of ``cp``, as a user runs them, on the local backend."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Finished = subprocess.CompletedProcess[bytes]
Run = Callable[..., Finished]
FILES = {"a.txt": b"1", "a/b/c": b"22", "a/d": b"333", "z": b"4444"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/data").mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def environment(root: Path, tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "HOME": str(tmp_path),
        "STORAGEKIT_LOCAL_ROOT": str(root),
        "TERM": "xterm",
        "COLUMNS": "100",
        "STORAGEKIT_CONFIG": str(tmp_path / "config.toml"),
    }


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Run:
    def command(*arguments: str, **options: Any) -> Finished:
        return subprocess.run(
            [sys.executable, "-m", "storagekit", *arguments],
            env=environment,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=options.get("stderr", subprocess.PIPE),
            timeout=120,
            check=False,
        )

    return command


@pytest.fixture
def src(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        (tmp_path / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "src" / name).write_bytes(data)
    return tmp_path / "src"


def content(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def stored(root: Path) -> dict[str, bytes]:
    return {name: data for name, data in content(root / "data").items() if not name.startswith(".storagekit-local/")}


def events(finished: Finished) -> list[dict[str, Any]]:
    return [json.loads(line) for line in finished.stdout.splitlines()]


def lines(finished: Finished) -> set[str]:
    return set(finished.stdout.decode().splitlines())


class TestRecursive:
    def test_a_directory_goes_in_and_comes_out(self, run: Run, src: Path, root: Path, tmp_path: Path) -> None:
        finished = run("cp", "-r", "src", "local://data/raw")

        assert (0, b"") == (finished.returncode, finished.stderr)
        assert {f"raw/{name}": data for name, data in FILES.items()} == stored(root)
        assert {
            *("raw/a.txt: 1 B", "raw/a/b/c: 2 B", "raw/a/d: 3 B", "raw/z: 4 B"),
            "local://data/raw: 4 copied, 10 B",
        } == lines(finished)

        assert 0 == run("cp", "-r", "local://data/raw/", "out").returncode
        assert FILES == content(tmp_path / "out")

        assert 0 == run("cp", "-r", "local://data/raw", "local://data/copy/").returncode
        assert {f"copy/{name}": data for name, data in FILES.items()}.items() <= stored(root).items()

    def test_a_second_run_says_what_was_there(self, run: Run, src: Path) -> None:
        run("cp", "-r", "src/", "local://data/raw/")
        (src / "new").write_bytes(b"x")

        again = run("cp", "-r", "src", "local://data/raw", "--json")

        did = {event["key"]: event["did"] for event in events(again) if event["event"] == "object"}
        assert {f"raw/{name}": "skipped" for name in FILES} | {"raw/new": "copied"} == did
        result = events(again)[-1]
        assert ("result", 1, 4, 0, 1) == tuple(
            result[name] for name in ("event", "copied", "skipped", "failed", "bytes")
        )

        all_again = run("cp", "-r", "src", "local://data/raw", "--restart")
        assert b"local://data/raw: 5 copied, 11 B" == all_again.stdout.splitlines()[-1]

    def test_failures_are_named_the_rest_goes_on_and_the_exit_code_is_1(self, run: Run, src: Path, root: Path) -> None:
        os.mkfifo(src / "pipe")

        said = run("cp", "-r", "src", "local://data", "-q")
        told = run("cp", "-r", "src", "local://data", "--json")

        assert (1, b"", b"failed: pipe: src/pipe is a pipe\n") == (said.returncode, said.stdout, said.stderr)
        assert FILES == stored(root)
        failures = [event for event in events(told) if event["event"] == "failure"]
        assert [("pipe", "UnsupportedSourceError", "unsupported_source")] == [
            (event["key"], event["error"], event["code"]) for event in failures
        ]
        assert (1, "result", 1) == (told.returncode, events(told)[-1]["event"], events(told)[-1]["failed"])

    def test_one_object_or_file_is_copied_with_r_too(self, run: Run, src: Path, root: Path, tmp_path: Path) -> None:
        assert 0 == run("cp", "-r", "src/z", "local://data/one/").returncode
        assert 0 == run("cp", "-r", "local://data/one/z", "back").returncode
        assert (b"4444", {"one/z": b"4444"}) == ((tmp_path / "back").read_bytes(), stored(root))

    @pytest.mark.parametrize(
        ("arguments", "code", "hint"),
        [
            (("src", "local://data/x"), 2, b"Add -r"),
            (("local://data/raw", "out"), 2, b"Add -r"),
            (("local://data", "out"), 2, b"Add -r"),
            (("local://data/raw", "local://data/x"), 2, b"Add -r"),
            (("-r", "local://data/typo", "out"), 3, b"no object"),
            (("-r", "local://data/typo/", "out"), 3, b"nothing lies below"),
            (("-r", "local://missing", "out"), 3, b"no bucket"),
            (("-r", "src", "local://missing"), 3, b"no bucket"),
            (("-r", "missing", "local://data"), 3, b"no such file"),
            (("-r", "local://data/raw", "-"), 2, b"a place with names"),
            (("-r", "local://data/raw", "src/z"), 2, b"no directory"),
            (("-r", "src", "local://data", "--sha256", "0" * 64), 2, b"one object"),
            (("src/z", "local://data/", "--source-profile", "x"), 2, b"object to object"),
            (("-r", "src", "local://data", "--max-speed", "fast"), 2, b"not a rate"),
            (("local://data/raw/z", "-", "--verify"), 2, b"read standard output back"),
        ],
    )
    def test_what_makes_no_sense_is_said(
        self, run: Run, src: Path, root: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, hint: bytes
    ) -> None:
        (root / "data/raw").mkdir()
        (root / "data/raw/z").write_bytes(b"z")
        before = content(tmp_path)

        finished = run("cp", *arguments)

        assert (code, True) == (finished.returncode, hint in finished.stderr), finished.stderr
        assert before == content(tmp_path)

    def test_a_terminal_gets_one_bar_and_failures_above_it(
        self, run: Run, src: Path, root: Path, environment: dict[str, str]
    ) -> None:
        os.mkfifo(src / "pipe")
        ours, theirs = pty.openpty()
        try:
            finished = run("cp", "-r", "src", "local://data", stderr=theirs)
        finally:
            os.close(theirs)
        shown = read_all(ours).decode()

        assert "failed: pipe: src/pipe is a pipe" in shown
        assert "5 objects, 10 B" in shown
        assert [b"local://data/: 4 copied, 10 B; 1 failed"] == finished.stdout.splitlines()

    def test_ctrl_c_ends_it_within_two_seconds_and_the_same_command_goes_on(
        self, run: Run, src: Path, root: Path, environment: dict[str, str], tmp_path: Path
    ) -> None:
        for number in range(40):
            (src / f"{number:02}").write_bytes(b"x" * 20_000)
        arguments = ["cp", "-r", "src", "local://data", "--json"]
        process = subprocess.Popen(
            [sys.executable, "-m", "storagekit", *arguments, "--max-speed", "100KB/s"],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        while b'"object"' not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)  # it takes 2 s, where the machine is not shared

        assert 130 == process.returncode
        assert b"to go on, run the same command again" in out
        done = len(stored(root))
        assert 1 <= done < 44
        result = events(run(*arguments))[-1]
        assert (44 - done, done) == (result["copied"], result["skipped"])


def read_all(file: int) -> bytes:
    """Return what a terminal was sent, and close it."""
    shown = b""
    try:
        while block := os.read(file, 65536):
            shown += block
    except OSError:  # that is how the end of a terminal looks on Linux
        pass
    finally:
        os.close(file)
    return shown


class TestDryRun:
    def test_nothing_is_written(self, run: Run, src: Path, root: Path, tmp_path: Path) -> None:
        run("cp", "src/z", "local://data/raw/z")
        before = content(tmp_path)

        up = run("cp", "-r", "src", "local://data/raw", "--dry-run")
        down = run("cp", "-r", "local://data/raw", "out", "--dry-run", "--json")
        one = run("cp", "src/z", "local://data/new/", "--dry-run")
        back = run("cp", "local://data/raw/z", "out/", "--dry-run", "--json")
        copied = run("cp", "local://data/raw/z", "local://data/copy", "--dry-run")

        assert before == content(tmp_path)
        assert {"already there: raw/z", "would copy: raw/a.txt: 1 B"} <= lines(up)
        assert "local://data/raw: would copy 3 objects, 6 B; 1 already there" in lines(up)
        assert [("object", True), ("progress", None), ("result", True)] == [
            (event["event"], event.get("dry_run")) for event in events(down)
        ]
        assert b"would copy src/z to local://data/new/z: 4 B\n" == one.stdout
        assert [("result", "out/z", 4)] == [(one["event"], one["target"], one["size"]) for one in events(back)]
        assert b"would copy local://data/raw/z to local://data/copy: 4 B\n" == copied.stdout

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [(("missing", "local://data/"), 3), (("local://data/missing", "out"), 3), (("src/z", "local://data/../z"), 2)],
    )
    def test_what_would_fail_fails(self, run: Run, src: Path, arguments: tuple[str, str], code: int) -> None:
        assert code == run("cp", *arguments, "--dry-run").returncode


class TestOptions:
    def test_verify_reads_the_copy_back(self, run: Run, src: Path) -> None:
        assert b", verified, etag " in run("cp", "src/z", "local://data/", "--verify").stdout
        assert b", verified, etag " in run("cp", "local://data/z", "out", "--verify").stdout
        assert events(run("cp", "local://data/z", "local://data/y", "--verify", "--json"))[-1]["verified"]
        assert 0 == run("cp", "-r", "src", "local://data/all", "--verify").returncode

    def test_the_source_profile_says_where_the_source_is(self, run: Run, src: Path, root: Path, tmp_path: Path) -> None:
        config = tmp_path / "config.toml"
        (tmp_path / "old/data").mkdir(parents=True)
        (tmp_path / "old/data/x").write_bytes(b"old")
        config.write_text(f'[profiles.old]\nbackend = "local"\nroot = "{tmp_path}/old"\n')
        config.chmod(0o600)

        finished = run("cp", "local://data/x", "local://data/y", "--source-profile", "old")

        assert 0 == finished.returncode, finished.stderr
        assert {"y": b"old"} == stored(root)
