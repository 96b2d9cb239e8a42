"""Uploads of the local driver on the disk: what a complete copies, and who may still write."""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from storagekit.driver import Code
from storagekit.drivers._local_uploads import UploadFolder
from storagekit.testing.conformance import BytesBody, Harness, pattern
from storagekit.types import PutResult, Upload, WriteOptions

OLD, NEW = WriteOptions("text/old", {"age": "old"}), WriteOptions("text/new", {"age": "new"})
PART = 10_000
KEY = "folder/key"


def tree(home: Path) -> set[str]:
    """Return the paths of all there is below the bucket, our own things too."""
    return {str(path.relative_to(home)) for path in home.rglob("*")}


def data_file(home: Path, upload: Upload) -> Path:
    return home / ".storagekit-local" / "uploads" / upload.id / "data"


def begin(harness: Harness, *seeds: int) -> Upload:
    """Begin an upload of ``KEY`` and send a part for each seed."""
    upload = harness.driver.create_upload("bucket", KEY, NEW, PART)
    for number, seed in enumerate(seeds, 1):
        harness.send(upload, number, pattern(PART, seed))
    return upload


def test_complete_copies_nothing(harness: Harness, home: Path) -> None:
    upload = begin(harness, 1, 2)
    last = harness.send(upload, 3, b"end")
    inode = data_file(home, upload).stat().st_ino

    harness.driver.complete_upload(upload, [*harness.driver.list_parts(upload).parts[:2], last])

    assert (home / KEY).stat().st_ino == inode
    harness.holds(KEY, pattern(PART, 1) + pattern(PART, 2) + b"end")


def test_complete_of_a_part_sent_twice_copies_that_part_only(harness: Harness, home: Path) -> None:
    upload = begin(harness, 1, 2, 3)
    harness.send(upload, 2, pattern(PART, 22))
    inode = data_file(home, upload).stat().st_ino

    harness.driver.complete_upload(upload, harness.driver.list_parts(upload).parts)

    assert (home / KEY).stat().st_ino == inode
    harness.holds(KEY, b"".join(pattern(PART, seed) for seed in (1, 22, 3)))


def test_short_part_in_the_middle(harness: Harness) -> None:
    upload = begin(harness, 1)
    harness.send(upload, 2, b"short")
    harness.send(upload, 3, pattern(PART, 3))
    harness.driver.complete_upload(upload, harness.driver.list_parts(upload).parts)
    harness.holds(KEY, pattern(PART, 1) + b"short" + pattern(PART, 3))


def test_a_part_that_is_too_long_stays_out_of_the_next_one(harness: Harness) -> None:
    upload = begin(harness)
    parts = [harness.send(upload, 2, pattern(PART, 2))]
    body = BytesBody(pattern(PART + 100, 1), lie_size=PART, step=PART)
    harness.refuses(Code.INTEGRITY, harness.driver.put_part, upload, 1, body)
    harness.driver.complete_upload(upload, parts)
    harness.holds(KEY, pattern(PART, 2))


def test_aborted_while_its_complete_copies(harness: Harness, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upload, set_time = begin(harness, 1, 2), os.utime

    def abort(fd: int, ns: tuple[int, int]) -> None:
        harness.driver.abort_upload(upload)
        set_time(fd, ns=ns)

    monkeypatch.setattr(os, "utime", abort)  # what a complete calls when it has copied and is about to publish
    parts = harness.driver.list_parts(upload).parts[1:]
    harness.refuses(Code.UPLOAD_GONE, harness.driver.complete_upload, upload, parts)
    assert tree(home) == set()


@pytest.mark.parametrize("step", ["_registered", "_copy"])
def test_aborted_while_its_complete_looks(
    harness: Harness, home: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """What the abort has removed by then is no part that was never sent, and no object that is missing."""
    upload, act = begin(harness, 1, 2), getattr(UploadFolder, step)
    parts = harness.driver.list_parts(upload).parts[1:]

    def abort_and_act(*args: object) -> object:
        harness.driver.abort_upload(upload)
        return act(*args)

    monkeypatch.setattr(UploadFolder, step, abort_and_act)
    harness.refuses(Code.UPLOAD_GONE, harness.driver.complete_upload, upload, parts)
    assert tree(home) == set()


def test_etags_never_come_again(harness: Harness) -> None:
    """Not even where a file gets the inode of one that was deleted a moment ago and has its size."""
    etags = set()
    for turn in range(200):
        etags.add(harness.put("key", b"%03d" % turn).etag)
        if turn % 2:
            harness.driver.delete("bucket", "key")
    assert len(etags) == 200


def test_parts_behind_the_end_are_cut_off(harness: Harness) -> None:
    upload = begin(harness, 1, 2, 3)
    harness.send(upload, 3, b"")
    harness.driver.complete_upload(upload, harness.driver.list_parts(upload).parts)
    harness.holds(KEY, pattern(PART, 1) + pattern(PART, 2))


def test_a_late_part_never_touches_the_published_object(harness: Harness, home: Path) -> None:
    """A complete waits for the part that is being written: the object has either all of it or none."""
    upload, middle = begin(harness, 1, 2), PART // 2

    def hook(at: int) -> None:
        if at == middle:
            completing.append(pool.submit(harness.driver.complete_upload, upload, parts))
            assert not wait(completing, timeout=0.2).done
            assert not (home / KEY).exists()

    with ThreadPoolExecutor(1) as pool:
        completing: list[Future[PutResult]] = []
        parts = harness.driver.list_parts(upload).parts
        harness.send(upload, 3, pattern(PART, 3), step=middle, hook=hook)
        completing[0].result(timeout=10)

    harness.holds(KEY, pattern(PART, 1) + pattern(PART, 2))
    harness.refuses(Code.UPLOAD_GONE, harness.driver.put_part, upload, 1, BytesBody(b"late"))
    harness.holds(KEY, pattern(PART, 1) + pattern(PART, 2))


def test_sweeping_spares_the_living(harness: Harness, home: Path) -> None:
    upload = begin(harness, 1)

    def write_others(at: int) -> None:
        if at == 1000:
            harness.put("another", b"x", OLD)
            harness.driver.abort_upload(harness.begin("third"))

    harness.driver.put("bucket", "slow", BytesBody(pattern(2000), step=1000, hook=write_others), NEW)

    harness.holds("slow", pattern(2000))
    assert [part.number for part in harness.driver.list_parts(upload).parts] == [1]
    assert not (home / ".storagekit-local" / "tmp").exists()


def test_abort_waits_for_nobody(harness: Harness, home: Path) -> None:
    upload = begin(harness, 1)

    def hook(at: int) -> None:
        if at == 0:
            harness.driver.abort_upload(upload)
            assert tree(home) == set()

    harness.refuses(Code.UPLOAD_GONE, harness.driver.put_part, upload, 2, BytesBody(b"x", hook=hook))
    assert tree(home) == set()
