"""TLS on real connections, good and bad, for the service and for a URL that is read: the same rule for both.

A server whose certificate is not accepted hears nothing but the beginning of a handshake, once. The command says what
to do about it, and ends as ``docs/reference/errors.md`` says: 5 for a certificate, 2 for http and https mixed up.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from storagekit import StorageClient, errors
from storagekit.testing.hostile.lies import redirect
from storagekit.testing.hostile.server import HostileServer
from storagekit.testing.hostile.site import Site
from storagekit.testing.http_source import SourceProcess, SourceServer
from storagekit.testing.proxy import TCPProxy
from storagekit.testing.servers import S3Server, start_minio
from storagekit.testing.tls import ALERT, GO, NGINX, Authority, TLSFront, only_tls_1_1, self_signed
from tests.integration.conftest import (
    Finished,
    LocalTarget,
    S3Target,
    Sender,
    killed_at_the_end,
    sha256_of_pattern,
    target_on,
)
from tests.secrets_scan import declare

pytestmark = pytest.mark.integration

MIB = 1024**2
VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture(autouse=True)
def no_authorities_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@dataclass
class Side:
    """One who is spoken to: where it is without TLS, and a command that needs it."""

    host: str
    port: int
    sender: Sender
    command: Callable[[str], list[str]]
    variable: str | None = None

    def ask(self, address: str, **environment: str) -> Finished:
        """Run the command against ``address``, a URL without a path."""
        mine = {self.variable: address} if self.variable else {}
        self.sender.target.environment = {**self.sender.target.environment, **mine, **environment}
        return self.sender.run(*self.command(address))


@pytest.fixture(params=["minio", "obs", "oss", "source"])
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Side]:
    """The storage services, and a web server that is read from."""
    if request.param != "source":
        server: S3Server = request.getfixturevalue(request.param)
        target = target_on(server, server.endpoint)
        command, variable = ["ls", "--json", target.bucket_uri], f"{request.param.upper()}_ENDPOINT"
        yield Side(*place_of(server), Sender(target, tmp_path / "homes"), lambda _: command, variable)
        return
    local = LocalTarget(tmp_path / "root")
    with SourceServer(100_000) as source:
        sender = Sender(local, tmp_path / "homes")
        yield Side(source.host, source.port, sender, lambda url: ["cp", "--json", f"{url}/a", local.uri("a")])


def place_of(server: S3Server) -> tuple[str, int]:
    host, _, port = server.endpoint.removeprefix("http://").partition(":")
    return host, int(port)


def said(finished: Finished) -> dict[str, Any]:
    """The error that a command ended with."""
    event: dict[str, Any] = json.loads(finished.out.splitlines()[-1])
    assert ("error", finished.code) == (event["event"], event["exit_code"])
    return event


def test_a_certificate_of_the_private_authority_is_accepted(side: Side, authority: Authority, ca_file: str) -> None:
    context = authority.issue("127.0.0.1", "localhost").context()
    with TLSFront(side.host, side.port, context) as front:
        by_number = side.ask(front.endpoint, SSL_CERT_FILE=ca_file)
        by_name = side.ask(f"https://localhost:{front.port}", SSL_CERT_FILE=ca_file)

    assert [0, 0] == [by_number.code, by_name.code], (by_number, by_name)
    assert front.connections == front.handshakes >= 2
    assert front.bytes_up > 0


@pytest.mark.parametrize(
    ("kind", "sentence", "advice"),
    [
        ("other host", "certificate is for another host: IP address mismatch", "with a name that the certificate is"),
        ("self-signed", "certificate is signed by itself", "name its file with SSL_CERT_FILE"),
        ("expired", "certificate has expired", "Have it renewed"),
        ("not yet valid", "certificate is not valid yet", "Set this machine's clock"),
        ("unknown authority", "of an authority that is not trusted here", "file with SSL_CERT_FILE"),
        ("TLS 1.1", "offers no TLS 1.2 or newer", "Have the server updated"),
    ],
)
def test_what_is_not_accepted_hears_no_request_and_is_asked_once(
    side: Side, authority: Authority, ca_file: str, kind: str, sentence: str, advice: str
) -> None:
    contexts = {
        "other host": lambda: authority.issue("*.example.net", "10.0.0.1").context(),
        "self-signed": lambda: self_signed("127.0.0.1").context(),
        "expired": lambda: authority.issue("127.0.0.1", begins=-30, ends=-1).context(),
        "not yet valid": lambda: authority.issue("127.0.0.1", begins=1, ends=30).context(),
        "unknown authority": lambda: Authority("strangers").issue("127.0.0.1").context(),
        "TLS 1.1": lambda: only_tls_1_1(authority.issue("127.0.0.1").context()),
    }
    with TLSFront(side.host, side.port, contexts[kind]()) as front:
        finished = side.ask(front.endpoint, SSL_CERT_FILE=ca_file)

    error = said(finished)
    assert ("ServiceError", "untrusted", 5) == (error["error"], error["code"], error["exit_code"])
    assert sentence in error["message"]
    assert advice in error["hint"]
    assert (1, 0, 0) == (front.connections, front.handshakes, front.bytes_up)


def test_without_the_file_of_the_authority_its_certificate_is_not_accepted(side: Side, authority: Authority) -> None:
    with TLSFront(side.host, side.port, authority.issue("127.0.0.1").context()) as front:
        finished = side.ask(front.endpoint)

    assert "untrusted" == said(finished)["code"]
    assert (1, 0, 0) == (front.connections, front.handshakes, front.bytes_up)


@pytest.mark.parametrize(
    "environment",
    [
        dict.fromkeys(VARIABLES, ""),
        {"CURL_CA_BUNDLE": ""},
        {"PYTHONHTTPSVERIFY": "0"},
        {"GIT_SSL_NO_VERIFY": "1", "NODE_TLS_REJECT_UNAUTHORIZED": "0", "AWS_CA_BUNDLE": ""},
    ],
    ids=["empty", "curl", "python", "others"],
)
def test_no_variable_switches_the_look_at_certificates_off(
    side: Side, authority: Authority, environment: dict[str, str]
) -> None:
    with TLSFront(side.host, side.port, authority.issue("127.0.0.1").context()) as front:
        finished = side.ask(front.endpoint, **environment)

    assert "untrusted" == said(finished)["code"]
    assert 0 == front.bytes_up


@pytest.mark.parametrize("content", [None, "no certificate\n"])
def test_a_file_of_authorities_that_cannot_be_read_is_a_setting_to_correct(
    side: Side, authority: Authority, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "authorities.pem"
    if content is not None:
        path.write_text(content)
    with TLSFront(side.host, side.port, authority.issue("127.0.0.1").context()) as front:
        error = said(side.ask(front.endpoint, SSL_CERT_FILE=str(path)))

    assert ("ConfigurationError", 2, 0) == (error["error"], error["exit_code"], front.connections)
    assert f"the certificate authorities in '{path}' cannot be read" in error["message"]
    assert "SSL_CERT_FILE" in error["hint"]


def test_plain_http_behind_https_is_a_setting_to_correct(side: Side) -> None:
    with TCPProxy(side.host, side.port) as proxy:
        error = said(side.ask(proxy.endpoint.replace("http://", "https://")))

    assert ("ConfigurationError", "wrong_endpoint", 2) == (error["error"], error["code"], error["exit_code"])
    assert "does not speak TLS at this port" in error["message"]
    assert "Write http:// in the" in error["hint"]
    assert 1 == proxy.connections


@pytest.mark.parametrize("answer", [GO, NGINX, ALERT], ids=["Go", "nginx", "alert"])
def test_tls_behind_http_is_a_setting_to_correct(side: Side, authority: Authority, answer: bytes) -> None:
    with TLSFront(side.host, side.port, authority.issue("127.0.0.1").context(), answer) as front:
        error = said(side.ask(f"http://127.0.0.1:{front.port}"))

    assert ("ConfigurationError", "wrong_endpoint", 2) == (error["error"], error["code"], error["exit_code"])
    assert "speaks TLS at this port, not plain HTTP" in error["message"]
    assert "Write https:// in the" in error["hint"]
    assert 1 == front.connections


# --- from Python, and what is particular to one of the two ------------------------------------------------------------


def test_nothing_is_sent_to_an_upload_whose_service_is_not_trusted(
    minio: S3Server, authority: Authority, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 6 * MIB)
    settings: Any = {"access_key": minio.access_key, "secret_key": minio.secret_key}
    with TLSFront(*place_of(minio), authority.issue("127.0.0.1").context()) as front:
        with StorageClient("minio", endpoint=front.endpoint, **settings) as client:
            with pytest.raises(errors.ServiceError) as caught:
                client.upload_file(path, "key", bucket="bucket")

    assert isinstance(caught.value, ConnectionError)
    assert ("untrusted", 1, 0) == (caught.value.code, front.connections, front.bytes_up)


def test_the_setting_of_a_profile_is_for_its_service_and_the_variable_for_all(
    minio: S3Server, authority: Authority, ca_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: Any = {"access_key": minio.access_key, "secret_key": minio.secret_key, "ca_file": ca_file}
    bucket = S3Target(minio, minio.endpoint).bucket
    context = authority.issue("127.0.0.1").context()
    with contextlib.ExitStack() as stack:
        service = stack.enter_context(TLSFront(*place_of(minio), context))
        origin = stack.enter_context(SourceServer(1000))
        source = stack.enter_context(TLSFront(origin.host, origin.port, context))
        client = stack.enter_context(StorageClient("minio", endpoint=service.endpoint, bucket=bucket, **settings))
        assert [] == list(client.iter_objects())
        with pytest.raises(errors.ServiceError, match="not trusted here"):
            client.upload_url(f"{source.endpoint}/a", "a")
        assert 0 == source.bytes_up
        monkeypatch.setenv("SSL_CERT_FILE", ca_file)
        assert 1000 == client.upload_url(f"{source.endpoint}/a", "a").size


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_sources_have_a_variable_of_their_own_which_wins(
    authority: Authority, ca_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, ca_file)
    monkeypatch.setenv("SSL_CERT_FILE", Authority("strangers").write(tmp_path / "strangers.pem"))
    with SourceServer(1000) as origin:
        with TLSFront(origin.host, origin.port, authority.issue("127.0.0.1").context()) as front:
            with new_bucket() as client:
                assert 1000 == client.upload_url(f"{front.endpoint}/a", "a").size


def new_bucket() -> StorageClient:
    client = StorageClient("memory", bucket=f"tls-{secrets.token_hex(4)}")
    client.create_bucket()
    return client


def test_a_redirect_to_a_host_that_is_not_trusted_sends_nothing_there(
    authority: Authority, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    strange = Authority("strangers").issue("127.0.0.1").context()
    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(SourceServer(1000))
        target = stack.enter_context(TLSFront(origin.host, origin.port, strange))
        lies = (redirect({"/object.bin": (302, f"{target.endpoint}/a")}),)
        sender = stack.enter_context(HostileServer(Site(lies=lies)))
        port = int(sender.url.rpartition(":")[2].partition("/")[0])
        front = stack.enter_context(TLSFront("127.0.0.1", port, authority.issue("127.0.0.1").context()))
        client = stack.enter_context(new_bucket())
        with pytest.raises(errors.ServiceError) as caught:
            client.upload_url(f"{front.endpoint}/object.bin", "a", headers={"Authorization": "Bearer hush"})

    assert "untrusted" == caught.value.code
    assert (1, 1, 0) == (len(sender.requests), target.connections, target.bytes_up)


# --- MinIO itself -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def secure_minio(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A MinIO that speaks TLS by itself, with a certificate of the private authority."""
    tmp_path = tmp_path_factory.mktemp("secure")
    with start_minio(tmp_path, certs_dir=authority.issue("127.0.0.1").write(tmp_path / "certs")) as server:
        declare(server.secret_key)
        yield server


