"""Running a command to its end, for what a server needs before it can start."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence

from storagekit.testing.servers.server import Unavailable


def run(command: Sequence[str], seconds: float, env: Mapping[str, str], what: str) -> None:
    """Run to the end, or kill the whole group: `go` and `pip` have children, which would go on alone."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **env},
            start_new_session=True,
        )
        try:
            code = process.wait(seconds)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise Unavailable(f"{what} took longer than {seconds:.0f} s") from error
            raise
        output.seek(0)
        if code != 0:
            raise Unavailable(f"{what} failed: {last_line(output.read())}")


def last_line(text: str) -> str:
    """The last line with something on it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
