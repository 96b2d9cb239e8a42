"""A line that falsifies bytes: 1,000 of them, 1,000 caught, by the CRC-64 of a part or the MD5 of an object."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

from storagekit import StorageClient
from storagekit.driver import Code, Driver, DriverError
from storagekit.plugins import Registry
from storagekit.testing.bodies import BytesBody
from storagekit.testing.proxy import LinkFault, TCPProxy
from storagekit.testing.servers import S3Server
from storagekit.types import WriteOptions

pytestmark = pytest.mark.integration

KIB, MIB = 1024, 1024**2
HEAD = 2 * KIB  # more than the head of any request here: what is falsified is the body
BODY = 128 * KIB
FLIPS = {"put_part": 900, "put": 100}
BUCKET = "flips"


@dataclass(frozen=True)
class Line:
    """A service behind a line that can falsify a byte of each connection."""

    backend: str
    proxy: TCPProxy
    settings: dict[str, str]

    def driver(self) -> Driver:
        return Registry.create({}).find(self.backend).factory(self.settings)


@pytest.fixture(params=["oss", "obs"])
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    server: S3Server = request.getfixturevalue(request.param)
    host, _, port = server.endpoint.removeprefix("http://").partition(":")
    with TCPProxy(host, int(port)) as proxy:
        keys = {"access_key": server.access_key, "secret_key": server.secret_key, "region": server.region}
        yield Line(request.param, proxy, {**keys, "endpoint": f"http://{proxy.host}:{proxy.port}"})


@pytest.mark.parametrize("operation", FLIPS)
def test_no_falsified_byte_is_stored(line: Line, operation: str) -> None:
    places = random.Random(f"{line.backend} {operation}")
    data, caught = os.urandom(BODY), 0
    with closing(line.driver()) as driver:
        if not driver.bucket_exists(BUCKET):
            driver.create_bucket(BUCKET)
        algorithm = driver.limits.part_checksum or driver.limits.checksum
        upload = driver.create_upload(BUCKET, "key", WriteOptions(checksum=driver.limits.part_checksum), BODY)
        for _ in range(FLIPS[operation]):
            driver.close()  # a byte is counted from the beginning of its connection
            line.proxy.up = LinkFault(flip_at=places.randrange(HEAD, BODY))
            try:
                if operation == "put":
                    driver.put(BUCKET, "whole", BytesBody(data, driver.limits.checksum), WriteOptions())
                else:
                    driver.put_part(upload, 1, BytesBody(data, algorithm))
            except DriverError as error:
                caught += error.failure.code is Code.INTEGRITY
        line.proxy.up = LinkFault()
        assert caught == FLIPS[operation]
        assert [part for part in driver.list_parts(upload).parts if part.size == BODY] == []
        assert [info.key for info in driver.list(BUCKET).objects] == []
        assert driver.put_part(upload, 1, BytesBody(data, algorithm)).size == BODY
        driver.abort_upload(upload)


def test_an_upload_over_such_a_line_arrives_as_it_is(line: Line) -> None:
    data = os.urandom(22 * MIB)
    settings: dict[str, Any] = {**line.settings}
    with StorageClient(line.backend, f"{BUCKET}-whole", environment={}, part_size=5 * MIB, **settings) as client:
        client.create_bucket()
        line.proxy.up = LinkFault(flip_at=3 * MIB, times=3)
        client.upload(data, "key")
        assert hashlib.sha256(client.get_object("key")).digest() == hashlib.sha256(data).digest()
