"""Finding drivers: the built-in ones, then those of the entry points in the group ``storagekit``.

An entry point bears the name of a backend that it brings, so only the plugin that is asked for is imported. A backend
that no entry point is named after (``s3``, an alias of ``minio``) is found by importing the rest, one at a time. What a
broken plugin raises, be it SystemExit, is kept by its name: ``storagekit backends`` shows it, and so does the error for
those who ask for that very backend. Nobody else notices.

Who owns a name is a pure function of the claims, whatever was imported first (``owners``): a built-in backend, then
the plugin whose entry point has the name, then any other that brings it. Where several are first, the name is refused
when somebody uses it, naming their distributions. ``STORAGEKIT_DISABLE_PLUGINS=a,b`` (names of entry points or of
distributions, ``*`` for all) leaves plugins alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec

import pluggy

from storagekit import __version__, hookspecs
from storagekit.driver import Driver, DriverSpec, Setting
from storagekit.errors import BackendNotInstalledError, ConfigurationError, StorageError

GROUP = "storagekit"
DISABLE = "STORAGEKIT_DISABLE_PLUGINS"
BUILT_IN = ("storagekit.drivers.local", "storagekit.drivers.memory")

_NAME = re.compile(r"[a-z][a-z0-9+.-]*")  # of a backend: the scheme of its URIs, which are read in lower case


@dataclass(frozen=True, order=True)
class Plugin:
    """Where drivers come from: an entry point, or a module of storagekit itself."""

    name: str
    distribution: str
    version: str
    module: str
    built_in: bool = False

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".rstrip()

    @property
    def source(self) -> tuple[str, str]:
        """What it brings is the same, by however many entry points it is reached."""
        return self.distribution, self.module


@dataclass(frozen=True)
class Claim:
    """One driver that one plugin brings."""

    spec: DriverSpec
    plugin: Plugin

    @property
    def rank(self) -> int:
        """How good the claim to the backend's name is; 0 is the best."""
        return 0 if self.plugin.built_in else 1 if self.plugin.name == self.spec.backend else 2


@dataclass(frozen=True)
class Listed:
    """One backend, or one plugin without any, as ``storagekit backends`` shows it.

    ``state`` is ``ready``, ``missing`` (its SDK), ``duplicate`` (another distribution brings the name, too), ``broken``
    or ``disabled``; ``problems`` are sentences, and ``hint`` is what to do, often a pip command.
    """

    backend: str
    state: str
    distribution: str
    version: str
    aliases: tuple[str, ...] = ()
    summary: str = ""
    problems: tuple[str, ...] = ()
    hint: str | None = None


def distinct(claims: Iterable[Claim]) -> list[Claim]:
    """Return the claims, the best one alone where one module makes the same claim by several entry points."""
    best: dict[tuple[object, ...], Claim] = {}
    for claim in sorted(claims, key=lambda claim: claim.rank):
        best.setdefault((*claim.plugin.source, claim.spec.backend), claim)
    return list(best.values())


def owners(claims: Iterable[Claim], backend: str) -> list[Claim]:
    """Return the claims to a backend's name of which none is better: one, or none, or several that dispute it."""
    found = distinct(claim for claim in claims if claim.spec.backend == backend)
    return [claim for claim in found if claim.rank == found[0].rank]


def alias_owners(claims: Sequence[Claim], alias: str) -> list[Claim]:
    """Return the claims that have ``alias`` and own their backend's name; built-in ones alone, where there are any."""
    having = distinct(claim for claim in claims if alias in claim.spec.aliases)
    found = [claim for claim in having if claim in owners(claims, claim.spec.backend)]
    return [claim for claim in found if claim.plugin.built_in] or found


