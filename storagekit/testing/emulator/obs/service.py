"""OBS as a whole: who asks, what for, and the answer in the client's dialect."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from email.utils import formatdate
from types import MappingProxyType

from storagekit.driver import Code
from storagekit.testing.emulator import xml
from storagekit.testing.emulator.accounts import Accounts
from storagekit.testing.emulator.answer import Answer
from storagekit.testing.emulator.body import Incoming, announced_by
from storagekit.testing.emulator.obs import buckets, listings, objects, uploads
from storagekit.testing.emulator.obs.address import Address, parse_address
from storagekit.testing.emulator.obs.dialect import Dialect
from storagekit.testing.emulator.obs.signature import SUB_RESOURCES, authenticate, dialect_of
from storagekit.testing.emulator.obs.store import Call, Store
from storagekit.testing.emulator.refusal import ClientGone, Refusal, refusal_of
from storagekit.testing.emulator.request import Request

Operation = Callable[[Store, Call], Answer]

_log = logging.getLogger("storagekit.testing.emulator")

OPERATIONS: Mapping[tuple[str, str, str], Operation] = MappingProxyType(
    {
        ("service", "GET", ""): buckets.list_buckets,
        ("bucket", "GET", ""): listings.list_objects,
        ("bucket", "HEAD", ""): buckets.head_bucket,
        ("bucket", "PUT", ""): buckets.create_bucket,
        ("bucket", "DELETE", ""): buckets.delete_bucket,
        ("bucket", "GET", "location"): buckets.get_location,
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
"""Level of the address, method, and the sub-resource: what is asked for."""

_PART_OF_OTHERS = frozenset({"partnumber"})


class ObsService:
    """Answers requests; a ``storagekit.testing.emulator.listener.Service``."""

    def __init__(self, store: Store, accounts: Accounts, *, v4_region: str | None = None) -> None:
        self._store = store
        self._accounts = accounts
        self._v4_region = v4_region

    def answer(self, request: Request, body: Incoming) -> Answer:
        """Return the answer to a request. Raises ClientGone where there is nobody to hear it."""
        try:
            answer = self._operate(request, body)
        except Exception as error:  # noqa: BLE001  # what the driver raises is its own; all of it is answered
            reason = body.failed or error  # a driver may have wrapped what the body raised
            if isinstance(reason, ClientGone):
                raise reason from None
            return self.refuse(request, reason if isinstance(reason, Refusal) else self._translated(reason))
        return self._dressed(answer, dialect_of(request))

    def refuse(self, request: Request, refusal: Refusal) -> Answer:
        """Return the answer that says the refusal: XML, or headers where HEAD allows no body."""
        dialect, identity = dialect_of(request), _request_id()
        _log.info("%s %s: %s %s", request.method, request.path, refusal.status, refusal.code)
        named = {dialect.header("error-code"): refusal.code, dialect.header("error-message"): refusal.message}
        if request.method == "HEAD":
            return self._dressed(Answer(refusal.status, named), dialect, identity)
        rows = [("Code", refusal.code), ("Message", refusal.message), *refusal.facts.items()]
        rows += [("RequestId", identity), ("HostId", _HOST_ID), ("Resource", request.path)]
        answer = Answer(refusal.status, {"Content-Type": "application/xml"}, xml.render(("Error", rows)))
        return self._dressed(answer, dialect, identity)

    def _operate(self, request: Request, body: Incoming) -> Answer:
        address = parse_address(request, self._store.domain)
        if request.param("apiversion") is not None and request.method == "HEAD" and not address.key:
            return self._probed(address)
        account = authenticate(request, address, self._accounts, self._store.clock(), self._v4_region)
        dialect = dialect_of(request)
        body.expect(announced_by(request, dialect.prefix))
        operation = route(request, address, dialect)
        return operation(self._store, Call(request, address, body, dialect, account.owner))

    def _probed(self, address: Address) -> Answer:
        """Say which signatures there are: what SDKs ask, unsigned, before anything else."""
        if address.bucket and not self._store.driver.bucket_exists(address.bucket):
            raise Refusal("NoSuchBucket", "The specified bucket does not exist.", BucketName=address.bucket)
        return Answer(200, {"x-obs-api": "3.0"})

    def _translated(self, error: BaseException) -> Refusal:
        failure = self._store.driver.classify(error)
        if failure.code in (Code.UNKNOWN, Code.SERVER):
            _log.error("the driver failed", exc_info=error)
        return refusal_of(failure)

    def _dressed(self, answer: Answer, dialect: Dialect, identity: str | None = None) -> Answer:
        """Add what every answer has. The date is the emulator's own clock's."""
        common = {
            "Server": "OBS",
            "Date": formatdate(self._store.clock(), usegmt=True),
            dialect.header("request-id"): identity or _request_id(),
            dialect.header("id-2"): _HOST_ID,
        }
        return replace(answer, headers={**common, **answer.headers})


def route(request: Request, address: Address, dialect: Dialect) -> Operation:
    """Return the operation that is asked for. Raises Refusal where the emulator, or OBS, has none."""
    if request.prefixed(dialect.header("server-side-encryption")):
        raise Refusal("NotImplemented", "This emulator does not encrypt.")
    level = "object" if address.key else "bucket" if address.bucket else "service"
    asked = [name for name, _ in request.query if _is_sub_resource(name)]
    if len(asked) > 1:
        raise Refusal("InvalidArgument", f"Conflicting sub-resources: {', '.join(sorted(asked))}.")
    copied = ["copy-source"] if request.header(dialect.header("copy-source")) is not None else []
    what = " ".join([*asked, *(copied if level == "object" and request.method == "PUT" else [])])
    found = OPERATIONS.get((level, request.method, what))
    if found is not None:
        return found
    if asked and not any(what == sub for _, _, sub in OPERATIONS):
        raise Refusal("NotImplemented", f"This emulator has no {what}.")
    raise Refusal("MethodNotAllowed", "The specified method is not allowed against this resource.")


def _is_sub_resource(name: str) -> bool:
    lower = name.lower()
    return lower in SUB_RESOURCES and lower not in _PART_OF_OTHERS and not lower.startswith("response-")


def _request_id() -> str:
    return secrets.token_hex(16).upper()


_HOST_ID = "32AAAQAAEAABAAAQAAEAABAAAQAAEAABCSstoragekitEmulator="
