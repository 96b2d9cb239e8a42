"""What sais-pyobs 0.3.0 stores wrongly without an error, and what storagekit makes of the same: side by side.

    python tests/benchmarks/sais_pyobs_corruptions.py

Both send to one server, the OBS emulator, from one source; what is then stored is read by the vendor's own SDK. Theirs
runs in an environment of its own, which is kept in the cache directory (``sais_pyobs_child.py``). An upload that was
killed is left behind by their SDK for theirs; for ours it is our own, whose requests a proxy refuses. Ends with 1 where
ours is wrong.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten

from obs import ObsClient

from storagekit import StorageClient, StorageError
from storagekit.testing.emulator import Emulator, resolving, resolving_environment
from storagekit.testing.http_source import PatternContent, SourceServer
from storagekit.testing.proxy import Answer, Fault, FaultProxy, is_complete, is_part
from storagekit.testing.servers.installed import Package, installed

MIB = 1024**2
SIZE = 30 * MIB
PART = 5 * MIB
BUCKET, DOMAIN = "corruptions", "obs.test"
LONGEST = 80
"""Characters of what one says; the rest is hints."""
SAIS_PYOBS = Package("sais-pyobs", "sais-pyobs", "0.3.0")


@dataclass
class Bench:
    """One server, one source, and both of those who upload."""

    server: Emulator
    source: SourceServer
    home: Path
    programs: Path

    def theirs(self, key: str, *command: object) -> str:
        """Run theirs; returns what it says."""
        program = Path(__file__).with_name("sais_pyobs_child.py")
        child = [self.programs / "python", program, self.server.endpoint, BUCKET, key]
        keys = {"OBS_AK": self.server.access_key, "OBS_SK": self.server.secret_key}
        environment = resolving_environment(DOMAIN, {"PATH": os.defpath, **keys})
        arguments = [*map(str, child), *map(str, command)]
        done = subprocess.run(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
        return done.stdout.decode().strip()

    def ours(self, port: int | None = None, part: int = PART) -> StorageClient:
        """A client of ours with parts of this size."""
        return StorageClient(
            "obs",
            BUCKET,
            endpoint=f"http://{DOMAIN}:{port or self.server.port}",
            access_key=self.server.access_key,
            secret_key=self.server.secret_key,
            part_size=part,
            workers=6,
            environment={"HOME": str(self.home)},
        )

    def left_behind(self, key: str, *refused: Fault) -> None:
        """Begin an upload of the source that fails where its requests are refused."""
        with FaultProxy(self.server.address, refused) as proxy, self.ours(proxy.port) as client:
            with contextlib.suppress(StorageError):
                client.upload_url(self.source.url, key)
                raise AssertionError("the upload was to fail")

    def sdk(self) -> ObsClient:
        return ObsClient(self.server.access_key, self.server.secret_key, server=self.server.endpoint)

    def stored(self, key: str) -> bytes | None:
        """What lies at a key, read by the vendor's SDK."""
        answer = self.sdk().getObject(BUCKET, key, loadStreamInMemory=True)
        return (answer.body.buffer or b"") if answer.status == 200 else None


@dataclass(frozen=True)
class Outcome:
    """What is stored at the end, what was to be, and what the user was told."""

    stored: bytes | None
    wanted: bytes | None
    said: str

    @property
    def is_right(self) -> bool:
        return self.stored == self.wanted and (self.wanted is not None or "Error" in self.said)

    def __str__(self) -> str:
        what = "nothing" if self.stored is None else f"{len(self.stored) / MIB:g} MiB"
        return f"{what}, {'right' if self.is_right else '**wrong**'}; says: {shorten(self.said, LONGEST)}"


def content(source: SourceServer) -> bytes:
    return source.content.read(0, source.size)


# --- the cases: theirs, ours ------------------------------------------------------------------------------------------


def gap(bench: Bench) -> Iterator[Outcome]:
    """Parts 1, 2 and 6 of 5 MiB were sent; it goes on with parts of 10 MiB."""
    data = content(bench.source)
    bench.theirs("gap", "leave", bench.source.url, "1,2,6")
    said = bench.theirs("gap", "readme", bench.source.url, 10)
    yield Outcome(bench.stored("gap"), data, said)

    bench.left_behind("our-gap", Fault(is_part(3, 4, 5), Answer(403), times=None))
    with bench.ours(part=10 * MIB) as client:
        size = client.upload_url(bench.source.url, "our-gap").size
    yield Outcome(bench.stored("our-gap"), data, f"success, {size / MIB:g} MiB")


