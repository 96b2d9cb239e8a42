"""The source server: what it serves, what it counts, and each way it misbehaves."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path

import pytest

from storagekit.testing.http_source import (
    Behaviour,
    BytesContent,
    FileContent,
    PatternContent,
    SourceProcess,
    SourceServer,
    parse_size,
    pattern,
)

SIZE = 300_000
DATA = pattern(1, 0, SIZE)
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever http_proxy says


@dataclass(frozen=True)
class Got:
    status: int
    headers: dict[str, str]
    body: bytes


def take(client: http.client.HTTPConnection, method: str = "GET", **headers: str) -> Got:
    client.request(method, "/object.bin?x=1", headers={name.replace("_", "-"): text for name, text in headers.items()})
    answer = client.getresponse()
    return Got(answer.status, {name.lower(): text for name, text in answer.getheaders()}, answer.read())


def get(source: SourceServer, method: str = "GET", **headers: str) -> Got:
    client = http.client.HTTPConnection(source.host, source.port, timeout=10)
    try:
        return take(client, method, **headers)
    finally:
        client.close()


def raw(source: SourceServer, request: bytes = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") -> bytes:
    """Everything until the server closes."""
    with socket.create_connection((source.host, source.port), timeout=10) as sock:
        sock.sendall(request)
        return b"".join(iter(lambda: sock.recv(65536), b""))


@pytest.fixture
def source() -> Iterator[SourceServer]:
    with SourceServer(DATA) as running:
        yield running


def test_pattern_is_the_same_however_it_is_read() -> None:
    content = PatternContent(SIZE, seed=1)
    assert content.read(0, SIZE) == DATA
    assert b"".join(content.read(at, 7919) for at in range(0, SIZE, 7919)) == DATA
    assert pattern(1, 65_530, 20) == DATA[65_530:65_550]
    assert content.read(SIZE - 5, 100) == DATA[-5:]
    assert content.read(SIZE, 1) == b""


def test_pattern_blocks_and_seeds_differ() -> None:
    content = PatternContent(1 << 40, seed=1)
    blocks = [content.read(at << 16, 1 << 16) for at in (0, 1, 2, 3, 65_552, 1 << 20)]
    assert len({block[:16] for block in blocks}) == len(blocks)
    assert len({block[16:] for block in blocks[:4]}) == 4
    assert pattern(2, 0, 64) != pattern(1, 0, 64)


def test_pattern_never_changes_between_versions() -> None:
    digest = hashlib.sha256(pattern(7, 12_345, 200_000)).hexdigest()
    assert digest == "1d4d141639a5c90e22be4efcb4b5aa3f4cce98eb36f2b391f8204a5d1916bbc2"


@pytest.mark.parametrize(
    ("text", "size"),
    [("65536", 65536), ("40MB", 40_000_000), ("40MiB", 40 << 20), ("1GiB", 1 << 30), ("1.5k", 1500), ("0", 0)],
)
def test_parse_size(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1", "1XB"])
def test_parse_size_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        parse_size(text)


def test_whole_content_and_headers(source: SourceServer) -> None:
    got = get(source)
    assert (got.status, got.body) == (200, DATA)
    assert got.headers["content-length"] == str(SIZE)
    assert got.headers["accept-ranges"] == "bytes"
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["etag"] == source.etag
    age = parsedate_to_datetime(got.headers["date"]) - parsedate_to_datetime(got.headers["last-modified"])
    assert 86_395 < age.total_seconds() < 86_460


def test_head_sends_the_same_headers_and_no_body(source: SourceServer) -> None:
    whole, head = get(source), get(source, "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert {**head.headers, "date": ""} == {**whole.headers, "date": ""}
    assert source.bytes_served == SIZE


@pytest.mark.parametrize(
    ("text", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=299999-", SIZE - 1, SIZE),
        ("bytes=-500", SIZE - 500, SIZE),
        ("bytes=-999999", 0, SIZE),
        ("bytes=100-999999", 100, SIZE),
    ],
)
def test_ranges(source: SourceServer, text: str, start: int, stop: int) -> None:
    got = get(source, Range=text)
    assert (got.status, got.body) == (206, DATA[start:stop])
    assert got.headers["content-range"] == f"bytes {start}-{stop - 1}/{SIZE}"
    assert got.headers["content-length"] == str(stop - start)


@pytest.mark.parametrize("text", ["bytes=300000-", "bytes=400000-500000", "bytes=-0"])
def test_unsatisfiable_ranges(source: SourceServer, text: str) -> None:
    got = get(source, Range=text)
    assert (got.status, got.headers["content-range"], got.body) == (416, f"bytes */{SIZE}", b"")


@pytest.mark.parametrize("text", ["bytes=5-1", "bytes=a-b", "lines=0-1", "bytes=0-1,5-6", "bytes=-"])
def test_ranges_to_ignore(source: SourceServer, text: str) -> None:
    assert get(source, Range=text).status == 200


def test_empty_content() -> None:
    with SourceServer(b"") as source:
        assert (get(source).status, get(source).body) == (200, b"")
        assert get(source, Range="bytes=0-").headers["content-range"] == "bytes */0"


def test_if_match_and_if_none_match(source: SourceServer) -> None:
    etag = source.etag
    assert get(source, If_Match=f'"other", {etag}').status == 200
    assert get(source, If_Match="*").status == 200
    assert get(source, If_Match='"other"', Range="bytes=0-9").status == 412
    assert get(source, If_Match="W/" + etag).status == 412
    assert get(source, If_None_Match=etag).status == 304
    assert get(source, If_None_Match="W/" + etag).status == 304
    assert get(source, If_None_Match='"other"').status == 200


def test_dates(source: SourceServer) -> None:
    modified = parsedate_to_datetime(source.last_modified).timestamp()
    earlier, later = (formatdate(modified + shift, usegmt=True) for shift in (-60, 60))
    assert get(source, If_Unmodified_Since=source.last_modified).status == 200
    assert get(source, If_Unmodified_Since=earlier).status == 412
    assert get(source, If_Modified_Since=later).status == 304
    assert get(source, If_Modified_Since=earlier).status == 200
    assert get(source, If_Modified_Since="yesterday").status == 200
    assert get(source, If_Unmodified_Since=earlier, If_Match=source.etag).status == 200


def test_if_range(source: SourceServer) -> None:
    assert get(source, Range="bytes=5-9", If_Range=source.etag).status == 206
    assert get(source, Range="bytes=5-9", If_Range='"other"').status == 200
    assert get(source, Range="bytes=5-9", If_Range=source.last_modified).status == 206
    assert get(source, Range="bytes=5-9", If_Range=formatdate(0, usegmt=True)).status == 200


def test_keep_alive_log_and_counter(source: SourceServer) -> None:
    client = http.client.HTTPConnection(source.host, source.port, timeout=10)
    for at in range(0, 1000, 100):
        take(client, Range=f"bytes={at}-{at + 49}", User_Agent="me")
    client.close()
    assert source.bytes_served == 500
    records = source.requests
    assert [record.range for record in records[:2]] == ["bytes=0-49", "bytes=100-149"]
    assert len({record.connection for record in records}) == 1
    first = records[0]
    assert (first.method, first.path, first.status, first.bytes_sent) == ("GET", "/object.bin?x=1", 206, 50)
    assert first.headers["user-agent"] == "me"
    source.reset()
    assert (source.bytes_served, source.requests) == (0, [])


def test_counter_is_exact_with_many_connections(source: SourceServer) -> None:
    threads = [threading.Thread(target=get, args=(source,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert source.bytes_served == 8 * SIZE == sum(record.bytes_sent for record in source.requests)


def test_counter_is_the_kernels_for_a_client_that_leaves() -> None:
    with SourceServer(1 << 30) as source:
        with socket.create_connection((source.host, source.port)) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            sock.recv(100)
        wait_for(lambda: source.requests[0].finished)
        assert source.bytes_served == source.requests[0].bytes_sent < 64 << 20


def wait_for(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_file_and_own_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    for content in (path, FileContent(path), BytesContent(DATA)):
        with SourceServer(content) as source:
            assert get(source, Range="bytes=70000-280000").body == DATA[70_000:280_001]


def test_file_that_shrinks_ends_the_connection(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    with SourceServer(path) as source:
        os.truncate(path, 1000)
        with pytest.raises(http.client.IncompleteRead) as caught:
            get(source)
        assert len(caught.value.partial) == 1000


def test_rate_limits_all_connections_together() -> None:
    with SourceServer(2_000_000, rate=4_000_000) as source:
        began = time.monotonic()
        threads = [threading.Thread(target=get, args=(source,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - began
    assert 0.85 < seconds < 5  # 4 MB at 4 MB/s, less the burst of 50 ms and the last piece


def test_rate_can_change_while_running() -> None:
    with SourceServer(1 << 20, rate=1000) as source:
        thread = threading.Thread(target=get, args=(source,))
        thread.start()
        time.sleep(0.1)
        assert source.bytes_served < 1000
        source.rate = None
        thread.join(timeout=10)
        assert source.bytes_served == 1 << 20


def test_trigger_fires_once_and_in_time() -> None:
    seen: list[int] = []
    with SourceServer(1 << 20) as source:
        source.when_served(300_000, lambda: seen.append(source.bytes_served))
        source.when_served(400_000, lambda: seen.append(-1)).cancel()
        get(source)
        get(source)
        assert len(seen) == 1
        assert 300_000 <= seen[0] < 300_000 + 65_536
        source.when_served(5, lambda: seen.append(5))
    assert seen[1:] == [5]


def test_refused_etag(source: SourceServer) -> None:
    source.behaviour = Behaviour(refuse_etag=True)
    assert get(source, If_Match=source.etag).status == 412
    assert get(source, Range="bytes=1-2", If_Range=source.etag).status == 200
    assert get(source, Range="bytes=1-2", If_Range=source.last_modified).status == 206
    assert get(source).headers["etag"] == source.etag


def test_ignored_range(source: SourceServer) -> None:
    source.behaviour = Behaviour(ignore_range=True)
    got = get(source, Range="bytes=5-9")
    assert (got.status, got.body) == (200, DATA)
    assert "accept-ranges" not in got.headers


def test_missing_and_weak_validators(source: SourceServer) -> None:
    source.behaviour = Behaviour(etag="none", last_modified=False)
    assert {"etag", "last-modified"}.isdisjoint(get(source).headers)
    assert get(source, If_Match=source.etag).status == 412
    source.behaviour = Behaviour(etag="weak")
    weak = get(source).headers["etag"]
    assert weak == "W/" + source.etag
    assert get(source, Range="bytes=5-9", If_Range=weak).status == 200
    assert get(source, If_Match=weak).status == 412
    assert get(source, If_None_Match=weak).status == 304


@pytest.mark.parametrize("total", [17, "*"])
def test_wrong_total(source: SourceServer, total: int | str) -> None:
    source.behaviour = Behaviour(content_range_total=total)
    assert get(source, Range="bytes=5-9").headers["content-range"] == f"bytes 5-9/{total}"


@pytest.mark.parametrize("content", [DATA, SIZE])
def test_change_after_bytes(content: bytes | int) -> None:
    with SourceServer(content, behaviour=Behaviour(change_after=100)) as source:
        first, second, third = get(source), get(source), get(source)
    assert first.headers["etag"] != second.headers["etag"] == third.headers["etag"]
    assert first.headers["last-modified"] != second.headers["last-modified"]
    assert len(first.body) == len(second.body) == SIZE
    assert all(first.body[at : at + 4096] != second.body[at : at + 4096] for at in range(0, SIZE, 4096))


def test_change_by_hand(source: SourceServer) -> None:
    source.change(b"new", etag="v2")
    assert (get(source).body, get(source).headers["etag"]) == (b"new", '"v2"')
    source.change_etag('"v3"')
    assert (get(source).body, get(source).headers["etag"]) == (b"new", '"v3"')


def test_cut_once(source: SourceServer) -> None:
    source.behaviour = Behaviour(cut_after=1234)
    with pytest.raises(http.client.IncompleteRead) as caught:
        get(source)
    assert caught.value.partial == DATA[:1234]
    assert get(source).body == DATA


def test_cut_every_time_but_not_shorter_answers(source: SourceServer) -> None:
    source.behaviour = Behaviour(cut_after=1000, cut_times=None)
    assert len(get(source, Range="bytes=0-999").body) == 1000
    for _ in range(3):
        with pytest.raises(http.client.IncompleteRead):
            get(source, Range="bytes=0-1000")


def test_cut_with_reset() -> None:
    with SourceServer(1 << 20, behaviour=Behaviour(cut_after=500_000, cut_reset=True)) as source:
        with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
            get(source)
        assert source.bytes_served == 500_000


def test_short_body(source: SourceServer) -> None:
    source.behaviour = Behaviour(short_by=10)
    head, _, body = raw(source).partition(b"\r\n\r\n")
    assert b"Content-Length: 300000" in head
    assert body == DATA[:-10]


def test_stall_and_delay(source: SourceServer) -> None:
    source.behaviour = Behaviour(stall_seconds=0.3, stall_after=1000)
    began = time.monotonic()
    with socket.create_connection((source.host, source.port), timeout=10) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: source.bytes_served == 1000)
        assert sock.recv(1)
        wait_for(lambda: source.bytes_served == SIZE)
    assert time.monotonic() - began >= 0.3
    source.behaviour = Behaviour(delay_seconds=0.2)
    began = time.monotonic()
    get(source)
    assert time.monotonic() - began >= 0.2


def test_closing_does_not_wait_for_a_stall() -> None:
    with SourceServer(DATA, behaviour=Behaviour(stall_seconds=3600)) as source:
        sock = socket.create_connection((source.host, source.port), timeout=10)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: source.requests)
        began = time.monotonic()
    assert time.monotonic() - began < 3
    sock.close()


def test_status_storm(source: SourceServer) -> None:
    source.behaviour = Behaviour(storm_requests=2, storm_status=429, storm_retry_after=7)
    first, second, third = get(source), get(source, "HEAD"), get(source)
    assert [first.status, second.status, third.status] == [429, 429, 200]
    assert first.headers["retry-after"] == "7"
    source.behaviour = Behaviour(storm_requests=1)
    got = get(source)
    assert got.status == 503
    assert "retry-after" not in got.headers


@pytest.mark.parametrize("short_by", [0, 5])
def test_chunked_without_length(source: SourceServer, short_by: int) -> None:
    source.behaviour = Behaviour(chunked=True, short_by=short_by)
    if short_by:
        with pytest.raises(http.client.IncompleteRead):
            get(source)
    else:
        got = get(source)
        assert "content-length" not in got.headers
        assert got.headers["transfer-encoding"] == "chunked"
        assert got.body == DATA
        assert get(source, Range="bytes=7-9").body == DATA[7:10]
    assert source.requests[0].bytes_sent == SIZE - short_by


def test_redirect_loop(source: SourceServer) -> None:
    source.behaviour = Behaviour(redirect_loop=True)
    got = get(source)
    assert (got.status, got.headers["location"]) == (302, source.url + "?x=1")


def test_content_encoding_lie(source: SourceServer) -> None:
    source.behaviour = Behaviour(content_encoding="gzip")
    got = get(source)
    assert (got.headers["content-encoding"], got.body) == ("gzip", DATA)


def test_refused_head_and_other_methods(source: SourceServer) -> None:
    source.behaviour = Behaviour(refuse_head=True)
    assert get(source, "HEAD").status == 405
    assert get(source).status == 200
    assert get(source, "PUT").status == 405


def test_control_endpoint(source: SourceServer) -> None:
    def control(**settings: object) -> dict[str, object]:
        data = json.dumps(settings).encode() if settings else None
        with DIRECT.open(source.control_url, data, timeout=10) as answer:
            status: dict[str, object] = json.load(answer)
        return status

    get(source, Range="bytes=0-9")
    status = control()
    assert (status["bytes_served"], len(source.requests)) == (10, 1)
    status = control(reset=True, seed=9, etag="e", rate="40MB", behaviour={"cut_after": 5})
    assert (status["bytes_served"], status["requests"], status["etag"]) == (0, [], '"e"')
    assert (source.rate, source.behaviour) == (40_000_000, Behaviour(cut_after=5))
    assert control(rate=None, behaviour={})["rate"] is None
    assert get(source).body == pattern(9, 0, SIZE)
    assert control(content_change=True)["etag"] != '"e"'
    with pytest.raises(urllib.error.HTTPError) as caught:
        control(colour="red")
    assert b"colour" in caught.value.read()
    caught.value.close()


def sleeper(group_file: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    group_file.write_text(str(process.pid))
    return process


def test_process_kills_a_group_at_the_mark(tmp_path: Path) -> None:
    group_file = tmp_path / "pgid"
    arguments = ("--size", "8MiB", "--seed", "3", "--kill-at", "2MiB", "--kill-pgid-file", str(group_file))
    with SourceProcess(*arguments) as source:
        victim = sleeper(group_file)
        assert source.announcement["pid"] == source.pid != os.getpid()
        with DIRECT.open(source.url, timeout=10) as answer:
            body = answer.read()
        assert victim.wait(timeout=10) == -signal.SIGKILL
        assert hashlib.sha256(body).digest() == hashlib.sha256(pattern(3, 0, 8 << 20)).digest()
        report = source.status()["kill"]
        assert report["pgid"] == victim.pid
        assert 2 << 20 <= report["bytes_served"] < (2 << 20) + 65_536
        victim = sleeper(group_file)
        source.configure(reset=True, kill_at=100, kill_pgid_file=str(group_file))
        with DIRECT.open(source.url, timeout=10) as answer:
            answer.read()
        assert victim.wait(timeout=10) == -signal.SIGKILL
        assert source.bytes_served == 8 << 20


def test_kill_spares_the_own_group(source: SourceServer, tmp_path: Path) -> None:
    group_file = tmp_path / "pgid"
    for text in ("0", "1", str(os.getpgrp()), "", "x"):
        group_file.write_text(text)
        source.kill_group_at(0, group_file)
        assert source.kill_report is not None
        assert "ValueError" in source.kill_report["error"]


def test_process_ends_with_its_standard_input() -> None:
    with SourceProcess("--size", "1") as source:
        assert source.process.stdin is not None
        source.process.stdin.close()
        assert source.process.wait(timeout=10) == 0


def test_process_that_cannot_start() -> None:
    with pytest.raises(RuntimeError, match="ended at once"):
        SourceProcess("--kill-at", "5")


def test_process_by_module_name() -> None:
    command = [sys.executable, "-m", "storagekit.testing.http_source", "--size", "1kB", "--name", "a.bin"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        announced = json.loads(process.stdout.readline())
        assert announced["pid"] == process.pid
        assert announced["url"].endswith("/a.bin")
        with DIRECT.open(announced["url"], timeout=10) as answer:
            assert answer.read() == pattern(0, 0, 1000)
        process.terminate()
        assert process.wait(timeout=10) == 0
