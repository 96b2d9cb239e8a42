"""What the tests of the local driver share: a fresh bucket, and the directory that it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from storagekit.drivers.local import LocalDriver
from storagekit.testing.conformance import Harness


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    driver = LocalDriver(tmp_path / "root")
    driver.create_bucket("bucket")
    return Harness(driver, "bucket", lambda: LocalDriver(tmp_path / "root"))


@pytest.fixture
def home(harness: Harness, tmp_path: Path) -> Path:
    return tmp_path / "root" / harness.bucket
