"""The oss driver on the emulator: V4 and V1, over HTTP and TLS, with hosts, with paths, and at a domain of one's own.

What the emulator is worth is for its judges to say (tests/integration/test_emulator_*.py).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from storagekit.testing.conformance import DriverConformance, Harness
from storagekit.testing.emulator import Emulator, resolving
from storagekit.testing.tls import Authority
from storagekit_oss.driver import OssDriver
from tests.conformance.test_obs import harness_of

pytestmark = pytest.mark.integration

ACCOUNTS = {"AK": "SK"}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator("oss", accounts=ACCOUNTS) as running, resolving("oss.test"):
        yield running


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Emulator, str]]:
    """An emulator that speaks TLS, and the file of its authority."""
    authority = Authority()
    context = authority.issue("oss.test", "*.oss.test").context()
    with Emulator("oss", accounts=ACCOUNTS, tls=context) as running, resolving("oss.test"):
        yield running, authority.write(tmp_path_factory.mktemp("oss") / "ca.pem")


def on(endpoint: str, **settings: str) -> Iterator[Harness]:
    account = {"endpoint": endpoint, "access_key": "AK", "secret_key": "SK", "region": "region-1"}
    yield from harness_of(lambda: OssDriver.from_settings({**account, **settings}), refuses_own_bucket=False)


class TestV4(DriverConformance):
    @pytest.fixture
    def harness(self, emulator: Emulator) -> Iterator[Harness]:
        yield from on(emulator.endpoint)


class TestV1(DriverConformance):
    @pytest.fixture
    def harness(self, emulator: Emulator) -> Iterator[Harness]:
        yield from on(emulator.endpoint, signature="v1")


class TestV4OverTLS(DriverConformance):
    @pytest.fixture
    def harness(self, secure: tuple[Emulator, str]) -> Iterator[Harness]:
        running, ca_file = secure
        yield from on(running.endpoint, ca_file=ca_file)


class TestV1OverTLS(DriverConformance):
    @pytest.fixture
    def harness(self, secure: tuple[Emulator, str]) -> Iterator[Harness]:
        running, ca_file = secure
        yield from on(running.endpoint, ca_file=ca_file, signature="v1")


class TestPaths(DriverConformance):
    @pytest.fixture
    def harness(self, emulator: Emulator) -> Iterator[Harness]:
        yield from on(emulator.address)