@dataclass
class Registry:
    """The drivers of this process; nothing is imported before it is asked for."""

    disabled: frozenset[str] = frozenset()
    claims: list[Claim] = field(default_factory=list)
    failures: dict[Plugin, str] = field(default_factory=dict)
    _seen: set[Plugin] = field(default_factory=set)

    @classmethod
    def create(cls, environment: Mapping[str, str] | None = None) -> Registry:
        """Return a registry with the built-in drivers."""
        env = os.environ if environment is None else environment
        names = env.get(DISABLE, "").split(",")
        registry = cls(frozenset(_normal(name) for name in names if name.strip()))
        for module in BUILT_IN:
            plugin = Plugin(module, "storagekit-sdk", __version__, module, built_in=True)
            registry.claims += [Claim(spec, plugin) for spec in drivers_of(import_module(module))]
        return registry

    def find(self, backend: str) -> DriverSpec:
        """Return the driver of ``backend``: by its own name, or else of the backend that has it as an alias.

        Raises BackendNotInstalledError, naming what is installed, or why a plugin could not be loaded, and
        ConfigurationError, naming their distributions, where several plugins bring it.
        """
        if not any(claim.rank == 0 for claim in owners(self.claims, backend)):
            self._load(plugin for plugin in self._points if plugin.name == backend)
        if not any(claim.rank <= 1 for claim in owners(self.claims, backend)):
            self._load(self._points)
        if not (found := owners(self.claims, backend)):
            found = alias_owners(self.claims, backend)
            found = owners(self.claims, found[0].spec.backend) if len(found) == 1 else found
        if len(found) > 1:
            raise _disputed(backend, found)
        if not found:
            raise self._absent(backend)
        return found[0].spec.called(backend)

    def create_driver(self, backend: str, settings: Mapping[str, str]) -> Driver:
        """Return a driver of ``backend``.

        Raises BackendNotInstalledError with the pip command for a missing SDK, and ConfigurationError for settings that
        the plugin's factory cannot make a driver of.
        """
        spec = self.find(backend)
        try:
            return spec.factory(settings)
        except StorageError:
            raise
        except ImportError as error:
            raise BackendNotInstalledError(
                f"the backend {backend!r} needs {error.name or 'its SDK'}, which is not installed",
                hint=_pip(spec),
            ) from error
        except Exception as error:
            raise ConfigurationError(
                f"the backend {backend!r} could not be set up: {_said(error)}", hint="Check its settings"
            ) from error

    def listed(self) -> list[Listed]:
        """Return every backend and plugin that is installed, with what keeps it from being used. Imports no SDK."""
        self._load(self._points)
        good = [self._listed(claim) for claim in distinct(self.claims)]
        broken = [
            Listed(plugin.name, "broken", plugin.distribution, plugin.version, problems=(why,), hint=_MEND)
            for plugin, why in self.failures.items()
        ]
        blocked = [
            Listed(plugin.name, "disabled", plugin.distribution, plugin.version, problems=(f"{DISABLE} names it",))
            for plugin in self._points
            if self._is_disabled(plugin)
        ]
        return sorted({*good, *broken, *blocked}, key=lambda one: (one.backend, one.state != "ready", one.distribution))

    def _listed(self, claim: Claim) -> Listed:
        spec, plugin = claim.spec, claim.plugin
        rivals = _others(owners(self.claims, spec.backend), claim)
        absent = [name for name in spec.requires if not _is_installed(name)]
        notes = [*self._alias_problems(claim), *_name_problems(claim)]
        hint: str | None = None
        if rivals:
            state, notes, hint = "duplicate", [_rivalry(rivals)], _choose(plugin, rivals)
        elif absent:
            state, notes, hint = "missing", [f"{', '.join(absent)} is not installed", *notes], _pip(spec)
        else:
            state = "ready"
        return Listed(
            spec.backend, state, plugin.distribution, plugin.version, spec.aliases, spec.summary, tuple(notes), hint
        )

    def _alias_problems(self, claim: Claim) -> list[str]:
        rivals = {
            alias: _others(owners(self.claims, alias) or alias_owners(self.claims, alias), claim)
            for alias in claim.spec.aliases
        }
        return [
            f"the alias {alias!r} does not lead here: {_rivalry(found)}" for alias, found in rivals.items() if found
        ]

    def _absent(self, backend: str) -> BackendNotInstalledError:
        broken = {plugin.name: why for plugin, why in self.failures.items()}
        if backend in broken:
            return BackendNotInstalledError(
                f"the backend {backend!r} could not be loaded: {broken[backend]}", hint=_MEND
            )
        if any(plugin.name == backend and self._is_disabled(plugin) for plugin in self._points):
            return BackendNotInstalledError(
                f"the backend {backend!r} is disabled", hint=f"Take it out of the variable {DISABLE}"
            )
        names = ", ".join(sorted({claim.spec.backend for claim in self.claims}))
        failed = f"; broken is {', '.join(sorted(broken))}" if broken else ""
        return BackendNotInstalledError(
            f"there is no backend {backend!r}", hint=f"Installed are {names}{failed}; `storagekit backends` tells more"
        )

    @cached_property
    def _points(self) -> dict[Plugin, EntryPoint]:
        return {_plugin(point): point for point in entry_points(group=GROUP)}

    def _is_disabled(self, plugin: Plugin) -> bool:
        return bool(self.disabled & {"*", _normal(plugin.name), _normal(plugin.distribution)})

    def _load(self, plugins: Iterable[Plugin]) -> None:
        """Import the plugins that were not, and note what they bring or why they bring nothing."""
        for plugin in plugins:
            if plugin in self._seen or self._is_disabled(plugin):
                continue
            self._seen.add(plugin)
            try:
                self.claims += [Claim(spec, plugin) for spec in drivers_of(self._points[plugin].load())]
            except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever a broken plugin raises is reported
                self.failures[plugin] = _said(error)


