"""Temporary keys: asked for once, again before they end, and what a refusal of them means. The wire plays STS."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone

import pytest

from storagekit.driver import Code
from storagekit.errors import ConfigurationError
from storagekit_minio._settings import parse
from tests.unit.minio_wire import ACCOUNT, Wire, answer, failure_of, make_driver


def keys(name: str, minutes: float) -> bytes:
    end = (datetime.now(timezone.utc) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
    secret = f"<SecretAccessKey>of-{name}</SecretAccessKey><SessionToken>token-{name}</SessionToken>"
    found = f"<Credentials><AccessKeyId>{name}</AccessKeyId>{secret}<Expiration>{end}</Expiration></Credentials>"
    return answer(200, f"<AssumeRoleResponse><AssumeRoleResult>{found}</AssumeRoleResult></AssumeRoleResponse>")


def test_keys_are_asked_for_once_and_again_when_they_end(wire: Wire) -> None:
    driver = make_driver(wire, sts_endpoint=f"http://{wire.address}")
    found = answer(ETag='"e"')
    wire.answers = [keys("first", 0.05), found, keys("second", 60), found, found]
    for _ in range(3):
        driver.head("bucket", "key")
    used = ["first" in wire.head(1)["authorization"], *("second" in wire.head(at)["authorization"] for at in (3, 4))]
    assert (used, len(wire.requests)) == ([True] * 3, 5)
    assert wire.head(4)["x-amz-security-token"] == "token-second"
    driver.close()


def test_many_threads_ask_once(wire: Wire) -> None:
    driver = make_driver(wire, sts_endpoint=f"http://{wire.address}")
    provider = driver._client._provider
    assert provider is not None
    wire.answers = [keys("only", 60)]
    threads = [threading.Thread(target=provider.retrieve) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wire.requests) == 1
    driver.close()


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (answer(503), Code.THROTTLED),
        (answer(500), Code.SERVER),
        (answer(429), Code.THROTTLED),
        (
            answer(403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"),
            None,
        ),
        (answer(400, "<ErrorResponse><Error><Code>InvalidClientTokenId</Code></Error></ErrorResponse>"), None),
        (answer(200, "<html>a console</html>"), None),
    ],
)
def test_what_passes_is_asked_again_and_what_is_refused_is_about_the_keys(
    wire: Wire, reply: bytes, code: Code | None
) -> None:
    driver = make_driver(wire, sts_endpoint=f"http://{wire.address}")
    wire.answers = [reply]
    failure = failure_of(driver, lambda: driver.head("bucket", "key"))
    assert failure.code is (code or Code.BAD_CREDENTIALS)
    if code is None:
        assert failure.detail.startswith("no temporary credentials from STS")
    driver.close()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"credentials": "anonymous", "role_arn": "arn"}, "mean nothing with credentials = anonymous"),
        ({"credentials": "aws", "sts_endpoint": "https://sts"}, "mean nothing with credentials = aws"),
        ({"session_token": "t", "role_arn": "arn"}, "session_token is of temporary keys"),
        ({"sts_endpoint": "https://user:hunter2@sts"}, "has a user or password.*sts_endpoint"),
        ({"sts_endpoint": "https://sts/?token=hunter2"}, "has a query"),
    ],
)
def test_settings_of_which_one_would_be_ignored_are_refused(given: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        parse({**ACCOUNT, **given})
    assert "hunter2" not in str(caught.value)
