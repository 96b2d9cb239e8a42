"""Standard input as a source, standard output as a target: without Python's own buffers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

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
