"""The error tree: as it is drawn, picklable with all it carries, and caught by the builtins people know."""

from __future__ import annotations

import copy
import inspect
import multiprocessing
import pickle
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields, replace

import pytest

import storagekit
from storagekit import errors
from storagekit._source import FileSource
from storagekit.cli._uri import parse_remote
from storagekit.driver import Code
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
    error.__cause__ = OSError("the vendor's")
    twin = copied(error)
    assert type(error) is type(twin)
    assert error == twin
    assert hash(error) == hash(twin)
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


def test_an_error_comes_back_from_another_process() -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        look: Callable[..., object] = FileSource("/nowhere/at/all").open
        missing = pool.submit(look, None).exception(60)
        wrong = pool.submit(parse_remote, "no/object").exception(60)
    assert errors.NotFoundError("no such file: /nowhere/at/all") == missing
    assert type(wrong) is errors.ConfigurationError
    assert "Write it like minio://bucket/key" in str(wrong.hint)


@pytest.mark.parametrize(
    "other",
    [
        errors.ObjectNotFoundError("other", hint="mend it", context=FULL),
        errors.ObjectNotFoundError("it broke", hint="other", context=FULL),
        errors.ObjectNotFoundError("it broke", hint="mend it", context=replace(FULL, key="other")),
        errors.NotFoundError("it broke", hint="mend it", context=FULL),
        FileNotFoundError("it broke"),
        "it broke",
    ],
)
def test_errors_that_say_different_things_differ(other: object) -> None:
    assert errors.ObjectNotFoundError("it broke", hint="mend it", context=FULL) != other


def test_advice_does_not_change_the_place_of_an_error_in_a_set() -> None:
    error = StorageError("no")
    found = {error}
    error.advise("Run again")
    error.locate(FULL)
    assert error in found


# --- where it happened ------------------------------------------------------------------------------------------------


def test_an_error_learns_the_place_that_it_does_not_name() -> None:
    error = errors.InvalidNameError("no")
    error.locate(Context("minio", "b", "k", "upload"))
    assert ("minio", "b", "k", "upload") == (error.backend, error.bucket, error.key, error.operation)


def test_an_error_keeps_what_it_says_of_its_place() -> None:
    error = StorageError("no", context=Context(backend="minio", operation="put_part", status=503, attempts=3))
    error.locate(Context("minio", "b", "k", "upload"))
    assert Context("minio", "b", "k", "put_part", status=503, attempts=3) == error.context


def test_an_error_of_another_place_is_left_alone() -> None:
    error = errors.ObjectNotFoundError("404", context=Context(backend="http", operation="get"))
    error.locate(Context("minio", "b", "k", "upload"))
    assert Context(backend="http", operation="get") == error.context


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_has_a_code_and_the_services_own_wins(kind: type[StorageError]) -> None:
    assert re.fullmatch("[a-z_]+", kind("no").code)
    assert "server" == kind("no", context=FULL).code
    assert kind("no").context.code is None


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.ObjectNotFoundError, Code.NOT_FOUND),
        (errors.BucketNotFoundError, Code.BUCKET_NOT_FOUND),
        (errors.UploadGoneError, Code.UPLOAD_GONE),
        (errors.PermissionDeniedError, Code.ACCESS_DENIED),
        (errors.CredentialsError, Code.BAD_CREDENTIALS),
        (errors.ThrottledError, Code.THROTTLED),
        (errors.ChecksumError, Code.INTEGRITY),
        (errors.ConflictError, Code.CONFLICT),
        (errors.RequestRefusedError, Code.REFUSED),
        (errors.InvalidNameError, Code.INVALID_NAME),
    ],
)
def test_a_class_and_the_code_behind_it_share_one_word(kind: type[StorageError], code: Code) -> None:
    assert code.value == kind("no").code


def test_the_errors_that_people_catch_are_at_the_front_door() -> None:
    names = {name for name in storagekit.__all__ if hasattr(errors, name)}
    assert {"StorageError", "NotFoundError", "ConfigurationError", "ServiceError", "IntegrityError"} <= names
    assert all(getattr(storagekit, name) is getattr(errors, name) for name in names)


@pytest.mark.parametrize("name", [field.name for field in fields(Context)])
def test_the_context_can_be_read_on_the_error(name: str) -> None:
    assert getattr(FULL, name) == getattr(StorageError("no", context=FULL), name)


def test_an_error_has_no_other_attributes() -> None:
    assert not hasattr(StorageError("no"), "secret_key")
    with pytest.raises(AttributeError, match="'ThrottledError' object has no attribute 'secret_key'"):
        _ = errors.ThrottledError("no").secret_key  # type: ignore[attr-defined]  # that is the point


def test_advice_is_added_to_advice() -> None:
    error = StorageError("no")
    error.advise("Do this")
    error.advise("Then that")
    assert error.hint == "Do this. Then that"
