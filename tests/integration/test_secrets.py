"""Keys, tokens and signed queries are in nothing that anybody sees: errors with their causes, values, records, output.

The scan (``tests/secrets_scan.py``) looks at all that comes out by itself; here is what would have to come out.
"""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from storagekit import RetryPolicy, StorageClient, errors
from storagekit.testing.http_source import Behaviour, SourceServer
from storagekit.testing.proxy import Answer, Fault, FaultProxy, is_any
from storagekit.testing.servers import S3Server
from storagekit_minio.driver import MinioDriver
from storagekit_obs.driver import ObsDriver
from storagekit_oss.driver import OssDriver
from tests.integration.conftest import S3Target, Sender, target_on

pytestmark = pytest.mark.integration

Secret = Callable[[str], str]
KIB = 1024
DRIVERS: dict[str, type[MinioDriver | ObsDriver | OssDriver]] = {
    "minio": MinioDriver,
    "obs": ObsDriver,
    "oss": OssDriver,
}


@pytest.fixture(params=["minio", "obs", "oss"])
def target(request: pytest.FixtureRequest) -> S3Target:
    server: S3Server = request.getfixturevalue(request.param)
    return target_on(server, server.endpoint)


@pytest.fixture
def client(target: S3Target) -> Iterator[StorageClient]:
    with StorageClient(target.backend, target.bucket, environment=target.environment) as client:
        yield client


def show(*values: object) -> None:
    """Put values out as programs do, for the scan to look at: as text, in full, and as they are kept."""
    for value in values:
        print(value, repr(value), pickle.dumps(value) if not isinstance(value, StorageClient) else "")
        if isinstance(value, BaseException):
            print(*traceback.format_exception(value))


def signed(url: str, secret: Secret) -> str:
    query = f"X-Amz-Credential={secret('id')}&X-Amz-Signature={secret('signature')}&X-Amz-Security-Token={secret('t')}"
    return f"{url.replace('http://', 'http://{}:{}@'.format(secret('user'), secret('password')))}?{query}"


def test_a_signed_url_is_in_no_result_and_no_record(client: StorageClient, target: S3Target, secret: Secret) -> None:
    with SourceServer(100 * KIB, behaviour=Behaviour(storm_requests=2)) as source:
        result = client.upload_url(
            signed(source.url, secret), "key", metadata={"a": "b"}, headers={"X-Token": secret("header")}
        )

    assert 100 * KIB == result.size
    show(result, client, client.head_object("key"))
    for name in target.contents():
        show(client.get_object(name))


@pytest.mark.parametrize("behaviour", [Behaviour(storm_requests=99), Behaviour(cut_after=0, cut_times=99)])
def test_a_signed_url_is_in_no_error_and_in_nothing_that_is_left_behind(
    client: StorageClient, target: S3Target, secret: Secret, behaviour: Behaviour
) -> None:
    twice = RetryPolicy(attempts=2, base_s=0.01)
    with SourceServer(100 * KIB, behaviour=behaviour) as source:
        with StorageClient(target.backend, target.bucket, environment=target.environment, retry=twice) as impatient:
            with pytest.raises(errors.ServiceError) as caught:
                impatient.upload_url(signed(source.url, secret), "key")
    show(caught.value)
    for name in target.contents():
        show(client.get_object(name))


@pytest.mark.parametrize("wrong", ["secret", "token"])
def test_keys_and_tokens_that_are_refused_are_in_no_error(target: S3Target, secret: Secret, wrong: str) -> None:
    name = target.secret_variable if wrong == "secret" else target.token_variable
    environment = {**target.environment, name: secret("wrong")}
    with StorageClient(target.backend, target.bucket, environment=environment) as client:
        with pytest.raises(errors.CredentialsError) as caught:
            client.get_object("key")
        show(caught.value, client)


def test_what_a_service_repeats_is_not_repeated_with_the_signature(target: S3Target, tmp_path: Path) -> None:
    """A request that fails for good names the place and the code, and not the headers that were sent."""
    sender = Sender(target, tmp_path / "homes")
    with FaultProxy(target.server.endpoint, [Fault(is_any(), Answer(403, "AccessDenied"))]) as proxy:
        target.point_at(proxy.endpoint)
        finished = sender.run("ls", target.bucket_uri, "--json", "--log-level", "debug")

    assert (4, True) == (finished.code, "Traceback" in finished.err)


def test_a_url_that_is_signed_here_is_given_and_not_logged(target: S3Target) -> None:
    server = target.server
    account = {"endpoint": server.endpoint, "access_key": server.access_key, "secret_key": server.secret_key}
    account |= {"region": server.region}
    driver = DRIVERS[target.backend].from_settings(account)
    urls = [driver.presign(operation, target.bucket, "key", timedelta(minutes=1)) for operation in ("GET", "PUT")]
    driver.close()

    assert all("ignature=" in url for url in urls)
    show(driver.limits)


COMMANDS = [
    ["config", "show"],
    ["config", "check", "{bucket}"],
    ["ls", "{bucket}"],
    ["stat", "{bucket}/key"],
    ["uploads", "list", "{bucket}"],
    ["rm", "{bucket}/key"],
    ["cp", "{url}", "{bucket}/key"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: "-".join(command[:2]))
@pytest.mark.parametrize("right", [True, False], ids=["right keys", "wrong keys, as JSON"])
def test_no_command_shows_a_secret_at_debug(
    target: S3Target, tmp_path: Path, secret: Secret, command: list[str], right: bool
) -> None:
    sender = Sender(target, tmp_path / "homes")
    if not right:
        target.environment |= {target.secret_variable: secret("key"), target.token_variable: secret("token")}
    with SourceServer(KIB) as source:
        url = signed(source.url, secret)
        words = [word.format(bucket=target.bucket_uri, url=url) for word in command]
        finished = sender.run(*words, *([] if right else ["--json"]), "--log-level", "debug")

    fine = right or command == ["config", "show"]
    expected = 3 if right and command[0] == "stat" else 0 if fine else 4
    assert expected == finished.code, finished.err
