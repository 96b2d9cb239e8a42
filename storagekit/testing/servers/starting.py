"""Starting a server on free ports, and knowing when it answers."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from storagekit.testing.servers.commands import last_line
from storagekit.testing.servers.server import Unavailable

KEEPER = Path(__file__).with_name("keeper.py")
READY_SECONDS = 60  # measured: MinIO 0.5 s, Swift 1.5 s, twice that with both cores busy
ATTEMPTS = 4  # each with fresh ports


@dataclass(frozen=True)
class Recipe:
    """How to start a server."""

    name: str
    prepare: Callable[[Path, Sequence[int]], list[list[str]]]  # (root, ports) -> one command per process
    ports: int  # how many; the first is the one that clients use
    ready: str  # a GET of this path is answered by a server that is ready
    env: Mapping[str, str]
    tls: bool = False  # whether it speaks TLS at that port
    ready_status: int = 200  # so


@contextmanager
def serving(recipe: Recipe, tmp_dir: Path) -> Iterator[tuple[str, Path]]:
    """Endpoint and root directory of a running server; stopped, with its directory removed, at the end."""
    log = Path(tmp_dir) / f"{recipe.name}-{secrets.token_hex(4)}.log"  # beside the root: it outlives the server
    for _ in range(ATTEMPTS):
        ports = free_ports(recipe.ports)
        endpoint = f"{'https' if recipe.tls else 'http'}://127.0.0.1:{ports[0]}"
        with _root_dir(recipe, tmp_dir) as root, _kept(recipe, root, ports, log) as keeper:
            if _ready(keeper, endpoint, recipe, ports):
                yield endpoint, root
                return
    raise Unavailable(f"{recipe.name} ended {ATTEMPTS} times before it answered: {last_line(log.read_text())}")


@contextmanager
def _root_dir(recipe: Recipe, tmp_dir: Path) -> Iterator[Path]:
    prefix = f"{recipe.name}-"
    with tempfile.TemporaryDirectory(dir=tmp_dir, prefix=prefix, ignore_cleanup_errors=True) as root:
        yield Path(root)


def free_ports(count: int) -> list[int]:
    """All bound at once, so that they differ."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in sockets]


def _ready(keeper: subprocess.Popen[bytes], endpoint: str, recipe: Recipe, ports: Sequence[int]) -> bool:
    """True when every process answers, False when one has ended; neither within READY_SECONDS is `Unavailable`."""
    url = endpoint + recipe.ready
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if keeper.poll() is not None:
            return False
        if all(map(_listens, ports)) and answers(url, recipe.ready_status):
            return keeper.poll() is None
        time.sleep(0.05)
    raise Unavailable(f"{url} does not answer after {READY_SECONDS} s")


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def answers(url: str, status: int = 200) -> bool:
    """Whether a GET gets this status, past any proxy that the environment names."""
    anybody = ssl.create_default_context()  # a certificate may be a bad one on purpose, and no secret is sent
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=anybody))
    try:
        with opener.open(url, timeout=2) as response:
            return bool(response.status == status)
    except urllib.error.HTTPError as refused:
        return refused.code == status
    except (OSError, ValueError, http.client.HTTPException):  # refused, reset, 503; not a URL; not HTTP
        return False


@contextmanager
def _kept(recipe: Recipe, root: Path, ports: Sequence[int], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A session of its own: Ctrl-C in the terminal reaches the tests, and not the servers that their clean-up needs."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MINIO_")}
    commands = json.dumps(recipe.prepare(root, ports))
    with log.open("ab") as output:
        keeper = subprocess.Popen(
            [sys.executable, "-I", str(KEEPER), commands, str(root)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**inherited, **recipe.env},
            start_new_session=True,
        )
    try:
        yield keeper
    finally:
        keeper.communicate()  # closes the pipe, waits
