"""Targets for whole transfers by the installed command: a local directory, and every real server there is.

What a target says of itself (object bytes, what is left over) is found out without our code: by the file system for
``local`` and by the ``minio`` package for servers.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from xml.etree import ElementTree as ET

import oss2
import pytest
import urllib3
from minio import Minio
from minio.error import InvalidResponseError, S3Error

from storagekit.testing.emulator import resolving_environment
from storagekit.testing.http_source import PatternContent
from storagekit.testing.servers import S3Server
from storagekit.testing.tls import Authority
from storagekit_oss._client import unlogged
from tests.conftest import SERVICES
from tests.integration.emulator_world import NOW, World, a_world, settle
from tests.integration.sdk_environments import interpreters_line

BUCKET = "datasets"


class Target(Protocol):
    """Where a transfer goes, as its tests look at it."""

    name: str
    environment: dict[str, str]

    def uri(self, key: str) -> str: ...

    def sha256(self, key: str) -> str | None: ...

    def contents(self) -> set[str]: ...

    def left_over(self) -> list[str]: ...


@dataclass
class LocalTarget:
    root: Path
    name: str = "local"

    def __post_init__(self) -> None:
        (self.root / BUCKET).mkdir(parents=True)
        self.environment = {"STORAGEKIT_LOCAL_ROOT": str(self.root)}

    def uri(self, key: str) -> str:
        return f"local://{BUCKET}/{key}"

    def sha256(self, key: str) -> str | None:
        path = self.root / BUCKET / key
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None

    def contents(self) -> set[str]:
        """Every file in the bucket but the labels of objects."""
        inside = [path.relative_to(self.root / BUCKET) for path in (self.root / BUCKET).rglob("*") if path.is_file()]
        return {str(path) for path in inside if path.parts[:2] != (".storagekit-local", "meta")}

    def left_over(self) -> list[str]:
        return sorted(name for name in self.contents() if name.startswith((".storagekit/", ".storagekit-local/")))


@dataclass
class S3Target:
    server: S3Server
    endpoint: str
    bucket: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:12]}")
    ca_file: str | None = None
    """The authority of a server that speaks TLS with a certificate of its own."""

    def __post_init__(self) -> None:
        self.name = self.server.name
        self.environment = {**self._account(), **({"SSL_CERT_FILE": self.ca_file} if self.ca_file else {})}
        self.point_at(self.endpoint)
        self.keys: set[str] = set()
        self._make()

    def _make(self) -> None:
        scheme, _, address = self.server.endpoint.partition("://")
        self.client = Minio(
            address,
            access_key=self.server.access_key,
            secret_key=self.server.secret_key,
            region=self.server.region,
            secure=scheme == "https",
            http_client=urllib3.PoolManager(ca_certs=self.ca_file) if self.ca_file else None,
        )
        self.client.make_bucket(bucket_name=self.bucket)

    @property
    def backend(self) -> str:
        return "minio"

    def _account(self) -> dict[str, str]:
        """Variables of the command, but the endpoint."""
        return {
            "MINIO_ACCESS_KEY": self.server.access_key,
            "MINIO_SECRET_KEY": self.server.secret_key,
            "MINIO_REGION": self.server.region,
        }

    @property
    def secret_variable(self) -> str:
        return next(name for name in self.environment if "SECRET" in name)

    @property
    def token_variable(self) -> str:
        return "MINIO_SESSION_TOKEN"

    def point_at(self, endpoint: str) -> None:
        """Have the command go there."""
        self.environment["MINIO_ENDPOINT"] = endpoint

    @property
    def bucket_uri(self) -> str:
        return f"{self.backend}://{self.bucket}"

    def uri(self, key: str) -> str:
        self.keys.add(key)
        return f"{self.bucket_uri}/{key}"

    def sha256(self, key: str) -> str | None:
        if key not in self._names(key):
            return None
        digest = hashlib.sha256()
        for block in self._blocks(key):
            digest.update(block)
        return digest.hexdigest()

    def _blocks(self, key: str) -> Iterator[bytes]:
        answer = self.client.get_object(bucket_name=self.bucket, object_name=key)
        yield from answer.stream(1024**2)
        answer.release_conn()

    def _names(self, prefix: str = "") -> list[str]:
        found = self.client.list_objects(bucket_name=self.bucket, prefix=prefix, recursive=True)
        return [item.object_name or "" for item in found]

    def contents(self) -> set[str]:
        """Every object in the bucket, and every unfinished upload of the keys that were asked for."""
        return {*self._names(), *self._unfinished()}

    def left_over(self) -> list[str]:
        return [*self._names(".storagekit/"), *self._unfinished()]

    def _unfinished(self) -> list[str]:
        return [f"upload {upload_id} of {key}" for key in self.keys for upload_id in self.uploads(key)]

    def uploads(self, key: str) -> list[str]:
        """Unfinished uploads of exactly this key, the only way that MinIO finds them by."""
        query: dict[str, str | list[str] | tuple[str]] = {"uploads": "", "prefix": key}
        try:
            answer = self.client._execute("GET", self.bucket, query_params=query)
        except (S3Error, InvalidResponseError) as error:
            assert "NoSuchUpload" in str(error)  # noqa: PT017  # rclone, of a bucket that never had one
            return []
        root = ET.fromstring(answer.data)
        return [str(node.text) for node in root.iter() if node.tag.endswith("}UploadId") or node.tag == "UploadId"]

    def is_there(self) -> bool:
        """Whether the bucket is."""
        return self.client.bucket_exists(bucket_name=self.bucket)

    def parts(self, key: str, upload_id: str) -> set[int]:
        """Numbers of the parts of an unfinished upload."""
        query: dict[str, str | list[str] | tuple[str]] = {"uploadId": upload_id}
        root = ET.fromstring(self.client._execute("GET", self.bucket, key, query_params=query).data)
        return {int(node.text or "") for node in root.iter() if node.tag.endswith("PartNumber")}


class ObsTarget(S3Target):
    """The OBS emulator in its own dialect, buckets being hosts. What is there is asked for by S3's, with paths."""

    def _account(self) -> dict[str, str]:
        keys = {"OBS_ACCESS_KEY_ID": self.server.access_key, "OBS_SECRET_ACCESS_KEY": self.server.secret_key}
        return {**resolving_environment("obs.test", {}), **keys}

    @property
    def token_variable(self) -> str:
        return "OBS_SECURITY_TOKEN"

    def point_at(self, endpoint: str) -> None:
        self.environment["OBS_ENDPOINT"] = endpoint.replace("127.0.0.1", "obs.test")

    @property
    def backend(self) -> str:
        return "obs"


