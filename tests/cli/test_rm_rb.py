"""``rm -r``, ``rb`` and ``mb``: what is shown, asked and lost."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storagekit import StorageClient

Finished = subprocess.CompletedProcess[bytes]
Run = Callable[..., Finished]
KEYS = ("raw", "raw2/x", "tree/a", "tree/b/c", "tree/d")


@pytest.fixture
def client(tmp_path: Path) -> StorageClient:
    (tmp_path / "root/data").mkdir(parents=True)
    return StorageClient("local", "data", root=str(tmp_path / "root"))


@pytest.fixture
def filled(client: StorageClient) -> StorageClient:
    for key in KEYS:
        client.put_object(key, key.encode())
    return client


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def command(*arguments: str, answer: str | None = None) -> Finished:
        """Run the command; with an ``answer``, at a terminal where that has been typed."""
        ours, theirs = pty.openpty()
        try:
            if answer is not None:
                os.write(ours, answer.encode() + b"\n")
            return subprocess.run(
                [sys.executable, "-m", "storagekit", *arguments],
                env={**os.environ, "HOME": str(tmp_path), "STORAGEKIT_LOCAL_ROOT": str(tmp_path / "root")},
                cwd=tmp_path,
                stdin=subprocess.DEVNULL if answer is None else theirs,
                capture_output=True,
                timeout=120,
                check=False,
            )
        finally:
            os.close(ours)
            os.close(theirs)

    return command


def keys(client: StorageClient) -> tuple[str, ...]:
    return tuple(info.key for info in client.iter_objects())


def events(finished: Finished) -> list[dict[str, Any]]:
    return [json.loads(line) for line in finished.stdout.splitlines()]


class TestRemove:
    def test_several_objects_are_deleted(self, run: Run, filled: StorageClient) -> None:
        filled.create_bucket("other")
        finished = run("rm", "local://data/raw", "local://other/x", "local://data/tree/a")

        assert b"gone: local://data/raw\nnot there: local://other/x\ngone: local://data/tree/a\n" == finished.stdout
        assert ("raw2/x", "tree/b/c", "tree/d") == keys(filled)

    def test_a_prefix_is_not_said_to_be_gone(self, run: Run, filled: StorageClient) -> None:
        finished = run("rm", "local://data/tree")

        assert (2, b"") == (finished.returncode, finished.stdout)
        assert b"Add -r" in finished.stderr
        assert b"not there: local://data/nothing\n" == run("rm", "-r", "local://data/nothing").stdout

    def test_what_will_be_lost_is_shown_and_asked_for(self, run: Run, filled: StorageClient) -> None:
        refused = run("rm", "-r", "local://data/tree", answer="n")
        assert (1, KEYS) == (refused.returncode, keys(filled))
        assert b"note: tree/a\nnote: tree/b/c\nnote: tree/d\n" in refused.stderr
        assert b"Delete 3 objects, 20 B, below local://data/tree? [y/N]" in refused.stderr

        agreed = run("rm", "-r", "local://data/tree", answer="y")
        assert (0, ("raw", "raw2/x")) == (agreed.returncode, keys(filled))
        assert agreed.stdout.endswith(b"local://data/tree: 3 deleted, 20 B\n")

    def test_where_nobody_can_answer_nothing_is_deleted(self, run: Run, filled: StorageClient) -> None:
        for more in ((), ("--json",)):
            finished = run("rm", "-r", "local://data/tree", *more)
            assert (2, KEYS) == (finished.returncode, keys(filled))
            assert b"Add --yes" in finished.stderr + finished.stdout

    def test_yes_is_an_answer(self, run: Run, filled: StorageClient) -> None:
        finished = run("rm", "-r", "--yes", "local://data/raw", "local://data/tree/", "--json")

        assert ("raw2/x",) == keys(filled)
        results = [event for event in events(finished) if event["event"] == "result"]
        assert ["local://data/raw", 3] == [result["deleted"] for result in results]
        assert ["tree/a", "tree/b/c", "tree/d"] == [one["key"] for one in events(finished) if one["event"] == "object"]

    def test_a_dry_run_asks_and_deletes_nothing(self, run: Run, filled: StorageClient) -> None:
        many = run("rm", "-r", "--dry-run", "local://data")
        one = run("rm", "--dry-run", "local://data/raw", "local://data/typo")

        assert (0, 0, KEYS) == (many.returncode, one.returncode, keys(filled))
        assert b"would delete: tree/b/c\n" in many.stdout
        assert many.stdout.endswith(b"would delete 5 objects, 29 B\n")
        assert b"would delete: local://data/raw\nnot there: local://data/typo\n" == one.stdout

    def test_a_bucket_needs_r_and_a_missing_one_is_not_found(self, run: Run, filled: StorageClient) -> None:
        bare, missing = run("rm", "local://data"), run("rm", "-r", "--yes", "local://missing/")
        assert (2, True) == (bare.returncode, b"Add -r" in bare.stderr)
        assert (3, KEYS) == (missing.returncode, keys(filled))

    def test_nothing_below_is_nothing_lost(self, run: Run, filled: StorageClient) -> None:
        finished = run("rm", "-r", "local://data/typo/")
        assert (0, b"local://data/typo/: 0 deleted, 0 B\n") == (finished.returncode, finished.stdout)


class TestRemoveBucket:
    def test_an_empty_bucket_is_removed(self, run: Run, client: StorageClient) -> None:
        assert b"would remove local://data\n" == run("rb", "--dry-run", "local://data").stdout
        assert client.bucket_exists()
        assert b"removed local://data\n" == run("rb", "local://data").stdout
        assert not client.bucket_exists()

    @pytest.mark.parametrize("more", [(), ("--force",), ("--force", "--yes"), ("--dry-run",), ("--force", "--dry-run")])
    def test_a_missing_bucket_is_not_found(self, run: Run, client: StorageClient, more: tuple[str, ...]) -> None:
        assert 3 == run("rb", "local://missing", *more).returncode

    def test_what_is_in_it_is_only_deleted_by_force(self, run: Run, filled: StorageClient) -> None:
        for more in ((), ("--dry-run",)):
            finished = run("rb", "local://data", *more)
            assert (1, KEYS) == (finished.returncode, keys(filled))
            assert b"--force" in finished.stderr

    def test_force_shows_objects_and_uploads_and_asks(self, run: Run, filled: StorageClient) -> None:
        context = filled.init_upload("big", source_id="x")

        refused = run("rb", "--force", "local://data", answer="no")
        assert (
            b"Delete the bucket local://data with 5 objects, 29 B, and 1 unfinished upload, 0 B? [y/N]"
            in refused.stderr
        )
        assert (1, KEYS) == (refused.returncode, keys(filled))

        dry = run("rb", "--force", "--dry-run", "local://data")
        assert (0, KEYS) == (dry.returncode, keys(filled))
        assert b"would abort: upload of big\nwould remove local://data\n" in dry.stdout

        agreed = run("rb", "--force", "local://data", "--json", "--yes")
        assert (0, False) == (agreed.returncode, filled.bucket_exists())
        uploads = [event["upload_id"] for event in events(agreed) if event["event"] == "upload"]
        assert [context.record.upload_id] == uploads
        assert {"event": "result", "bucket": "data"} == events(agreed)[-1]


class TestMakeBucket:
    def test_a_dry_run_makes_none(self, run: Run, client: StorageClient) -> None:
        new, there = run("mb", "--dry-run", "local://new"), run("mb", "--dry-run", "local://data")
        assert (0, b"would make local://new\n", 1) == (new.returncode, new.stdout, there.returncode)
        assert not client.bucket_exists("new")
