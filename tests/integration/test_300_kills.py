"""Seeded kills at any moment of an upload, by triggers in the servers; then the same command runs to its end.

A round is one upload: one to three kills of the same command, each with a home of its own, and then the command once
more. Meanwhile two others have something unfinished at the same key, and both survive the clean-up: an upload with one
part by another tool (boto3; on ``local``, which has no other tool, the bare driver), and a live process of ours that
sends another source and is held up by its source's server. At the end it is let go, and it replaces the object; where
the upload that was begun last wins (OBS), it may say instead that it did not.

What is there is found out without our code: by the ``minio`` package, by boto3, by the file system.

``STORAGEKIT_TEST_KILLS`` is the number of kills over all backends, ``STORAGEKIT_TEST_KILL_SEED`` the seed, and
``STORAGEKIT_TEST_KILL_ROUND`` a single round to repeat, as a failure names it: ``minio-17``.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from storagekit.testing.http_source import SourceServer, pattern
from storagekit.testing.killing import LOCAL_KINDS, S3_KINDS, AfterSeconds, Moment, Outcome, SourceServed, run_until
from tests.integration.conftest import Sender, killed_at_the_end
from tests.integration.kill_places import KEY, Foreign, Place, open_place
from tests.integration.kill_rounds import Round, rounds

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(3600),
    pytest.mark.shows_secrets("another tool: it logs what it signs at DEBUG", only="the log of botocore"),
]

KILLS = int(os.environ.get("STORAGEKIT_TEST_KILLS", "45"))
"""300 in the session ``nox -s acceptance``. However few, every kind of moment has its turn on every backend."""
SEED = os.environ.get("STORAGEKIT_TEST_KILL_SEED", "1")
ONLY = os.environ.get("STORAGEKIT_TEST_KILL_ROUND", "")
AT_ONCE = 2  # rounds side by side: what two cores can do
SINGLE = 300_001  # bytes of an object that is one put
FIRST, OTHER = 1, 2  # seeds of the bytes that are sent, and of those of the live other upload


# --- the two others, and the source -----------------------------------------------------------------------------------


class LiveOther:
    """A process of ours that sends another source to the same key, held up after its first part by that source."""

    def __init__(self, place: Place, sender: Sender, size: int) -> None:
        self._gate, self._held = threading.Event(), threading.Event()
        self._place, self._sender, self._size = place, sender, size

    @contextlib.contextmanager
    def running(self) -> Iterator[LiveOther]:
        uri, part_size = self._sender.target.uri(KEY), self._place.part_size
        with SourceServer(self._size, name="other.bin") as source:
            source.change(pattern(OTHER, 0, self._size), etag='"other"')
            source.when_served(part_size + part_size // 2, self._hold)
            command = ["cp", source.url, uri, "--part-size", str(part_size), "--workers", "1", "--json"]
            with contextlib.ExitStack() as stack:
                self._process = stack.enter_context(killed_at_the_end(self._sender.start(*command)))
                stack.callback(self._gate.set)
                assert self._held.wait(60), "the other upload never got to its second part"
                yield self

    def _hold(self) -> None:
        self._held.set()
        self._gate.wait()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def finish(self) -> tuple[int, bytes]:
        """Let it go: its exit status, and what it wrote."""
        self._gate.set()
        out, err = self._process.communicate(timeout=120)
        return self._process.returncode, out + err


@contextlib.contextmanager
def opened(kind: str, data: bytes, directory: Path) -> Iterator[tuple[str, Sequence[str] | None, SourceServer | None]]:
    """What to write for SRC, the command that feeds standard input, and the source's server."""
    if kind == "url":
        with SourceServer(data, name="shard.bin") as server:
            yield server.url, None, server
        return
    path = directory / "shard.bin"
    path.write_bytes(data)
    yield (str(path), None, None) if kind == "file" else ("-", ["cat", str(path)], None)


# --- one round --------------------------------------------------------------------------------------------------------


@dataclass
class Report:
    """What became of a round."""

    round: Round
    kills: list[Moment] = field(default_factory=list)
    missed: list[Moment] = field(default_factory=list)
    """Moments that did not come: the command ended before."""
    problems: list[str] = field(default_factory=list)

    def expect(self, holds: bool, otherwise: str) -> None:
        self.problems += [] if holds else [otherwise]

    def __str__(self) -> str:
        kills = "; ".join([*map(str, self.kills), *(f"MISSED {moment}" for moment in self.missed)])
        head = f"{self.round.name} seed {SEED} ({self.round.source}, {self.round.workers} workers, others "
        head += f"{'first' if self.round.others_first else 'last'}, {'an older' if self.round.older else 'no'} object)"
        return "\n    ".join([f"{head}: {kills}", *self.problems])


