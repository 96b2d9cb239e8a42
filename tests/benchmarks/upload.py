"""One file into a real MinIO: storagekit beside the vendor's own SDK, side by side in one run.

    python tests/benchmarks/upload.py [--size 512MiB] [--rounds 3]

Each way runs in a process of its own; the rounds take turns, so that a slow minute of the machine hits all. Printed are
the medians of seconds and of the peak RSS, and the ratio of seconds to the SDK's defaults.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from storagekit._units import parse_size, show_size
from storagekit.testing.servers import S3Server, start_minio

SETUP = """
import atexit, re, sys
endpoint, access, secret, path = sys.argv[1:]
atexit.register(lambda: print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]))
"""
"""Prints the peak RSS in KiB at the end. Not ``ru_maxrss``: that keeps what this process had when it forked."""
WAYS = {
    "minio SDK, defaults": SETUP
    + """
from minio import Minio
client = Minio(endpoint.removeprefix("http://"), access_key=access, secret_key=secret, secure=False, region="us-east-1")
client.fput_object(bucket_name="bench", object_name="sdk", file_path=path)
""",
    "minio SDK, 16 MiB parts, 4 threads": SETUP
    + """
from minio import Minio
client = Minio(endpoint.removeprefix("http://"), access_key=access, secret_key=secret, secure=False, region="us-east-1")
client.fput_object(
    bucket_name="bench", object_name="sdk4", file_path=path, part_size=16 * 1024**2, num_parallel_uploads=4
)
""",
    "storagekit, defaults": SETUP
    + """
from storagekit import StorageClient
with StorageClient("minio", "bench", endpoint=endpoint, access_key=access, secret_key=secret) as client:
    client.upload_file(path, "ours")
""",
}


def measure(script: str, server: S3Server, file: Path) -> tuple[float, int]:
    """Return seconds and peak RSS in bytes of one run."""
    began = time.perf_counter()
    finished = subprocess.run(
        [sys.executable, "-c", script, server.endpoint, server.access_key, server.secret_key, str(file)],
        stdout=subprocess.PIPE,
        check=True,
    )
    return time.perf_counter() - began, int(finished.stdout) * 1024


def main() -> None:
    """Run and print the table; with ``--json`` the raw figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=parse_size, default=512 * 1024**2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    runs: dict[str, list[tuple[float, int]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as directory, start_minio(Path(directory)) as server:
        file = Path(directory) / "source.bin"
        file.write_bytes(os.urandom(options.size))
        make_bucket(server)
        for _ in range(options.rounds):
            for way, script in WAYS.items():
                runs[way].append(measure(script, server, file))
    if options.json:
        print(json.dumps(runs))
    show(runs, options.size)


def make_bucket(server: S3Server) -> None:
    from minio import Minio

    host = server.endpoint.removeprefix("http://")
    Minio(host, access_key=server.access_key, secret_key=server.secret_key, secure=False).make_bucket(
        bucket_name="bench"
    )


def show(runs: dict[str, list[tuple[float, int]]], size: int) -> None:
    base = statistics.median(seconds for seconds, _ in next(iter(runs.values())))
    print(f"{show_size(size)} into MinIO on this machine\n\n| | seconds | of the SDK's | peak RSS |\n|---|---|---|---|")
    for way, results in runs.items():
        seconds = statistics.median(seconds for seconds, _ in results)
        memory = statistics.median(memory for _, memory in results)
        print(f"| {way} | {seconds:.2f} | {seconds / base:.2f} | {show_size(int(memory))} |")


if __name__ == "__main__":
    main()
