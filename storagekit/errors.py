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
vendor's exception is the ``__cause__``. Two are equal that say the same of the same place, whatever their causes: an
error that comes back from another process (pickled, without its cause) is equal to what was raised there. How a
vendor's error becomes one of these: ``_guard.py``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

_LONGEST_SHOWN = 200  # characters of a key in a sentence; the field has all of it


@dataclass(frozen=True)
class Context:
    """Where and how an error happened. No field ever holds a secret or a query string.

    ``code`` is the value of the driver protocol's ``Code`` where the service refused, else None; ``vendor_code`` is the
    service's own word for it.
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
            shown = self.key if len(self.key) <= _LONGEST_SHOWN else f"{self.key[:_LONGEST_SHOWN]}..."
            place = f"{place}/{shown}"
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
        context: where it happened (``Context``); its fields can be read on the error itself.
        code: one word for what happened: the context's, or where that has none, the class's own. Never None.
    """

    default_code: ClassVar[str] = "unknown"

    if TYPE_CHECKING:  # read from the context
        backend: str | None
        bucket: str | None
        key: str | None
        operation: str | None
        request_id: str | None
        status: int | None
        code: str
        vendor_code: str | None
        attempts: int

    else:  # hidden from type checkers, which would take any misspelt name for Any

        def __getattr__(self, name: str) -> Any:
            if name not in Context.__dataclass_fields__:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            value = getattr(self.context, name)
            return self.default_code if name == "code" and value is None else value

    def __init__(self, message: str, *, hint: str | None = None, context: Context | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.context = context or Context()

    def __str__(self) -> str:
        where = str(self.context)
        text = f"{self.message} [{where}]" if where else self.message
        return f"{text}. {self.hint}" if self.hint else text

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.hint, self.context)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.__reduce__() == other.__reduce__()

    def __hash__(self) -> int:
        return hash((type(self), self.message))  # hint and context may still change

    def locate(self, place: Context) -> None:
        """Fill in from ``place`` what the error does not say itself; one that happened elsewhere is left alone."""
        if self.context.backend in (None, place.backend):
            told = {name: value for name, value in asdict(self.context).items() if value is not None}
            self.context = Context(**{**asdict(place), **told})

    def advise(self, hint: str) -> None:
        """Add ``hint`` to what the error already advises."""
        self.hint = f"{self.hint}. {hint}" if self.hint else hint


def _rebuild(kind: type[StorageError], message: str, hint: str | None, context: Context) -> StorageError:
    return kind(message, hint=hint, context=context)


class ConfigurationError(StorageError, ValueError):
    """Wrong arguments, environment or profile, or an endpoint that is another one; raised before any byte moves."""

    default_code = "configuration"


class InvalidNameError(ConfigurationError):
    """A bucket or key that the backend, or storagekit itself, cannot hold."""

    default_code = "invalid_name"


class UnsupportedSourceError(ConfigurationError):
    """A source that this version cannot read."""

    default_code = "unsupported_source"


class BackendNotInstalledError(ConfigurationError, ImportError):
    """No such backend, or its vendor SDK is not installed."""

    default_code = "backend_not_installed"


class NotFoundError(StorageError, FileNotFoundError):
    """Something that was named does not exist."""

    default_code = "not_found"


class ObjectNotFoundError(NotFoundError):
    """No object at that key."""


class BucketNotFoundError(NotFoundError):
    """No such bucket."""

    default_code = "bucket_not_found"


class UploadGoneError(NotFoundError):
    """The service no longer knows the upload: completed, aborted or expired."""

    default_code = "upload_gone"


class PermissionDeniedError(StorageError, PermissionError):
    """The credentials are good, but do not allow the operation."""

    default_code = "access_denied"


class CredentialsError(PermissionDeniedError):
    """The credentials are wrong, unknown or expired, or the clock is off by more than the service allows."""

    default_code = "bad_credentials"


class ServiceError(StorageError, ConnectionError):
    """Network or service failure that outlived every retry, or a certificate that is not accepted: no retry helps."""

    default_code = "server"


class ThrottledError(ServiceError):
    """The service kept asking for fewer requests until the retries were used up."""

    default_code = "throttled"


class IntegrityError(StorageError, ValueError):
    """The bytes are not what they should be. Nothing was published, unless ``verify`` found it afterwards."""

    default_code = "integrity"


class SourceChangedError(IntegrityError):
    """The source changed while it was read."""

    default_code = "source_changed"


class SourceTruncatedError(IntegrityError):
    """The source ended before its announced size."""

    default_code = "source_truncated"


class ChecksumError(IntegrityError):
    """A checksum of the service and ours differ."""


class ConflictError(StorageError, FileExistsError):
    """The state of the bucket or key forbids the operation (exists already, not empty, precondition)."""

    default_code = "conflict"


class RequestRefusedError(StorageError):
    """The service refused the request for a reason that has no class of its own."""

    default_code = "refused"


class TransferCancelled(StorageError):
    """The caller asked to stop; parts and record are kept."""

    default_code = "cancelled"
