"""The headers of our requests: what an object is to be, what the server is to verify, where a copy comes from.

A body's digest goes out as the header of its algorithm, and the server refuses bytes that do not match: ``md5`` as
Content-MD5, which every S3 server verifies, ``crc32c`` as x-amz-checksum-crc32c (S3 since 2022, MinIO as well). In S3
an upload has one algorithm or none, said when it begins: only a server that repeats it in its answer will verify it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from hashlib import md5
from typing import Any
from urllib.parse import quote

from storagekit.types import Checksum, WriteOptions

META = "x-amz-meta-"
CRC32C = "x-amz-checksum-crc32c"
ALGORITHM = "x-amz-checksum-algorithm"

Headers = dict[str, Any]

_OF_CHECKSUM: Mapping[str, str] = {"md5": "Content-MD5", "crc32c": CRC32C}


def described(options: WriteOptions) -> Headers:
    """Content type, storage class and user metadata. Each server has its own default type, so one is named."""
    headers: Headers = {f"{META}{name}": value for name, value in options.metadata.items()}
    headers["Content-Type"] = options.content_type or "application/octet-stream"
    if options.storage_class:
        headers["x-amz-storage-class"] = options.storage_class
    return headers


def condition(options: WriteOptions) -> Headers:
    """Publish only where there is no object: S3 looks in the moment in which it publishes."""
    return {"If-None-Match": "*"} if options.if_absent else {}


def wished(options: WriteOptions) -> Headers:
    """Ask that an upload keeps CRC-32C, of the whole object too, which needs none of the parts' at its complete."""
    return {ALGORITHM: "CRC32C", "x-amz-checksum-type": "FULL_OBJECT"} if options.checksum == "crc32c" else {}


def agreed(options: WriteOptions, answer: Mapping[str, str]) -> str | None:
    """Return the checksum that the service agreed on, as the answer to the beginning of an upload says."""
    return options.checksum if options.checksum and answer.get(ALGORITHM, "").lower() == options.checksum else None


def digest(checksum: Checksum | None) -> Headers:
    """Return what the server compares with what it receives; nothing where the digest is not known yet."""
    if checksum is None or checksum.algorithm not in _OF_CHECKSUM:
        return {}
    return {_OF_CHECKSUM[checksum.algorithm]: base64.b64encode(bytes.fromhex(checksum.value)).decode()}


def hashed(document: bytes) -> dict[str, str]:
    """Content-MD5 of a document of ours: S3 wants it with a multiple delete."""
    return {"Content-MD5": base64.b64encode(md5(document, usedforsecurity=False).digest()).decode()}


def ranged(start: int, length: int | None) -> dict[str, str]:
    """Return which bytes of an object are wanted; nothing for all of them."""
    if length is None:
        return {"Range": f"bytes={start}-"} if start else {}
    return {"Range": f"bytes={start}-{start + length - 1}"}


def source(bucket: str, key: str, if_match: str | None) -> Headers:
    """Name the source of a copy, and the etag that it must have; Ceph has a name of its own for that."""
    names = () if if_match is None else ("x-amz-copy-source-if-match", "x-amz-copy-if-match")
    wanted = dict.fromkeys(names, f'"{if_match}"')
    return {"x-amz-copy-source": quote(f"/{bucket}/{key}"), **wanted}
