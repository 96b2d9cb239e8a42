"""Downloads from URLs: in ranges where the server lets us, gone on with, proven; in order where it does not."""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storagekit import DownloadResult, Progress, RetryPolicy, download_from_url
from storagekit.client import Cancel
from storagekit.errors import (
    ConfigurationError,
    ConflictError,
    IntegrityError,
    NotFoundError,
    PermissionDeniedError,
    ServiceError,
    SourceChangedError,
    StorageError,
    TransferCancelled,
    UnsupportedSourceError,
)
from storagekit.testing.faults import FakeClock
from storagekit.testing.hostile.server import HostileServer
from storagekit.testing.hostile.wire import Answer
from storagekit.testing.http_source import Behaviour, SourceServer

RANGE = 64 * 1024
COUNT = 12
DATA = random.Random(7).randbytes(COUNT * RANGE - 1234)
SHA256 = hashlib.sha256(DATA).hexdigest()
Secret = Callable[[str], str]


@pytest.fixture
def source() -> Iterator[SourceServer]:
    with SourceServer(DATA) as server:
        yield server


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path / "here" / "shard.bin"


def signed(url: str, secret: Secret) -> str:
    return f"{url}?X-Amz-Credential={secret('credential')}&X-Amz-Signature={secret('signature')}"


def fetch(url: str, path: Path, **call: Any) -> DownloadResult:
    usual = {"clock": FakeClock(), "retry": RetryPolicy(attempts=3), "chunk_size": RANGE, "workers": 2}
    return download_from_url(url, path, **{**usual, **call})


def left(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir() if path != target)


def stop_at(source: SourceServer, target: Path, url: str, count: int, **call: Any) -> None:
    """Stop a download with one worker when ``count`` ranges are there."""
    cancel = Cancel()

    def look(progress: Progress) -> None:
        if progress.done - progress.kept > count * RANGE:
            cancel.set()

    with pytest.raises(TransferCancelled):
        fetch(url, target, workers=1, on_progress=look, cancel=cancel, **call)


# --- ranges -----------------------------------------------------------------------------------------------------------


def test_ranges_in_parallel_make_the_file(source: SourceServer, target: Path, secret: Secret) -> None:
    told: list[Progress] = []
    result = fetch(signed(source.url, secret), target, on_progress=told.append)

    assert DATA == target.read_bytes()
    assert ("", source.url, source.url, str(target)) == (result.bucket, result.key, result.uri, result.path)
    assert (len(DATA), 0, len(DATA), False) == (result.size, result.kept, result.fetched, result.resumed)
    assert (len(DATA), len(DATA), 2, RANGE) == (told[-1].done, told[-1].total, told[-1].workers, told[-1].part_size)
    assert [] == left(target)
    assert len(DATA) + 2 == source.bytes_served  # the first byte, and a last look at the last


def test_what_was_stopped_goes_on_also_with_a_url_that_was_signed_anew(
    source: SourceServer, target: Path, secret: Secret
) -> None:
    stop_at(source, target, signed(source.url, secret), 5)
    assert 2 == len(left(target))
    source.reset()

    result = fetch(signed(source.url, secret), target)

    assert (DATA, 5 * RANGE, True) == (target.read_bytes(), result.kept, result.resumed)
    assert len(DATA) - 5 * RANGE + 2 == source.bytes_served
    assert [] == left(target)


def test_nothing_that_is_left_holds_the_query(source: SourceServer, target: Path, secret: Secret) -> None:
    value = secret("signature")
    stop_at(source, target, f"{source.url}?Signature={value}", 3)
    for path in target.parent.iterdir():
        assert value.encode() not in path.name.encode() + path.read_bytes()
        assert b"Signature" not in path.name.encode() + path.read_bytes()


def test_another_version_is_not_gone_on_with(source: SourceServer, target: Path) -> None:
    stop_at(source, target, source.url, 5)
    source.change()
    assert 0 == fetch(source.url, target).kept
    assert [] == left(target)


