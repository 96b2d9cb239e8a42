"""Parts of 16 MiB from and to one process, beside a loop over a raw socket: what the benchmarks of all drivers share.

The server (``sink.py``) discards what it gets. Every way moves ``--amount`` per round, the ways take turns, and each is
compared with the raw loop of the same round, so that a slow minute of the machine hits both; printed are the medians.
CPU is that of the process that moves, in seconds per GiB.

``PUT`` sends what lies in memory: a checksum reads it once more. ``PUT file`` reads a file in the page cache first, as
an upload does, the raw loop too; the engine hashes each 256 KiB that it has just read, while they are in the cache.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import trustme

from storagekit._body import MemoryBody, fill
from storagekit._clock import Cancel
from storagekit._hash import new_hasher
from storagekit._memory import allocate
from storagekit._meter import Meter
from storagekit._plan import Span
from storagekit._source import FileSource
from storagekit._units import parse_size, show_size
from storagekit.driver import Driver
from storagekit.types import Progress, Upload

PART = 16 * 1024**2
GIB = 1024**3
ACCOUNT = {"access_key": "benchmark", "secret_key": "benchmark-secret"}
UPLOAD = Upload("bench", "key", "id")

Move = Callable[[], object]
"""Moves one part; made once per thread, with a buffer and a connection of its own."""


@dataclass(frozen=True)
class Server:
    """Where the sink listens, and the certificate to trust."""

    port: int
    ca_file: str | None

    @property
    def scheme(self) -> str:
        return "https" if self.ca_file else "http"

    @property
    def endpoint(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def settings(self) -> dict[str, str]:
        trust = {"ca_file": self.ca_file} if self.ca_file else {}
        return {**ACCOUNT, **trust, "endpoint": self.endpoint}

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.ca_file is None:
            return connection
        return ssl.create_default_context(cafile=self.ca_file).wrap_socket(connection, server_hostname="127.0.0.1")


@contextmanager
def sink(tls: bool) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as directory:
        ca_file, certificate = Path(directory) / "ca.pem", Path(directory) / "server.pem"
        if tls:
            authority = trustme.CA()
            authority.cert_pem.write_to_path(ca_file)
            authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
        command = [sys.executable, str(Path(__file__).with_name("sink.py")), *([str(certificate)] if tls else [])]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin
            assert process.stdout
            yield Server(int(process.stdout.readline()), str(ca_file) if tls else None)
            process.stdin.close()


# --- ways to move a part ----------------------------------------------------------------------------------------------


def memory() -> memoryview:
    """Return a part's worth of memory as the engine hands it out."""
    view = memoryview(allocate(PART))
    view[:] = os.urandom(PART)
    return view


def raw_sender(server: Server) -> Callable[[], Callable[[memoryview], None]]:
    head = f"PUT /bench/key?partNumber=1&uploadId=id HTTP/1.1\r\nHost: sink\r\nContent-Length: {PART}\r\n\r\n".encode()

    def make() -> Callable[[memoryview], None]:
        connection = server.connect()

        def send(data: memoryview) -> None:
            connection.sendall(head)
            connection.sendall(data)
            while not connection.recv(1 << 16).endswith(b"\r\n\r\n"):
                pass

        return send

    return make


def raw_put(server: Server, make_data: Callable[[], memoryview]) -> Callable[[], Move]:
    sender = raw_sender(server)

    def make() -> Move:
        send, data = sender(), make_data()
        return lambda: send(data)

    return make


def any_upload(_: memoryview) -> Upload:
    """The upload of parts of which the server names what it was told."""
    return UPLOAD


def our_put(
    driver: Driver, algorithm: str, upload_of: Callable[[memoryview], Upload] = any_upload
) -> Callable[[], Move]:
    meter, cancel = Meter(Progress(0, None)), Cancel()

    def make() -> Move:
        view = memory()
        upload = upload_of(view)

        def move() -> None:
            hasher = new_hasher(algorithm)
            hasher.update(view)
            driver.put_part(upload, 1, MemoryBody(view, hasher.checksum(), meter, cancel))

        return move

    return make


def raw_file_put(server: Server) -> Callable[[], Move]:
    send = raw_sender(server)

    def make() -> Move:
        file, data, put = source_file(), memoryview(bytearray(PART)), send()

        def move() -> None:
            assert os.preadv(file.fileno(), [data], 0) == PART
            put(data)

        return move

    return make


def our_file_put(
    driver: Driver, algorithm: str, upload_of: Callable[[memoryview], Upload] = any_upload
) -> Callable[[], Move]:
    meter, cancel = Meter(Progress(0, None)), Cancel()

    def make() -> Move:
        file, view = source_file(), memory()
        source = FileSource(file.name).open(cancel)
        upload = upload_of(memoryview(Path(file.name).read_bytes()))

        def move() -> None:
            assert file  # lives as long as this
            hasher = new_hasher(algorithm)
            fill(source, Span(1, 0, PART), view, hasher, cancel)
            driver.put_part(upload, 1, MemoryBody(view, hasher.checksum(), meter, cancel))

        return move

    return make


