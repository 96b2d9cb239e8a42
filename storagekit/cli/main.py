"""The program ``storagekit``, also ``sk``: the table of its commands. Each command is a module beside this one."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO, cast

import typer

from storagekit import __version__
from storagekit.cli import backends, cat, config, cp, demo, emulate, ls, mb, presign, rb, rm, stat, uploads
from storagekit.cli._exit import exit_code
from storagekit.cli._output import Output
from storagekit.cli._streams import Advice
from storagekit.errors import ConfigurationError

_USAGE_ERRORS = cast(
    "tuple[type[Exception], ...]", typer.BadParameter.__bases__
)  # UsageError, which has no public name

app = typer.Typer(
    name="storagekit",
    help="Move bytes into and out of object storage, and prove it.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for _name, _module in {
    "cp": cp,
    "ls": ls,
    "stat": stat,
    "cat": cat,
    "rm": rm,
    "mb": mb,
    "rb": rb,
    "presign": presign,
    "backends": backends,
    "demo": demo,
}.items():
    app.command(_name)(_module.run)
app.add_typer(uploads.app, name="uploads")
app.add_typer(config.app, name="config")
app.add_typer(emulate.app, name="emulate")


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"storagekit {__version__}")
        raise typer.Exit


@app.callback()
def _all(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    """Move bytes into and out of object storage, and prove it."""


def main() -> None:
    """Run the program. What a terminal cannot show is escaped, and a closed standard error is no reason to fail."""
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115, PTH123  # for as long as the process lives
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.stderr = cast("TextIO", Advice(sys.stderr))
    if "--json" in sys.argv:
        sys.exit(_run_for_a_program(sys.argv[1:]))
    app()


def _run_for_a_program(arguments: list[str]) -> int:
    """Run a command with ``--json`` and return its exit code; also what the parser refuses is one JSON event."""
    try:
        return int(app(arguments, standalone_mode=False) or 0)
    except _USAGE_ERRORS as error:
        to_stdout = [word for word in arguments if not word.startswith("--")][-1:] == ["-"]
        usage = ConfigurationError(_sentence(error), hint="Add --help to the command")
        Output(as_json=True, data_on_stdout=to_stdout).error(usage, exit_code(usage))
        return exit_code(usage)


def _sentence(error: BaseException) -> str:
    said = error.format_message() if hasattr(error, "format_message") else str(error)
    return str(said).rstrip(".")
