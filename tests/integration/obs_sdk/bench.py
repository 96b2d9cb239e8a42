"""What a check gets: a client, a bucket of its own, and comparisons that say what they found."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from obs import ObsClient, const

from tests.integration.sdk_checks import Checks, equal, numbers, quoted_md5


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
    return numbers(const.OBS_SDK_VERSION)


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


CHECKS: Checks[Bench] = Checks()
check = CHECKS.check


def headers(answer: Any) -> dict[str, str]:
    """Of an answer; the SDK takes the prefix off its own (`x-obs-meta-colour` is `colour`, `x-obs-id-2` is `id-2`)."""
    return dict(answer.header)
