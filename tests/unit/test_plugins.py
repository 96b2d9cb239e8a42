"""Plugins: found by real entry points of distributions that are written into a directory of their own."""

from __future__ import annotations

import importlib
import subprocess
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
    """Installs a distribution, version 1.0: one module, and the entry points that name it."""
    modules: list[str] = []

    def write(distribution: str, points: str, source: str) -> None:
        module = f"sk_plugin_{next(NUMBERS)}"
        modules.append(module)
        (tmp_path / f"{module}.py").write_text(dedent(source))
        info = tmp_path / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        lines = [f"{point} = {module}" for point in points.split()]
        (info / "entry_points.txt").write_text("\n".join(["[storagekit]", *lines, ""]))
        monkeypatch.syspath_prepend(tmp_path)

    yield write
    for module in modules:
        sys.modules.pop(module, None)


def listed(registry: Registry, backend: str) -> list[Listed]:
    return [one for one in registry.listed() if one.backend == backend]


def states(registry: Registry) -> dict[tuple[str, str], str]:
    """State of each backend by its name and its distribution, without what is installed here anyway."""
    own = {"storagekit-sdk", "storagekit-sftp"}
    return {(one.backend, one.distribution): one.state for one in registry.listed() if one.distribution not in own}


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
    assert [Listed("webdav", "ready", "sk-webdav", "1.0", (), "Any WebDAV server")] == listed(registry, "webdav")


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


BROKEN = {
    "an import error": ("import sk_no_such_module", "ModuleNotFoundError: No module named 'sk_no_such_module'"),
    "an exception at import": ("raise RuntimeError('half\\ninstalled')", "RuntimeError: half installed"),
    "an exit at import": ("raise SystemExit('not on this machine')", "SystemExit: not on this machine"),
    "a syntax error": ("def", "SyntaxError"),
    "an exception in the hook": (good("1/0"), "ZeroDivisionError"),
    "an exit in the hook": (good("exit(3)"), "SystemExit: 3"),
    "an exception in a hook that yields": (good("1/0").replace("return [", "yield [").replace("])", ")"), "Error"),
    "a misspelt hook": (
        webdav().replace("storagekit_drivers", "storagekit_driver"),
        "unknown hook 'storagekit_driver'",
    ),
    "a hook with an argument": (webdav().replace("drivers()", "drivers(config)"), "config"),
    "no hook": ("", "it brings no driver"),
    "a hook that returns None": (webdav().replace("return [", "["), "it brings no driver"),
    "a hook that returns no list": (webdav().replace("return [", "return 1; ["), "TypeError"),
    "a hook that returns one driver": (webdav().replace("[DriverSpec", "DriverSpec").replace(")]", ")"), "TypeError"),
    "a hook that returns other things": (good("'x'").replace("DriverSpec(", "("), "str instead of DriverSpec"),
    "a driver without all that it needs": (good("'broken'"), "TypeError"),
    "a name that is no text": (good("1, 'x', make"), "1 is no name of a backend"),
    "a name that no URI can have": (good("'Web DAV', 'x', make"), "'Web DAV' is no name of a backend"),
    "aliases that are one text": (webdav(more="aliases='dav'"), "aliases of 'webdav' is no tuple of str"),
    "an alias that no URI can have": (webdav(more="aliases=('',)"), "'' is no name of a backend"),
    "settings that are none": (webdav(more="settings=('endpoint',)"), "settings of 'webdav' is no tuple of Setting"),
    "requirements that are one text": (webdav(more="requires='sdk'"), "requires of 'webdav' is no tuple of str"),
    "a summary that is no text": (good("'broken', None, make"), "summary or install_hint of 'broken' is no text"),
    "a factory that is none": (good("'broken', 'x', None"), "the factory of 'broken' cannot be called"),
    "two drivers of one name": (good("'x', 'x', make), DriverSpec('x', 'y', make"), "two drivers of one backend"),
}


