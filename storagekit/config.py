"""Which backend, and with which settings: argument, environment, profile, default. Pure functions of values.

A backend's settings and the environment variables they are read from are stated by its driver
(``DriverSpec.settings``); what all backends share is here, and how a client transfers is in ``_tuning.py``. Profiles
are read by ``_profiles.py``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from storagekit import _tuning
from storagekit.driver import DriverSpec, Setting
from storagekit.errors import ConfigurationError

BACKEND = "STORAGEKIT_BACKEND"
PROFILE = "STORAGEKIT_PROFILE"

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

_BUCKET_ENV = {
    "obs": ("OBS_BUCKET",),
    "minio": ("MINIO_BUCKET",),
    "oss": ("OSS_BUCKET", "OSS_BUCKET_NAME"),
}

_TOKENS = ("session_token", "security_token")

_ACCOUNT = ("access_key", "credentials", "aws_profile", "role_arn", "sts_endpoint", "customer_key")

AWS_KEYS = ("access_key", "secret_key", "session_token", "credentials", "aws_profile")
"""What of an AWS profile is not used where an argument or the environment has an access key."""

_PART_SIZE_ENV = {"minio": ("MINIO_CHUNK_SIZE",)}

_USER_INFO = re.compile(r"^([^/]*//)?.*@")  # to the last @: a password may have a slash

Given = str | bool | int | float | os.PathLike[str]
"""What a setting may be given as; a driver gets its text."""


@dataclass(frozen=True)
class Value:
    """One setting and where it came from: ``argument``, a variable, a profile, ``default``. A secret never shows."""

    name: str
    text: str
    origin: str
    secret: bool = False

    def __repr__(self) -> str:
        return f"Value({self.name}={self.shown!r} from {self.origin})"

    @property
    def shown(self) -> str:
        """What people may see: no secret, of an access key its ends, of an endpoint no user and password."""
        if self.secret:
            return "***"
        if self.name == "access_key":
            return f"{self.text[:4]}...{self.text[-4:]}" if len(self.text) > 12 else self.text
        if self.name.endswith("endpoint"):
            return _USER_INFO.sub(r"\1***@", self.text).partition("?")[0]
        return self.text


@dataclass(frozen=True)
class Profile:
    """Settings of one backend under one name. Nothing of them shows in the repr: some are secrets.

    ``place`` is the file they are in, or the variable; ``named_by`` who asked for them: ``argument``,
    ``STORAGEKIT_PROFILE``, or ``default`` where nobody did. ``withheld`` says of a setting why it is not there though
    the file has it: obsutil keeps its keys encrypted.
    """

    name: str
    place: str
    backend: str
    settings: Mapping[str, str] = field(repr=False)
    named_by: str = "default"
    withheld: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.origin

    @property
    def origin(self) -> str:
        """Where a setting of it came from, for people."""
        return f"profile {self.name} in {self.place}"


@dataclass(frozen=True)
class Configuration:
    """All that is known before a driver is made. ``profile`` is None where none is of this backend."""

    backend: Value
    spec: DriverSpec
    profile: Profile | None
    settings: Mapping[str, Value]
    bucket: str | None
    tuning: _tuning.Tuning

    @property
    def scope(self) -> str:
        """What tells the service apart: one text for a backend and its aliases."""
        settings = texts(self.settings)
        return f"{self.spec.backend} {settings.get('endpoint') or settings.get('root') or ''}"

    @property
    def account(self) -> tuple[str | None, ...]:
        """Who asks there: a service copies by itself only between places that one account reaches in the same way."""
        told = texts(self.settings)
        return tuple(told.get(name) for name in _ACCOUNT)


def configure(
    find: Callable[[str], DriverSpec],
    profile: Profile | None,
    environment: Mapping[str, str],
    *,
    backend: str | None = None,
    bucket: str | None = None,
    arguments: Mapping[str, Given | None] | None = None,
) -> Configuration:
    """Return what holds for these arguments; ``find`` returns the driver of a backend's name.

    Raises ConfigurationError for what is missing, unknown or makes no sense.
    """
    given = arguments or {}
    endpoint = given.get("endpoint")
    chosen = choose_backend(backend, str(endpoint) if endpoint else None, environment, profile)
    spec = find(chosen.text)
    profile = matching(profile, spec, chosen)
    own = _first(own_settings(spec), {"bucket": bucket}, environment, profile)
    return Configuration(
        backend=chosen,
        spec=spec,
        profile=profile,
        settings=resolve(spec, given, environment, profile),
        bucket=own["bucket"].text if "bucket" in own else None,
        tuning=_tuning.parse({name: (value.text, value.origin) for name, value in own.items()}),
    )


def choose_backend(
    given: str | None, endpoint: str | None, environment: Mapping[str, str], profile: Profile | None = None
) -> Value:
    """Return the backend: as given, of the profile given, from STORAGEKIT_BACKEND, of another profile, or guessed.

    The guess is ``minio`` with an endpoint, else the one backend whose variables are set; ``local`` only when named.
    Raises ConfigurationError, listing the choices, where none or several are set up.
    """
    for text, origin in _said_backends(given, environment, profile):
        if text:
            return Value("backend", text, origin)
    if endpoint:
        return Value("backend", "minio", "default, as there is an endpoint")
    found = [name for name, keys in _HINTS_OF_BACKEND.items() if any(environment.get(key) for key in keys)]
    if len(found) == 1:
        return Value("backend", found[0], "default, as its variables are set")
    seen = f"several are set up: {', '.join(found)}" if found else "none is set up in the environment"
    raise ConfigurationError(
        f"no backend was chosen, and {seen}",
        hint=f"Give backend= or profile=, or set {BACKEND} to one of obs, minio, oss, local, memory, as far as "
        "`storagekit backends` lists them",
    )


def _said_backends(
    given: str | None, environment: Mapping[str, str], profile: Profile | None
) -> Iterator[tuple[str | None, str]]:
    yield given, "argument"
    if profile and profile.named_by == "argument":
        yield profile.backend, profile.origin
    yield environment.get(BACKEND), BACKEND
    if profile:
        yield profile.backend, profile.origin


def matching(profile: Profile | None, spec: DriverSpec, backend: Value) -> Profile | None:
    """Return the profile if it is of this backend (aliases count as the same), else None.

    A profile that the environment names is left aside for another backend that an argument or a URI names, so that
    ``STORAGEKIT_PROFILE=work`` does not forbid ``local://``. Raises ConfigurationError where the two contradict each
    other: both are arguments, or both come from the environment.
    """
    if profile is None or profile.backend in (spec.backend, *spec.aliases):
        return profile
    if profile.named_by == "argument" or (profile.named_by, backend.origin) == (PROFILE, BACKEND):
        asked = "what was asked for" if backend.origin == "argument" else backend.origin
        raise ConfigurationError(
            f"{profile.origin} is of the backend {profile.backend!r}, and {asked} is {backend.text!r}",
            hint=f"Name a profile of {backend.text!r}, or leave out one of the two",
        )
    return None


def resolve(
    spec: DriverSpec,
    arguments: Mapping[str, Given | None],
    environment: Mapping[str, str],
    profile: Profile | None = None,
) -> dict[str, Value]:
    """Return the settings of a backend: the argument if given, else the first variable that is set, else the profile's.

    Raises ConfigurationError for an argument or a profile's setting that the backend does not know or cannot take, or
    a required setting that is missing.
    """
    known = {setting.name for setting in spec.settings}
    require_known(spec, [name for name, value in arguments.items() if value is not None], known)
    if profile:
        own = {setting.name for setting in own_settings(spec)}
        require_known(spec, profile.settings, known | own, profile.origin)
    values = _first(spec.settings, arguments, environment, _yielding(spec, arguments, environment, profile))
    values = _of_one_tool(values)
    _require(spec, values, profile)
    _require_one_origin(values)
    return values


def _yielding(
    spec: DriverSpec, arguments: Mapping[str, Given | None], environment: Mapping[str, str], profile: Profile | None
) -> Profile | None:
    """Return a profile of AWS that nobody named without its keys, where keys are said elsewhere: as AWS's tools do."""
    if profile is None or profile.named_by != "default" or not profile.name.startswith("aws:"):
        return profile
    wanted = [setting for setting in spec.settings if setting.name in ("access_key", "secret_key", "credentials")]
    if not any(list(offers(setting, arguments, environment, None)) for setting in wanted):
        return profile
    return replace(profile, settings={name: text for name, text in profile.settings.items() if name not in AWS_KEYS})


