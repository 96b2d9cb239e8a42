"""What is decided in a recursive transfer, and the order in which a directory is walked."""

from __future__ import annotations

import errno
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagekit import errors
from storagekit._tree.files import Directory
from storagekit._tree.rules import (
    Parents,
    below,
    ends_everything,
    failure_of,
    name_problem,
    overlap,
    pair,
    same_time,
    time_ns,
)
from storagekit._tree.walk import walk
from storagekit.types import ObjectInfo

SEGMENT = st.text(st.sampled_from("ab-./~é😀 "), min_size=1, max_size=3)
KEYS = st.sets(st.lists(SEGMENT, min_size=1, max_size=4).map("/".join), max_size=20)
WHEN = datetime(2026, 3, 1, 12, 0, 5, 123456, tzinfo=timezone.utc)


def info(key: str, size: int = 1, modified: datetime | None = WHEN) -> ObjectInfo:
    return ObjectInfo(key, size, "etag", modified)


def in_order(keys: set[str]) -> list[str]:
    return sorted(keys, key=str.encode)


class TestPair:
    @given(KEYS, KEYS)
    def test_each_of_ours_meets_the_object_of_its_key(self, ours: set[str], theirs: set[str]) -> None:
        found = pair(in_order(ours), str.encode, map(info, in_order(theirs)))

        assert [(key, key if key in theirs else None) for key in in_order(ours)] == [
            (key, there.key if there else None) for key, there in found
        ]

    def test_no_more_of_the_listing_is_asked_for_than_is_needed(self) -> None:
        asked: list[str] = []

        def listing() -> Iterator[ObjectInfo]:
            for key in "abcdefgh":
                asked.append(key)
                yield info(key)

        pairs = pair(["b", "d"], str.encode, listing())

        assert ("b", info("b")) == next(pairs)
        assert ["a", "b"] == asked
        assert [("d", info("d"))] == list(pairs)
        assert ["a", "b", "c", "d"] == asked


class TestParents:
    @given(KEYS)
    def test_a_key_below_another_one_is_found_whatever_stands_between_them(self, keys: set[str]) -> None:
        parents = Parents()
        found = {key: parents.of(key) for key in in_order(keys)}

        assert {key: any(key.startswith(f"{one}/") for one in keys) for key in keys} == {
            key: parent is not None for key, parent in found.items()
        }
        assert all(parent is None or key.startswith(f"{parent}/") for key, parent in found.items())

    def test_only_beginnings_of_the_next_key_are_kept(self) -> None:
        parents = Parents()
        for number in range(1000):
            parents.of(f"{number:04}")
        assert ["0999"] == parents._open


class TestNames:
    @given(st.text(st.sampled_from("ab./\\\0~"), max_size=12))
    def test_a_name_that_is_taken_leads_below_the_directory(self, name: str) -> None:
        if name_problem(name) is None:
            path = os.path.normpath(f"/root/{name}")
            assert f"/root/{name}" == path, "and to itself, not to what another name leads to"
            assert "\0" not in name

    @pytest.mark.parametrize(
        "name",
        ["", "/etc/passwd", "../x", "a/../../x", "a/..", ".", "a/./b", "a//b", "a/", "nul\0", "a" * 256, "é" * 128],
    )
    def test_a_name_that_is_no_path_below_is_refused(self, name: str) -> None:
        assert name_problem(name) is not None

    def test_a_name_of_a_draft_is_refused_or_the_next_download_would_sweep_it(self) -> None:
        assert name_problem("a/.x.storagekit-0123456789abcdef") is not None
        assert name_problem(".x.storagekit-0123456789abcdef/a") is None

    @pytest.mark.parametrize("name", ["a\\b", "..a", "a..", "c:", "é" * 127, "a" * 255, "-rf", " "])
    def test_a_strange_name_is_taken(self, name: str) -> None:
        assert name_problem(name) is None

    def test_a_prefix_means_a_directory(self) -> None:
        assert ["", "raw/", "raw/"] == [below(""), below("raw"), below("raw/")]

    @pytest.mark.parametrize(
        ("one", "other", "answer"),
        [("a/", "a/", True), ("a/", "a/b/", True), ("", "a/", True), ("a/", "b/", False), ("a/", "a2/", False)],
    )
    def test_one_directory_lies_in_the_other(self, one: str, other: str, answer: bool) -> None:
        assert (answer, answer) == (overlap(one, other), overlap(other, one))


class TestTimes:
    def test_a_file_has_the_time_that_it_was_given(self) -> None:
        assert same_time(time_ns(WHEN), WHEN)
        assert not same_time(time_ns(WHEN) + 1000, WHEN)
        assert not same_time(time_ns(WHEN), WHEN + timedelta(seconds=1))

    def test_a_file_system_of_whole_seconds_cuts_the_time(self) -> None:
        assert same_time(time_ns(WHEN.replace(microsecond=0)), WHEN)

    def test_without_a_time_nothing_is_the_same(self) -> None:
        assert not same_time(0, None)