def test_minio_over_tls_takes_a_whole_transfer_killed_on_its_way(
    secure_minio: S3Server, authority: Authority, ca_file: str, tmp_path: Path
) -> None:
    size, part = 40 * MIB, 5 * MIB
    target = S3Target(secure_minio, secure_minio.endpoint, ca_file=ca_file)
    sender, uri, group = Sender(target, tmp_path / "homes"), target.uri("raw/shard.bin"), tmp_path / "pgid"
    with SourceProcess("--size", str(size), "--rate", "40MB") as source:
        host, _, port = source.url.removeprefix("http://").partition("/")[0].partition(":")
        with TLSFront(host, int(port), authority.issue("127.0.0.1").context()) as front:
            arguments = ["cp", f"{front.endpoint}/shard.bin", uri, "--part-size", str(part), "--json"]
            source.configure(kill_at=size * 60 // 100, kill_pgid_file=str(group))
            with killed_at_the_end(sender.start(*arguments)) as process:
                group.write_text(str(process.pid))
                assert -9 == process.wait(timeout=120)
            result = sender.run(*arguments).result
    copy = tmp_path / "copy"
    downloaded = sender.run("cp", uri, str(copy), "--verify", "--json").result

    assert (True, size // part, size) == (result["resumed"], result["parts"], downloaded["size"])
    assert sha256_of_pattern(size) == target.sha256("raw/shard.bin")
    assert sha256_of_pattern(size) == hashlib.sha256(copy.read_bytes()).hexdigest()
    assert [] == target.left_over()


def test_minio_itself_says_that_it_speaks_tls(secure_minio: S3Server, tmp_path: Path) -> None:
    address = secure_minio.endpoint.removeprefix("https://")
    environment = {"MINIO_ENDPOINT": f"http://{address}", "MINIO_ACCESS_KEY": "a", "MINIO_SECRET_KEY": "b" * 20}
    error = said(run_ls(environment, tmp_path))

    assert ("wrong_endpoint", 2, 400) == (error["code"], error["exit_code"], error["status"])
    assert "Write https:// in the endpoint" == error["hint"]


def test_a_minio_that_made_its_certificate_itself_is_trusted_by_that_certificate(tmp_path: Path) -> None:
    certs = self_signed("127.0.0.1").write(tmp_path / "certs")
    with start_minio(tmp_path, certs_dir=certs) as server:
        environment = {"MINIO_ENDPOINT": server.endpoint, "MINIO_ACCESS_KEY": "a", "MINIO_SECRET_KEY": "b" * 20}
        error = said(run_ls(environment, tmp_path))

    assert ("untrusted", 5) == (error["code"], error["exit_code"])
    assert "certificate is signed by itself" in error["message"]


@pytest.mark.parametrize("kind", ["expired", "http", "https"])
def test_config_check_and_ls_end_alike(
    minio: S3Server, authority: Authority, ca_file: str, tmp_path: Path, kind: str
) -> None:
    target = S3Target(minio, minio.endpoint)
    context = authority.issue("127.0.0.1", ends=-0.5 if kind == "expired" else 1).context()
    with TLSFront(*place_of(minio), context) as front:
        endpoints = {
            "expired": front.endpoint,
            "http": f"http://127.0.0.1:{front.port}",
            "https": minio.endpoint.replace("http://", "https://"),
        }
        target.environment |= {"MINIO_ENDPOINT": endpoints[kind], "SSL_CERT_FILE": ca_file}
        sender = Sender(target, tmp_path / "homes")
        ends = [
            said(sender.run(*words, "--json", f"minio://{target.bucket}"))
            for words in (["ls"], ["config", "check"], ["uploads", "list"])
        ]

    found = {(end["code"], end["exit_code"], end["error"]) for end in ends}
    certificate, scheme = ("untrusted", 5, "ServiceError"), ("wrong_endpoint", 2, "ConfigurationError")
    assert {certificate if kind == "expired" else scheme} == found


def run_ls(environment: dict[str, str], tmp_path: Path) -> Finished:
    target = LocalTarget(tmp_path / "local")
    target.environment = environment
    return Sender(target, tmp_path / "homes").run("ls", "--json", "minio://bucket")
