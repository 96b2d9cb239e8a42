"""Uploads to signed URLs: one PUT, streamed, sent again where that is safe; what services answer; what nobody sees."""

from __future__ import annotations

import hashlib
import io
import random
import socket
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from storagekit import Progress, RetryPolicy, UploadResult, upload_to_url
from storagekit.errors import (
    ChecksumError,
    ConfigurationError,
    CredentialsError,
    IntegrityError,
    NotFoundError,
    PermissionDeniedError,
    RequestRefusedError,
    ServiceError,
    SourceTruncatedError,
    StorageError,
    UnsupportedSourceError,
)
from storagekit.testing.faults import FakeClock
from tests.engine.put_server import Put, PutServer, Reply, stored

DATA = random.Random(3).randbytes(5_000_000)
MD5 = hashlib.md5(DATA).hexdigest()
Secret = Callable[[str], str]


@pytest.fixture
def server() -> Iterator[PutServer]:
    with PutServer() as running:
        yield running


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shard.bin"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def signed(server: PutServer, secret: Secret) -> str:
    """A signed URL of the server, of which nothing may be shown."""
    return f"{server.url}?X-Amz-Signature={secret('signature')}&X-Amz-Security-Token={secret('token')}"


def send(url: str, data: Any, **call: Any) -> UploadResult:
    return upload_to_url(url, data, **{"clock": FakeClock(), "retry": RetryPolicy(attempts=4), **call})


def refusal(code: str, message: str = "") -> bytes:
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


def once(first: Reply) -> Callable[[Put], Reply]:
    """Answer so the first time, then as a store does."""
    left = [first]
    return lambda put: left.pop() if left else stored(put)


# --- what is sent -----------------------------------------------------------------------------------------------------


def test_a_file_is_sent_whole_and_proven_by_its_etag(server: PutServer, signed: str, file: Path) -> None:
    told: list[Progress] = []
    result = send(signed, file, on_progress=told.append)

    (put,) = server.puts
    assert (DATA, signed.partition("/bucket")[2]) == (put.body, put.path.removeprefix("/bucket"))
    assert (len(DATA), MD5, "put", f"md5:{MD5}") == (result.size, result.etag, result.proof, result.checksum)
    assert ("", server.url, server.url) == (result.bucket, result.key, result.uri)
    assert (0, len(DATA)) == (told[0].done, told[-1].done)


def test_no_header_is_sent_that_the_url_was_not_signed_for(server: PutServer, signed: str, file: Path) -> None:
    send(signed, file)
    send(signed, file, content_type="text/x-tar", headers={"x-amz-meta-a": "b"})
    send(signed, file, content_md5=True)

    plain, typed, summed = (put.headers for put in server.puts)
    usual = {"host", "user-agent", "accept", "accept-encoding", "connection", "content-length"}
    assert usual == set(plain)
    assert {"content-type": "text/x-tar", "x-amz-meta-a": "b"} == {n: v for n, v in typed.items() if n not in usual}
    assert b64encode(bytes.fromhex(MD5)).decode() == summed["content-md5"]
    assert usual | {"content-md5"} == set(summed)


