"""Plugins: found by real entry points of distributions that are written into a directory of their own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from textwrap import dedent

import pytest

from storagekit.drivers.memory import MemoryDriver
from storagekit.errors import BackendNotInstalledError, ConfigurationError
from storagekit.plugins import Listed, Registry

NUMBERS = count()

GOOD = """
    from storagekit import hookimpl
    from storagekit.driver import DriverSpec
    from storagekit.drivers.memory import MemoryDriver

    def make(settings):
        return MemoryDriver()

    @hookimpl
    def storagekit_drivers():
        return [DriverSpec({spec})]
"""

Install = Callable[..., None]


def good(spec: str) -> str:
    return GOOD.format(spec=spec)


def webdav(name: str = "webdav", more: str = "") -> str:
    return good(f"{name!r}, 'Any WebDAV server', make, {more}")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution: one module, and an entry point that names it."""
    modules: list[str] = []

    def write(distribution: str, point: str, source: str) -> None:
        module = f"sk_plugin_{next(NUMBERS)}"
        modules.append(module)
        (tmp_path / f"{module}.py").write_text(dedent(source))
        info = tmp_path / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[storagekit]\n{point} = {module}\n")
        monkeypatch.syspath_prepend(tmp_path)

    yield write
    for module in modules:
        sys.modules.pop(module, None)


def listed(registry: Registry, backend: str) -> list[Listed]:
    return [one for one in registry.listed() if one.backend == backend]


@pytest.mark.parametrize("backend", ["memory", "local"])
def test_built_in_backends_are_found(backend: str) -> None:
    registry = Registry.create({})
    assert backend == registry.find(backend).backend
    assert ["storagekit-sdk"] == [one.distribution for one in listed(registry, backend)]


def test_a_driver_is_made_with_its_settings() -> None:
    assert isinstance(Registry.create({}).create_driver("memory", {}), MemoryDriver)


def test_an_unknown_backend_is_an_error_that_lists_what_there_is(install: Install) -> None:
    install("sk-webdav", "webdav", webdav())
    with pytest.raises(BackendNotInstalledError, match="there is no backend 'ftp'") as caught:
        Registry.create({}).find("ftp")
    assert {"local", "memory", "webdav"} <= set((caught.value.hint or "").replace(",", "").replace(";", "").split())


def test_a_plugin_is_found_by_its_name(install: Install) -> None:
    install("sk-webdav", "webdav", webdav())
    registry = Registry.create({})
    assert "Any WebDAV server" == registry.find("webdav").summary
    assert [Listed("webdav", "Any WebDAV server", "sk-webdav")] == listed(registry, "webdav")


def test_a_plugin_is_found_by_an_alias(install: Install) -> None:
    install("sk-webdav", "webdav", webdav(more="aliases=('dav', 'owncloud')"))
    assert "webdav" == Registry.create({}).find("owncloud").backend


def test_a_backend_is_found_by_its_own_name_before_anothers_alias(install: Install) -> None:
    install("sk-first", "first", webdav("first", "aliases=('second',)"))
    install("sk-second", "second", webdav("second"))
    registry = Registry.create({})
    registry.find("first")
    assert "second" == registry.find("second").backend


def test_only_the_plugin_that_is_asked_for_is_imported(install: Install) -> None:
    install("sk-webdav", "webdav", webdav())
    install("sk-broken", "broken", "raise RuntimeError('half installed')")
    registry = Registry.create({})
    registry.find("webdav")
    assert {} == registry.failures


def test_a_broken_plugin_is_reported_by_name_and_harms_nobody(install: Install) -> None:
    install("sk-broken", "broken", "raise RuntimeError('half installed')")
    install("sk-webdav", "webdav", webdav())
    registry = Registry.create({})
    [broken] = listed(registry, "broken")
    assert "broken plugin: RuntimeError: half installed" == broken.problem
    assert [None] == [one.problem for one in listed(registry, "webdav")]
    with pytest.raises(BackendNotInstalledError, match="could not be loaded: RuntimeError: half installed"):
        registry.find("broken")


def test_a_plugin_whose_hook_fails_is_reported_by_name(install: Install) -> None:
    install("sk-broken", "broken", good("1/0"))
    [broken] = listed(Registry.create({}), "broken")
    assert "ZeroDivisionError" in (broken.problem or "")


def test_a_plugin_with_an_unknown_hook_harms_nobody_else(install: Install) -> None:
    install("sk-broken", "broken", "from storagekit import hookimpl\n@hookimpl\ndef storagekit_nonsense(): pass")
    install("sk-webdav", "webdav", webdav())
    registry = Registry.create({})
    with pytest.raises(BackendNotInstalledError, match="storagekit_nonsense"):
        registry.find("broken")
    assert "webdav" == registry.find("webdav").backend


def test_a_backend_of_two_plugins_is_refused_naming_both(install: Install) -> None:
    install("sk-one", "one", webdav())
    install("sk-two", "two", webdav())
    with pytest.raises(ConfigurationError, match=r"two distributions: sk-(one and sk-two|two and sk-one)"):
        Registry.create({}).listed()


def test_a_backend_of_two_plugins_of_one_name_is_refused_naming_both(install: Install) -> None:
    install("sk-one", "webdav", webdav())
    install("sk-two", "webdav", webdav())
    with pytest.raises(ConfigurationError, match=r"two distributions: sk-(one and sk-two|two and sk-one)"):
        Registry.create({}).listed()


def test_a_plugin_that_takes_the_name_of_a_built_in_backend_is_refused(install: Install) -> None:
    install("sk-memory", "memory", webdav("memory"))
    with pytest.raises(ConfigurationError, match="storagekit-sdk and sk-memory"):
        Registry.create({}).listed()


@pytest.mark.parametrize("names", ["broken", "other, broken ,", "broken,webdav"])
def test_disabled_plugins_are_never_looked_at(install: Install, names: str) -> None:
    install("sk-broken", "broken", "raise RuntimeError('half installed')")
    registry = Registry.create({"STORAGEKIT_DISABLE_PLUGINS": names})
    assert [] == listed(registry, "broken")
    with pytest.raises(BackendNotInstalledError, match="there is no backend 'broken'"):
        registry.find("broken")


def test_a_missing_sdk_gives_the_pip_command(install: Install) -> None:
    more = "install_hint='sk-webdav[sdk]', requires=('sk_no_such_sdk',)"
    install("sk-webdav", "webdav", webdav(more=more).replace("return MemoryDriver()", "import sk_no_such_sdk"))
    registry = Registry.create({})
    with pytest.raises(BackendNotInstalledError, match="needs sk_no_such_sdk, which is not installed") as caught:
        registry.create_driver("webdav", {})
    assert "Run: pip install 'sk-webdav[sdk]'" == caught.value.hint
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    problem = "sk_no_such_sdk is not installed: pip install 'sk-webdav[sdk]'"
    assert [problem] == [one.problem for one in listed(registry, "webdav")]


def test_a_missing_sdk_inside_a_missing_package_is_listed_too(install: Install) -> None:
    install("sk-webdav", "webdav", webdav(more="requires=('sk_no_such_package.sdk',)"))
    [one] = listed(Registry.create({}), "webdav")
    assert "sk_no_such_package.sdk is not installed" == one.problem
