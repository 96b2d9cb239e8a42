"""The command line as Markdown, made of what the program itself says of its commands. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from storagekit.cli.main import app

#: Declared once for all commands (``_command.py``), and so described once.
COMMON = ("profile", "endpoint_url", "region", "log_level")

Command = Any
"""A command of typer's: it has no public class."""


def commands() -> dict[str, Command]:
    """Return every command by the words that call it: ``cp``, ``uploads list``."""
    return dict(_leaves(get_command(app), ()))


def _leaves(command: Command, words: tuple[str, ...]) -> Iterator[tuple[str, Command]]:
    if not hasattr(command, "commands"):
        yield " ".join(words), command
        return
    for name, child in command.commands.items():
        yield from _leaves(child, (*words, name))


def overview() -> str:
    """Return a table of all commands with the first sentence of their help."""
    rows = [
        f"| [`storagekit {name}`](#storagekit-{name.replace(' ', '-')}) | {_first(command)} |"
        for name, command in commands().items()
    ]
    return "\n".join(["| command | does |", "|---|---|", *rows])


def sections() -> str:
    """Return one section per command: usage, help, arguments, options."""
    return "\n\n".join(_section(name, command) for name, command in commands().items())


def common() -> str:
    """Return the table of the options that commands share."""
    seen = {option.name: option for command in commands().values() for option in _options(command)}
    return _table("option", [_option_row(seen[name]) for name in COMMON if name in seen])


def _section(name: str, command: Command) -> str:
    arguments = [
        _row(f"`{_usage_of(argument)}`", _help(argument)) for argument in _arguments(command) if _help(argument)
    ]
    own = [_option_row(option) for option in _options(command) if option.name not in COMMON]
    shared = [f"`{_long(option)}`" for option in _options(command) if option.name in COMMON]
    pieces = [
        f"### `storagekit {name}`",
        f"```text\n{_usage(name, command)}\n```",
        *_help_of(command),
        _table("argument", arguments) if arguments else "",
        _table("option", own) if own else "",
        f"Also {_listed(shared)}: see [common options](#common-options)." if shared else "",
    ]
    return "\n\n".join(filter(None, pieces))


def _usage(name: str, command: Command) -> str:
    return " ".join(["storagekit", name, "[OPTIONS]", *(_usage_of(argument) for argument in _arguments(command))])


def _usage_of(argument: Any) -> str:
    name = str(argument.metavar or argument.name.upper())
    return f"{name.rstrip('.')}{'...' if argument.nargs == -1 else ''}"


def _help_of(command: Command) -> list[str]:
    """Return the paragraphs of a command's help; what is laid out by hand (``\\b``) is shown as it is."""
    paragraphs = textwrap.dedent(command.help or "").strip().split("\n\n")
    return [_verbatim(text) if text.startswith("\b") else " ".join(text.split()) for text in paragraphs]


def _verbatim(text: str) -> str:
    title, _, rest = text.removeprefix("\b").strip("\n").partition("\n")
    return f"{title}\n\n```text\n{textwrap.dedent(rest)}\n```"


def _first(command: Command) -> str:
    text = _help_of(command)[0]
    return text.split(". ")[0].rstrip(".")


def _arguments(command: Command) -> list[Any]:
    return [parameter for parameter in command.params if parameter.param_type_name == "argument"]


def _options(command: Command) -> list[Any]:
    shown = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    return [option for option in shown if not getattr(option, "hidden", False) and option.name != "help"]


def _option_row(option: Any) -> str:
    value = "" if option.is_flag else f" {option.metavar or option.name.upper()}"
    names = [f"`{name}{value}`" for name in sorted(option.opts, key=len, reverse=True)[:1]]
    names += [f"`{name}`" for name in sorted(option.opts, key=len, reverse=True)[1:]]
    default = "" if option.is_flag or option.default in (None, (), []) else f" Default: `{option.default}`."
    return _row(", ".join(names), _help(option) + default)


def _long(option: Any) -> str:
    return str(max(option.opts, key=len))


def _help(parameter: Any) -> str:
    return " ".join((getattr(parameter, "help", None) or "").split())


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _table(head: str, rows: list[str]) -> str:
    return "\n".join([f"| {head} | meaning |", "|---|---|", *rows])


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
