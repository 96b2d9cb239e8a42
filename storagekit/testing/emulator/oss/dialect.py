"""OSS's words and rules. Its XML has no namespace; its ETags are upper-case."""

from __future__ import annotations

from types import MappingProxyType

from storagekit.testing.emulator.operations.dialect import Dialect

OSS = Dialect(
    "oss",
    "x-oss-",
    storage_classes=MappingProxyType({"STANDARD": "Standard", "WARM": "IA", "COLD": "Archive"}),
    content_type="application/octet-stream",
    crc="hash-crc64ecma",
    forbid="forbid-overwrite",
    unchanged_copy="NotModified",
    upper_etags=True,
    page=100,
    strict_pages=True,
    outside="ignored",
    max_key=1023,
    not_first="/\\",
    full=True,
)
