"""``open_object``: an object as a file, on the memory driver."""

from __future__ import annotations

import _thread
import gzip
import io
import os
import random
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from storagekit._clock import Cancel
from storagekit._object_file import ObjectFile, open_object
from storagekit._retry import RetryPolicy
from storagekit._store import Store
from storagekit.driver import Code, Reader
from storagekit.errors import (
    ConfigurationError,
    ObjectNotFoundError,
    PermissionDeniedError,
    ServiceError,
    SourceChangedError,
    TransferCancelled,
)
from storagekit.testing.bodies import BytesBody
from storagekit.testing.faults import FakeClock, fault
from storagekit.types import WriteOptions
from tests.engine.conftest import BUCKET, Service

KIB = 1024
MIB = 1024**2
SLACK = 32 * KIB
DATA = random.Random(3).randbytes(3 * MIB + 17)


def put(service: Service, key: str, data: bytes) -> None:
    service.memory.put(BUCKET, key, BytesBody(data), WriteOptions())


@dataclass
class Watched:
    """A driver that notes the ranges read from it.

    Where ``stalls`` says so of its start, a read gives nothing until ``flows`` is set. ``ignores_if_match`` and
    ``total`` are what some servers do and say; a read with the number ``breaks`` ends after 100 bytes.
    """

    service: Service
    ranges: list[tuple[int, int]] = field(default_factory=list)
    received: int = 0
    flows: threading.Event = field(default_factory=threading.Event)
    stalls: Callable[[int], bool] = lambda start: False
    ignores_if_match: bool = False
    total: int | None = None
    breaks: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.service.driver, name)

    def read(
        self, bucket: str, key: str, start: int = 0, length: int | None = None, if_match: str | None = None
    ) -> Reader:
        assert length is not None
        self.ranges.append((start, length))
        breaks = self.breaks == len(self.ranges)
        if self.stalls(start):
            self.flows.wait(30)
        reader: Reader = self.service.driver.read(
            bucket, key, start, length, None if self.ignores_if_match else if_match
        )
        return Tapped(reader, self, 100 if breaks else length)

    @property
    def fetched(self) -> int:
        return sum(length for _, length in self.ranges)


class Tapped:
    """A reader that ends early as told, and counts."""

    def __init__(self, reader: Reader, watched: Watched, left: int) -> None:
        self.etag = reader.etag
        self.total = reader.total if watched.total is None else watched.total
        self._reader, self._watched, self._left = reader, watched, left

    def readinto(self, buffer: memoryview) -> int:
        count = self._reader.readinto(buffer[: self._left])
        self._left -= count
        self._watched.received += count
        return count

    def __enter__(self) -> Tapped:
        self._reader.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._reader.__exit__(None, None, None)


@pytest.fixture
def driver(service: Service) -> Iterator[Watched]:
    watched = Watched(service)
    put(service, "k", DATA)
    yield watched
    watched.flows.set()
    until(lambda: not blocks_under_way())


def opened(driver: Watched, key: str = "k", **options: Any) -> ObjectFile:
    return open_object(Store.of(driver, "memory", RetryPolicy(), FakeClock()), BUCKET, key, **options)


def blocks_under_way() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("storagekit-at-")]


def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "did not come true"
        time.sleep(0.005)