def source_file() -> IO[bytes]:
    file = tempfile.NamedTemporaryFile()  # noqa: SIM115  # removed when nobody reads it any more
    file.write(os.urandom(PART))
    file.flush()
    return file


def raw_get(server: Server) -> Callable[[], Move]:
    head = f"GET /bench/key HTTP/1.1\r\nHost: sink\r\nRange: bytes=0-{PART - 1}\r\n\r\n".encode()

    def make() -> Move:
        connection, view = server.connect(), memoryview(bytearray(PART))

        def move() -> None:
            connection.sendall(head)
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += connection.recv(1 << 12)
            done = len(answer.partition(b"\r\n\r\n")[2])
            while done < PART:
                done += connection.recv_into(view[done:])

        return move

    return make


def our_get(driver: Driver) -> Callable[[], Move]:
    def make() -> Move:
        view = memory()

        def move() -> None:
            done = 0
            with driver.read("bench", "key", 0, PART) as reader:
                while done < PART:
                    done += reader.readinto(view[done:])

        return move

    return make


# --- measuring --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """One way in one round."""

    seconds: float
    cpu: float


def measure(moves: list[Move], amount: int) -> Run:
    """Move ``amount`` bytes by as many threads as there are ``moves``."""
    each = max(amount // PART // len(moves), 1)
    gate = threading.Barrier(len(moves) + 1)

    def work(move: Move) -> None:
        gate.wait()
        for _ in range(each):
            move()

    with ThreadPoolExecutor(len(moves)) as pool:
        works = [pool.submit(work, move) for move in moves]
        gate.wait()
        began, cpu = time.perf_counter(), time.process_time()
        for one in works:
            one.result()  # raises what went wrong, which would be quick
        taken = Run(time.perf_counter() - began, time.process_time() - cpu)
    share = amount / (each * len(moves) * PART)
    return Run(taken.seconds * share, taken.cpu * share)


Runner = Callable[[int, int], Run]
"""Moves so many bytes by so many threads."""


def in_threads(make: Callable[[], Move]) -> Runner:
    """A way that moves part by part, in threads of this process."""
    moves: list[Move] = []

    def run(threads: int, amount: int) -> Run:
        while len(moves) < threads:
            moves.append(make())
        return measure(moves[:threads], amount)

    return run


Ways = Mapping[str, Mapping[str, Callable[[Server], Runner]]]
"""By direction and name; the first of each direction is what the others are compared with."""

Key = tuple[str, str, int, str]
"""Direction, scheme, threads, way."""


def compare(ways: Ways, server: Server, direction: str, options: argparse.Namespace) -> dict[Key, list[Run]]:
    runs: dict[Key, list[Run]] = {}
    of = ways[direction].items()
    runners = {name: way(server) for name, way in of if options.ways in name or name.startswith("raw")}
    for run in runners.values():
        run(max(options.threads), max(options.threads) * PART)  # connects, and touches every buffer
    for _ in range(options.rounds):
        for threads in options.threads:
            for name, run in runners.items():
                runs.setdefault((direction, server.scheme, threads, name), []).append(run(threads, options.amount))
    return runs


def main(ways: Ways) -> dict[Key, list[Run]]:
    """Run and print the table, with ``--json`` the raw figures as well; returns them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--amount", type=parse_size, default=GIB)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--schemes", nargs="+", default=["http", "https"])
    parser.add_argument("--directions", nargs="+", default=list(ways))
    parser.add_argument("--ways", default="", help="only those whose name holds this")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    runs: dict[Key, list[Run]] = {}
    load = os.getloadavg()[0]
    for scheme in options.schemes:
        with sink(scheme == "https") as server:
            for direction in options.directions:
                runs |= compare(ways, server, direction, options)
    if options.json:
        print(json.dumps([[*key, *map(asdict, of)] for key, of in runs.items()]))
    print(f"{show_size(options.amount)} per round, {options.rounds} rounds, load before {load:.1f}\n")
    show(ways, runs, options.amount)
    return runs


def show(ways: Ways, runs: dict[Key, list[Run]], amount: int) -> None:
    print("| | | threads | | GB/s | of raw | lowest, highest | CPU s/GiB |\n|---|---|---|---|---|---|---|---|")
    for (direction, scheme, threads, name), of in runs.items():
        raw = runs[direction, scheme, threads, next(iter(ways[direction]))]
        ratios = sorted(theirs.seconds / run.seconds for theirs, run in zip(raw, of, strict=True))
        speed = amount / statistics.median(run.seconds for run in of) / 1e9
        cpu = statistics.median(run.cpu for run in of) * GIB / amount
        print(
            f"| {direction} | {scheme} | {threads} | {name} | {speed:.2f} | {statistics.median(ratios):.2f}"
            f" | {ratios[0]:.2f}, {ratios[-1]:.2f} | {cpu:.2f} |"
        )
