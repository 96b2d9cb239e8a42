"""What a page's snippets find: a place of their own and, as the page names them, a MinIO, an OBS, an OSS."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from storagekit import StorageClient
from storagekit.testing.emulator import Emulator, resolving, resolving_environment
from storagekit.testing.http_source import PatternContent, SourceServer
from storagekit.testing.servers import S3Server
from tests.docs.pages import RUN, blocks
from tests.docs.place import Place

BUCKET = "datasets"
KEYS = ("access-of-the-pages", "secret-of-the-pages")
SHARD = 18 * 1024**2  # bytes of what https://host/ serves: two parts of the default size


@pytest.fixture(scope="session")
def web() -> Iterator[SourceServer]:
    """Stands for ``https://host/``; any path is served."""
    with SourceServer(PatternContent(SHARD)) as server:
        yield server


@pytest.fixture
def place(page: Path, request: pytest.FixtureRequest, tmp_path: Path, web: SourceServer) -> Iterator[Place]:
    """The place of the page that the test is about, its parameter ``page``: only its code says what it needs."""
    text = "\n".join(block.text for block in blocks(page.read_text()) if block.language in RUN)
    words, variables, account = {"https://host/": f"http://{web.host}:{web.port}/"}, dict[str, str](), KEYS
    with ExitStack() as services:
        if re.search(r"minio|MINIO|s3://|127.0.0.1:9000", text):
            server: S3Server = request.getfixturevalue("minio")
            account = (server.access_key, server.secret_key)
            services.enter_context(_buckets("minio", _variables(server), text))
            words, variables = {**words, **_words(server)}, {**variables, **_variables(server)}
        if re.search(r'obs://|OBS_|"obs"', text):
            emulator = services.enter_context(_emulator("obs", account))
            services.enter_context(_buckets("obs", _obs_variables(emulator), text))
            words = {**words, "https://obs.cn-north-4.myhuaweicloud.com": emulator.endpoint, **_words_of(account)}
            variables = {**variables, **_obs_variables(emulator), **resolving_environment(emulator.domain, {})}
        if re.search(r'oss://|OSS_|"oss"', text):
            emulator = services.enter_context(_emulator("oss", account))
            services.enter_context(_buckets("oss", _oss_variables(emulator), text))
            words = {**words, "https://oss-cn-hangzhou.aliyuncs.com": emulator.endpoint, **_words_of(account)}
            domains = resolving_environment(emulator.domain, variables)
            variables = {**variables, **_oss_variables(emulator), **domains}
        yield _with_files(Place(tmp_path, words, variables), text)


def _with_files(place: Place, text: str) -> Place:
    (place.directory / "shard.tar").write_bytes(PatternContent(2 * 1024**2, seed=1).read(0, 2 * 1024**2))
    (place.directory / "shards").mkdir()
    for number in range(3):
        path = place.directory / "shards" / f"shard-000{number}.tar"
        path.write_bytes(PatternContent(100_000, seed=number).read(0, 100_000))
    if f"mb local://{BUCKET}" not in text:
        (place.home / "buckets" / BUCKET).mkdir(parents=True)
    return place


def _words(server: S3Server) -> dict[str, str]:
    return {
        "https://minio.example.org:9000": server.endpoint,
        "127.0.0.1:9000": server.endpoint.removeprefix("http://"),
        **_words_of((server.access_key, server.secret_key)),
    }


def _words_of(account: tuple[str, str]) -> dict[str, str]:
    return {"my-access-key": account[0], "my-secret-key": account[1]}


@contextmanager
def _emulator(vendor: str, account: tuple[str, str]) -> Iterator[Emulator]:
    with Emulator(vendor, accounts=dict([account])) as emulator, resolving(emulator.domain):
        yield emulator


def _oss_variables(emulator: Emulator) -> dict[str, str]:
    return {
        "OSS_ENDPOINT": emulator.endpoint,
        "OSS_ACCESS_KEY_ID": emulator.access_key,
        "OSS_ACCESS_KEY_SECRET": emulator.secret_key,
        "OSS_REGION": "region-1",
    }


def _obs_variables(emulator: Emulator) -> dict[str, str]:
    return {
        "OBS_SERVER": emulator.endpoint,
        "OBS_ACCESS_KEY_ID": emulator.access_key,
        "OBS_SECRET_ACCESS_KEY": emulator.secret_key,
    }


def _variables(server: S3Server) -> dict[str, str]:
    return {
        "MINIO_ENDPOINT": server.endpoint,
        "MINIO_ACCESS_KEY": server.access_key,
        "MINIO_SECRET_KEY": server.secret_key,
        "MINIO_REGION": server.region,
    }


@contextmanager
def _buckets(backend: str, variables: Mapping[str, str], text: str) -> Iterator[None]:
    """Make the bucket that pages take for granted, and remove at the end every one that the page names."""
    named = {
        BUCKET,
        *re.findall(r"(?:minio|s3|obs|oss)://([a-z0-9-]+)", text),
        *re.findall(r'bucket="([a-z0-9-]+)"', text),
    }
    with StorageClient(backend, environment=variables) as client:
        theirs = set(client.list_buckets())
        assert not named & theirs, "the buckets of the pages are not there before"
        if f"mb {backend}://{BUCKET}" not in text:
            client.create_bucket(BUCKET)
        yield
        for bucket in named & set(client.list_buckets()):
            client.delete_objects((info.key for info in client.iter_objects(bucket=bucket)), bucket=bucket)
            client.delete_bucket(bucket)
