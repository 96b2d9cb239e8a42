"""The oss driver on the emulator: V4 and V1, over HTTP and TLS, with hosts, with paths, and at a domain of one's own.

What the emulator is worth is for its judges to say (tests/integration/test_emulator_*.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from storagekit import StorageClient
from storagekit.errors import PermissionDeniedError
from storagekit.testing.bodies import BytesBody
from storagekit.testing.conformance import DriverConformance, Harness
from storagekit.testing.emulator import Emulator, Settings, resolving
from storagekit.testing.faults import FakeClock
from storagekit.testing.tls import Authority
from storagekit.types import WriteOptions
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


@contextmanager
def connected(settings: Mapping[str, str]) -> Iterator[OssDriver]:
    with closing(OssDriver.from_settings(settings)) as driver:
        yield driver


# --- what only this backend has ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["oss", "obs"])
def test_a_public_bucket_is_read_without_keys_and_not_written(backend: str, tmp_path: Path) -> None:
    with Emulator(backend, settings=Settings(public_buckets=frozenset({"open-data"}))) as running:
        account: dict[str, Any] = {"access_key": running.access_key, "secret_key": running.secret_key}
        common: dict[str, Any] = {"endpoint": running.address, "region": "region-1", "environment": {}}
        with StorageClient(backend, "open-data", **common, **account) as owner:
            owner.create_bucket()
            owner.upload(b"for everybody", "key")
        with StorageClient(backend, "open-data", **common, credentials="anonymous") as anybody:
            anybody.download_file("key", tmp_path / "copy")
            with pytest.raises(PermissionDeniedError):
                anybody.upload(b"not for everybody", "key")
    assert b"for everybody" == (tmp_path / "copy").read_bytes()


def test_a_domain_of_ones_own_is_the_bucket() -> None:
    cnames = {"data.example.test": "datasets"}
    with Emulator("oss", settings=Settings(cnames=cnames)) as running, resolving("example.test"), resolving("oss.test"):
        account = {"access_key": running.access_key, "secret_key": running.secret_key, "region": "region-1"}
        with connected({**account, "endpoint": running.endpoint}) as driver:
            driver.create_bucket("datasets")
        own = {**account, "endpoint": f"http://data.example.test:{running.port}", "cname": "true"}
        with connected(own) as driver:
            driver.put("datasets", "key", BytesBody(b"data", "md5"), WriteOptions())
            assert 4 == driver.head("datasets", "key").size


@pytest.mark.parametrize("code", ["UploadTrafficRateLimitExceeded", "TotalQpsLimitExceeded"])
def test_an_account_over_its_limits_is_waited_for_as_long_as_the_service_says(code: str) -> None:
    with Emulator("oss") as running:
        account: dict[str, Any] = {"access_key": running.access_key, "secret_key": running.secret_key}
        common: dict[str, Any] = {"endpoint": running.address, "region": "region-1", "environment": {}}
        clock = FakeClock()
        with StorageClient("oss", "datasets", **common, **account, clock=clock) as client:
            client.create_bucket()
            running.throttle(2, code, delay_ms=1500)
            client.upload(b"data", "key")
        assert 2 == running.throttled
    assert 2 == sum(1.5 <= wait < 3 for wait in clock.slept)
