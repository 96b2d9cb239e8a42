"""The local driver: the conformance suite, and what only files have: inodes, links, other programs, odd names."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from storagekit.driver import Code
from storagekit.drivers import local
from storagekit.testing.conformance import BytesBody, DriverConformance, Harness, failure, pattern
from storagekit.types import ObjectPage, Upload, WriteOptions

PLAIN = WriteOptions()
OLD, NEW = WriteOptions("text/old", {"age": "old"}), WriteOptions("text/new", {"age": "new"})
PART = 10_000
KEY = "folder/key"


class TestLocal(DriverConformance):
    """The fixture ``harness`` above is all that the suite wants."""


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


def test_nothing_but_the_object_is_on_disk(harness: Harness, home: Path) -> None:
    harness.put("a/b/plain", b"x")
    harness.put("labelled", b"x", OLD)
    harness.put("labelled", b"y", NEW)
    begin(harness, 1)
    harness.driver.abort_upload(begin(harness, 1))

    harness.multipart("a/multipart", b"x")

    labels = {path for path in tree(home) if path.endswith(".json") and "/meta/" in path}
    assert {path for path in tree(home) if not path.startswith(".storagekit-local")} == {
        "a", "a/b", "a/b/plain", "a/multipart", "labelled",
    }  # fmt: skip
    assert len(labels) == 1
    for key in harness.listed():
        harness.driver.delete("bucket", key)
    for upload in harness.driver.list_uploads("bucket").uploads:
        harness.driver.abort_upload(Upload("bucket", upload.key, upload.id))
    assert tree(home) == set()


def test_failures_leave_nothing_on_disk(harness: Harness, home: Path) -> None:
    harness.put("a/b", b"x")
    before = tree(home)

    for body in (BytesBody(b"x", fail_at=0), BytesBody(b"x", lie_size=2)):
        with pytest.raises(Exception):  # noqa: B017
            harness.driver.put("bucket", "new/key", body, NEW)
    for key in ("a", "a/b/c"):
        harness.refuses(Code.CONFLICT, harness.driver.put, "bucket", key, BytesBody(b"x"), NEW)
        harness.refuses(Code.CONFLICT, harness.driver.create_upload, "bucket", key, NEW, None)

    assert tree(home) == before
    harness.holds("a/b", b"x")


def test_conflict_that_comes_up_during_the_upload(harness: Harness, home: Path) -> None:
    upload = begin(harness, 1)
    harness.put(f"{KEY}/below", b"x")

    parts = harness.driver.list_parts(upload).parts
    harness.refuses(Code.CONFLICT, harness.driver.complete_upload, upload, parts)

    harness.driver.delete("bucket", f"{KEY}/below")
    harness.driver.complete_upload(upload, parts)
    harness.holds(KEY, pattern(PART, 1))


def test_empty_directories_are_in_nobody_s_way(harness: Harness, home: Path) -> None:
    (home / "key" / "empty").mkdir(parents=True)
    (home / "other" / "deep" / "deeper").mkdir(parents=True)
    assert harness.driver.list("bucket", delimiter="/") == ObjectPage(())
    harness.put("other", b"x")
    harness.holds("other", b"x")


def test_files_of_other_programs_are_objects(harness: Harness, home: Path) -> None:
    harness.put(KEY, b"ours", OLD)
    (home / "placed").write_bytes(b"theirs")
    before = harness.head(KEY).etag

    (home / KEY).write_bytes(b"also theirs")

    harness.holds("placed", b"theirs")
    harness.holds(KEY, b"also theirs")
    assert harness.head(KEY).etag != before
    assert (harness.head(KEY).content_type, dict(harness.head(KEY).metadata)) == (None, {})
    harness.refuses(Code.PRECONDITION, harness.driver.read, "bucket", KEY, 0, None, before)
    harness.put(KEY, b"ours again", NEW)
    assert len([path for path in tree(home) if path.endswith(".json")]) == 1


@pytest.mark.parametrize("size", [50, 5000, 20_000])
def test_a_file_that_changes_while_it_is_read(harness: Harness, home: Path, size: int) -> None:
    harness.put("key", pattern(10_000))
    with harness.driver.read("bucket", "key") as reader:
        buffer = memoryview(bytearray(100))
        reader.readinto(buffer)
        (home / "key").write_bytes(pattern(size, seed=2))

        def drain() -> None:
            while reader.readinto(buffer):
                pass

        assert failure(harness.driver, drain).code is Code.INTEGRITY


def test_links(harness: Harness, home: Path, tmp_path: Path) -> None:
    """Links to files are followed, links to directories lead nowhere, whatever they point to."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(b"outside")
    (home / "file").symlink_to(tmp_path / "outside" / "file")
    (home / "dangling").symlink_to(tmp_path / "nothing")
    (home / "loop").symlink_to("loop")
    (home / "folder").symlink_to(tmp_path / "outside")

    assert harness.listed() == ["file"]
    harness.holds("file", b"outside")
    for key in ("dangling", "folder", "folder/file"):
        harness.refuses(Code.NOT_FOUND, harness.driver.head, "bucket", key)
        harness.refuses(Code.NOT_FOUND, harness.driver.read, "bucket", key)
    harness.refuses(Code.INVALID_NAME, harness.driver.put, "bucket", "folder/new", BytesBody(b"x"), PLAIN)
    harness.driver.delete("bucket", "folder/file")
    harness.put("file", b"ours")
    harness.driver.delete("bucket", "dangling")

    assert (tmp_path / "outside" / "file").read_bytes() == b"outside"
    assert not (home / "file").is_symlink()
    assert not (home / "dangling").is_symlink()
    assert tree(tmp_path / "outside") == {"file"}