class OssTarget(S3Target):
    """The OSS emulator, buckets being hosts. What is there is asked for by oss2, with paths."""

    def _make(self) -> None:
        keys = oss2.AuthV4(self.server.access_key, self.server.secret_key)
        self.oss2 = oss2.Bucket(keys, self.server.endpoint, self.bucket, region=self.server.region)
        with unlogged():  # oss2 writes what it signs to its log
            self.oss2.create_bucket()

    def _account(self) -> dict[str, str]:
        keys = {"OSS_ACCESS_KEY_ID": self.server.access_key, "OSS_ACCESS_KEY_SECRET": self.server.secret_key}
        return {**resolving_environment("oss.test", {}), **keys, "OSS_REGION": self.server.region}

    @property
    def token_variable(self) -> str:
        return "OSS_SESSION_TOKEN"

    def point_at(self, endpoint: str) -> None:
        self.environment["OSS_ENDPOINT"] = endpoint.replace("127.0.0.1", "oss.test")

    @property
    def backend(self) -> str:
        return "oss"

    def _blocks(self, key: str) -> Iterator[bytes]:
        with unlogged():
            data = self.oss2.get_object(key).read()
        yield data

    def _names(self, prefix: str = "") -> list[str]:
        with unlogged():
            return [item.key for item in oss2.ObjectIteratorV2(self.oss2, prefix=prefix)]

    def uploads(self, key: str) -> list[str]:
        with unlogged():
            return [item.upload_id for item in oss2.MultipartUploadIterator(self.oss2, prefix=key) if item.key == key]

    def is_there(self) -> bool:
        with unlogged():
            buckets = (
                oss2.Service(self.oss2.auth, self.server.endpoint, region=self.server.region).list_buckets().buckets
            )
        return self.bucket in [bucket.name for bucket in buckets]

    def parts(self, key: str, upload_id: str) -> set[int]:
        with unlogged():
            return {part.part_number for part in self.oss2.list_parts(key, upload_id).parts}


