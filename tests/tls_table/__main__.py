"""Makes the environments, runs the requests and prints the table."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from storagekit.testing.http_source import SourceServer
from storagekit.testing.servers.cache import cache_dir, locked
from storagekit.testing.tls import Authority, TLSFront, only_tls_1_1, self_signed
from tests.tls_table.requests_of import WHO

ROOT = Path(__file__).parents[2]
OURS = ("storagekit", "`apply_ssl_patch`")
PACKAGES = {"obs": "esdk-obs-python", "oss": "oss2"}

KINDS: dict[str, Callable[[Authority], ssl.SSLContext]] = {
    "good": lambda authority: authority.issue("127.0.0.1").context(),
    "other host": lambda authority: authority.issue("obs.example.net").context(),
    "self-signed": lambda _: self_signed("127.0.0.1").context(),
    "expired": lambda authority: authority.issue("127.0.0.1", begins=-30, ends=-1).context(),
    "TLS 1.1": lambda authority: only_tls_1_1(authority.issue("127.0.0.1").context()),
}


@dataclass(frozen=True)
class Cell:
    """What became of one request."""

    who: str
    kind: str
    connections: int
    handshakes: int
    bytes_up: int
    error: str

    @property
    def outcome(self) -> str:
        if self.bytes_up:
            return "accepted"
        refused = self.connections and not self.handshakes
        return "refused" if refused else f"broken ({self.error.partition(':')[0]})"

    @property
    def is_wrong(self) -> bool:
        """Tell whether one of ours did what it must not."""
        return self.who in OURS and self.outcome != ("accepted" if self.kind == "good" else "refused")


def interpreter(version: str) -> str | None:
    """Return a Python of this version: from PATH, else one that pyenv has built."""
    built = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for program in filter(None, (shutil.which(f"python{version}"), *map(str, built))):
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
        if said.stdout.startswith(f"Python {version}."):  # pyenv's own python3.x only says which ones there are
            return program
    return None


def environment(program: str, version: str, sdk: str) -> str:
    """Return the Python of an environment with this SDK (``obs==3.26.6``) and, from this checkout, storagekit."""
    backend, _, release = sdk.partition("==")
    home = cache_dir() / "tls-table" / f"python{version}-{backend}{release}"
    with locked(home.with_suffix(".lock")):
        if not (home / "bin" / "pip").exists():
            subprocess.run([program, "-m", "venv", "--clear", str(home)], check=True)
        python = str(home / "bin" / "python")
        wanted = ["-e", str(ROOT), "certifi", f"{PACKAGES[backend]}=={release}"]
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted], check=True)
    return python


def cells(python: str, backend: str, authority: Authority, ca_file: str, origin: SourceServer) -> Iterator[Cell]:
    """Make every request in one environment, each to a server of its own."""
    places = [(who, kind) for who in WHO[backend] for kind in KINDS]
    with ExitStack() as stack:
        fronts = [TLSFront(origin.host, origin.port, KINDS[kind](authority)) for _, kind in places]
        for front in fronts:
            stack.enter_context(front)
        lines = [
            f"{backend}\t{who}\t{front.endpoint}\t{ca_file}\n" for (who, _), front in zip(places, fronts, strict=True)
        ]
        command = [python, "-m", "tests.tls_table.requests_of"]
        clean = {name: value for name, value in os.environ.items() if not name.endswith(("_CERT_FILE", "_CA_BUNDLE"))}
        done = subprocess.run(
            command, input="".join(lines), stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT, env=clean
        )
    errors = json.loads(done.stdout.splitlines()[-1])
    for (who, kind), front, error in zip(places, fronts, errors, strict=True):
        yield Cell(who, kind, front.connections, front.handshakes, front.bytes_up, error)


def outcomes(who: str, found: list[Cell]) -> tuple[str, ...]:
    """What one of them did with each kind of certificate."""
    mine = {cell.kind: f"{cell.outcome}{' **wrong**' * cell.is_wrong}" for cell in found if cell.who == who}
    return tuple(mine[kind] for kind in KINDS)


def main() -> int:
    """Print the table; 1 where one of ours is wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sdks", nargs="+", default=["obs==3.21.8", "obs==3.26.6", "oss==2.18.4", "oss==2.19.1"])
    parser.add_argument("--pythons", nargs="+", default=["3.10", "3.11", "3.12", "3.13"])
    options = parser.parse_args()
    authority, programs = Authority(), {version: interpreter(version) for version in options.pythons}
    results: dict[tuple[str, str], list[Cell]] = {}
    with tempfile.TemporaryDirectory() as directory, SourceServer(100) as origin:
        ca_file = authority.write(Path(directory) / "ca.pem")
        for sdk in options.sdks:
            for version, program in programs.items():
                if program:
                    python = environment(program, version, sdk)
                    results[sdk, version] = list(cells(python, sdk[:3], authority, ca_file, origin))
    show(results)
    for version in (version for version, program in programs.items() if program is None):
        print(f"\nPython {version} is not on this machine.")
    wrong = [(place, cell) for place, found in results.items() for cell in found if cell.is_wrong]
    for place, cell in wrong:
        print("wrong:", *place, cell, file=sys.stderr)
    return bool(wrong)


def show(results: dict[tuple[str, str], list[Cell]]) -> None:
    """Print the table: Pythons with the same outcomes share a row."""
    print(f"{datetime.now(timezone.utc):%Y-%m-%d}, servers with {ssl.OPENSSL_VERSION}\n")
    print(f"| who | SDK | Python | {' | '.join(KINDS)} |\n|---|---|---|{'---|' * len(KINDS)}")
    for backend, who in [(backend, who) for backend, named in WHO.items() for who in named]:
        lines: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for (sdk, version), found in results.items():
            if sdk.startswith(backend):
                lines.setdefault((sdk, outcomes(who, found)), []).append(version)
        for (sdk, cells_of), versions in lines.items():
            name, _, release = sdk.partition("==")
            print(f"| {who} | {PACKAGES[name]} {release} | {', '.join(versions)} | {' | '.join(cells_of)} |")


if __name__ == "__main__":
    sys.exit(main())
