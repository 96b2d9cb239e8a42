"""``apply_ssl_patch`` on the vendor's own client, over real TLS: who is refused has received no byte of a request."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from obs import ObsClient
from obs.model import ClientVerify
from urllib3.util import wait_for_read

from storagekit.errors import ConfigurationError
from storagekit.testing.emulator import resolving
from storagekit.testing.http_source import SourceServer
from storagekit.testing.proxy.listener import Listener, Listening
from storagekit.testing.tls import Authority, Certificate, TLSFront, only_tls_1_1, self_signed
from storagekit_obs import UnverifiedTLSWarning, apply_ssl_patch

pytestmark = pytest.mark.integration

SIZE = 300_000
TRANSPORTS: dict[str, dict[str, Any]] = {
    "default": {},
    "keep-alive": {"long_conn_mode": True},
    "requests": {"use_http_conns": True, "long_conn_mode": True},
}


@pytest.fixture(autouse=True)
def no_authorities_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> dict[str, Any]:
    return TRANSPORTS[request.param]


@pytest.fixture
def origin() -> Iterator[SourceServer]:
    with SourceServer(SIZE) as server:
        yield server


Make = Callable[..., Any]
Patch = pytest.MonkeyPatch


@pytest.fixture
def make(secret: Callable[[str], str]) -> Iterator[Make]:
    """Make unmodified clients, which are closed at the end."""
    clients = []

    def make_client(endpoint: str, **options: Any) -> Any:
        keys = {"access_key_id": "key", "secret_access_key": secret("secret-of-obs")}
        clients.append(ObsClient(**keys, server=endpoint, max_retry_count=0, timeout=10, **options))
        return clients[-1]

    yield make_client
    for client in clients:
        client.close()


def read(client: Any, bucket: str = "bucket") -> int:
    """Read an object; returns how many bytes came."""
    answer = client.getObject(bucket, "key", loadStreamInMemory=True)
    assert answer.status == 200, answer
    return len(answer.body.buffer)


@contextmanager
def front(origin: SourceServer, certificate: Certificate) -> Iterator[TLSFront]:
    with TLSFront(origin.host, origin.port, certificate.context()) as server:
        yield server


def test_a_certificate_of_the_named_authority_is_accepted(
    origin: SourceServer, authority: Authority, ca_file: str, make: Make, transport: dict[str, Any]
) -> None:
    with front(origin, authority.issue("127.0.0.1")) as server:
        client = make(server.endpoint, **transport)
        assert apply_ssl_patch(client, ca_file=ca_file) is client
        assert SIZE == read(client)


BAD: dict[str, Callable[[Authority], ssl.SSLContext]] = {
    "other host": lambda authority: authority.issue("*.example.net", "10.0.0.1").context(),
    "self-signed": lambda authority: self_signed("127.0.0.1").context(),
    "expired": lambda authority: authority.issue("127.0.0.1", begins=-30, ends=-1).context(),
    "unknown authority": lambda authority: Authority("strangers").issue("127.0.0.1").context(),
    "TLS 1.1": lambda authority: only_tls_1_1(authority.issue("127.0.0.1").context()),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_not_accepted_hears_no_request(
    origin: SourceServer, authority: Authority, ca_file: str, make: Make, transport: dict[str, Any], kind: str
) -> None:
    with TLSFront(origin.host, origin.port, BAD[kind](authority)) as server:
        client = apply_ssl_patch(make(server.endpoint, **transport), ca_file=ca_file)
        with pytest.raises(Exception, match=r"CERTIFICATE_VERIFY_FAILED|UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION"):
            read(client)

    assert (1, 0, 0) == (server.connections, server.handshakes, server.bytes_up)


def test_without_the_patch_the_sdk_accepts_the_certificate_of_another_host(
    origin: SourceServer, authority: Authority, ca_file: str, make: Make
) -> None:
    with front(origin, authority.issue("*.example.net")) as server:
        assert SIZE == read(make(server.endpoint, ssl_verify=ca_file))


def test_only_the_one_client_is_changed(origin: SourceServer, authority: Authority, ca_file: str, make: Make) -> None:
    before = dict(vars(ObsClient))
    with front(origin, self_signed("127.0.0.1")) as server:
        apply_ssl_patch(make(server.endpoint), ca_file=ca_file)
        assert SIZE == read(make(server.endpoint))

    assert before == dict(vars(ObsClient))


def test_applied_again_it_changes_nothing_and_keeps_the_connection(
    origin: SourceServer, authority: Authority, ca_file: str, make: Make
) -> None:
    with front(origin, authority.issue("127.0.0.1")) as server:
        client = apply_ssl_patch(make(server.endpoint, long_conn_mode=True), ca_file=ca_file)
        context = client.context
        read(client)
        assert apply_ssl_patch(client, ca_file=ca_file).context is context
        read(client)

    assert 1 == server.handshakes


def test_applied_with_another_file_it_trusts_only_that_one(
    origin: SourceServer, authority: Authority, ca_file: str, make: Make, transport: dict[str, Any], tmp_path: Path
) -> None:
    other = Authority("others").write(tmp_path / "other.pem")
    with front(origin, authority.issue("127.0.0.1")) as server:
        client = apply_ssl_patch(make(server.endpoint, **transport), ca_file=ca_file)
        read(client)
        apply_ssl_patch(client, ca_file=other)
        with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
            read(client)


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")  # urllib3's, before
def test_a_connection_that_was_made_before_is_not_used_after(
    origin: SourceServer, authority: Authority, ca_file: str, make: Make, transport: dict[str, Any]
) -> None:
    with front(origin, self_signed("127.0.0.1")) as server:
        client = make(server.endpoint, **transport)
        read(client)
        with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
            read(apply_ssl_patch(client, ca_file=ca_file))


# --- whom it trusts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["ssl_verify", "SSL_CERT_FILE"])
def test_the_authorities_can_be_named_by_the_client_or_the_environment(
    origin: SourceServer, authority: Authority, ca_file: str, make: Make, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    options = {"ssl_verify": ca_file} if named == "ssl_verify" else {}
    if not options:
        monkeypatch.setenv(named, ca_file)
    with front(origin, authority.issue("127.0.0.1")) as server:
        assert SIZE == read(apply_ssl_patch(make(server.endpoint, **options)))


@pytest.mark.parametrize("ssl_verify", [False, True])
def test_by_default_the_authorities_are_certifis(
    origin: SourceServer, authority: Authority, make: Make, transport: dict[str, Any], ssl_verify: bool
) -> None:
    with front(origin, authority.issue("127.0.0.1")) as server:
        client = apply_ssl_patch(make(server.endpoint, ssl_verify=ssl_verify, **transport))
        with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
            read(client)

    assert len(client.context.get_ca_certs()) > 50


def test_what_requests_reads_from_the_environment_is_not_trusted_beside_the_file(
    origin: SourceServer,
    authority: Authority,
    ca_file: str,
    make: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_file)
    other = Authority("others").write(tmp_path / "other.pem")
    with front(origin, authority.issue("127.0.0.1")) as server:
        client = make(server.endpoint, trust_env=True, **TRANSPORTS["requests"])
        with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
            read(apply_ssl_patch(client, ca_file=other))

    assert 0 == server.bytes_up


@pytest.mark.parametrize("content", [None, "no certificate\n"])
@pytest.mark.parametrize("named", ["ca_file", "SSL_CERT_FILE"])
def test_a_file_that_cannot_be_read_is_a_setting_to_correct_and_changes_nothing(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, named: str
) -> None:
    path = tmp_path / "authorities.pem"
    if content is not None:
        path.write_text(content)
    if named == "SSL_CERT_FILE":
        monkeypatch.setenv(named, str(path))
    client = make("https://127.0.0.1:1")
    before = dict(vars(client))
    with pytest.raises(ConfigurationError, match=f"authorities in '{path}' cannot be read") as caught:
        apply_ssl_patch(client, ca_file=str(path) if named == "ca_file" else None)

    assert "SSL_CERT_FILE" in (caught.value.hint or "")
    assert before == vars(client)


# --- without verification ---------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")  # what urllib3 adds, for each
def test_verification_ends_by_an_argument_only_and_that_is_said_once_per_client(
    origin: SourceServer, make: Make, transport: dict[str, Any]
) -> None:
    with front(origin, self_signed("127.0.0.1")) as server:
        client = make(server.endpoint, **transport)
        with pytest.warns(UnverifiedTLSWarning, match="TLS to 127.0.0.1 is not verified") as seen:
            apply_ssl_patch(client, verify=False)
        apply_ssl_patch(client, verify=False)  # a warning would be an error here
        assert SIZE == read(client)

    assert [__file__] == [one.filename for one in seen]


def test_even_without_verification_tls_1_1_is_too_old(origin: SourceServer, authority: Authority, make: Make) -> None:
    with TLSFront(origin.host, origin.port, BAD["TLS 1.1"](authority)) as server:
        client = make(server.endpoint)
        with pytest.warns(UnverifiedTLSWarning):
            apply_ssl_patch(client, verify=False)
        with pytest.raises(ssl.SSLError):
            read(client)


def test_verification_can_be_put_on_again(origin: SourceServer, make: Make, ca_file: str) -> None:
    with front(origin, self_signed("127.0.0.1")) as server:
        client = make(server.endpoint, long_conn_mode=True)
        with pytest.warns(UnverifiedTLSWarning):
            apply_ssl_patch(client, verify=False)
        read(client)
        with pytest.raises(ssl.SSLCertVerificationError):
            read(apply_ssl_patch(client, ca_file=ca_file))


def test_authorities_without_verification_contradict_themselves(make: Make, ca_file: str) -> None:
    with pytest.raises(ConfigurationError, match="mean nothing with verify=False"):
        apply_ssl_patch(make("https://127.0.0.1:1"), ca_file=ca_file, verify=False)


@pytest.mark.parametrize("name", ["use_http2", "is_use_gmssl"])
def test_a_client_that_cannot_be_made_safe_is_refused(make: Make, name: str) -> None:
    client = make("https://127.0.0.1:1")
    setattr(client, name, True)  # to make one so needs a package that is dead, and a Python that nobody has
    with pytest.raises(ConfigurationError, match="TLS is not verified over") as caught:
        apply_ssl_patch(client)
    assert name in (caught.value.hint or "")


def test_a_client_for_plain_http_stays_as_it_is(origin: SourceServer, make: Make) -> None:
    client = make(f"http://{origin.host}:{origin.port}")
    before = dict(vars(client))
    assert apply_ssl_patch(client, verify=False) is client
    assert before == vars(client)
    assert SIZE == read(client)


def test_what_is_no_client_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"takes an obs\.ObsClient, not str"):
        apply_ssl_patch("https://obs")


# --- what the client had before ---------------------------------------------------------------------------------------


def test_a_client_certificate_and_ciphers_are_kept(
    origin: SourceServer, authority: Authority, ca_file: str, make: Make, tmp_path: Path
) -> None:
    mine = authority.issue("client.test").write(tmp_path / "mine")
    certificate = ClientVerify(clientCert=str(mine / "public.crt"), clientKey=str(mine / "private.key"))
    context = authority.issue("127.0.0.1").context()
    context.load_verify_locations(ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    with TLSFront(origin.host, origin.port, context) as server:
        cipher = "ECDHE-RSA-AES256-GCM-SHA384"
        client = make(server.endpoint, client_verify=certificate, custom_ciphers=cipher)
        assert SIZE == read(apply_ssl_patch(client, ca_file=ca_file))

    names = [one["name"] for one in client.context.get_ciphers() if not one["name"].startswith("TLS_")]  # those of 1.3
    assert [cipher] == names


# --- connections that are kept ----------------------------------------------------------------------------------------


def kept(client: Any) -> list[Any]:
    return [one for waiting in client.connHolder["connSet"]._waiting.values() for one in waiting]


@pytest.mark.parametrize("patched", [True, False])
def test_connections_are_kept_per_host_which_the_sdk_mixes_up(
    origin: SourceServer, authority: Authority, ca_file: str, make: Make, patched: bool
) -> None:
    names: list[str | None] = []
    context = authority.issue("*.obs.test").context()
    context.sni_callback = lambda _, name, __: names.append(name)
    with TLSFront(origin.host, origin.port, context) as server, resolving("obs.test"):
        client = make(f"https://obs.test:{server.port}", is_signature_negotiation=False, long_conn_mode=True)
        if patched:
            apply_ssl_patch(client, ca_file=ca_file)
        for bucket in ("one", "two", "one", "two"):
            read(client, bucket)

    assert (["one.obs.test", "two.obs.test"] if patched else ["one.obs.test"]) == names
    asked = {(record.connection, record.headers["host"].partition(".")[0]) for record in origin.requests}
    assert 2 == len(asked)


def test_a_connection_that_the_server_has_closed_meanwhile_is_not_used(
    authority: Authority, ca_file: str, make: Make, origin: SourceServer
) -> None:
    certificate = authority.issue("127.0.0.1")
    with front(origin, certificate) as server:
        client = apply_ssl_patch(make(server.endpoint, long_conn_mode=True), ca_file=ca_file)
        read(client)
        origin.close()
        assert wait_for_read(kept(client)[0].sock, timeout=10)  # the goodbye has come
        origin.start()
        assert SIZE == read(client)

    assert 2 == server.handshakes


class Tunnel(Listening):
    """A proxy that knows nothing but CONNECT; keeps what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[bytes] = []

    def _serve(self, sock: socket.socket, listener: Listener) -> None:
        head = sock.recv(1 << 14)
        self.asked.append(head.split()[1])
        host, _, port = self.asked[-1].rpartition(b":")
        with socket.create_connection((host.decode(), int(port)), timeout=10) as far:
            listener.track(far)
            sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pump, args=(far, sock))
            back.start()
            pump(sock, far)
            back.join()
            listener.forget(far)


def pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while block := source.recv(1 << 16):
            sink.sendall(block)
        sink.shutdown(socket.SHUT_WR)


def test_through_a_proxy_the_name_behind_it_is_checked_and_the_tunnel_kept(
    origin: SourceServer, authority: Authority, ca_file: str, make: Make
) -> None:
    options = {"proxy_host": "127.0.0.1", "long_conn_mode": True}
    with Tunnel() as proxy, front(origin, authority.issue("127.0.0.1")) as server:
        client = apply_ssl_patch(make(server.endpoint, proxy_port=proxy.port, **options), ca_file=ca_file)
        assert [SIZE, SIZE] == [read(client), read(client)]
        assert 1 == server.handshakes
    with Tunnel() as other, front(origin, authority.issue("other.test")) as server:
        stranger = apply_ssl_patch(make(server.endpoint, proxy_port=other.port, **options), ca_file=ca_file)
        with pytest.raises(ssl.SSLCertVerificationError):
            read(stranger)

    assert [1, 1] == [len(proxy.asked), len(other.asked)]
    assert 0 == server.bytes_up


def test_an_answer_that_was_not_read_spoils_no_other(
    origin: SourceServer, authority: Authority, ca_file: str, make: Make
) -> None:
    with front(origin, authority.issue("127.0.0.1")) as server:
        client = apply_ssl_patch(make(server.endpoint, long_conn_mode=True), ca_file=ca_file)
        answer = client.getObject("bucket", "key", loadStreamInMemory=False)
        answer.body.response.read(1)
        answer.body.response.close()
        assert SIZE == read(client)

    assert 2 == server.handshakes


