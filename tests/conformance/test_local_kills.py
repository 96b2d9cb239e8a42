"""The local driver, killed at every point of every operation that writes: nothing is torn, and nothing is left.

The kills are real. This file is also a program (``obey``): a small process that forks a child for each order; the
child performs one operation, and sends itself SIGKILL before the n-th system call that changes something.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import storagekit
from storagekit.driver import Code
from storagekit.drivers.local import LocalDriver
from storagekit.testing.conformance import BytesBody, Harness, pattern
from storagekit.types import Upload, WriteOptions

OLD, NEW = WriteOptions("text/old", {"age": "old"}), WriteOptions("text/new", {"age": "new"})
PART = 10_000
KEY = "folder/key"


def tree(home: Path) -> set[str]:
    """Return the paths of all there is below the bucket, our own things too."""
    return {str(path.relative_to(home)) for path in home.rglob("*")}


def begin(harness: Harness, *seeds: int) -> Upload:
    """Begin an upload of ``KEY`` and send a part for each seed."""
    upload = harness.driver.create_upload("bucket", KEY, NEW, PART)
    for number, seed in enumerate(seeds, 1):
        harness.send(upload, number, pattern(PART, seed))
    return upload


def churn(driver: LocalDriver) -> None:
    for turn in range(40):
        driver.put("bucket", KEY, BytesBody(pattern(1000 + turn % 3, seed=turn % 3)), NEW)
        upload = driver.create_upload("bucket", "folder/sub/key", NEW, PART)
        driver.complete_upload(upload, [driver.put_part(upload, 1, BytesBody(pattern(turn)))])
        driver.delete("bucket", KEY)
        driver.delete("bucket", "folder/sub/key")


OPERATIONS: dict[str, Callable[[LocalDriver, Upload], object]] = {
    "put": lambda driver, _: driver.put("bucket", KEY, BytesBody(pattern(5000, seed=2), step=2000), NEW),
    "create": lambda driver, _: driver.create_upload("bucket", KEY, NEW, PART),
    "part": lambda driver, upload: driver.put_part(upload, 2, BytesBody(pattern(PART, seed=12), step=4000)),
    "complete": lambda driver, upload: driver.complete_upload(upload, driver.list_parts(upload).parts),
    "complete some": lambda driver, upload: driver.complete_upload(upload, driver.list_parts(upload).parts[:-1]),
    "abort": lambda driver, upload: driver.abort_upload(upload),
    "delete": lambda driver, _: driver.delete("bucket", KEY),
    "churn": lambda driver, _: churn(driver),
}


def obey() -> None:
    """Run orders from standard input, one JSON object per line; answer each with the exit codes of its children."""
    for line in sys.stdin:
        order = json.loads(line)
        children = [fork(**order["do"]) for _ in range(order["children"])]
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        print(json.dumps(codes), flush=True)


def fork(root: str, operation: str, upload_id: str, survives: int) -> int:
    child = os.fork()
    if child:
        return child
    try:
        kill_after(survives)
        OPERATIONS[operation](LocalDriver(root), Upload("bucket", KEY, upload_id, part_size=PART))
        os._exit(0)
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        os._exit(1)


def kill_after(calls: int) -> None:
    """Let this process make so many system calls that change something, and be killed before the next."""
    left = itertools.count(calls, -1)

    def deadly(call: Callable[..., object]) -> Callable[..., object]:
        def act(*args: object, **named: object) -> object:
            if next(left) == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **named)

        return act

    for name in ("fdatasync", "fsync", "ftruncate", "mkdir", "open", "pwrite", "rename", "rmdir", "unlink", "utime"):
        setattr(os, name, deadly(getattr(os, name)))
    fcntl.flock = deadly(fcntl.flock)  # type: ignore[assignment]


class Helper:
    """Gives orders to a process that runs ``obey``."""

    def __init__(self) -> None:
        env = {**os.environ, "PYTHONPATH": str(Path(storagekit.__file__).parents[1])}
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([sys.executable, __file__], stdin=pipe, stdout=pipe, text=True, env=env)

    def run(self, harness: Harness, operation: str, upload: Upload | None, survives: int, children: int = 1) -> int:
        """Run ``operation`` in ``children``; return 0 where all came to an end, -9 where one was killed."""
        root = harness.driver.root  # type: ignore[attr-defined]
        do = {"root": root, "operation": operation, "upload_id": upload.id if upload else "", "survives": survives}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, "children": children}) + "\n")
        self._process.stdin.flush()
        codes = json.loads(self._process.stdout.readline())
        assert set(codes) <= {0, -signal.SIGKILL}, "see the traceback on standard error"
        return int(min(codes))

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def helper() -> Iterator[Helper]:
    process = Helper()
    yield process
    process.close()


#: Far more system calls than any of the operations makes.
POINTS = 100


def is_clean(harness: Harness, home: Path) -> None:
    """Assert that after one more write nothing is left but objects, and after their deletion nothing at all."""
    harness.put("another", b"x")
    assert harness.driver.list_uploads("bucket").uploads == ()
    for leftover in ("tmp", "uploads"):
        assert not (home / ".storagekit-local" / leftover).exists()
    for key in (KEY, *harness.listed()):  # a kill may leave the directory of a key: a delete takes that along too
        harness.driver.delete("bucket", key)
    assert tree(home) == set()


def is_old_or_new(harness: Harness, old: bytes | None, new: bytes) -> bool:
    """Assert that the object is one of the two, with the labels that belong to it; tell whether it is the new one."""
    if old is None and KEY not in harness.listed():
        harness.is_absent(KEY)
        return False
    data = harness.get(KEY)
    assert data in (old, new)
    harness.holds(KEY, data)
    labels = NEW if data == new else OLD
    info = harness.head(KEY)
    assert (info.content_type, dict(info.metadata)) == (labels.content_type, dict(labels.metadata))
    return data == new


@pytest.mark.parametrize("old", [None, b"old bytes"])
def test_killed_in_a_put(harness: Harness, home: Path, helper: Helper, old: bytes | None) -> None:
    outcomes = []
    for survives in range(POINTS):
        if old is not None:
            harness.put(KEY, old, OLD)
        ended = helper.run(harness, "put", None, survives) == 0
        outcomes.append(is_old_or_new(harness, old, pattern(5000, seed=2)))
        is_clean(harness, home)
        if ended:
            break

    assert ended
    assert outcomes == sorted(outcomes)  # old up to some point, new from there on
    assert {True, False} == set(outcomes)


def test_killed_in_a_create(harness: Harness, home: Path, helper: Helper) -> None:
    for survives in range(POINTS):
        ended = helper.run(harness, "create", None, survives) == 0
        for pending in harness.driver.list_uploads("bucket").uploads:
            upload = Upload("bucket", KEY, pending.id)
            assert harness.driver.list_parts(upload).parts == ()
            harness.driver.abort_upload(upload)
        is_clean(harness, home)
        if ended:
            return
    pytest.fail("never came to its end")


@pytest.mark.parametrize("seeds", [(1,), (1, 2)], ids=["new", "replaced"])
def test_killed_in_a_part(harness: Harness, home: Path, helper: Helper, seeds: tuple[int, ...]) -> None:
    """The old part or the new one is listed, and what is listed is what a complete publishes."""
    sent, seen = {1: pattern(PART, 1)}, set()
    for survives in range(POINTS):
        upload = begin(harness, *seeds)
        before = {part.number: part for part in harness.driver.list_parts(upload).parts}
        ended = helper.run(harness, "part", upload, survives) == 0

        parts = {part.number: part for part in harness.driver.list_parts(upload).parts}
        replaced = parts.get(2) != before.get(2)
        sent[2] = pattern(PART, seed=12 if replaced else 2)
        seen.add(replaced)
        assert parts[1] == before[1]
        assert replaced or not ended
        harness.driver.complete_upload(upload, list(parts.values()))
        harness.holds(KEY, b"".join(sent[number] for number in parts))
        is_clean(harness, home)
        if ended:
            break

    assert ended
    assert seen == {True, False}


@pytest.mark.parametrize("operation", ["complete", "complete some"])
@pytest.mark.parametrize("old", [None, b"old bytes"])
def test_killed_in_a_complete(harness: Harness, home: Path, helper: Helper, operation: str, old: bytes | None) -> None:
    """The upload goes on where the complete did not happen, and ends where it did."""
    seeds = (1, 2, 3) if operation == "complete" else (1, 2, 3, 4)
    whole, everything = (b"".join(pattern(PART, seed) for seed in some) for some in ((1, 2, 3), seeds))
    seen = set()
    for survives in range(POINTS):
        if old is not None:
            harness.put(KEY, old, OLD)
        upload = begin(harness, *seeds)
        ended = helper.run(harness, operation, upload, survives) == 0

        published = is_old_or_new(harness, old, whole)
        seen.add(published)
        if not published:
            harness.driver.complete_upload(upload, harness.driver.list_parts(upload).parts)
            is_old_or_new(harness, None, everything)
        elif operation == "complete":
            harness.refuses(Code.UPLOAD_GONE, harness.driver.list_parts, upload)
        harness.driver.abort_upload(upload)
        is_clean(harness, home)
        if ended:
            break

    assert ended
    assert seen == {True, False}


@pytest.mark.parametrize("operation", ["abort", "delete"])
def test_killed_in_a_removal(harness: Harness, home: Path, helper: Helper, operation: str) -> None:
    for survives in range(POINTS):
        harness.put(KEY, b"old bytes", OLD)
        upload = begin(harness, 1, 2)
        ended = helper.run(harness, operation, upload, survives) == 0

        if operation == "abort" or KEY in harness.listed():
            is_old_or_new(harness, b"old bytes", b"")
        harness.driver.abort_upload(upload)
        harness.refuses(Code.UPLOAD_GONE, harness.driver.list_parts, upload)
        is_clean(harness, home)
        if ended:
            return
    pytest.fail("never came to its end")


def test_processes_that_make_and_prune_the_same_directories(harness: Harness, home: Path, helper: Helper) -> None:
    assert helper.run(harness, "churn", None, survives=10**9, children=4) == 0
    assert tree(home) == set()


if __name__ == "__main__":
    obey()
