"""What goes wrong before a session is there, on a real server, and what storagekit makes of it."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest
from sftp_server import sftp_server
from storagekit_sftp.driver import SftpDriver

from storagekit import StorageClient
from storagekit.driver import Code
from storagekit.errors import ConfigurationError, CredentialsError
from storagekit.testing.conformance import failure


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with sftp_server(tmp_path_factory.mktemp("sftp")) as settings:
        yield settings


def strange_key(tmp_path: Path) -> dict[str, str]:
    paramiko.RSAKey.generate(2048).write_private_key_file(str(tmp_path / "key"))
    return {"key_file": str(tmp_path / "key")}


def unknown_host(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "known_hosts").touch()
    return {"known_hosts": str(tmp_path / "known_hosts")}


def nobody(tmp_path: Path) -> dict[str, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return {"endpoint": f"127.0.0.1:{probe.getsockname()[1]}"}


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (strange_key, Code.BAD_CREDENTIALS),
        (unknown_host, Code.UNTRUSTED),
        (nobody, Code.NETWORK),
        (lambda _: {"endpoint": "no-such-host.invalid"}, Code.NETWORK),
    ],
)
def test_what_is_wrong_is_told_apart(
    server: dict[str, str], tmp_path: Path, wrong: Callable[[Path], dict[str, str]], code: Code
) -> None:
    driver = SftpDriver.from_settings({**server, **wrong(tmp_path)})
    assert failure(driver, driver.list_buckets).code is code
    driver.close()


def test_a_user_reads_a_sentence(server: dict[str, str], tmp_path: Path) -> None:
    settings: Any = {**server, **strange_key(tmp_path)}
    with StorageClient("sftp", **settings) as client, pytest.raises(CredentialsError) as seen:
        list(client.list_buckets())
    assert seen.value.message == "the server accepts neither key nor password"


@pytest.mark.parametrize("setting", ["key_file", "known_hosts"])
def test_a_file_that_is_missing_here_is_not_taken_for_one_on_the_server(server: dict[str, str], setting: str) -> None:
    settings: Any = {**server, setting: "/no/such/file"}
    with pytest.raises(ConfigurationError, match="/no/such/file"):
        StorageClient("sftp", **settings)


def test_a_connection_that_the_server_closed_while_idle_is_not_used_again(server: dict[str, str]) -> None:
    driver = SftpDriver.from_settings(server)
    driver.create_bucket("idle")
    (ssh, _), *_ = driver._sessions._idle
    transport = ssh.get_transport()
    assert transport is not None
    transport.sock.shutdown(socket.SHUT_RDWR)  # as a server does that has waited for long enough
    transport.join(10)
    assert driver.bucket_exists("idle")
    driver.close()
