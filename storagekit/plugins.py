"""Finding drivers: built-in ones first, then one entry point of the group ``storagekit``, by backend name.

Only the plugin that is asked for is imported, so a broken neighbour harms nobody. A backend whose name is an alias
of another (``s3`` of ``minio``) is found by loading the rest, one at a time, keeping each failure by name.
``STORAGEKIT_DISABLE_PLUGINS=a,b`` blocks entry points by name.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
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
    _seen: set[str] = field(default_factory=set)

    @classmethod
    def create(cls, environment: Mapping[str, str] | None = None) -> Registry:
        """Return a registry with the built-in drivers."""
        env = os.environ if environment is None else environment
        manager = pluggy.PluginManager(GROUP)
        manager.add_hookspecs(hookspecs)
        names = env.get("STORAGEKIT_DISABLE_PLUGINS", "").split(",")
        registry = cls(manager, frozenset(name.strip() for name in names if name.strip()))
        for module in BUILT_IN:
            registry._add(registry._register(import_module(module), module), "storagekit-sdk")
        return registry

    def find(self, backend: str) -> DriverSpec:
        """Return the driver of ``backend``: by its own name, or else of the backend that has it as an alias.

        Raises BackendNotInstalledError, naming what is installed, or why a plugin could not be loaded.
        """
        if backend not in self._specs:
            points = self._entry_points()
            self._load_all(point for point in points if point.name == backend)
            if backend not in self._specs and self._alias(backend) is None:
                self._load_all(points)
        if backend in self._specs:
            return self._specs[backend][0]
        if (spec := self._alias(backend)) is not None:
            return spec
        raise self._absent(backend)

    def _absent(self, backend: str) -> BackendNotInstalledError:
        if backend in self.failures:
            return BackendNotInstalledError(
                f"the backend {backend!r} could not be loaded: {self.failures[backend]}",
                hint="Mend or uninstall that plugin",
            )
        names = ", ".join(sorted(self._specs))
        return BackendNotInstalledError(
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
        self._load_all(self._entry_points())
        good = [
            Listed(spec.backend, spec.summary, distribution, spec.aliases, _missing(spec))
            for spec, distribution in self._specs.values()
        ]
        bad = [Listed(name, "", "", problem=f"broken plugin: {why}") for name, why in self.failures.items()]
        return sorted([*good, *bad], key=lambda listed: listed.backend)

    def _alias(self, backend: str) -> DriverSpec | None:
        return next((spec for spec, _ in self._specs.values() if backend in spec.aliases), None)

    def _entry_points(self) -> list[EntryPoint]:
        return [point for point in entry_points(group=GROUP) if point.name not in self.disabled]

    def _load_all(self, points: Iterable[EntryPoint]) -> None:
        for point in points:
            distribution = point.dist.name if point.dist else "unknown distribution"
            plugin = f"{distribution}:{point.name}"  # two distributions may bring one name: that has to be seen
            if plugin not in self._seen:
                self._seen.add(plugin)
                self._load(point, plugin, distribution)

    def _load(self, point: EntryPoint, plugin: str, distribution: str) -> None:
        try:
            module = point.load()
            specs = self._register(module, plugin)
        except Exception as error:  # noqa: BLE001  # whatever a broken plugin raises is reported by its name
            self.failures[point.name] = f"{type(error).__name__}: {error}"
        else:
            self._add(specs, distribution)

    def _register(self, module: object, plugin: str) -> list[DriverSpec]:
        """Return the drivers of one plugin; a plugin that is no good is not left behind in pluggy."""
        self.manager.register(module, plugin)
        try:
            self.manager.check_pending()
            others = [other for other in self.manager.get_plugins() if other is not module]
            found = self.manager.subset_hook_caller("storagekit_drivers", others)()
            return [spec for specs in found for spec in specs]
        except BaseException:
            self.manager.unregister(module)
            raise

    def _add(self, specs: Iterable[DriverSpec], distribution: str) -> None:
        for spec in specs:
            if spec.backend in self._specs:
                other = self._specs[spec.backend][1]
                raise ConfigurationError(
                    f"the backend {spec.backend!r} is brought by two distributions: {other} and {distribution}",
                    hint="Uninstall one, or set STORAGEKIT_DISABLE_PLUGINS",
                )
            self._specs[spec.backend] = (spec, distribution)


def _missing(spec: DriverSpec) -> str | None:
    absent = [name for name in spec.requires if not _is_installed(name)]
    if not absent:
        return None
    return f"{', '.join(absent)} is not installed" + (
        f": pip install '{spec.install_hint}'" if spec.install_hint else ""
    )


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package that it would be in
        return False