def test_a_password_of_netrc_is_not_sent_beside_a_signature(
    server: PutServer, signed: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password wrong\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    send(signed, file)

    assert "authorization" not in server.puts[0].headers


@pytest.mark.parametrize(
    "make",
    [
        lambda: io.BytesIO(DATA),
        lambda: io.BufferedReader(io.BytesIO(DATA)),
        lambda: DATA,
        lambda: bytearray(DATA),
    ],
)
def test_bytes_and_streams_that_know_their_size(server: PutServer, signed: str, make: Callable[[], Any]) -> None:
    assert MD5 == send(signed, make()).etag
    assert [DATA] == [put.body for put in server.puts]


def test_an_empty_file(server: PutServer, signed: str, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    result = send(signed, tmp_path / "empty", sha256=hashlib.sha256().hexdigest())

    assert [("0", b"")] == [(put.headers["content-length"], put.body) for put in server.puts]
    assert (0, "put") == (result.size, result.proof)
    with pytest.raises(ChecksumError):
        send(signed, tmp_path / "empty", sha256="0" * 64)


def test_an_iterable_needs_its_size(server: PutServer, signed: str) -> None:
    blocks = [DATA[:1000], DATA[1000:]]
    assert MD5 == send(signed, iter(blocks), size=len(DATA)).etag
    with pytest.raises(UnsupportedSourceError, match="how long"):
        send(signed, iter(blocks))
    assert 1 == len(server.puts)


def test_an_iterator_runs_in_the_thread_of_its_caller(server: PutServer, signed: str) -> None:
    threads: set[int] = set()

    def blocks() -> Iterator[bytes]:
        for start in range(0, len(DATA), 1_000_000):
            threads.add(threading.get_ident())
            yield DATA[start : start + 1_000_000]

    assert MD5 == send(signed, blocks(), size=len(DATA)).etag
    assert {threading.get_ident()} == threads


@pytest.mark.parametrize(("size", "error"), [(len(DATA) - 1, IntegrityError), (len(DATA) + 1, SourceTruncatedError)])
def test_a_stream_that_is_not_as_long_as_was_said_is_never_whole_on_the_service(
    server: PutServer, signed: str, size: int, error: type[StorageError]
) -> None:
    with pytest.raises(error):
        send(signed, iter([DATA]), size=size)
    assert all(put.body is None for put in server.puts)


def test_a_promised_digest_is_compared_before_the_last_byte(server: PutServer, signed: str, file: Path) -> None:
    assert send(signed, file, sha256=hashlib.sha256(DATA).hexdigest()).size == len(DATA)
    for data in (file, io.BytesIO(DATA)):
        with pytest.raises(ChecksumError, match="promised"):
            send(signed, data, sha256="0" * 64)
    assert [DATA] == [put.body for put in server.puts if put.body is not None]


def test_a_promised_size_of_a_file_is_looked_at_first(server: PutServer, signed: str, file: Path) -> None:
    with pytest.raises(IntegrityError, match="promised"):
        send(signed, file, size=1)
    assert [] == server.puts


# --- again ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 503, 408, 429])
def test_a_file_is_sent_again_from_its_first_byte(server: PutServer, signed: str, file: Path, status: int) -> None:
    server.script = once(Reply(status))
    told: list[Progress] = []

    assert MD5 == send(signed, file, on_progress=told.append).etag

    assert [DATA, DATA] == [put.body for put in server.puts]
    assert len(DATA) == max(progress.done for progress in told)


def test_a_stream_is_sent_once(server: PutServer, signed: str) -> None:
    server.script = once(Reply(503))
    with pytest.raises(ServiceError):
        send(signed, io.BytesIO(DATA))
    assert 1 == len(server.puts)


def test_a_service_that_stays_down_ends_after_the_policys_attempts(server: PutServer, signed: str, file: Path) -> None:
    server.script = lambda _: Reply(503)
    with pytest.raises(ServiceError) as caught:
        send(signed, file)
    assert (4, 4) == (len(server.puts), caught.value.context.attempts)


def test_a_file_that_changes_while_it_is_sent_is_not_published(server: PutServer, signed: str, file: Path) -> None:
    def change(progress: Progress) -> None:
        if progress.done:
            file.write_bytes(DATA[:-1] + b"!!")

    with pytest.raises(IntegrityError, match="changed"):
        send(signed, file, on_progress=change)
    assert all(put.body is None for put in server.puts)


def test_other_bytes_than_were_sent_are_an_error_at_last(server: PutServer, signed: str, file: Path) -> None:
    server.script = lambda _: Reply(headers=(("ETag", f'"{"0" * 32}"'),))
    with pytest.raises(ChecksumError, match="other bytes"):
        send(signed, file)
    assert 4 == len(server.puts)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("ETag", '"0123-4"'),),
        (("ETag", f'"{"0" * 32}"'), ("x-amz-server-side-encryption", "aws:kms")),
    ],
)
def test_an_answer_that_proves_nothing_is_said_to_be_one(
    server: PutServer, signed: str, file: Path, headers: tuple[tuple[str, str], ...]
) -> None:
    server.script = lambda _: Reply(headers=headers)
    result = send(signed, file)
    assert ("answer", None) == (result.proof, result.checksum)


# --- redirects --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_that_means_the_same_request_is_followed(
    server: PutServer, signed: str, file: Path, status: int
) -> None:
    with PutServer() as other:
        server.script = lambda _: Reply(status, (("Location", other.url + "?Signature=x"),))
        result = send(signed, file, headers={"X-Own": "private"})

        assert ([DATA], MD5) == ([put.body for put in other.puts], result.etag)
        assert ["private"] == [put.headers.get("x-own") for put in server.puts]
        assert [None] == [put.headers.get("x-own") for put in other.puts]


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_that_would_be_a_get_is_refused(server: PutServer, signed: str, file: Path, status: int) -> None:
    server.script = lambda put: Reply(status, (("Location", put.path),))
    with pytest.raises(RequestRefusedError, match="redirect"):
        send(signed, file)
    assert 1 == len(server.puts)


@pytest.mark.parametrize("scheme", ["https", "ftp", "file"])
def test_a_redirect_to_another_scheme_is_refused(server: PutServer, signed: str, file: Path, scheme: str) -> None:
    server.script = lambda _: Reply(307, (("Location", f"{scheme}://127.0.0.1:1/key"),))
    with pytest.raises((RequestRefusedError, UnsupportedSourceError), match="redirect"):
        send(signed, file)
    assert 1 == len(server.puts)


