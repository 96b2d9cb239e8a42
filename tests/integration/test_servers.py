"""The servers themselves: that they store bytes, check what a client claims, and never outlive the tests."""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from minio import Minio
from minio.error import InvalidResponseError, S3Error

from storagekit.testing.servers import S3Server, Unavailable, start_minio, starting
from tests.conftest import S3_SERVERS

pytestmark = pytest.mark.integration

IN_MEMORY = ("moto", "rgw")  # what they store is in no file
WRONG_MD5 = base64.b64encode(hashlib.md5(b"other bytes").digest()).decode()


def client_of(server: S3Server, secret_key: str | None = None) -> Minio:
    return Minio(
        endpoint=urlsplit(server.endpoint).netloc,
        access_key=server.access_key,
        secret_key=secret_key or server.secret_key,
        region=server.region,
        secure=False,
    )


@pytest.fixture
def client(s3_server: S3Server) -> Minio:
    return client_of(s3_server)


@pytest.fixture
def bucket(client: Minio) -> str:
    name = f"servers-{secrets.token_hex(4)}"
    client.make_bucket(bucket_name=name)
    return name


def put_with_md5(url: str, body: bytes, md5: str) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.request("PUT", f"{parts.path}?{parts.query}", body=body, headers={"Content-MD5": md5})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_bytes_are_stored(client: Minio, bucket: str, s3_server: S3Server) -> None:
    body = os.urandom(6 << 20)
    client.put_object(bucket_name=bucket, object_name="a/key", data=BytesIO(body), length=len(body))
    response = client.get_object(bucket_name=bucket, object_name="a/key")
    try:
        assert response.read() == body
    finally:
        response.close()
        response.release_conn()
    if s3_server.data_dir is not None and s3_server.name not in IN_MEMORY:
        on_disk = sum(path.stat().st_size for path in s3_server.data_dir.rglob("*") if path.is_file())
        assert on_disk >= len(body)


def test_a_wrong_secret_is_refused(bucket: str, s3_server: S3Server) -> None:
    stranger = client_of(s3_server, secret_key="not-the-secret-of-it")
    if not s3_server.verifies:
        assert stranger.bucket_exists(bucket_name=bucket)
        return
    with pytest.raises((S3Error, InvalidResponseError), match="SignatureDoesNotMatch"):
        stranger.put_object(bucket_name=bucket, object_name="key", data=BytesIO(b"bytes"), length=5)


def test_a_put_with_another_md5_is_refused(client: Minio, bucket: str, s3_server: S3Server) -> None:
    url = client.presigned_put_object(bucket_name=bucket, object_name="key")
    status, answer = put_with_md5(url, b"bytes", WRONG_MD5)
    assert (status, b"<Code>BadDigest</Code>" in answer) == ((400, True) if s3_server.verifies else (200, False))
    assert len(list(client.list_objects(bucket_name=bucket))) == (not s3_server.verifies)


def test_a_part_with_another_md5_is_refused(client: Minio, bucket: str, s3_server: S3Server) -> None:
    upload_id = client._create_multipart_upload(bucket_name=bucket, object_name="key", headers={})
    query: dict[str, str | list[str] | tuple[str]] = {"partNumber": "1", "uploadId": upload_id}
    url = client.get_presigned_url(method="PUT", bucket_name=bucket, object_name="key", extra_query_params=query)
    status, answer = put_with_md5(url, b"bytes", WRONG_MD5)
    assert (status, b"<Code>BadDigest</Code>" in answer) == ((400, True) if s3_server.verifies else (200, False))
    if s3_server.name == "rclone":  # the upload is gone with the part
        with pytest.raises((S3Error, InvalidResponseError), match="NoSuchUpload"):
            client._abort_multipart_upload(bucket_name=bucket, object_name="key", upload_id=upload_id)
        return
    answer = client._execute("GET", bucket, "key", query_params={"uploadId": upload_id}).data
    assert (b"<PartNumber>" in answer) == (not s3_server.verifies)


STARTS_AND_WAITS = """
import pathlib, sys, time
from storagekit.testing import servers
with getattr(servers, sys.argv[1])(pathlib.Path(sys.argv[2])) as server:
    print(server.endpoint, server.data_dir, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT], ids=["SIGKILL", "SIGINT"])
@pytest.mark.parametrize("start", [f"start_{name}" for name in S3_SERVERS])
def test_a_server_ends_with_the_process_that_started_it(
    start: str, sent: signal.Signals, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    skip_unless_started_here(request.getfixturevalue(start.removeprefix("start_")))
    command = [sys.executable, "-c", STARTS_AND_WAITS, start, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=with_import_path()) as process:
        assert process.stdout is not None
        endpoint, data_dir = process.stdout.readline().split()
        assert listens(endpoint)
        process.send_signal(sent)
    wait_until(lambda: not listens(endpoint), seconds=10)
    wait_until(lambda: not Path(data_dir).exists(), seconds=10)


def test_a_taken_port_is_tried_once(minio: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_unless_started_here(minio)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        offers = iter([[taken.getsockname()[1]], starting.free_ports(1)])
        monkeypatch.setattr(starting, "free_ports", lambda count: next(offers))
        with start_minio(tmp_path) as server:
            assert not server.endpoint.endswith(f":{taken.getsockname()[1]}")
            assert list(client_of(server).list_buckets()) == []


def test_a_named_server_that_does_not_answer_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGEKIT_TEST_MINIO", "http://127.0.0.1:1")
    with pytest.raises(Unavailable, match="where no MinIO answers"), start_minio(tmp_path):
        pass


def skip_unless_started_here(server: S3Server) -> None:
    if server.data_dir is None:
        pytest.skip("STORAGEKIT_TEST_MINIO names a server: none is started or stopped")


def with_import_path() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def listens(endpoint: str) -> bool:
    address = urlsplit(endpoint)
    with socket.socket() as sock:
        return sock.connect_ex((address.hostname, address.port)) == 0


def wait_until(done: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)
