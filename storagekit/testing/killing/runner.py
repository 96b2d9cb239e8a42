"""Running a command until it ends or is killed, whichever comes first."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from storagekit.testing.killing.triggers import Trigger

_LOOK_SECONDS = 0.005
"""How often the command is asked whether it has ended; a kill does not wait for it."""


@dataclass(frozen=True)
class Outcome:
    """What became of a command."""

    fired: bool
    """Whether the trigger fired."""
    status: int
    """Exit status; minus the signal's number where a signal ended it."""
    seconds: float
    out: bytes
    """Its standard output."""
    err: bytes
    """Its standard error."""

    @property
    def killed(self) -> bool:
        """Whether it died of the kill: it may also have been about to end, or fail by itself."""
        return self.fired and self.status == -signal.SIGKILL


def run_until(
    command: Sequence[str],
    trigger: Trigger,
    *,
    environment: Mapping[str, str] | None = None,
    feed: Sequence[str] | None = None,
    timeout: float = 120.0,
) -> Outcome:
    """Run ``command`` in a process group of its own; SIGKILL the group when ``trigger`` fires, which is armed first.

    ``environment`` is the whole environment (None: this process's). The output of the command ``feed`` is its standard
    input, like ``feed | command`` in a shell; the kill leaves ``feed`` to die of its broken pipe. Raises
    subprocess.TimeoutExpired, after a kill, when the command neither ends nor is killed within ``timeout`` seconds.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, _feeding(feed) as stdin:
        began = time.monotonic()
        group = _Group()
        with trigger.armed(group.kill), group.running(command, environment, stdin, out, err):
            status = group.wait(timeout)
        return Outcome(group.fired, status, time.monotonic() - began, _content(out), _content(err))


class _Group:
    """A command as the leader of a process group.

    It is reaped under the lock that a kill takes: the id of a group that has been reaped may be somebody else's.
    """

    def __init__(self) -> None:
        self.fired = False
        self._early = False
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def kill(self) -> None:
        """SIGKILL for the group, once, unless it has ended. Before it has started, it is killed when it has."""
        with self._lock:
            self._early = self._process is None
            if self._process is not None and self._process.returncode is None and not self.fired:
                self.fired = True
                os.killpg(self._process.pid, signal.SIGKILL)

    @contextmanager
    def running(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None,
        stdin: IO[bytes] | int,
        out: IO[bytes],
        err: IO[bytes],
    ) -> Iterator[None]:
        """Start the command, and leave no process behind, whatever is raised."""
        with self._lock:
            self._process = process = subprocess.Popen(
                command, env=environment, stdin=stdin, stdout=out, stderr=err, start_new_session=True
            )
        if self._early:
            self.kill()
        if not isinstance(stdin, int):
            stdin.close()  # the feed's pipe breaks when the command's end of it is the last
        try:
            yield
        finally:
            if self._poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def wait(self, timeout: float) -> int:
        """Return the exit status. Raises subprocess.TimeoutExpired."""
        deadline = time.monotonic() + timeout
        while (status := self._poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("the command", timeout)
            time.sleep(_LOOK_SECONDS)
        return status

    def _poll(self) -> int | None:
        assert self._process is not None
        with self._lock:
            return self._process.poll()


@contextmanager
def _feeding(feed: Sequence[str] | None) -> Iterator[IO[bytes] | int]:
    if feed is None:
        yield subprocess.DEVNULL
        return
    with subprocess.Popen(feed, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.stdout.close()
            process.kill()  # it has ended, or nobody reads it


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()
