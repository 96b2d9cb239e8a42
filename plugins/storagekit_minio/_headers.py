"""What S3 writes, and what its servers alone are asked: conditions, agreed checksums, the sources of copies.

In S3 an upload has one checksum algorithm or none, said when it begins: only a server that repeats it in its answer
will verify it (CRC-32C: S3 since 2022, MinIO as well).
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

from storagekit.transport.dialect import Dialect, crc32c
from storagekit.transport.headers import Headers
from storagekit.types import WriteOptions

ALGORITHM = "x-amz-checksum-algorithm"

_NAMESPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'

S3 = Dialect("x-amz-", crc32c("x-amz-checksum-crc32c", "ChecksumCRC32C"), _NAMESPACE, "aws-kms-key-id")


def condition(options: WriteOptions) -> Headers:
    """Publish only where there is no object: S3 looks in the moment in which it publishes."""
    return {"If-None-Match": "*"} if options.if_absent else {}


def wished(options: WriteOptions) -> Headers:
    """Ask that an upload keeps CRC-32C, of the whole object too, which needs none of the parts' at its complete."""
    return {ALGORITHM: "CRC32C", "x-amz-checksum-type": "FULL_OBJECT"} if options.checksum == "crc32c" else {}


def agreed(options: WriteOptions, answer: Mapping[str, str]) -> str | None:
    """Return the checksum that the service agreed on, as the answer to the beginning of an upload says."""
    return options.checksum if options.checksum and answer.get(ALGORITHM, "").lower() == options.checksum else None


def location_document(location: str) -> bytes:
    """Return the body of a bucket's creation."""
    constraint = f"<LocationConstraint>{escape(location)}</LocationConstraint>"
    return f"<CreateBucketConfiguration{_NAMESPACE}>{constraint}</CreateBucketConfiguration>".encode()
