"""The error tree: as it is drawn, picklable with all it carries, and caught by the builtins people know."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from dataclasses import fields

import pytest

from storagekit import errors
from storagekit.errors import Context, StorageError

FULL = Context("minio", "data", "a/b", "put_part", "REQ1", 503, "server", "SlowDown", 3)
CLASSES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, StorageError) and kind.__module__ == errors.__name__
]


def drawn() -> list[tuple[str, str | None, str | None]]:
    """The drawing at the top of the module as (name, name of the base, builtin base)."""
    found: list[tuple[str, str | None, str | None]] = []
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        matched = re.match(r"    ([ │├└─]*)(\w+)(?: +\((\w+)\))?(?: {2,}.*)?$", line)
        if matched:
            depth = len(matched[1]) // 4
            path[depth:] = [matched[2]]
            found.append((matched[2], path[depth - 1] if depth else None, matched[3]))
    return found


def test_the_drawing_shows_every_class_and_no_other() -> None:
    assert sorted(kind.__name__ for kind in CLASSES) == sorted(name for name, _, _ in drawn())


@pytest.mark.parametrize(("name", "base", "builtin"), drawn())
def test_a_class_has_the_bases_that_are_drawn(name: str, base: str | None, builtin: str | None) -> None:
    bases = {kind.__name__ for kind in getattr(errors, name).__bases__}
    assert {base or "Exception", *([builtin] if builtin else [])} == bases


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.InvalidNameError, ValueError),
        (errors.BackendNotInstalledError, ImportError),
        (errors.ObjectNotFoundError, FileNotFoundError),
        (errors.UploadGoneError, OSError),
        (errors.CredentialsError, PermissionError),
        (errors.ThrottledError, ConnectionError),
        (errors.ChecksumError, ValueError),
        (errors.ConflictError, FileExistsError),
    ],
)
def test_an_error_is_caught_by_the_builtin_that_people_would_catch(
    kind: type[StorageError], builtin: type[Exception]
) -> None:
    with pytest.raises(builtin):
        raise kind("no")


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("copied", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_an_error_survives_a_pickle_with_all_its_context(kind: type[StorageError], copied: object) -> None:
    assert callable(copied)
    error = kind("it broke", hint="mend it", context=FULL)
    twin = copied(error)
    assert type(error) is type(twin)
    assert (error.message, error.hint, error.context, str(error)) == (twin.message, twin.hint, twin.context, str(twin))


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_says_what_where_and_what_to_do(kind: type[StorageError]) -> None:
    expected = "it broke [minio://data/a/b, put_part, SlowDown, status 503, request REQ1, 3 attempts]. mend it"
    assert expected == str(kind("it broke", hint="mend it", context=FULL))


def test_an_error_without_context_is_its_sentence() -> None:
    assert str(StorageError("it broke")) == "it broke"
    assert str(StorageError("it broke", hint="mend it")) == "it broke. mend it"


@pytest.mark.parametrize(
    ("context", "shown"),
    [
        (Context(), ""),
        (Context(backend="obs"), "obs"),
        (Context(bucket="b"), "storage://b"),
        (Context(backend="obs", bucket="b", key=""), "obs://b/"),
        (Context(backend="obs", key="k", operation="head"), "obs, head"),
        (Context(attempts=1, status=0), ""),
    ],
)
def test_a_place_shows_what_is_known(context: Context, shown: str) -> None:
    assert shown == str(context)


@pytest.mark.parametrize("name", [field.name for field in fields(Context)])
def test_the_context_can_be_read_on_the_error(name: str) -> None:
    assert getattr(FULL, name) == getattr(StorageError("no", context=FULL), name)


def test_an_error_has_no_other_attributes() -> None:
    assert not hasattr(StorageError("no"), "secret_key")


def test_advice_is_added_to_advice() -> None:
    error = StorageError("no")
    error.advise("Do this")
    error.advise("Then that")
    assert error.hint == "Do this. Then that"
