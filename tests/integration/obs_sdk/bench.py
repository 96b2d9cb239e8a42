"""What a check gets: a client, a bucket of its own, and comparisons that say what they found."""

from __future__ import annotations

import hashlib
import io
import random
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from obs import ObsClient, const

PART = 100 * 1024
"""The least that a part may have which is not the last, in bytes."""


@dataclass(frozen=True)
class Setting:
    """How to talk to the server; the fields are the SDK's own arguments where they bear its names."""

    server: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    signature: str = "obs"
    path_style: bool = False
    client_mode: str = "obs"
    """`workflow` keeps the signature `obs` on path style; otherwise the SDK turns it into `v2` without a word."""
    is_signature_negotiation: bool = False
    ssl_verify: str | bool = False
    security_token: str | None = field(default=None, repr=False)
    region: str = "region"
    long_conn_mode: bool = False
    use_http_conns: bool = False
    thorough: bool = False
    """Whether to make the one check that needs a thousand objects."""


def version() -> tuple[int, ...]:
    """Of the SDK: `(3, 26, 6)`."""
    return tuple(map(int, const.OBS_SDK_VERSION.split(".")))


class Bench:
    """One check's view of the server."""

    def __init__(self, setting: Setting, scratch: Path) -> None:
        self.setting = setting
        self.client: Any = client(setting)
        self.scratch = scratch
        self.bucket = ""
        self._buckets = 0

    @property
    def prefix(self) -> str:
        """Of the service's own headers; the SDK says `x-amz-` for everything but `obs`."""
        return "x-obs-" if self.setting.signature == "obs" and self._speaks_obs else "x-amz-"

    @property
    def _speaks_obs(self) -> bool:
        return not self.setting.path_style or self.setting.client_mode == "workflow"

    def fresh_bucket(self) -> str:
        """Make one that nobody else looks at; it becomes `self.bucket`."""
        self._buckets += 1
        name = f"sdk-{random.randbytes(5).hex()}-{self._buckets}"
        self.status(self.client.createBucket(name), 200)
        self.bucket = name
        return name

    def status(self, answer: Any, expected: int, code: str | None = None) -> Any:
        """Check status and code; returns the answer's body."""
        found = (answer.status, answer.errorCode)
        if found != (expected, code):
            raise AssertionError(f"answered {found}, not {(expected, code)}: {answer.errorMessage} {answer.reason}")
        if expected >= 300 and code is not None:
            equal(bool(answer.requestId), True, "a request id with the error")
        return answer.body

    def put(self, key: str, data: bytes, **arguments: Any) -> Any:
        return self.status(self.client.putContent(self.bucket, key, content=data, **arguments), 200)

    def read(self, key: str, bucket: str = "") -> bytes:
        """All of an object, by the call that other checks are not about."""
        answer = self.client.getObject(bucket or self.bucket, key, loadStreamInMemory=True)
        return self.status(answer, 200).buffer or b""  # None for an empty object

    def keys(self) -> list[str]:
        """What the bucket holds."""
        return [found.key for found in self.status(self.client.listObjects(self.bucket), 200).contents]

    def begin(self, key: str, **arguments: Any) -> str:
        """Initiate an upload; its id."""
        body = self.status(self.client.initiateMultipartUpload(self.bucket, key, **arguments), 200)
        equal((body.bucketName, body.objectKey), (self.bucket, key), "what the upload is for")
        upload: str = body.uploadId
        return upload

    def part(self, key: str, upload: str, number: int, data: bytes) -> str:
        """Upload one part; its ETag."""
        body = self.status(self.client.uploadPart(self.bucket, key, number, upload, content=data), 200)
        equal(body.etag, quoted_md5(data), f"ETag of part {number}")
        etag: str = body.etag
        return etag


def client(setting: Setting) -> Any:
    """Built as a user would, but for retries, which would hide what a server did wrong."""
    arguments = {name: value for name, value in vars(setting).items() if name not in ("use_http_conns", "thorough")}
    if setting.use_http_conns:
        arguments["use_http_conns"] = True
    return ObsClient(**arguments, max_retry_count=0, timeout=20)


Check = Callable[[Bench], None]
CHECKS: dict[str, tuple[tuple[int, ...], Check]] = {}
"""Every check by its name, with the SDK's version from which on it can be made."""


def check(since: tuple[int, ...] = ()) -> Callable[[Check], Check]:
    """Register a check."""

    def register(function: Check) -> Check:
        name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        assert name not in CHECKS
        CHECKS[name] = since, function
        return function

    return register


def equal(found: object, expected: object, what: str) -> None:
    """Compare, and say what differed."""
    if found != expected:
        raise AssertionError(f"{what}: {shown(found)}, not {shown(expected)}")


def shown(value: object) -> str:
    """Short enough for a line."""
    text = repr(value)
    return text if len(text) < 400 else f"{text[:400]}... ({len(text):,} characters)"


def pattern(size: int, seed: int = 0) -> bytes:
    """Bytes that look random and are the same for the same seed."""
    return random.Random(seed).randbytes(size)


def quoted_md5(data: bytes) -> str:
    """An object's ETag, as the header has it."""
    return f'"{hashlib.md5(data).hexdigest()}"'


def bare_md5(data: bytes) -> str:
    """An ETag for a condition: the SDK percent-encodes quotes in headers, and would send its own as `%22...%22`."""
    return hashlib.md5(data).hexdigest()


def content_md5(data: bytes) -> str:
    """The header's value."""
    return b64encode(hashlib.md5(data).digest()).decode()


def crc64(data: bytes) -> int:
    """CRC-64/ECMA as OBS has it: reflected, all ones before and after. By nobody's code but ours."""
    register = ONES
    for byte in data:
        register = register >> 8 ^ CRC_TABLE[(register ^ byte) & 255]
    return register ^ ONES


def crc_entry(register: int) -> int:
    for _ in range(8):
        register = register >> 1 ^ (0xC96C5795D7870F42 if register & 1 else 0)
    return register


ONES = 0xFFFFFFFFFFFFFFFF
CRC_TABLE = [crc_entry(byte) for byte in range(256)]


def headers(answer: Any) -> dict[str, str]:
    """Of an answer; the SDK takes the prefix off its own (`x-obs-meta-colour` is `colour`, `x-obs-id-2` is `id-2`)."""
    return dict(answer.header)


class Trickle(io.RawIOBase):
    """A stream that knows neither its size nor how to go back, and gives less than it is asked for."""

    def __init__(self, data: bytes, step: int = 7001) -> None:
        self._data, self._step, self._at = data, step, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        count = min(self._step, len(self._data) - self._at, *([size] if size >= 0 else []))
        self._at += count
        return self._data[self._at - count : self._at]
