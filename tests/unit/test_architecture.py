"""Which module may know which, what an import costs, and what every public name owes its reader."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler
from importlib.metadata import packages_distributions
from pathlib import Path
from pkgutil import resolve_name

import pytest

import storagekit
from storagekit.driver import Body, Driver, Reader

ROOT = Path(__file__).parents[2]
PACKAGES = [ROOT / "storagekit", *sorted(path for path in (ROOT / "plugins").glob("storagekit_*") if path.is_dir())]
DRIVER_MAY_USE = {f"storagekit.{name}" for name in ("driver", "types", "errors", "hookimpl", "transport")}
HEAVY = {"minio", "obs", "oss2", "requests", "urllib3", "typer", "rich"}

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Module:
    """One source file."""

    name: str
    path: Path

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text("utf-8"))

    def imports(self, *, types_too: bool) -> set[str]:
        """Return what is imported anywhere in the file, dotted: modules, or names of modules."""
        return set(self._imports(self.tree, types_too=types_too))

    def _imports(self, node: ast.AST, *, types_too: bool) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{self._base(node)}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not types_too:
            return
        for child in ast.iter_child_nodes(node):
            yield from self._imports(child, types_too=types_too)

    def _base(self, node: ast.ImportFrom) -> str:
        """Return the dotted module that names are imported from, a relative one (``from .x``) written out."""
        if not node.level:
            return node.module or ""
        up = node.level - 1 if self.path.name == "__init__.py" else node.level
        return ".".join([*self.name.split(".")[: -up or None], *([node.module] if node.module else [])])

    @property
    def own(self) -> set[str]:
        """The modules of this project that this one imports, for types or at run time, at the top or later."""
        return {module_of(name) for name in self.imports(types_too=True)} - {""}


def dotted(package: Path, path: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    dotted(package, path): Module(dotted(package, path), path)
    for package in PACKAGES
    for path in sorted(package.rglob("*.py"))
}


def module_of(name: str) -> str:
    """Return the module of this project that ``name`` is or lies in; empty for others."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name


def under(*prefixes: str) -> list[str]:
    return [name for name in MODULES if name in prefixes or name.startswith(tuple(f"{prefix}." for prefix in prefixes))]


def is_private(name: str) -> bool:
    return name.rpartition(".")[2].startswith("_") and not name.endswith("__")


ENGINE = [
    name
    for name in under("storagekit")
    if name in ("storagekit.uploader", "storagekit.downloader")
    or (name.startswith("storagekit._") and not name.endswith("__main__"))
]
DRIVERS = [name for name in MODULES if not name.startswith("storagekit.") or name.startswith("storagekit.drivers.")]
DRIVERS.remove("storagekit")


# --- arrows -----------------------------------------------------------------------------------------------------------


def test_every_part_of_the_project_was_found() -> None:
    assert {"storagekit._plan", "storagekit.uploader", "storagekit.downloader"} <= set(ENGINE)
    assert {"storagekit.drivers.memory", "storagekit_minio", "storagekit_minio.driver"} <= set(DRIVERS)
    assert set(ENGINE).isdisjoint(DRIVERS)


@pytest.mark.parametrize(
    ("name", "may"),
    [
        ("storagekit.types", set()),
        ("storagekit.errors", set()),
        ("storagekit.driver", {"storagekit.types"}),
        ("storagekit.hookspecs", {"storagekit.driver"}),
        ("storagekit.transport.failures", {"storagekit.driver"}),
        ("storagekit.transport.sockets", set()),
    ],
)
def test_values_errors_and_the_protocol_know_nothing_above_them(name: str, may: set[str]) -> None:
    assert MODULES[name].own <= may


@pytest.mark.parametrize("name", DRIVERS)
def test_a_driver_knows_the_protocol_values_errors_and_itself(name: str) -> None:
    home = name.partition(".")[0] if not name.startswith("storagekit.") else "storagekit.drivers"
    names = {used for used in MODULES[name].imports(types_too=True) if module_of(used)}
    strange = {
        used
        for used in names
        if not any(used == allowed or used.startswith(f"{allowed}.") for allowed in DRIVER_MAY_USE)
        and not (module_of(used).startswith(f"{home}.") and is_private(module_of(used)))
        and used.partition(".")[0] != home
    }
    assert set() == strange


@pytest.mark.parametrize("name", ENGINE)
def test_the_engine_knows_nothing_above_it(name: str) -> None:
    above = {"storagekit.client", *under("storagekit.cli", "storagekit.plugins", "storagekit.testing")}
    assert set() == MODULES[name].own & above


def test_the_client_does_not_know_the_command_line() -> None:
    assert set() == MODULES["storagekit.client"].own & set(under("storagekit.cli"))


def test_only_the_command_line_knows_the_command_line() -> None:
    users = {name for name, module in MODULES.items() if module.own & set(under("storagekit.cli"))}
    # The table of hostile sources shows exit codes; its __main__ is a command of its own.
    assert users <= {*under("storagekit.cli"), "storagekit.__main__", "storagekit.testing.hostile.__main__"}


def test_only_the_demo_and_the_emulators_use_the_test_kit() -> None:
    users = {name for name, module in MODULES.items() if module.own & set(under("storagekit.testing"))}
    assert {"storagekit.cli.demo", "storagekit.cli.emulate"} == users - set(under("storagekit.testing"))


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {
        name: {module_of(used) for used in module.imports(types_too=False)} - {"", name}
        for name, module in MODULES.items()
    }
    while ends := [name for name, used in graph.items() if not used & graph.keys()]:
        for name in ends:
            del graph[name]
    assert {} == graph  # what is left is in a circle, or needs one


