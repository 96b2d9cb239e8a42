"""The same world as OBS's, but the emulator is an OSS and the requests are signed by `oss_signing`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from tests.integration.emulator_world import World
from tests.integration.obs_changes import Change, Changes
from tests.integration.obs_signing import Dialect
from tests.integration.oss_signing import ALWAYS, PREFIX, PROOF, SUB_RESOURCES, signed
from tests.integration.raw_requests import Account, Request


@dataclass
class OssWorld(World):
    vendor: ClassVar[str] = "oss"
    domain: ClassVar[str] = "oss.test"

    def signed(self, request: Request, account: Account, dialect: Dialect) -> Request:
        return signed(request, account)


@dataclass(frozen=True)
class OssChanges(Changes):
    """V1 signs as OBS does, with other names; V4 lists what it signs besides what it always does."""

    parameters: frozenset[str] = SUB_RESOURCES | PROOF
    prefixes: tuple[str, ...] = (PREFIX,)

    def v1(self) -> Iterator[Change]:
        return self.v2()

    def _of_address(self) -> Iterator[Change]:
        """`/bucket` and `/bucket/` are one address, and signed as one."""
        yield from (change for change in super()._of_address() if f"{change.sent.path}/" != self.sent.path)

    def listed(self) -> set[str]:
        also = v4_pieces(self.sent.header("authorization")).get("additional headers", "")
        also += (dict(self.sent.query).get("x-oss-additional-headers") or "").replace("%3B", ";")
        own = {name.lower() for name, _ in self.sent.headers if name.lower().startswith(PREFIX)}
        return {*ALWAYS, *own, *also.split(";")}

    def pieces(self, authorization: str) -> dict[str, str]:
        return v4_pieces(authorization)


def v4_pieces(authorization: str) -> dict[str, str]:
    """The header's pieces by what they are; none where the signature is in the URL."""
    scheme, _, rest = authorization.partition(" ")
    if not rest:
        return {}
    fields = dict(field.split("=", 1) for field in rest.split(", "))
    names = "access key", "date", "region", "service", "terminator"
    parts = dict(zip(names, fields["Credential"].split("/"), strict=True))
    also = {"additional headers": fields["AdditionalHeaders"]} if "AdditionalHeaders" in fields else {}
    return {"scheme": scheme, **parts, **also, "signature": fields["Signature"]}
