"""The exit codes, and how every command ends.

0 done    1 other failure    2 usage or configuration    3 not found    4 permission or credentials
5 network or service, after retries    6 integrity: source changed, truncated, checksum    130 interrupted
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec

import typer

from storagekit import errors
from storagekit.cli._output import Output

P = ParamSpec("P")

OTHER, USAGE, NOT_FOUND, PERMISSION, SERVICE, INTEGRITY, INTERRUPTED = 1, 2, 3, 4, 5, 6, 130

_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (errors.ConfigurationError, USAGE),
    (errors.UploadGoneError, SERVICE),
    (FileNotFoundError, NOT_FOUND),
    (PermissionError, PERMISSION),
    (ConnectionError, SERVICE),
    (errors.IntegrityError, INTEGRITY),
    (KeyboardInterrupt, INTERRUPTED),
    (errors.TransferCancelled, INTERRUPTED),
)


def exit_code(error: BaseException) -> int:
    """Return the exit code of an error: the first class of the table that it is of."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), OTHER)


def command(run: Callable[P, None]) -> Callable[P, None]:
    """Wrap a command: an error becomes one sentence and an exit code, with its traceback at debug level only."""

    @functools.wraps(run)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            run(*args, **kwargs)
        except (errors.StorageError, OSError, KeyboardInterrupt) as error:
            if isinstance(error, BrokenPipeError):
                sys.stderr.close()  # the reader of our output went away: nothing is left to be said
                raise typer.Exit(OTHER) from None
            to_stdout = kwargs.get("dst") == "-"
            Output(bool(kwargs.get("as_json")), data_on_stdout=to_stdout).error(error, exit_code(error))
            raise typer.Exit(exit_code(error)) from None

    return wrapped
