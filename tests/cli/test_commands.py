"""The installed command, as a user runs it, on the local backend."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from storagekit import StorageClient
from storagekit.testing.http_source import Behaviour, SourceServer
from storagekit.testing.servers import S3Server

Run = Callable[..., subprocess.CompletedProcess[bytes]]
DATA = os.urandom(300_000)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "data").mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def run(root: Path, tmp_path: Path) -> Run:
    def command(*arguments: str, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "storagekit", *arguments],
            env={**os.environ, "HOME": str(tmp_path), "STORAGEKIT_LOCAL_ROOT": str(root), **environment},
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            timeout=120,
            check=False,
        )

    return command


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shard.bin"
    path.write_bytes(DATA)
    return path


def events(finished: subprocess.CompletedProcess[bytes]) -> list[dict[str, object]]:
    return [json.loads(line) for line in finished.stdout.splitlines()]


def test_the_command_is_installed_under_both_names() -> None:
    for name in ("storagekit", "sk"):
        command = Path(sys.executable).with_name(name)
        finished = subprocess.run([command, "--version"], capture_output=True, check=True)
        assert finished.stdout.startswith(b"storagekit ")


def test_a_file_goes_in_and_comes_out(run: Run, file: Path, root: Path, tmp_path: Path) -> None:
    assert 0 == run("cp", str(file), "local://data/raw/").returncode
    assert DATA == (root / "data/raw/shard.bin").read_bytes()

    assert 0 == run("cp", "local://data/raw/shard.bin", "out/").returncode
    assert 0 == run("cp", "local://data/raw/shard.bin", "renamed.bin").returncode
    assert [DATA, DATA] == [(tmp_path / name).read_bytes() for name in ("out/shard.bin", "renamed.bin")]

    assert DATA == run("cat", "local://data/raw/shard.bin").stdout
    assert DATA == run("cp", "local://data/raw/shard.bin", "-").stdout


def test_a_url_goes_in_under_its_base_name(run: Run, root: Path) -> None:
    with SourceServer(DATA, name="a%20b.bin") as source:
        assert 0 == run("cp", source.url + "?signature=hush", "local://data").returncode

    assert DATA == (root / "data/a b.bin").read_bytes()


def test_ls_shows_prefixes_and_objects_and_hides_what_is_ours(run: Run, file: Path) -> None:
    run("cp", str(file), "local://data/raw/")
    run("cp", str(file), "local://data/z.bin")

    lines = run("ls", "local://data").stdout.decode().splitlines()
    assert ["raw/", "z.bin"] == [line.split()[-1] for line in lines]
    assert b"300000" in run("ls", "-r", "local://data/raw/").stdout
    assert b"local://data/\n" == run("ls", "local://").stdout
    assert [("object", "raw/shard.bin"), ("object", "z.bin")] == [
        (event["event"], event["key"]) for event in events(run("ls", "-r", "--json", "local://data"))
    ]


def test_stat_shows_what_was_said_of_the_object(run: Run, file: Path) -> None:
    run("cp", str(file), "local://data/x.json")

    result = events(run("stat", "--json", "local://data/x.json"))[0]

    assert ("x.json", 300_000, "application/json") == (result["key"], result["size"], result["content_type"])
    assert ["mtime"] == list(result["metadata"])  # type: ignore[call-overload]


def test_rm_deletes_and_a_missing_object_is_no_error(run: Run, file: Path, root: Path) -> None:
    run("cp", str(file), "local://data/x")

    finished = [run("rm", "local://data/x") for _ in range(2)]

    said = [(0, b"gone: local://data/x\n"), (0, b"not there: local://data/x\n")]
    assert said == [(one.returncode, one.stdout) for one in finished]
    assert not (root / "data/x").exists()


def test_mb_makes_a_bucket_once(run: Run, root: Path) -> None:
    assert [0, 1] == [run("mb", "local://new").returncode for _ in range(2)]
    assert (root / "new").is_dir()


def test_backends_lists_the_built_in_ones_and_minio(run: Run) -> None:
    assert {"local", "memory", "minio"} <= {str(event["backend"]) for event in events(run("backends", "--json"))}


class TestExitCodes:
    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            (["cp", "nowhere.bin", "local://data/"], 3),
            (["cp", "local://data/nothing", "out"], 3),
            (["cp", "shard.bin", "local://absent/x"], 3),
            (["cat", "local://data/nothing"], 3),
            (["stat", "local://data/nothing"], 3),
            (["ls", "local://absent"], 3),
            (["cp", "shard.bin", "local://data/../x"], 2),
            (["cp", "shard.bin", "local://data/.storagekit/x"], 2),
            (["cp", "shard.bin", "nosuch://data/x"], 2),
            (["cp", "shard.bin", "other.bin"], 2),
            (["cp", "-", "local://data/"], 2),
            (["cp", "-", "-"], 2),
            (["cp", "local://data/x", "http://127.0.0.1:1/x"], 2),
            (["cp", "http://127.0.0.1:1/x", "-"], 2),
            (["cp", "shard.bin", "http://127.0.0.1:1/x", "--verify"], 2),
            (["cp", "shard.bin", "http://127.0.0.1:1/x", "--profile", "p"], 2),
            (["cp", "-", "http://127.0.0.1:1/x"], 2),
            (["cp", "missing.bin", "http://127.0.0.1:1/x"], 3),
            (["cp", "local://data/nothing", "local://data/x"], 3),
            (["cp", "local://data", "local://data/x"], 2),
            (["cp", "local://data/x", "minio://data/x", "--endpoint-url", "http://127.0.0.1:1"], 2),
            (["cp", "shard.bin", "local://data/x", "--size", "1"], 6),
            (["cp", "shard.bin", "local://data/x", "--size", "big"], 2),
            (["cp", "shard.bin", "local://data/x", "--sha256", "0" * 64], 6),
            (["cp", "shard.bin", "local://data/x", "--sha256", "0"], 2),
            (["cp", "local://data/nothing", "-", "--size", "1"], 2),
            (["cp", "shard.bin", "local://data/x", "--part-size", "many"], 2),
            (["cp", "shard.bin", "local://data/x", "--workers", "0"], 2),
            (["cp", "shard.bin", "local://data/x", "--checkpoint", "moon"], 2),
            (["cp", "shard.bin", "local://data/x", "--log-level", "loud"], 2),
            (["cp", ".", "local://data/x"], 2),
            (["cp", "shard.bin"], 2),
            (["stat", "shard.bin"], 2),
            (["ls", "local:///key"], 2),
            (["cp", "http://127.0.0.1:1/x", "local://data/x", "--quiet"], 5),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
    )
    def test_each_is_what_the_docs_say(self, run: Run, file: Path, arguments: list[str], code: int) -> None:
        finished = run(*arguments)

        assert code == finished.returncode, finished.stderr
        assert b"Traceback" not in finished.stderr
        assert finished.stdout == b""
        assert len(finished.stderr.splitlines()) >= 1

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["cp", "--json"], "Missing argument"),
            (["cp", "shard.bin", "local://data/x", "--json", "--bogus"], "--bogus"),
            (["cp", "shard.bin", "local://data/x", "--json", "--workers", "many"], "--workers"),
            (["ls", "--json"], "Missing argument"),
            (["mb", "--json", "local://data", "more"], "more"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
    )
    def test_what_the_parser_refuses_is_a_json_event_too(self, run: Run, arguments: list[str], message: str) -> None:
        finished = run(*arguments)

        assert (2, b"") == (finished.returncode, finished.stderr)
        (error,) = events(finished)
        assert ("error", 2, "configuration") == (error["event"], error["exit_code"], error["code"])
        assert message in str(error["message"])

    def test_where_the_data_goes_to_standard_output_a_refusal_does_not(self, run: Run) -> None:
        finished = run("cp", "local://data/x", "--bogus", "--json", "-")

        assert (2, b"") == (finished.returncode, finished.stdout)
        assert "error" == json.loads(finished.stderr)["event"]

    def test_help_is_help_with_json_as_well(self, run: Run) -> None:
        finished = run("cp", "--json", "--help")
        assert (0, True) == (finished.returncode, b"Usage: " in finished.stdout)

    def test_a_changed_source_is_6(self, run: Run) -> None:
        with SourceServer(20_000_000, rate=40e6, behaviour=Behaviour(change_after=10_000_000)) as source:
            assert 6 == run("cp", source.url, "local://data/x", "--part-size", "1MiB").returncode

    def test_a_refused_source_is_4(self, run: Run) -> None:
        with SourceServer(DATA, behaviour=Behaviour(storm_requests=99, storm_status=403)) as source:
            assert 4 == run("cp", source.url, "local://data/x").returncode

    def test_an_error_is_one_json_event(self, run: Run, file: Path) -> None:
        finished = run("cp", "shard.bin", "local://absent/x", "--json")

        assert ["error"] == [event["event"] for event in events(finished)]
        assert ("BucketNotFoundError", 3) == (events(finished)[0]["error"], events(finished)[0]["exit_code"])


class TestStandardInput:
    @pytest.mark.parametrize("size", [0, 1, 65_536, 300_000])
    def test_any_length_goes_in(self, run: Run, root: Path, size: int) -> None:
        result = events(run("cp", "-", "local://data/x", "--json", "--part-size", "65536", stdin=DATA[:size]))[-1]

        assert (DATA[:size], "result", size) == ((root / "data/x").read_bytes(), result["event"], result["size"])

    def test_a_file_is_taken_as_well(self, run: Run, file: Path, root: Path, tmp_path: Path) -> None:
        with file.open("rb") as stdin:
            subprocess.run(
                [sys.executable, "-m", "storagekit", "cp", "-", "local://data/x"],
                env={**os.environ, "STORAGEKIT_LOCAL_ROOT": str(root)},
                stdin=stdin,
                check=True,
                capture_output=True,
            )
        assert DATA == (root / "data/x").read_bytes()

    @pytest.mark.parametrize(
        ("promise", "code"),
        [
            (["--size", "300000"], 0),
            (["--size", "299999"], 6),
            (["--size", "300001"], 6),
            (["--sha256", hashlib.sha256(DATA).hexdigest()], 0),
            (["--sha256", hashlib.sha256(DATA).hexdigest().upper(), "--size", "300000"], 0),
            (["--sha256", hashlib.sha256(DATA[1:]).hexdigest()], 6),
        ],
    )
    def test_a_promise_is_kept_or_nothing_is_published(
        self, run: Run, root: Path, promise: list[str], code: int
    ) -> None:
        finished = run("cp", "-", "local://data/x", "--part-size", "65536", *promise, stdin=DATA)

        assert code == finished.returncode, finished.stderr
        assert (code == 0) == (root / "data/x").exists()
        assert b"Traceback" not in finished.stderr

    def test_standard_input_that_is_closed_is_said_so(self, root: Path) -> None:
        words = f"{sys.executable} -m storagekit cp - local://data/x <&-"
        finished = subprocess.run(
            ["sh", "-c", words],
            env={**os.environ, "STORAGEKIT_LOCAL_ROOT": str(root)},
            capture_output=True,
            check=False,
        )

        assert 2 == finished.returncode
        assert b"standard input is closed" in finished.stderr

    def test_an_interrupt_does_not_wait_for_input_and_the_next_run_goes_on(
        self, run: Run, root: Path, tmp_path: Path
    ) -> None:
        process = subprocess.Popen(
            [sys.executable, "-m", "storagekit", "cp", "-", "local://data/x", "--part-size", "65536"],
            env={**os.environ, "HOME": str(tmp_path), "STORAGEKIT_LOCAL_ROOT": str(root)},
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with process:
            assert process.stdin is not None
            assert process.stderr is not None
            try:
                process.stdin.write(DATA[:200_000])
                process.stdin.flush()
                wait_for(lambda: len([path for path in root.rglob("*.part") if path.stat().st_size]) == 3)
                process.send_signal(signal.SIGINT)
                process.wait(30)  # standard input is still open, and nothing comes
                said = process.stderr.read()
            finally:
                process.kill()
        again = events(run("cp", "-", "local://data/x", "--json", stdin=DATA))[-1]

        assert 130 == process.returncode, said
        assert b"run the same command again" in said
        assert b"--restart" in said
        assert b"Fatal" not in said
        assert (3 * 65_536, DATA) == (again["kept"], (root / "data/x").read_bytes())


def wait_for(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "it never came to it"
        time.sleep(0.02)


class TestObjectToObject:
    def test_one_backend_copies_with_type_and_metadata(self, run: Run, root: Path) -> None:
        (root / "other").mkdir()
        with StorageClient("local", "data", root=root) as client:
            client.put_object("a.json", DATA, metadata={"owner": "me"})

        assert 0 == run("cp", "local://data/a.json", "local://other/d/").returncode

        assert DATA == (root / "other/d/a.json").read_bytes()
        info = events(run("stat", "--json", "local://other/d/a.json"))[0]
        metadata = info["metadata"]
        assert isinstance(metadata, dict)
        assert ("application/json", "me") == (info["content_type"], metadata["owner"])

    def test_a_promise_is_checked_in_a_copy_too(self, run: Run, file: Path, root: Path) -> None:
        run("cp", "shard.bin", "local://data/a")

        assert 6 == run("cp", "local://data/a", "local://data/b", "--sha256", "0" * 64).returncode
        assert not (root / "data/b").exists()
        good = hashlib.sha256(DATA).hexdigest()
        assert 0 == run("cp", "local://data/a", "local://data/b", "--sha256", good).returncode
        assert DATA == (root / "data/b").read_bytes()

    @pytest.mark.integration
    def test_two_backends_stream_and_one_service_copies_by_itself(self, run: Run, root: Path, minio: S3Server) -> None:
        account = {"MINIO_ENDPOINT": minio.endpoint, "MINIO_ACCESS_KEY": minio.access_key}
        account |= {"MINIO_SECRET_KEY": minio.secret_key, "MINIO_REGION": minio.region}
        bucket = f"cp-{secrets.token_hex(4)}"
        (root / "data/a.json").write_bytes(DATA)

        made = run("mb", f"minio://{bucket}", **account)
        there = run("cp", "local://data/a.json", f"minio://{bucket}/in/", "--json", **account)
        beside = run("cp", f"minio://{bucket}/in/a.json", f"minio://{bucket}/b", "--json", **account)
        back = run("cp", f"minio://{bucket}/b", "local://data/back", "--json", **account)

        assert [0, 0, 0, 0] == [one.returncode for one in (made, there, beside, back)], there.stderr + back.stderr
        assert DATA == (root / "data/back").read_bytes()
        proofs = [events(one)[-1]["receipt"][0]["proof"].partition(":")[0] for one in (there, beside, back)]  # type: ignore[index]
        assert ["md5", "server", "crc64"] == proofs


class TestOutput:
    def test_json_ends_with_the_result(self, run: Run, file: Path) -> None:
        result = events(run("cp", "shard.bin", "local://data/x", "--json", "--part-size", "65536"))[-1]

        assert ("result", 300_000, 5) == (result["event"], result["size"], result["parts"])

    def test_quiet_says_nothing(self, run: Run, file: Path) -> None:
        finished = run("cp", "shard.bin", "local://data/x", "--quiet")

        assert (b"", b"") == (finished.stdout, finished.stderr)

    def test_a_query_is_shown_nowhere_even_at_debug(self, run: Run, secret: Callable[[str], str]) -> None:
        query = f"?X-Amz-Signature={secret('signature')}"
        with SourceServer(DATA, behaviour=Behaviour(storm_requests=3)) as source:
            ok = run("cp", source.url + query, "local://data/x", "--log-level", "debug")
        failed = run("cp", source.url + query, "local://data/x", "--log-level", "debug")

        assert (0, 5) == (ok.returncode, failed.returncode)
        assert b"again in" in ok.stderr
        assert b"Traceback" in failed.stderr
        assert b"X-Amz-Signature" not in ok.stdout + ok.stderr + failed.stdout + failed.stderr


def test_the_demo_is_killed_goes_on_and_says_so_in_ten_lines(run: Run) -> None:
    finished = run("demo", "--size", "24MiB")

    assert 0 == finished.returncode, finished.stderr
    lines = finished.stdout.decode().splitlines()
    assert [f"{number}." for number in range(1, 11)] == [line.split()[0] for line in lines]
    assert "SIGKILL" in lines[3]
    assert "SHA-256 is the file's" in lines[8]


def test_a_name_cannot_command_the_terminal(run: Run, root: Path) -> None:
    (root / "data/evil\x1b[31m\nname").write_bytes(b"")

    finished = run("ls", "local://data")

    assert b"evil\\x1b[31m\\nname" in finished.stdout
    assert 1 == len(finished.stdout.splitlines())


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_behind_standard_output_is_an_error_that_names_it(
    run: Run, file: Path, root: Path, tmp_path: Path, unbuffered: str
) -> None:
    """A limit of 64 KiB stands for the disk. Unbuffered, a write of Python's own stops there without an error."""
    run("cp", "shard.bin", "local://data/x")
    finished = subprocess.run(
        ["bash", "-c", f"ulimit -f 64; {sys.executable} -m storagekit cat local://data/x > {tmp_path}/out"],
        env={**os.environ, "STORAGEKIT_LOCAL_ROOT": str(root), "PYTHONUNBUFFERED": unbuffered},
        capture_output=True,
        check=False,
    )

    assert (1, 65_536) == (finished.returncode, (tmp_path / "out").stat().st_size)
    assert b"'standard output'" in finished.stderr
    assert b"Traceback" not in finished.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_a_closed_stream_is_no_traceback(run: Run, file: Path, root: Path, tmp_path: Path, closed: str) -> None:
    run("cp", "shard.bin", "local://data/x")
    words = f"{sys.executable} -m storagekit cat local://data/x {closed}"
    finished = subprocess.run(
        ["sh", "-c", words], env={**os.environ, "STORAGEKIT_LOCAL_ROOT": str(root)}, capture_output=True, check=False
    )

    assert (2 if closed == ">&-" else 0) == finished.returncode
    assert b"Traceback" not in finished.stderr