@pytest.mark.parametrize(("source", "why"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_plugin_is_reported_by_name_and_harms_nobody(install: Install, source: str, why: str) -> None:
    install("sk-broken", "broken", source)
    install("sk-webdav", "webdav", webdav(more="aliases=('dav',)"))
    registry = Registry.create({})

    assert "webdav" == registry.find("dav").backend
    assert {("broken", "sk-broken"): "broken", ("webdav", "sk-webdav"): "ready"} == states(registry)
    [broken] = listed(registry, "broken")
    assert why in broken.problems[0]
    with pytest.raises(BackendNotInstalledError, match="'broken' could not be loaded") as caught:
        registry.find("broken")
    assert why in str(caught.value)
    with pytest.raises(BackendNotInstalledError) as caught:
        registry.find("ftp")
    assert "broken is broken" in (caught.value.hint or "")


def test_an_entry_point_that_names_no_module_is_reported_by_name(install: Install, tmp_path: Path) -> None:
    install("sk-broken", "broken", "")
    (tmp_path / "sk_broken-1.0.dist-info/entry_points.txt").write_text("[storagekit]\nbroken = not a module\n")
    assert ["broken"] == [one.state for one in listed(Registry.create({}), "broken")]
    assert "memory" == Registry.create({}).find("memory").backend


def test_a_plugin_that_is_interrupted_is_not_taken_for_broken(install: Install) -> None:
    install("sk-webdav", "webdav", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        Registry.create({}).find("webdav")


@pytest.mark.parametrize(("one", "two"), [("one", "two"), ("webdav", "webdav")])
def test_a_backend_of_two_plugins_is_refused_when_it_is_used_and_only_then(
    install: Install, one: str, two: str
) -> None:
    install("sk-one", one, webdav(more="aliases=('dav',)"))
    install("sk-two", two, webdav())
    install("sk-other", "other", webdav("other", "aliases=('another',)"))
    registry = Registry.create({})

    assert "other" == registry.find("another").backend
    assert {
        ("webdav", "sk-one"): "duplicate",
        ("webdav", "sk-two"): "duplicate",
        ("other", "sk-other"): "ready",
    } == states(registry)
    assert [("sk-two 1.0 brings it, too",), ("sk-one 1.0 brings it, too",)] == [
        found.problems for found in listed(registry, "webdav")
    ]
    for name in ("webdav", "dav"):
        with pytest.raises(ConfigurationError, match=f"{name!r} is brought by sk-one and sk-two") as caught:
            registry.find(name)
        assert "Uninstall one of them, or set STORAGEKIT_DISABLE_PLUGINS=sk-two" == caught.value.hint
    assert "Any WebDAV server" == Registry.create({"STORAGEKIT_DISABLE_PLUGINS": "sk-two"}).find("webdav").summary


@pytest.mark.parametrize("first", ["find", "list"])
def test_the_plugin_whose_entry_point_has_the_name_is_the_one(install: Install, first: str) -> None:
    """Whatever was imported before: who owns a name does not depend on the order."""
    install("sk-one", "one", good("'one', 'One', make), DriverSpec('webdav', 'Not this', make"))
    install("sk-webdav", "webdav", webdav())
    registry = Registry.create({})
    assert "One" == registry.find("one").summary if first == "find" else registry.listed()

    assert "Any WebDAV server" == registry.find("webdav").summary
    assert {
        ("one", "sk-one"): "ready",
        ("webdav", "sk-one"): "duplicate",
        ("webdav", "sk-webdav"): "ready",
    } == states(registry)


def test_a_backend_without_an_entry_point_of_its_name_is_found_and_that_is_said(install: Install) -> None:
    install("sk-other", "other", webdav())
    registry = Registry.create({})
    assert "Any WebDAV server" == registry.find("webdav").summary
    [one] = listed(registry, "webdav")
    assert ("ready", ("every plugin is imported to find it: its entry point is named 'other'",)) == (
        one.state,
        one.problems,
    )


def test_a_module_with_several_entry_points_is_no_duplicate_of_itself(install: Install) -> None:
    install("sk-two", "one two", good("'one', 'One', make), DriverSpec('two', 'Two', make"))
    registry = Registry.create({})
    assert {("one", "sk-two"): "ready", ("two", "sk-two"): "ready"} == states(registry)
    assert [(), ()] == [one.problems for name in ("one", "two") for one in listed(registry, name)]
    assert "Two" == registry.find("two").summary


@pytest.mark.parametrize("point", ["memory", "other"])
def test_a_built_in_backend_cannot_be_taken_over(install: Install, point: str) -> None:
    install("sk-memory", point, webdav("memory"))
    registry = Registry.create({})
    assert "Any WebDAV server" != registry.find("memory").summary
    assert {("memory", "sk-memory"): "duplicate"} == states(registry)
    assert ["ready", "duplicate"] == [one.state for one in listed(registry, "memory")]
    assert ("storagekit-sdk 0.1.0 has it built in",) == listed(registry, "memory")[1].problems
    assert "Uninstall it, or set STORAGEKIT_DISABLE_PLUGINS=sk-memory" == listed(registry, "memory")[1].hint


def test_an_alias_cannot_take_a_name_that_another_has(install: Install) -> None:
    install("sk-one", "one", webdav("one", "aliases=('memory', 'two', 'own')"))
    install("sk-two", "two", webdav("two"))
    registry = Registry.create({})
    assert ["memory", "two", "one"] == [registry.find(name).backend for name in ("memory", "two", "own")]
    [one] = listed(registry, "one")
    assert "ready" == one.state
    assert (
        "the alias 'memory' does not lead here: storagekit-sdk 0.1.0 has it built in",
        "the alias 'two' does not lead here: sk-two 1.0 brings it, too",
    ) == one.problems


def test_an_alias_of_two_backends_is_refused_when_it_is_used_and_only_then(install: Install) -> None:
    install("sk-one", "one", webdav("one", "aliases=('dav',)"))
    install("sk-two", "two", webdav("two", "aliases=('dav',)"))
    registry = Registry.create({})
    assert "one" == registry.find("one").backend
    with pytest.raises(ConfigurationError, match="'dav' is brought by sk-one and sk-two"):
        registry.find("dav")
    assert ["ready", "ready"] == list(states(registry).values())
    assert ("the alias 'dav' does not lead here: sk-two 1.0 brings it, too",) == listed(registry, "one")[0].problems


@pytest.mark.parametrize("names", ["broken", "other, broken ,", "broken,webdav", "SK_broken", "*"])
def test_disabled_plugins_are_never_imported_and_are_shown(install: Install, names: str) -> None:
    install("sk-broken", "broken", "raise RuntimeError('half installed')")
    registry = Registry.create({"STORAGEKIT_DISABLE_PLUGINS": names})
    [one] = listed(registry, "broken")
    assert ("disabled", ("STORAGEKIT_DISABLE_PLUGINS names it",)) == (one.state, one.problems)
    assert {} == registry.failures
    with pytest.raises(BackendNotInstalledError, match="the backend 'broken' is disabled"):
        registry.find("broken")


def test_built_in_backends_stay_whatever_is_disabled() -> None:
    registry = Registry.create({"STORAGEKIT_DISABLE_PLUGINS": "*,local,memory,storagekit-sdk"})
    assert ["local", "memory"] == [registry.find(name).backend for name in ("local", "memory")]
    assert {"disabled"} == {one.state for one in registry.listed()} - {"ready"}


def test_a_factory_that_fails_is_an_error_of_configuration(install: Install) -> None:
    install("sk-webdav", "webdav", webdav().replace("return MemoryDriver()", "return int(settings['port'])"))
    with pytest.raises(ConfigurationError, match="'webdav' could not be set up: ValueError: invalid literal"):
        Registry.create({}).create_driver("webdav", {"port": "x"})


def test_a_missing_sdk_gives_the_pip_command(install: Install) -> None:
    more = "install_hint='sk-webdav[sdk]', requires=('sk_no_such_sdk',)"
    install("sk-webdav", "webdav", webdav(more=more).replace("return MemoryDriver()", "import sk_no_such_sdk"))
    registry = Registry.create({})
    with pytest.raises(BackendNotInstalledError, match="needs sk_no_such_sdk, which is not installed") as caught:
        registry.create_driver("webdav", {})
    assert "Run: pip install 'sk-webdav[sdk]'" == caught.value.hint
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    [one] = listed(registry, "webdav")
    assert ("missing", ("sk_no_such_sdk is not installed",)) == (one.state, one.problems)
    assert "Run: pip install 'sk-webdav[sdk]'" == one.hint


@pytest.mark.parametrize("module", ["sk_no_such_package.sdk", "sk_package.sdk"])
def test_a_module_inside_a_package_is_looked_for_without_an_import(
    install: Install, tmp_path: Path, module: str
) -> None:
    (tmp_path / "sk_package").mkdir()
    (tmp_path / "sk_package/__init__.py").write_text("raise RuntimeError('imported')")
    install("sk-webdav", "webdav", webdav(more=f"requires=({module!r},)"))
    [one] = listed(Registry.create({}), "webdav")
    assert ("missing", (f"{module} is not installed",)) == (one.state, one.problems)

    (tmp_path / "sk_package/sdk.py").touch()
    importlib.invalidate_caches()
    [one] = listed(Registry.create({}), "webdav")
    assert ("ready" if module == "sk_package.sdk" else "missing") == one.state


def test_a_listing_imports_no_sdk() -> None:
    code = "from storagekit.plugins import Registry; import sys; Registry.create().listed(); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set() == {"minio", "paramiko", "requests", "rich", "typer", "urllib3"} & set(run.stdout.split())
