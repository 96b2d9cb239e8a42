"""Exit codes: one for each kind of end."""

from __future__ import annotations

import inspect

import pytest

from storagekit import errors
from storagekit.cli._exit import exit_code

CODES: dict[type[BaseException], int] = {
    errors.StorageError: 1,
    errors.ConfigurationError: 2,
    errors.InvalidNameError: 2,
    errors.UnsupportedSourceError: 2,
    errors.BackendNotInstalledError: 2,
    errors.NotFoundError: 3,
    errors.ObjectNotFoundError: 3,
    errors.BucketNotFoundError: 3,
    errors.UploadGoneError: 5,
    errors.PermissionDeniedError: 4,
    errors.CredentialsError: 4,
    errors.ServiceError: 5,
    errors.ThrottledError: 5,
    errors.IntegrityError: 6,
    errors.SourceChangedError: 6,
    errors.SourceTruncatedError: 6,
    errors.ChecksumError: 6,
    errors.ConflictError: 1,
    errors.RequestRefusedError: 1,
    errors.TransferCancelled: 130,
}


@pytest.mark.parametrize(("kind", "code"), CODES.items())
def test_every_error_has_its_exit_code(kind: type[BaseException], code: int) -> None:
    assert code == exit_code(kind("no"))


def test_no_class_of_the_tree_is_forgotten() -> None:
    tree = {kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.StorageError)}
    assert set(CODES) == tree


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FileNotFoundError(), 3),
        (PermissionError(), 4),
        (ConnectionResetError(), 5),
        (KeyboardInterrupt(), 130),
        (OSError(), 1),
        (ValueError(), 1),
    ],
)
def test_builtin_errors_have_theirs(error: BaseException, code: int) -> None:
    assert code == exit_code(error)
