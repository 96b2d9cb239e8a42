"""Parts of 16 MiB to OSS: the ``oss`` driver and oss2 beside a loop over a raw socket.

    python -m tests.benchmarks.oss_parts [--rounds 7] [--amount 1GiB] [--json]

How it is measured is said in ``moving.py``. V4 signatures, path style. OSS computes the CRC-64 of a part and names it,
and both compare; here the id of the upload tells the server what to name (``sink.py``), so the bytes of one thread are
always the same. oss2's own computes it at 480 MB/s under the interpreter lock.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import oss2

from storagekit._hash import new_hasher
from storagekit.types import Upload
from storagekit_oss.driver import OssDriver
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

REGION = "region-1"


def driver(server: Server) -> OssDriver:
    return OssDriver.from_settings({**server.settings(), "region": REGION})


def crc(data: memoryview) -> str:
    hasher = new_hasher("crc64")
    hasher.update(data)
    return str(int(hasher.checksum().value, 16))


def upload_of(data: memoryview) -> Upload:
    return Upload("bench", "key", crc(data))


def sdk(server: Server, **options: Any) -> oss2.Bucket:
    session = oss2.Session(pool_size=10)
    session.session.verify = server.ca_file or True
    session.session.trust_env = False  # else the environment's authorities go first
    return oss2.Bucket(
        oss2.AuthV4(*ACCOUNT.values()), server.endpoint, "bench", session=session, region=REGION, **options
    )


def sdk_put(bucket: oss2.Bucket) -> Callable[[], Move]:
    def make() -> Move:
        data = os.urandom(PART)
        name = crc(memoryview(data))
        return lambda: bucket.upload_part("key", name, 1, data)

    return make


def sdk_get(bucket: oss2.Bucket) -> Callable[[], Move]:
    def make() -> Move:
        def move() -> None:
            assert len(bucket.get_object("key", byte_range=(0, PART - 1)).read()) == PART

        return move

    return make


WAYS: Ways = {
    "PUT": {
        "raw sendall": lambda server: in_threads(raw_put(server, lambda: memoryview(os.urandom(PART)))),
        "raw sendall, our memory": lambda server: in_threads(raw_put(server, memory)),
        "storagekit, CRC-64": lambda server: in_threads(our_put(driver(server), "crc64", upload_of)),
        "storagekit, no checksum": lambda server: in_threads(our_put(driver(server), "none")),
        "oss2, defaults": lambda server: in_threads(sdk_put(sdk(server))),
        "oss2, enable_crc=False": lambda server: in_threads(sdk_put(sdk(server, enable_crc=False))),
    },
    "PUT file": {
        "raw preadv, sendall": lambda server: in_threads(raw_file_put(server)),
        "storagekit, CRC-64": lambda server: in_threads(our_file_put(driver(server), "crc64", upload_of)),
    },
    "GET": {
        "raw recv_into": lambda server: in_threads(raw_get(server)),
        "storagekit": lambda server: in_threads(our_get(driver(server))),
        "oss2, defaults": lambda server: in_threads(sdk_get(sdk(server))),
    },
}


if __name__ == "__main__":
    main(WAYS)
