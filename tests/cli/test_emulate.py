"""``storagekit emulate`` in its own process: what it says, what it serves, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from storagekit.cli import emulate
from storagekit.cli._output import Output
from storagekit.testing.emulator import Emulator
from storagekit.testing.emulator.emulator import ACCESS_KEY, SECRET_KEY
from storagekit.testing.tls import Authority
from tests.integration.emulator_client import Client, OssClient

Start = Callable[..., subprocess.Popen[str]]
OURS = (ACCESS_KEY, SECRET_KEY)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def command(*arguments: str, vendor: str = "obs", **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "storagekit", "emulate", vendor, "--port", "0", *arguments],
            env={**_without_keys(), "HOME": str(tmp_path), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield command
    for process in started:
        process.kill()
        process.communicate()


def _without_keys() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("OBS_", "OSS_"))}


def listening(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    assert said["event"] == "listening"
    return dict(said)


def ended(process: subprocess.Popen[str], how: signal.Signals) -> tuple[int, str]:
    process.send_signal(how)
    _, errors = process.communicate(timeout=20)
    return process.returncode, errors


@contextmanager
def speaking(port: int, key: str, secret: str, kind: type[Client] = Client, **named: Any) -> Iterator[Client]:
    client = kind(port, key, secret, **named)
    try:
        yield client
    finally:
        client.connection.close()


def test_it_says_where_it_is_and_serves_until_it_is_told_to_end(start: Start) -> None:
    process = start("--json")
    said = listening(process)
    assert said["endpoint"] == f"http://obs.test:{said['port']}"
    assert said["address"] == f"http://127.0.0.1:{said['port']}"
    assert (said["access_key"], said["root"]) == (ACCESS_KEY, None)
    with speaking(said["port"], *OURS) as client:
        assert client.ask("PUT", "data").status == 200
        assert client.ask("PUT", "data", "key", body=b"hello").status == 200
        assert client.ask("GET", "data", "key").data == b"hello"
        assert ended(process, signal.SIGTERM) == (0, "")


class Watched(Emulator):
    """Sends a SIGTERM before so many lines have run in the thread that serves, from when it listens until it closes."""

    def __init__(self, line: int) -> None:
        super().__init__("obs")
        self.left = line
        self._late = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM))

    def start(self) -> Watched:
        super().start()
        sys.settrace(self._traced)
        self._late.start()
        return self

    def _traced(self, frame: FrameType, event: str, _: object) -> Any:
        self.left -= event == "line"
        if not self.left:
            sys.settrace(None)
            signal.raise_signal(signal.SIGTERM)
        return self._traced

    def close(self) -> None:
        sys.settrace(None)
        self._late.cancel()
        self._late.join()  # its signal must not come when nobody handles it any more
        super().close()


@pytest.mark.timeout(60)
def test_sigterm_ends_it_wherever_it_waits() -> None:
    """A handler runs between two lines of the main thread: also where that holds a lock that the handler waits for."""
    silent = Output(as_json=True)
    silent.row = lambda *_: None  # type: ignore[method-assign]  # else most lines would be those of what is printed
    for line in range(1, 100):
        watched = Watched(line)
        emulate._serve(watched, None, silent)
        if watched.left > 0:
            break
    assert line > 3
    assert watched.left > 0


def test_ctrl_c_ends_it_like_every_command(start: Start) -> None:
    process = start()
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(7)]
    assert lines[-1] == "Ctrl-C ends it\n"
    assert f"secret key  {SECRET_KEY}\n" in lines
    assert any(line.startswith("/etc/hosts  127.0.0.1 obs.test ") for line in lines)
    assert ended(process, signal.SIGINT) == (130, "interrupted\n")


def test_the_account_comes_from_the_environment_and_its_secret_is_not_shown(
    start: Start, secret: Callable[[str], str]
) -> None:
    own, token = secret("secret-key"), secret("token")
    process = start(OBS_ACCESS_KEY_ID="MINE", OBS_SECRET_ACCESS_KEY=own, OBS_SECURITY_TOKEN=token)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(7)]
    port = int(lines[0].partition("obs.test:")[2].partition(",")[0])
    assert "access key  MINE\n" in lines
    with speaking(port, "MINE", own) as client:
        assert client.ask("GET").code == "InvalidToken"
        assert client.ask("GET", headers={"x-obs-security-token": token}).status == 200


def test_an_oss_has_the_account_that_osss_own_variables_say(start: Start, secret: Callable[[str], str]) -> None:
    own, token = secret("secret-key"), secret("token")
    named = {"OSS_ACCESS_KEY_ID": "MINE", "OSS_ACCESS_KEY_SECRET": own, "OSS_SESSION_TOKEN": token}
    process = start("--json", vendor="oss", **named)
    said = listening(process)
    assert (said["endpoint"], said["access_key"]) == (f"http://oss.test:{said['port']}", "MINE")
    with speaking(said["port"], "MINE", own, OssClient) as client:
        assert client.ask("GET").code == "InvalidSecurityToken"
    with speaking(said["port"], "MINE", own, OssClient, token=token) as client:
        assert client.ask("PUT", "data").status == 200
        assert client.ask("PUT", "data", "key", body=b"hello").status == 200
        assert client.ask("GET", "data", "key").data == b"hello"
    assert ended(process, signal.SIGTERM) == (0, "")


def test_half_an_account_is_a_mistake(start: Start) -> None:
    process = start(OBS_ACCESS_KEY_ID="MINE")
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors.splitlines()[0][:55]) == (
        2,
        "error: OBS_ACCESS_KEY_ID and OBS_SECRET_ACCESS_KEY need",
    )


def test_a_directory_keeps_the_data(start: Start, tmp_path: Path) -> None:
    for expected in (404, 200):
        process = start("--json", "--root", str(tmp_path / "buckets"))
        with speaking(listening(process)["port"], *OURS) as client:
            assert client.ask("HEAD", "data").status == expected
            client.ask("PUT", "data")
            client.ask("PUT", "data", "key", body=b"hello")
        assert ended(process, signal.SIGTERM)[0] == 0
    assert (tmp_path / "buckets/data/key").read_bytes() == b"hello"


def test_a_certificate_makes_it_https(start: Start, tmp_path: Path) -> None:
    authority = Authority()
    pem = tmp_path / "both.pem"
    certificate = authority.issue("storage.test", "*.storage.test")
    pem.write_bytes(certificate.key + certificate.chain)
    process = start("--json", "--certificate", str(pem), "--domain", "storage.test")
    said = listening(process)
    assert said["endpoint"] == f"https://storage.test:{said['port']}"
    context = ssl.create_default_context(cafile=str(authority.write(tmp_path / "ca.pem")))
    with socket.create_connection(("127.0.0.1", said["port"])) as sock:
        with context.wrap_socket(sock, server_hostname="data.storage.test") as tls:
            assert tls.version() == "TLSv1.3"
            tls.sendall(b"HEAD /?apiversion HTTP/1.1\r\nHost: storage.test\r\nConnection: close\r\n\r\n")
            assert b"x-obs-api: 3.0\r\n" in tls.makefile("rb").read()


def test_what_is_no_certificate_and_a_port_that_is_taken_are_mistakes(start: Start, tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("no")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for arguments, said in (
            (("--certificate", str(tmp_path / "no.pem")), "no.pem is no certificate"),
            (("--port", port), f"cannot listen on 127.0.0.1:{port}"),
        ):
            process = start(*arguments)
            _, errors = process.communicate(timeout=20)
            assert process.returncode == 2
            assert said in errors
