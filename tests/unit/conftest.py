"""A server that plays answers, and the minio driver that talks to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from storagekit_minio.driver import MinioDriver
from tests.unit.minio_wire import Wire, make_driver


@pytest.fixture
def wire() -> Iterator[Wire]:
    server = Wire()
    yield server
    server.close()


@pytest.fixture
def driver(wire: Wire) -> Iterator[MinioDriver]:
    made = make_driver(wire)
    yield made
    made.close()
