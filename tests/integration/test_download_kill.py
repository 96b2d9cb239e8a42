"""kill -9 in the middle of a download, and the next run goes on: a real process, a real directory.

Most kills are of downloads from a local bucket, because they are quick; a few from each real server.

The process kills itself: at the n-th thing that it does in the target's directory (an audit hook sees each open, rename
and unlink before it happens), or at the n-th byte that it receives. So every edge is met, and a moment that fails once
fails again. What the killed process had left is read here from its journal, without our code.
"""

from __future__ import annotations

import contextlib
import json
import random
import signal
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from storagekit._clock import Clock
from storagekit._retry import RetryPolicy
from storagekit._store import Store
from storagekit._window import Window
from storagekit.downloader import Downloader
from storagekit.driver import Reader
from storagekit.drivers.local import LocalDriver
from storagekit.testing.bodies import BytesBody
from storagekit.testing.servers import S3Server
from storagekit.types import DownloadResult, WriteOptions
from storagekit_minio.driver import MinioDriver

pytestmark = pytest.mark.integration

RANGE = 64 * 1024
COUNT = 12
WORKERS = 3
DATA = random.Random(11).randbytes(COUNT * RANGE - 1234)

CHILD = """
import json, os, signal, sys
from pathlib import Path
from storagekit._clock import Clock
from storagekit._retry import RetryPolicy
from storagekit._store import Store
from storagekit._window import Window
from storagekit.downloader import Downloader
from storagekit.drivers._local_reading import LocalReader
from storagekit.drivers.local import LocalDriver

settings, target, what, moment, workers, chunk = sys.argv[1:]
settings = json.loads(settings)
plain = LocalReader.readinto
LocalReader.readinto = lambda reader, buffer: plain(reader, buffer[:4096])  # as a network does
directory, seen = os.path.dirname(target), 0

def tick(count):
    global seen
    seen += count
    if seen >= int(moment):
        os.kill(os.getpid(), signal.SIGKILL)

def audit(event, args):
    if event in ("open", "os.rename", "os.remove", "os.link", "os.truncate") and str(args[0]).startswith(directory):
        tick(1)

last = 0
def progress(now):
    global last
    moved, last = max(0, now.done - max(last, now.kept)), now.done
    tick(moved)

if "root" in settings:
    driver = LocalDriver(settings["root"])
else:
    from storagekit_minio.driver import MinioDriver
    driver = MinioDriver.from_settings(settings)
store = Store.of(driver, "here", RetryPolicy(), Clock())
downloader = Downloader(store, int(workers), Window(int(workers) * int(chunk)))
if what == "edge":
    sys.addaudithook(audit)
downloader.to_file(
    settings["bucket"], "k", Path(target), progress if what == "byte" else None, chunk_size=int(chunk)
)
print("done")
"""