def drivers_of(module: object) -> list[DriverSpec]:
    """Return the drivers that a plugin brings. Raises whatever it raises, and ValueError where that is none."""
    manager = pluggy.PluginManager(GROUP)  # one for each plugin: a bad one leaves nothing behind
    manager.add_hookspecs(hookspecs)
    manager.register(module)
    manager.check_pending()  # a hook that is misspelt
    found = [spec for specs in manager.hook.storagekit_drivers() for spec in specs]
    if not found:
        raise ValueError("it brings no driver: no function storagekit_drivers marked @hookimpl returned any")
    for spec in found:
        if fault := spec_fault(spec):
            raise ValueError(f"storagekit_drivers returned what is no good: {fault}")
    if len({spec.backend for spec in found}) < len(found):
        raise ValueError("storagekit_drivers returned two drivers of one backend")
    return found


def spec_fault(spec: object) -> str | None:
    """Return what is wrong with a driver's specification, or None. A plugin's author may run no type checker."""
    if not isinstance(spec, DriverSpec):
        return f"{type(spec).__name__} instead of DriverSpec"
    groups = {
        "aliases": (spec.aliases, str),
        "settings": (spec.settings, Setting),
        "requires": (spec.requires, str),
        "variants": (spec.variants, DriverSpec),
    }
    for name, (value, kind) in groups.items():
        if not isinstance(value, tuple) or not all(isinstance(one, kind) for one in value):
            return f"{name} of {spec.backend!r} is no tuple of {kind.__name__}"
    if strangers := [one.backend for one in spec.variants if one.backend not in spec.aliases]:
        return f"variants of {spec.backend!r} names {', '.join(map(repr, strangers))}, which is no alias"
    for name in (spec.backend, *spec.aliases):
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            return f"{name!r} is no name of a backend: it takes lower-case letters, digits, '+', '.' and '-'"
    if not isinstance(spec.summary, str) or not isinstance(spec.install_hint, str | None):
        return f"summary or install_hint of {spec.backend!r} is no text"
    return None if callable(spec.factory) else f"the factory of {spec.backend!r} cannot be called"


_MEND = "Update or uninstall that plugin"


def _plugin(point: EntryPoint) -> Plugin:
    if point.dist is None:
        return Plugin(point.name, "unknown distribution", "", point.value)
    return Plugin(point.name, point.dist.name or "unknown distribution", point.dist.version or "", point.value)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _said(error: BaseException) -> str:
    """Return an exception in one line, as it is shown in a table."""
    return " ".join(f"{type(error).__name__}: {error}".rstrip(": ").split())


def _disputed(backend: str, claims: Iterable[Claim]) -> ConfigurationError:
    plugins = sorted(claim.plugin for claim in claims)
    names = " and ".join(plugin.distribution for plugin in plugins)
    return ConfigurationError(f"the backend {backend!r} is brought by {names}", hint=_choose(plugins[-1], plugins))


def _choose(plugin: Plugin, rivals: Iterable[Plugin]) -> str:
    """Return what to do about ``plugin``, where ``rivals`` bring the same."""
    which = "it" if any(rival.built_in for rival in rivals) else "one of them"
    return f"Uninstall {which}, or set {DISABLE}={plugin.distribution}"


def _others(claims: Iterable[Claim], claim: Claim) -> list[Plugin]:
    return [one.plugin for one in claims if one.plugin.source != claim.plugin.source]


def _rivalry(rivals: Iterable[Plugin]) -> str:
    named = [f"{rival} {'has it built in' if rival.built_in else 'brings it, too'}" for rival in sorted(rivals)]
    return " and ".join(named)


def _name_problems(claim: Claim) -> list[str]:
    if claim.rank < 2:
        return []
    return [f"every plugin is imported to find it: its entry point is named {claim.plugin.name!r}"]


def _pip(spec: DriverSpec) -> str | None:
    return f"Run: pip install '{spec.install_hint}'" if spec.install_hint else None


def _is_installed(module: str) -> bool:
    """Tell whether a module could be imported, without importing it, nor the package that it would be in."""
    top, *rest = module.split(".")
    try:
        found = find_spec(top)
    except ValueError:  # it is loaded, by somebody who left no specification
        return True
    name = top
    for piece in rest:
        name = f"{name}.{piece}"
        found = PathFinder.find_spec(name, found.submodule_search_locations) if found is not None else None
    return found is not None
