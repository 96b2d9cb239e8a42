"""An emulator whose clock is the test's, and the requests that judge it: OBS's, signed by `obs_signing`."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from storagekit.testing.emulator import Account as EmulatorAccount
from storagekit.testing.emulator import Emulator
from tests.integration.obs_signing import Dialect, signed
from tests.integration.raw_requests import Account, Answer, Line, Request, Wire, rfc1123, wire, with_headers

NOW = 1_800_000_000.0  # 15 January 2027, a Friday
PART = 100 * 1024
OWNER = Account("OWNERKEY000000000001", "the owner's secret")
GUEST = Account("GUESTKEY000000000001", "the guest's secret", "the+guest/s=token")
DOMAIN = "obs.test"
BUCKET = "judged-1"
NEIGHBOURS = ("judged-2", "judged-10", "judgee-1", "kudged-1", "judged")
"""Buckets that one changed byte leads to: what is accepted by mistake would be found there."""
KEY = "dir/Object-1.txt"
BODY = b"the object's content"


@dataclass
class World:
    vendor: ClassVar[str] = "obs"
    domain: ClassVar[str] = DOMAIN
    emulator: Emulator
    line: Line
    now: float = NOW
    upload: str = ""

    @property
    def domain_host(self) -> str:
        return f"{self.domain}:{self.emulator.port}"

    @property
    def address_host(self) -> str:
        return f"127.0.0.1:{self.emulator.port}"

    def host(self, request: Request) -> str:
        return self.address_host if request.path_style else self.domain_host

    def send(self, sent: Wire) -> Answer:
        return self.line.send(sent)

    def ask(self, request: Request, account: Account = OWNER, dialect: Dialect = "obs") -> Answer:
        dated = with_headers(request, {"Date": rfc1123(self.now), **request.headers})
        return self.send(wire(self.signed(dated, account, dialect), self.host(request)))

    def signed(self, request: Request, account: Account, dialect: Dialect) -> Request:
        return signed(request, account, dialect)

    def good(self, request: Request) -> Answer:
        answer = self.ask(request)
        assert answer.status < 300, (request, answer)
        return answer

    def everything(self) -> list[str]:
        """All that is stored: buckets, objects, uploads, parts. What differs from answer to answer is left out."""
        own = [Request("GET"), *(Request("GET", name) for name in (BUCKET, *NEIGHBOURS))]
        own += [Request("GET", name, query={"uploads": None}) for name in (BUCKET, *NEIGHBOURS)]
        own += [Request("GET", BUCKET, KEY), Request("GET", BUCKET, "big", {"uploadId": self.upload})]
        found = [self.good(request).body.decode() for request in own]
        return [re.sub(r"<(RequestId|HostId)>.*?</\1>", "", text) for text in found]


W = TypeVar("W", bound=World)


@contextmanager
def a_world(kind: type[W]) -> Iterator[W]:
    """A fresh emulator, with what the tests' requests are about."""
    world: W

    def clock() -> float:
        return world.now

    guest = EmulatorAccount(GUEST.secret_key, token=GUEST.token)
    accounts: dict[str, str | EmulatorAccount] = {OWNER.access_key: OWNER.secret_key, GUEST.access_key: guest}
    with Emulator(kind.vendor, accounts=accounts, domain=kind.domain, clock=clock) as emulator:
        world = kind(emulator, Line(("127.0.0.1", emulator.port)))
        settle(world)
        yield world
        world.line.close()


def settle(world: World) -> None:
    """What the tests' requests are about is there: buckets, an object, and an upload with a part."""
    world.now = NOW
    for name in (BUCKET, *NEIGHBOURS):
        world.ask(Request("PUT", name))  # 409 where it is there
    world.good(Request("PUT", BUCKET, KEY, body=BODY))
    world.good(Request("PUT", BUCKET, "big-source", body=b"s" * PART))
    if not world.upload or world.ask(Request("GET", BUCKET, "big", {"uploadId": world.upload})).status != 200:
        body = world.good(Request("POST", BUCKET, "big", {"uploads": None})).body
        world.upload = body.partition(b"<UploadId>")[2].partition(b"</UploadId>")[0].decode()
        world.good(Request("PUT", BUCKET, "big", {"partNumber": "1", "uploadId": world.upload}, body=b"p" * PART))


def md5(body: bytes) -> str:
    return b64encode(hashlib.md5(body).digest()).decode()
