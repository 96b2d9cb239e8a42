"""The kill runner and its triggers: real processes, real sockets, real files."""

from __future__ import annotations

import collections
import contextlib
import http.client
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storagekit.testing.http_source import SourceServer
from storagekit.testing.killing import (
    LOCAL_KINDS,
    S3_KINDS,
    AfterBytes,
    AfterChange,
    AfterRequest,
    AfterSeconds,
    Folder,
    Front,
    Moment,
    SourceServed,
    local_trigger,
    moments,
    run_until,
    s3_trigger,
)
from storagekit.testing.proxy import FaultProxy, TCPProxy, When, is_part, matches
from tests.engine.put_server import PutServer, Reply

NEVER = AfterSeconds(3600)


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-I", "-c", textwrap.dedent(code), *map(str, arguments)]


PUTS = """
    import http.client, sys
    for number in (1, 2, 3):
        connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=30)
        connection.request("PUT", f"/b/k?partNumber={number}&uploadId=u", bytes(100_000))
        print(number, connection.getresponse().status, flush=True)
        connection.close()
"""
"""Sends three parts of 100,000 bytes, and says what was answered."""


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    """In front of a server that reads each request to its end, and refuses it with 405."""
    with PutServer(lambda _: Reply(405)) as server, FaultProxy(server.url.removesuffix("/bucket/key")) as running:
        yield running


# The runner


def test_a_command_that_is_let_ends_by_itself() -> None:
    outcome = run_until(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"), NEVER)

    assert (False, False, 3) == (outcome.fired, outcome.killed, outcome.status)
    assert (b"out\n", b"err\n") == (outcome.out, outcome.err)


class BeforeTheStart:
    """Fires when it is armed."""

    @contextlib.contextmanager
    def armed(self, kill: Callable[[], object]) -> Iterator[None]:
        kill()
        yield


def test_a_trigger_may_fire_before_the_command_has_started() -> None:
    assert run_until(python("import time; time.sleep(60)"), BeforeTheStart()).killed


def test_the_whole_group_is_killed(tmp_path: Path) -> None:
    code = """
        import os, sys, time
        os.fork()
        open(f"{sys.argv[1]}/{os.getpid()}", "w").close()
        time.sleep(60)
    """

    outcome = run_until(python(code, tmp_path), AfterChange(tmp_path, ".", nth=2))

    assert outcome.killed
    children = [int(path.name) for path in tmp_path.iterdir()]
    assert 2 == len(children)
    assert all(ended(child) for child in children)


def ended(pid: int) -> bool:
    """No such process, or one that nobody has reaped yet. A kill takes effect a moment after it was sent."""
    for _ in range(1000):
        try:
            if Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        threading.Event().wait(0.005)
    return False


class Late:
    """Keeps the kill until it is asked for it."""

    def __init__(self) -> None:
        self.kills: list[Callable[[], object]] = []

    @contextlib.contextmanager
    def armed(self, kill: Callable[[], object]) -> Iterator[None]:
        self.kills.append(kill)
        yield


def test_a_command_that_has_ended_is_not_killed_afterwards() -> None:
    trigger = Late()
    outcome = run_until(python("pass"), trigger)

    trigger.kills[0]()  # by now its process id may be another's

    assert (False, 0) == (outcome.fired, outcome.status)


def test_what_neither_ends_nor_is_killed_is_ended_and_raised() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run_until(python("import time; time.sleep(60)"), NEVER, timeout=0.2)


def test_the_feed_is_standard_input_as_in_a_pipeline(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(1_000_000))

    outcome = run_until(
        python("import sys; print(len(sys.stdin.buffer.read()))"), NEVER, feed=["cat", str(tmp_path / "file")]
    )

    assert (0, b"1000000\n") == (outcome.status, outcome.out)


def test_an_endless_feed_ends_with_the_command_that_is_killed(tmp_path: Path) -> None:
    code = "import sys; sys.stdin.buffer.read(100); open(sys.argv[1] + '/read', 'w').close(); sys.stdin.buffer.read()"

    outcome = run_until(python(code, tmp_path), AfterChange(tmp_path, "read$"), feed=["yes"])

    assert outcome.killed


def test_the_environment_is_the_one_given() -> None:
    outcome = run_until(python("import os; print(os.environ['ONLY'])"), NEVER, environment={"ONLY": "this"})

    assert b"this\n" == outcome.out


# Triggers


@pytest.mark.parametrize(
    ("when", "upstream_status", "answered", "body_bytes"),
    [
        ("before forward", 0, [1], 0),
        ("in the body", 0, [1], 1_000),
        ("after forward, before answer", 405, [1], None),
    ],
)
def test_after_request_kills_at_the_nth_at_its_moment(
    proxy: FaultProxy, when: When, upstream_status: int, answered: list[int], body_bytes: int | None
) -> None:
    outcome = run_until(python(PUTS, proxy.port), AfterRequest(proxy, is_part(), 2, when, after=1_000))

    assert outcome.killed
    assert answered == [int(line.split()[0]) for line in outcome.out.splitlines()]
    assert proxy.wait_idle()
    assert [1, 2] == proxy.part_puts()
    second = proxy.exchanges[1]
    assert (0, upstream_status) == (second.status, second.upstream_status)
    assert body_bytes is None or body_bytes <= second.request_bytes
    assert [] == proxy.faults


def test_after_the_answer_the_answer_was_sent(proxy: FaultProxy) -> None:
    outcome = run_until(python(PUTS, proxy.port), AfterRequest(proxy, is_part(), 3, "after answer"))

    assert outcome.fired
    assert proxy.wait_idle()
    assert [405, 405, 405] == [exchange.status for exchange in proxy.exchanges]


def test_a_trigger_that_is_not_met_is_taken_back(proxy: FaultProxy) -> None:
    outcome = run_until(python(PUTS, proxy.port), AfterRequest(proxy, matches("GET", "never"), 1))

    assert (False, 0) == (outcome.fired, outcome.status)
    assert [] == proxy.faults


def test_after_bytes_is_exact(proxy: FaultProxy) -> None:
    with TCPProxy(proxy.host, proxy.port) as tcp:
        outcome = run_until(python(PUTS, tcp.port), AfterBytes(tcp, 123_456))
        tcp.close()

        assert outcome.killed
        assert 123_456 <= tcp.bytes_up < 200_500


def test_source_served_kills_whoever_reads_from_it() -> None:
    code = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1]).read()"
    with SourceServer(50_000_000, rate=50_000_000) as source:
        outcome = run_until(python(code, source.url), SourceServed(source, 5_000_000))

        assert outcome.killed
        assert 5_000_000 <= source.bytes_served < 20_000_000


