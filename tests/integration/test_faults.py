"""A real server behind a proxy that fails on purpose; the installed command in front of it."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storagekit.testing.http_source import SourceProcess
from storagekit.testing.proxy import (
    Answer,
    CutRequest,
    DropAnswer,
    Fault,
    FaultProxy,
    Stall,
    Transaction,
    is_complete,
    is_create_upload,
    is_part,
    is_put_object,
)
from storagekit.testing.servers import S3Server
from tests.integration.conftest import S3Target, Sender, Target, killed_at_the_end, target_on

pytestmark = pytest.mark.integration

MIB = 1024**2
PART = 5 * MIB
OPTIONS = ["--part-size", str(PART), "--json"]
KEY = "k.bin"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "source.bin"
    path.write_bytes(os.urandom(8 * PART - 4321))
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def proxy(service: S3Server) -> Iterator[FaultProxy]:
    with FaultProxy(service.endpoint) as proxy:
        yield proxy


@pytest.fixture
def behind(service: S3Server, proxy: FaultProxy) -> S3Target:
    return target_on(service, proxy.endpoint)


@pytest.fixture
def send(behind: S3Target, tmp_path: Path) -> Sender:
    return Sender(behind, tmp_path / "homes")


@pytest.mark.parametrize("service", ["minio", "swift"], indirect=True)  # 17 s each of waiting for the proxy
def test_parts_that_fail_for_good_are_exactly_what_the_next_run_sends(
    proxy: FaultProxy, behind: S3Target, send: Sender, file: Path
) -> None:
    proxy.faults = [Fault(is_part(2, 5, 6), Answer(500, "InternalError"), times=None)]
    failed = send.run("cp", str(file), behind.uri(KEY), *OPTIONS)
    assert 5 == failed.code
    assert "error" == failed.events[-1]["event"]
    proxy.faults = []
    proxy.clear()

    result = send.run("cp", str(file), behind.uri(KEY), *OPTIONS).result

    assert [2, 5, 6] == sorted(proxy.part_puts())
    assert (True, 3 * PART) == (result["resumed"], result["sent"])
    assert sha256(file) == behind.sha256(KEY)
    assert behind.left_over() == []


def test_the_lost_answer_to_complete_is_a_success(
    proxy: FaultProxy, behind: S3Target, send: Sender, file: Path
) -> None:
    proxy.faults = [Fault(is_complete(), DropAnswer(), times=1)]

    result = send.run("cp", str(file), behind.uri(KEY), *OPTIONS).result

    assert "head" == result["proof"]
    assert 1 == proxy.count(is_complete())
    assert sha256(file) == behind.sha256(KEY)
    assert behind.left_over() == []


def test_a_complete_that_fails_inside_a_200_is_tried_again(
    proxy: FaultProxy, behind: S3Target, send: Sender, file: Path
) -> None:
    proxy.faults = [Fault(is_complete(), Answer(200, "InternalError"), times=1)]

    result = send.run("cp", str(file), behind.uri(KEY), *OPTIONS).result

    assert ("head", 2) == (result["proof"], proxy.count(is_complete()))
    assert sha256(file) == behind.sha256(KEY)


class Meanwhile:
    """Lets the server answer, and before the client hears of it, does something else."""

    def __init__(self, do: Callable[[], object]) -> None:
        self._do = do

    def apply(self, transaction: Transaction) -> None:
        transaction.forward_request()
        self._do()
        transaction.relay_answer()


def test_whoever_is_overtaken_before_the_answer_says_superseded(
    proxy: FaultProxy, behind: S3Target, send: Sender, file: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.bin"
    other.write_bytes(os.urandom(3 * PART))
    results: list[dict[str, object]] = []

    def other_writer() -> None:
        proxy.faults = []
        results.append(send.run("cp", str(other), behind.uri(KEY), *OPTIONS).result)

    proxy.faults = [Fault(is_complete(), Meanwhile(other_writer))]

    overtaken = send.run("cp", str(file), behind.uri(KEY), *OPTIONS).result

    assert ("superseded", "head") == (overtaken["proof"], results[0]["proof"])
    assert str(results[0]["etag"]) in overtaken["superseded_by"]
    assert sha256(other) == behind.sha256(KEY)
    assert behind.left_over() == []


def test_storms_cuts_and_lost_answers_are_ridden_out(
    proxy: FaultProxy, behind: S3Target, send: Sender, file: Path
) -> None:
    proxy.faults = [
        Fault(is_part(1), Answer(503, "SlowDown", retry_after=1), times=1),
        Fault(is_part(2), CutRequest(MIB), times=1),
        Fault(is_part(3), DropAnswer(), times=1),
        Fault(is_part(4), Answer(429, "TooManyRequests"), times=1),
        Fault(is_create_upload(), Answer(503, "SlowDown"), times=1),
        Fault(is_put_object(), Answer(500, "InternalError"), times=1),
    ]

    send.run("cp", str(file), behind.uri(KEY), *OPTIONS)

    assert sha256(file) == behind.sha256(KEY)
    assert behind.left_over() == []


def test_wrong_credentials_are_exit_4_and_keep_nothing_from_being_said(
    proxy: FaultProxy, behind: S3Target, send: Sender, file: Path
) -> None:
    behind.environment[behind.secret_variable] = "not-the-secret-key"

    failed = send.run("cp", str(file), behind.uri(KEY))

    assert "not-the-secret-key" not in failed.err + failed.out
    assert (4 if behind.server.verifies else 0) == failed.code
    if not behind.server.verifies:
        return
    assert "secret key" in failed.err
    assert "Traceback" not in failed.err


def test_ctrl_c_returns_within_two_seconds_although_the_server_stalls_and_the_next_run_goes_on(
    proxy: FaultProxy, behind: S3Target, send: Sender, file: Path
) -> None:
    proxy.faults = [Fault(is_part(3, 4, 5), Stall(30), times=None)]
    with killed_at_the_end(send.start("cp", str(file), behind.uri(KEY), *OPTIONS[:2])) as process:
        deadline = time.monotonic() + 30
        while not {1, 2, 3, 4, 5} <= set(proxy.part_puts()) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, err = process.communicate(timeout=20)
        took = time.monotonic() - began
    assert 130 == process.returncode
    assert took < 2 + 1, f"{took:.1f} s, of which the interpreter's end is a part"
    assert b"run the same command again" in err
    assert b"--restart" in err
    proxy.faults = []

    assert send.run("cp", str(file), behind.uri(KEY), *OPTIONS).result["resumed"]
    assert sha256(file) == behind.sha256(KEY)


class TestChangedSource:
    def test_between_runs_it_starts_afresh_and_names_it(self, target: Target, sender: Sender, tmp_path: Path) -> None:
        group = tmp_path / "pgid"
        with SourceProcess("--size", "48MiB", "--rate", "40MB") as source:
            source.configure(kill_at=24 * MIB, kill_pgid_file=str(group))
            with killed_at_the_end(sender.start("cp", source.url, target.uri(KEY), *OPTIONS)) as process:
                group.write_text(str(process.pid))
                assert -9 == process.wait(timeout=60)
            source.configure(seed=7, etag='"other"')
            result = sender.run("cp", source.url, target.uri(KEY), *OPTIONS).result
            digest = sha256_of(source.url)

        assert not result["resumed"]
        assert any("another source or version" in note for note in result["notes"])
        assert digest == target.sha256(KEY)

    def test_during_a_run_it_is_exit_6_and_no_object(self, target: Target, sender: Sender) -> None:
        with SourceProcess("--size", "48MiB", "--rate", "40MB") as source:
            source.configure(behaviour={"change_after": 24 * MIB})
            failed = sender.run("cp", source.url, target.uri(KEY), *OPTIONS)

        assert 6 == failed.code
        assert "SourceChangedError" == failed.events[-1]["error"]
        assert target.sha256(KEY) is None


def sha256_of(url: str) -> str:
    import urllib.request

    with urllib.request.urlopen(url) as answer:
        return hashlib.sha256(answer.read()).hexdigest()
