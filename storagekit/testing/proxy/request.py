"""The head of a request, and predicates that pick requests by what they mean in S3."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Request:
    """The head of a request."""

    method: str
    path: str
    """The path as sent (percent-encoded), without the query."""
    query: Mapping[str, str]
    """The query, decoded; of a repeated name the last value."""
    headers: Mapping[str, str]
    """Headers by lower-case name; of a repeated name the last value."""
    number: int
    """Rank among all requests of the proxy, from 1."""
    connection: int
    """Rank of its client connection, from 1."""

    @property
    def part_number(self) -> int | None:
        """Part number of an UploadPart, None for anything else."""
        number = self.query.get("partNumber", "")
        if self.method == "PUT" and "uploadId" in self.query and number.isdigit():
            return int(number)
        return None


Predicate: TypeAlias = Callable[[Request], bool]


def is_any() -> Predicate:
    """Every request."""
    return lambda _: True


def matches(method: str, pattern: str = "") -> Predicate:
    """Requests with this method ("*": any) in whose ``path?name=value&...`` the regular expression is found.

    The path is as sent, the query decoded: ``matches("PUT", r"/datasets/\\.storagekit/")``.
    """
    found = re.compile(pattern).search
    return lambda request: method in ("*", request.method) and found(_target(request)) is not None


def _target(request: Request) -> str:
    return "?".join([request.path, *filter(None, ["&".join(f"{k}={v}" for k, v in request.query.items())])])


def is_part(*numbers: int) -> Predicate:
    """UploadPart with one of these part numbers; with none given, any UploadPart."""
    return lambda request: request.part_number is not None and (not numbers or request.part_number in numbers)


def is_create_upload() -> Predicate:
    """CreateMultipartUpload."""
    return lambda request: request.method == "POST" and "uploads" in request.query


def is_complete() -> Predicate:
    """CompleteMultipartUpload."""
    return lambda request: request.method == "POST" and "uploadId" in request.query


def is_abort() -> Predicate:
    """AbortMultipartUpload."""
    return lambda request: request.method == "DELETE" and "uploadId" in request.query


def is_list_parts() -> Predicate:
    """ListParts."""
    return lambda request: request.method == "GET" and "uploadId" in request.query


def is_put_object() -> Predicate:
    """PutObject, by the bucket in the path or in the host name."""
    return lambda request: request.method == "PUT" and "uploadId" not in request.query and _has_key(request)


def is_get_object() -> Predicate:
    """GetObject, by the bucket in the path or in the host name."""
    return lambda request: request.method == "GET" and "uploadId" not in request.query and _has_key(request)


def is_head() -> Predicate:
    """HeadObject or HeadBucket."""
    return lambda request: request.method == "HEAD"


def _has_key(request: Request) -> bool:
    """Below an address or localhost there is no host name for a bucket: it is the first segment of the path."""
    host = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host", "")
    in_path = host in ("", "localhost") or host.strip("[]").replace(".", "").replace(":", "").isdigit()
    path = request.path.lstrip("/")
    return bool(path.partition("/")[2] if in_path else path)