def test_after_seconds_is_a_timer() -> None:
    outcome = run_until(python("import time; time.sleep(60)"), AfterSeconds(0.2))

    assert outcome.killed
    assert 0.2 <= outcome.seconds < 30


class TestAfterChange:
    def run(self, code: str, directory: Path, trigger: AfterChange) -> list[str]:
        """Run ``code`` below ``directory``, one step per line of standard output; the steps done when it was killed."""
        head = "import os, sys, time\nos.chdir(sys.argv[1])\ndef step(name):\n    print(name, flush=True)\n"
        outcome = run_until([sys.executable, "-I", "-c", head + textwrap.dedent(code), str(directory)], trigger)
        assert outcome.killed
        return outcome.out.decode().split()

    def test_the_nth_that_appears(self, tmp_path: Path) -> None:
        (tmp_path / "part.0").touch()
        code = """
            for number in range(1, 100):
                open(f"other.{number}", "w").close(); open(f"part.{number}", "w").close(); step(number)
                time.sleep(0.05)
        """
        assert 3 <= len(self.run(code, tmp_path, AfterChange(tmp_path, r"part\.\d+$", nth=3))) < 20

    def test_one_that_vanishes(self, tmp_path: Path) -> None:
        (tmp_path / "record").touch()
        code = "step('start'); time.sleep(0.1); step('gone'); os.unlink('record'); time.sleep(60)"
        assert ["start", "gone"] == self.run(code, tmp_path, AfterChange(tmp_path, "record", change="vanishes"))

    def test_one_that_is_replaced_appears(self, tmp_path: Path) -> None:
        (tmp_path / "key").write_text("old")
        (tmp_path / "new").write_text("new")
        code = "step('start'); time.sleep(0.1); os.rename('new', 'key'); time.sleep(60)"
        assert ["start"] == self.run(code, tmp_path, AfterChange(tmp_path, "key"))
        assert "new" == (tmp_path / "key").read_text()

    def test_one_that_grows(self, tmp_path: Path) -> None:
        code = """
            file = open("data", "wb", buffering=0)
            file.truncate(10_000_000)
            step('hole')
            for _ in range(100):
                file.write(bytes(100_000)); os.fsync(file); step('written'); time.sleep(0.02)
        """
        done = self.run(code, tmp_path, AfterChange(tmp_path, "data", bytes_on_disk=400_000))
        assert 3 <= done.count("written") < 90


