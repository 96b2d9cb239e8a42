"""Profiles in other tools' files, which are only read: ``obsutil:``, ``ossutil:[NAME]``, ``mc:ALIAS``, ``aws:[NAME]``.

Each format is taken from the tool itself:

obsutil
    ``~/.obsutilconfig``, lines ``NAME=VALUE``, ``#`` begins a comment (huaweicloud/huaweicloud-obs-obsutil,
    ``src/command/config.go``; support.huaweicloud.com, obs_11_0035). ``obsutil:PATH`` is another file, as its
    ``-config=PATH``. It writes ``ak`` and ``sk`` encrypted with a key that is compiled into it, base64 of AES-CBC; only
    keys that were written by hand can be read, until obsutil runs next.
ossutil
    ``~/.ossutilconfig`` or ``OSSUTIL_CONFIG_FILE``, INI. Version 1: section ``[Credentials]`` (aliyun/ossutil,
    ``lib/config_helper.go``, with the names it takes for each option). Version 2: ``[default]``, ``[profile NAME]``, or
    OSSUTIL_PROFILE; names of sections and keys in any case, with ``-``, ``_`` or neither; an endpoint that is not given
    follows from the region (alibabacloud.com/help/en/oss/developer-reference/configure-ossutil2).
mc
    ``MC_HOST_ALIAS`` (``https://ACCESS:SECRET[:TOKEN]@HOST``), else ``~/.mc/config.json`` or that in ``MC_CONFIG_DIR``,
    version 10 (minio/mc, ``cmd/config.go`` and ``cmd/config-v10.go``).
aws
    ``~/.aws/credentials`` and ``~/.aws/config``, or AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE; AWS_PROFILE, or
    ``default``. Keys, region and endpoint are taken from there; a profile that gets its keys by a role, SSO or a
    process is left to botocore (``credentials = aws``). Sections and names: docs.aws.amazon.com, cli-configure-files.

A file that others can read gets a warning and is used: obsutil makes its own with mode 0640, and refusing it would keep
no secret that is not out already. Another user's file is refused.
"""

from __future__ import annotations

import base64
import binascii
import configparser
import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from storagekit import _private_file
from storagekit.config import AWS_KEYS, Profile
from storagekit.errors import ConfigurationError

_MC_HOST = ("MC_HOST_", "MC_HOSTS_")  # the second is mc's older name of it
_MC_PLACEHOLDERS = ("YOUR-ACCESS-KEY-HERE", "YOUR-SECRET-KEY-HERE")
_AES_BLOCK = 16
_AWS_NAMES = {
    "aws_access_key_id": "access_key",
    "aws_secret_access_key": "secret_key",
    "aws_session_token": "session_token",
    "region": "region",
    "endpoint_url": "endpoint",
}
_AWS_OTHER_KEYS = ("role_arn", "credential_process", "sso_session", "sso_start_url", "login_session")

_OSSUTIL_NAMES = {
    "endpoint": "endpoint",
    "host": "endpoint",
    "region": "region",
    "accesskeyid": "access_key",
    "accessid": "access_key",
    "accesskeysecret": "secret_key",
    "accesskey": "secret_key",
    "ststoken": "session_token",
}
_OSSUTIL_OWN_KEYS = ("", "ak", "ststoken")


class _Found(NamedTuple):
    """What one tool says: the place it says it in, the backend, its settings, and what is there but cannot be used."""

    place: str
    backend: str
    settings: dict[str, str]
    withheld: dict[str, str]
    complaint: str = ""


def load(name: str, named_by: str, environment: Mapping[str, str]) -> tuple[Profile, str]:
    """Return the profile ``TOOL:NAME``, and a sentence to warn the user with, or none.

    Raises ConfigurationError for an unknown tool or name, and for a file that is missing or broken.
    """
    tool, _, rest = name.partition(":")
    if tool not in _TOOLS:
        raise ConfigurationError(
            f"there is no profile {name!r}", hint=f"Before the colon stands one of {', '.join(_TOOLS)}"
        )
    found = _TOOLS[tool](rest, environment)
    settings = {setting: text for setting, text in found.settings.items() if text}
    return Profile(name, found.place, found.backend, settings, named_by, found.withheld), found.complaint