def test_without_resume_nothing_is_kept(source: SourceServer, target: Path) -> None:
    stop_at(source, target, source.url, 5, resume=False)
    assert [] == left(target)
    stop_at(source, target, source.url, 5)
    assert 0 == fetch(source.url, target, resume=False).kept


def test_a_version_that_is_replaced_meanwhile_makes_no_file(source: SourceServer, target: Path) -> None:
    source.behaviour = Behaviour(change_after=5 * RANGE)
    with pytest.raises(SourceChangedError):
        fetch(source.url, target)
    assert not target.exists()
    assert [] == left(target)


def test_one_that_is_replaced_after_the_last_range_makes_no_file(source: SourceServer, target: Path) -> None:
    source.behaviour = Behaviour(change_after=len(DATA) + 1)
    with pytest.raises(SourceChangedError):
        fetch(source.url, target, workers=1)
    assert not target.exists()


@pytest.mark.parametrize("behaviour", [Behaviour(cut_after=1000, cut_times=5), Behaviour(storm_requests=2)])
def test_a_source_that_breaks_off_is_read_on(source: SourceServer, target: Path, behaviour: Behaviour) -> None:
    source.behaviour = behaviour
    fetch(source.url, target)
    assert DATA == target.read_bytes()
    assert len(DATA) + 2 == source.bytes_served  # no byte twice


def test_the_memory_bounds_the_ranges(source: SourceServer, target: Path) -> None:
    told: list[Progress] = []
    fetch(source.url, target, memory=RANGE // 2, on_progress=told.append)
    assert (DATA, 1, RANGE // 2) == (target.read_bytes(), told[-1].workers, told[-1].part_size)


@pytest.mark.parametrize("behaviour", [Behaviour(), Behaviour(ignore_range=True), Behaviour(chunked=True)])
def test_what_is_promised_is_proven(source: SourceServer, target: Path, behaviour: Behaviour) -> None:
    source.behaviour = behaviour
    assert fetch(source.url, target, verify=True, size=len(DATA), sha256=SHA256.upper()).verified
    target.unlink()
    for promise in ({"size": len(DATA) + 1}, {"size": len(DATA) - 1}, {"sha256": "0" * 64}):
        with pytest.raises(IntegrityError, match="promised"):
            fetch(source.url, target, **promise)
        assert not target.exists()
        assert [] == left(target)


def test_an_existing_file_stays_where_it_must_not_be_replaced(source: SourceServer, target: Path) -> None:
    target.write_text("mine")
    with pytest.raises(ConflictError):
        fetch(source.url, target, overwrite=False)
    assert ("mine", 0) == (target.read_text(), source.bytes_served)
    target.chmod(0o600)
    fetch(source.url, target)
    assert (DATA, 0o600) == (target.read_bytes(), stat.S_IMODE(target.stat().st_mode))


def test_a_directory_is_no_target(source: SourceServer, target: Path) -> None:
    with pytest.raises(ConfigurationError, match="directory"):
        fetch(source.url, target.parent)


@pytest.mark.parametrize("data", [b"", b"x"])
def test_the_smallest_objects(target: Path, data: bytes) -> None:
    with SourceServer(data) as source:
        assert len(data) == fetch(source.url, target, verify=True, sha256=hashlib.sha256(data).hexdigest()).size
    assert (data, []) == (target.read_bytes(), left(target))


# --- in order ---------------------------------------------------------------------------------------------------------

IN_ORDER = [
    Behaviour(ignore_range=True),
    Behaviour(ignore_range=True, chunked=True),
    Behaviour(etag="none", last_modified=False),
    Behaviour(etag="weak", last_modified=False),
    Behaviour(content_range_total="*"),
]


@pytest.mark.parametrize("behaviour", IN_ORDER)
def test_a_source_without_ranges_of_one_version_is_read_in_order(
    source: SourceServer, target: Path, behaviour: Behaviour
) -> None:
    source.behaviour = behaviour
    told: list[Progress] = []
    result = fetch(source.url, target, on_progress=told.append)
    assert (DATA, len(DATA), 0) == (target.read_bytes(), result.size, result.kept)
    assert (len(DATA), 1) == (told[-1].done, told[-1].workers)
    assert [] == left(target)


def test_one_that_breaks_off_is_begun_again(source: SourceServer, target: Path) -> None:
    source.behaviour = Behaviour(ignore_range=True, cut_after=3 * RANGE + 5, cut_times=2)
    told: list[Progress] = []
    fetch(source.url, target, on_progress=told.append)
    assert DATA == target.read_bytes()
    assert len(DATA) == max(progress.done for progress in told)


def test_one_that_breaks_off_again_and_again_makes_no_file(source: SourceServer, target: Path) -> None:
    source.behaviour = Behaviour(ignore_range=True, cut_after=RANGE, cut_times=None)
    with pytest.raises(ServiceError):
        fetch(source.url, target)
    assert not target.exists()
    assert [] == left(target)


def test_a_compressed_answer_is_decoded(target: Path) -> None:
    with HostileServer(lambda _: Answer(200, (("Content-Encoding", "gzip"),), gzip.compress(DATA))) as server:
        fetch(server.url, target, sha256=SHA256)
    assert DATA == target.read_bytes()


def test_a_body_that_closing_ends_needs_a_promise(target: Path) -> None:
    with HostileServer(lambda _: Answer(200, body=DATA, framing="close")) as server:
        with pytest.raises(UnsupportedSourceError, match="how long"):
            fetch(server.url, target)
        assert len(DATA) == fetch(server.url, target, size=len(DATA)).size
        with pytest.raises((ServiceError, IntegrityError)):
            fetch(server.url, target, size=len(DATA) + 1)


@pytest.mark.parametrize("behaviour", [Behaviour(), Behaviour(ignore_range=True)])
def test_a_pipe_gets_all_bytes_in_order(source: SourceServer, tmp_path: Path, behaviour: Behaviour) -> None:
    source.behaviour = behaviour
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.fork()
    if not reader:
        os._exit(0 if pipe.read_bytes() == DATA else 1)
    fetch(source.url, pipe)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(reader, 0)[1])


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error"),
    [(403, PermissionDeniedError), (404, NotFoundError), (503, ServiceError), (400, StorageError)],
)
def test_a_refusal_shows_no_query(target: Path, secret: Secret, status: int, error: type[StorageError]) -> None:
    with HostileServer(lambda _: Answer(status)) as server, pytest.raises(error) as caught:
        fetch(signed(server.url, secret), target)
    assert status == caught.value.context.status


