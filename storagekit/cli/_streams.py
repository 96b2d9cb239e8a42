"""Standard input as a source, standard output as a target, without Python's own buffers; and when one of them fails."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, TextIO

from storagekit.errors import ConfigurationError

if TYPE_CHECKING:
    from storagekit.client import StorageClient


def standard_input() -> IO[bytes]:
    """Return standard input without a buffer. Raises ConfigurationError where it is closed.

    Not ``sys.stdin.buffer``: a thread that is blocked in it holds its lock, and the interpreter dies of that at exit.
    """
    if sys.stdin is None:
        raise ConfigurationError("standard input is closed", hint="Give it a file or a pipe")
    return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)


class Advice:
    """Standard error. Where nothing can be said (a log on a full disk, a reader that went away) nothing is said.

    It must neither stop a transfer nor change an exit code.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, if that is possible."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # ValueError: it was closed
            give_up(self._stream)
        return len(text)

    def flush(self) -> None:
        """Flush, if that is possible."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            give_up(self._stream)


def give_up(stream: TextIO) -> None:
    """Let what is still buffered go nowhere: the interpreter flushes at its end, and fails with 120 where it cannot."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def write_to_stdout(client: StorageClient, key: str) -> None:
    """Write an object's bytes to standard output. Raises ConfigurationError where that is closed.

    Through a buffer of our own: with PYTHONUNBUFFERED that of ``sys.stdout`` is none, and writes a part of a block
    where the disk is full, without an error.
    """
    if sys.stdout is None:
        raise ConfigurationError("standard output is closed", hint="Redirect it to a file or a pipe")
    output = open(sys.stdout.fileno(), "wb", closefd=False)  # noqa: SIM115  # a close after an error would hide it
    for block in client.iter_bytes(key):
        with _naming_stdout():
            output.write(block)
    with _naming_stdout():
        output.close()


@contextmanager
def _naming_stdout() -> Iterator[None]:
    """Inside, an error of the system (a full disk) says that it is about standard output."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from error
