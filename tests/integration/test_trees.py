"""Recursive transfers by the installed command on real servers: killed in the middle, run again, deleted."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storagekit.testing.proxy import Fault, FaultProxy, Stall, is_get_object, is_head, is_put_object
from storagekit.testing.servers import S3Server
from tests.integration.conftest import S3Target, Sender, killed_at_the_end, target_on

pytestmark = pytest.mark.integration

FILES = 150
BEFORE = 75  # files that are sent or fetched before the kill
WORKERS = 4


@pytest.fixture(params=["minio", "moto", "rclone", "rgw", "obs", "oss"])
def server(request: pytest.FixtureRequest) -> S3Server:
    """Not on Swift: a tree takes 800 requests, of 10 ms each there."""
    server: S3Server = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def proxy(server: S3Server) -> Iterator[FaultProxy]:
    with FaultProxy(server.endpoint) as proxy:
        yield proxy


@pytest.fixture
def target(server: S3Server, proxy: FaultProxy) -> S3Target:
    return target_on(server, proxy.endpoint)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Small files in directories whose names sort otherwise than their paths."""
    for number in range(FILES):
        path = tmp_path / "src" / ("a", "a.b", "a-b", "c/d")[number % 4] / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(number))
    (tmp_path / "src/large").write_bytes(os.urandom(12 * 1024**2))
    return tmp_path / "src"


def content(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def kill_when(sender: Sender, arguments: list[str], proxy: FaultProxy, when: Any, count: int) -> None:
    """Run a command and kill -9 it when ``count`` requests that ``when`` picks have come in."""
    with killed_at_the_end(sender.start(*arguments)) as process:
        end = time.monotonic() + 120
        while proxy.count(when) < count:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end, "it never came to it"
            time.sleep(0.01)
        process.kill()


def test_a_killed_tree_goes_on_where_it_stopped(
    server: S3Server, target: S3Target, sender: Sender, proxy: FaultProxy, directory: Path, tmp_path: Path
) -> None:
    prefix, options = target.uri("raw"), ["--workers", str(WORKERS), "--part-size", "5MiB", "--json"]
    up, down = ["cp", "-r", str(directory), prefix, *options], ["cp", "-r", prefix, str(tmp_path / "out"), *options]

    with FaultProxy(server.endpoint, [Fault(is_put_object(), Stall(60), times=None, skip=BEFORE)]) as stalling:
        target.point_at(stalling.endpoint)
        kill_when(sender, up, stalling, is_put_object(), BEFORE + WORKERS)
    target.point_at(proxy.endpoint)
    second = sender.run(*up).result
    sent = [one.path for one in proxy.exchanges if is_put_object()(one) and ".storagekit" not in one.path]
    proxy.clear()
    third = sender.run(*up).result

    assert (FILES + 1, 0) == (second["copied"] + second["skipped"], second["failed"])
    assert BEFORE <= second["skipped"] <= BEFORE + 2 * WORKERS, "what stalled at the kill may have landed"
    assert second["copied"] - 1 == len(sent), "the large one goes in parts"
    assert (0, FILES + 1) == (third["copied"], third["skipped"])
    assert 0 == proxy.count(is_put_object())

    with FaultProxy(server.endpoint, [Fault(is_get_object(), Stall(60), times=None, skip=BEFORE)]) as stalling:
        target.point_at(stalling.endpoint)
        kill_when(sender, down, stalling, is_get_object(), BEFORE + WORKERS)
    target.point_at(proxy.endpoint)
    second = sender.run(*down).result
    proxy.clear()
    third = sender.run(*down).result

    assert FILES + 1 == second["copied"] + second["skipped"]
    assert second["skipped"] >= BEFORE - WORKERS
    assert (0, FILES + 1) == (third["copied"], third["skipped"])
    assert 0 == proxy.count(is_head()) + proxy.count(is_get_object())
    assert content(directory) == content(tmp_path / "out")


def test_a_tree_is_copied_on_the_server_and_deleted_with_its_bucket(
    target: S3Target, sender: Sender, directory: Path
) -> None:
    source, copy = target.uri("raw"), target.uri("copy/of")
    sender.run("cp", "-r", str(directory), source, "--json")

    copied = [sender.run("cp", "-r", source, copy, "--json").result for _ in range(2)]
    deleted = sender.run("rm", "-r", "--yes", source, "--json").result
    left = {name for name in target.contents() if not name.startswith("copy/of/")}

    assert [(FILES + 1, 0), (0, FILES + 1)] == [(one["copied"], one["skipped"]) for one in copied]
    assert (FILES + 1, set()) == (deleted["deleted"], left)
    assert 1 == sender.run("rb", f"{target.bucket_uri}").code
    assert 0 == sender.run("rb", "--force", "--yes", f"{target.bucket_uri}").code
    assert not target.is_there()
