"""Profiles: the configuration file, where it is, what it says, and how it is changed.

The file is TOML, one table ``[profiles.NAME]`` for each profile, with ``backend`` and any of its settings. As it may
hold secrets it is refused when others can read it. ``obsutil:``, ``ossutil:``, ``mc:ALIAS`` and ``aws:NAME`` are
profiles in other tools' files (``_foreign_profiles.py``).
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storagekit import _foreign_profiles, _private_file
from storagekit.config import BACKEND, PROFILE, Profile
from storagekit.errors import ConfigurationError

CONFIG = "STORAGEKIT_CONFIG"
DEFAULT = "default"
_S3 = ("s3", "minio")

Table = Mapping[str, str]
"""The settings of one profile, as text."""


def config_path(environment: Mapping[str, str]) -> Path | None:
    """Return where the configuration file is, or would be.

    None in an environment without HOME: it is nobody's, as that of a test or of a service.
    """
    if environment.get(CONFIG):
        return _private_file.expanded(environment[CONFIG])
    if not environment.get("HOME"):
        return None
    from platformdirs import user_config_path

    return user_config_path("storagekit") / "config.toml"


def load(given: str | None, environment: Mapping[str, str], backend: str | None = None) -> Profile | None:
    """Return the profile that is given, else that of STORAGEKIT_PROFILE, else the one named ``default``, if any.

    For ``s3``, where none is named and none of these is of it, AWS's own profile, as AWS's tools would choose it.
    Raises ConfigurationError where one is named that does not exist, and for a file that cannot be used.
    """
    profile = _load(given, environment)
    named = profile is not None and (profile.named_by != "default" or profile.backend in _S3)
    if named or (backend or environment.get(BACKEND)) != "s3":
        return profile
    of_aws, complaint = _foreign_profiles.of_aws(environment)
    _warn(complaint)
    return of_aws or profile


def _load(given: str | None, environment: Mapping[str, str]) -> Profile | None:
    if given == "":
        raise ConfigurationError("the name of the profile is empty", hint="Is the variable set that should hold it?")
    name = given or environment.get(PROFILE) or DEFAULT
    named_by = "argument" if given else PROFILE if environment.get(PROFILE) else "default"
    if ":" in name:
        profile, complaint = _foreign_profiles.load(name, named_by, environment)
        _warn(complaint)
        return profile
    path = config_path(environment)
    tables = read(path) if path else {}
    if name in tables:
        return profile_of(name, tables[name], path, named_by)
    if named_by == "default":
        return None
    raise _absent(name, tables, path)


def _warn(complaint: str) -> None:
    if complaint:
        logging.getLogger("storagekit").warning(complaint)


def profile_of(name: str, table: Table, path: Path | None, named_by: str = "default") -> Profile:
    """Return a profile of the configuration file. Raises ConfigurationError where it names no backend."""
    if not table.get("backend"):
        raise ConfigurationError(
            f"profile {name} in {path} names no backend", hint='Add a line such as backend = "minio"'
        )
    rest = {setting: text for setting, text in table.items() if setting != "backend"}
    return Profile(name, str(path), table["backend"], rest, named_by)


def _absent(name: str, tables: Mapping[str, Table], path: Path | None) -> ConfigurationError:
    there = f"It has {', '.join(sorted(tables))}" if tables else "It has none"
    if path is None:
        there = f"There is no configuration file without HOME: set {CONFIG}"
    elif not path.exists():
        there = "The file does not exist"
    return ConfigurationError(
        f"there is no profile {name!r} in {path or 'any file'}",
        hint=f"{there}; `storagekit config set {name} backend=...` makes one",
    )


def read(path: Path) -> dict[str, Table]:
    """Return the profiles of a configuration file; none where there is no file.

    Raises ConfigurationError, naming file, profile and setting but no value, also where others can read the file.
    """
    found = _private_file.read(path)
    if found is None:
        return {}
    if found.exposed:
        raise ConfigurationError(f"{path} can be read or changed by others, and may hold secrets", hint=found.advice)
    return parse(found.text, str(path))


def parse(text: str, place: str) -> dict[str, Table]:
    """Return the profiles that a configuration file of this text has. Raises ConfigurationError as ``read`` does."""
    document = _toml(text, place)
    unknown = sorted(document.keys() - {"profiles"})
    if unknown:
        raise ConfigurationError(
            f"{place} has {', '.join(unknown)}, which means nothing there",
            hint="Every table is named [profiles.NAME]",
        )
    profiles = document.get("profiles", {})
    for name, table in profiles.items() if isinstance(profiles, dict) else [("profiles", None)]:
        if not isinstance(table, dict):
            raise ConfigurationError(f"{name} in {place} is no table", hint="Write [profiles.NAME] above its settings")
    return {name: _table(name, table, place) for name, table in profiles.items()}


def _table(name: str, table: Mapping[str, Any], place: str) -> Table:
    return {setting: _text(f"{setting} of profile {name} in {place}", value) for setting, value in table.items()}


def _text(what: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int, float)):
        return str(value)
    raise ConfigurationError(f"{what} is of type {type(value).__name__}", hint="Give text, a number, true or false")


def _toml(text: str, place: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is a plain ValueError
        where = re.search(r"\(at [^()]*\)", str(error))
    # Without the cause and its words, which may show a piece of the line: that can be a secret.
    raise ConfigurationError(
        f"{place} is not valid TOML {where[0] if where else ''}".rstrip(),
        hint='A line is NAME = "value", with the value in quotes',
    )


@dataclass(frozen=True)
class Change:
    """What becomes of one profile: settings to set, and names of those to remove."""

    profile: str
    settings: Table
    removed: frozenset[str] = frozenset()


def change(path: Path, wanted: Change) -> None:
    """Write the configuration file with one profile changed or added; comments and order stay.

    Raises ConfigurationError where the file cannot be used or written.
    """
    with _private_file.locked(path):
        _change(path, wanted)


def _change(path: Path, wanted: Change) -> None:
    tables = read(path)
    kept = {name: text for name, text in tables.get(wanted.profile, {}).items() if name not in wanted.removed}
    found = _private_file.read(path)
    expected = {**tables, wanted.profile: {**kept, **wanted.settings}}
    text = _changed(found.text if found else "", wanted)
    if not _says(text, expected):
        raise ConfigurationError(
            f"{path} is written in a way that storagekit cannot change",
            hint=f"Change profile {wanted.profile} in an editor, or write every profile as a table [profiles.NAME]",
        )
    _private_file.write(path, text)


def _changed(text: str, wanted: Change) -> str:
    """Return the text of the file after the change; empty where tomlkit cannot make it."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
        if "profiles" not in document:
            document["profiles"] = tomlkit.table(is_super_table=True)
        profiles: Any = document["profiles"]
        if wanted.profile not in profiles:
            profiles[wanted.profile] = tomlkit.table()
        table = profiles[wanted.profile]
        for name in wanted.removed & set(table):
            del table[name]
        table.update(wanted.settings)
        return tomlkit.dumps(document)
    except (TOMLKitError, ValueError, RecursionError):
        return ""


def _says(text: str, expected: Mapping[str, Table]) -> bool:
    """Tell whether a text means what it should: tomlkit 0.15 puts a new table after dotted keys into a wrong one."""
    try:
        return parse(text, "") == expected
    except ConfigurationError:
        return False


def names(environment: Mapping[str, str]) -> list[str]:
    """Return every name that a profile can be chosen by. Raises ConfigurationError for a file that cannot be used."""
    path = config_path(environment)
    return [*(read(path) if path else {}), *_foreign_profiles.names(environment)]
