"""What services have in common: a request is let in, its operation found, and whatever is raised becomes an answer."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from storagekit.driver import Code
from storagekit.testing.emulator.accounts import Accounts
from storagekit.testing.emulator.answer import Answer
from storagekit.testing.emulator.body import Incoming
from storagekit.testing.emulator.operations import buckets, listings, objects, uploads
from storagekit.testing.emulator.operations.dialect import Dialect
from storagekit.testing.emulator.operations.store import Address, Call, Store
from storagekit.testing.emulator.refusal import ClientGone, Refusal, refusal_of
from storagekit.testing.emulator.request import Request
from storagekit.testing.emulator.throttle import Throttle

Operation = Callable[[Store, Call], Answer]
Operations = Mapping[tuple[str, str, str], Operation]
"""Level of the address, method, and the sub-resource: what is asked for."""

_log = logging.getLogger("storagekit.testing.emulator")

OPERATIONS: Operations = MappingProxyType(
    {
        ("bucket", "GET", ""): listings.list_objects,
        ("bucket", "DELETE", ""): buckets.delete_bucket,
        ("bucket", "GET", "uploads"): listings.list_uploads,
        ("bucket", "POST", "delete"): objects.delete_objects,
        ("object", "GET", ""): objects.get_object,
        ("object", "HEAD", ""): objects.get_object,
        ("object", "PUT", ""): objects.put_object,
        ("object", "DELETE", ""): objects.delete_object,
        ("object", "PUT", "copy-source"): objects.copy_object,
        ("object", "POST", "uploads"): uploads.initiate,
        ("object", "PUT", "uploadId"): uploads.put_part,
        ("object", "PUT", "uploadId copy-source"): uploads.copy_part,
        ("object", "GET", "uploadId"): listings.list_parts,
        ("object", "POST", "uploadId"): uploads.complete,
        ("object", "DELETE", "uploadId"): uploads.abort,
    }
)
"""What all of them have, by the same names."""


@dataclass(frozen=True)
class Admission:
    """Who is let in: accounts, the buckets that anybody may read, and what is refused on demand."""

    accounts: Accounts
    public_buckets: frozenset[str] = frozenset()
    throttle: Throttle = field(default_factory=Throttle)


class Base(ABC):
    """Answers requests; a ``storagekit.testing.emulator.listener.Service``."""

    def __init__(self, store: Store, admission: Admission) -> None:
        self._store = store
        self._admission = admission

    def answer(self, request: Request, body: Incoming) -> Answer:
        """Return the answer to a request. Raises ClientGone where there is nobody to hear it."""
        try:
            self._admission.throttle.check(request)
            answer = self._operate(request, body)
        except Exception as error:  # noqa: BLE001  # what the driver raises is its own; all of it is answered
            reason = body.failed or error  # a driver may have wrapped what the body raised
            if isinstance(reason, ClientGone):
                raise reason from None
            return self.refuse(request, reason if isinstance(reason, Refusal) else self._translated(reason))
        return self._dressed(request, answer)

    def refuse(self, request: Request, refusal: Refusal) -> Answer:
        """Return the answer that says the refusal."""
        _log.info("%s %s: %s %s", request.method, request.path, refusal.status, refusal.code)
        return self._refused(request, refusal)

    @abstractmethod
    def _operate(self, request: Request, body: Incoming) -> Answer:
        """Do what is asked for."""

    @abstractmethod
    def _refused(self, request: Request, refusal: Refusal) -> Answer:
        """Return the answer that says the refusal, in the client's dialect."""

    @abstractmethod
    def _dressed(self, request: Request, answer: Answer) -> Answer:
        """Add what every answer has."""

    def _translated(self, error: BaseException) -> Refusal:
        failure = self._store.driver.classify(error)
        if failure.code in (Code.UNKNOWN, Code.SERVER):
            _log.error("the driver failed", exc_info=error)
        return refusal_of(failure)

    def _anybody(self, request: Request, address: Address, asked: Iterable[str]) -> str | None:
        """Return in whose name a request without a signature may read; None where it may not.

        ``asked`` are the sub-resources: of a public bucket the objects are public, and their list.
        """
        if address.bucket not in self._admission.public_buckets or request.method not in ("GET", "HEAD"):
            return None
        return None if list(asked) else self._store.owner_of(address.bucket)


def route(request: Request, address: Address, dialect: Dialect, operations: Operations, asked: list[str]) -> Operation:
    """Return the operation that is asked for. Raises Refusal where the emulator, or the service, has none."""
    if request.prefixed(dialect.header("server-side-encryption")):
        raise Refusal("NotImplemented", "This emulator does not encrypt.")
    level = "object" if address.key else "bucket" if address.bucket else "service"
    if len(asked) > 1:
        raise Refusal("InvalidArgument", f"Conflicting sub-resources: {', '.join(sorted(asked))}.")
    copied = ["copy-source"] if request.header(dialect.header("copy-source")) is not None else []
    what = " ".join([*asked, *(copied if level == "object" and request.method == "PUT" else [])])
    found = operations.get((level, request.method, what))
    if found is not None:
        return found
    if asked and not any(what == sub for _, _, sub in operations):
        raise Refusal("NotImplemented", f"This emulator has no {what}.")
    raise Refusal("MethodNotAllowed", "The specified method is not allowed against this resource.")
