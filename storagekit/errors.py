"""The errors that storagekit raises.

    StorageError
    ├── ConfigurationError            (ValueError)         wrong arguments, environment or profile
    │   ├── InvalidNameError                               a bucket or key the backend cannot hold
    │   ├── UnsupportedSourceError                         a source this version cannot read
    │   └── BackendNotInstalledError  (ImportError)        unknown backend, or its SDK is missing
    ├── NotFoundError                 (FileNotFoundError)
    │   ├── ObjectNotFoundError
    │   ├── BucketNotFoundError
    │   └── UploadGoneError                                the service no longer knows the upload
    ├── PermissionDeniedError         (PermissionError)    credentials are good, the action is refused
    │   └── CredentialsError                               wrong, unknown or expired credentials, clock skew
    ├── ServiceError                  (ConnectionError)    network or service, after all retries
    │   └── ThrottledError
    ├── IntegrityError                (ValueError)         the bytes are not what they should be
    │   ├── SourceChangedError
    │   ├── SourceTruncatedError
    │   └── ChecksumError
    ├── ConflictError                 (FileExistsError)    the bucket's or key's state forbids it
    ├── RequestRefusedError                                any other refusal by the service
    └── TransferCancelled                                  the caller asked to stop

Each carries the builtin that people would catch, the place (backend, bucket, key, operation), what the service
said (request id, HTTP status, vendor code), how often it was tried, and one sentence on what to do next. The
vendor's exception is the ``__cause__``. How a vendor's error becomes one of these: ``_guard.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Context:
    """Where and how an error happened. No field ever holds a secret or a query string.

    ``code`` is the value of the driver protocol's ``Code``, ``vendor_code`` the service's own word for it.
    """

    backend: str | None = None
    bucket: str | None = None
    key: str | None = None
    operation: str | None = None
    request_id: str | None = None
    status: int | None = None
    code: str | None = None
    vendor_code: str | None = None
    attempts: int = 1

    def __str__(self) -> str:
        place = f"{self.backend or 'storage'}://{self.bucket}" if self.bucket else self.backend
        if self.bucket and self.key is not None:
            place = f"{place}/{self.key}"
        facts = [
            place,
            self.operation,
            self.vendor_code,
            f"status {self.status}" if self.status else None,
            f"request {self.request_id}" if self.request_id else None,
            f"{self.attempts} attempts" if self.attempts > 1 else None,
        ]
        return ", ".join(fact for fact in facts if fact)


class StorageError(Exception):
    """Base of all errors of storagekit.

    Attributes:
        message: what happened, one sentence.
        hint: what to do next, one sentence, or None.
        context: where it happened (:class:`Context`); its fields can be read on the error itself.
    """

    def __init__(self, message: str, *, hint: str | None = None, context: Context | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.context = context or Context()

    def __getattr__(self, name: str) -> Any:
        if name in Context.__dataclass_fields__:
            return getattr(self.context, name)
        raise AttributeError(name)

    def __str__(self) -> str:
        where = str(self.context)
        text = f"{self.message} [{where}]" if where else self.message
        return f"{text}. {self.hint}" if self.hint else text

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.hint, self.context)

    def advise(self, hint: str) -> None:
        """Add ``hint`` to what the error already advises."""
        self.hint = f"{self.hint}. {hint}" if self.hint else hint


def _rebuild(kind: type[StorageError], message: str, hint: str | None, context: Context) -> StorageError:
    return kind(message, hint=hint, context=context)


class ConfigurationError(StorageError, ValueError):
    """Wrong arguments, environment or profile; raised before any byte moves."""


class InvalidNameError(ConfigurationError):
    """A bucket or key that the backend, or storagekit itself, cannot hold."""


class UnsupportedSourceError(ConfigurationError):
    """A source that this version cannot read."""


class BackendNotInstalledError(ConfigurationError, ImportError):
    """No such backend, or its vendor SDK is not installed."""


class NotFoundError(StorageError, FileNotFoundError):
    """Something that was named does not exist."""


class ObjectNotFoundError(NotFoundError):
    """No object at that key."""


class BucketNotFoundError(NotFoundError):
    """No such bucket."""


class UploadGoneError(NotFoundError):
    """The service no longer knows the upload: completed, aborted or expired."""


class PermissionDeniedError(StorageError, PermissionError):
    """The credentials are good, but do not allow the operation."""


class CredentialsError(PermissionDeniedError):
    """The credentials are wrong, unknown or expired, or the clock is off by more than the service allows."""


class ServiceError(StorageError, ConnectionError):
    """Network or service failure that outlived every retry."""


class ThrottledError(ServiceError):
    """The service kept asking for fewer requests until the retries were used up."""


class IntegrityError(StorageError, ValueError):
    """The bytes are not what they should be; nothing was published."""


class SourceChangedError(IntegrityError):
    """The source changed while it was read."""


class SourceTruncatedError(IntegrityError):
    """The source ended before its announced size."""


class ChecksumError(IntegrityError):
    """A checksum of the service and ours differ."""


class ConflictError(StorageError, FileExistsError):
    """The state of the bucket or key forbids the operation (exists already, not empty, precondition)."""


class RequestRefusedError(StorageError):
    """The service refused the request for a reason that has no class of its own."""


class TransferCancelled(StorageError):
    """The caller asked to stop; parts and record are kept."""