@dataclass
class Counted:
    """A driver; notes the numbers of the ranges that are read."""

    inner: Any
    ranges: list[int] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def read(
        self, bucket: str, key: str, start: int = 0, length: int | None = None, if_match: str | None = None
    ) -> Reader:
        self.ranges.append(start // RANGE + 1)
        reader: Reader = self.inner.read(bucket, key, start, length, if_match)
        return reader


def driver_of(settings: dict[str, str]) -> Any:
    """The driver, as the child makes it."""
    return LocalDriver(settings["root"]) if "root" in settings else MinioDriver.from_settings(settings)


@dataclass
class Scene:
    settings: dict[str, str]
    directory: Path

    def __post_init__(self) -> None:
        self.directory.mkdir()
        with contextlib.closing(driver_of(self.settings)) as driver:
            driver.create_bucket(self.settings["bucket"])
            driver.put(self.settings["bucket"], "k", BytesBody(DATA, driver.limits.checksum), WriteOptions())

    @property
    def target(self) -> Path:
        return self.directory / "shard.bin"

    def killed(self, what: str, moment: int, workers: int = WORKERS) -> bool:
        """Download in a process that kills itself at that moment; False where it was done before."""
        arguments = [json.dumps(self.settings), str(self.target), what, str(moment), str(workers), str(RANGE)]
        run = subprocess.run([sys.executable, "-c", CHILD, *arguments], capture_output=True, timeout=60, check=False)
        assert run.returncode in (0, -signal.SIGKILL), run.stderr.decode()
        return run.returncode != 0

    def finished(self) -> set[int]:
        """Numbers of the ranges that a journal names in whole lines, and whose draft is there."""
        journals = [path for path in self.directory.iterdir() if path.suffix == ".journal"]
        if not journals or not journals[0].with_suffix("").exists():
            return set()
        whole, _, _ = journals[0].read_text().rpartition("\n")
        return {int(line.split()[0]) for line in whole.splitlines()[1:]}

    def go_on(self) -> tuple[DownloadResult, set[int]]:
        """Download in this process, and say which ranges it read."""
        with contextlib.closing(driver_of(self.settings)) as inner:
            driver = Counted(inner)
            downloader = Downloader(Store.of(driver, "here", RetryPolicy(), Clock()), WORKERS, Window(WORKERS * RANGE))
            result = downloader.to_file(self.settings["bucket"], "k", self.target, chunk_size=RANGE)
        read = driver.ranges
        assert len(read) == len(set(read)), "no range twice"
        return result, set(read)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene({"root": str(tmp_path / "root"), "bucket": "datasets"}, tmp_path / "downloads")


@pytest.fixture
def server_scene(s3_server: S3Server, tmp_path: Path) -> Scene:
    names = ("endpoint", "access_key", "secret_key", "region")
    settings = {name: str(getattr(s3_server, name)) for name in names}
    return Scene({**settings, "bucket": f"t{uuid.uuid4().hex[:12]}"}, tmp_path / "downloads")


def check_the_next_run(scene: Scene) -> int:
    """Run again; return how many ranges the killed run had left."""
    kept, published = scene.finished(), scene.target.exists()
    result, read = scene.go_on()

    assert set(range(1, COUNT + 1)) - kept == read
    assert bool(kept) == result.resumed
    assert len(DATA) == result.kept + result.fetched
    assert scene.target.read_bytes() == DATA
    assert [scene.target] == list(scene.directory.iterdir())
    assert not (kept and published), "what has its name is no draft any more"
    return len(kept)


EDGES = 1 + 2 + 2 * COUNT + 3  # the draft, its journal twice, each range twice, then sweeping, renaming, removing


@pytest.mark.parametrize("moment", range(1, EDGES + 1))
def test_killed_at_any_edge_the_next_run_fetches_only_what_is_missing(scene: Scene, moment: int) -> None:
    assert scene.killed("edge", moment)

    check_the_next_run(scene)


def test_there_are_no_further_edges(scene: Scene) -> None:
    assert not scene.killed("edge", EDGES + 1)


@pytest.mark.parametrize("seed", range(20))
def test_killed_at_any_byte_at_most_the_ranges_under_way_are_lost(scene: Scene, seed: int) -> None:
    moment = random.Random(seed).randrange(1, len(DATA))
    assert scene.killed("byte", moment)

    kept = check_the_next_run(scene)

    assert moment // RANGE - WORKERS <= kept <= moment // RANGE


@pytest.mark.parametrize("seed", range(3))
def test_killed_again_and_again_it_comes_to_an_end(scene: Scene, seed: int) -> None:
    chance, arrived = random.Random(seed), 0
    for _ in range(5):
        moment = chance.randrange(RANGE + 1, 3 * RANGE)  # one or two ranges a time, of 12
        assert scene.killed("byte", moment, workers=1)
        arrived += (moment - 1) // RANGE
        assert set(range(1, arrived + 1)) == scene.finished()

    assert arrived == check_the_next_run(scene)


def test_killed_while_it_reads_from_a_server_it_goes_on(server_scene: Scene) -> None:
    for percent in (30, 60):
        assert server_scene.killed("byte", len(DATA) * percent // 100 - len(server_scene.finished()) * RANGE)

    assert check_the_next_run(server_scene) >= COUNT * 60 // 100 - WORKERS
