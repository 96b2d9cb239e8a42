"""What a signed URL says of itself, and how a call for one is understood."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from storagekit import StorageClient
from storagekit._client_urls import _operation
from storagekit._signed_urls import expiry_of, has_ended, is_signed
from storagekit.errors import ConfigurationError, InvalidNameError, RequestRefusedError

HOST = "https://host/key?"


@pytest.mark.parametrize(
    ("query", "signed"),
    [
        ("X-Amz-Signature=a", True),
        ("x-oss-signature=a", True),
        ("AccessKeyId=k&Expires=1&Signature=a", True),
        ("", False),
        ("Expires=1", False),
        ("signatures=a", False),
    ],
)
def test_a_url_is_signed_where_its_query_has_a_signature(query: str, signed: bool) -> None:
    assert signed is is_signed(HOST + query)


@pytest.mark.parametrize(
    ("query", "end"),
    [
        ("X-Amz-Date=20260501T100000Z&X-Amz-Expires=60", datetime(2026, 5, 1, 10, 1, tzinfo=timezone.utc)),
        ("x-oss-date=20260501T100000Z&x-oss-expires=60", datetime(2026, 5, 1, 10, 1, tzinfo=timezone.utc)),
        ("Expires=1777629600", datetime(2026, 5, 1, 10, tzinfo=timezone.utc)),
        ("X-Amz-Date=yesterday&X-Amz-Expires=60", None),
        ("X-Amz-Date=20260501T100000Z", None),
        ("X-Amz-Date=20260501T100000Z&X-Amz-Expires=" + "9" * 30, None),
        ("Expires=" + "9" * 30, None),
        ("Expires=soon", None),
        ("", None),
    ],
)
def test_when_a_url_ends_is_read_from_it(query: str, end: datetime | None) -> None:
    assert end == expiry_of(HOST + query)


@pytest.mark.parametrize(
    ("date", "over"),
    [("Fri, 01 May 2026 10:00:30 GMT", False), ("Fri, 01 May 2026 10:01:01 GMT", True), ("nonsense", True)],
)
def test_whether_it_has_ended_is_judged_by_the_clock_of_the_service(date: str, over: bool) -> None:
    query = "X-Amz-Signature=a&X-Amz-Date=20260501T100000Z&X-Amz-Expires=60"
    assert over is (has_ended(HOST + query, {"Date": date}) is not None)
    assert has_ended(HOST + query.replace("Signature", "Other"), {"Date": date}) is None


@pytest.mark.parametrize(
    ("call", "operation", "options"),
    [
        (("GET", None, None, None), "GET", {}),
        (("HEAD", None, None, None), "HEAD", {}),
        (("PUT", "text/plain", None, None), "PUT", {"content_type": "text/plain"}),
        (("PUT", None, 3, "id"), "PUT_PART", {"part_number": 3, "upload_id": "id"}),
    ],
)
def test_what_a_call_asks_of_the_driver(call: Any, operation: str, options: dict[str, Any]) -> None:
    assert (operation, options) == _operation(*call)


@pytest.mark.parametrize(
    "call",
    [
        ("DELETE", None, None, None),
        ("get", None, None, None),
        ("GET", "text/plain", None, None),
        ("HEAD", None, 1, "id"),
        ("PUT", None, 1, None),
        ("PUT", None, None, "id"),
        ("PUT", None, 0, "id"),
        ("PUT", None, 1, ""),
        ("PUT", "text/plain", 1, "id"),
    ],
)
def test_a_call_that_makes_no_sense_is_refused(call: Any) -> None:
    with pytest.raises(ConfigurationError):
        _operation(*call)


ACCOUNT: dict[str, Any] = {"endpoint": "host.test:9", "access_key": "a", "secret_key": "s", "region": "r"}


def test_the_call_of_the_issue_and_the_one_with_names() -> None:
    with StorageClient("minio", "bucket", environment={}, **ACCOUNT) as client:
        urls = [
            client.presigned_url("GET", "bucket", "key", timedelta(minutes=5)),
            client.presigned_url("GET", "bucket", "key", 300),
            client.presigned_url(key="key", method="GET", expires=300.0),
        ]
        assert {"https://host.test:9/bucket/key"} == {url.partition("?")[0] for url in urls}
        assert all("X-Amz-Expires=300&" in url for url in urls)
        with pytest.raises(InvalidNameError):
            client.presigned_url("GET", "key")
        for expires in (0, -1, timedelta(days=8)):
            with pytest.raises(RequestRefusedError, match="7 days"):
                client.presigned_url("GET", "bucket", "key", expires)
        with pytest.raises(ConfigurationError):
            client.presigned_url("GET", "bucket", "key", "soon")  # type: ignore[arg-type]  # as untyped callers do
        with pytest.raises(InvalidNameError):
            client.presigned_url("PUT", "bucket", ".storagekit/x")


@pytest.mark.parametrize("backend", ["local", "memory"])
def test_a_backend_without_addresses_says_so(backend: str, tmp_path: Path) -> None:
    with StorageClient(backend, "bucket", environment={"STORAGEKIT_LOCAL_ROOT": str(tmp_path)}) as client:
        for method in ("GET", "HEAD", "PUT"):
            with pytest.raises(RequestRefusedError, match="no address") as caught:
                client.presigned_url(method, "bucket", "key")
            assert ("unsupported", "presign", backend) == (
                caught.value.code,
                caught.value.context.operation,
                caught.value.backend,
            )
