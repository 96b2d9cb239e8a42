"""Files that hold secrets: who may read them is looked at, and they are written whole and for their owner alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from storagekit._private_file import expanded, objection, read, write
from storagekit.errors import ConfigurationError

FILE, DIRECTORY, PIPE = stat.S_IFREG | 0o600, stat.S_IFDIR | 0o700, stat.S_IFIFO | 0o600
ME, ROOT, OTHER = 1000, 0, 1001


@pytest.mark.parametrize(
    ("mode", "owner", "user", "problem"),
    [
        (FILE, ME, ME, None),
        (FILE, ROOT, ME, None),
        (FILE, ROOT, ROOT, None),
        (FILE, OTHER, ROOT, None),  # a container mounts the file of somebody else
        (FILE, OTHER, ME, "belongs to the user with the number 1001"),
        (DIRECTORY, ME, ME, "is no file"),
        (PIPE, ME, ME, "is no file"),
    ],
)
def test_whose_files_are_read(mode: int, owner: int, user: int, problem: str | None) -> None:
    assert problem == objection(mode, owner, user)


@pytest.mark.parametrize(
    ("mode", "exposed"),
    [(0o600, False), (0o400, False), (0o700, False), (0o640, True), (0o604, True), (0o620, True), (0o601, True)],
)
def test_a_file_that_others_can_read_or_change_is_told_apart(tmp_path: Path, mode: int, exposed: bool) -> None:
    path = tmp_path / "file"
    path.write_text("text")
    path.chmod(mode)

    found = read(path)

    assert found is not None
    assert ("text", exposed) == (found.text, found.exposed)
    assert found.advice == f"Run: chmod 600 {path}"


def test_the_mode_that_counts_is_that_of_the_file_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    (tmp_path / "file").chmod(0o644)
    (tmp_path / "link").symlink_to("file")

    found = read(tmp_path / "link")

    assert found is not None
    assert found.exposed


def test_a_missing_file_is_none_and_so_is_dev_null(tmp_path: Path) -> None:
    assert read(tmp_path / "nothing") is None
    assert read(Path(os.devnull)) is None


def test_what_is_no_file_is_an_error_and_waits_for_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(ConfigurationError, match="is no file"):
            read(path)
    with pytest.raises(ConfigurationError, match="cannot be read: Not a directory"):
        read(Path(__file__) / "below")


def test_a_file_that_is_not_utf_8_is_an_error_without_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b'secret_key = "hunter2\xff"')
    path.chmod(0o600)

    with pytest.raises(ConfigurationError, match=r"is not UTF-8 \(byte 21\)") as caught:
        read(path)

    assert caught.value.__cause__ is caught.value.__context__ is None


def test_the_repr_shows_nothing_of_the_text(tmp_path: Path) -> None:
    write(tmp_path / "file", "hunter2")
    assert "hunter2" not in repr(read(tmp_path / "file"))


def test_a_file_is_written_for_its_owner_alone_in_directories_that_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "file"
    umask = os.umask(0)
    try:
        write(path, "text")
    finally:
        os.umask(umask)

    assert (0o600, 0o700) == (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777)
    assert ["file"] == [one.name for one in path.parent.iterdir()]


def test_a_link_stays_one_and_the_file_behind_it_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to("kept/file")

    write(tmp_path / "link", "one")
    write(tmp_path / "link", "two")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "kept" / "file").read_text() == "two"


def test_a_file_that_cannot_be_replaced_is_left_as_it_is_and_no_draft_stays(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    (tmp_path / "file" / "inside").touch()

    with pytest.raises(ConfigurationError, match="is no file"):
        write(tmp_path / "file", "text")

    assert ["file"] == [one.name for one in tmp_path.iterdir()]


def test_a_file_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write(tmp_path / "file" / "below", "text")


@pytest.mark.parametrize("kind", ["pipe", "directory"])
def test_what_is_no_file_is_not_replaced_by_one(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "config.toml"
    os.mkfifo(path) if kind == "pipe" else path.mkdir()
    before = path.stat()

    with pytest.raises(ConfigurationError, match="is no file"):
        write(path, "[profiles.x]\n")

    assert (before.st_mode, before.st_ino) == (path.stat().st_mode, path.stat().st_ino)


def test_a_home_of_nobody_is_a_file_of_that_name() -> None:
    assert Path("~nobody-of-that-name/x") == expanded("~nobody-of-that-name/x")
    assert Path.home() / "x" == expanded("~/x")
