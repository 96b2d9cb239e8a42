"""The backends as a round of kills needs them: a fresh bucket, triggers in front of it, another tool's upload in it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from storagekit.drivers.local import LocalDriver
from storagekit.testing.bodies import BytesBody
from storagekit.testing.http_source import pattern
from storagekit.testing.killing import (
    LOCAL_KINDS,
    S3_KINDS,
    Folder,
    Front,
    Moment,
    Trigger,
    local_trigger,
    s3_trigger,
)
from storagekit.testing.proxy import FaultProxy, TCPProxy
from storagekit.testing.servers import S3Server
from storagekit.types import Upload, WriteOptions
from storagekit_oss._client import unlogged
from tests.integration.conftest import BUCKET, LocalTarget, OssTarget, S3Target, Target, target_on

KEY = "raw/shard.bin"
MIB = 1024**2


class Place(Protocol):
    """A backend as a round needs it."""

    kinds: Sequence[str]
    last_initiated_wins: bool
    part_size: int
    size: int

    def target(self, directory: Path) -> Target: ...

    def behind(self, target: Target) -> contextlib.AbstractContextManager[Behind]: ...

    def put(self, target: Target, data: bytes) -> None: ...

    def foreign(self, target: Target) -> Foreign: ...


class Foreign(Protocol):
    """An unfinished upload of another tool, with one part."""

    def parts(self) -> list[int]: ...

    def abort(self) -> None: ...


@dataclass(frozen=True)
class Behind:
    """How to set a trigger in front of a target, and how to get there through it."""

    trigger: Callable[[Moment, int], Trigger]
    environment: dict[str, str]
    settled: Callable[[], object]
    """Wait until what a killed client had sent has gone its way."""


@dataclass
class LocalPlace:
    kinds: Sequence[str] = LOCAL_KINDS
    last_initiated_wins: bool = False
    part_size: int = 512 * 1024
    size: int = 20 * 512 * 1024 + 77_777  # its files are looked at every millisecond: it must not be over too soon

    def target(self, directory: Path) -> LocalTarget:
        return LocalTarget(directory / "root")

    @contextlib.contextmanager
    def behind(self, target: Target) -> Iterator[Behind]:
        assert isinstance(target, LocalTarget)

        def trigger(moment: Moment, size: int) -> Trigger:
            return local_trigger(moment, Folder(target.root / BUCKET, KEY, size, seconds=0.5))

        yield Behind(trigger, {}, lambda: None)

    def put(self, target: Target, data: bytes) -> None:
        assert isinstance(target, LocalTarget)
        path = target.root / BUCKET / KEY
        path.parent.mkdir(parents=True)
        path.write_bytes(data)

    def foreign(self, target: Target) -> Foreign:
        assert isinstance(target, LocalTarget)
        return RawUpload(LocalDriver(target.root))


class RawUpload:
    """By the bare driver, without a record."""

    def __init__(self, driver: LocalDriver) -> None:
        self._driver = driver
        self._upload: Upload = driver.create_upload(BUCKET, KEY, WriteOptions(), 100_000)
        driver.put_part(self._upload, 1, BytesBody(pattern(9, 0, 100_000)))

    def parts(self) -> list[int]:
        return [part.number for part in self._driver.list_parts(self._upload).parts]

    def abort(self) -> None:
        self._driver.abort_upload(self._upload)


@dataclass
class S3Place:
    server: S3Server
    boto: Any
    kinds: Sequence[str] = S3_KINDS
    last_initiated_wins: bool = False
    part_size: int = 5 * MIB  # the least that S3 takes
    size: int = 4 * 5 * MIB + 77_777

    def target(self, directory: Path) -> S3Target:
        return target_on(self.server, self.server.endpoint)

    @contextlib.contextmanager
    def behind(self, target: Target) -> Iterator[Behind]:
        with FaultProxy(self.server.endpoint) as proxy, TCPProxy(proxy.host, proxy.port) as tcp:

            def trigger(moment: Moment, size: int) -> Trigger:
                return s3_trigger(moment, Front(proxy, tcp, size, self.part_size, seconds=1.0))

            assert isinstance(target, S3Target)
            target.point_at(tcp.endpoint)
            yield Behind(trigger, dict(target.environment), proxy.wait_idle)
            target.point_at(self.server.endpoint)

    def put(self, target: Target, data: bytes) -> None:
        assert isinstance(target, S3Target)
        self.boto.put_object(Bucket=target.bucket, Key=KEY, Body=data)

    def foreign(self, target: Target) -> Foreign:
        assert isinstance(target, S3Target)
        return BotoUpload(self.boto, target.bucket)


class BotoUpload:
    """By boto3."""

    def __init__(self, boto: Any, bucket: str) -> None:
        self._boto = boto
        answer = boto.create_multipart_upload(Bucket=bucket, Key=KEY)
        self._name = {"Bucket": bucket, "Key": KEY, "UploadId": answer["UploadId"]}
        boto.upload_part(**self._name, PartNumber=1, Body=pattern(9, 0, 100_000))

    def parts(self) -> list[int]:
        return [part["PartNumber"] for part in self._boto.list_parts(**self._name).get("Parts", [])]

    def abort(self) -> None:
        self._boto.abort_multipart_upload(**self._name)


@dataclass
class OssPlace(S3Place):
    """The other tool is oss2: boto3 does not speak OSS."""

    def put(self, target: Target, data: bytes) -> None:
        assert isinstance(target, OssTarget)
        with unlogged():
            target.oss2.put_object(KEY, data)

    def foreign(self, target: Target) -> Foreign:
        assert isinstance(target, OssTarget)
        return Oss2Upload(target.oss2)


class Oss2Upload:
    """By oss2."""

    def __init__(self, bucket: Any) -> None:
        self._bucket = bucket
        with unlogged():
            self._id = bucket.init_multipart_upload(KEY).upload_id
            bucket.upload_part(KEY, self._id, 1, pattern(9, 0, 100_000))

    def parts(self) -> list[int]:
        with unlogged():
            return [part.part_number for part in self._bucket.list_parts(KEY, self._id).parts]

    def abort(self) -> None:
        with unlogged():
            self._bucket.abort_multipart_upload(KEY, self._id)


@contextlib.contextmanager
def boto_client(server: S3Server) -> Iterator[Any]:
    import boto3  # type: ignore[import-untyped]
    from botocore.config import Config

    client = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name=server.region,
        config=Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    with contextlib.closing(client):
        yield client


@contextlib.contextmanager
def open_place(request: pytest.FixtureRequest, backend: str) -> Iterator[Place]:
    if backend == "local":
        yield LocalPlace()
        return
    server: S3Server = request.getfixturevalue(backend)
    if backend == "oss":
        yield OssPlace(server, None)
        return
    with boto_client(server) as boto:
        yield S3Place(server, boto, last_initiated_wins=server.name == "obs")
