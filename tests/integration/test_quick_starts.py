"""Programs that were written for other clients run here, verbatim but for the import line and the endpoint.

Two of them: a generic storage client that returns dictionaries, and a streaming uploader in two phases, whose caller
opens the URL itself.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from storagekit import NotFoundError, StorageClient, StorageError, StreamingUploader
from storagekit.testing.http_source import PatternContent, SourceServer
from storagekit.testing.servers import S3Server

pytestmark = pytest.mark.integration

MIB = 1024**2
SIZE = 12 * MIB + 345
PART = 5 * MIB  # the least that MinIO takes; a ctx.offset is a multiple of it


@pytest.fixture
def client(minio: S3Server) -> Iterator[StorageClient]:
    client = StorageClient(
        endpoint=minio.endpoint.removeprefix("http://"),
        access_key=minio.access_key,
        secret_key=minio.secret_key,
        use_ssl=False,
    )
    with client:
        yield client


@pytest.fixture
def bucket(client: StorageClient) -> str:
    name = f"quick-{secrets.token_hex(4)}"
    client.create_bucket(bucket=name)
    return name


# --- (a) a generic storage client -------------------------------------------------------------------------------------


def test_the_quick_start_of_a_generic_client(
    minio: S3Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("local.txt").write_text("hello from a file")
    bucket = f"my-{secrets.token_hex(4)}"

    client = StorageClient(
        endpoint=minio.endpoint.removeprefix("http://"),
        access_key=minio.access_key,
        secret_key=minio.secret_key,
        use_ssl=False,
    )

    client.create_bucket(bucket=bucket)

    client.upload_file(bucket=bucket, key="path/to/file.txt", file_path="local.txt")
    client.download_file(bucket=bucket, key="path/to/file.txt", file_path="copy.txt")

    client.put_object(
        bucket=bucket,
        key="data.json",
        data=b'{"key": "value"}',
        content_type="application/json",
        metadata={"author": "me", "version": "1.0"},
    )
    content = client.get_object(bucket=bucket, key="data.json")
    print(content.decode())

    result = client.list_objects(bucket=bucket, prefix="path/", max_keys=100)
    for obj in result["objects"]:
        print(f"{obj['key']} - {obj['size']} bytes")

    if client.object_exists(bucket=bucket, key="data.json"):
        info = client.head_object(bucket=bucket, key="data.json")
        print(info["size"], info["content_type"], info["metadata"]["author"], bool(info["etag"]))
        print(info["last_modified"].isoformat()[:2])

    with open("local.txt", "rb") as f:  # noqa: PTH123  # as people write it
        client.upload_from_stream(bucket=bucket, key="stream.txt", stream=f)
    print(client.get_object(bucket=bucket, key="stream.txt").decode())

    client.delete_object(bucket=bucket, key="data.json")
    print(client.object_exists(bucket=bucket, key="data.json"))

    try:
        client.get_object(bucket=bucket, key="nonexistent.txt")
    except NotFoundError as e:
        print(f"not found: {e.bucket == bucket} {e.key}")
    except StorageError as e:
        print(f"unexpected: {e.code} {e.message}")

    try:
        client.create_bucket(bucket=bucket)
    except StorageError as e:
        print(f"{e.code}: {bool(e.message)}")

    assert "hello from a file" == Path("copy.txt").read_text()
    assert [
        '{"key": "value"}',
        "path/to/file.txt - 17 bytes",
        "16 application/json me True",
        "20",
        "hello from a file",
        "False",
        "not found: True nonexistent.txt",
        "bucket_exists: True",
    ] == capsys.readouterr().out.splitlines()
    client.close()


def test_a_large_file_and_a_large_stream_go_in_parts_by_themselves(
    client: StorageClient, bucket: str, tmp_path: Path
) -> None:
    data = PatternContent(SIZE).read(0, SIZE)
    (tmp_path / "large.bin").write_bytes(data)

    from_file = client.upload_file(
        bucket=bucket, key="file", file_path=str(tmp_path / "large.bin"), chunk_size=PART, metadata={"a": "b"}
    )
    with (tmp_path / "large.bin").open("rb") as f:
        from_stream = client.upload_from_stream(bucket=bucket, key="stream", stream=f, chunk_size=PART)

    assert [3, 3] == [from_file["parts"], from_stream["parts"]]
    assert data == client.get_object(bucket=bucket, key="file") == client.get_object(bucket=bucket, key="stream")


@pytest.mark.parametrize("count", [1, 5, 1000])
def test_a_listing_holds_at_most_max_keys_and_says_whether_there_is_more(
    client: StorageClient, bucket: str, count: int
) -> None:
    names = [f"a/{number}" for number in range(5)]
    for name in names:
        client.put_object(bucket=bucket, key=name, data=b"x")
    unfinished = client.init_upload(bucket=bucket, key="k", source_id="x", chunk_size=PART)

    result = client.list_objects(bucket=bucket, max_keys=count)

    assert (names[:count], count < 5) == ([obj["key"] for obj in result["objects"]], result["is_truncated"])
    assert [("k", unfinished.upload_id, True)] == [
        (one.key, one.upload_id, one.ours) for one in client.list_uploads(bucket=bucket)
    ]
    client.abort_upload(bucket=bucket, key="k", upload_id=unfinished.upload_id)
    assert () == client.list_uploads(bucket=bucket) == client.list_uploads(bucket=bucket, prefix="k")


def test_a_bucket_with_nothing_but_upload_records_is_deleted(client: StorageClient, bucket: str) -> None:
    client.init_upload(bucket=bucket, key="k", source_id="x")
    client.delete_bucket(bucket)
    assert not client.bucket_exists(bucket)


def test_objects_are_copied_and_deleted_on_the_server(client: StorageClient, bucket: str) -> None:
    client.put_object(bucket=bucket, key="a b/ü.json", data=b"{}", metadata={"author": "me"})

    client.copy_object(source_bucket=bucket, source_key="a b/ü.json", bucket=bucket, key="copied")
    info = client.head_object(bucket=bucket, key="copied")
    assert ("application/json", "me", 2) == (info.content_type, info.metadata["author"], info.size)

    assert () == client.delete_objects(bucket=bucket, keys=["a b/ü.json", "copied", "never was"])
    assert () == client.list_objects(bucket=bucket)["objects"]


# --- (b) two phases ---------------------------------------------------------------------------------------------------


@pytest.fixture
def source() -> Iterator[SourceServer]:
    with SourceServer(SIZE) as server:
        yield server


@pytest.fixture
def uploader(client: StorageClient) -> StreamingUploader:
    return client.uploader


def fetch(url: str, offset: int) -> requests.Response:
    return requests.get(url, headers={"Range": f"bytes={offset}-"}, stream=True, timeout=30)


class Killed(Exception):
    """Plays the end of the first run."""


def dying(chunks: Iterator[bytes], after: int) -> Iterator[bytes]:
    """Yield ``after`` bytes and a bit, then die."""
    passed = 0
    for chunk in chunks:
        yield chunk
        passed += len(chunk)
        if passed >= after:
            raise Killed


def test_the_quick_start_of_a_streaming_uploader(
    uploader: StreamingUploader, client: StorageClient, bucket: str, source: SourceServer
) -> None:
    url, key, total = source.url, "datasets/shard.bin", SIZE

    ctx = uploader.init_upload(bucket, key, source_id=url)
    with requests.get(url, headers={"Range": f"bytes={ctx.offset}-"}, stream=True, timeout=30) as response:
        response.raise_for_status()
        result = uploader.upload_stream(ctx, response.iter_content(chunk_size=1024 * 1024), total_size=total)

    assert (0, SIZE, key) == (ctx.offset, result["size"], result.key)
    assert PatternContent(SIZE).read(0, SIZE) == client.get_object(key, bucket=bucket)


def test_a_run_that_died_is_gone_on_with_from_its_offset(
    uploader: StreamingUploader, client: StorageClient, bucket: str, source: SourceServer
) -> None:
    ctx = uploader.init_upload(bucket, "k", source_id="v1", part_size=PART)
    with fetch(source.url, ctx.offset) as response, pytest.raises(Killed):
        uploader.upload_stream(ctx, dying(response.iter_content(chunk_size=MIB), 11 * MIB), total_size=SIZE)
    assert not client.object_exists("k", bucket=bucket)

    ctx = uploader.init_upload(bucket, "k", source_id="v1", part_size=PART)
    with fetch(source.url, ctx.offset) as response:
        result = uploader.upload_stream(ctx, response.iter_content(chunk_size=MIB), total_size=SIZE)

    assert (2 * PART, 2 * PART, SIZE - 2 * PART) == (ctx.offset, result.kept, result.sent)
    assert f"bytes={2 * PART}-" == source.requests[-1].range
    assert PatternContent(SIZE).read(0, SIZE) == client.get_object("k", bucket=bucket)
    assert () == client.list_uploads(bucket=bucket) == client.list_uploads(bucket=bucket, prefix="k")


OTHER_PROCESS = """
import json, sys, requests
from storagekit import StorageClient, UploadContext

