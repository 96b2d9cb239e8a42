"""What an S3 service can be asked for beside bytes: keys of every kind, regions, host names, encryption, conditions.

On a MinIO of its own that speaks TLS with a certificate of a private authority, is in a region of its own, takes
buckets in the host name and has a key service; and on the servers of the other tests.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import secrets
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3
from minio import Minio
from minio.credentials.providers import StaticProvider
from minio.minioadmin import MinioAdmin

from storagekit import StorageClient, errors
from storagekit.client import Cancel
from storagekit.testing.servers import S3Server, start_minio
from storagekit.testing.tls import Authority
from tests.secrets_scan import declare

pytestmark = pytest.mark.integration

MIB = 1024**2
REGION = "eu-west-9"
KMS_KEY = "storagekit-tests"
DATA = secrets.token_bytes(12 * MIB + 5)


@pytest.fixture(scope="module")
def special(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """TLS, another region, buckets in the host name, a key service."""
    tmp_path = tmp_path_factory.mktemp("special")
    certificate = authority.issue("127.0.0.1", "s3.localhost", "*.s3.localhost")
    variables = {
        "MINIO_SITE_REGION": REGION,
        "MINIO_DOMAIN": "s3.localhost",
        "MINIO_KMS_SECRET_KEY": f"{KMS_KEY}:{base64.b64encode(secrets.token_bytes(32)).decode()}",
    }
    with start_minio(tmp_path, certs_dir=certificate.write(tmp_path / "certs"), variables=variables) as server:
        declare(server.secret_key)
        yield server


@pytest.fixture
def settings(special: S3Server, ca_file: str) -> dict[str, str]:
    """What a client of the special MinIO has to be told; the region is not among it."""
    keys = {"access_key": special.access_key, "secret_key": special.secret_key}
    return {"endpoint": special.endpoint, "ca_file": ca_file, **keys}


@pytest.fixture
def bucket(settings: Mapping[str, str]) -> str:
    name = f"b-{secrets.token_hex(6)}"
    with connect(settings) as client:
        client.create_bucket(name)
    return name


def connect(settings: Mapping[str, str], bucket: str | None = None, **more: str) -> StorageClient:
    told: dict[str, Any] = {**settings, **more}
    return StorageClient("minio", bucket, part_size=5 * MIB, environment={}, **told)


@contextlib.contextmanager
def vendor(server: S3Server, ca_file: str | None = None) -> Iterator[Minio]:
    """The vendor's own client, which has no part in ours."""
    pool = urllib3.PoolManager(ca_certs=ca_file) if ca_file else urllib3.PoolManager()
    place = urlsplit(server.endpoint)
    yield Minio(
        place.netloc,
        access_key=server.access_key,
        secret_key=server.secret_key,
        region=server.region,
        secure=place.scheme == "https",
        http_client=pool,
    )
    pool.clear()


def admin(server: S3Server, ca_file: str) -> MinioAdmin:
    place = urlsplit(server.endpoint)
    keys = StaticProvider(access_key=server.access_key, secret_key=server.secret_key)
    return MinioAdmin(
        endpoint=place.netloc,
        credentials=keys,
        region=server.region,
        http_client=urllib3.PoolManager(ca_certs=ca_file),
    )


# --- region and host --------------------------------------------------------------------------------------------------


def test_region_that_nobody_gave_is_found(settings: Mapping[str, str], bucket: str) -> None:
    with connect(settings, bucket) as client:
        assert not client.object_exists("key")  # a HEAD: its refusal has no words
        assert client.put_object("key", DATA).size == len(DATA)
        assert client.get_object("key") == DATA
        assert bucket in client.list_buckets()


