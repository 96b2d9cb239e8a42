"""What sending one part of 64 MiB costs, as the kernel counts it for a process that has sent a small one before."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storagekit import StorageClient
from storagekit.testing.emulator import Emulator
from storagekit.testing.servers import S3Server, start_minio
from storagekit.testing.tls import Authority

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process forget its peak"),
]

MIB = 1024**2
PART = 64 * MIB

MEASURE = """
import json, re, sys
from pathlib import Path

backend, settings, bucket, *arguments = json.loads(sys.argv[1])

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

def forget_peak():
    Path("/proc/self/clear_refs").write_text("5")
    return peak()
"""

FROM_MEMORY = (
    MEASURE
    + """
from storagekit._body import MemoryBody
from storagekit._clock import Cancel
from storagekit._hash import new_hasher
from storagekit._meter import Meter
from storagekit.types import Progress, WriteOptions
from storagekit.plugins import Registry

driver = Registry.create({}).find(backend).factory(settings)
algorithm, meter, cancel = arguments[0], Meter(Progress(0, None)), Cancel()
upload = driver.create_upload(bucket, "key", WriteOptions(checksum=algorithm), None)

def send(number, size):
    data = memoryview(bytearray(b"x") * size)
    hasher = new_hasher(algorithm)
    hasher.update(data)
    return driver.put_part(upload, number, MemoryBody(data, hasher.checksum(), meter, cancel))

send(2, 1)
base = forget_peak()
assert send(1, 64 * 1024**2).size == 64 * 1024**2
print(peak() - base)
driver.abort_upload(upload)
driver.close()
"""
)

STREAMED = (
    MEASURE
    + """
from storagekit import StorageClient

small, large = arguments
with StorageClient(backend, bucket, workers=1, memory=4 * 1024**2, **settings) as client:
    client.upload_file(small, "small", chunk_size=5 * 1024**2)
    base = forget_peak()
    result = client.upload_file(large, "large", chunk_size=64 * 1024**2)
    assert result.parts == 2, result
    print(peak() - base)
"""
)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[S3Server, str]]:
    """A MinIO with TLS, and the file that names its authority."""
    tmp_path, authority = tmp_path_factory.mktemp("tls"), Authority()
    with start_minio(tmp_path, certs_dir=authority.issue("127.0.0.1").write(tmp_path / "certs")) as server:
        yield server, authority.write(tmp_path / "ca.pem")


@pytest.fixture(scope="module")
def secure_obs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Emulator, str]]:
    """An OBS emulator with TLS, and the file that names its authority."""
    yield from emulator_with_tls("obs", tmp_path_factory.mktemp("obs"))


@pytest.fixture(scope="module")
def secure_oss(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Emulator, str]]:
    """The same for OSS."""
    yield from emulator_with_tls("oss", tmp_path_factory.mktemp("oss"))


def emulator_with_tls(vendor: str, directory: Path) -> Iterator[tuple[Emulator, str]]:
    authority = Authority()
    with Emulator(vendor, tls=authority.issue("127.0.0.1").context()) as emulator:
        yield emulator, authority.write(directory / "ca.pem")


Service = tuple[str, dict[str, str]]
"""Backend and settings."""


@pytest.fixture(params=["minio http", "minio https", "obs http", "obs https", "oss http", "oss https"])
def service(request: pytest.FixtureRequest) -> Service:
    backend, _, scheme = request.param.partition(" ")
    if scheme == "http":
        server = request.getfixturevalue(backend)
        named = {"endpoint": server.endpoint, "region": server.region}
    elif backend == "minio":
        server, ca_file = request.getfixturevalue("secure")
        named = {"endpoint": server.endpoint, "region": server.region, "ca_file": ca_file}
    else:
        server, ca_file = request.getfixturevalue(f"secure_{backend}")
        named = {"endpoint": server.address, "region": "region-1", "ca_file": ca_file}
    return backend, {**named, "access_key": server.access_key, "secret_key": server.secret_key}


@pytest.fixture
def bucket(service: Service) -> str:
    name, (backend, settings) = f"memory-{secrets.token_hex(6)}", service
    told: dict[str, Any] = {**settings}
    with StorageClient(backend, environment={}, **told) as client:
        client.create_bucket(name)
    return name


def growth(script: str, *arguments: object) -> int:
    """Run a script in a process of its own and return by how many bytes its peak RSS rose."""
    command = [sys.executable, "-c", script, json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return int(done.stdout)


@pytest.mark.parametrize("own", [True, False], ids=["the service's own checksum", "MD5"])
def test_a_part_in_memory_costs_itself_and_4_mib(service: Service, bucket: str, own: bool) -> None:
    algorithm = {"minio": "crc32c", "obs": "crc64", "oss": "crc64"}[service[0]] if own else "md5"
    rose = growth(FROM_MEMORY, *service, bucket, algorithm)
    print(f"{service[0]}, {service[1]['endpoint']}, {algorithm}: {rose / MIB:.1f} MiB")
    assert PART - MIB <= rose <= PART + 4 * MIB  # the kernel counts pages by the dozen


def test_a_streamed_part_costs_8_mib(service: Service, bucket: str, tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(os.urandom(6 * MIB))
    large.write_bytes(os.urandom(PART + 1))
    rose = growth(STREAMED, *service, bucket, str(small), str(large))
    print(f"{service[0]}, {service[1]['endpoint']}, streamed: {rose / MIB:.1f} MiB")
    assert 0 <= rose <= 8 * MIB
