"""Downloads to a file: what is kept, what is trusted, what is left."""

from __future__ import annotations

import errno
import fcntl
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from storagekit import _journal
from storagekit._clock import Cancel
from storagekit._draft import name_of, open_draft
from storagekit._leftovers import Leftovers
from storagekit._plan import Plan
from storagekit._retry import RetryPolicy
from storagekit._store import Store
from storagekit._window import Window
from storagekit.downloader import Downloader
from storagekit.driver import Code
from storagekit.errors import (
    ConfigurationError,
    ConflictError,
    IntegrityError,
    ObjectNotFoundError,
    PermissionDeniedError,
    ServiceError,
    SourceChangedError,
    TransferCancelled,
)
from storagekit.testing.faults import Call, FakeClock, fault
from storagekit.types import DownloadResult, ObjectInfo, Progress
from tests.engine.conftest import BUCKET, Service
from tests.engine.test_object_file import Watched, put

RANGE = 1000
COUNT = 20
DATA = random.Random(5).randbytes(RANGE * COUNT - 300)
GO_ON = "run again to go on"


@dataclass
class Scene:
    """An object of 20 ranges, a directory with a file to be, one worker so that ranges come in order."""

    driver: Watched
    directory: Path
    told: list[Progress] = field(default_factory=list)

    @property
    def target(self) -> Path:
        return self.directory / "f"

    def download(self, *, key: str = "k", memory: int = 4 * RANGE, workers: int = 1, **call: Any) -> DownloadResult:
        store = Store.of(self.driver, "memory", RetryPolicy(), FakeClock())
        self.told.clear()
        self.driver.ranges.clear()
        call = {"chunk_size": RANGE, "on_progress": self.told.append, **call}
        return Downloader(store, workers, Window(memory)).to_file(BUCKET, key, self.target, **call)

    def interrupt(self, at: int = 8, code: Code = Code.ACCESS_DENIED, **call: Any) -> None:
        """Fail at the range with number ``at``, all before it being there."""
        self.driver.service.fails(lambda c: fault(code) if c.operation == "read" and c.nth >= at else None)
        with pytest.raises((PermissionDeniedError, ServiceError)):
            self.download(**call)
        self.driver.service.heals()

    @property
    def fetched(self) -> list[int]:
        """Numbers of the ranges that the last download read."""
        return sorted(start // RANGE + 1 for start, _ in self.driver.ranges)

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.directory.iterdir())

    @property
    def draft(self) -> Path:
        [found] = [self.directory / name for name in self.files if "storagekit" in name and "journal" not in name]
        return found

    @property
    def journal(self) -> Path:
        return Path(f"{self.draft}.journal")


@pytest.fixture
def scene(service: Service, tmp_path: Path) -> Scene:
    put(service, "k", DATA)
    return Scene(Watched(service), tmp_path)


def every(number: int) -> list[int]:
    return list(range(number, COUNT + 1))


