"""Signed URLs in other hands: curl, Python's http.client, ``storagekit cp`` without any credentials; and kill -9."""

from __future__ import annotations

import hashlib
import http.client
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from storagekit import StorageClient, download_from_url, upload_to_url
from storagekit.errors import PermissionDeniedError, RequestRefusedError
from storagekit.testing.emulator import resolving_environment
from storagekit.testing.http_source import PatternContent, SourceServer
from tests.integration.conftest import ObsTarget, S3Target, Sender, make_target, sha256_of_pattern

pytestmark = pytest.mark.integration

MIB = 1024**2
DATA = random.Random(1).randbytes(6 * MIB)
NONE: Mapping[str, str] = {}
Secret = Callable[[str], str]


@dataclass
class Signer:
    """A client that signs, and somebody else who has nothing but the URL."""

    target: S3Target
    client: StorageClient
    declare: Callable[[str], str]

    def url(self, method: str, key: str, **call: Any) -> str:
        url = self.client.presigned_url(method, self.target.bucket, key, 60, **call)
        for name, value in parse_qsl(urlsplit(url).query):
            if name.lower() in ("signature", "x-amz-signature", "x-oss-signature"):
                self.declare(value)
        return url


@pytest.fixture(params=["minio", "swift", "obs"])
def signer(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    from tests.secrets_scan import declare

    target = make_target(request, request.param, tmp_path)
    assert isinstance(target, S3Target)
    with StorageClient(target.backend, target.bucket, environment=target.environment) as client:
        yield Signer(target, client, declare)


def curl(method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] = NONE) -> tuple[int, bytes]:
    """Send a request by curl, which is told where ``*.obs.test`` is; by Python where there is no curl."""
    parts = urlsplit(url)
    if not shutil.which("curl"):
        connection = http.client.HTTPConnection(parts.netloc, timeout=30)
        connection.request(method, f"{parts.path}?{parts.query}", body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read()
    how = ["--head"] if method == "HEAD" else ["--request", method]
    how += [word for name, value in headers.items() for word in ("--header", f"{name}: {value}")]
    how += ["--upload-file", "-"] if body is not None else []
    how += ["--header", f"Content-Length: {len(body)}", "--header", "Transfer-Encoding:"] if body is not None else []
    place = ["--resolve", f"{parts.hostname}:{parts.port}:127.0.0.1"]
    run = subprocess.run(
        ["curl", "--silent", "--noproxy", "*", "--write-out", "%{stderr}%{http_code}", *place, *how, url],
        input=body,
        capture_output=True,
        timeout=60,
        check=True,
    )
    return int(run.stderr), run.stdout


def test_curl_reads_writes_and_looks(signer: Signer) -> None:
    key = "a key/ü+.bin"
    assert 200 == curl("PUT", signer.url("PUT", key), DATA)[0]
    assert (200, DATA) == curl("GET", signer.url("GET", key))
    assert (206, DATA[1000:2001]) == curl("GET", signer.url("GET", key), headers={"Range": "bytes=1000-2000"})
    status, head = curl("HEAD", signer.url("HEAD", key))
    assert (200, True) == (status, f"content-length: {len(DATA)}" in head.decode().lower())
    assert hashlib.sha256(DATA).hexdigest() == signer.target.sha256(key)


@pytest.mark.shows_secrets("Swift repeats the signature", only="standard output of a process that the test started")
def test_a_url_is_for_its_method_its_key_and_its_content_type(signer: Signer) -> None:
    assert 403 == curl("PUT", signer.url("GET", "key"), b"x")[0]
    assert 403 == curl("PUT", signer.url("PUT", "key").replace("/key?", "/other?"), b"x")[0]
    url = signer.url("PUT", "key", content_type="text/x-tar")
    assert 403 == curl("PUT", url, b"x", {"Content-Type": "text/plain"})[0]
    assert 200 == curl("PUT", url, b"x", {"Content-Type": "text/x-tar"})[0]
    assert "text/x-tar" == signer.client.head_object("key").content_type


def begun(signer: Signer, key: str, checksum: str | None = None) -> str:
    """Begin an upload of that key, and return its id."""
    backend, environment = signer.target.backend, signer.target.environment
    with StorageClient(backend, signer.target.bucket, environment=environment, checksum=checksum) as client:
        client.init_upload(key, chunk_size=5 * MIB)
    (upload,) = signer.client.list_uploads(prefix=key)
    return upload.upload_id


def test_parts_by_url_arrive_in_their_upload(signer: Signer) -> None:
    upload_id = begun(signer, "parts", "md5" if signer.target.backend == "minio" else None)
    for number, part in enumerate((DATA[: 5 * MIB], DATA[5 * MIB :]), 1):
        url = signer.url("PUT", "parts", part=number, upload_id=upload_id)
        assert hashlib.md5(part).hexdigest() == upload_to_url(url, part).etag
    (unfinished,) = signer.client.list_uploads(prefix="parts")
    assert (2, len(DATA)) == (unfinished.parts, unfinished.kept)


def test_an_upload_that_agreed_on_a_checksum_wants_it_with_every_part(signer: Signer) -> None:
    if signer.target.name == "minio":  # the one of the three that agrees
        url = signer.url("PUT", "parts", part=1, upload_id=begun(signer, "parts"))
        with pytest.raises(RequestRefusedError, match="CRC32C"):
            upload_to_url(url, DATA[: 5 * MIB])


def test_our_own_transfers_need_nothing_but_the_url(signer: Signer, tmp_path: Path) -> None:
    file, back = tmp_path / "shard.bin", tmp_path / "back.bin"
    file.write_bytes(DATA)

    sent = upload_to_url(signer.url("PUT", "key", content_type="text/x-tar"), file, content_type="text/x-tar")
    got = download_from_url(signer.url("GET", "key"), back, chunk_size=MIB, verify=True)

    assert ("put", sent.etag) == (sent.proof, got.etag)
    assert DATA == back.read_bytes()


def test_what_was_signed_for_something_else_is_refused_with_a_reason(signer: Signer, tmp_path: Path) -> None:
    file = tmp_path / "shard.bin"
    file.write_bytes(b"x")
    with pytest.raises(PermissionDeniedError, match="--content-type"):
        upload_to_url(signer.url("PUT", "key", content_type="text/x-tar"), file)
    with pytest.raises(PermissionDeniedError):
        download_from_url(signer.url("PUT", "key"), file)


@dataclass
class Nobody:
    """Runs the command without any account."""

    signer: Signer
    home: Path

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        self.home.mkdir(exist_ok=True)
        names = resolving_environment("obs.test", {}) if isinstance(self.signer.target, ObsTarget) else {}
        return subprocess.Popen(
            [sys.executable, "-m", "storagekit", *arguments],
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), **names},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        process = self.start(*arguments)
        out, err = process.communicate(stdin, timeout=120)
        return process.returncode, out.decode(), err.decode()


