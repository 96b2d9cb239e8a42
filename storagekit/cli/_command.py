"""What all commands have in common: the options of the connection and the log, and how they end.

A command is a plain function. ``@command`` gives it ``--log-level``, and where it has a parameter ``connection`` also
``--profile``, ``--endpoint-url`` and ``--region``, so that these are declared once. An error becomes one sentence and
an exit code (``_exit.py``), with its traceback at debug level only.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from storagekit.cli._complete import complete_log_level, complete_profile
from storagekit.cli._connection import Connection
from storagekit.cli._exit import PIPE, exit_code
from storagekit.cli._log import set_log_level
from storagekit.cli._output import Output
from storagekit.cli._streams import give_up
from storagekit.errors import CredentialsError, ServiceError, StorageError

_LOCAL = ("local", "memory")


def _connection_options(
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Profile to take settings from; also obsutil:, ossutil: or mc:ALIAS, of those tools.",
            autocompletion=complete_profile,
        ),
    ] = None,
    endpoint_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Host, host:port or URL of the service.")
    ] = None,
    region: Annotated[str | None, typer.Option(metavar="NAME", help="Region of the bucket.")] = None,
) -> Connection:
    return Connection(profile, endpoint_url, region)


def _log_option(
    log_level: Annotated[
        str,
        typer.Option(metavar="LEVEL", help="debug, info, warning or error.", autocompletion=complete_log_level),
    ] = "warning",
) -> None:
    set_log_level(log_level)


def command(run: Callable[..., None]) -> Callable[..., None]:
    """Return ``run`` as typer takes it: with the common options, and with errors turned into exit codes."""
    own = inspect.signature(run, eval_str=True).parameters
    connects = "connection" in own
    shared = {**(_options_of(_connection_options) if connects else {}), **_options_of(_log_option)}

    @functools.wraps(run)
    def wrapped(**given: Any) -> None:
        try:
            _log_option(given.pop("log_level"))
            if connects:
                given["connection"] = Connection(*(given.pop(name) for name in _options_of(_connection_options)))
            run(**given)
            print(end="", flush=True)  # here a full disk can still be said
        except (StorageError, OSError, KeyboardInterrupt) as error:
            raise _end(error, given) from None

    shown = [*(parameter for name, parameter in own.items() if name != "connection"), *shared.values()]
    return _with_signature(wrapped, shown)


def _options_of(function: Callable[..., object]) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function, eval_str=True).parameters)


def _with_signature(wrapped: Callable[..., None], shown: list[inspect.Parameter]) -> Callable[..., None]:
    """Let typer see the options that ``wrapped`` really takes; it reads signature and annotations."""
    del wrapped.__wrapped__  # type: ignore[attr-defined]  # functools.wraps sets it, and typer would look behind it
    wrapped.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]  # what inspect looks for first
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    return wrapped


def _end(error: BaseException, given: dict[str, Any]) -> typer.Exit:
    """Say what went wrong, and return how the program ends."""
    if isinstance(error, BrokenPipeError):  # the reader of our output went away: nothing is left to be said
        give_up(sys.stdout)
        return typer.Exit(PIPE)
    if isinstance(error, (CredentialsError, ServiceError)) and error.bucket and error.backend not in _LOCAL:
        error.advise(f"`storagekit config check {error.backend}://{error.bucket}` tells more")
    output = Output(bool(given.get("as_json")), data_on_stdout=given.get("dst") == "-")
    try:
        output.error(error, exit_code(error))
        print(end="", flush=True)
    except OSError as failure:  # standard output itself
        give_up(sys.stdout)
        print(*dict.fromkeys([f"error: {error}", f"error: standard output: {failure}"]), sep="\n", file=sys.stderr)
    return typer.Exit(exit_code(error))