def test_an_answer_that_is_closed_twice_gives_its_connection_back_once(
    origin: SourceServer, authority: Authority, ca_file: str, make: Make
) -> None:
    with front(origin, authority.issue("127.0.0.1")) as server:
        client = apply_ssl_patch(make(server.endpoint, long_conn_mode=True), ca_file=ca_file)
        first = client.getObject("bucket", "key", loadStreamInMemory=False)
        while first.body.response.read(SIZE):
            pass
        first.body.response.close()
        first.body.response.close()
        both = [client.getObject("bucket", "key", loadStreamInMemory=False) for _ in range(2)]
        assert [SIZE, SIZE] == [len(one.body.response.read()) for one in both]
        for one in both:
            one.body.response.close()

    assert 2 == server.handshakes


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_makes_connections_of_its_own(
    origin: SourceServer, authority: Authority, ca_file: str, make: Make
) -> None:
    with front(origin, authority.issue("127.0.0.1")) as server:
        client = apply_ssl_patch(make(server.endpoint, long_conn_mode=True), ca_file=ca_file)
        read(client)
        child = os.fork()
        if not child:
            os._exit(int(read(client) != SIZE))
        assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert SIZE == read(client)

    assert 2 == server.handshakes


def test_a_closed_client_has_closed_its_connections(
    origin: SourceServer, authority: Authority, ca_file: str, make: Make
) -> None:
    with front(origin, authority.issue("127.0.0.1")) as server:
        client = apply_ssl_patch(make(server.endpoint, long_conn_mode=True), ca_file=ca_file)
        read(client)
        connections = kept(client)
        client.close()

    assert [None] == [one.sock for one in connections]