@pytest.fixture
def nobody(signer: Signer, tmp_path: Path) -> Nobody:
    return Nobody(signer, tmp_path / "nobody")


def test_the_command_copies_both_ways_and_shows_no_signature(signer: Signer, nobody: Nobody, tmp_path: Path) -> None:
    file, back = tmp_path / "shard.bin", tmp_path / "there"
    file.write_bytes(DATA)
    back.mkdir()
    debug = ("--log-level", "debug")

    assert 0 == nobody.run("cp", str(file), signer.url("PUT", "raw/one.bin"), *debug)[0]
    assert 0 == nobody.run("cp", str(file), signer.url("PUT", "raw/one.bin"), "--json", *debug)[0]
    assert 0 == nobody.run("cp", "-", signer.url("PUT", "raw/two"), "--size", str(len(DATA)), *debug, stdin=DATA)[0]
    assert 0 == nobody.run("cp", signer.url("GET", "raw/one.bin"), f"{back}/", "--verify", *debug)[0]
    assert 0 == nobody.run("cp", signer.url("GET", "raw/two"), str(back), "--part-size", "1MiB", "--json", *debug)[0]
    assert {"one.bin": DATA, "two": DATA} == {path.name: path.read_bytes() for path in back.iterdir()}

    assert 4 == nobody.run("cp", signer.url("PUT", "raw/one.bin"), str(back), *debug)[0]
    assert 4 == nobody.run("cp", str(file), signer.url("GET", "raw/one.bin"), "--json", *debug)[0]
    assert 3 == nobody.run("cp", signer.url("GET", "nothing"), str(back), *debug)[0]