def names(environment: Mapping[str, str]) -> list[str]:
    """Return the profiles that can be named here. Raises ConfigurationError for a file that cannot be used."""
    found = [f"mc:{alias}" for alias in sorted({*_mc_variables(environment), *_mc_aliases(environment)})]
    home = environment.get("HOME")
    tools = [f"{tool}:" for tool in ("obsutil", "ossutil") if home and Path(home, f".{tool}config").exists()]
    return tools + found + [f"aws:{name}" for name in sorted(_aws_profiles(environment)[0])]


# --- obsutil ----------------------------------------------------------------------------------------------------------


def _obsutil(rest: str, environment: Mapping[str, str]) -> _Found:
    file = _open("obsutil", _private_file.expanded(rest) if rest else _home(environment) / ".obsutilconfig")
    pairs = dict(_pairs(file))
    names = {"endpoint": "endpoint", "access_key": "ak", "secret_key": "sk", "security_token": "token"}
    settings = {ours: pairs.get(theirs, "") for ours, theirs in names.items()}
    withheld = {
        ours: f"obsutil keeps {names[ours]} encrypted in {file.path}, with a key that only obsutil has"
        for ours in ("access_key", "secret_key")
        if _is_encrypted(settings[ours])
    }
    usable = {ours: text for ours, text in settings.items() if ours not in withheld}
    return _Found(str(file.path), "obs", usable, withheld, _complaint(file))


def _pairs(file: _private_file.PrivateFile) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(file.text.splitlines(), 1):
        name, separator, value = line.strip().partition("=")
        if not name or name.startswith("#"):
            continue
        if not separator:
            raise ConfigurationError(f"line {number} of {file.path} is not NAME=VALUE", hint="obsutil refuses it, too")
        yield name.strip(), value.strip()


