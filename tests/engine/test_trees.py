"""Recursive transfers in memory and on the local driver, with faults at single objects."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from storagekit import errors
from storagekit._clock import Cancel
from storagekit.driver import Code
from storagekit.testing.faults import fault
from storagekit.types import ObjectOutcome, TreeProgress
from tests.engine.trees_world import BUCKET, FILES, Pages, World, body, meet


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        (tmp_path / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "src" / name).write_bytes(data)
    return tmp_path / "src"


def content(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


class TestUpload:
    def test_what_lies_below_the_directory_lands_below_the_prefix(self, world: World, directory: Path) -> None:
        result = world.client().upload_tree(directory, "raw")

        assert ["raw/a.txt", "raw/a/b/c", "raw/a/d", "raw/z"] == world.names()
        assert (4, 0, 0, 10) == (result.copied, result.skipped, result.failed, result.bytes)

    @pytest.mark.parametrize("prefix", ["raw", "raw/", ""])
    def test_a_second_run_sends_nothing(self, world: World, directory: Path, prefix: str) -> None:
        world.client().upload_tree(directory, prefix)
        world.driver.calls.clear()

        result = world.client().upload_tree(directory, prefix)

        assert (0, 4, 0) == (result.copied, result.skipped, result.bytes)
        assert 0 == world.counted("put")

    def test_what_changed_is_sent_and_only_equal_sizes_are_looked_at(self, world: World, directory: Path) -> None:
        world.client().upload_tree(directory)
        (directory / "z").write_bytes(b"other length")
        (directory / "a/d").write_bytes(b"new")
        world.driver.calls.clear()

        result = world.client().upload_tree(directory)

        assert {"a/d", "z"} == {call.key for call in world.driver.operations("put")}
        assert {"a.txt", "a/b/c", "a/d"} == {call.key for call in world.driver.operations("head")}
        assert (2, 2) == (result.copied, result.skipped)

    @pytest.mark.parametrize("how", [{"resume": False}, {"restart": True}])
    def test_all_is_sent_again_where_it_is_asked_for(self, world: World, directory: Path, how: Any) -> None:
        world.client().upload_tree(directory)
        assert 4 == world.client().upload_tree(directory, **how).copied

    def test_a_dry_run_tells_and_writes_nothing(self, world: World, directory: Path) -> None:
        world.client().upload_tree(directory)
        (directory / "new").write_bytes(b"x")
        world.driver.calls.clear()
        said: list[ObjectOutcome] = []

        result = world.client().upload_tree(directory, dry_run=True, on_object=said.append)

        assert (1, 4) == (result.copied, result.skipped)
        assert {"list", "head"} == {call.operation for call in world.driver.calls}
        assert ["new"] == [one.key for one in said if one.did == "copied"]

    def test_one_failure_is_told_and_the_others_go_on(self, world: World, directory: Path) -> None:
        world.fails(Code.ACCESS_DENIED, "put", "a/d")
        said: list[ObjectOutcome] = []

        result = world.client(workers=1).upload_tree(directory, on_object=said.append)

        assert ["a.txt", "a/b/c", "z"] == world.names()
        assert (3, 1, 6 + 1) == (result.copied, result.failed, result.bytes)
        assert [("a/d", "PermissionDeniedError", "access_denied")] == [
            (one.key, one.error, one.code) for one in result.failures
        ]
        assert [result.failures[0]] == [one.failure for one in said if one.failure]

    def test_a_pipe_and_a_key_that_cannot_be_are_failures(self, world: World, directory: Path) -> None:
        os.mkfifo(directory / "pipe")
        (directory / ".storagekit").mkdir()
        (directory / ".storagekit/x").write_text("x")

        result = world.client().upload_tree(directory)

        assert {"pipe": "UnsupportedSourceError", ".storagekit/x": "InvalidNameError"} == {
            one.key: one.error for one in result.failures
        }
        assert 4 == result.copied

    def test_a_bucket_that_is_missing_ends_everything(self, world: World, directory: Path) -> None:
        with pytest.raises(errors.BucketNotFoundError):
            world.client().upload_tree(directory, bucket="missing")
        assert 0 == world.counted("put")

    def test_wrong_credentials_end_everything_at_the_first_object(self, world: World, directory: Path) -> None:
        world.fails(Code.BAD_CREDENTIALS, "put")
        with pytest.raises(errors.CredentialsError):
            world.client(workers=1).upload_tree(directory)
        assert 1 == world.counted("put")

    @pytest.mark.parametrize(
        ("code", "kind", "tries"),
        [(Code.SERVER, errors.ServiceError, 2), (Code.ACCESS_DENIED, errors.PermissionDeniedError, 1)],
    )
    def test_a_service_that_fails_for_four_in_a_row_ends_everything(
        self, world: World, tmp_path: Path, code: Code, kind: type[Exception], tries: int
    ) -> None:
        for number in range(20):
            (tmp_path / f"{number:02}").write_bytes(b"x")
        world.fails(code, "put")

        with pytest.raises(kind):
            world.client(workers=1).upload_tree(tmp_path)

        assert 4 * tries == world.counted("put")

    def test_forbidden_keys_are_only_failures_where_others_are_allowed(self, world: World, tmp_path: Path) -> None:
        names = [f"{number:02}" for number in range(20)]
        for name in names:
            (tmp_path / name).write_bytes(b"x")
        world.fails(Code.ACCESS_DENIED, "put", *names[1:])

        result = world.client(workers=1).upload_tree(tmp_path)

        assert (1, 19) == (result.copied, result.failed)

    @pytest.mark.parametrize("nth", [1, 2])
    def test_a_listing_that_fails_ends_everything(self, world: World, directory: Path, nth: int) -> None:
        world.client().upload_tree(directory)
        world.driver.calls.clear()
        world.driver.counts.clear()
        inner, world.driver.inner = world.driver.inner, Pages(world.driver.inner)
        world.driver.before = lambda call: (
            fault(Code.ACCESS_DENIED) if call.operation == "list" and call.nth == nth else None
        )

        with pytest.raises(errors.PermissionDeniedError) as caught:
            world.client().upload_tree(directory)

        world.driver.inner = inner
        assert ("list", BUCKET) == (caught.value.operation, caught.value.bucket)

    def test_several_files_are_under_way_at_once(self, world: World, directory: Path) -> None:
        (directory / "z").unlink()
        together = threading.Barrier(3, timeout=20)
        world.driver.before = lambda call: meet(call, together)

        assert 3 == world.client(workers=3).upload_tree(directory).copied, "each put waits for the two others"

    def test_progress_counts_objects_and_bytes(self, world: World, directory: Path) -> None:
        told: list[TreeProgress] = []
        world.client().upload_tree(directory, on_progress=told.append)

        assert TreeProgress(4, 10) == told[-1]
        assert sorted(one.objects for one in told) == [one.objects for one in told]

    def test_a_transfer_that_is_told_to_stop_stops(self, world: World, directory: Path) -> None:
        cancel = Cancel()
        with pytest.raises(errors.TransferCancelled):
            world.client(workers=1).upload_tree(directory, on_object=lambda _: cancel.set(), cancel=cancel)
        assert 1 == len(world.names())

    def test_the_error_of_a_listener_ends_it_and_is_raised(self, world: World, directory: Path) -> None:
        def broken(_: ObjectOutcome) -> None:
            raise BrokenPipeError

        with pytest.raises(BrokenPipeError):
            world.client().upload_tree(directory, on_object=broken)

    def test_a_source_that_is_no_directory_is_refused_before_any_request(self, world: World, directory: Path) -> None:
        world.driver.calls.clear()
        for path, kind in (("missing", errors.NotFoundError), ("z", errors.ConfigurationError)):
            with pytest.raises(kind):
                world.client().upload_tree(directory / path)
        assert [] == world.driver.calls

    def test_a_large_file_goes_on_where_it_stopped(self, world: World, tmp_path: Path) -> None:
        (tmp_path / "big").write_bytes(os.urandom(8 * 1024))
        options = {"part_size": 1024, "workers": 1}
        world.driver.before = lambda call: (
            fault(Code.BAD_CREDENTIALS) if call.operation == "put_part" and call.number == 5 else None
        )
        with pytest.raises(errors.CredentialsError):
            world.client(**options).upload_tree(tmp_path)
        world.fails(Code.SERVER, "nothing")

        assert 1 == world.client(**options).upload_tree(tmp_path).copied
        assert [5, 6, 7, 8] == [call.number for call in world.driver.operations("put_part")]


class TestDownload:
    def test_what_was_sent_comes_back_and_a_second_run_fetches_nothing(
        self, world: World, directory: Path, tmp_path: Path
    ) -> None:
        world.client().upload_tree(directory, "raw")
        world.put("raw2/x", "raw")

        first = world.client().download_tree("raw", tmp_path / "out")
        world.driver.calls.clear()
        second = world.client().download_tree("raw/", tmp_path / "out")

        assert FILES == content(tmp_path / "out")
        assert [(4, 0), (0, 4)] == [(one.copied, one.skipped) for one in (first, second)]
        assert {"list"} == {call.operation for call in world.driver.calls}

    def test_what_changed_on_either_side_is_fetched(self, world: World, directory: Path, tmp_path: Path) -> None:
        world.client().upload_tree(directory)
        world.client().download_tree("", tmp_path / "out")
        world.client().put_object("z", b"four")
        (tmp_path / "out/a.txt").write_bytes(b"!")
        (tmp_path / "out/a/d").unlink()

        result = world.client().download_tree("", tmp_path / "out")

        assert (3, 1) == (result.copied, result.skipped)
        assert {**FILES, "z": b"four"} == content(tmp_path / "out")

    def test_restart_fetches_all(self, world: World, directory: Path, tmp_path: Path) -> None:
        world.client().upload_tree(directory)
        world.client().download_tree("", tmp_path / "out")
        how: Any
        for how in ({"restart": True}, {"resume": False}):
            assert 4 == world.client().download_tree("", tmp_path / "out", **how).copied

    def test_a_dry_run_makes_nothing(self, world: World, directory: Path, tmp_path: Path) -> None:
        world.client().upload_tree(directory)
        assert 4 == world.client().download_tree("", tmp_path / "out", dry_run=True).copied
        assert not (tmp_path / "out").exists()

    def test_keys_that_lead_elsewhere_are_failures_and_nothing_is_written_outside(
        self, world: World, tmp_path: Path
    ) -> None:
        bad = ["p/../x", "p//etc/x", "p/a/../../y", "p/./z", "p/" + "l" * 256, "p/a//b"]
        for key in [*bad, "p/good"]:
            world.driver.inner.put(BUCKET, key, *body())
        world.driver.inner.put(BUCKET, "p/dir/", *body(b""))

        result = world.client().download_tree("p", tmp_path / "out/in")

        assert set(bad) == {one.key for one in result.failures}
        assert (1, 1) == (result.copied, result.markers)
        assert {"out/in/good": b"x"} == content(tmp_path)

    def test_an_object_and_keys_below_it_cannot_both_be_files(self, world: World, tmp_path: Path) -> None:
        world.put("p/a", "p/a-b", "p/a/b", "p/a/c/d", "p/b")

        results = [world.client().download_tree("p", tmp_path / "out") for _ in range(2)]

        assert [["p/a/b", "p/a/c/d"]] * 2 == [sorted(one.key for one in result.failures) for result in results]
        assert {"a": b"p/a", "a-b": b"p/a-b", "b": b"p/b"} == content(tmp_path / "out")

    def test_what_stands_in_the_way_is_a_failure(self, world: World, tmp_path: Path) -> None:
        world.put("dir", "file/x", "good", "link/x", "pipe")
        (tmp_path / "out/dir").mkdir(parents=True)
        (tmp_path / "out/file").write_text("mine")
        (tmp_path / "out/link").symlink_to(tmp_path)
        os.mkfifo(tmp_path / "out/pipe")

        result = world.client().download_tree("", tmp_path / "out")

        assert ["dir", "file/x", "link/x", "pipe"] == sorted(one.key for one in result.failures)
        assert {"out/file": b"mine", "out/good": b"good"} == content(tmp_path)

    def test_an_object_that_is_gone_meanwhile_is_a_failure(self, world: World, directory: Path, tmp_path: Path) -> None:
        world.client().upload_tree(directory)
        world.fails(Code.NOT_FOUND, "head", "z")

        result = world.client().download_tree("", tmp_path / "out")

        assert (3, ["ObjectNotFoundError"]) == (result.copied, [one.error for one in result.failures])


class TestCopy:
    def test_a_copy_keeps_what_is_below_and_a_second_run_copies_nothing(self, world: World, directory: Path) -> None:
        world.client().upload_tree(directory, "p")
        world.driver.inner.put(BUCKET, "p/dir/", *body(b""))

        first = world.client().copy_tree("p", "q")
        world.driver.calls.clear()
        second = world.client().copy_tree("p", "q")

        assert [f"q/{name}" for name in FILES] == [key for key in world.names() if key.startswith("q/")]
        assert [(4, 0, 1), (0, 4, 1)] == [(one.copied, one.skipped, one.markers) for one in (first, second)]
        assert 0 == world.counted("copy") + world.counted("put")

    def test_another_version_of_the_source_is_copied_again(self, world: World) -> None:
        world.put("p/x", "p/y")
        world.client().copy_tree("p", "q")
        world.client().put_object("p/x", b"new")

        result = world.client().copy_tree("p", "q")

        assert (1, 1) == (result.copied, result.skipped)
        assert b"new" == world.client().get_object("q/x")

    def test_to_another_service_the_bytes_pass_through_here(self, world: World, directory: Path) -> None:
        world.client().upload_tree(directory, "p")
        other = World()

        results = [other.client().copy_tree("p", source_client=world.client()) for _ in range(2)]

        assert sorted(FILES) == other.names()
        assert [(4, 0), (0, 4)] == [(one.copied, one.skipped) for one in results]

    @pytest.mark.parametrize(("source", "target"), [("p", "p"), ("p", "p/q"), ("p/q", "p"), ("", "p"), ("p", "")])
    def test_a_directory_is_not_copied_into_itself(self, world: World, source: str, target: str) -> None:
        world.put("p/q/x")
        with pytest.raises(errors.ConfigurationError, match="lie in each other"):
            world.client().copy_tree(source, target)
        world.client().create_bucket("other")
        world.client().copy_tree(source, target, bucket="other")


class TestDelete:
    def test_what_lies_below_is_deleted_and_nothing_else(self, world: World) -> None:
        world.put("raw", "raw/a", "raw/b/c", "raw2/x")
        world.driver.inner.put(BUCKET, ".storagekit/uploads/x", *body())

        assert ("raw/a", "raw/b/c") == world.client().tree_size("raw").first
        result = world.client().delete_tree("raw")

        assert (2, 0, 5 + 7) == (result.deleted, result.failed, result.bytes)
        assert ["raw", "raw2/x"] == world.names()
        assert 2 == world.client().delete_tree("").deleted
        assert [".storagekit/uploads/x"] == [info.key for info in world.driver.inner.list(BUCKET).objects]

    def test_a_dry_run_deletes_nothing(self, world: World) -> None:
        world.put("a", "b")
        said: list[ObjectOutcome] = []
        assert 2 == world.client().delete_tree("", dry_run=True, on_object=said.append).deleted
        assert ["a", "b"] == world.names() == [one.key for one in said]

    def test_more_than_a_page_is_deleted(self, world: World) -> None:
        world.driver.inner = Pages(world.driver.inner)
        world.put(*"abcde")
        assert (5, "a") == (world.client().tree_size().objects, world.client().tree_size().first[0])
        assert 5 == world.client().delete_tree("").deleted
        assert [] == world.names()

    def test_a_missing_bucket_is_an_error(self, world: World) -> None:
        for call in (world.client().delete_tree, world.client().tree_size):
            with pytest.raises(errors.BucketNotFoundError):
                call("", bucket="missing")
