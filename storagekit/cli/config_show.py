"""``storagekit config show``: what is set, and where each value came from."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from storagekit.cli import _options
from storagekit.cli._command import command
from storagekit.cli._connection import Connection
from storagekit.cli._output import Output
from storagekit.cli.ls import printable
from storagekit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from storagekit.config import Given, Profile, Value
    from storagekit.driver import DriverSpec, Setting
    from storagekit.plugins import Registry


@command
def run(
    connection: Connection,
    backend: Annotated[
        str, typer.Argument(metavar="[BACKEND]", help="A backend or a URI; else the one that would be chosen.")
    ] = "",
    as_json: _options.Json = False,
) -> None:
    """Show every setting with its value and where that came from, and which file is read. Secrets are shown as ***.

    Where no backend is chosen, each is shown of which something is set that it needs.

    \b
    Examples:
      storagekit config show
      storagekit config show minio
      storagekit config show --profile work --json
    """
    from storagekit._profiles import load
    from storagekit.config import choose_backend
    from storagekit.plugins import Registry

    output, registry = Output(as_json), Registry.create()
    _show_file(output)
    named = backend.partition("://")[0].lower() or None
    profile = load(connection.profile, os.environ, named)
    if profile:
        _show_profile(output, profile)
    given = {"endpoint": connection.endpoint_url, "region": connection.region}
    try:
        chosen = choose_backend(named, connection.endpoint_url, os.environ, profile)
    except ConfigurationError as error:
        _show_all(output, registry, given)
        output.note(str(error))
        return
    _show_backend(output, registry.find(chosen.text), chosen, given, profile)


def _show_file(output: Output) -> None:
    """Say which configuration file counts and what is in it; a file that is no good is named before it is an error."""
    from storagekit._profiles import config_path, read

    path = config_path(os.environ)
    exists = path is not None and path.exists()
    state = "" if exists else ", which does not exist" if path else ", as there is no HOME"
    output.row("file", {"path": str(path or ""), "exists": exists}, f"file      {path or 'none'}{state}")
    names = sorted(read(path)) if path else []
    output.row("profiles", {"profiles": names}, f"profiles  {', '.join(names) or 'none'}")


def _show_profile(output: Output, profile: Profile) -> None:
    from storagekit.config import PROFILE

    by = {"argument": "--profile", "default": "its name"}.get(profile.named_by, profile.named_by)
    ignored = [PROFILE] if by == "--profile" and os.environ.get(PROFILE, profile.name) != profile.name else []
    facts = {"profile": profile.name, "place": profile.place, "backend": profile.backend, "chosen_by": by}
    line = f"profile   {profile.name} in {profile.place}, chosen by {by}{_instead_of(ignored)}"
    output.row("profile", {**facts, "ignored": ignored}, line)


def _instead_of(ignored: list[str]) -> str:
    return f", not {' or '.join(ignored)}" if ignored else ""


def _show_all(output: Output, registry: Registry, given: Mapping[str, Given | None]) -> None:
    """Show each backend of which something is set that it cannot do without."""
    for listed in registry.listed():
        with suppress(ConfigurationError):  # a broken plugin: `storagekit backends` names it
            spec = registry.find(listed.backend)
            if any(values for setting, values in _settings(spec, given, None) if setting.required):
                output.row("backend", {"backend": spec.backend, "origin": None}, f"backend   {spec.backend}")
                _show_settings(output, spec, given, None)


def _show_backend(
    output: Output, spec: DriverSpec, chosen: Value, given: Mapping[str, Given | None], profile: Profile | None
) -> None:
    """Show the backend that would be used. Raises ConfigurationError for what its profile should not have."""
    from storagekit.config import BACKEND, matching, require_known

    ignored = [BACKEND] if os.environ.get(BACKEND, chosen.text) != chosen.text else []
    line = f"backend   {chosen.text}, from {chosen.origin}{_instead_of(ignored)}"
    output.row("backend", {"backend": chosen.text, "origin": chosen.origin, "ignored": ignored}, line)
    used = matching(profile, spec, chosen)
    if profile and not used:
        output.note(f"{profile} is of the backend {profile.backend!r} and is left aside here")
    _show_settings(output, spec, given, used)
    if used:
        require_known(spec, used.settings, [setting.name for setting, _ in _settings(spec, given, used)], str(used))


def _settings(
    spec: DriverSpec, given: Mapping[str, Given | None], profile: Profile | None
) -> list[tuple[Setting, list[Value]]]:
    from storagekit.config import offers, own_settings

    both = (*spec.settings, *own_settings(spec))
    return [(setting, list(offers(setting, given, os.environ, profile))) for setting in both]


def _show_settings(
    output: Output, spec: DriverSpec, given: Mapping[str, Given | None], profile: Profile | None
) -> None:
    for setting, values in _settings(spec, given, profile):
        _show_setting(output, spec, setting, values, profile)


def _show_setting(
    output: Output, spec: DriverSpec, setting: Setting, values: list[Value], profile: Profile | None
) -> None:
    from storagekit.config import variables

    shown = printable(values[0].shown) if values else setting.default
    origins = [value.origin for value in values] or ["default"] * bool(setting.default)
    withheld = profile.withheld.get(setting.name) if profile else None
    facts = {
        "backend": spec.backend,
        "setting": setting.name,
        "value": shown or None,
        "origin": origins[0] if origins else None,
        "ignored": origins[1:],
        "withheld": withheld,
        "secret": setting.secret,
        "required": setting.required,
        "variables": variables(setting),
        "help": setting.help,
    }
    first, *ignored = [_short(origin, profile) for origin in origins] or [""]
    where = f"{first}{_instead_of(ignored)}" if values else _unset(setting, variables(setting), withheld)
    output.row("setting", facts, f"  {setting.name:<17}  {shown or '-':<22}  {where}".rstrip())


def _short(origin: str, profile: Profile | None) -> str:
    """Return an origin without the profile's file, which was said above."""
    return f"profile {profile.name}" if profile and origin == profile.origin else origin


def _unset(setting: Setting, variables: list[str], withheld: str | None) -> str:
    """Return what to know of a setting that is set nowhere: what holds, and which variables would set it."""
    state = "default" if setting.default else "missing" if setting.required else "not set"
    return "; ".join(filter(None, (state, " or ".join(variables), withheld)))