_TARGETS: dict[str, type[S3Target]] = {"obs": ObsTarget, "oss": OssTarget}


def target_on(server: S3Server, endpoint: str) -> S3Target:
    """A new bucket on a server, which the command reaches at ``endpoint``."""
    return _TARGETS.get(server.name, S3Target)(server, endpoint)


@dataclass
class Sender:
    """Runs the installed command as a user does: a process group of its own, a home of its own."""

    target: Target
    homes: Path

    def environment(self) -> dict[str, str]:
        """An environment with a home that nobody has used yet."""
        home = self.homes / uuid.uuid4().hex
        home.mkdir(parents=True)
        foreign = ("XDG_", "MINIO_", "OBS_", "OSS_", "STORAGE")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return {**kept, "HOME": str(home), **self.target.environment}

    def start(self, *arguments: str, python: Sequence[str] = ("-m", "storagekit")) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, *python, *arguments],
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, *arguments: str, timeout: float = 300) -> Finished:
        process = self.start(*arguments)
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            process.wait()
            raise
        return Finished(process.returncode, out.decode(), err.decode())


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        import json

        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def result(self) -> dict[str, Any]:
        assert self.code == 0, (self.code, self.out, self.err)
        return self.events[-1]


@pytest.fixture(params=("local", *SERVICES))
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    """Every kind of target there is, fresh."""
    return make_target(request, request.param, tmp_path)


def make_target(request: pytest.FixtureRequest, name: str, tmp_path: Path) -> Target:
    if name == "local":
        return LocalTarget(tmp_path / "root")
    server: S3Server = request.getfixturevalue(name)
    return target_on(server, server.endpoint)


@pytest.fixture
def sender(target: Target, tmp_path: Path) -> Sender:
    return Sender(target, tmp_path / "homes")


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Who issues the certificates of servers that speak TLS; nobody trusts it without being told."""
    return Authority()


@pytest.fixture(scope="session")
def ca_file(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> str:
    return authority.write(tmp_path_factory.mktemp("authority") / "ca.pem")


@contextlib.contextmanager
def killed_at_the_end(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def sha256_of_pattern(size: int, seed: int = 0) -> str:
    """SHA-256 of what a source with this ``--size`` and ``--seed`` serves."""
    content, digest = PatternContent(size, seed), hashlib.sha256()
    for offset in range(0, size, 1024**2):
        digest.update(content.read(offset, min(1024**2, size - offset)))
    return digest.hexdigest()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which Pythons the vendors' SDKs ran on, where they did."""
    reports = (report for found in terminalreporter.stats.values() for report in found)
    modules = {str(getattr(report, "nodeid", "")).partition("::")[0].rpartition("/")[2] for report in reports}
    if modules & {"test_emulator_sdk.py", "test_oss_sdk.py"}:
        terminalreporter.write_line(interpreters_line())


@pytest.fixture(scope="module")
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """The emulator that a module's requests judge; the module says which: `KIND = World`."""
    with a_world(request.module.KIND) as world:
        yield world


@pytest.fixture
def settled(world: World) -> None:
    """What the module's requests are about is there, whatever the test before has done."""
    settle(world)


@pytest.fixture
def unchanged(world: World, settled: None) -> Iterator[None]:
    """The test leaves everything as it was."""
    before = world.everything()
    yield
    world.now = NOW
    assert world.everything() == before