class Player:
    """Plays one round in a bucket of its own."""

    def __init__(self, place: Place, planned: Round, directory: Path) -> None:
        self._place, self._round, self._directory = place, planned, directory
        self._target = place.target(directory)
        self._sender = Sender(self._target, directory / "homes")
        self._size = SINGLE if planned.single else place.size
        self._report = Report(planned)

    def play(self) -> Report:
        data = pattern(FIRST, 0, self._size)
        with opened(self._round.source, data, self._directory) as (source, feed, server), contextlib.ExitStack() as end:
            if self._round.older:
                self._place.put(self._target, b"older")
            if self._round.others_first:
                others = end.enter_context(self._others())
            command = self._command(source)
            self._kill(command, feed, server)
            if not self._round.others_first:
                others = end.enter_context(self._others())
            final = run_until(command, AfterSeconds(300), environment=self._sender.environment(), feed=feed)
            self._check(final, *others, hashlib.sha256(data).hexdigest())
        return self._report

    def _command(self, source: str) -> list[str]:
        options = ["--part-size", str(self._place.part_size), "--workers", str(self._round.workers), "--json"]
        return [sys.executable, "-m", "storagekit", "cp", source, self._target.uri(KEY), *options]

    def _kill(self, command: Sequence[str], feed: Sequence[str] | None, server: SourceServer | None) -> None:
        with self._place.behind(self._target) as front:
            for number, moment in enumerate(self._round.moments):
                # What was killed before left at least about a part to be sent.
                trigger = front.trigger(moment, self._place.part_size if number else self._size)
                if server is not None and isinstance(trigger, AfterSeconds) and moment.side % 2:
                    trigger = SourceServed(server, int(moment.fraction * self._place.part_size))
                environment = {**self._sender.environment(), **front.environment}
                outcome = run_until(command, trigger, environment=environment, feed=feed)
                front.settled()
                (self._report.kills if outcome.killed else self._report.missed).append(moment)
                if not outcome.killed:
                    self._report.expect(outcome.status == 0, f"a run that was let ended with {_told(outcome)}")
                    return

    @contextlib.contextmanager
    def _others(self) -> Iterator[tuple[Foreign, LiveOther, set[str]]]:
        """Both, and what is theirs in the bucket."""
        before = self._target.contents()
        foreign = self._place.foreign(self._target)
        with LiveOther(self._place, self._sender, self._place.size).running() as live:
            yield foreign, live, self._target.contents() - before

    def _check(self, final: Outcome, foreign: Foreign, live: LiveOther, theirs: set[str], digest: str) -> None:
        expect, target = self._report.expect, self._target
        expect(final.status == 0, f"the last run ended with {_told(final)}")
        expect(target.sha256(KEY) == digest, "the object is not what was sent")
        self._compare({KEY, *theirs}, "after the last run")
        expect(foreign.parts() == [1], f"the other tool's upload has the parts {foreign.parts()}")
        expect(live.alive, "the other upload of ours did not stay alive")
        self._check_other(live, foreign, digest)

    def _check_other(self, live: LiveOther, foreign: Foreign, digest: str) -> None:
        expect, target = self._report.expect, self._target
        status, told = live.finish()
        expect(status == 0, f"the other upload of ours ended with {status}: {told.decode()[-500:]}")
        other = hashlib.sha256(pattern(OTHER, 0, self._place.size)).hexdigest()
        loses = self._place.last_initiated_wins and b'"superseded_by": null' not in told
        expect(target.sha256(KEY) == (digest if loses else other), "the other upload of ours is not what it says it is")
        expect(foreign.parts() == [1], f"at the end the other tool's upload has the parts {foreign.parts()}")
        foreign.abort()
        self._compare({KEY}, "at the end")

    def _compare(self, expected: set[str], when: str) -> None:
        found = self._target.contents()
        self._report.expect(found <= expected, f"left over {when}: {sorted(found - expected)}")
        self._report.expect(found >= expected, f"lost {when}: {sorted(expected - found)}")


def _told(outcome: Outcome) -> str:
    return f"{outcome.status}: {(outcome.out + outcome.err).decode()[-800:]}"


# --- all rounds -------------------------------------------------------------------------------------------------------


