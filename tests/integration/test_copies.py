"""Objects as sources on real servers: copied by the service, whole and by parts, and streamed between services."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from storagekit import StorageClient, _copy, uploader
from storagekit.testing.servers import S3Server

pytestmark = pytest.mark.integration

MIB = 1024**2
DATA = os.urandom(11 * MIB + 77)


@pytest.fixture
def client(s3_server: S3Server) -> Iterator[StorageClient]:
    bucket = f"c{uuid.uuid4().hex[:10]}"
    with StorageClient(
        "minio",
        bucket,
        endpoint=s3_server.endpoint,
        access_key=s3_server.access_key,
        secret_key=s3_server.secret_key,
        region=s3_server.region,
        part_size=5 * MIB,
    ) as client:
        client.create_bucket()
        yield client
        client.delete_objects(info.key for info in client.iter_objects())
        client.delete_bucket(bucket)


@pytest.mark.parametrize("size", [0, 100, len(DATA)])
@pytest.mark.parametrize("one_copy", [0, 1024**3], ids=["by parts", "whole"])
def test_an_object_is_copied_with_what_belongs_to_it(
    client: StorageClient, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, size: int, one_copy: int
) -> None:
    monkeypatch.setattr(_copy, "ONE_COPY", max(one_copy, size if size < 5 * MIB else 0))
    monkeypatch.setattr(uploader, "COPY_PART", 5 * MIB)
    client.put_object("from", DATA[:size], content_type="text/x-test", metadata={"who": "Zoë"})

    result = client.copy_object("from", "to")

    info = client.head_object("to")
    assert DATA[:size] == client.get_object("to")
    assert ("text/x-test", "Zoë", size) == (info.content_type, info.metadata["who"], result.size)
    assert (3 if size == len(DATA) and not one_copy else 1) == len(result.receipt)
    passed_through = s3_server.name == "rclone" and not one_copy and size == len(DATA)  # it does not copy parts
    assert passed_through != ({"server"} == {part.proof for part in result.receipt})
    assert not client.list_uploads()


def test_an_object_travels_from_one_service_to_another_and_back(client: StorageClient, tmp_path: Path) -> None:
    with StorageClient("local", "b", root=str(tmp_path / "root")) as local:
        local.create_bucket()
        local.put_object("k", DATA, metadata={"who": "Zoë"})

        client.copy_object("k", "k", source_client=local, source_bucket="b")
        local.copy_object("k", "back", source_client=client, source_bucket=client.bucket)

        assert DATA == local.get_object("back")
        assert "Zoë" == local.head_object("back").metadata["who"]
        assert not local.list_uploads()
    assert not client.list_uploads()
