"""How long ``--help`` of every command takes, beside ``python -c pass`` in the same run: medians of seven, in turns.

Run it with ``nox -s bench``, or by itself. It fails where a command takes 0.3 s longer than the bare interpreter.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from storagekit.cli.main import app

ROUNDS = 7
ALLOWED_S = 0.3


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words that call each command and sub-command."""
    yield path
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


def seconds(*arguments: str) -> float:
    """Return how long one run of the interpreter takes."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main() -> int:
    """Print a table; return 1 where a command is too slow."""
    runs: dict[str, tuple[str, ...]] = {"python -c pass": ("-c", "pass")}
    for words in commands(get_command(app)):
        runs[" ".join(("storagekit", *words, "--help"))] = ("-m", "storagekit", *words, "--help")
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, arguments in runs.items():
            taken[name].append(seconds(*arguments))
    medians = {name: statistics.median(times) for name, times in taken.items()}
    bare = medians.pop("python -c pass")
    print(f"{'python -c pass':<34} {bare:.3f} s")
    for name, median in medians.items():
        print(f"{name:<34} {median:.3f} s, {median - bare:.3f} s more")
    return int(any(median - bare > ALLOWED_S for median in medians.values()))


if __name__ == "__main__":
    sys.exit(main())