def _require_one_origin(values: Mapping[str, Value]) -> None:
    """Raise ConfigurationError where a session token is not from where its secret key is: they belong together."""
    secret = values.get("secret_key")
    for token in (values[name] for name in _TOKENS if name in values):
        if secret is not None and _kind(token.origin) != _kind(secret.origin):
            raise ConfigurationError(
                f"the {token.name.replace('_', ' ')} ({token.origin}) is not of the secret key ({secret.origin})",
                hint="Temporary credentials are three: give all of them in one place, or unset the token",
            )


def _of_one_tool(values: Mapping[str, Value]) -> dict[str, Value]:
    """Return the values without a session token that belongs to another tool's keys (``AWS_...`` beside ``MINIO_...``).

    ``STORAGE_...`` is any tool's. Raises ConfigurationError where the two keys themselves are of two tools.
    """
    keys = [values[name] for name in ("access_key", "secret_key") if name in values]
    tools = {tool for tool in map(_tool, keys) if tool}
    if len(tools) > 1:
        raise ConfigurationError(
            f"the access key ({keys[0].origin}) is not of the secret key ({keys[1].origin})",
            hint="Set both of one tool, or unset those of the other",
        )
    strange = {name for name in _TOKENS if name in values and tools and _tool(values[name]) not in {None, *tools}}
    return {name: value for name, value in values.items() if name not in strange}