class TestGoingOn:
    def test_only_what_is_missing_is_fetched(self, scene: Scene) -> None:
        scene.interrupt(8)

        result = scene.download()

        assert (every(8), DATA, ["f"]) == (scene.fetched, scene.target.read_bytes(), scene.files)
        assert (True, 7 * RANGE, len(DATA) - 7 * RANGE) == (result.resumed, result.kept, result.fetched)

    def test_the_error_says_that_running_again_goes_on(self, scene: Scene) -> None:
        scene.driver.service.fails(lambda c: fault(Code.ACCESS_DENIED) if c.nth == 3 else None)

        with pytest.raises(PermissionDeniedError, match=GO_ON):
            scene.download()

    def test_gaps_are_filled(self, scene: Scene) -> None:
        """One range fails for good, the others go on: it is the only one that the next run fetches."""
        refused = 5

        def refuse(call: Call) -> Exception | None:
            return fault(Code.NETWORK) if scene.driver.ranges and scene.driver.ranges[-1][0] == 4 * RANGE else None

        scene.driver.service.fails(lambda c: refuse(c) if c.operation == "read" else None)
        with pytest.raises(ServiceError, match=GO_ON):
            scene.download()
        scene.driver.service.heals()

        result = scene.download()

        assert ([refused], RANGE) == (scene.fetched, result.fetched)
        assert scene.target.read_bytes() == DATA

    def test_progress_begins_with_what_is_kept(self, scene: Scene) -> None:
        scene.interrupt(8)

        scene.download()

        assert {len(DATA)} == {progress.total for progress in scene.told}
        done = [progress.done for progress in scene.told]
        assert done == sorted(done)
        assert (7 * RANGE, len(DATA)) == (scene.told[-1].kept, scene.told[-1].done)
        assert Progress(7 * RANGE, len(DATA), 7 * RANGE, 1, RANGE) in scene.told

    def test_progress_takes_back_what_is_read_again(self, scene: Scene) -> None:
        scene.driver.breaks = 3

        scene.download()

        assert (COUNT + 1, len(DATA)) == (len(scene.fetched), scene.told[-1].done)
        assert [2 * RANGE, 2 * RANGE + 100, 2 * RANGE, 3 * RANGE] == [p.done for p in scene.told[2:6]]

    def test_a_whole_draft_is_published_without_a_read(self, scene: Scene) -> None:
        """A directory took the target's name meanwhile: everything is there, and could not be renamed."""
        with pytest.raises(IsADirectoryError):
            scene.download(on_progress=lambda p: scene.target.mkdir() if p.done == len(DATA) else None)
        scene.target.rmdir()

        result = scene.download()

        assert ([], len(DATA), 0) == (scene.fetched, result.kept, result.fetched)
        assert (DATA, ["f"]) == (scene.target.read_bytes(), scene.files)

    def test_an_uninterrupted_download_is_not_resumed(self, scene: Scene) -> None:
        result = scene.download()

        assert (False, 0, len(DATA)) == (result.resumed, result.kept, result.fetched)
        assert ["f"] == scene.files

    def test_many_interruptions_fetch_each_range_once(self, scene: Scene) -> None:
        for first in range(1, 19, 3):
            scene.interrupt(4)
            assert [first, first + 1, first + 2, first + 3] == scene.fetched  # the last of them was refused

        assert 18 * RANGE == scene.download().kept
        assert every(19) == scene.fetched

    def test_ranges_of_an_earlier_run_are_kept_whatever_is_asked_for_now(self, scene: Scene) -> None:
        scene.interrupt(8)

        result = scene.download(chunk_size=3 * RANGE)

        assert (every(8), 7 * RANGE) == (scene.fetched, result.kept)

    def test_also_where_the_object_would_fit_one_range_now(self, scene: Scene) -> None:
        scene.interrupt(8)

        result = scene.download(chunk_size=None, memory=1024**2)

        assert (every(8), 7 * RANGE) == (scene.fetched, result.kept)

    def test_ranges_beyond_this_runs_memory_start_afresh(self, scene: Scene) -> None:
        scene.interrupt(8)

        result = scene.download(memory=RANGE // 2)

        assert (0, DATA, ["f"]) == (result.kept, scene.target.read_bytes(), scene.files)
        assert {RANGE // 2, len(DATA) % (RANGE // 2)} == {length for _, length in scene.driver.ranges}

    def test_a_cancelled_download_goes_on(self, scene: Scene) -> None:
        cancel = Cancel()
        with pytest.raises(TransferCancelled, match=GO_ON):
            scene.download(
                cancel=cancel, on_progress=lambda progress: cancel.set() if progress.done > 5 * RANGE else None
            )

        result = scene.download()

        assert (5 * RANGE, DATA) == (result.kept, scene.target.read_bytes())

    def test_what_is_kept_is_told_at_once_and_a_cancellation_seen(self, scene: Scene) -> None:
        scene.interrupt(8)
        cancel, kept = Cancel(), list[int]()

        def stop(progress: Progress) -> None:
            kept.append(progress.kept)
            if progress.kept:
                cancel.set()

        with pytest.raises(TransferCancelled, match=GO_ON):
            scene.download(cancel=cancel, on_progress=stop)

        assert ([], [7 * RANGE]) == (scene.fetched, kept)
        assert 7 * RANGE == scene.download().kept

    def test_an_interrupt_leaves_what_has_arrived(self, scene: Scene) -> None:
        def interrupt(progress: Progress) -> None:
            if progress.done > 5 * RANGE:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            scene.download(on_progress=interrupt)

        assert 5 * RANGE == scene.download().kept

    def test_a_full_disk_leaves_what_has_arrived(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        real = os.pwrite

        def full(file: int, data: memoryview, offset: int) -> int:
            if offset >= 6 * RANGE:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(file, data, offset)

        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", full)
            with pytest.raises(OSError) as caught:
                scene.download()

        assert errno.ENOSPC == caught.value.errno
        assert 6 * RANGE == scene.download().kept

    def test_a_write_that_takes_only_a_part_goes_on_behind_it(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = os.pwrite
        monkeypatch.setattr(os, "pwrite", lambda file, data, offset: real(file, data[:7], offset))

        scene.download(workers=3)

        assert scene.target.read_bytes() == DATA


class TestWhatIsNotTrusted:
    @pytest.mark.parametrize("number", [1, 4, 7])
    def test_a_range_whose_bytes_are_damaged_is_fetched_again(self, scene: Scene, number: int) -> None:
        scene.interrupt(8)
        with scene.draft.open("r+b") as file:
            file.seek((number - 1) * RANGE + 500)
            file.write(b"!")

        result = scene.download()

        assert ([number, *every(8)], 6 * RANGE) == (scene.fetched, result.kept)
        assert scene.target.read_bytes() == DATA

    def test_a_torn_last_line_is_not_counted(self, scene: Scene) -> None:
        """At every byte of it; and what is written next begins a line of its own."""
        for cut in range(1, 19):
            scene.interrupt(8)
            os.truncate(scene.journal, scene.journal.stat().st_size - cut)
            scene.interrupt(3)
            assert [7, 8, 9] == scene.fetched

            assert (8 * RANGE, DATA) == (scene.download().kept, scene.target.read_bytes())
            scene.target.unlink()

    @pytest.mark.parametrize(
        "text",
        [
            b"",
            b"\n",
            b"garbage",
            b"garbage\n1 0123456789abcdef\n",
            b"[" * 100_000 + b"\n",
            os.urandom(4096),
            b"\0" * 4096,
        ],
        ids=["empty", "newline", "word", "lines", "brackets", "noise", "zeros"],
    )
    def test_a_journal_that_is_none_starts_afresh(self, scene: Scene, text: bytes) -> None:
        scene.interrupt(8)
        scene.journal.write_bytes(text)

        result = scene.download()

        assert (0, DATA, ["f"]) == (result.kept, scene.target.read_bytes(), scene.files)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b'"schema": 1', b'"schema": 2'),
            (b'"etag": "', b'"etag": "0'),
            (b'"range": 1000', b'"range": 0'),
            (b'"range": 1000', b'"range": 999999999999999'),
            (b'"range": 1000', b'"range": 1e3'),
            (b'"size": 19700', b'"size": 19701'),
            (b"\n1 ", b"\n0 "),
            (b"\n1 ", b"\n21 "),
            (b"\n1 ", b"\n99999999999999999999 "),
            (b"\n1 ", b"\n-1 "),
            (b"\n1 ", b"\n 1 "),
            (b"\n1 ", b"\n1 x"),
            (b"\n1 ", b"\n\n1 "),
        ],
    )
    def test_a_journal_of_something_else_starts_afresh(self, scene: Scene, old: bytes, new: bytes) -> None:
        scene.interrupt(8)
        text = scene.journal.read_bytes()
        assert old in text
        scene.journal.write_bytes(text.replace(old, new, 1))

        result = scene.download()

        assert (0, DATA, ["f"]) == (result.kept, scene.target.read_bytes(), scene.files)

    @pytest.mark.parametrize("size", [0, len(DATA) - 1, len(DATA) + 1])
    def test_a_draft_of_another_size_starts_afresh(self, scene: Scene, size: int) -> None:
        scene.interrupt(8)
        os.truncate(scene.draft, size)

        assert (0, DATA) == (scene.download().kept, scene.target.read_bytes())

    def test_a_draft_without_a_journal_starts_afresh(self, scene: Scene) -> None:
        scene.interrupt(8)
        scene.journal.unlink()

        assert (0, DATA) == (scene.download().kept, scene.target.read_bytes())

    def test_the_last_word_on_a_range_counts(self) -> None:
        lines = b"1 0000000000000000\n2 1111111111111111\n1 2222222222222222\n"

        assert {1: "2222222222222222", 2: "1111111111111111"} == _journal.parse(lines, 2)

    def test_a_draft_that_is_a_link_is_not_written_through(self, scene: Scene, tmp_path_factory: Any) -> None:
        """Its name can be guessed, and directories are shared."""
        scene.interrupt(8)
        victim = tmp_path_factory.mktemp("elsewhere") / "victim"
        victim.write_bytes(b"mine")
        name = scene.draft
        name.unlink()
        name.symlink_to(victim)

        scene.download()

        assert (b"mine", DATA) == (victim.read_bytes(), scene.target.read_bytes())

    @pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
    def test_a_draft_that_is_no_file_is_not_used(self, scene: Scene, make: Callable[[Path], None]) -> None:
        scene.interrupt(8)
        name = scene.draft
        name.unlink()
        make(name)

        assert (0, DATA) == (scene.download().kept, scene.target.read_bytes())

    def test_a_draft_that_has_a_second_name_is_not_written_to(self, scene: Scene) -> None:
        """A writer that may not overwrite was killed between giving the target its name and taking the draft's."""
        scene.interrupt(8)
        os.link(scene.draft, scene.directory / "other")
        before = (scene.directory / "other").read_bytes()

        result = scene.download()

        assert (0, DATA, before) == (result.kept, scene.target.read_bytes(), (scene.directory / "other").read_bytes())
        assert ["f", "other"] == scene.files


class TestWhatIsLeft:
    def test_nothing_where_the_object_was_replaced(self, scene: Scene) -> None:
        def replace(call: Call) -> None:
            if call.operation == "read" and call.nth == 8:
                put(scene.driver.service, "k", b"!" * len(DATA))

        scene.driver.service.fails(replace)
        with pytest.raises(SourceChangedError) as caught:
            scene.download()

        assert [] == scene.files
        assert GO_ON not in str(caught.value)

    def test_nothing_either_where_the_server_does_not_look_at_the_condition(self, scene: Scene) -> None:
        scene.driver.ignores_if_match = True
        self.test_nothing_where_the_object_was_replaced(scene)

    def test_nothing_where_the_object_has_another_size_than_head_said(self, scene: Scene) -> None:
        scene.driver.total = len(DATA) + 1

        with pytest.raises(IntegrityError, match="HEAD said"):
            scene.download()

        assert [] == scene.files

    def test_nothing_where_the_object_was_deleted(self, scene: Scene) -> None:
        def delete(call: Call) -> None:
            if call.operation == "read" and call.nth == 8:
                scene.driver.service.memory.delete(BUCKET, "k")

        scene.driver.service.fails(delete)
        with pytest.raises(ObjectNotFoundError):
            scene.download()

        assert [] == scene.files

    def test_nothing_where_no_range_was_finished(self, scene: Scene) -> None:
        scene.interrupt(1)

        assert [] == scene.files

    def test_nothing_without_resume(self, scene: Scene) -> None:
        scene.interrupt(8, resume=False)

        assert [] == scene.files

    def test_without_resume_what_an_earlier_run_left_is_removed(self, scene: Scene) -> None:
        scene.interrupt(8)
        assert 2 == len(scene.files)

        result = scene.download(resume=False)

        assert (0, DATA, ["f"]) == (result.kept, scene.target.read_bytes(), scene.files)

    def test_drafts_of_another_version_are_removed(self, scene: Scene) -> None:
        scene.interrupt(8)
        put(scene.driver.service, "k", DATA[::-1])

        result = scene.download()

        assert (0, DATA[::-1], ["f"]) == (result.kept, scene.target.read_bytes(), scene.files)

    def test_drafts_of_other_targets_stay(self, scene: Scene) -> None:
        others = [".g.storagekit-0123456789ab", ".f.storagekit-notes", ".f.storagekit-ab.storagekit-0123456789ab"]
        for name in others:
            (scene.directory / name).touch()

        scene.download()

        assert sorted([*others, "f"]) == scene.files

    def test_one_client_lists_a_directory_once_and_remembers_what_it_leaves_itself(self, scene: Scene) -> None:
        store = Store.of(scene.driver, "memory", RetryPolicy(), FakeClock())
        client = Downloader(store, 1, Window(4 * RANGE))
        client.to_file(BUCKET, "k", scene.directory / "other", chunk_size=RANGE)
        scene.driver.service.fails(lambda c: fault(Code.ACCESS_DENIED) if c.operation == "read" and c.nth > 7 else None)
        with pytest.raises(PermissionDeniedError):
            client.to_file(BUCKET, "k", scene.target, chunk_size=RANGE)
        scene.driver.service.heals()
        foreign = scene.directory / ".f.storagekit-0123456789ab"
        foreign.touch()
        put(scene.driver.service, "k", DATA[::-1])

        client.to_file(BUCKET, "k", scene.target, chunk_size=RANGE)

        assert sorted([foreign.name, "f", "other"]) == scene.files
        scene.download()
        assert ["f", "other"] == scene.files

    def test_a_journal_without_a_draft_is_removed(self, scene: Scene) -> None:
        """Its writer was killed in the moment after the draft had become the target."""
        (scene.directory / ".f.storagekit-0123456789abcdef.journal").write_bytes(b"...")

        scene.download()

        assert ["f"] == scene.files

    def test_the_old_file_stays_whole_until_the_new_one_is(self, scene: Scene) -> None:
        scene.target.write_bytes(b"old")

        scene.interrupt(8)

        assert b"old" == scene.target.read_bytes()

    def test_what_replaces_a_private_file_is_private_from_the_start(self, scene: Scene) -> None:
        scene.target.touch(mode=0o600)

        scene.interrupt(8)
        assert 0o600 == scene.draft.stat().st_mode & 0o777
        scene.download()

        assert 0o600 == scene.target.stat().st_mode & 0o777

    def test_what_replaces_a_file_that_cannot_be_written_can_be_gone_on_with(self, scene: Scene) -> None:
        scene.target.touch()
        scene.target.chmod(0o444)

        scene.interrupt(8)
        assert 0o644 == scene.draft.stat().st_mode & 0o777
        scene.download()

        assert (0o444, DATA) == (scene.target.stat().st_mode & 0o777, scene.target.read_bytes())


class TestTwoWriters:
    def test_a_draft_that_is_shorter_than_it_was_is_not_taken_for_what_memory_held(self, tmp_path: Path) -> None:
        draft = open_draft(tmp_path / "f", tmp_path / ".f.storagekit-0123456789abcdef", Leftovers())
        os.ftruncate(draft.file, 10)
        try:
            assert [True, False] == [draft.read(0, memoryview(bytearray(length))) for length in (10, 11)]
        finally:
            draft.close()

    def test_who_has_lost_the_name_removes_nothing(self, tmp_path: Path) -> None:
        """The draft became the target, and another process has begun the next one under its name."""
        draft = open_draft(tmp_path / "f", tmp_path / ".f.storagekit-0123456789abcdef", Leftovers())
        draft.path.rename(draft.target)
        draft.path.write_bytes(b"another's")
        draft.remove()
        draft.close()

        assert b"another's" == draft.path.read_bytes()

    def test_while_one_lives_the_other_takes_a_draft_of_its_own(self, scene: Scene) -> None:
        scene.interrupt(8)
        draft, journal = scene.draft, scene.journal
        content = draft.read_bytes()
        with draft.open("rb") as live:
            fcntl.flock(live, fcntl.LOCK_EX)
            result = scene.download()

        assert (0, DATA) == (result.kept, scene.target.read_bytes())
        assert (content, True) == (draft.read_bytes(), journal.exists())

    def test_a_failing_one_leaves_the_others_draft_alone(self, scene: Scene) -> None:
        scene.interrupt(8)
        with scene.draft.open("rb") as live:
            fcntl.flock(live, fcntl.LOCK_EX)
            before = scene.files
            scene.interrupt(3)

        assert before == scene.files
        assert 7 * RANGE == scene.download().kept

    def test_two_at_once_both_succeed(self, scene: Scene) -> None:
        """The second runs from its start to its end in the middle of the first."""
        inner: list[DownloadResult] = []

        def another(progress: Progress) -> None:
            if progress.done > 5 * RANGE and not inner:
                inner.append(Scene(Watched(scene.driver.service), scene.directory).download())

        result = scene.download(on_progress=another)

        assert (False, False) == (result.resumed, inner[0].resumed)
        assert (DATA, ["f"]) == (scene.target.read_bytes(), scene.files)

    def test_where_there_are_no_locks_each_takes_a_draft_of_its_own(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unsupported(file: int, operation: int) -> None:
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

        monkeypatch.setattr(fcntl, "flock", unsupported)

        result = scene.download()

        assert (0, DATA) == (result.kept, scene.target.read_bytes())


class TestOverwriting:
    def test_a_target_that_exists_is_a_conflict_before_any_request(self, scene: Scene) -> None:
        scene.target.write_bytes(b"old")

        with pytest.raises(ConflictError) as caught:
            scene.download(overwrite=False)

        assert isinstance(caught.value, FileExistsError)
        assert (b"old", ["f"], []) == (scene.target.read_bytes(), scene.files, scene.driver.service.driver.calls[1:])

    def test_a_new_target_is_written(self, scene: Scene) -> None:
        scene.download(overwrite=False)

        assert (DATA, ["f"], 1) == (scene.target.read_bytes(), scene.files, scene.target.stat().st_nlink)

    def test_a_target_that_appears_meanwhile_is_a_conflict_and_what_has_arrived_is_kept(self, scene: Scene) -> None:
        with pytest.raises(ConflictError, match=GO_ON):
            scene.download(
                overwrite=False,
                on_progress=lambda p: scene.target.write_bytes(b"theirs") if p.done > 5 * RANGE else None,
            )
        assert b"theirs" == scene.target.read_bytes()

        result = scene.download()

        assert ([], len(DATA), DATA) == (scene.fetched, result.kept, scene.target.read_bytes())
        assert ["f"] == scene.files


class TestSizes:
    @pytest.mark.parametrize("size", [0, 1, RANGE - 1, RANGE, RANGE + 1, 3 * RANGE])
    @pytest.mark.parametrize("overwrite", [True, False])
    def test_every_size_arrives(self, scene: Scene, size: int, *, overwrite: bool) -> None:
        put(scene.driver.service, "k", DATA[:size])

        result = scene.download(workers=3, overwrite=overwrite)

        assert (DATA[:size], ["f"]) == (scene.target.read_bytes(), scene.files)
        assert (size, 0, size) == (result.size, result.kept, result.fetched)

    def test_an_empty_object_costs_no_read(self, scene: Scene) -> None:
        put(scene.driver.service, "k", b"")

        scene.download()

        assert [] == scene.driver.ranges

    def test_ranges_are_as_large_as_asked_and_never_larger_than_the_budget(self, scene: Scene) -> None:
        assert {700, len(DATA) % 700} == lengths(scene, chunk_size=700)
        assert {4 * RANGE, len(DATA) % (4 * RANGE)} == lengths(scene, chunk_size=1024**3)
        assert {4 * RANGE, len(DATA) % (4 * RANGE)} == lengths(scene, chunk_size=None)

    @pytest.mark.parametrize("size", [0, -1])
    def test_a_range_without_bytes_is_refused(self, scene: Scene, size: int) -> None:
        with pytest.raises(ConfigurationError, match="chunk_size"):
            scene.download(chunk_size=size)

    def test_the_longest_name_a_file_can_have_is_no_obstacle(self, scene: Scene) -> None:
        store = Store.of(scene.driver, "memory", RetryPolicy(), FakeClock())
        long = scene.directory / ("ü" * 127 + "x")

        Downloader(store, 1, Window(RANGE)).to_file(BUCKET, "k", long)

        assert ([long.name], DATA) == (scene.files, long.read_bytes())

    def test_workers_and_memory_are_what_progress_says(self, scene: Scene) -> None:
        scene.download(workers=8, memory=4 * RANGE)

        assert {(4, RANGE)} == {(progress.workers, progress.part_size) for progress in scene.told}


def lengths(scene: Scene, **call: Any) -> set[int]:
    scene.download(**call)
    return {length for _, length in scene.driver.ranges}


class TestDevices:
    def test_a_pipe_is_written_to_and_nothing_is_left_beside_it(self, scene: Scene) -> None:
        os.mkfifo(scene.target)
        reader = os.open(scene.target, os.O_RDONLY | os.O_NONBLOCK)
        try:
            result = scene.download()
            assert os.read(reader, 2 * len(DATA)) == DATA
        finally:
            os.close(reader)

        assert (["f"], True) == (scene.files, scene.target.is_fifo())
        assert (False, len(DATA)) == (result.resumed, result.fetched)


@pytest.mark.parametrize(
    ("backend", "bucket", "info"),
    [
        ("obs", "b", ObjectInfo("k", 1, "e")),
        ("minio", "c", ObjectInfo("k", 1, "e")),
        ("minio", "b", ObjectInfo("l", 1, "e")),
        ("minio", "b", ObjectInfo("k", 2, "e")),
        ("minio", "b", ObjectInfo("k", 1, "f")),
    ],
)
def test_every_version_of_every_object_has_a_draft_of_its_own(backend: str, bucket: str, info: ObjectInfo) -> None:
    path = Path("/somewhere/f")

    assert name_of(path, "minio", "b", ObjectInfo("k", 1, "e")) != name_of(path, backend, bucket, info)
    assert name_of(path, backend, bucket, info) == name_of(path, backend, bucket, info)


def test_the_bytes_are_on_the_disk_before_the_file_has_its_name(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    there: list[bool] = []
    real = os.fsync

    def noted(file: int) -> None:
        there.append(scene.target.exists())
        real(file)

    monkeypatch.setattr(os, "fsync", noted)

    scene.download()

    assert [False] == there


def test_a_journal_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    info = ObjectInfo("k", 10 * RANGE, 'an "etag" with ü and \n')
    journal = _journal.start(tmp_path / "j", info, Plan(info.size, RANGE))
    for number in (3, 1, 10):
        journal.add(number, f"{number:016x}")

    found = _journal.resume(tmp_path / "j", info, RANGE)

    assert journal == found
    assert 0o600 == (tmp_path / "j").stat().st_mode & 0o777
