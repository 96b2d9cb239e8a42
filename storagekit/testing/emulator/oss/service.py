"""OSS as a whole: who asks, what for, and the answer in OSS's words."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from types import MappingProxyType

from storagekit.testing.emulator import service, xml
from storagekit.testing.emulator.answer import Answer
from storagekit.testing.emulator.body import Announced, Incoming, md5_of
from storagekit.testing.emulator.operations.store import Address, Call, Store
from storagekit.testing.emulator.oss import buckets
from storagekit.testing.emulator.oss.address import parse_address
from storagekit.testing.emulator.oss.dialect import OSS
from storagekit.testing.emulator.oss.signature import SUB_RESOURCES, Policy, authenticate, find_claim
from storagekit.testing.emulator.oss.words import in_words, reason_of
from storagekit.testing.emulator.refusal import Refusal
from storagekit.testing.emulator.request import Request
from storagekit.testing.emulator.throttle import Throttled

OPERATIONS: service.Operations = MappingProxyType(
    {
        **service.OPERATIONS,
        ("service", "GET", ""): buckets.list_buckets,
        ("bucket", "HEAD", ""): buckets.head_bucket,
        ("bucket", "PUT", ""): buckets.create_bucket,
        ("bucket", "DELETE", ""): buckets.remove_bucket,
        ("bucket", "GET", "acl"): buckets.get_acl,
        ("bucket", "GET", "bucketInfo"): buckets.get_info,
        ("bucket", "GET", "location"): buckets.get_location,
        ("object", "HEAD", "objectMeta"): buckets.object_meta,
    }
)

_PART_OF_OTHERS = frozenset({"partNumber", "continuation-token", "security-token", "sequential", "callback-var"})


@dataclass(frozen=True)
class Rules:
    """What an OSS may be told: its signatures, and the domains of users' own, each with its bucket."""

    policy: Policy = field(default_factory=Policy)
    cnames: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


class OssService(service.Base):
    """Answers requests as OSS does."""

    def __init__(self, store: Store, admission: service.Admission, rules: Rules) -> None:
        super().__init__(store, admission)
        self._rules = rules

    def _operate(self, request: Request, body: Incoming) -> Answer:
        address = parse_address(request, self._store.domain, self._rules.cnames)
        owner = self._owner(request, address)
        body.expect(Announced(md5_of(request)))
        operation = service.route(request, address, OSS, OPERATIONS, _asked(request))
        public = address.bucket in self._admission.public_buckets
        return operation(self._store, Call(request, address, body, OSS, owner, public))

    def _owner(self, request: Request, address: Address) -> str:
        claim = find_claim(request)
        anybody = self._anybody(request, address, _asked(request)) if claim is None else None
        if anybody is not None:
            return anybody
        now = self._store.clock()
        return authenticate(request, claim, address, self._admission.accounts, now, self._rules.policy).owner

    def _refused(self, request: Request, refusal: Refusal) -> Answer:
        """Return XML; a HEAD has it in a header, in Base64."""
        said, identity = in_words(refusal), _request_id()
        reason = reason_of(said)
        rows = [("Code", said.code), ("Message", said.message), ("RequestId", identity)]
        rows += [("HostId", request.header("host") or self._store.domain), *said.facts.items(), ("EC", reason)]
        document = xml.render(("Error", rows))
        headers = {"x-oss-ec": reason}
        if isinstance(refusal, Throttled) and refusal.delay_ms is not None:
            headers["x-oss-qos-delay-time"] = str(refusal.delay_ms)
        if said.status == 304:  # no error to SDKs, and without a code: oss2's NotModified
            return self._dressed(request, Answer(said.status), identity)
        if request.method == "HEAD":
            headers["x-oss-err"] = base64.b64encode(document).decode()
            return self._dressed(request, Answer(said.status, headers), identity)
        return self._dressed(
            request, Answer(said.status, {**headers, "Content-Type": "application/xml"}, document), identity
        )

    def _dressed(self, request: Request, answer: Answer, identity: str | None = None) -> Answer:
        """Add what every answer has. The date is the emulator's own clock's."""
        common = {
            "Server": "AliyunOSS",
            "Date": formatdate(self._store.clock(), usegmt=True),
            "x-oss-request-id": identity or _request_id(),
            "x-oss-server-time": "1",  # ms that the request took
        }
        return replace(answer, headers={**common, **answer.headers})


def _asked(request: Request) -> list[str]:
    return [name for name, _ in request.query if _is_sub_resource(name)]


def _is_sub_resource(name: str) -> bool:
    ignored = name in _PART_OF_OTHERS or name.startswith(("response-", "x-oss-"))
    return name in SUB_RESOURCES and not ignored


def _request_id() -> str:
    return secrets.token_hex(12).upper()