def changed(bench: Bench) -> Iterator[Outcome]:
    """Parts 1 and 2 were sent, then the file at the URL is another one."""
    bench.theirs("changed", "leave", bench.source.url, "1,2")
    bench.left_behind("our-changed", Fault(is_part(3, 4, 5, 6), Answer(403), times=None))
    bench.source.change(PatternContent(SIZE, seed=2))
    data = content(bench.source)
    said = bench.theirs("changed", "readme", bench.source.url, 5)
    yield Outcome(bench.stored("changed"), data, said)

    with bench.ours() as client:
        size = client.upload_url(bench.source.url, "our-changed").size
    yield Outcome(bench.stored("our-changed"), data, f"success, {size / MIB:g} MiB")


def truncated(bench: Bench) -> Iterator[Outcome]:
    """A stream of 30 MiB ends after 11 MiB."""
    said = bench.theirs("short", "short", bench.source.url, 11 * MIB, SIZE)
    yield Outcome(bench.stored("short"), None, said)
    yield streamed(bench, "our-short", content(bench.source)[: 11 * MIB], None, SIZE)


def empty(bench: Bench) -> Iterator[Outcome]:
    """A stream of no bytes."""
    said = bench.theirs("empty", "short", bench.source.url, 0, 0)
    yield Outcome(bench.stored("empty"), b"", said)
    yield streamed(bench, "our-empty", b"", b"", 0)


def streamed(bench: Bench, key: str, sent: bytes, wanted: bytes | None, total: int) -> Outcome:
    """Send a stream of ours of which ``total`` bytes were announced."""
    with bench.ours() as client:
        try:
            size = client.upload_stream(client.init_upload(key), iter([sent]), total_size=total).size
            said = f"success, {size / MIB:g} MiB"
        except StorageError as error:
            said = f"{type(error).__name__}: {error}"
    return Outcome(bench.stored(key), wanted, said)


def all_there(bench: Bench) -> Iterator[Outcome]:
    """Every part was sent, and the run was killed before it put them together."""
    data = content(bench.source)
    bench.theirs("all", "leave", bench.source.url, "1,2,3,4,5,6")
    said = bench.theirs("all", "readme", bench.source.url, 5)
    yield Outcome(bench.stored("all"), data, said)

    bench.left_behind("our-all", Fault(is_complete(), Answer(403), times=None))
    with bench.ours() as client:
        size = client.upload_url(bench.source.url, "our-all").size
    yield Outcome(bench.stored("our-all"), data, f"success, {size / MIB:g} MiB")


def two(bench: Bench) -> Iterator[Outcome]:
    """Two uploads at once on one uploader; shown is the second."""
    data = content(bench.source)
    said = bench.theirs("two", "two", bench.source.url)
    both = [bench.stored("two"), bench.stored("two-2")]
    wanted = [data, data[::-1]]
    yield worst(both, wanted, said)

    with bench.ours() as client:
        said_of: dict[str, str] = {}
        keys = {"our-two": data, "our-two-2": data[::-1]}

        def run(key: str, mine: bytes) -> None:
            size = client.upload_stream(client.init_upload(key), iter([mine]), total_size=SIZE).size
            said_of[key] = f"success, {size / MIB:g} MiB"

        threads = [threading.Thread(target=run, args=item) for item in keys.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    yield worst([bench.stored(key) for key in keys], wanted, "; ".join(said_of.get(key, "nothing") for key in keys))


def worst(stored: list[bytes | None], wanted: list[bytes], said: str) -> Outcome:
    pairs = [Outcome(*pair, said) for pair in zip(stored, wanted, strict=True)]
    return min(pairs, key=lambda one: one.is_right)


CASES: dict[str, Callable[[Bench], Iterator[Outcome]]] = {
    "a gap, then another part size": gap,
    "the source has changed": changed,
    "the stream ends early": truncated,
    "an empty stream": empty,
    "all parts are there": all_there,
    "two uploads on one uploader": two,
}


def main() -> int:
    """Print the table; 1 where ours is wrong."""
    programs, _ = installed(SAIS_PYOBS)
    wrong = False
    with tempfile.TemporaryDirectory() as directory, Emulator("obs", domain=DOMAIN) as server, resolving(DOMAIN):
        print("| case | sais-pyobs 0.3.0 | storagekit |\n|---|---|---|")
        for name, case in CASES.items():
            with SourceServer(PatternContent(SIZE)) as source:
                bench = Bench(server, source, Path(directory), programs)
                bench.sdk().createBucket(BUCKET)
                theirs, ours = case(bench)
            print(f"| {name} | {theirs} | {ours} |", flush=True)
            wrong |= not ours.is_right
    return wrong


if __name__ == "__main__":
    sys.exit(main())
