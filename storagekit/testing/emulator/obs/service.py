"""OBS as a whole: who asks, what for, and the answer in the client's dialect."""

from __future__ import annotations

import secrets
from dataclasses import replace
from email.utils import formatdate
from types import MappingProxyType

from storagekit.testing.emulator import service, xml
from storagekit.testing.emulator.answer import Answer
from storagekit.testing.emulator.body import Incoming, announced_by
from storagekit.testing.emulator.obs import buckets
from storagekit.testing.emulator.obs.address import parse_address
from storagekit.testing.emulator.obs.signature import SUB_RESOURCES, authenticate, dialect_of, find_claim
from storagekit.testing.emulator.operations.dialect import Dialect
from storagekit.testing.emulator.operations.store import Address, Call, Store
from storagekit.testing.emulator.refusal import Refusal
from storagekit.testing.emulator.request import Request

OPERATIONS: service.Operations = MappingProxyType(
    {
        **service.OPERATIONS,
        ("service", "GET", ""): buckets.list_buckets,
        ("bucket", "HEAD", ""): buckets.head_bucket,
        ("bucket", "PUT", ""): buckets.create_bucket,
        ("bucket", "GET", "location"): buckets.get_location,
    }
)

_PART_OF_OTHERS = frozenset({"partnumber"})


class ObsService(service.Base):
    """Answers requests as OBS does."""

    def __init__(self, store: Store, admission: service.Admission, *, v4_region: str | None = None) -> None:
        super().__init__(store, admission)
        self._v4_region = v4_region

    def _operate(self, request: Request, body: Incoming) -> Answer:
        address = parse_address(request, self._store.domain)
        if request.param("apiversion") is not None and request.method == "HEAD" and not address.key:
            return self._probed(address)
        owner = self._owner(request, address)
        dialect = dialect_of(request)
        body.expect(announced_by(request, dialect.prefix))
        operation = route(request, address, dialect)
        return operation(self._store, Call(request, address, body, dialect, owner))

    def _owner(self, request: Request, address: Address) -> str:
        anybody = self._anybody(request, address, _asked(request)) if find_claim(request) is None else None
        if anybody is not None:
            return anybody
        return authenticate(request, address, self._admission.accounts, self._store.clock(), self._v4_region).owner

    def _probed(self, address: Address) -> Answer:
        """Say which signatures there are: what SDKs ask, unsigned, before anything else."""
        if address.bucket and not self._store.driver.bucket_exists(address.bucket):
            raise Refusal("NoSuchBucket", "The specified bucket does not exist.", BucketName=address.bucket)
        return Answer(200, {"x-obs-api": "3.0"})

    def _refused(self, request: Request, refusal: Refusal) -> Answer:
        """Return XML, or headers where HEAD allows no body."""
        dialect, identity = dialect_of(request), _request_id()
        named = {dialect.header("error-code"): refusal.code, dialect.header("error-message"): refusal.message}
        if request.method == "HEAD":
            return self._dressed(request, Answer(refusal.status, named), identity)
        rows = [("Code", refusal.code), ("Message", refusal.message), *refusal.facts.items()]
        rows += [("RequestId", identity), ("HostId", _HOST_ID), ("Resource", request.path)]
        answer = Answer(refusal.status, {"Content-Type": "application/xml"}, xml.render(("Error", rows)))
        return self._dressed(request, answer, identity)

    def _dressed(self, request: Request, answer: Answer, identity: str | None = None) -> Answer:
        """Add what every answer has. The date is the emulator's own clock's."""
        dialect = dialect_of(request)
        common = {
            "Server": "OBS",
            "Date": formatdate(self._store.clock(), usegmt=True),
            dialect.header("request-id"): identity or _request_id(),
            dialect.header("id-2"): _HOST_ID,
        }
        return replace(answer, headers={**common, **answer.headers})


def route(request: Request, address: Address, dialect: Dialect) -> service.Operation:
    """Return the operation that is asked for. Raises Refusal where the emulator, or OBS, has none."""
    return service.route(request, address, dialect, OPERATIONS, _asked(request))


def _asked(request: Request) -> list[str]:
    return [name for name, _ in request.query if _is_sub_resource(name)]


def _is_sub_resource(name: str) -> bool:
    lower = name.lower()
    return lower in SUB_RESOURCES and lower not in _PART_OF_OTHERS and not lower.startswith("response-")


def _request_id() -> str:
    return secrets.token_hex(16).upper()


_HOST_ID = "32AAAQAAEAABAAAQAAEAABAAAQAAEAABCSstoragekitEmulator="
