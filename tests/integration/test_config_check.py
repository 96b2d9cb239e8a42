"""``storagekit config check`` against real servers: all is well, and each thing that can be wrong on the way there."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import typer
from minio import Minio, MinioAdmin
from minio.credentials.providers import StaticProvider
from typer.testing import CliRunner

from storagekit._checkup import examine, verdict, wire
from storagekit._checkup.finding import Finding, Status, Step
from storagekit._checkup.service import store_of
from storagekit._checkup.subject import Subject
from storagekit.cli import config_check
from storagekit.cli._exit import exit_code
from storagekit.drivers.local import LocalDriver
from storagekit.errors import StorageError
from storagekit.testing.proxy import Answer, Fault, FaultProxy, Garbage, Transaction, matches
from storagekit.testing.servers import S3Server
from storagekit.testing.tls import ALERT, GO, NGINX, Authority, Certificate, TLSFront, only_tls_1_1, self_signed
from storagekit_minio.driver import MinioDriver

pytestmark = pytest.mark.integration

CHECKED = r"/\.storagekit/check/"


@dataclass(frozen=True)
class Checked:
    """What a checkup found."""

    steps: dict[str, Finding]

    @property
    def bad(self) -> dict[str, str]:
        """The steps that did not simply succeed, by status."""
        fine = (Status.OK, Status.NOT_NEEDED)
        return {name: found.status.value for name, found in self.steps.items() if found.status not in fine}

    @property
    def error(self) -> StorageError:
        error = verdict([Step(name, finding) for name, finding in self.steps.items()])
        assert error is not None
        return error

    def failed_at(self, name: str) -> StorageError:
        """Return the error, after having made sure that this is the step, and that nothing behind it was tried."""
        behind = list(self.steps)[list(self.steps).index(name) + 1 :]
        assert {name: "failed", **dict.fromkeys(behind, "not tried")} == self.bad
        return self.error


def check(
    settings: dict[str, str],
    bucket: str | None = None,
    now: Callable[[], float] = time.time,
    environment: dict[str, str] | None = None,
) -> Checked:
    driver = MinioDriver.from_settings({"read_timeout_s": "5", **settings})
    with contextlib.closing(driver):
        subject = Subject("minio", bucket, store_of(driver, "minio"), settings, dict.fromkeys(settings, "SET"), True)
        steps = examine(subject, now, secrets.token_hex(8), environment or {})
        return Checked({step.name: step.finding for step in steps})


def settings_of(server: S3Server, **others: str) -> dict[str, str]:
    return {
        "endpoint": server.endpoint,
        "access_key": server.access_key,
        "secret_key": server.secret_key,
        "region": server.region,
        **others,
    }


def client_of(server: S3Server) -> Minio:
    return Minio(
        server.endpoint.removeprefix("http://"),
        access_key=server.access_key,
        secret_key=server.secret_key,
        region=server.region,
        secure=False,
    )


def make_bucket(server: S3Server) -> str:
    name = f"check-{secrets.token_hex(4)}"
    client_of(server).make_bucket(bucket_name=name)
    return name


def contents(server: S3Server, bucket: str) -> list[str]:
    found = client_of(server).list_objects(bucket_name=bucket, recursive=True)
    return [item.object_name or "" for item in found]


@pytest.fixture
def bucket(minio: S3Server) -> str:
    return make_bucket(minio)


# --- real servers -----------------------------------------------------------------------------------------------------


def test_where_all_is_well_the_facts_are_told_and_nothing_is_left(s3_server: S3Server) -> None:
    name = make_bucket(s3_server)

    found = check(settings_of(s3_server), name)

    assert {} == found.bad
    assert "127.0.0.1" == found.steps["connection"].facts["address"]
    assert abs(float(found.steps["clock"].facts["clock_offset_s"])) < 60
    assert [] == contents(s3_server, name)
    if s3_server.name == "minio":
        assert "MinIO" == found.steps["http"].facts["server"]


def test_a_name_is_looked_up(minio: S3Server, bucket: str) -> None:
    found = check(settings_of(minio, endpoint=minio.endpoint.replace("127.0.0.1", "localhost")), bucket)

    assert {} == found.bad
    assert "localhost is " in found.steps["name"].sentence


def test_without_a_bucket_the_credentials_are_checked_and_the_buckets_named(minio: S3Server, bucket: str) -> None:
    found = check(settings_of(minio))

    assert {"not tried"} == set(found.bad.values())
    assert "ok" == found.steps["credentials"].status.value
    assert found.steps["bucket"].sentence.startswith("no bucket was named; there are ")


def test_a_wrong_secret_key(strict_server: S3Server) -> None:
    error = check(settings_of(strict_server, secret_key="not-the-secret-of-it"), "any").failed_at("credentials")

    assert "the secret key does not fit the access key (SignatureDoesNotMatch)" == error.message
    assert ("Copy both keys (from SET) again", 4) == (str(error.hint).partition(",")[0], exit_code(error))


def test_an_unknown_access_key(minio: S3Server) -> None:
    error = check(settings_of(minio, access_key="nobody-knows-me")).failed_at("credentials")

    assert ("the access key is not known there (InvalidAccessKeyId)", 4) == (error.message, exit_code(error))


def test_a_session_token_that_is_none(minio: S3Server, bucket: str) -> None:
    error = check(settings_of(minio, session_token="abcdef"), bucket).failed_at("credentials")

    assert ("the session token is not valid, or no longer (InvalidTokenId)", 4) == (error.message, exit_code(error))


def test_a_region_that_is_not_the_servers(swift: S3Server) -> None:
    error = check(settings_of(swift, region="nowhere-1"), "any").failed_at("credentials")

    assert error.message.startswith("the region is not the service's: ")
    assert (True, 2) == (swift.region in error.message, exit_code(error))


@pytest.mark.parametrize(("name", "code"), [("no-such-bucket", 3), ("No_", 2)])
def test_a_bucket_that_is_not_there_or_cannot_be(s3_server: S3Server, name: str, code: int) -> None:
    found = check(settings_of(s3_server), name)

    error = found.failed_at("bucket")
    if s3_server.name not in ("minio", "swift"):
        code = 3  # there, what no bucket can be called is just not there
    assert ("ok", code) == (found.steps["credentials"].status.value, exit_code(error))


READ = ["s3:ListBucket", "s3:GetObject"]
WRITE = ["s3:PutObject", "s3:DeleteObject"]


@pytest.mark.parametrize(
    ("actions", "bad", "words"),
    [
        (READ, {"put": "failed", "delete": "not tried", "parts": "failed"}, "may not write to"),
        ([*WRITE, "s3:GetObject", "s3:AbortMultipartUpload"], {"bucket": "warning", "list": "failed"}, "may not list"),
        ([*WRITE, "s3:ListBucket", "s3:AbortMultipartUpload"], {"get": "failed"}, "may not read from"),
        ([*READ, *WRITE], {"parts": "failed"}, "may not abort an upload in parts"),
    ],
    ids=["read only", "no list", "no get", "no abort"],
)
def test_users_of_minio_with_less_than_all_permissions(
    minio: S3Server, bucket: str, actions: list[str], bad: dict[str, str], words: str
) -> None:
    user, password = make_user(minio, actions)

    found = check(settings_of(minio, access_key=user, secret_key=password), bucket)

    assert bad == found.bad
    assert ("access_denied", 4, True) == (found.error.code, exit_code(found.error), words in found.error.message)
    assert [] == contents(minio, bucket)


def test_who_may_only_read_is_told_that_reading_and_listing_work(minio: S3Server, bucket: str) -> None:
    user, password = make_user(minio, READ)

    error = check(settings_of(minio, access_key=user, secret_key=password), bucket).error

    said = f"these credentials may not write to minio://{bucket}: put was refused (AccessDenied); list and get work"
    assert said == error.message


def make_user(server: S3Server, actions: Sequence[str]) -> tuple[str, str]:
    admin = MinioAdmin(
        endpoint=server.endpoint.removeprefix("http://"),
        credentials=StaticProvider(server.access_key, server.secret_key),
        secure=False,
    )
    user, password = f"user-{secrets.token_hex(4)}", secrets.token_hex(12)
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": ["arn:aws:s3:::*"]}
    admin.policy_add(user, policy={"Version": "2012-10-17", "Statement": [statement]})
    admin.user_add(user, password)
    admin.policy_set(user, user=user)
    return user, password


# --- answers changed on the way ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def proxied(server: S3Server, *faults: Fault) -> Iterator[dict[str, str]]:
    with FaultProxy(server.endpoint, faults) as proxy:
        yield settings_of(server, endpoint=proxy.endpoint)


@dataclass(frozen=True)
class SaysDate:
    """Answers as an S3 server does to a request without a signature, at another time."""

    ahead_s: float

    def apply(self, transaction: Transaction) -> None:
        transaction.read_body()
        transaction.answer(403, b"", {"Date": formatdate(time.time() + self.ahead_s, usegmt=True)})


UNSIGNED = matches("GET", r"^/$")


@pytest.mark.parametrize(("minutes", "status"), [(2, "ok"), (-9, "warning"), (17.2, "failed"), (-60.2, "failed")])
def test_a_clock_that_is_off(minio: S3Server, bucket: str, minutes: float, status: str) -> None:
    with proxied(minio, Fault(UNSIGNED, SaysDate(minutes * 60), times=1)) as settings:
        found = check(settings, bucket)

    assert status == found.steps["clock"].status.value
    if status == "failed":
        error = found.failed_at("clock")
        side = "17 min behind" if minutes > 0 else "60 min ahead of"
        assert (f"this machine's clock is {side} the service's", 4) == (
            error.message.partition(":")[0],
            exit_code(error),
        )


def test_a_clock_of_this_machine_that_is_off(minio: S3Server, bucket: str) -> None:
    error = check(settings_of(minio), bucket, now=lambda: time.time() - 1040).failed_at("clock")

    assert "this machine's clock is 17 min behind the service's" in error.message


OTHER_BYTES = b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 40\r\nConnection: close\r\n\r\n' + b"x" * 40


@pytest.mark.parametrize(
    ("fault", "bad", "words", "code"),
    [
        (Fault(matches("GET", r"list-type=2"), Answer(403, "RequestTimeTooSkewed")), "credentials", "clock wrong", 4),
        (Fault(matches("GET", r"list-type=2"), Answer(503)), "credentials", "a signed request failed", 5),
        (Fault(matches("PUT", CHECKED), Answer(403)), "put", "list and get work", 4),
        (Fault(matches("GET", CHECKED), Garbage(OTHER_BYTES)), "get", "what was read back differs", 6),
        (Fault(matches("GET", CHECKED), Answer(404, "NoSuchKey")), "get", "get failed", 3),
        (Fault(matches("DELETE", CHECKED), Answer(403), times=1), "delete", "is left there; list", 4),
        (Fault(matches("POST", CHECKED), Answer(403)), "parts", "may not begin an upload in parts", 4),
    ],
    ids=["skewed", "slow down", "put", "get differs", "get missing", "delete", "parts"],
)
def test_a_step_that_is_refused(minio: S3Server, bucket: str, fault: Fault, bad: str, words: str, code: int) -> None:
    with proxied(minio, Fault(fault.when, fault.do, times=fault.times)) as settings:
        found = check(settings, bucket)

    assert ("failed", code) == (found.bad[bad], exit_code(found.error))
    assert words in found.error.message
    left = contents(minio, bucket)
    assert (bad == "delete") == bool(left)
    assert all(f"storagekit rm minio://{bucket}/{key}" in str(found.error) for key in left)


# --- no server there --------------------------------------------------------------------------------------------------


SETTINGS = {"access_key": "somebody", "secret_key": "hush-hush-hush"}


@contextlib.contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve each connection with ``answer``, in a thread; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_accept, args=(server, answer))
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)  # wakes accept
            thread.join()


def _accept(server: socket.socket, answer: Callable[[socket.socket], None]) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            answer(connection)


def test_a_stopped_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    error = check({**SETTINGS, "endpoint": f"127.0.0.1:{port}"}).failed_at("connection")

    assert (f"nothing listens on 127.0.0.1:{port}", 5) == (error.message, exit_code(error))
    assert "Is the server started, and is the port right?" == error.hint


def test_a_proxy_that_is_set_up_is_named_where_the_connection_fails() -> None:
    settings = {**SETTINGS, "endpoint": "127.0.0.1:1"}

    error = check(settings, environment={"HTTPS_PROXY": "http://me:hush@127.0.0.1:3128"}).failed_at("connection")

    assert "directly: HTTPS_PROXY is set, and not used for storage" in str(error.hint)
    assert "hush" not in str(error)


def test_a_name_that_nobody_knows() -> None:
    error = check({**SETTINGS, "endpoint": "http://nonexistent.invalid"}).failed_at("name")

    assert (True, 5) == ("nonexistent.invalid" in error.message, exit_code(error))


def test_a_server_that_never_answers_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "TIMEOUT_S", 0.2)
    with listening(lambda connection: time.sleep(0.5)) as port:
        plain = check({**SETTINGS, "endpoint": f"http://127.0.0.1:{port}"}).failed_at("http")
        secure = check({**SETTINGS, "endpoint": f"https://127.0.0.1:{port}"}).failed_at("tls")

    assert [5, 5] == [exit_code(plain), exit_code(secure)]
    assert "takes a connection, but does not answer" in plain.message
    assert "does not end the TLS handshake" in secure.message


def test_a_port_that_lets_nobody_in_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "TIMEOUT_S", 0.3)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # the kernel takes one or two, and lets whoever comes after them wait
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        error = check({**SETTINGS, "endpoint": f"127.0.0.1:{server.getsockname()[1]}"}).failed_at("connection")

    assert (True, 5) == ("does not answer within" in error.message, exit_code(error))


def test_something_else_listens_there() -> None:
    with listening(lambda connection: connection.sendall(b"220 mail.example.org ESMTP\r\n")) as port:
        error = check({**SETTINGS, "endpoint": f"http://127.0.0.1:{port}"}).failed_at("http")

    assert (f"what listens on 127.0.0.1:{port} does not answer in HTTP", 5) == (error.message, exit_code(error))


# --- TLS --------------------------------------------------------------------------------------------------------------


def behind_tls(server: S3Server, certificate: Certificate, plain_answer: bytes = b"") -> TLSFront:
    host, _, port = server.endpoint.removeprefix("http://").partition(":")
    return TLSFront(host, int(port), certificate.context(), plain_answer)


def test_a_server_behind_tls_with_an_authority_of_its_own(
    minio: S3Server, bucket: str, authority: Authority, ca_file: str
) -> None:
    with behind_tls(minio, authority.issue("127.0.0.1", "localhost")) as front:
        by_number = check(settings_of(minio, endpoint=front.endpoint, ca_file=ca_file), bucket)
        by_name = check(settings_of(minio, endpoint=f"https://localhost:{front.port}", ca_file=ca_file), bucket)

    assert [{}, {}] == [by_number.bad, by_name.bad]
    facts = by_name.steps["tls"].facts
    assert ("TLSv1.3", 99) == (facts["tls"], facts["certificate_days"])


def test_a_certificate_that_ends_soon_is_a_warning(
    minio: S3Server, bucket: str, authority: Authority, ca_file: str
) -> None:
    with behind_tls(minio, authority.issue("127.0.0.1", ends=3.5)) as front:
        found = check(settings_of(minio, endpoint=front.endpoint, ca_file=ca_file), bucket)

    assert {"tls": "warning"} == found.bad
    assert "has 3 d left" in found.steps["tls"].sentence


def in_days(days: float) -> datetime:
    return datetime.now(timezone.utc) + timedelta(days)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_certificate_for_another_host(minio: S3Server, authority: Authority, ca_file: str, host: str) -> None:
    with behind_tls(minio, authority.issue("*.example.net", "10.0.0.1")) as front:
        error = check(settings_of(minio, endpoint=f"https://{host}:{front.port}", ca_file=ca_file)).failed_at("tls")

    assert f"the server's certificate is for *.example.net, 10.0.0.1, not for {host}" == error.message
    assert ("untrusted", 5) == (error.code, exit_code(error))


def test_a_certificate_that_expired(minio: S3Server, authority: Authority, ca_file: str) -> None:
    with behind_tls(minio, authority.issue("127.0.0.1", begins=-30, ends=-9.5)) as front:
        error = check(settings_of(minio, endpoint=front.endpoint, ca_file=ca_file)).failed_at("tls")

    assert f"the server's certificate expired on {in_days(-9.5):%Y-%m-%d}, 9 d ago" == error.message


def test_a_certificate_that_is_not_valid_yet(minio: S3Server, authority: Authority, ca_file: str) -> None:
    with behind_tls(minio, authority.issue("127.0.0.1", begins=2.5, ends=9)) as front:
        error = check(settings_of(minio, endpoint=front.endpoint, ca_file=ca_file)).failed_at("tls")

    assert f"the certificate begins on {in_days(2.5):%Y-%m-%d}, 2 d from now" == error.message


def test_a_certificate_that_nobody_but_itself_signed(minio: S3Server) -> None:
    with behind_tls(minio, self_signed("127.0.0.1")) as front:
        error = check(settings_of(minio, endpoint=front.endpoint)).failed_at("tls")

    assert "the server's certificate is signed by itself, and not trusted here" == error.message
    assert "SSL_CERT_FILE" in str(error.hint)


def test_an_authority_that_is_not_known(minio: S3Server, authority: Authority) -> None:
    with behind_tls(minio, authority.issue("127.0.0.1")) as front:
        error = check(settings_of(minio, endpoint=front.endpoint)).failed_at("tls")

    said = r"the server's certificate is issued by storagekit tests, whom certifi's list does not hold"
    assert (said, 5) == (error.message, exit_code(error))


def test_plain_http_behind_an_https_endpoint(s3_server: S3Server) -> None:
    endpoint = s3_server.endpoint.replace("http://", "https://")

    error = check(settings_of(s3_server, endpoint=endpoint)).failed_at("tls")

    assert f"Write {s3_server.endpoint} as the endpoint" in str(error.hint)
    assert 2 == exit_code(error)


MOVED = b"HTTP/1.1 301 Moved\r\nLocation: https://127.0.0.1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("answer", [GO, NGINX, MOVED, ALERT, b""], ids=["Go", "nginx", "moved", "alert", "none"])
def test_tls_behind_an_http_endpoint(minio: S3Server, authority: Authority, answer: bytes) -> None:
    with behind_tls(minio, authority.issue("127.0.0.1"), answer) as front:
        error = check(settings_of(minio, endpoint=f"http://127.0.0.1:{front.port}")).failed_at("http")

    assert f"Write {front.endpoint} as the endpoint" == error.hint
    assert ("wrong_endpoint", 2) == (error.code, exit_code(error))


def test_a_server_that_is_silent_about_tls_is_asked_in_plain_words() -> None:
    def serve(connection: socket.socket) -> None:
        if connection.recv(65_536).startswith(b"GET "):  # no word to anybody else
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with listening(serve) as port:
        error = check({**SETTINGS, "endpoint": f"https://127.0.0.1:{port}"}).failed_at("tls")

    assert f"the server speaks plain HTTP at 127.0.0.1:{port}, not TLS" == error.message


def test_nothing_newer_than_tls_1_1(minio: S3Server, authority: Authority, ca_file: str) -> None:
    context = only_tls_1_1(authority.issue("127.0.0.1").context())
    with TLSFront("127.0.0.1", 1, context) as front:  # nobody gets as far as to what is behind it
        error = check({**SETTINGS, "endpoint": front.endpoint, "ca_file": ca_file}).failed_at("tls")

    assert f"127.0.0.1:{front.port} offers no TLS 1.2 or newer" == error.message
    assert ("untrusted", 5, 0) == (error.code, exit_code(error), front.handshakes)


# --- directories ------------------------------------------------------------------------------------------------------


def check_directory(root: str) -> Checked:
    subject = Subject("local", "data", store_of(LocalDriver(root), "local"), {"root": root}, {}, signs=False)
    return Checked({step.name: step.finding for step in examine(subject, time.time, "t0k3n", {})})


def test_a_directory_that_is_there_and_one_that_is_not(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()

    assert {} == check_directory(str(tmp_path)).bad
    assert [] == list((tmp_path / "data").rglob("*"))
    error = check_directory(str(tmp_path / "absent")).failed_at("bucket")
    assert (f"there is no bucket local://data at {tmp_path}/absent", 3) == (error.message, exit_code(error))


def test_a_directory_that_is_read_only() -> None:
    with tempfile.TemporaryDirectory() as root, nobody():
        bucket = Path(root) / "data"
        with somebody():
            bucket.mkdir()
            Path(root).chmod(0o555)
            bucket.chmod(0o555)
        found = check_directory(root)
        with somebody():
            Path(root).chmod(0o755)
            bucket.chmod(0o755)

    assert {"put": "failed", "delete": "not tried", "parts": "failed"} == found.bad
    said = "these credentials may not write to local://data: put was refused (EACCES); list and get work"
    assert (said, 4) == (found.error.message, exit_code(found.error))


@contextlib.contextmanager
def as_user(number: int) -> Iterator[None]:
    before = os.geteuid()
    os.seteuid(number)
    try:
        yield
    finally:
        os.seteuid(before)


def nobody() -> contextlib.AbstractContextManager[None]:
    """Be a user whom permissions hold for: root may write anywhere."""
    return as_user(65_534) if os.getuid() == 0 else contextlib.nullcontext()


def somebody() -> contextlib.AbstractContextManager[None]:
    """Be who runs the tests again."""
    return as_user(os.getuid())


# --- the command ------------------------------------------------------------------------------------------------------

Run = Callable[..., Any]


@pytest.fixture
def run(minio: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run the command alone in this process, with MinIO's settings in the environment."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command("check")(config_check.run)
    for name in os.environ:
        if name.startswith(("MINIO_", "STORAGE", "XDG_", "SSL_")) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    environment = {
        "HOME": str(tmp_path),
        "MINIO_ENDPOINT": minio.endpoint,
        "MINIO_ACCESS_KEY": minio.access_key,
        "MINIO_SECRET_KEY": minio.secret_key,
        "MINIO_REGION": minio.region,
    }

    def command(*arguments: str, **others: str | None) -> Any:
        return CliRunner().invoke(app, arguments, env={**environment, **others})

    log = logging.getLogger("storagekit")
    handlers, level_before = log.handlers[:], log.level
    yield command
    log.handlers[:] = handlers  # --log-level is for the life of a process
    log.setLevel(level_before)


def test_the_command_says_each_step_on_one_line(run: Run, bucket: str) -> None:
    finished = run(f"minio://{bucket}")

    lines = finished.stdout.splitlines()
    assert (0, "all is well", "") == (finished.exit_code, lines[-1], finished.stderr)
    assert 14 == len(lines)
    assert lines[0].startswith("ok          settings     backend minio, endpoint http://127.0.0.1:")
    assert lines[0].endswith(" (from MINIO_ENDPOINT)")


@pytest.mark.parametrize("bucket_there", [True, False])
def test_the_connections_are_closed(run: Run, bucket: str, bucket_there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[MinioDriver] = []
    close = MinioDriver.close

    def spied_upon(driver: MinioDriver) -> None:
        closed.append(driver)
        close(driver)

    monkeypatch.setattr(MinioDriver, "close", spied_upon)

    run(f"minio://{bucket if bucket_there else 'no-such-bucket'}")

    assert 1 == len(closed)


def test_the_bucket_may_come_from_the_environment(run: Run, bucket: str) -> None:
    finished = run(MINIO_BUCKET=bucket)
    assert (0, True) == (finished.exit_code, f"minio://{bucket} is there" in finished.stdout)


def test_the_command_says_an_error_with_what_to_do_and_its_exit_code(run: Run) -> None:
    finished = run("minio://no-such-bucket")

    assert 3 == finished.exit_code
    assert finished.stderr.startswith("error: there is no bucket minio://no-such-bucket at http://127.0.0.1:")
    assert finished.stderr.rstrip().endswith("Check its spelling, or make it: storagekit mb minio://no-such-bucket")
    assert "not tried   put          bucket failed" in finished.stdout


def test_as_json_each_step_is_an_event_and_the_last_one_the_result_or_the_error(run: Run, bucket: str) -> None:
    good, bad = (run("--json", f"minio://{name}", MINIO_SESSION_TOKEN="") for name in (bucket, "no-such-bucket"))

    steps = [json.loads(line) for line in good.stdout.splitlines()]
    assert ["step"] * 13 + ["result"] == [event["event"] for event in steps]
    assert {"event": "result", "ok": 11, "warning": 0, "failed": 0, "not_needed": 2, "not_tried": 0} == steps[-1]
    assert {"step", "status", "message", "hint", "facts", "event"} == set(steps[0])
    events = [json.loads(line) for line in bad.stdout.splitlines()]
    assert ("error", 3, "bucket_not_found") == tuple(events[-1][name] for name in ("event", "exit_code", "code"))


@pytest.mark.parametrize(("name", "expected"), [("", 0), ("-absent", 3)])
def test_quiet_says_nothing_but_errors(run: Run, bucket: str, name: str, expected: int) -> None:
    finished = run("--quiet", f"minio://{bucket}{name}")
    assert (expected, "", bool(expected)) == (finished.exit_code, finished.stdout, bool(finished.stderr))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["minio://bucket/key"], "names an object"),
        (["bucket"], "is not an object of a backend"),
        (["nosuch://bucket"], "there is no backend 'nosuch'"),
        (["--endpoint-url", "http://127.0.0.1:9000/path", "minio://b"], "has a path"),
        (["--profile", "absent", "minio://b"], "there is no profile 'absent'"),
    ],
)
def test_what_cannot_be_set_up_is_a_matter_of_configuration(run: Run, arguments: list[str], words: str) -> None:
    finished = run(*arguments)

    assert (2, True) == (finished.exit_code, words in finished.stderr)


def test_settings_that_are_missing_are_named(run: Run) -> None:
    finished = run("minio://b", MINIO_SECRET_KEY=None)

    assert 2 == finished.exit_code
    assert "failed      settings     the backend 'minio' needs secret_key" in finished.stdout


def test_a_variable_that_counts_instead_of_the_profile_is_a_warning(run: Run, bucket: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[profiles.work]\nbackend = "minio"\naccess_key = "another-one"\n')
    path.chmod(0o600)

    finished = run("--profile", "work", f"minio://{bucket}", STORAGEKIT_CONFIG=str(path))

    assert 0 == finished.exit_code
    assert "MINIO_ACCESS_KEY counts, not the profile" in finished.stdout
    assert finished.stdout.endswith("all is well, with 1 warning\n")


@pytest.mark.parametrize("level", ["warning", "debug"])
def test_no_secret_is_ever_shown(run: Run, minio: S3Server, bucket: str, level: str) -> None:
    wrong, token = secrets.token_hex(20), secrets.token_hex(20)
    endpoint = minio.endpoint.replace("://", f"://me:{wrong}@")
    runs: Sequence[dict[str, Any]] = [
        {},
        {"MINIO_SECRET_KEY": wrong},
        {"MINIO_SESSION_TOKEN": token},
        {"MINIO_ENDPOINT": endpoint},
        {"MINIO_ENDPOINT": minio.endpoint.replace("http://", "https://")},
    ]
    for options in ([], ["--json"]):
        for others in runs:
            finished = run("--log-level", level, f"minio://{bucket}", *options, **others)
            for secret in (minio.secret_key, wrong, token):
                assert secret not in finished.output
