"""Conformance under threads: one driver object, many callers, old or new but never a mix."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import pytest

from storagekit.driver import Code
from storagekit.testing._conformance_base import PLAIN, Harness, drain, failure, pattern
from storagekit.types import Part, WriteOptions

T = TypeVar("T")

PATIENCE = 30.0  # seconds until a test that waits for another thread gives up


def together(calls: Iterable[Callable[[], T]]) -> list[T]:
    """Run the calls, each in a thread of its own, and return their results in order. Raises the first failure."""
    work = list(calls)
    with ThreadPoolExecutor(len(work)) as pool:
        futures = [pool.submit(call) for call in work]
        return [future.result(PATIENCE * 4) for future in futures]


def in_turns(calls: Sequence[Callable[[], T]], turn: int) -> list[T]:
    """Run two calls one after the other, in an even turn the first one first; return their results in order."""
    first = calls[turn % 2]()
    second = calls[1 - turn % 2]()
    return [second, first] if turn % 2 else [first, second]


class Gate:
    """A body hook that stops the reading at ``offset`` until ``open`` is called."""

    def __init__(self, offset: int) -> None:
        self.reached, self._opened, self._offset = threading.Event(), threading.Event(), offset

    def __call__(self, at: int) -> None:
        """Wait, where ``at`` is far enough into the body."""
        if at >= self._offset:
            self.reached.set()
            assert self._opened.wait(PATIENCE), "nobody opened the gate"

    def wait(self) -> None:
        """Wait until the body is read as far as the gate."""
        assert self.reached.wait(PATIENCE), "the body was not read"

    def open(self) -> None:
        """Let the body go on."""
        self._opened.set()


class RaceTests:
    """Each of these fails by chance only, so a failure is always worth a look."""

    def test_eight_threads(self, harness: Harness) -> None:
        def work(number: int) -> None:
            for turn in range(6):
                key, data = f"{number}/key{turn}", pattern(20_000, seed=100 * number + turn)
                etag = harness.put(key, data).etag
                assert harness.head(key).etag == etag
                assert harness.get(key) == data
                assert harness.listed(prefix=f"{number}/") == [key]
                harness.driver.delete(harness.bucket, key)
                harness.is_absent(key)

        together(partial(work, number) for number in range(8))
        assert harness.listed() == []

    def test_parts_from_eight_threads(self, harness: Harness) -> None:
        upload = harness.begin("key")
        data = {number: pattern(harness.part, seed=number) for number in range(1, 9)}

        parts = together(partial(harness.send, upload, number, data[number], step=1500) for number in data)

        harness.driver.complete_upload(upload, parts)
        harness.holds("key", b"".join(data.values()))

    def test_a_part_does_not_wait_for_another(self, harness: Harness) -> None:
        upload, data = harness.begin("key"), [pattern(harness.part, seed) for seed in (1, 2)]
        gate = Gate(2000)
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(partial(harness.send, upload, 1, data[0], step=2000, hook=gate))
            try:
                gate.wait()
                quick = harness.send(upload, 2, data[1])
                assert [part.number for part in harness.driver.list_parts(upload).parts] == [2]
            finally:
                gate.open()
            parts = [slow.result(PATIENCE), quick]
        harness.driver.complete_upload(upload, parts)
        harness.holds("key", b"".join(data))

    def test_two_threads_send_one_number(self, harness: Harness) -> None:
        for turn in range(5):
            upload = harness.begin("key")
            data = [pattern(harness.part, seed=2 * turn + number) for number in range(2)]
            last = harness.send(upload, 2, b"end")

            send = [partial(harness.send, upload, 1, d, step=500) for d in data]
            sent = together(partial(harness.attempt, partial(harness.steadily, one)) for one in send)

            winner = harness.driver.list_parts(upload).parts[0]
            refused = {part for part in sent if isinstance(part, Code)}
            assert refused == (set() if harness.replaces_parts else {Code.UNSUPPORTED})
            etags = [None if isinstance(part, Code) else part.etag for part in sent]
            assert winner.etag in etags
            harness.driver.complete_upload(upload, [winner, last])
            harness.holds("key", data[etags.index(winner.etag)] + b"end")

    def test_two_threads_put_one_key(self, harness: Harness) -> None:
        data = [pattern(50_000 + seed, seed) for seed in range(4)]
        for _ in range(5):
            puts = [partial(harness.steadily, partial(harness.put, "key", d)) for d in data]
            results = together(puts) if harness.atomic_puts else [put() for put in puts]
            present = harness.head("key").etag
            won = next(d for d, result in zip(data, results, strict=True) if result.etag == present)
            harness.holds("key", won)

    def test_readers_see_old_or_new(self, harness: Harness) -> None:
        versions = [pattern(150_000 + 1000 * seed, seed) for seed in range(3)]
        etags = {harness.put("key", data).etag: data for data in versions}
        done, seen, looks = threading.Event(), set[str](), [0, 0, 0]

        def read() -> tuple[str, int, bytes]:
            with harness.driver.read(harness.bucket, "key") as reader:
                return reader.etag, reader.total, drain(reader, 10_000)

        def look(reader_number: int) -> None:
            while not done.is_set():
                etag, total, data = harness.steadily(read)
                assert total == len(data)
                assert data in versions or not harness.atomic_puts
                seen.add(etag)
                looks[reader_number] += 1

        def overwrite() -> None:
            try:
                for turn in range(2000):
                    data = versions[turn % 3]
                    etags[harness.steadily(partial(harness.put, "key", data)).etag] = data
                    if turn >= 20 and min(looks) >= 10:
                        break
            finally:
                done.set()

        together([partial(overwrite), *(partial(look, number) for number in range(3))])

        assert min(looks) >= 10
        assert seen <= etags.keys()

    def test_labels_are_those_of_the_object(self, harness: Harness) -> None:
        done = threading.Event()

        def overwrite() -> None:
            try:
                for turn in range(100):
                    labels = WriteOptions(metadata={"size": str(turn % 4)})
                    harness.steadily(partial(harness.put, "key", bytes(turn % 4), labels))
            finally:
                done.set()

        def look() -> None:
            while not done.is_set():
                info = harness.steadily(partial(harness.head, "key"))
                assert dict(info.metadata) == {"size": str(info.size)} or not harness.atomic_puts

        harness.put("key", b"", WriteOptions(metadata={"size": "0"}))
        together([overwrite, look, look])

    def test_a_put_shows_nothing_before_its_end(self, harness: Harness) -> None:
        harness.put("key", b"old")
        gate, data = Gate(4000), pattern(8000)
        body = harness.body(data, step=4000, hook=gate)

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(harness.driver.put, harness.bucket, "key", body, PLAIN)
            try:
                gate.wait()
                harness.holds("key", b"old")
                assert harness.listed() == ["key"]
            finally:
                gate.open()
            assert writing.result(PATIENCE).etag == harness.head("key").etag
        harness.holds("key", data)

    def test_abort_while_a_part_is_sent(self, harness: Harness) -> None:
        upload, gate = harness.begin("key"), Gate(500)

        def send() -> Part | Code:
            call = partial(harness.send, upload, 1, pattern(harness.part), step=500, hook=gate)
            return failure(harness.driver, call).code if harness.abort_stops_parts else harness.attempt(call)

        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(send)
            try:
                gate.wait()
                harness.driver.abort_upload(upload)
            finally:
                gate.open()
            outcome = sending.result(PATIENCE)

        assert isinstance(outcome, Part) or outcome is harness.gone("put_part")
        harness.refuses(Code.UPLOAD_GONE, harness.driver.list_parts, upload)
        harness.is_absent("key")

    def test_one_of_two_completes_wins(self, harness: Harness) -> None:
        for turn in range(5):
            self._complete_four_times(harness, f"key{turn}")

    def _complete_four_times(self, harness: Harness, key: str) -> None:
        upload, data = harness.begin(key), pattern(harness.part)
        part = harness.send(upload, 1, data)

        complete = partial(harness.attempt, partial(harness.driver.complete_upload, upload, [part]))
        answers = together([complete] * 4) if harness.atomic_puts else [complete() for _ in range(4)]

        etags = {answer.etag for answer in answers if not isinstance(answer, Code)}
        assert all(harness.has_lost(answer) for answer in answers if isinstance(answer, Code))
        assert len(etags) == 1
        assert (etags == {harness.head(key).etag}) == harness.completes_have_one_etag
        harness.holds(key, data)

    @pytest.mark.parametrize("in_parts", [False, True])
    def test_neighbours_come_and_go(self, harness: Harness, in_parts: bool) -> None:  # noqa: FBT001  # pytest's
        """Where a folder comes with its first key and goes with its last, another writer may be about to use it."""

        def work(number: int) -> None:
            for turn in range(6):
                key, data = f"a/b/c/{number}", b"%d %d" % (number, turn)
                harness.steadily(partial(harness.multipart if in_parts else harness.put, key, data))
                assert harness.get(key) == data
                harness.driver.delete(harness.bucket, key)

        writers = [partial(work, number) for number in range(8)]
        if harness.keeps_what_is_above:
            together(writers)
        else:
            for write in writers:
                write()
        assert harness.listed() == []

    def test_complete_or_abort(self, harness: Harness) -> None:
        for turn in range(8):
            key = f"key{turn}"
            upload, data = harness.begin(key), pattern(harness.part)
            part = harness.send(upload, 1, data)
            if turn % 2 and harness.driver.limits.sparse_complete:
                harness.send(upload, 2, b"left out")

            complete = partial(harness.driver.complete_upload, upload, [part])
            abort = partial(harness.driver.abort_upload, upload)
            calls = [partial(harness.attempt, call) for call in (complete, abort)]
            outcome = (together(calls) if harness.one_or_the_other else in_turns(calls, turn))[0]

            if isinstance(outcome, Code):
                assert harness.has_lost(outcome)
                harness.is_absent(key)
            else:
                harness.holds(key, data)
            assert harness.pending(key) == set()

    def test_a_part_is_replaced_while_the_upload_completes(self, harness: Harness) -> None:
        """The object has the part that the complete names, whole, or the complete says that it is another by now."""
        for turn in range(4):
            key, data = f"key{turn}", [pattern(harness.part, seed=2 * turn + number) for number in range(2)]
            upload = harness.begin(key)
            old = harness.send(upload, 1, data[0])

            replace = partial(harness.attempt, partial(harness.send, upload, 1, data[1], step=1000))
            complete = partial(harness.attempt, partial(harness.driver.complete_upload, upload, [old]))
            calls: list[Callable[[], object]] = [replace, complete]
            sent, completed = together(calls) if harness.forgets_completed else in_turns(calls, 0)

            if isinstance(completed, Code):
                assert completed is Code.PART_INVALID or (completed is Code.SERVER and not harness.tells_losers)
                assert isinstance(sent, Part)
                assert harness.replaces_parts
                harness.driver.complete_upload(upload, [sent])
                harness.holds(key, data[1])
            else:
                late = {harness.gone("put_part")} | (set() if harness.replaces_parts else {Code.UNSUPPORTED})
                late.add(Code.NETWORK)  # refused before its body was read, its connection ends, and so may the answer
                assert isinstance(sent, Part) or sent in late
                harness.holds(key, data[0])