def _is_encrypted(text: str) -> bool:
    """Tell whether a key is base64 of whole AES blocks; OBS's own keys are of 20 and 40 signs, which are 15 and 30."""
    try:
        size = len(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return False
    return size > 0 and size % _AES_BLOCK == 0


# --- ossutil ----------------------------------------------------------------------------------------------------------


def _ossutil(rest: str, environment: Mapping[str, str]) -> _Found:
    given = environment.get("OSSUTIL_CONFIG_FILE")
    file = _open("ossutil", _private_file.expanded(given) if given else _home(environment) / ".ossutilconfig")
    sections = _sections(file)
    name = (rest or environment.get("OSSUTIL_PROFILE") or "default").lower()
    pairs = sections.get(name)
    if pairs is None and not rest:
        pairs = sections.get("credentials")  # version 1
    if pairs is None:
        raise _no_such(f"profile {name!r}", str(file.path), sections)
    settings = {ours: text for theirs, ours in _OSSUTIL_NAMES.items() if (text := pairs.get(theirs))}
    if settings.get("region"):
        settings.setdefault("endpoint", f"https://oss-{settings['region']}.aliyuncs.com")
    return _Found(str(file.path), "oss", settings, _elsewhere(pairs, file.path), _complaint(file))


def _sections(file: _private_file.PrivateFile) -> dict[str, dict[str, str]]:
    """Return the sections by name, ``profile NAME`` as NAME, in lower case, and their keys in the shortest writing."""
    found = _ini(file, lambda name: name.lower().replace("-", "").replace("_", ""))
    return {" ".join(section.lower().split()).removeprefix("profile "): pairs for section, pairs in found.items()}


def _ini(
    file: _private_file.PrivateFile, written: Callable[[str], str], delimiters: str = "=", comments: str = "#"
) -> dict[str, dict[str, str]]:
    """Return the sections of an INI file by name, and their keys as ``written``. Raises ConfigurationError."""
    parser = configparser.RawConfigParser(
        delimiters=tuple(delimiters),
        comment_prefixes=tuple(comments),
        strict=False,
        allow_no_value=True,
        default_section="",
    )
    parser.optionxform = written  # type: ignore[assignment]
    try:
        parser.read_string(file.text)
    except (configparser.Error, AttributeError):  # of a continued line where there is no value yet
        parser = None  # type: ignore[assignment]
    if parser is None:  # outside, because the parser's own words show the line, which can be a secret
        raise ConfigurationError(f"{file.path} is no INI file", hint="Sections are [NAME], lines NAME=VALUE")
    return {
        section: {key: (value or "").strip() for key, value in parser.items(section)} for section in parser.sections()
    }


def _elsewhere(pairs: Mapping[str, str], path: Path) -> dict[str, str]:
    """Return why there are no keys, where ossutil would take them from elsewhere."""
    mode, source = pairs.get("mode", ""), pairs.get("sourceprofile", "")
    if source:
        why = f"{path} refers to the profile {source!r}, which only ossutil follows"
    elif mode.lower() not in _OSSUTIL_OWN_KEYS:
        why = f"{path} says mode={mode}: only ossutil gets keys that way"
    else:
        return {}
    return {"access_key": why, "secret_key": why}


# --- mc ---------------------------------------------------------------------------------------------------------------


def _mc(rest: str, environment: Mapping[str, str]) -> _Found:
    variables = _mc_variables(environment)
    if rest in variables:
        return _Found(f"${variables[rest]}", "minio", _of_url(variables[rest], environment), {})
    path = _mc_path(environment)
    file = _open("mc", path)
    aliases = _mc_aliases(environment)
    if not isinstance(aliases.get(rest), dict):
        raise _no_such(f"alias {rest!r}", str(path), [*aliases, *variables])
    alias = aliases[rest]
    if str(alias.get("api", "S3v4")).lower() != "s3v4":
        raise ConfigurationError(f"mc's alias {rest} in {path} signs with {alias['api']}", hint="Only S3v4 is spoken")
    names = {"endpoint": "url", "access_key": "accessKey", "secret_key": "secretKey", "session_token": "sessionToken"}
    settings = {ours: str(alias.get(theirs) or "") for ours, theirs in names.items()}
    usable = {ours: text for ours, text in settings.items() if text not in _MC_PLACEHOLDERS}
    return _Found(str(path), "minio", usable, {}, _complaint(file))


def _mc_path(environment: Mapping[str, str]) -> Path:
    given = environment.get("MC_CONFIG_DIR")
    return (_private_file.expanded(given) if given else _home(environment) / ".mc") / "config.json"


def _mc_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variable of each alias that the environment has."""
    return {
        variable.removeprefix(prefix): variable
        for prefix in reversed(_MC_HOST)
        for variable in environment
        if variable.startswith(prefix) and environment[variable]
    }


def _mc_aliases(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the aliases of mc's file; none where there is no file."""
    if not environment.get("MC_CONFIG_DIR") and not environment.get("HOME"):
        return {}
    path = _mc_path(environment)
    file = _private_file.read(path)
    if file is None:
        return {}
    try:
        document = json.loads(file.text)
    except (ValueError, RecursionError):
        document = None
    aliases = document.get("aliases") if isinstance(document, dict) else None
    if not isinstance(aliases, dict):
        raise ConfigurationError(f"{path} is not mc's configuration, version 10", hint="Run `mc alias list`")
    return aliases


def _of_url(variable: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of ``https://ACCESS:SECRET[:TOKEN]@HOST``, which mc does not decode; it shows nothing."""
    scheme, separator, rest = environment[variable].partition("://")
    keys, _, host = rest.rpartition("@")
    if scheme not in ("http", "https") or not separator or host.partition("/")[2]:
        raise ConfigurationError(f"{variable} is no address", hint="Write it https://ACCESS:SECRET@HOST")
    access_key, _, more = keys.partition(":")
    secret_key, _, token = more.partition(":")
    endpoint = f"{scheme}://{host.rstrip('/')}"
    return {"endpoint": endpoint, "access_key": access_key, "secret_key": secret_key, "session_token": token}


# --- aws --------------------------------------------------------------------------------------------------------------


def of_aws(environment: Mapping[str, str]) -> tuple[Profile | None, str]:
    """Return the profile that AWS's tools would choose, and a sentence to warn with, or none.

    None where there is no profile, and nobody named one.
    """
    name = environment.get("AWS_PROFILE")
    if not name and "default" not in _aws_profiles(environment)[0]:
        return None, ""
    return load(f"aws:{name or 'default'}", "default", environment)


def _aws(rest: str, environment: Mapping[str, str]) -> _Found:
    profiles, files = _aws_profiles(environment)
    name, place = rest or environment.get("AWS_PROFILE") or "default", " and ".join(str(file.path) for file in files)
    if name not in profiles:
        raise _no_such(f"profile {name!r}", place or "AWS's files, which do not exist", profiles)
    pairs = profiles[name]
    settings = {ours: pairs[theirs] for theirs, ours in _AWS_NAMES.items() if pairs.get(theirs)}
    style = re.search(r"^\s*addressing_style\s*=\s*(path|virtual)\s*$", pairs.get("s3", ""), re.MULTILINE)
    if style:
        settings["path_style"] = str(style[1] == "path").lower()
    if any(pairs.get(key) for key in _AWS_OTHER_KEYS):
        kept = {ours: text for ours, text in settings.items() if ours not in AWS_KEYS}
        settings = {**kept, "credentials": "aws", "aws_profile": name}
    exposed = next((file for file in files if file.exposed and "aws_secret_access_key" in file.text), None)
    return _Found(place, "s3", settings, {}, _complaint(exposed) if exposed else "")


def _aws_profiles(environment: Mapping[str, str]) -> tuple[dict[str, dict[str, str]], list[_private_file.PrivateFile]]:
    """Return AWS's profiles by name, and the files they are in. What stands in the credentials counts more."""
    found: dict[str, dict[str, str]] = {}
    files = []
    for variable, name in (("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")):
        path = _aws_path(environment.get(variable), name, environment)
        file = _private_file.read(path) if path else None
        if file is None:
            continue
        files.append(file)
        for section, pairs in _ini(file, str.lower, "=:", "#;").items():
            profile = _aws_name(section, bare=name == "credentials")
            if profile is not None:
                there = found.setdefault(profile, {})
                if "aws_access_key_id" in pairs:  # keys belong together: an old token is not of new ones
                    found[profile] = there = {key: text for key, text in there.items() if not key.startswith("aws_")}
                there.update(pairs)
    return found, files


def _aws_name(section: str, *, bare: bool) -> str | None:
    """Return the profile of a section: ``NAME`` in the credentials, ``profile NAME`` or ``default`` in the other."""
    try:
        words = shlex.split(section)
    except ValueError:
        return None
    if words[:1] == ["profile"] and len(words) == 2:
        return words[1]
    return section.strip() if bare or words == ["default"] else None


def _aws_path(given: str | None, name: str, environment: Mapping[str, str]) -> Path | None:
    if given:
        return _private_file.expanded(given)
    return Path(environment["HOME"], ".aws", name) if environment.get("HOME") else None


# --- what they have in common -----------------------------------------------------------------------------------------


def _home(environment: Mapping[str, str]) -> Path:
    if not environment.get("HOME"):
        raise ConfigurationError("HOME is not set", hint="Other tools' files are looked for there")
    return Path(environment["HOME"])


def _open(tool: str, path: Path) -> _private_file.PrivateFile:
    file = _private_file.read(path)
    if file is None:
        raise ConfigurationError(f"{path} does not exist", hint=f"It is made by {tool}; is that set up here?")
    return file


def _complaint(file: _private_file.PrivateFile) -> str:
    return f"{file.path} can be read or changed by others, and holds secrets. {file.advice}" if file.exposed else ""


def _no_such(what: str, place: str, there: Mapping[str, object] | list[str]) -> ConfigurationError:
    listed = ", ".join(sorted(there))
    return ConfigurationError(f"there is no {what} in {place}", hint=f"It has {listed or 'none'}")


_TOOLS: Mapping[str, Callable[[str, Mapping[str, str]], _Found]] = MappingProxyType(
    {"obsutil": _obsutil, "ossutil": _ossutil, "mc": _mc, "aws": _aws}
)