def _tool(value: Value) -> str | None:
    """Return whose variable a value is from, by its beginning; None for what is from none, or from anybody's."""
    tool = value.origin.partition("_")[0] if _kind(value.origin) == "environment" else None
    return None if tool == "STORAGE" else tool


def _kind(origin: str) -> str:
    """Return where an origin is: all variables are of one environment."""
    return origin if origin == "argument" or origin.startswith("profile ") else "environment"


def require_known(spec: DriverSpec, names: Iterable[str], known: Iterable[str], where: str = "") -> None:
    """Raise ConfigurationError, listing those that there are, if the backend has no settings of these names."""
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ConfigurationError(
            f"the backend {spec.backend!r} has no setting {', '.join(unknown)}" + (f", as {where} says" * bool(where)),
            hint=f"It has {', '.join(sorted(known)) or 'none'}",
        )


def own_settings(spec: DriverSpec) -> tuple[Setting, ...]:
    """Return the settings of a client, not of its driver: the bucket, and how it transfers."""
    bucket = Setting("bucket", _BUCKET_ENV.get(spec.backend, ()), help="bucket of calls that name none")
    return (bucket, *_tuning.settings(_PART_SIZE_ENV.get(spec.backend, ())))


def offers(
    setting: Setting, arguments: Mapping[str, Given | None], environment: Mapping[str, str], profile: Profile | None
) -> Iterator[Value]:
    """Yield what a setting is said to be, wherever it is said; the first counts."""
    given = arguments.get(setting.name)
    if given is not None:
        yield Value(setting.name, _text(setting.name, given), "argument", setting.secret)
    for variable in variables(setting):
        if environment.get(variable):
            yield Value(setting.name, environment[variable], variable, setting.secret)
    if profile and profile.settings.get(setting.name):
        yield Value(setting.name, profile.settings[setting.name], profile.origin, setting.secret)


def _first(
    settings: Iterable[Setting],
    arguments: Mapping[str, Given | None],
    environment: Mapping[str, str],
    profile: Profile | None,
) -> dict[str, Value]:
    found = (next(offers(setting, arguments, environment, profile), None) for setting in settings)
    return {value.name: _in_one_line(value) for value in found if value is not None}


def _in_one_line(value: Value) -> Value:
    """Return a value without the line break at its end: secrets that are mounted as files have one.

    Raises ConfigurationError for a line break within: it would come up, with the secret, as an error of some SDK.
    """
    text = value.text.strip("\r\n")
    strict = value.secret or value.name in ("access_key", "endpoint", "region")  # goes into a header
    if not text.isprintable() if strict else any(ord(sign) < ord(" ") for sign in text):
        raise ConfigurationError(
            f"{value.name} ({value.origin}) has a line break, or another sign that cannot be printed",
            hint="Write it in one line",
        )
    return replace(value, text=text)


def overruled(profile: Profile | None, values: Mapping[str, Value]) -> list[Value]:
    """Return the values of the environment that count instead of others in a profile that an argument names."""
    if profile is None or profile.named_by != "argument":
        return []
    return [
        value
        for name, value in values.items()
        if value.origin not in ("argument", profile.origin) and profile.settings.get(name) not in (None, "", value.text)
    ]


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


def variables(setting: Setting) -> list[str]:
    """Return the environment variables of a setting: the driver's own, then those that all backends share."""
    return list(dict.fromkeys((*setting.env, *(_SHARED_ENV.get(setting.name, ()) if setting.env else ()))))


def _require(spec: DriverSpec, values: Mapping[str, Value], profile: Profile | None) -> None:
    for setting in spec.settings:
        if setting.is_needed(values):
            names = " or ".join(setting.env)
            why = profile.withheld.get(setting.name) if profile else None
            raise ConfigurationError(
                f"the backend {spec.backend!r} needs {setting.name}" + (f"; {why}" if why else ""),
                hint=f"Give {setting.name}="
                + (f", or set {names}" if names else "")
                + ", or put it into a profile"
                + _way_out(spec, setting),
            )


def _way_out(spec: DriverSpec, setting: Setting) -> str:
    """Name the setting with which another one is not needed, and what it can be."""
    found = [other for other in spec.settings if other.name == setting.unless]
    return f"; it is not needed with {found[0].name}= {found[0].help}" if found else ""


def texts(values: Mapping[str, Value]) -> dict[str, str]:
    """Return what a driver's factory takes."""
    return {name: value.text for name, value in values.items()}