def read_on(file: ObjectFile, count: int) -> None:
    """Read as a parser does, a little at a time."""
    for _ in range(count // (8 * KIB)):
        file.read(8 * KIB)


class TestItIsAFile:
    def test_it_reads_like_a_file_of_the_same_bytes(self, driver: Watched) -> None:
        """2,000 random operations beside BytesIO, small blocks so that every border is crossed."""
        chance = random.Random(7)
        with opened(driver, block_size=100 * KIB) as file, io.BytesIO(DATA) as model:
            for _ in range(2000):
                for one, other in [operate(chance.getrandbits(64), file, model)]:
                    assert one == other
                assert model.tell() == file.tell()

    @pytest.mark.parametrize("block_size", [1, 7, 1000, 4 * MIB])
    @pytest.mark.parametrize("ahead", [0, 1, 3])
    def test_any_block_size_and_any_read_ahead_give_the_same_bytes(
        self, driver: Watched, block_size: int, ahead: int
    ) -> None:
        data = DATA[: 300 * block_size] if block_size < KIB else DATA
        put(driver.service, "k", data)

        with opened(driver, block_size=block_size, ahead=ahead) as file:
            assert data == b"".join(iter(lambda: file.read(1000), b""))

    def test_it_has_the_size_the_name_and_the_etag_of_the_object(self, driver: Watched) -> None:
        with opened(driver) as file:
            assert (len(DATA), "k", driver.head(BUCKET, "k").etag) == (file.size, file.name, file.etag)

    def test_it_can_be_read_and_sought_but_not_written(self, driver: Watched) -> None:
        with opened(driver) as file:
            assert (True, True, False) == (file.readable(), file.seekable(), file.writable())
            with pytest.raises(io.UnsupportedOperation):
                file.write(b"x")

    def test_lines_are_lines(self, driver: Watched) -> None:
        text = b"".join(b"%d\n" % number for number in range(50_000))
        put(driver.service, "k", text)

        with opened(driver, block_size=64 * KIB) as file:
            assert text.splitlines(keepends=True) == list(file)

    def test_a_place_before_the_start_and_an_unknown_origin_are_refused(self, driver: Watched) -> None:
        with opened(driver) as file:
            with pytest.raises(ValueError, match="negative"):
                file.seek(-1)
            with pytest.raises(ValueError, match="whence"):
                file.seek(0, 9)
            assert DATA[:10] == file.read(10)

    def test_behind_the_end_there_is_nothing(self, driver: Watched) -> None:
        with opened(driver) as file:
            assert len(DATA) + 5 == file.seek(5, io.SEEK_END)
            assert b"" == file.read(10)
            assert b"" == file.read()
        assert [] == driver.ranges

    def test_an_empty_object_costs_no_read(self, driver: Watched) -> None:
        put(driver.service, "k", b"")

        with opened(driver) as file:
            assert (b"", b"", 0) == (file.read(), file.readline(), file.size)

        assert [] == driver.ranges

    def test_after_close_every_use_is_a_value_error(self, driver: Watched) -> None:
        file = opened(driver)
        file.read(10)
        file.close()
        file.close()

        uses: list[Callable[[], object]] = [
            lambda: file.read(1),
            file.read,
            lambda: file.seek(0),
            file.tell,
            file.readline,
            file.readable,
            file.seekable,
            lambda: file.readinto(bytearray(1)),
        ]
        for use in uses:
            with pytest.raises(ValueError, match="closed"):
                use()
        assert file.closed

    @pytest.mark.parametrize("options", [{"block_size": 0}, {"ahead": -1}])
    def test_sizes_that_make_no_sense_are_refused_before_any_request(
        self, driver: Watched, options: dict[str, Any]
    ) -> None:
        with pytest.raises(ConfigurationError):
            opened(driver, **options)
        assert [] == driver.service.driver.operations("head")


def operate(seed: int, *files: Any) -> tuple[Any, ...]:
    """Do one random thing to all files and return what each answered."""
    chance = random.Random(seed)
    n = chance.choice([0, 1, 10, 1000, 40_000, 130_000, 400_000])
    place = chance.choice([chance.randrange(len(DATA) + 1000), len(DATA) - n if n < len(DATA) else 0])
    what = chance.choice(["read", "read", "seek", "back", "end", "readinto", "readline"])
    answers: dict[str, Callable[[Any], object]] = {
        "read": lambda file: file.read(n),
        "seek": lambda file: file.seek(place),
        "back": lambda file: file.seek(-min(n, file.tell()), io.SEEK_CUR),
        "end": lambda file: file.seek(-n, io.SEEK_END),
        "readinto": lambda file: filled(file, n),
        "readline": lambda file: file.readline(),
    }
    return tuple(answers[what](file) for file in files)


def filled(file: Any, n: int) -> bytes:
    buffer = bytearray(n)
    return bytes(buffer[: file.readinto(buffer)])


class TestLibrariesReadIt:
    def test_zipfile_reads_members_without_fetching_the_archive(self, driver: Watched) -> None:
        members = {f"m{number}": random.Random(number).randbytes(300 * KIB) for number in range(40)}
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        put(driver.service, "k", packed.getvalue())

        with opened(driver) as file, zipfile.ZipFile(file) as archive:
            assert sorted(members) == sorted(archive.namelist())
            after_listing = driver.fetched
            assert members["m17"] == archive.read("m17")
            one_member = driver.fetched - after_listing
            assert archive.testzip() is None

        assert after_listing <= 64 * KIB, "the directory stands at the end"
        assert one_member <= 300 * KIB + 64 * KIB + SLACK

    def test_tarfile_reads_compressed_and_plain_archives(self, driver: Watched) -> None:
        for mode in ("w", "w:gz"):
            packed = io.BytesIO()
            with tarfile.open(fileobj=packed, mode=mode) as archive:
                for number in range(20):
                    entry = tarfile.TarInfo(f"m{number}")
                    entry.size = 100 * KIB
                    archive.addfile(entry, io.BytesIO(DATA[number : number + entry.size]))
            put(driver.service, "k", packed.getvalue())

            with opened(driver) as file, tarfile.open(fileobj=file) as archive:
                for number, entry in enumerate(archive):
                    member = archive.extractfile(entry)
                    assert member is not None
                    assert DATA[number : number + 100 * KIB] == member.read()

    def test_text_and_gzip_layers_stand_on_it(self, driver: Watched) -> None:
        put(driver.service, "k", gzip.compress("grün\n".encode() * 10_000))

        with opened(driver) as file, gzip.open(file, "rt", encoding="utf-8") as text:
            assert 10_000 == sum(line == "grün\n" for line in text)


class TestWhatIsFetched:
    @pytest.fixture
    def large(self, driver: Watched) -> int:
        put(driver.service, "k", bytes(64 * MIB))
        return 64 * MIB

    def test_a_small_read_fetches_64_kib_and_nothing_ahead(self, driver: Watched, large: int) -> None:
        with opened(driver) as file:
            file.seek(10 * MIB)
            file.read(10)
            file.seek(50 * MIB)
            file.read(10)
            assert [] == blocks_under_way()

        assert [(10 * MIB, 64 * KIB), (50 * MIB, 64 * KIB)] == driver.ranges

    @pytest.mark.parametrize("asked", [100 * KIB, MIB, MIB + 1, 2 * MIB + 12345])
    def test_a_random_read_of_up_to_a_block_is_one_request(self, driver: Watched, large: int, asked: int) -> None:
        with opened(driver) as file:
            for place in (10 * MIB + 5, 40 * MIB, 20 * MIB):
                file.seek(place)
                file.read(asked)

        assert 3 == len(driver.ranges)
        assert driver.fetched <= 3 * (asked + 2 * SLACK)

    def test_a_random_read_of_more_than_a_block_fetches_in_parallel_what_was_asked(
        self, driver: Watched, large: int
    ) -> None:
        with opened(driver) as file:
            file.seek(MIB)
            file.read(10 * MIB)

        expected = [(MIB, 4 * MIB), (5 * MIB, 4 * MIB), (9 * MIB, 2 * MIB + SLACK)]
        assert expected == sorted(driver.ranges)

    def test_sequential_reading_doubles_up_to_whole_blocks(self, driver: Watched, large: int) -> None:
        with opened(driver) as file:
            while file.read(20 * KIB):
                pass

        lengths = [length for _, length in sorted(driver.ranges)]
        assert [2**n * 64 * KIB for n in range(7)] == lengths[:7]
        assert {4 * MIB} == set(lengths[6:-1])
        assert large == sum(lengths), "no byte twice"

    def test_reading_in_large_pieces_is_sequential_too(self, driver: Watched, large: int) -> None:
        with opened(driver) as file:
            while file.read(3 * MIB):
                pass

        lengths = [length for _, length in sorted(driver.ranges)]
        assert (3 * MIB + SLACK, {4 * MIB}) == (lengths[0], set(lengths[1:-1]))
        assert large == sum(lengths), "no byte twice"

    def test_a_sequential_run_stays_one_inside_pieces_of_many_blocks(self, driver: Watched, large: int) -> None:
        with opened(driver, block_size=MIB, ahead=0) as file:
            while file.read(2 * MIB + 512 * KIB):
                pass

        lengths = [length for _, length in sorted(driver.ranges)]
        assert ([MIB, MIB, 512 * KIB + SLACK], {MIB}) == (lengths[:3], set(lengths[3:-1]))
        assert large == sum(lengths), "no byte twice"

    def test_small_blocks_are_kept_to(self, driver: Watched, large: int) -> None:
        with opened(driver, block_size=1000) as file:
            file.seek(MIB)
            file.read(10)

        assert driver.ranges == [(MIB, 2000)]

    def test_blocks_ahead_are_fetched_while_the_caller_consumes(self, driver: Watched, large: int) -> None:
        with opened(driver, ahead=2) as file:
            read_on(file, 200 * KIB)  # 64, 128 and a bit of 256 KiB
            until(lambda: 4 == len(driver.ranges))
            read_on(file, 1024 * KIB)
            until(lambda: 6 == len(driver.ranges))

        assert [2**n * 64 * KIB for n in range(6)] == [length for _, length in sorted(driver.ranges)]

    def test_never_more_than_the_blocks_ahead_are_under_way(self, driver: Watched, large: int) -> None:
        """Blocks that a seek gave up hold memory until their threads see it, so they count."""
        driver.stalls = lambda start: start % (8 * MIB) >= 448 * KIB  # what is read ahead stalls
        with opened(driver, ahead=2) as file:
            for place in range(0, 32 * MIB, 8 * MIB):
                file.seek(place)
                read_on(file, 200 * KIB)
            assert len(blocks_under_way()) == 2
            driver.flows.set()

    def test_skipping_forward_inside_what_is_coming_goes_on(self, driver: Watched, large: int) -> None:
        with opened(driver, ahead=2) as file:
            read_on(file, 200 * KIB)
            file.seek(500 * KIB)
            file.read(10)

        assert [0, 64 * KIB, 192 * KIB, 448 * KIB, 960 * KIB] == sorted(start for start, _ in driver.ranges)


class TestFailures:
    def test_a_missing_object_is_told_at_opening(self, driver: Watched) -> None:
        with pytest.raises(ObjectNotFoundError) as caught:
            opened(driver, "missing")
        assert "missing" == caught.value.key

    def test_an_object_that_was_replaced_is_not_read_on(self, driver: Watched) -> None:
        with opened(driver, block_size=64 * KIB, ahead=0) as file:
            file.read(10)
            put(driver.service, "k", b"!" * len(DATA))
            file.seek(MIB)
            with pytest.raises(SourceChangedError):
                file.read(10)

    def test_nor_where_the_server_does_not_look_at_the_condition(self, driver: Watched) -> None:
        driver.ignores_if_match = True
        with opened(driver, block_size=64 * KIB, ahead=0) as file:
            file.read(10)
            put(driver.service, "k", b"!" * len(DATA))
            file.seek(MIB)
            with pytest.raises(SourceChangedError):
                file.read(10)

    def test_refusals_pass_as_our_errors_and_a_later_read_goes_on(self, driver: Watched) -> None:
        with opened(driver) as file:
            driver.service.fails(lambda call: fault(Code.ACCESS_DENIED) if call.operation == "read" else None)
            with pytest.raises(PermissionDeniedError):
                file.read(10)
            driver.service.heals()
            file.seek(5)
            assert DATA[5:15] == file.read(10)

    def test_after_a_failed_read_nothing_is_left_out_silently(self, driver: Watched) -> None:
        """BufferedReader had read 96 KiB of the 100 and dropped them: a second read would go on behind those."""
        driver.service.fails(
            lambda call: fault(Code.ACCESS_DENIED) if call.operation == "read" and call.nth > 1 else None
        )
        with opened(driver, block_size=96 * KIB) as file:
            with pytest.raises(PermissionDeniedError):
                file.read(200 * KIB)
            driver.service.heals()
            lost: list[Callable[[], object]] = [
                lambda: file.read(10),
                file.read,
                lambda: file.seek(5, io.SEEK_CUR),
            ]
            for use in lost:
                with pytest.raises(ValueError, match="seek"):
                    use()
            file.seek(0)
            assert DATA == file.read()

    def test_a_failing_read_is_tried_again(self, driver: Watched) -> None:
        driver.service.fails(lambda call: fault(Code.NETWORK) if call.operation == "read" and call.nth % 2 else None)

        with opened(driver) as file:
            assert DATA == file.read()

    def test_an_error_ahead_is_told_when_its_bytes_are_wanted(self, driver: Watched) -> None:
        driver.service.fails(
            lambda call: fault(Code.SERVER) if call.operation == "read" and len(driver.ranges) > 1 else None
        )
        with opened(driver) as file:
            assert DATA[: 64 * KIB] == file.read(64 * KIB)
            with pytest.raises(ServiceError):
                file.read(64 * KIB)


class TestStopping:
    @pytest.fixture
    def stalled(self, driver: Watched) -> Watched:
        """Everything behind the first 448 KiB stalls."""
        driver.stalls = lambda start: start >= 448 * KIB
        return driver

    def test_close_returns_although_the_server_stalls(self, stalled: Watched) -> None:
        file = opened(stalled)
        read_on(file, 200 * KIB)
        until(lambda: len(blocks_under_way()) == 1)
        began = time.monotonic()

        file.close()

        assert time.monotonic() - began < 2

    def test_close_waits_for_what_ends_soon(self, stalled: Watched) -> None:
        file = opened(stalled)
        read_on(file, 200 * KIB)
        until(lambda: len(blocks_under_way()) == 1)
        threading.Timer(0.2, stalled.flows.set).start()

        file.close()

        assert stalled.flows.is_set()

    def test_a_block_that_a_seek_gave_up_is_not_fetched_to_its_end(self, stalled: Watched) -> None:
        with opened(stalled) as file:
            read_on(file, 200 * KIB)
            until(lambda: [448 * KIB] == [start for start, _ in stalled.ranges if stalled.stalls(start)])
            file.seek(0)
            file.read(10)
            before = stalled.received
            stalled.flows.set()
            until(lambda: not blocks_under_way())

        assert before == stalled.received

    def test_an_interrupted_read_gives_its_block_up(self, stalled: Watched) -> None:
        with opened(stalled) as file:
            file.seek(MIB)
            threading.Timer(0.1, _thread.interrupt_main).start()
            with pytest.raises(KeyboardInterrupt):
                file.read(10)
            before = stalled.received
            stalled.flows.set()
            until(lambda: not blocks_under_way())

        assert before == stalled.received

    def test_nothing_is_fetched_after_close(self, driver: Watched) -> None:
        file = opened(driver, block_size=128 * KIB)
        read_on(file, 200 * KIB)
        file.close()
        seen = len(driver.ranges)

        assert ([], seen) == (blocks_under_way(), len(driver.ranges))

    def test_a_cancellation_ends_a_read_that_waits(self, stalled: Watched) -> None:
        cancel = Cancel()
        with opened(stalled, cancel=cancel) as file:
            file.seek(MIB)
            threading.Timer(0.05, cancel.set).start()
            with pytest.raises(TransferCancelled):
                file.read(10)
            assert blocks_under_way(), "the server stalls all the same"

    def test_closing_ends_a_read_of_another_thread(self, stalled: Watched) -> None:
        file = opened(stalled)
        file.seek(MIB)
        seen: list[BaseException] = []

        def read() -> None:
            try:
                file.read(10)
            except BaseException as error:  # noqa: BLE001  # looked at below
                seen.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        until(lambda: bool(stalled.ranges))
        file.close()
        reader.join(5)

        assert [TransferCancelled] == [type(error) for error in seen]

    def test_a_file_that_is_forgotten_stops_reading_ahead(self, driver: Watched) -> None:
        file = opened(driver)
        read_on(file, 200 * KIB)
        del file

        until(lambda: not blocks_under_way())


def test_memory_stays_inside_what_is_promised(driver: Watched) -> None:
    """32 MiB through blocks of 1 MiB, two ahead: at most 3 blocks and the buffer."""
    import tracemalloc

    put(driver.service, "k", os.urandom(32 * MIB))
    with opened(driver, block_size=MIB, ahead=2) as file:
        tracemalloc.start()
        try:
            while file.read(10 * KIB):
                pass
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert peak <= 3 * (MIB + SLACK) + 256 * KIB
