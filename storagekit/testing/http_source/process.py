"""The source as a process of its own, seen from the process that starts it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, final

PACKAGE = Path(__file__).parent
# What `python -m storagekit.testing.http_source` does, but by path: in a checkout and in an installed package alike,
# and without the two packages around this one, which import pluggy and pytest. -I and -S keep out PYTHONPATH and
# everything installed, so that the process starts in 0.1 s and depends on the standard library alone.
_RUN = """
import os, runpy, sys
directory, name = os.path.split(sys.argv.pop(1))
sys.path.insert(0, directory)
runpy.run_module(name, run_name="__main__", alter_sys=True)
"""


@final
class SourceProcess:
    """The source as a separate process: outside the process group a kill test ends, and off its interpreter lock.

    ``arguments`` are those of the command line, e.g. ``SourceProcess("--size", "1GiB", "--rate", "40MB")``. It ends
    with this object, or, when the test run itself dies, with the pipe to its standard input.
    """

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-I", "-S", "-c", _RUN, str(PACKAGE), "--until-stdin-closes", *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.close()
            raise RuntimeError(f"the source process ended at once: {command}")
        self.announcement: dict[str, Any] = json.loads(line)

    def __enter__(self) -> SourceProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Where the content is."""
        return str(self.announcement["url"])

    @property
    def pid(self) -> int:
        """Process id, and its process group as well."""
        return self.process.pid

    @property
    def bytes_served(self) -> int:
        """Body bytes the kernel took since the start or the last reset."""
        return int(self.status()["bytes_served"])

    def status(self) -> dict[str, Any]:
        """The answer of GET ``/__control__``."""
        return self._control(None)

    def configure(self, **settings: Any) -> dict[str, Any]:
        """POST ``settings`` to ``/__control__`` (see ``SourceServer.configure``); the status after it."""
        return self._control(json.dumps(settings).encode())

    def close(self) -> None:
        """End the process and wait for it."""
        self.process.terminate()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.process.wait(timeout=10)

    def _control(self, data: bytes | None) -> dict[str, Any]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through an http_proxy
        with opener.open(str(self.announcement["control_url"]), data, timeout=10) as answer:
            status: dict[str, Any] = json.load(answer)
        return status
