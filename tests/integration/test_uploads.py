"""``storagekit uploads`` on real servers: what a kill leaves is found and gone on with, and another tool's stays."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.config import Config

from storagekit import StorageClient
from storagekit.driver import Code
from storagekit.testing.faults import FaultyDriver, fault
from storagekit.testing.http_source import SourceProcess
from storagekit.testing.servers import S3Server
from tests.conftest import SERVICES
from tests.integration.conftest import Finished, S3Target, Sender, killed_at_the_end, sha256_of_pattern, target_on

pytestmark = pytest.mark.integration
boto_signs = pytest.mark.shows_secrets("another tool: it logs what it signs at DEBUG", only="the log of botocore")

MIB = 1024**2
PART = 5 * MIB
SIZE = 32 * MIB


@pytest.fixture(params=[name for name in SERVICES if name != "oss"])
def service(request: pytest.FixtureRequest) -> S3Server:
    """Not OSS: boto3 does not speak its dialect."""
    server: S3Server = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def target(service: S3Server) -> S3Target:
    return target_on(service, service.endpoint)


@pytest.fixture
def boto(target: S3Target) -> Iterator[Any]:
    """Another tool."""
    client = boto3.client(
        "s3",
        endpoint_url=target.server.endpoint,
        aws_access_key_id=target.server.access_key,
        aws_secret_access_key=target.server.secret_key,
        region_name=target.server.region,
        config=Config(s3={"addressing_style": "path"}),
    )
    yield client
    client.close()


@pytest.fixture
def client(target: S3Target) -> Iterator[StorageClient]:
    with StorageClient(target.backend, target.bucket, environment=target.environment, part_size=PART) as client:
        yield client


def unfinished(sender: Sender, uri: str) -> list[dict[str, Any]]:
    listed = sender.run("uploads", "list", uri, "--json")
    assert 0 == listed.code, listed.err
    return [event for event in listed.events if event["event"] == "upload"]


def did(finished: Finished, code: int = 0) -> list[tuple[str, str, str | None]]:
    assert code == finished.code, finished.err
    return [(event["key"], event["did"], event["why"]) for event in finished.events[:-1]]


def parts_by(boto: Any, target: S3Target, key: str, upload_id: str) -> list[int]:
    """Return the sizes of the parts as another tool sees them."""
    found = boto.list_parts(Bucket=target.bucket, Key=key, UploadId=upload_id).get("Parts", [])
    return [part["Size"] for part in found]


def begin_by(boto: Any, target: S3Target, key: str) -> str:
    target.uri(key)
    upload_id = boto.create_multipart_upload(Bucket=target.bucket, Key=key)["UploadId"]
    boto.upload_part(Bucket=target.bucket, Key=key, UploadId=upload_id, PartNumber=1, Body=b"x" * PART)
    return str(upload_id)


@boto_signs
def test_what_a_kill_left_is_listed_and_the_printed_command_goes_on_with_it(
    target: S3Target, sender: Sender, boto: Any, tmp_path: Path
) -> None:
    group = tmp_path / "pgid"
    uri = target.uri("raw/a shard.bin")
    with SourceProcess("--size", str(SIZE), "--rate", "40MB") as source:
        source.configure(kill_at=SIZE * 70 // 100, kill_pgid_file=str(group))
        arguments = ["cp", source.url, uri, "--part-size", str(PART), "--workers", "2", "--quiet"]
        with killed_at_the_end(sender.start(*arguments)) as process:
            group.write_text(str(process.pid))
            assert -9 == process.wait(timeout=120)

        (listed,) = unfinished(sender, f"{target.bucket_uri}")
        sizes = parts_by(boto, target, listed["key"], listed["upload_id"])
        before = target.left_over()
        for filters in (["--prefix"], ["--stale"], ["--older-than", "1d"], ["--older-than", "0s", "--dry-run"]):
            outcome = did(sender.run("uploads", "abort", f"{target.bucket_uri}", *filters, "--json"))
            assert ([] if "1d" in filters else [("raw/a shard.bin", "skipped", "live")]) == outcome, filters
        assert before == target.left_over()

        assert (True, len(sizes), sum(sizes), SIZE) == (
            listed["ours"],
            listed["parts"],
            listed["kept"],
            listed["size"],
        )
        program, *words = shlex.split(listed["resume"])
        result = sender.run(*words, "--json").result

    assert "storagekit" == program
    assert (sum(sizes), True) == (result["kept"], result["resumed"])
    assert sha256_of_pattern(SIZE) == target.sha256("raw/a shard.bin")
    assert [] == target.left_over()


@boto_signs
def test_another_tools_upload_is_aborted_by_its_id_only(target: S3Target, sender: Sender, boto: Any) -> None:
    upload_id = begin_by(boto, target, "k")
    uri = target.uri("k")

    (listed,) = unfinished(sender, uri)
    assert (upload_id, False, 1, PART, None) == tuple(
        listed[name] for name in ("upload_id", "ours", "parts", "kept", "resume")
    )
    for filters in ([], ["--prefix", "--older-than", "0s"]):
        skipped = did(sender.run("uploads", "abort", uri, *filters, "--json"), code=0 if filters else 1)
        assert skipped == [("k", "skipped", "another tool's")], filters
    assert [PART] == parts_by(boto, target, "k", upload_id)

    assert 0 == sender.run("uploads", "abort", uri, "--id", upload_id).code
    assert [] == target.left_over()


@boto_signs
def test_a_service_that_lists_whole_keys_only_says_so(target: S3Target, sender: Sender, boto: Any) -> None:
    begin_by(boto, target, "a/k")

    listed = sender.run("uploads", "list", f"{target.bucket_uri}/a/")

    assert ("only where their whole key is given" in listed.err) == (target.backend == "minio")
    assert (target.name != "minio") == ("a/k" in listed.out)
    assert 1 == len(unfinished(sender, f"{target.bucket_uri}/a/k"))


def test_ours_goes_by_its_id_and_the_clock_of_the_service_is_asked_without_a_trace(
    target: S3Target, client: StorageClient
) -> None:
    target.keys |= {"a", "b"}
    contexts = {key: client.init_upload(key, source_id="x") for key in ("a", "b")}

    outcomes = client.abort_uploads(older_than=timedelta(0))

    assert ["skipped", "skipped"] == [outcome.did for outcome in outcomes]
    assert 4 == len(target.left_over()), "two records and their uploads, and nothing of the question for the time"
    for key, context in contexts.items():
        client.abort_upload(key, context.upload_id)
    assert [] == target.left_over()


def test_an_upload_that_made_its_object_is_no_danger_to_it(target: S3Target, client: StorageClient) -> None:
    """As a kill between the complete and the deletion of the record leaves it; Swift goes on listing its parts."""
    faulty = FaultyDriver(
        client._store.driver, before=lambda call: fault(Code.ACCESS_DENIED) if call.operation == "delete" else None
    )
    data = b"x" * (PART + 1)
    with StorageClient(target.backend, target.bucket, driver=faulty, part_size=PART) as killed:
        killed.put_object("k", data)

    (listed,) = client.list_uploads()
    assert (True, None, None) == (listed.ours, listed.parts, listed.kept)
    client.abort_upload("k", listed.upload_id)

    assert (data, [], ()) == (client.get_object("k"), target.left_over(), client.list_uploads())
