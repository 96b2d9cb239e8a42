"""The obs driver: its native dialect on the emulator, over HTTP and TLS, and S3's signatures on real servers of S3.

What the emulator is worth is for its judges to say (tests/integration/test_emulator_*.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from uuid import uuid4

import pytest

from storagekit.driver import Driver
from storagekit.testing.conformance import DriverConformance, Harness
from storagekit.testing.emulator import Emulator, resolving
from storagekit.testing.servers import S3Server
from storagekit.testing.tls import Authority
from storagekit_obs._settings import Settings, parse
from storagekit_obs.driver import ObsDriver
from tests.conformance.servers import SERVERS
from tests.conformance.test_s3 import empty

pytestmark = pytest.mark.integration

ACCOUNTS = {"AK": "SK"}


def harness_of(make: Callable[[], Driver], **differences: object) -> Iterator[Harness]:
    drivers = [make()]
    bucket = f"b-{uuid4().hex}"
    drivers[0].create_bucket(bucket)

    def make_driver() -> Driver:
        drivers.append(make())
        return drivers[-1]

    yield Harness(drivers[0], bucket, make_driver, new_bucket=f"n-{uuid4().hex}", **differences)  # type: ignore[arg-type]
    empty(drivers[0], bucket)
    for driver in drivers:
        driver.close()


# --- S3's signatures, which an OBS takes as well, on servers of S3 ----------------------------------------------------


def on_s3(server: S3Server, signature: str) -> Settings:
    """The settings for a server of S3, with the limits that are declared of it; it knows no CRC-64."""
    account = {"endpoint": server.endpoint, "access_key": server.access_key, "secret_key": server.secret_key}
    settings = parse({**account, "region": server.region, "signature": signature, "path_style": "true"})
    return replace(settings, limits=replace(SERVERS[server.name].limits, part_checksum=None))


def s3_harness(server: S3Server, signature: str) -> Iterator[Harness]:
    settings, differences = on_s3(server, signature), {**SERVERS[server.name].differences}
    differences.pop("agrees_on_checksums", None)
    unconditional = frozenset({"put", "complete_upload"})  # OBS has no If-None-Match for what is written
    yield from harness_of(lambda: ObsDriver(settings), **{**differences, "unconditional": unconditional})


class TestMinioV4(DriverConformance):
    @pytest.fixture
    def harness(self, minio: S3Server) -> Iterator[Harness]:
        yield from s3_harness(minio, "v4")


class TestMinioV2(DriverConformance):
    @pytest.fixture
    def harness(self, minio: S3Server) -> Iterator[Harness]:
        yield from s3_harness(minio, "v2")


class TestSwiftV4(DriverConformance):
    @pytest.fixture
    def harness(self, swift: S3Server) -> Iterator[Harness]:
        yield from s3_harness(swift, "v4")


class TestSwiftV2(DriverConformance):
    @pytest.fixture
    def harness(self, swift: S3Server) -> Iterator[Harness]:
        yield from s3_harness(swift, "v2")


# --- OBS's own dialect, on the emulator -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator("obs", accounts=ACCOUNTS) as running, resolving("obs.test"):
        yield running


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Emulator, str]]:
    """An emulator that speaks TLS, and the file of its authority."""
    authority = Authority()
    context = authority.issue("obs.test", "*.obs.test").context()
    with Emulator("obs", accounts=ACCOUNTS, tls=context) as running, resolving("obs.test"):
        yield running, authority.write(tmp_path_factory.mktemp("obs") / "ca.pem")


def native(endpoint: str, **settings: str) -> Iterator[Harness]:
    account = {"endpoint": endpoint, "access_key": "AK", "secret_key": "SK"}
    differences = {
        "unconditional": frozenset({"put", "complete_upload"}),  # OBS has no If-None-Match for what is written
        "refuses_own_bucket": False,
    }
    yield from harness_of(lambda: ObsDriver.from_settings({**account, **settings}), **differences)


class TestHosts(DriverConformance):
    @pytest.fixture
    def harness(self, emulator: Emulator) -> Iterator[Harness]:
        yield from native(emulator.endpoint)


class TestHostsOverTLS(DriverConformance):
    @pytest.fixture
    def harness(self, secure: tuple[Emulator, str]) -> Iterator[Harness]:
        running, ca_file = secure
        yield from native(running.endpoint, ca_file=ca_file)


class TestPaths(DriverConformance):
    @pytest.fixture
    def harness(self, emulator: Emulator) -> Iterator[Harness]:
        yield from native(emulator.address)