class Match:
    """Plays rounds, two at a time, until there were enough kills."""

    def __init__(self, backend: str, place: Place, directory: Path, *, every_kind: bool) -> None:
        self._place, self._directory, self._every_kind = place, directory, every_kind
        found = (one for one in rounds(f"{SEED} {backend}", backend, place.kinds) if ONLY in ("", one.name))
        self._rounds = itertools.islice(found, 1) if ONLY else found
        self._lock = threading.Lock()
        self._under_way = 0
        self.reports: list[Report] = []

    def play(self, kills: int) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for future in [pool.submit(self._keep_playing, kills) for _ in range(AT_ONCE)]:
                future.result()

    def _keep_playing(self, kills: int) -> None:
        while (planned := self._take(kills)) is not None:
            directory = self._directory / planned.name
            directory.mkdir()
            try:
                report = Player(self._place, planned, directory).play()
            except Exception as error:  # noqa: BLE001  # whatever it is, it belongs to this round
                report = Report(planned, problems=[f"{type(error).__name__}: {error}"])
            self._keep(report)

    def _take(self, kills: int) -> Round | None:
        with self._lock:
            if not ONLY and self._enough(kills):
                return None
            planned = next(self._rounds, None)
            self._under_way += len(planned.moments) if planned else 0
            return planned

    def _enough(self, kills: int) -> bool:
        """So many, and each kind; six times as many where a kind does not come at all, which the test then says.

        A kill by what is seen in a directory can come too late: of those at a ``drop`` one in two does.
        """
        done = sum(len(report.kills) for report in self.reports) + self._under_way
        return done >= kills and (not self.never or done >= 6 * kills)

    @property
    def never(self) -> set[str]:
        """Kinds of moments that have not come yet, where each has to."""
        if not self._every_kind:
            return set()
        return set(self._place.kinds) - {moment.kind for report in self.reports for moment in report.kills}

    def _keep(self, report: Report) -> None:
        with self._lock:
            self._under_way -= len(report.round.moments)
            self.reports.append(report)
        if report.problems:
            print(report, flush=True)

    def table(self, backend: str) -> str:
        kills = Counter(moment.kind for report in self.reports for moment in report.kills)
        held = Counter(moment.kind for report in self.reports if not report.problems for moment in report.kills)
        missed = Counter(moment.kind for report in self.reports for moment in report.missed)
        rows = [f"{backend:8} {kind:16} {kills[kind]:5} {held[kind]:5} {missed[kind]:7}" for kind in self._place.kinds]
        rows += [f"{backend:8} {'all':16} {kills.total():5} {held.total():5} {missed.total():7}"]
        by_source = Counter({report.round.source: 0 for report in self.reports})
        for report in self.reports:
            by_source[report.round.source] += len(report.kills)
        rows += ["kills by source: " + ", ".join(f"{source} {count}" for source, count in sorted(by_source.items()))]
        return "\n".join([f"{'backend':8} {'moment':16} kills  held  missed", *rows])


FEW = ("rclone", "rgw")
"""A third of the kills there, of whatever kinds: a kill costs 3 s. None on moto, which dates every upload to 2010: one
that a kill left before it was recorded cannot be told from another tool's."""
BACKENDS = [name for name in ("local", "minio", "swift", "obs", "oss", *FEW) if ONLY.partition("-")[0] in ("", name)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_killed_at_any_moment_the_next_run_ends_it_and_leaves_nothing(
    request: pytest.FixtureRequest, backend: str, tmp_path: Path
) -> None:
    began = time.monotonic()
    with open_place(request, backend) as place:
        match = Match(backend, place, tmp_path, every_kind=backend not in FEW)
        match.play(KILLS // 9 if backend in FEW else KILLS // 3)
    print(f"\nseed {SEED}: {len(match.reports)} rounds in {time.monotonic() - began:.0f} s\n{match.table(backend)}")

    assert [] == [str(report) for report in match.reports if report.problems]
    assert ONLY or match.never == set()


@pytest.mark.parametrize("kinds", [LOCAL_KINDS, S3_KINDS])
def test_every_round_is_one_that_can_happen(kinds: Sequence[str]) -> None:
    planned = list(itertools.islice(rounds("seed", "backend", kinds), 500))

    for one in planned:
        names = [moment.kind for moment in one.moments]
        assert 1 <= len(names) <= 5, "three and what they need"
        assert names == sorted(names, key=kinds.index)
        assert 1 >= len({"completing", "lost complete", "completed"} & set(names))
        assert not one.single or names == ["single put"]
        assert "drop" not in names or "created" in names
    assert set(kinds) == {moment.kind for one in planned for moment in one.moments}
    assert {"url", "file", "stdin"} == {one.source for one in planned}
    assert len(planned) == len({one.name for one in planned})
    assert planned[:50] == list(itertools.islice(rounds("seed", "backend", kinds), 50))
