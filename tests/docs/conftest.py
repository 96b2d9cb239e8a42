"""What a page's snippets find: a place of their own and, where the page names MinIO, a real one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from storagekit import StorageClient
from storagekit.testing.http_source import PatternContent, SourceServer
from storagekit.testing.servers import S3Server
from tests.docs.pages import RUN, blocks
from tests.docs.place import Place

BUCKET = "datasets"
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
    words = {"https://host/": f"http://{web.host}:{web.port}/"}
    if re.search(r"minio|MINIO|s3://|127.0.0.1:9000", text) is None:
        yield _with_files(Place(tmp_path, words, {}), text)
        return
    server: S3Server = request.getfixturevalue("minio")
    with _buckets(server, text):
        yield _with_files(Place(tmp_path, {**words, **_words(server)}, _variables(server)), text)


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
        "my-access-key": server.access_key,
        "my-secret-key": server.secret_key,
    }


def _variables(server: S3Server) -> dict[str, str]:
    return {
        "MINIO_ENDPOINT": server.endpoint,
        "MINIO_ACCESS_KEY": server.access_key,
        "MINIO_SECRET_KEY": server.secret_key,
        "MINIO_REGION": server.region,
    }


@contextmanager
def _buckets(server: S3Server, text: str) -> Iterator[None]:
    """Make the bucket that pages take for granted, and remove at the end every one that the page names."""
    named = {BUCKET, *re.findall(r"(?:minio|s3)://([a-z0-9-]+)", text), *re.findall(r'bucket="([a-z0-9-]+)"', text)}
    with StorageClient("minio", environment=_variables(server)) as client:
        theirs = set(client.list_buckets())
        assert not named & theirs, "the buckets of the pages are not there before"
        if f"mb minio://{BUCKET}" not in text:
            client.create_bucket(BUCKET)
        yield
        for bucket in named & set(client.list_buckets()):
            client.delete_objects((info.key for info in client.iter_objects(bucket=bucket)), bucket=bucket)
            client.delete_bucket(bucket)
