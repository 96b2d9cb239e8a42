"""``storagekit config set``: make or change a profile in the configuration file."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from storagekit.cli import _options
from storagekit.cli._command import command
from storagekit.cli._output import Output
from storagekit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from storagekit.driver import DriverSpec

_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")


@command
def run(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="Name of the profile.")],
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME=VALUE]...", help="NAME= removes a setting; NAME alone asks for it."),
    ] = None,
    as_json: _options.Json = False,
    quiet: _options.Quiet = False,
) -> None:
    """Make or change PROFILE in the configuration file, which its owner alone can read.

    Secrets are never taken from the command line, where others can see them. Those that the backend needs and the
    profile has not are asked for without echo, or read from standard input, one line each, where that is no terminal;
    an empty line leaves one out. The profile named default counts where no other is named.

    \b
    Examples:
      storagekit config set work backend=minio endpoint=https://host access_key=me
      storagekit config set work region=eu-1 use_ssl=
      storagekit config set work secret_key
      pass show minio | storagekit config set work secret_key
    """
    from storagekit._profiles import Change, change, read

    output = Output(as_json, quiet)
    path = _path(profile)
    there = read(path).get(profile, {})
    values, asked = _parsed(settings or [])
    spec = _spec(profile, values.get("backend", there.get("backend", "")))
    _require_settable(spec, values, asked)
    for name in _to_ask(spec, {**there, **values}, asked):
        values[name] = _answer(name, secret=name in _secrets(spec))
    given = {name: text for name, text in values.items() if text}
    removed = frozenset(name for name, text in values.items() if not text and name not in asked) & there.keys()
    _check(spec, given, {**there, **given}.keys() - removed, str(path))
    change(path, Change(profile, given, removed))
    _say(output, profile, path, sorted(given), sorted(removed))
    for name in sorted(_needed(spec, there.keys() | given.keys())):
        output.note(f"{name} is not in the profile: it has to come from an argument or a variable")


def _path(profile: str) -> Path:
    """Return the configuration file. Raises ConfigurationError for a name that no profile of it can have."""
    from storagekit._profiles import CONFIG, config_path

    if ":" in profile or not profile.isprintable() or not profile.strip():
        raise ConfigurationError(
            f"{profile!r} is no name of a profile", hint="Names with a colon are of other tools, which change them"
        )
    path = config_path(os.environ)
    if path is None:
        raise ConfigurationError("HOME is not set", hint=f"Set {CONFIG} to a file")
    return path


def _parsed(settings: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return what is given, and the names of what is to be asked for. No value is repeated in an error."""
    values: dict[str, str] = {}
    asked: list[str] = []
    for number, text in enumerate(settings, 1):
        name, separator, value = text.partition("=")
        if not _NAME.fullmatch(name):
            raise ConfigurationError(f"setting {number} has no name", hint="Write NAME=VALUE, NAME= or NAME")
        if not _is_utf8(value):
            raise ConfigurationError(f"{name} is no UTF-8", hint="Give text that a file can hold")
        if separator:
            values[name] = value
        else:
            asked.append(name)
    return values, asked


def _is_utf8(text: str) -> bool:
    """Tell whether an argument is one: bytes that are none come as lone surrogates."""
    return not any("\ud800" <= sign <= "\udfff" for sign in text)


def _spec(profile: str, backend: str) -> DriverSpec:
    from storagekit.plugins import Registry

    if not backend:
        raise ConfigurationError(f"profile {profile} names no backend", hint="Add backend=minio, for example")
    return Registry.create().find(backend)


def _secrets(spec: DriverSpec) -> set[str]:
    return {setting.name for setting in spec.settings if setting.secret}


def _needed(spec: DriverSpec, known: Iterable[str]) -> set[str]:
    return {setting.name for setting in spec.settings if setting.is_needed(known)}


def _require_settable(spec: DriverSpec, values: Mapping[str, str], asked: list[str]) -> None:
    """Raise ConfigurationError for a setting that the backend has not, or a secret that stands in the command."""
    from storagekit.config import own_settings, require_known

    known = {setting.name for setting in (*spec.settings, *own_settings(spec))}
    require_known(spec, {*values, *asked} - {"backend"}, known)
    told = sorted(name for name in _secrets(spec) if values.get(name))
    if told:
        raise ConfigurationError(
            f"{', '.join(told)} on the command line can be seen by others and is kept in the shell's history",
            hint=f"Write {' '.join(told)} without a value: then it is asked for, or read from standard input",
        )


def _to_ask(spec: DriverSpec, known: Mapping[str, str], asked: list[str]) -> Iterator[str]:
    """Yield what is to be asked for, in the order of the backend's settings: what was named, and needed secrets."""
    needed = _secrets(spec) & _needed(spec, known)
    yield from (setting.name for setting in spec.settings if setting.name in {*needed, *asked})
    yield from (name for name in asked if name not in {setting.name for setting in spec.settings})


def _answer(name: str, *, secret: bool) -> str:
    """Return one line of the user's; empty where there is none."""
    if sys.stdin is None:
        return ""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    from getpass import getpass

    if secret:
        try:
            return getpass(f"{name} (not shown, empty to leave it out): ", stream=sys.stderr)
        except EOFError:  # Ctrl-D
            return ""
    print(f"{name} (empty to leave it out): ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().rstrip("\n")


def _check(spec: DriverSpec, given: Mapping[str, str], names: AbstractSet[str], place: str) -> None:
    """Raise ConfigurationError for a size or number that is none, and where what is there is of another backend."""
    from storagekit._tuning import parse
    from storagekit.config import own_settings

    own = {setting.name for setting in own_settings(spec)}
    strange = sorted(names - {"backend", *own, *(setting.name for setting in spec.settings)})
    if strange:
        raise ConfigurationError(
            f"the profile has {', '.join(strange)}, which the backend {spec.backend!r} has not",
            hint=f"Remove them in the same command: {' '.join(f'{name}=' for name in strange)}",
        )
    parse({name: (text, place) for name, text in given.items() if name in own})


def _say(output: Output, profile: str, path: Path, changed: list[str], removed: list[str]) -> None:
    facts = {"profile": profile, "path": str(path), "set": changed, "removed": removed}
    did = [f"set {', '.join(changed)}"] * bool(changed) + [f"removed {', '.join(removed)}"] * bool(removed)
    output.result(facts, f"profile {profile} in {path}: {'; '.join(did) or 'nothing changed'}")