def test_what_is_no_file_is_no_object(harness: Harness, home: Path) -> None:
    os.mkfifo(home / "pipe")
    assert harness.listed() == []
    harness.refuses(Code.NOT_FOUND, harness.driver.read, "bucket", "pipe")


def test_names_that_are_not_utf_8(harness: Harness, home: Path) -> None:
    name = b"latin-\xe9"
    with open(os.fsencode(home) + b"/" + name, "wb") as file:  # noqa: PTH123
        file.write(b"x")
    harness.put("key", b"x")

    assert harness.listed() == ["key"]
    odd = os.fsdecode(name)
    harness.refuses(Code.NOT_FOUND, harness.driver.head, "bucket", odd)
    harness.refuses(Code.INVALID_NAME, harness.driver.put, "bucket", odd, BytesBody(b"x"), PLAIN)
    harness.driver.delete("bucket", odd)
    harness.driver.delete("bucket", "key")
    harness.refuses(Code.BUCKET_NOT_EMPTY, harness.driver.delete_bucket, "bucket")


BAD_KEYS = ["", "/", "/etc/x", "..", "../x", "a/../../x", "a//b", "a/", "./a", "a/.", "nul\0", "s" * 256, "k/" * 600]


@pytest.mark.parametrize("key", [*BAD_KEYS, ".storagekit-local", ".storagekit-local/meta/x", ".StorageKit-Local/x"])
def test_no_key_leads_out_of_the_bucket(harness: Harness, tmp_path: Path, key: str) -> None:
    harness.put("inside", b"x", OLD)
    (tmp_path / "root" / "x").write_bytes(b"outside")
    before = tree(tmp_path)

    harness.refuses(Code.INVALID_NAME, harness.driver.put, "bucket", key, BytesBody(b"y"), PLAIN)
    harness.refuses(Code.INVALID_NAME, harness.driver.create_upload, "bucket", key, PLAIN, None)
    harness.refuses(Code.NOT_FOUND, harness.driver.head, "bucket", key)
    harness.refuses(Code.NOT_FOUND, harness.driver.read, "bucket", key)
    harness.driver.delete("bucket", key)
    if key:
        assert harness.driver.list("bucket", prefix=key) == ObjectPage(())

    assert tree(tmp_path) == before


@pytest.mark.parametrize("bucket", ["", ".", "..", "../root", "a/b", ".hidden", "nul\0", "bucket/folder"])
def test_no_bucket_leads_out_of_the_root(harness: Harness, tmp_path: Path, bucket: str) -> None:
    harness.put("folder/key", b"x")
    before = tree(tmp_path)

    harness.refuses(Code.INVALID_NAME, harness.driver.create_bucket, bucket)
    harness.refuses(Code.BUCKET_NOT_FOUND, harness.driver.list, bucket)
    harness.refuses(Code.BUCKET_NOT_FOUND, harness.driver.put, bucket, "key", BytesBody(b"x"), PLAIN)
    harness.refuses(Code.BUCKET_NOT_FOUND, harness.driver.delete_bucket, bucket)

    assert tree(tmp_path) == before


