"""Parts of 16 MiB to OBS: the ``obs`` driver, the vendor's SDK and sais-pyobs beside a loop over a raw socket.

    python -m tests.benchmarks.obs_parts [--rounds 7] [--amount 1GiB] [--json]

How it is measured is said in ``moving.py``. The native signature, path style. The SDK verifies no certificate by
default; with what is recommended, it keeps connections, reads 1 MiB at a time from a file-like body, and
``apply_ssl_patch`` has it verify. sais-pyobs runs in an environment of its own, which is kept in the cache directory,
and in a process of its own, with as many workers as the others have threads; it moves at most 128 MiB per round, and is
counted up.
"""

from __future__ import annotations

import os
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from obs import GetObjectHeader, ObsClient

from storagekit.testing.servers.installed import Package, installed
from storagekit_obs import apply_ssl_patch
from storagekit_obs.driver import ObsDriver
from tests.benchmarks.moving import (
    ACCOUNT,
    PART,
    Key,
    Move,
    Run,
    Runner,
    Server,
    Ways,
    in_threads,
    main,
    memory,
    our_file_put,
    our_get,
    our_put,
    raw_file_put,
    raw_get,
    raw_put,
)

SAIS_PYOBS = Package("sais-pyobs", "sais-pyobs", "0.3.0")
AT_MOST = 8 * PART
OURS, THEIRS = "storagekit, CRC-64", "sais-pyobs 0.3.0"


def driver(server: Server) -> ObsDriver:
    return ObsDriver.from_settings(server.settings())


def sdk(server: Server, **options: Any) -> Any:
    access, secret = ACCOUNT.values()
    return ObsClient(access, secret, server=server.endpoint, **options)


def recommended(server: Server) -> Any:
    client = sdk(server, long_conn_mode=True, chunk_size=1 << 20, max_retry_count=0)
    return apply_ssl_patch(client, ca_file=server.ca_file)


class Blocks:
    """What lies in memory, to be read without a copy."""

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._at = 0

    def read(self, size: int) -> memoryview:
        block = self._view[self._at : self._at + size]
        self._at += len(block)
        return block


def sdk_put(client: Any, body: Callable[[bytes], Any]) -> Callable[[], Move]:
    def make() -> Move:
        data = os.urandom(PART)

        def move() -> None:
            assert client.uploadPart("bench", "key", 1, "id", content=body(data), partSize=PART).status == 200

        return move

    return make


def sdk_get(client: Any, read: Callable[[Any], None]) -> Callable[[], Move]:
    def make() -> Move:
        return lambda: read(client.getObject("bench", "key", headers=GetObjectHeader(range=f"0-{PART - 1}")).body)

    return make


def read_whole(body: Any) -> None:
    """As whoever wants the bytes does it."""
    assert len(body.response.read()) == PART
    body.response.close()


def read_blocks(body: Any) -> None:
    done = 0
    while block := body.response.read(1 << 20):
        done += len(block)
    assert done == PART
    body.response.close()


def sais_pyobs(server: Server) -> Runner:
    programs, _ = installed(SAIS_PYOBS)
    access, secret = ACCOUNT.values()
    child = subprocess.Popen(  # ends with this process, by the end of its standard input
        [str(programs / "python"), str(Path(__file__).with_name("sais_pyobs_put.py")), server.endpoint],
        env={"PATH": os.defpath, "OBS_AK": access, "OBS_SK": secret},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        bufsize=1,
    )
    assert child.stdin
    assert child.stdout
    ask, answers = child.stdin, child.stdout

    def run(threads: int, amount: int) -> Run:
        moved = min(amount, AT_MOST)
        ask.write(f"{threads} {moved}\n")
        seconds, cpu = map(float, answers.readline().split())
        return Run(seconds * amount / moved, cpu * amount / moved)

    return run


WAYS: Ways = {
    "PUT": {
        "raw sendall": lambda server: in_threads(raw_put(server, lambda: memoryview(os.urandom(PART)))),
        "raw sendall, our memory": lambda server: in_threads(raw_put(server, memory)),
        OURS: lambda server: in_threads(our_put(driver(server), "crc64")),
        "storagekit, no checksum": lambda server: in_threads(our_put(driver(server), "none")),
        "obs SDK, defaults": lambda server: in_threads(sdk_put(sdk(server), bytes)),
        "obs SDK, recommended": lambda server: in_threads(
            sdk_put(recommended(server), lambda data: Blocks(memoryview(data)))
        ),
        THEIRS: sais_pyobs,
    },
    "PUT file": {
        "raw preadv, sendall": lambda server: in_threads(raw_file_put(server)),
        OURS: lambda server: in_threads(our_file_put(driver(server), "crc64")),
    },
    "GET": {
        "raw recv_into": lambda server: in_threads(raw_get(server)),
        "storagekit": lambda server: in_threads(our_get(driver(server))),
        "obs SDK, defaults": lambda server: in_threads(sdk_get(sdk(server), read_whole)),
        "obs SDK, recommended": lambda server: in_threads(sdk_get(recommended(server), read_blocks)),
    },
}


def times(runs: dict[Key, list[Run]]) -> None:
    """Print how many times faster than sais-pyobs ours is, with its checksum: the median of the rounds."""
    for (direction, scheme, threads, name), of in runs.items():
        if name == OURS and direction == "PUT" and (theirs := runs.get((direction, scheme, threads, THEIRS))):
            faster = statistics.median(their.seconds / our.seconds for their, our in zip(theirs, of, strict=True))
            print(f"\n{direction} {scheme}, {threads} threads: {faster:.1f} times as fast as {THEIRS}")


if __name__ == "__main__":
    times(main(WAYS))