# The plan


def test_the_same_seed_gives_the_same_plan_and_another_another() -> None:
    assert moments(7, 100, S3_KINDS) == moments(7, 100, S3_KINDS)
    assert moments(7, 100, S3_KINDS) != moments(8, 100, S3_KINDS)


def test_a_longer_plan_begins_with_the_shorter_one() -> None:
    assert moments(7, 10, S3_KINDS) == moments(7, 100, S3_KINDS)[:10]


def test_every_kind_occurs_equally_often() -> None:
    counts = collections.Counter(moment.kind for moment in moments(7, 10 * len(S3_KINDS), S3_KINDS))

    assert dict.fromkeys(S3_KINDS, 10) == counts


def test_the_plan_of_a_seed_is_the_same_on_every_python() -> None:
    first, second, *_ = moments("seed 1", 4, ["a", "b", "c"])

    assert "a (nth 1, fraction 0.556, side 10)" == str(first)
    assert "b (nth 1, fraction 0.598, side 5)" == str(second)


def test_every_kind_has_a_trigger(proxy: FaultProxy, tmp_path: Path) -> None:
    with TCPProxy(proxy.host, proxy.port) as tcp:
        front = Front(proxy, tcp, 1000, 100, 1.0)
        triggers = [s3_trigger(moment, front) for moment in moments(1, 5 * len(S3_KINDS), S3_KINDS)]
    folder = Folder(tmp_path, "key", 1000, 1.0)
    triggers += [local_trigger(moment, folder) for moment in moments(1, 5 * len(LOCAL_KINDS), LOCAL_KINDS)]

    for trigger in triggers:
        with trigger.armed(lambda: None):
            pass
    assert [] == proxy.faults


@pytest.mark.parametrize(
    ("kind", "requests", "fires_at"),
    [
        ("first request", ["GET /b/k", "HEAD /b/k"], 1),
        ("intent", ["PUT /b/.storagekit/uploads/d/t.json", "PUT /b/.storagekit/uploads/d/t.intent.json"], 2),
        ("record", ["PUT /b/.storagekit/uploads/d/t.intent.json", "PUT /b/.storagekit/uploads/d/t.json"], 2),
        ("intent gone", ["PUT /b/.storagekit/u/d/t.intent.json", "DELETE /b/.storagekit/u/d/t.intent.json"], 2),
        ("clean-up", ["DELETE /b/.storagekit/u/d/t.intent.json", "DELETE /b/.storagekit/u/d/t.json"], 2),
        ("created", ["GET /b/?uploads=", "POST /b/k?uploads="], 2),
        ("resume", ["GET /b/?uploads=", "GET /b/k?uploadId=u"], 2),
        ("lost complete", ["PUT /b/k?uploadId=u&partNumber=1", "POST /b/k?uploadId=u"], 2),
        ("drop", ["DELETE /b/k", "DELETE /b/k?uploadId=u"], 2),
        ("single put", ["PUT /b/.storagekit/u/d/t.json", "PUT /b/k"], 2),
    ],
)
def test_a_kind_is_its_request_and_no_other(proxy: FaultProxy, kind: str, requests: list[str], fires_at: int) -> None:
    moment = Moment(kind, nth=1, fraction=0.5, side=0)
    fired_at: list[int] = []
    with TCPProxy(proxy.host, proxy.port) as tcp:
        trigger = s3_trigger(moment, Front(proxy, tcp, 1000, 100, 1.0))
    with trigger.armed(lambda: fired_at.append(len(proxy.exchanges))):
        for request in requests:
            ask(proxy, *request.split())

    assert [fires_at] == fired_at


def ask(proxy: FaultProxy, method: str, target: str) -> None:
    connection = http.client.HTTPConnection(proxy.host, proxy.port, timeout=10)
    with contextlib.closing(connection), contextlib.suppress(ConnectionError):
        connection.request(method, target)
        connection.getresponse().read()