def test_reserved_keys_of_the_core_are_ordinary_here(harness: Harness) -> None:
    harness.put(".storagekit/uploads/x.json", b"{}")
    assert harness.listed() == [".storagekit/uploads/x.json"]


def test_listing_opens_only_what_it_must(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in "abcde":
        for number in range(3):
            harness.put(f"{folder}/{number}/key", b"x")
    opened: list[str] = []
    scan = os.scandir

    def record(path: str) -> object:
        opened.append(path.partition("/bucket/")[2])
        return scan(path)

    monkeypatch.setattr(os, "scandir", record)

    harness.driver.list("bucket", prefix="c/1")
    assert opened == ["c/", "c/1/"]
    opened.clear()
    harness.driver.list("bucket", start_after="d/1/x")
    assert opened == ["", "d/", "d/1/", "d/2/", "e/", "e/0/", "e/1/", "e/2/"]
    opened.clear()
    harness.driver.list("bucket", delimiter="/", start_after="c/2/x")
    assert opened == ["", "c/", "c/2/", "d/", "d/0/", "e/", "e/0/"]


def test_delete_bucket_takes_unfinished_uploads_along(harness: Harness, home: Path) -> None:
    upload = begin(harness, 1)
    (home / "empty" / "folder").mkdir(parents=True)
    harness.put("key", b"x", OLD)
    harness.refuses(Code.BUCKET_NOT_EMPTY, harness.driver.delete_bucket, "bucket")
    assert len(harness.driver.list_parts(upload).parts) == 1
    harness.driver.delete("bucket", "key")

    harness.driver.delete_bucket("bucket")

    assert not home.exists()
    harness.refuses(Code.BUCKET_NOT_FOUND, harness.driver.list_parts, upload)


def test_bucket_deleted_during_a_put(harness: Harness, home: Path) -> None:
    body = BytesBody(b"x", hook=lambda at: harness.driver.delete_bucket("bucket") if not at else None)
    harness.refuses(Code.BUCKET_NOT_FOUND, harness.driver.put, "bucket", KEY, body, NEW)
    assert not home.exists()


def test_damaged_labels_and_registrations_count_for_nothing(harness: Harness, home: Path) -> None:
    harness.put("key", b"x", OLD)
    upload = begin(harness, 1, 2)
    (labels,) = (home / ".storagekit-local" / "meta").rglob("*.json")
    labels.write_text("{")
    data_file(home, upload).with_name("1.part").write_text('{"number": 1, "size"')

    assert dict(harness.head("key").metadata) == {}
    assert [part.number for part in harness.driver.list_parts(upload).parts] == [2]
    harness.send(upload, 1, pattern(PART, 1))
    assert [part.number for part in harness.driver.list_parts(upload).parts] == [1, 2]


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (errno.EACCES, Code.ACCESS_DENIED, "denies"),
        (errno.ENOSPC, Code.REFUSED, "no space left on device"),
        (errno.EDQUOT, Code.REFUSED, "quota"),
        (errno.ENAMETOOLONG, Code.INVALID_NAME, "too long"),
        (errno.EMFILE, Code.THROTTLED, "open files"),
        (errno.EXDEV, Code.UNKNOWN, "device"),
    ],
)
def test_classify(harness: Harness, number: int, code: Code, words: str) -> None:
    understood = harness.driver.classify(OSError(number, os.strerror(number)))
    assert understood.code is code
    assert words in understood.detail


def test_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (spec,) = local.storagekit_drivers()
    monkeypatch.setenv("HOME", str(tmp_path))
    driver = spec.factory({"root": "~/made/on demand"})
    assert list(driver.list_buckets()) == []
    driver.create_bucket("bucket")
    assert list(driver.list_buckets()) == ["bucket"]
    assert (tmp_path / "made" / "on demand" / "bucket").is_dir()
