"""Where the snippets of one page run: a directory, a home, a bucket and a web server of their own.

What a page needs is there without a word: ``shard.tar``, a directory ``shards``, the bucket ``datasets`` (unless the
page makes it itself) and ``https://host/``. Hosts and keys that stand for the reader's own are replaced in the text.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.docs.console import commands, complaint, outcomes, script
from tests.docs.pages import Block

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PATIENCE = 180.0  # seconds for one block; the slowest, a conformance suite, takes 12
_KEPT = ("LANG", "LC_ALL", "SSL_CERT_FILE", "TMPDIR", "VIRTUAL_ENV")
_SAVE = "trap 'code=$?; env -0 > \"$SNIPPET_STATE\"; exit $code' EXIT\n"


class Place:
    """One page's machine. What a block exports, and where it goes to, holds for the blocks below it."""

    def __init__(self, root: Path, words: Mapping[str, str], variables: Mapping[str, str]) -> None:
        self._words = words
        self._state = root / "state"
        self._names: dict[str, Any] = {"__name__": "snippet"}
        self.home, self.directory = root / "home", root / "home" / "work"
        self.directory.mkdir(parents=True)
        self.environment = {
            **{name: os.environ[name] for name in _KEPT if name in os.environ},
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(self.home),
            "STORAGEKIT_LOCAL_ROOT": str(self.home / "buckets"),
            **variables,
        }

    def run(self, block: Block) -> None:
        """Run, parse or write one block. Raises AssertionError for what does not do what the page says."""
        if block.title is not None:
            self._write(block)
        elif block.language == "console":
            self._console(block)
        elif block.language == "bash":
            done = self._bash(f"set -eo pipefail\n{self._said(block)}")
            assert done.returncode == 0, f"exit code {done.returncode}\n{block.text}\n{done.stdout}"
        elif block.language == "python":
            self._python(block)

    def _said(self, block: Block) -> str:
        text = block.text
        for word, meant in self._words.items():
            text = text.replace(word, meant)
        return text

    def _write(self, block: Block) -> None:
        path = self.directory / str(block.title)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._said(block))

    def _console(self, block: Block) -> None:
        wanted = commands(self._said(block))
        done = self._bash(script(wanted))
        seen = list(outcomes(done.stdout))
        assert len(seen) == len(wanted), done.stdout
        wrong = [complaint(command, *outcome) for command, outcome in zip(wanted, seen, strict=True)]
        assert not any(wrong), "\n".join(filter(None, wrong))

    def _bash(self, program: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["bash", "-c", _SAVE + program],
            cwd=self.directory,
            env={**self.environment, "SNIPPET_STATE": str(self._state)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        entries = self._state.read_text().split("\0")
        self.environment = dict(entry.split("=", 1) for entry in entries if "=" in entry)
        self.directory = Path(self.environment["PWD"])
        return done

    def _python(self, block: Block) -> None:
        code = compile("\n" * (block.line - 1) + self._said(block), "snippet", "exec", dont_inherit=True)
        with pytest.MonkeyPatch.context() as patch:
            for name in set(os.environ) - set(self.environment):
                patch.delenv(name)
            for name, value in self.environment.items():
                patch.setenv(name, value)
            patch.chdir(self.directory)
            patch.syspath_prepend(self.directory)
            exec(code, self._names)


def parse(block: Block) -> None:
    """Parse a block of data. Raises ValueError for what is none."""
    if block.language == "toml":
        tomllib.loads(block.text)
    elif block.language == "json":
        try:
            json.loads(block.text)
        except json.JSONDecodeError:
            for line in filter(None, block.text.splitlines()):
                json.loads(line)
