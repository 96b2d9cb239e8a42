"""``open_object`` on real servers, through a proxy that cuts and stalls."""

from __future__ import annotations

import contextlib
import io
import random
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from storagekit._clock import Clock
from storagekit._object_file import ObjectFile, open_object
from storagekit._retry import RetryPolicy
from storagekit._store import Store
from storagekit.errors import SourceChangedError, TransferCancelled
from storagekit.testing.bodies import BytesBody
from storagekit.testing.proxy import LinkFault, TCPProxy
from storagekit.testing.servers import S3Server
from storagekit.types import WriteOptions
from storagekit_minio.driver import MinioDriver

pytestmark = pytest.mark.integration

KIB = 1024
MIB = 1024**2
DATA = random.Random(13).randbytes(12 * MIB + 5)


@dataclass
class Scene:
    driver: MinioDriver
    proxy: TCPProxy
    bucket: str

    def put(self, data: bytes) -> None:
        self.driver.put(self.bucket, "k", BytesBody(data, self.driver.limits.checksum), WriteOptions())

    def opened(self, block_size: int = MIB) -> ObjectFile:
        store = Store.of(self.driver, "minio", RetryPolicy(base_s=0.01), Clock())
        return open_object(store, self.bucket, "k", block_size=block_size)


@pytest.fixture
def scene(s3_server: S3Server) -> Iterator[Scene]:
    place = urlsplit(s3_server.endpoint)
    assert place.hostname is not None
    assert place.port is not None
    with TCPProxy(place.hostname, place.port) as proxy:
        settings = {"endpoint": f"http://{proxy.host}:{proxy.port}", "region": s3_server.region}
        keys = {"access_key": s3_server.access_key, "secret_key": s3_server.secret_key}
        with contextlib.closing(MinioDriver.from_settings({**settings, **keys})) as driver:
            scene = Scene(driver, proxy, f"t{uuid.uuid4().hex[:12]}")
            driver.create_bucket(scene.bucket)
            scene.put(DATA)
            yield scene


def test_it_reads_what_was_stored_in_order_and_at_random(scene: Scene) -> None:
    chance = random.Random(1)
    with scene.opened() as file:
        assert DATA == b"".join(iter(lambda: file.read(100_000), b""))
        for _ in range(50):
            start, length = chance.randrange(len(DATA)), chance.choice([1, 1000, 200_000])
            file.seek(start)
            assert DATA[start : start + length] == file.read(length)


def test_connections_that_are_cut_are_made_again(scene: Scene) -> None:
    scene.proxy.down = LinkFault(cut_after=300 * KIB, times=3)

    with scene.opened() as file:
        assert DATA == file.read()


def test_a_member_of_an_archive_costs_little_more_than_its_size(scene: Scene) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(40):
            archive.writestr(f"m{number}", DATA[number : number + 256 * KIB])
    scene.put(packed.getvalue())
    before = scene.proxy.bytes_down

    with scene.opened(4 * MIB) as file, zipfile.ZipFile(file) as archive:
        assert DATA[20 : 20 + 256 * KIB] == archive.read("m20")

    assert scene.proxy.bytes_down - before <= 512 * KIB


def test_an_object_that_was_replaced_is_told_by_the_server(scene: Scene) -> None:
    with scene.opened() as file:
        file.read(10)
        scene.put(DATA[::-1])
        file.seek(6 * MIB)
        with pytest.raises(SourceChangedError):
            file.read(10)


def test_close_returns_while_the_server_stalls_and_ends_the_read_that_waits(scene: Scene) -> None:
    seen: list[BaseException] = []

    def read() -> None:
        try:
            file.read(8 * MIB)
        except TransferCancelled as error:
            seen.append(error)

    file = scene.opened()
    file.seek(MIB)
    scene.proxy.down = LinkFault(stall_after=0, stall_seconds=20)
    reader = threading.Thread(target=read)
    reader.start()
    reader.join(0.5)
    assert reader.is_alive(), "it waits for bytes"
    began = time.monotonic()

    file.close()

    assert time.monotonic() - began < 2
    reader.join(2)
    assert 1 == len(seen)