@pytest.mark.shows_secrets("the URL is what is asked for", only="standard output of a process that the test started")
def test_the_command_signs(signer: Signer, tmp_path: Path) -> None:
    sender = Sender(signer.target, tmp_path / "homes")
    signer.client.put_object("key", DATA[:1000])

    plain = sender.run("presign", signer.target.uri("key"), "--expires", "2m")
    told = sender.run("presign", signer.target.uri("new"), "--method", "put", "--content-type", "a/b", "--json")

    assert (200, DATA[:1000]) == curl("GET", plain.out.strip())
    assert {"Content-Type": "a/b"} == told.result["headers"]
    assert 200 == curl("PUT", told.result["url"], b"x", told.result["headers"])[0]


# --- kill -9 ----------------------------------------------------------------------------------------------------------

SIZE, RANGE, WORKERS = 64 * MIB, MIB, 4


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_download_goes_on_and_reads_little_twice(tmp_path: Path, secret: Secret, seed: int) -> None:
    target, chance = tmp_path / "here" / "shard.bin", random.Random(seed)
    command = [sys.executable, "-m", "storagekit", "cp", "--part-size", "1MiB", "--workers", str(WORKERS)]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    with SourceServer(PatternContent(SIZE, seed)) as source:
        for _ in range(3):
            url = f"{source.url}?X-Amz-Signature={secret('signature')}"
            process = subprocess.Popen([*command, url, str(target)], env=environment, stderr=subprocess.PIPE)
            moment = source.bytes_served + chance.randrange(3 * WORKERS * RANGE, SIZE // 4)
            source.when_served(moment, process.kill)
            process.communicate(timeout=60)
            assert -signal.SIGKILL == process.returncode
            assert not target.exists()
        url = f"{source.url}?X-Amz-Signature={secret('signature')}"
        done = subprocess.run([*command, url, str(target)], env=environment, capture_output=True, check=True)
        served = source.bytes_served

    assert sha256_of_pattern(SIZE, seed) == hashlib.sha256(target.read_bytes()).hexdigest()
    assert [target] == list(target.parent.iterdir())
    # Each kill costs at most the ranges under way, and what sockets hold of them; each run looks twice, a byte each.
    assert served - SIZE <= 3 * WORKERS * RANGE + 4 * 2
    assert b"were already there" in done.stdout


def test_ctrl_c_keeps_what_is_there(tmp_path: Path, secret: Secret) -> None:
    target = tmp_path / "here" / "shard.bin"
    command = [sys.executable, "-m", "storagekit", "cp", "--part-size", "1MiB", "--json"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    with SourceServer(PatternContent(SIZE), rate=20e6) as source:
        url = f"{source.url}?Signature={secret('signature')}"
        process = subprocess.Popen([*command, url, str(target)], env=environment, stdout=subprocess.PIPE)
        source.when_served(20 * MIB, lambda: process.send_signal(signal.SIGINT))
        out, _ = process.communicate(timeout=60)
        assert 130 == process.returncode
        assert b"run the same command again" in out
        source.rate = None
        done = subprocess.run([*command, url, str(target)], env=environment, capture_output=True, check=True)
    assert b'"resumed": true' in done.stdout
    assert sha256_of_pattern(SIZE) == hashlib.sha256(target.read_bytes()).hexdigest()
