"""URLs signed with V4, compared with what botocore makes of the same request at the same moment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import botocore.auth
import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as TheirCredentials
from minio.credentials.credentials import Credentials

from storagekit_minio._presign import presigned

NOW = datetime(2026, 5, 1, 12, 30, 59, tzinfo=timezone.utc)


def theirs(method: str, url: str, headers: Mapping[str, str], token: str | None, patch: pytest.MonkeyPatch) -> str:
    patch.setattr(botocore.auth, "get_current_datetime", lambda remove_tzinfo=True: NOW.replace(tzinfo=None))
    request = AWSRequest(method, url, dict(headers))
    S3SigV4QueryAuth(TheirCredentials("key", "secret", token), "s3", "eu-west-1", expires=600).add_auth(request)
    return str(request.url)


@pytest.mark.shows_secrets("botocore logs what it signs", only="the log of botocore")
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
@pytest.mark.parametrize("path", ["/bucket/key", "/bucket/a%20b/%C3%BC%2B", "/"])
@pytest.mark.parametrize("query", ["", "partNumber=3&uploadId=a~b%2Fc"])
@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain; charset=utf-8"}])
@pytest.mark.parametrize("token", [None, "to/ken+=="])
def test_a_url_is_signed_as_botocore_signs_it(
    method: str, path: str, query: str, headers: dict[str, str], token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://host:9000{path}{'?' * bool(query)}{query}"
    keys: Any = Credentials("key", "secret", token)

    ours = presigned(method, urlsplit(url), headers, "eu-west-1", keys, NOW, 600)

    their = theirs(method, url, headers, token, monkeypatch)
    assert sorted(parse_qsl(urlsplit(their).query)) == sorted(parse_qsl(urlsplit(ours).query))
    assert urlsplit(their)[:3] == urlsplit(ours)[:3]