def test_a_url_that_has_ended_is_said_to_have(target: Path, secret: Secret) -> None:
    with HostileServer(lambda _: Answer(403, (("Date", "Fri, 01 May 2026 12:00:00 GMT"),))) as server:
        url = f"{signed(server.url, secret)}&X-Amz-Date=20260501T100000Z&X-Amz-Expires=60"
        with pytest.raises(PermissionDeniedError, match="ended at 2026-05-01 10:01:00 UTC"):
            fetch(url, target)


def test_one_that_ends_in_the_middle_keeps_what_is_there(source: SourceServer, target: Path) -> None:
    def end(progress: Progress) -> None:
        if progress.done > 4 * RANGE:
            source.behaviour = Behaviour(storm_requests=1000, storm_status=403)

    with pytest.raises(PermissionDeniedError, match="go on"):
        fetch(source.url, target, workers=1, on_progress=end)
    source.behaviour = Behaviour()
    assert 4 * RANGE <= fetch(source.url, target).kept <= 5 * RANGE


def test_headers_go_along_and_no_password_of_netrc_beside_a_signature(
    target: Path, tmp_path: Path, secret: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password wrong\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with HostileServer(lambda _: Answer(200, body=DATA)) as server:
        fetch(signed(server.url, secret), target, headers={"X-Own": "x"})
        assert {("x", None)} == {(r.headers["x-own"], r.headers.get("authorization")) for r in server.requests}
