"""What a test gets: a server that answers, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


class Unavailable(Exception):
    """A server cannot be had here; the message is the reason, in one line."""


@dataclass(frozen=True)
class S3Server:
    """A server that answers, and all that a client must know about it."""

    name: str  # "minio", "swift", "moto", "rclone" or "rgw"
    endpoint: str  # "http://127.0.0.1:45671"
    access_key: str
    secret_key: str = field(repr=False)
    region: str
    how: str  # where it came from: "STORAGEKIT_TEST_MINIO", "minio on PATH", "cached build", "built with Go", ...
    version: str  # "" when the server is somebody else's
    data_dir: Path | None  # removed when the server stops; None when the server is somebody else's
    max_parts: int = 10_000
    verifies: bool = True  # what a client claims: signatures and Content-MD5
