"""Standard input of unknown length, killed and repeated: the installed command, real servers, their log of requests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from storagekit.testing.killing import AfterRequest, run_until
from storagekit.testing.proxy import FaultProxy, is_part
from storagekit.testing.servers import S3Server
from tests.integration.conftest import Finished, S3Target, Sender, Target, target_on
from tests.integration.test_faults import KEY, MIB, OPTIONS, PART, sha256

pytestmark = pytest.mark.integration

COMMAND = [sys.executable, "-m", "storagekit"]


ALL = set(range(1, 8))


def length(number: int) -> int:
    return PART if number < 7 else 4321


@pytest.fixture
def proxy(service: S3Server) -> Iterator[FaultProxy]:
    with FaultProxy(service.endpoint) as proxy:
        yield proxy


@pytest.fixture
def behind(service: S3Server, proxy: FaultProxy) -> S3Target:
    return target_on(service, proxy.endpoint)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "source.bin"
    path.write_bytes(os.urandom(6 * PART + 4321))
    return path


def killed(proxy: FaultProxy, behind: S3Target, sender: Sender, file: Path) -> set[int]:
    """Pipe the file into the command, and kill that when the server has stored five parts; return which are there.

    A part that was on its way may still arrive after that.
    """
    outcome = run_until(
        [*COMMAND, "cp", "-", behind.uri(KEY), *OPTIONS],
        AfterRequest(proxy, is_part(), nth=5, when="after forward, before answer"),
        environment=sender.environment(),
        feed=["cat", str(file)],
    )
    assert outcome.killed
    proxy.clear()
    [upload_id] = behind.uploads(KEY)
    return behind.parts(KEY, upload_id)


def piped(sender: Sender, file: Path, *arguments: str) -> Finished:
    with subprocess.Popen(["cat", str(file)], stdout=subprocess.PIPE) as cat:
        done = subprocess.run(
            [*COMMAND, *arguments],
            stdin=cat.stdout,
            env=sender.environment(),
            capture_output=True,
            timeout=120,
            check=False,
        )
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())


def test_the_same_input_again_sends_nothing_that_is_there(
    proxy: FaultProxy, behind: S3Target, tmp_path: Path, file: Path
) -> None:
    sender = Sender(behind, tmp_path / "homes")
    there = killed(proxy, behind, sender, file)
    assert 4 <= len(there)

    result = piped(sender, file, "cp", "-", behind.uri(KEY), *OPTIONS).result

    sent = set(proxy.part_puts())
    assert set() == there & sent
    assert ALL >= there | sent
    assert (True, file.stat().st_size - sum(map(length, sent))) == (result["resumed"], result["kept"])
    assert sha256(file) == behind.sha256(KEY)
    assert behind.left_over() == []


def test_with_one_byte_changed_exactly_the_parts_that_differ_are_sent_again(
    proxy: FaultProxy, behind: S3Target, tmp_path: Path, file: Path
) -> None:
    sender = Sender(behind, tmp_path / "homes")
    there = killed(proxy, behind, sender, file)
    changed = bytearray(file.read_bytes())
    changed[2 * PART + 5] ^= 1
    file.write_bytes(changed)

    again = piped(sender, file, "cp", "-", behind.uri(KEY), *OPTIONS)

    assert {3} == set(proxy.part_puts()) & (there | {3})
    if behind.name == "rclone":  # it replaces no part: what this run had read of the input is lost with the upload
        assert (5, "UploadGoneError") == (again.code, again.events[-1]["error"])
        again = piped(sender, file, "cp", "-", behind.uri(KEY), *OPTIONS)
    assert 0 == again.code
    assert sha256(file) == behind.sha256(KEY)
    assert behind.left_over() == []


def test_a_short_input_is_no_object_where_its_size_was_promised(target: Target, tmp_path: Path, file: Path) -> None:
    sender = Sender(target, tmp_path / "homes")
    size = str(file.stat().st_size + 1)

    failed = piped(sender, file, "cp", "-", target.uri(KEY), *OPTIONS, "--size", size)

    assert 6 == failed.code
    assert target.sha256(KEY) is None


@pytest.mark.parametrize("size", [0, 1, 3 * MIB])
def test_a_small_input_is_an_object_too(target: Target, tmp_path: Path, size: int) -> None:
    sender = Sender(target, tmp_path / "homes")
    path = tmp_path / "small"
    path.write_bytes(os.urandom(size))

    assert 0 == piped(sender, path, "cp", "-", target.uri(KEY), *OPTIONS).code

    assert sha256(path) == target.sha256(KEY)
    assert target.left_over() == []
