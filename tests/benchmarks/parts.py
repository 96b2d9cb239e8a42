"""Parts of 16 MiB from and to one process: the ``minio`` driver and the vendor's SDK beside a loop over a raw socket.

    python -m tests.benchmarks.parts [--rounds 7] [--amount 1GiB] [--json]

How it is measured is said in ``moving.py``. What the SDK hashes: SHA-256 over plain HTTP, MD5 over TLS.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import urllib3
from minio import Minio

from storagekit_minio.driver import MinioDriver
from tests.benchmarks.moving import (
    ACCOUNT,
    PART,
    Move,
    Server,
    Ways,
    in_threads,
    main,
    memory,
    our_file_put,
    our_get,
    our_put,
    raw_file_put,
    raw_get,
    raw_put,
)


def driver(server: Server) -> MinioDriver:
    return MinioDriver.from_settings(server.settings())


def sdk(server: Server) -> Minio:
    pool = urllib3.PoolManager(ca_certs=server.ca_file, maxsize=10) if server.ca_file else None
    address, secure = f"127.0.0.1:{server.port}", server.ca_file is not None
    access, secret = ACCOUNT.values()
    return Minio(address, access_key=access, secret_key=secret, region="us-east-1", secure=secure, http_client=pool)


def sdk_put(server: Server) -> Callable[[], Move]:
    client = sdk(server)

    def make() -> Move:
        data = os.urandom(PART)
        return lambda: client._upload_part(
            bucket_name="bench", object_name="key", data=data, headers=None, upload_id="id", part_number=1
        )

    return make


def sdk_get(server: Server) -> Callable[[], Move]:
    client = sdk(server)

    def make() -> Move:
        def move() -> None:
            response = client.get_object(bucket_name="bench", object_name="key", offset=0, length=PART)
            assert len(response.read()) == PART
            response.release_conn()

        return move

    return make


WAYS: Ways = {
    "PUT": {
        "raw sendall": lambda server: in_threads(raw_put(server, lambda: memoryview(os.urandom(PART)))),
        "raw sendall, our memory": lambda server: in_threads(raw_put(server, memory)),
        "storagekit, CRC32C": lambda server: in_threads(our_put(driver(server), "crc32c")),
        "storagekit, Content-MD5": lambda server: in_threads(our_put(driver(server), "md5")),
        "storagekit, no checksum": lambda server: in_threads(our_put(driver(server), "none")),
        "minio SDK, defaults": lambda server: in_threads(sdk_put(server)),
    },
    "PUT file": {
        "raw preadv, sendall": lambda server: in_threads(raw_file_put(server)),
        "storagekit, CRC32C": lambda server: in_threads(our_file_put(driver(server), "crc32c")),
        "storagekit, no checksum": lambda server: in_threads(our_file_put(driver(server), "none")),
    },
    "GET": {
        "raw recv_into": lambda server: in_threads(raw_get(server)),
        "storagekit": lambda server: in_threads(our_get(driver(server))),
        "minio SDK, read()": lambda server: in_threads(sdk_get(server)),
    },
}

if __name__ == "__main__":
    main(WAYS)
