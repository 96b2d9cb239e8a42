"""The headers of requests to S3's relatives: what an object is to be, what is verified, where a copy comes from.

A body's digest goes out as the header of its algorithm, and the server refuses bytes that do not match: ``md5`` as
Content-MD5, which every one verifies, and the dialect's own.
"""

from __future__ import annotations

import base64
from hashlib import md5
from typing import Any
from urllib.parse import quote

from storagekit.transport.dialect import Dialect
from storagekit.types import Checksum, WriteOptions

Headers = dict[str, Any]


def described(dialect: Dialect, options: WriteOptions) -> Headers:
    """Content type, storage class and user metadata. Each server has its own default type, so one is named."""
    headers: Headers = {f"{dialect.meta}{name}": value for name, value in options.metadata.items()}
    headers["Content-Type"] = options.content_type or "application/octet-stream"
    if options.storage_class:
        headers[f"{dialect.prefix}storage-class"] = options.storage_class
    return headers


def digest(dialect: Dialect, checksum: Checksum | None) -> Headers:
    """Return what the server compares with what it receives; nothing where the digest is not known yet."""
    if checksum is not None and checksum.algorithm == "md5":
        return {"Content-MD5": base64.b64encode(bytes.fromhex(checksum.value)).decode()}
    text = dialect.checksum.write(checksum)
    return {dialect.checksum.header: text} if text else {}


def hashed(document: bytes) -> dict[str, str]:
    """Content-MD5 of a document of ours: it is wanted with a multiple delete."""
    return {"Content-MD5": base64.b64encode(md5(document, usedforsecurity=False).digest()).decode()}


def ranged(start: int, length: int | None) -> dict[str, str]:
    """Return which bytes of an object are wanted; nothing for all of them."""
    if length is None:
        return {"Range": f"bytes={start}-"} if start else {}
    return {"Range": f"bytes={start}-{start + length - 1}"}


def source(dialect: Dialect, bucket: str, key: str, if_match: str | None) -> Headers:
    """Name the source of a copy, and the etag that it must have; Ceph has a name of its own for that."""
    names = () if if_match is None else (f"{dialect.source}-if-match", f"{dialect.prefix}copy-if-match")
    wanted = dict.fromkeys(names, f'"{if_match}"')
    return {dialect.source: quote(f"/{bucket}/{key}"), **wanted}
