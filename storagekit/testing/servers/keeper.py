"""The keeper: a script that starts processes and stops them when its standard input or one of them ends.

Run as a file, isolated, with the standard library alone: ``keeper.py COMMANDS DIRECTORY``, the commands in JSON. The
pipe's other end is held by the test process alone, so the kernel closes it however that process ends, ``kill -9``
included; the keeper then stops the servers by pid and removes their data. (``PR_SET_PDEATHSIG`` was the alternative:
Linux only, it fires when the *thread* that started the server ends, it needs code between fork and exec, and it leaves
the data behind.)
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from select import select

STOP_SECONDS = 5  # per process, from SIGTERM to SIGKILL; measured: below 0.1 s


def _keep(commands: list[list[str]], root: str) -> None:
    """The keeper's whole life."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        children = [stack.enter_context(_child(command)) for command in commands]
        while all(child.poll() is None for child in children):
            if select([0], [], [], 0.2)[0]:  # nothing is ever written: readable means closed
                break


@contextmanager
def _child(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    _keep(json.loads(sys.argv[1]), sys.argv[2])