given = json.load(sys.stdin)
with StorageClient(**given["account"], use_ssl=False) as client:
    ctx = UploadContext.from_json(given["ctx"])
    with requests.get(given["url"], headers={"Range": f"bytes={ctx.offset}-"}, stream=True, timeout=30) as response:
        result = client.upload_stream(ctx, response.iter_content(chunk_size=1 << 20), total_size=given["total"])
    print(json.dumps({"sent": result.sent, "kept": result.kept, "again": ctx.to_json()}))
"""


def test_a_context_goes_to_another_process_as_text(
    uploader: StreamingUploader, client: StorageClient, bucket: str, source: SourceServer, minio: S3Server
) -> None:
    ctx = uploader.init_upload(bucket, "k", source_id="v1", part_size=PART)
    with fetch(source.url, 0) as response, pytest.raises(Killed):
        uploader.upload_stream(ctx, dying(response.iter_content(chunk_size=MIB), 6 * MIB), total_size=SIZE)
    ctx = uploader.init_upload(bucket, "k", source_id="v1", part_size=PART)
    account = {"endpoint": minio.endpoint, "access_key": minio.access_key, "secret_key": minio.secret_key}
    given = {"account": account, "ctx": ctx.to_json(), "url": source.url, "total": SIZE}

    finished = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS], input=json.dumps(given), capture_output=True, text=True, check=False
    )

    assert 0 == finished.returncode, finished.stderr
    said: dict[str, Any] = json.loads(finished.stdout)
    assert (PART, SIZE - PART, ctx.to_json()) == (said["kept"], said["sent"], said["again"])
    assert minio.secret_key not in ctx.to_json()
    assert PatternContent(SIZE).read(0, SIZE) == client.get_object("k", bucket=bucket)


def test_an_offset_at_the_end_completes_without_reading(
    uploader: StreamingUploader, client: StorageClient, bucket: str
) -> None:
    with SourceServer(2 * PART) as source:
        ctx = uploader.init_upload(bucket, "k", source_id="v1", part_size=PART)

        def all_but_the_end(chunks: Iterator[bytes]) -> Iterator[bytes]:
            yield from chunks
            raise Killed

        with fetch(source.url, 0) as response, pytest.raises(Killed):
            uploader.upload_stream(ctx, all_but_the_end(response.iter_content(chunk_size=MIB)))

        ctx = uploader.init_upload(bucket, "k", source_id="v1", part_size=PART)
        with fetch(source.url, ctx.offset) as response:
            assert (2 * PART, 416) == (ctx.offset, response.status_code)
            result = uploader.upload_stream(ctx, response.iter_content(chunk_size=MIB), total_size=2 * PART)

    assert (0, 2 * PART) == (result.sent, result.kept)
    assert PatternContent(2 * PART).read(0, 2 * PART) == client.get_object("k", bucket=bucket)


def test_a_stream_from_the_wrong_place_is_not_published(
    uploader: StreamingUploader, client: StorageClient, bucket: str, source: SourceServer
) -> None:
    ctx = uploader.init_upload(bucket, "k", source_id="v1", part_size=PART)
    with fetch(source.url, 100) as response, pytest.raises(StorageError):
        uploader.upload_stream(ctx, response.iter_content(chunk_size=MIB), total_size=SIZE)
    assert not client.object_exists("k", bucket=bucket)