def test_region_is_found_by_many_threads_at_once(settings: Mapping[str, str], bucket: str) -> None:
    """All are refused together; none may take the region that another one has just learnt for its own."""
    found: list[bool] = []
    with connect(settings, bucket) as client:
        together = threading.Barrier(16)

        def look() -> None:
            together.wait()
            found.append(client.object_exists("key"))

        threads = [threading.Thread(target=look) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [False] * 16 == found


def test_region_that_was_given_wrongly_is_an_error_that_names_it(settings: Mapping[str, str], bucket: str) -> None:
    with connect(settings, bucket, region="us-west-1") as client, pytest.raises(errors.ConfigurationError) as caught:
        client.list_objects()
    assert "wrong_endpoint" == caught.value.code
    assert REGION in str(caught.value)


def test_bucket_in_the_host_name(settings: Mapping[str, str], bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``bucket.s3.localhost`` is the server, and the certificate is for ``*.s3.localhost``."""
    asked: list[str] = []
    resolve = socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **kwargs: Any) -> Any:
        asked.append(host)
        return resolve("127.0.0.1" if str(host).endswith(".localhost") else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    endpoint = settings["endpoint"].replace("127.0.0.1", "s3.localhost")
    with connect({**settings, "endpoint": endpoint}, bucket, path_style="false") as client:
        client.put_object("a key/ü+", DATA)
        assert client.get_object("a key/ü+") == DATA
        assert [info.key for info in client.list_objects().objects] == ["a key/ü+"]
        client.copy_object("a key/ü+", "copy")
    assert {f"{bucket}.s3.localhost"} == set(asked)
    with connect(settings, bucket) as client:
        assert client.get_object("copy") == DATA


# --- keys -------------------------------------------------------------------------------------------------------------


def test_public_bucket_needs_no_keys(special: S3Server, settings: Mapping[str, str], bucket: str) -> None:
    allowed = {"Action": ["s3:GetObject", "s3:ListBucket"], "Principal": {"AWS": ["*"]}, "Effect": "Allow"}
    places = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**allowed, "Resource": places}]})
    with vendor(special, settings["ca_file"]) as root, connect(settings, bucket) as client:
        client.put_object("key", b"data")
        root.set_bucket_policy(bucket_name=bucket, policy=policy)

    place = {"endpoint": settings["endpoint"], "ca_file": settings["ca_file"]}
    with connect(place, bucket, credentials="anonymous") as client:
        assert client.get_object("key") == b"data"
        assert [info.key for info in client.list_objects().objects] == ["key"]
        with pytest.raises(errors.PermissionDeniedError):
            client.put_object("other", b"data")
    with pytest.raises(errors.ConfigurationError, match="credentials = anonymous"):
        connect(place, bucket, credentials="keys")


def test_keys_of_sts_are_used_instead_of_the_users_own(
    special: S3Server, settings: Mapping[str, str], bucket: str
) -> None:
    user, password = f"user-{secrets.token_hex(4)}", declare(secrets.token_hex(20))
    with connect(settings, bucket) as client:
        client.put_object("key", b"data")
    service = admin(special, settings["ca_file"])
    service.user_add(user, password)
    service.policy_set("readonly", user=user)
    own = {**settings, "access_key": user, "secret_key": password}

    with connect(own, bucket, sts_endpoint=settings["endpoint"], region=REGION) as client:
        assert client.get_object("key") == b"data"
        service.user_disable(user)  # keys that were given out die with their user: it was theirs that were used
        with pytest.raises(errors.PermissionDeniedError):
            client.get_object("key")


def test_sts_that_refuses_is_an_error_of_the_credentials(settings: Mapping[str, str], bucket: str) -> None:
    password = declare(secrets.token_hex(20))
    wrong = {**settings, "access_key": "nobody", "secret_key": password}
    with connect(wrong, bucket, sts_endpoint=settings["endpoint"], region=REGION) as client:
        with pytest.raises(errors.CredentialsError, match="no temporary credentials from STS") as caught:
            client.get_object("key")
    assert password not in f"{caught.value!r} {caught.value.__cause__!r}"


def aws_home(tmp_path: Path, settings: Mapping[str, str], **profiles: Mapping[str, str]) -> dict[str, str]:
    """An environment with AWS's two files: what each profile says, beside the endpoint."""
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    common = f"endpoint_url = {settings['endpoint']}\nregion = {REGION}\n"
    config, keys = "", ""
    for name, pairs in profiles.items():
        section = name if name == "default" else f"profile {name}"
        secret = {key: text for key, text in pairs.items() if key.startswith("aws_")}
        rest = {key: text for key, text in pairs.items() if key not in secret}
        config += f"[{section}]\n{common}" + "".join(f"{key} = {text}\n" for key, text in rest.items())
        keys += f"[{name}]\n" + "".join(f"{key} = {text}\n" for key, text in secret.items())
    for name, text in (("config", config), ("credentials", keys)):
        (home / ".aws" / name).write_text(text)
        (home / ".aws" / name).chmod(0o600)
    return {"HOME": str(home), "SSL_CERT_FILE": settings["ca_file"]}


def test_s3_takes_keys_endpoint_and_region_of_awss_own_profile(
    settings: Mapping[str, str], bucket: str, tmp_path: Path
) -> None:
    good = {"aws_access_key_id": settings["access_key"], "aws_secret_access_key": settings["secret_key"]}
    wrong = {"aws_access_key_id": "wrong", "aws_secret_access_key": "wrong", "aws_session_token": "wrong"}
    environment = aws_home(tmp_path, settings, default=wrong, work=good)
    for how in ({"profile": "aws:work"}, {"environment": {**environment, "AWS_PROFILE": "work"}}):
        with StorageClient("s3", bucket, **{"environment": environment, **how}) as client:  # type: ignore[arg-type]
            client.put_object("key", b"data")
            assert client.get_object("key") == b"data"
    variables = {"AWS_ACCESS_KEY_ID": settings["access_key"], "AWS_SECRET_ACCESS_KEY": settings["secret_key"]}
    with StorageClient("s3", bucket, environment={**environment, **variables}) as client:  # not the profile's token
        assert client.get_object("key") == b"data"
    with StorageClient("s3", bucket, environment=environment) as client, pytest.raises(errors.PermissionDeniedError):
        client.get_object("key")


@pytest.mark.shows_secrets("its output is the keys", only="standard output of a process")
def test_profile_with_a_process_is_left_to_botocore_and_asked_again_when_keys_end(
    settings: Mapping[str, str], bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, script = tmp_path / "calls", tmp_path / "keys.py"
    script.write_text(
        "import datetime, json, sys\n"
        f"open({str(calls)!r}, 'a').write('x')\n"
        "end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=2)\n"  # botocore: soon enough
        f"keys = {{'AccessKeyId': {settings['access_key']!r}, 'SecretAccessKey': {settings['secret_key']!r}}}\n"
        "print(json.dumps({'Version': 1, 'Expiration': end.isoformat(), **keys}))\n"
    )
    environment = aws_home(tmp_path, settings, work={"credential_process": f"{sys.executable} {script}"})
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", environment["HOME"])  # botocore reads this process's
    with StorageClient("s3", bucket, profile="aws:work", environment=environment) as client:
        client.put_object("key", b"data")
        first = len(calls.read_text())
        assert client.get_object("key") == b"data"
    assert 1 <= first < len(calls.read_text())


# --- encryption, class, conditions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ({"encryption": "AES256"}, {"x-amz-server-side-encryption": "AES256"}),
        (
            {"encryption": "aws:kms", "kms_key_id": KMS_KEY, "kms_context": '{"project": "a"}'},
            {"x-amz-server-side-encryption": "aws:kms"},
        ),
        ({"customer_key": declare(base64.b64encode(bytes(range(32))).decode())}, None),
    ],
    ids=["SSE-S3", "SSE-KMS", "SSE-C"],
)
def test_encryption_is_passed_through_by_everything(
    special: S3Server, settings: Mapping[str, str], bucket: str, said: dict[str, str], shown: dict[str, str] | None
) -> None:
    with connect(settings, bucket, **said) as client:
        client.put_object("put", DATA[: 3 * MIB])
        result = client.put_object("parts", DATA)
        client.copy_object("put", "copy")
        assert (3, {"crc32c"}) == (result.parts, {part.proof.partition(":")[0] for part in result.receipt})
        for key, data in (("put", DATA[: 3 * MIB]), ("parts", DATA), ("copy", DATA[: 3 * MIB])):
            assert client.get_object(key) == data
        assert client.get_object("parts", start=5 * MIB - 3, length=10) == DATA[5 * MIB - 3 : 5 * MIB + 7]
    with vendor(special, settings["ca_file"]) as root:
        if shown is None:  # without the key nobody reads it
            with pytest.raises(Exception, match="BadRequest"):
                root.stat_object(bucket_name=bucket, object_name="parts")
            return
        for key in ("put", "parts", "copy"):
            headers = root.stat_object(bucket_name=bucket, object_name=key).metadata
            assert headers is not None
            assert shown.items() <= {name.lower(): text for name, text in headers.items()}.items()


def test_encrypted_upload_goes_on_after_a_break(settings: Mapping[str, str], bucket: str, tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(DATA)
    with connect(settings, bucket, customer_key=base64.b64encode(bytes(32)).decode()) as client:
        breaking_off(client, path)
        result = client.upload_file(path, "key")
        assert (True, 5 * MIB) == (result.resumed, result.kept)
        assert client.get_object("key") == DATA


def test_upload_with_a_key_of_the_customers_is_in_nobodys_way(
    settings: Mapping[str, str], bucket: str, tmp_path: Path
) -> None:
    """Its record can be read without the key, and the object that it makes can be replaced."""
    path = tmp_path / "data"
    path.write_bytes(DATA)
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    with connect(settings, bucket, customer_key=key) as encrypting, connect(settings, bucket) as plain:
        breaking_off(encrypting, path)
        assert not plain.upload_file(path, "key").resumed
        assert plain.get_object("key") == DATA
        assert encrypting.upload_file(path, "key").resumed
        assert encrypting.get_object("key") == DATA
        assert plain.upload_file(path, "key").size == len(DATA)
        assert plain.get_object("key") == DATA
        plain.abort_uploads(older_than=timedelta(0))


def breaking_off(client: StorageClient, path: Path) -> None:
    """Upload until the first part is there, and stop."""
    cancel = Cancel()

    def stop_after_a_part(progress: Any) -> None:
        if progress.done > 5 * MIB:  # of the second one, so the first is acknowledged
            cancel.set()

    with pytest.raises(errors.TransferCancelled):
        client.uploader.upload(
            path, client.bucket or "", "key", workers=1, on_progress=stop_after_a_part, cancel=cancel
        )


@pytest.mark.parametrize("name", ["minio", "swift"])
def test_part_checksums_are_those_that_the_service_verifies(request: pytest.FixtureRequest, name: str) -> None:
    server: S3Server = request.getfixturevalue(name)
    with client_of(server) as client:
        result = client.put_object("key", DATA)
        whole = client.upload_file(__file__, "small")
        used = {part.proof.partition(":")[0] for part in (*result.receipt, *whole.receipt)}
        assert used == ({"crc32c", "md5"} if name == "minio" else {"md5"})
    if name == "minio":  # another tool sees the checksum of the whole object
        with vendor(server) as root:
            asked: dict[str, Any] = {"x-amz-checksum-mode": "ENABLED"}
            answer = root._execute("HEAD", client.bucket, "key", headers=asked)
        assert ("FULL_OBJECT", True) == (
            answer.headers["x-amz-checksum-type"],
            "x-amz-checksum-crc32c" in answer.headers,
        )


@contextlib.contextmanager
def client_of(server: S3Server) -> Iterator[StorageClient]:
    """A client with a fresh bucket."""
    keys = {"access_key": server.access_key, "secret_key": server.secret_key, "region": server.region}
    with connect({"endpoint": server.endpoint, **keys}, f"b-{secrets.token_hex(6)}") as client:
        client.create_bucket()
        yield client


def test_of_two_writers_that_must_not_replace_exactly_one_wins(minio: S3Server) -> None:
    """Both have looked when neither was there yet: only the service can decide."""
    outcomes: list[str] = []
    with client_of(minio) as client:
        for key, size in (("put", MIB), ("parts", len(DATA))):
            start = threading.Barrier(2)

            def write(key: str = key, size: int = size, start: threading.Barrier = start) -> None:
                start.wait()
                try:
                    data = os.urandom(size)
                    client.put_object(key, data, overwrite=False)
                    outcomes.append(hashlib.sha256(data).hexdigest())
                except errors.ConflictError:
                    outcomes.append("refused")

            outcomes.clear()
            writers = [threading.Thread(target=write) for _ in range(2)]
            for writer in writers:
                writer.start()
            for writer in writers:
                writer.join()
            assert 1 == outcomes.count("refused")
            (winner,) = [outcome for outcome in outcomes if outcome != "refused"]
            assert winner == hashlib.sha256(client.get_object(key)).hexdigest()


def test_storage_class_is_that_of_puts_parts_and_copies(minio: S3Server) -> None:
    with client_of(minio) as client:
        client.put_object("put", b"data", storage_class="REDUCED_REDUNDANCY")
        client.put_object("parts", DATA, storage_class="REDUCED_REDUNDANCY")
        client.copy_object("put", "copy", storage_class="REDUCED_REDUNDANCY")
        client.put_object("plain", b"data")
        kept = {info.key: info.storage_class for info in client.list_objects().objects}
        assert kept == {**dict.fromkeys(("copy", "parts", "put"), "REDUCED_REDUNDANCY"), "plain": None}
        with pytest.raises(errors.StorageError):
            client.put_object("odd", b"data", storage_class="NO_SUCH_CLASS")


# --- housekeeping -----------------------------------------------------------------------------------------------------


def test_deleting_10000_keys_says_of_each_that_stayed_why(
    special: S3Server, settings: Mapping[str, str], bucket: str, tmp_path: Path
) -> None:
    """By a user who may not delete below ``keep/``: one key in each request of 1,000, and some that are not there."""
    user, password, name = (
        f"user-{secrets.token_hex(4)}",
        declare(secrets.token_hex(20)),
        f"policy-{secrets.token_hex(4)}",
    )
    everything = {
        "Effect": "Allow",
        "Action": ["s3:*"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    but = {"Effect": "Deny", "Action": ["s3:DeleteObject"], "Resource": [f"arn:aws:s3:::{bucket}/keep/*"]}
    service = admin(special, settings["ca_file"])
    service.user_add(user, password)
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": [everything, but]}))
    service.policy_add(name, str(policy))
    service.policy_set(name, user=user)

    keys = [f"keep/{number:05}" if number % 1000 == 500 else f"drop/{number:05}" for number in range(10_000)]
    stored = [key for number, key in enumerate(keys) if number % 50 == 0 or key.startswith("keep/")]
    with connect({**settings, "access_key": user, "secret_key": password}, bucket) as client:
        for key in stored:
            client.put_object(key, b"x")
        failures = client.delete_objects(keys)
        left = [info.key for info in client.list_objects().objects]
    kept = [key for key in keys if key.startswith("keep/")]
    assert [(failure.key, failure.code) for failure in failures] == [(key, "access_denied") for key in kept]
    assert left == kept
    assert 10 == len(kept)


def test_bucket_in_a_location(settings: Mapping[str, str]) -> None:
    name = f"b-{secrets.token_hex(6)}"
    with connect(settings) as client:
        client.create_bucket(name, location=REGION)
        assert client.bucket_exists(name)
        with pytest.raises(errors.ConflictError):
            client.create_bucket(name)
        client.delete_bucket(name)
        assert not client.bucket_exists(name)
        with pytest.raises(errors.StorageError) as caught:
            client.create_bucket(f"{name}-0", location="mars-1")
    assert caught.value.code in ("wrong_endpoint", "refused")