class TestErrors:
    @pytest.mark.parametrize(
        "error",
        [
            errors.CredentialsError("x"),
            errors.BucketNotFoundError("x"),
            errors.ConfigurationError("x"),
            errors.TransferCancelled("x"),
            OSError(errno.ENOSPC, "full"),
            MemoryError(),
            TypeError("a mistake"),
        ],
    )
    def test_what_no_other_object_survives_ends_everything(self, error: Exception) -> None:
        assert ends_everything(error)

    @pytest.mark.parametrize(
        "error",
        [
            errors.InvalidNameError("x"),
            errors.UnsupportedSourceError("x"),
            errors.ObjectNotFoundError("x"),
            errors.PermissionDeniedError("x"),
            errors.ServiceError("x"),
            errors.ChecksumError("x"),
            PermissionError(errno.EACCES, "no"),
        ],
    )
    def test_what_is_of_one_object_does_not(self, error: Exception) -> None:
        assert not ends_everything(error)

    def test_a_failure_says_class_code_and_sentence(self) -> None:
        mine, systems = errors.ObjectNotFoundError("gone"), PermissionError(errno.EACCES, "no", "/x")

        assert ("ObjectNotFoundError", "not_found", "gone") == tuple(failure_of("k", mine)[name] for name in WORDS)
        assert ("PermissionError", "EACCES") == tuple(failure_of("k", systems)[name] for name in WORDS[:2])


WORDS = ("error", "code", "message")


class TestWalk:
    @given(KEYS, st.integers(1, 5))
    def test_files_come_in_the_order_of_their_keys(self, keys: set[str], round_of: int) -> None:
        with tempfile.TemporaryDirectory() as root:
            made = {key for key in in_order(keys) if make(root, key)}

            found = list(walk(root, round_of))

        assert in_order(made) == [file.name for file in found]
        assert {None} >= {file.problem for file in found}

    def test_what_is_no_file_is_a_problem_and_is_not_opened(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)  # the name of a socket may have 107 bytes only
        os.mkfifo(tmp_path / "pipe")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("socket")
        (tmp_path / "device").symlink_to("/dev/null")
        (tmp_path / "nowhere").symlink_to("missing")
        (tmp_path / "self").symlink_to("self")
        (tmp_path / "file").write_text("x")
        Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9")).write_text("x")

        problems = {file.shown: file.problem for file in walk(str(tmp_path))}

        assert {
            "caf\\xe9": "has a name that is no UTF-8",
            "device": "is a device",
            "file": None,
            "nowhere": "is a link that leads nowhere",
            "pipe": "is a pipe",
            "self": "is a link that leads nowhere",
            "socket": "is a socket",
        } == problems

    def test_links_are_followed_and_a_loop_ends(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "a/file").write_text("x")
        (tmp_path / "link").symlink_to("a")
        (tmp_path / "a/up").symlink_to("..")
        (tmp_path / "name").symlink_to("a/file")

        found = {file.name: file.problem for file in walk(str(tmp_path))}

        loop = "is a link to a directory that it lies in"
        assert {"a/file": None, "a/up": loop, "link/file": None, "link/up": loop, "name": None} == found

    def test_what_killed_downloads_left_is_left_out(self, tmp_path: Path) -> None:
        for name in (".x.storagekit-0123456789abcdef", ".x.storagekit-0123456789abcdef.journal", "x"):
            (tmp_path / name).write_text("x")
        assert ["x"] == [file.name for file in walk(str(tmp_path))]

    def test_a_directory_that_cannot_be_read_is_a_problem(self) -> None:
        with tempfile.TemporaryDirectory() as root:
            Path(root).chmod(0o755)
            Path(root, "closed").mkdir(mode=0)
            with as_somebody():
                found = [(file.name, file.problem) for file in walk(root)]
        assert [("closed", "cannot be read: Permission denied")] == found


@contextmanager
def as_somebody() -> Iterator[None]:
    """Root reads every directory: so for a moment be nobody."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def make(root: str, key: str) -> bool:
    """Write a file, and tell whether it could have that name beside what is there."""
    if name_problem(key) is not None:
        return False
    path = Path(root, key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    except OSError:  # a file where a directory is needed, or the other way round
        return False
    return True


class TestDirectory:
    def test_a_link_that_leads_out_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "in").mkdir()
        (tmp_path / "in/out").symlink_to(tmp_path)
        (tmp_path / "in/file").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "in/real").mkdir()
        (tmp_path / "in/inside").symlink_to("real")
        directory = Directory(str(tmp_path / "in"))

        for name in ("out/x", "file"):
            with pytest.raises(errors.InvalidNameError, match="symbolic link"):
                directory.place(name)
        assert str(tmp_path / "in/inside/x") == directory.place("inside/x")

    def test_what_is_no_file_is_not_written_to(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "directory").mkdir()
        for name in ("pipe", "directory"):
            with pytest.raises(errors.ConflictError, match="no file"):
                Directory(str(tmp_path)).place(name)

    def test_a_file_is_no_directory(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        with pytest.raises(errors.ConfigurationError):
            Directory(str(tmp_path / "file"))

    def test_an_object_is_there_when_size_and_time_agree(self, tmp_path: Path) -> None:
        directory, path = Directory(str(tmp_path)), tmp_path / "x"
        path.write_text("x")
        assert not directory.has(str(path), info("x"))

        directory.stamp(str(path), info("x"))

        assert directory.has(str(path), info("x"))
        assert not directory.has(str(path), info("x", size=2))
        assert not directory.has(str(path), info("x", modified=WHEN + timedelta(microseconds=1)))
        assert not directory.has(str(tmp_path / "missing"), info("x"))
