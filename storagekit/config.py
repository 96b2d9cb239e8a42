"""Which backend, and with which settings: argument, then environment, then default. Pure functions of values.

A backend's settings and the environment variables they are read from are stated by its driver
(``DriverSpec.settings``); what all backends share is here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from storagekit.driver import DriverSpec, Setting
from storagekit.errors import ConfigurationError

BACKEND = "STORAGEKIT_BACKEND"

_HINTS_OF_BACKEND = {
    "obs": ("OBS_ACCESS_KEY_ID", "OBS_AK", "OBS_SERVER", "OBS_ENDPOINT"),
    "minio": ("MINIO_ENDPOINT", "MINIO_ACCESS_KEY"),
    "oss": ("OSS_ENDPOINT", "OSS_ACCESS_KEY_ID"),
}

_SHARED_ENV = {
    "endpoint": ("STORAGE_ENDPOINT",),
    "access_key": ("STORAGE_ACCESS_KEY",),
    "secret_key": ("STORAGE_SECRET_KEY",),
}


Given = str | bool | int | float | os.PathLike[str]
"""What a setting may be given as; a driver gets its text."""


@dataclass(frozen=True)
class Value:
    """One resolved setting and where it came from. A secret never shows in the repr."""

    name: str
    text: str
    origin: str
    secret: bool = False

    def __repr__(self) -> str:
        shown = "***" if self.secret else self.text
        return f"Value({self.name}={shown!r} from {self.origin})"


def choose_backend(given: str | None, endpoint: str | None, environment: Mapping[str, str]) -> str:
    """Return the backend: as given, from STORAGEKIT_BACKEND, ``minio`` with an endpoint, or the one that is set up.

    Raises ConfigurationError, listing the choices, where none or several are set up; ``local`` only when named.
    """
    if given or environment.get(BACKEND):
        return given or environment[BACKEND]
    if endpoint:
        return "minio"
    found = [name for name, keys in _HINTS_OF_BACKEND.items() if any(environment.get(key) for key in keys)]
    if len(found) == 1:
        return found[0]
    seen = f"several are set up: {', '.join(found)}" if found else "none is set up in the environment"
    raise ConfigurationError(
        f"no backend was chosen, and {seen}",
        hint=f"Give backend= or set {BACKEND} to one of obs, minio, oss, local, memory, as far as they are installed",
    )


def resolve(
    spec: DriverSpec, arguments: Mapping[str, Given | None], environment: Mapping[str, str]
) -> dict[str, Value]:
    """Return the settings of a backend: the argument if given, else the first environment variable that is set.

    Raises ConfigurationError for an argument the backend does not know or cannot take, or a required setting that is
    missing.
    """
    known = {setting.name for setting in spec.settings}
    unknown = sorted(name for name, value in arguments.items() if value is not None and name not in known)
    if unknown:
        raise ConfigurationError(
            f"the backend {spec.backend!r} has no setting {', '.join(unknown)}",
            hint=f"It has {', '.join(sorted(known)) or 'none'}",
        )
    found = (_resolve_one(setting, arguments, environment) for setting in spec.settings)
    values = {value.name: value for value in found if value is not None}
    _require(spec, values)
    return values


def _resolve_one(
    setting: Setting, arguments: Mapping[str, Given | None], environment: Mapping[str, str]
) -> Value | None:
    given = arguments.get(setting.name)
    if given is not None:
        return Value(setting.name, _text(setting.name, given), "argument", setting.secret)
    for variable in _variables(setting):
        if environment.get(variable):
            return Value(setting.name, environment[variable], variable, setting.secret)
    return None


def _text(name: str, given: Given) -> str:
    """Return a setting as a driver takes it: ``True`` is ``true``. The value is not shown: it may be a secret."""
    if isinstance(given, bool):
        return str(given).lower()
    if isinstance(given, (int, float)):
        return str(given)
    text = os.fspath(given) if isinstance(given, (str, os.PathLike)) else None
    if not isinstance(text, str):
        raise ConfigurationError(f"{name} is {type(given).__name__}", hint="Give text, a number, True or False")
    return text


def _variables(setting: Setting) -> Iterable[str]:
    return dict.fromkeys((*setting.env, *(_SHARED_ENV.get(setting.name, ()) if setting.env else ())))


def _require(spec: DriverSpec, values: Mapping[str, Value]) -> None:
    for setting in spec.settings:
        if setting.required and setting.name not in values:
            variables = " or ".join(setting.env)
            raise ConfigurationError(
                f"the backend {spec.backend!r} needs {setting.name}",
                hint=f"Give {setting.name}=" + (f", or set {variables}" if variables else ""),
            )


def texts(values: Mapping[str, Value]) -> dict[str, str]:
    """Return what a driver's factory takes."""
    return {name: value.text for name, value in values.items()}
