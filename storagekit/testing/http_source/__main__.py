"""The command line: serve generated content until told to end, announced by one line of JSON."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from .content import PatternContent
from .server import SourceServer
from .size import parse_size


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m storagekit.testing.http_source", description="Loopback source.")
    parser.add_argument("--size", type=parse_size, default=0, help="bytes of generated content, e.g. 1GiB")
    parser.add_argument("--seed", type=int, default=0, help="seed of the generated content")
    parser.add_argument("--rate", type=parse_size, help="bytes per second over all connections, e.g. 40MB")
    parser.add_argument("--name", default="object.bin", help="last part of the printed url")
    parser.add_argument("--kill-at", type=parse_size, help="SIGKILL a process group when so many bytes are served")
    parser.add_argument("--kill-pgid-file", type=Path, help="file with the id of that process group")
    parser.add_argument("--until-stdin-closes", action="store_true", help="also end when standard input does")
    options = parser.parse_args(argv)
    if (options.kill_at is None) != (options.kill_pgid_file is None):
        parser.error("--kill-at and --kill-pgid-file need each other")
    return options


def _end_with_stdin() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT (or, if so asked, the end of standard input)."""
    options = _arguments(argv)
    source = SourceServer(PatternContent(options.size, options.seed), rate=options.rate, name=options.name)
    if options.kill_at is not None:
        source.kill_group_at(options.kill_at, options.kill_pgid_file)
    # Blocked before the first thread starts, so that none of them takes the signal away from sigwait.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    with source:
        status = source.status()
        keys = ("url", "control_url", "pid", "size", "etag", "rate")
        print(json.dumps({key: status[key] for key in keys}), flush=True)
        if options.until_stdin_closes:
            threading.Thread(target=_end_with_stdin, daemon=True).start()
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
    return 0


if __name__ == "__main__":
    sys.exit(main())
