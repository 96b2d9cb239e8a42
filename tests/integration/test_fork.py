"""A client that was made and used before a fork: parent and children share no connection."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from storagekit import StorageClient
from storagekit.testing.servers import S3Server

pytestmark = pytest.mark.integration

CHILDREN, READS, SIZE = 4, 15, 1_500_000


def reads_right(client: StorageClient, key: str, digest: str) -> bool:
    return all(hashlib.sha256(client.get_object(key=key)).hexdigest() == digest for _ in range(READS))


def is_connected(client: StorageClient, server: S3Server) -> bool:
    """Tell whether the next request would go out over a connection that is open already."""
    driver: Any = client._store.driver
    pool = driver._client._http.connection_from_url(server.endpoint)
    connection = pool._get_conn()
    pool._put_conn(connection)
    return connection.sock is not None


def in_a_child(ask: Callable[[], bool]) -> bool:
    child = os.fork()
    if not child:
        os._exit(int(ask()))
    return bool(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_children_never_read_each_others_answers(minio: S3Server) -> None:
    bucket = f"f{uuid.uuid4().hex[:10]}"
    with StorageClient(
        "minio",
        bucket,
        endpoint=minio.endpoint,
        access_key=minio.access_key,
        secret_key=minio.secret_key,
        region=minio.region,
    ) as client:
        client.create_bucket()
        datas = {f"k{number}": os.urandom(SIZE) for number in range(CHILDREN)}
        for key, data in datas.items():
            client.put_object(key=key, data=data)

        assert [False, True] == [in_a_child(lambda: is_connected(client, minio)), is_connected(client, minio)]
        children = []
        for key, data in datas.items():
            child = os.fork()
            if not child:
                ended = 1
                try:
                    ended = 0 if reads_right(client, key, hashlib.sha256(data).hexdigest()) else 2
                finally:
                    os._exit(ended)
            children.append(child)
        ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]

        assert [0] * CHILDREN == ends
        assert reads_right(client, "k0", hashlib.sha256(datas["k0"]).hexdigest())
        for key in datas:
            client.delete_object(key=key)
        client.delete_bucket(bucket)