def test_redirects_end(server: PutServer, signed: str, tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"x")
    server.script = lambda put: Reply(307, (("Location", put.path),))
    with pytest.raises(RequestRefusedError, match="without end"):
        send(signed, tmp_path / "small")


def test_a_stream_is_not_sent_to_a_second_place(server: PutServer, signed: str) -> None:
    server.script = lambda put: Reply(307, (("Location", put.path),))
    with pytest.raises(UnsupportedSourceError, match="second time"):
        send(signed, iter([DATA]), size=len(DATA))
    assert [DATA] == [put.body for put in server.puts if put.body is not None]


# --- refusals ---------------------------------------------------------------------------------------------------------

NOW = ("Date", "Fri, 01 May 2026 12:00:00 GMT")
OVER = "&X-Amz-Date=20260501T100000Z&X-Amz-Expires=3600"
GOOD = "&X-Amz-Date=20260501T100000Z&X-Amz-Expires=604800"


@pytest.mark.parametrize(
    ("query", "reply", "error", "said"),
    [
        (OVER, Reply(403, (NOW,), refusal("AccessDenied", "Request has expired")), PermissionDeniedError, "11:00:00"),
        (OVER, Reply(403, (NOW,)), PermissionDeniedError, "ended at 2026-05-01 11:00:00 UTC"),
        ("&Expires=1777629600", Reply(403, (NOW,)), PermissionDeniedError, "ended at 2026-05-01 10:00:00 UTC"),
        (GOOD, Reply(403, (NOW,), refusal("AccessDenied", "no")), PermissionDeniedError, "answered 403 to the PUT: no"),
        (GOOD, Reply(403, (NOW,), refusal("SignatureDoesNotMatch")), CredentialsError, "--content-type"),
        ("", Reply(405), RequestRefusedError, "signed for PUT"),
        ("", Reply(411, (), refusal("MissingContentLength")), RequestRefusedError, "--size"),
        ("", Reply(413, (), refusal("EntityTooLarge")), RequestRefusedError, "in parts"),
        ("", Reply(413), RequestRefusedError, "in parts"),
        ("", Reply(404, (), refusal("NoSuchBucket")), NotFoundError, "404"),
        ("", Reply(404, (), refusal("NoSuchUpload")), NotFoundError, "has ended"),
        ("", Reply(400, (), b"<html>"), RequestRefusedError, "400"),
        ("", Reply(400, (), refusal("Odd", "see /x?X-Amz-Signature=abc")), RequestRefusedError, r"see /x\?"),
    ],
)
def test_what_a_service_answers_is_said(
    server: PutServer, signed: str, file: Path, query: str, reply: Reply, error: type[StorageError], said: str
) -> None:
    server.script = lambda _: reply
    with pytest.raises(error, match=said) as caught:
        send(signed + query, file)
    assert (1, reply.status) == (len(server.puts), caught.value.context.status)


def test_a_refusal_that_comes_before_the_body_was_read_is_seen(server: PutServer, signed: str, tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"x" * 1000)
    server.early = Reply(403, (NOW,), refusal("AccessDenied", "no"))
    with pytest.raises(PermissionDeniedError, match="403"):
        send(signed, tmp_path / "small")


@pytest.mark.parametrize("url", ["shard.bin", "ftp://host/x", "http://[::1/a"])
def test_what_is_no_url_is_refused_before_anything_is_read(url: str, file: Path) -> None:
    with pytest.raises(ConfigurationError):
        send(url, file)


def test_nothing_of_the_query_is_in_an_error_of_a_server_that_is_not_there(secret: Secret, file: Path) -> None:
    with pytest.raises(ServiceError) as caught:
        send(f"http://127.0.0.1:1/key?Signature={secret('signature')}", file)
    assert "Signature" not in f"{caught.value} {caught.value.__cause__!r} {caught.value.hint}"


def test_it_is_the_destination_that_hangs_up(file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=hang_up, args=(listener,), daemon=True).start()
        with pytest.raises(ServiceError, match="the destination closed the connection"):
            send(f"http://127.0.0.1:{listener.getsockname()[1]}/key", file)


def hang_up(listener: socket.socket) -> None:
    """Take the head of each request, and close without a word."""
    with suppress(OSError):  # the listener is closed at the end
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(10)
                connection.recv(1 << 16)


def test_it_is_the_destination_that_speaks_no_tls(server: PutServer, file: Path) -> None:
    with pytest.raises(ConfigurationError, match="the destination does not speak TLS"):
        send(server.url.replace("http:", "https:"), file)