# --- what an import costs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "import storagekit",
        "from storagekit import StorageClient",
        "from storagekit import StreamingUploader, StorageError, RetryPolicy, hookimpl",
        "import storagekit.config, storagekit.plugins, storagekit.drivers.memory, storagekit.drivers.local",
        "import storagekit_minio",
        "from storagekit import StorageClient; StorageClient('memory')",
    ],
)
def test_an_import_loads_no_sdk_and_no_library_of_the_command_line(code: str) -> None:
    path = os.pathsep.join([str(ROOT), str(ROOT / "plugins"), *sys.path])
    run = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set() == HEAVY & set(run.stdout.split())


def declared(extra: str) -> set[str]:
    """Distributions that pyproject.toml asks for: ``dependencies``, or an extra; names as in the index."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    found = re.search(rf"^{extra} = \[(.*?)\]$", re.sub(r" +#.*", "", text), re.DOTALL | re.MULTILINE)
    assert found
    return {normal(name) for name in re.findall(r'"([A-Za-z0-9._-]+)', found[1])}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("package", [path.name for path in PACKAGES])
def test_every_library_that_is_imported_is_declared(package: str) -> None:
    extra = package.partition("_")[2]
    allowed = declared("dependencies") | (declared(extra) if extra else set())
    allowed |= declared("aws") if extra == "minio" else set()  # AWS's own ways to get keys
    modules = [MODULES[name] for name in under(package) if name not in under("storagekit.testing")]
    used = {name.partition(".")[0] for module in modules for name in module.imports(types_too=False)}
    later = {"tomllib"}  # is in newer Pythons, and asked for only there
    foreign = used - set(sys.stdlib_module_names) - later - {path.name for path in PACKAGES}
    brought = packages_distributions()
    unknown = {name for name in foreign if not allowed & {normal(one) for one in brought.get(name, [name])}}
    assert set() == unknown


# --- what public names owe --------------------------------------------------------------------------------------------


def undocumented(node: ast.Module | Definition, place: str) -> Iterator[str]:
    """Yield what has no docstring: the module itself, and its public classes, functions and methods."""
    if not ast.get_docstring(node):
        yield place
    given_later = {ast.unparse(child.targets[0]) for child in node.body if isinstance(child, ast.Assign)}
    for child in node.body:
        if not isinstance(child, Definition) or child.name.startswith("_") or f"{child.name}.__doc__" in given_later:
            continue
        if isinstance(child, ast.ClassDef):
            yield from undocumented(child, f"{place}.{child.name}")
        elif not ast.get_docstring(child) and not is_said_elsewhere(child, place):
            yield f"{place}.{child.name}"


def is_said_elsewhere(function: ast.FunctionDef | ast.AsyncFunctionDef, place: str) -> bool:
    """Tell whether the getter, the driver protocol, a base class or ``http.server`` has the words for this method."""
    if any(ast.unparse(decorator).endswith(".setter") for decorator in function.decorator_list):
        return True
    owner = resolve_name(place)
    bases = owner.__mro__[1:] if isinstance(owner, type) else ()
    handles = any(base is BaseHTTPRequestHandler for base in bases) and function.name.startswith("do_")
    return handles or any(hasattr(said, function.name) for said in (Driver, Body, Reader, *bases))


@pytest.mark.parametrize("name", MODULES)
def test_everything_public_has_a_docstring(name: str) -> None:
    missing = list(undocumented(MODULES[name].tree, name))
    if is_private(name) and name.startswith("storagekit.testing."):
        missing = [one for one in missing if one == name]  # tests that are run by name, and their helpers
    assert [] == missing


MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
MAKERS = {"list", "dict", "set", "bytearray", "defaultdict", "deque", "OrderedDict", "Counter"}
CHANGERS = {
    *("append", "extend", "insert", "add", "update", "setdefault"),
    *("pop", "popitem", "clear", "remove", "discard", "sort", "reverse"),
}


def containers(tree: ast.Module) -> Iterator[str]:
    """Yield the names of module-level lists, dictionaries and sets."""
    for node in tree.body:
        if not isinstance(node, (ast.Assign, ast.AnnAssign)):
            continue
        call = isinstance(node.value, ast.Call) and ast.unparse(node.value.func).rpartition(".")[2] in MAKERS
        if call or isinstance(node.value, MUTABLE):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def changed_names(tree: ast.Module) -> Iterator[str]:
    """Yield names whose value is changed in place somewhere: by subscript, by method, by ``global``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield from node.names
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            yield ast.unparse(node.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGERS:
            yield ast.unparse(node.func.value)
        elif isinstance(node, ast.AugAssign):
            yield ast.unparse(node.target)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_holds_constants_and_no_state(name: str) -> None:
    tree = MODULES[name].tree
    held = set(containers(tree)) - {"__all__"}
    assert {one for one in held if one.isupper()} == held
    assert set() == held & set(changed_names(tree))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Global)]


def test_the_front_door_is_small_and_every_name_leads_somewhere() -> None:
    assert len(storagekit.__all__) <= 15
    assert sorted(storagekit.__all__) == sorted(dir(storagekit))
    for name in storagekit.__all__:
        assert getattr(storagekit, name) is not None


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Missing'"):
        _ = storagekit.Missing  # type: ignore[attr-defined]  # that is the point
