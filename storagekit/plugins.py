"""Finding drivers: built-in ones first, then one entry point of the group ``storagekit``, by backend name.

Only the plugin that is asked for is imported, so a broken neighbour harms nobody. A backend whose name is an alias
of another (``s3`` of ``minio``) is found by loading the rest, one at a time, keeping each failure by name.
``STORAGEKIT_DISABLE_PLUGINS=a,b`` blocks entry points by name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec

import pluggy

from storagekit import hookspecs
from storagekit.driver import Driver, DriverSpec
from storagekit.errors import BackendNotInstalledError, ConfigurationError

GROUP = "storagekit"
BUILT_IN = ("storagekit.drivers.local", "storagekit.drivers.memory")


@dataclass(frozen=True)
class Listed:
    """One backend as ``storagekit backends`` shows it. ``problem`` says why it cannot be used, and what to do."""

    backend: str
    summary: str
    distribution: str
    aliases: tuple[str, ...] = ()
    problem: str | None = None


@dataclass
class Registry:
    """The drivers of this process. ``manager`` is pluggy's; nothing is loaded before it is asked for."""

    manager: pluggy.PluginManager
    disabled: frozenset[str] = frozenset()
    failures: dict[str, str] = field(default_factory=dict)
    _specs: dict[str, tuple[DriverSpec, str]] = field(default_factory=dict)

    @classmethod
    def create(cls, environment: Mapping[str, str] | None = None) -> Registry:
        """Return a registry with the built-in drivers."""
        env = os.environ if environment is None else environment
        manager = pluggy.PluginManager(GROUP)
        manager.add_hookspecs(hookspecs)
        names = env.get("STORAGEKIT_DISABLE_PLUGINS", "").split(",")
        registry = cls(manager, frozenset(name.strip() for name in names if name.strip()))
        for module in BUILT_IN:
            registry._register(import_module(module), module.rpartition(".")[2], "storagekit-sdk")
        return registry

    def find(self, backend: str) -> DriverSpec:
        """Return the driver of ``backend``, or of the backend that has it as an alias.

        Raises BackendNotInstalledError, naming what is installed, or why a plugin could not be loaded.
        """
        if (spec := self._known(backend)) is not None:
            return spec
        points = self._entry_points()
        for point in sorted(points, key=lambda point: point.name != backend):
            self._load(point)
            if (spec := self._known(backend)) is not None:
                return spec
        if backend in self.failures:
            raise BackendNotInstalledError(
                f"the backend {backend!r} could not be loaded: {self.failures[backend]}",
                hint="Mend or uninstall that plugin",
            )
        names = ", ".join(sorted(self._specs))
        raise BackendNotInstalledError(
            f"there is no backend {backend!r}", hint=f"Installed are {names}; `storagekit backends` tells more"
        )

    def create_driver(self, backend: str, settings: Mapping[str, str]) -> Driver:
        """Return a driver of ``backend``. Raises BackendNotInstalledError with the pip command for a missing SDK."""
        spec = self.find(backend)
        try:
            return spec.factory(settings)
        except ImportError as error:
            if isinstance(error, ConfigurationError):
                raise
            raise BackendNotInstalledError(
                f"the backend {backend!r} needs {error.name or 'its SDK'}, which is not installed",
                hint=f"Run: pip install '{spec.install_hint}'" if spec.install_hint else None,
            ) from error

    def listed(self) -> list[Listed]:
        """Return every backend that is installed, with what keeps it from being used."""
        for point in self._entry_points():
            self._load(point)
        good = [
            Listed(spec.backend, spec.summary, distribution, spec.aliases, _missing(spec))
            for spec, distribution in self._specs.values()
        ]
        bad = [Listed(name, "", "", problem=f"broken plugin: {why}") for name, why in self.failures.items()]
        return sorted([*good, *bad], key=lambda listed: listed.backend)

    def _known(self, backend: str) -> DriverSpec | None:
        for spec, _ in self._specs.values():
            if backend == spec.backend or backend in spec.aliases:
                return spec
        return None

    def _entry_points(self) -> list[EntryPoint]:
        return [point for point in entry_points(group=GROUP) if point.name not in self.disabled]

    def _load(self, point: EntryPoint) -> None:
        if self.manager.has_plugin(point.name) or point.name in self.failures:
            return
        try:
            self._register(point.load(), point.name, point.dist.name if point.dist else "unknown distribution")
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever a broken plugin raises is reported by its name
            self.failures[point.name] = f"{type(error).__name__}: {error}"

    def _register(self, module: object, name: str, distribution: str) -> None:
        self.manager.register(module, name)
        self.manager.check_pending()
        others = [plugin for plugin in self.manager.get_plugins() if plugin is not module]
        for spec in self.manager.subset_hook_caller("storagekit_drivers", others)():
            for one in spec:
                self._add(one, distribution)

    def _add(self, spec: DriverSpec, distribution: str) -> None:
        if spec.backend in self._specs:
            other = self._specs[spec.backend][1]
            raise ConfigurationError(
                f"the backend {spec.backend!r} is brought by two distributions: {other} and {distribution}",
                hint="Uninstall one, or set STORAGEKIT_DISABLE_PLUGINS",
            )
        self._specs[spec.backend] = (spec, distribution)


def _missing(spec: DriverSpec) -> str | None:
    absent = [name for name in spec.requires if find_spec(name) is None]
    if not absent:
        return None
    return f"{', '.join(absent)} is not installed" + (
        f": pip install '{spec.install_hint}'" if spec.install_hint else ""
    )
