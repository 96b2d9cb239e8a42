"""The whole conformance suite on a real SSH server."""

from collections.abc import Iterator
from functools import partial
from uuid import uuid4

import pytest
from sftp_server import sftp_server
from storagekit_sftp.driver import SftpDriver

from storagekit.testing.conformance import DriverConformance, Harness


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with sftp_server(tmp_path_factory.mktemp("sftp")) as settings:
        yield settings


@pytest.fixture(scope="session")
def driver(settings: dict[str, str]) -> SftpDriver:
    return SftpDriver.from_settings(settings)


class TestSftp(DriverConformance):
    @pytest.fixture
    def harness(self, driver: SftpDriver, settings: dict[str, str]) -> Harness:
        bucket = uuid4().hex
        driver.create_bucket(bucket)
        blind = frozenset({"put", "complete_upload"})  # a rename over a file asks nothing
        make = partial(SftpDriver.from_settings, settings)
        return Harness(driver, bucket, make, new_bucket=uuid4().hex, unconditional=blind)
