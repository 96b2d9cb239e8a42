"""The upload record: what is written is read back, and what somebody else wrote is nobody's upload."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storagekit._clock import Cancel
from storagekit._http_rules import Validators, identify
from storagekit._plan import Plan
from storagekit._record import SCHEMA, Record, name_for, parse, prefix_for
from storagekit._source import BytesSource
from storagekit.types import Upload, WriteOptions

RECORD = Record(
    bucket="data",
    key="raw/a.tar",
    upload_id="U1",
    token="t0ken",
    identity="1d",
    source="https://host/a.tar",
    size=25,
    part_size=10,
    content_type="application/x-tar",
    metadata_digest="d",
    stored={"storagekittoken": "t0ken"},
    previous_etag=None,
)
records = st.builds(
    Record,
    size=st.none() | st.integers(0, 2**63),
    part_size=st.integers(1, 2**40),
    stored=st.dictionaries(st.text(), st.text()),
    checksum=st.sampled_from(["", "crc32c"]),
)


def changed(**fields: object) -> bytes:
    return json.dumps({**json.loads(RECORD.to_json()), **fields}).encode()


@settings(max_examples=50)
@given(records)
def test_a_record_is_read_back_as_it_was_written(record: Record) -> None:
    assert record == parse(record.to_json())


@given(st.binary())
def test_garbage_is_no_record(data: bytes) -> None:
    assert parse(data) is None


@pytest.mark.parametrize(
    "data", [b"", b"null", b"1", b'"x"', b"[]", b"{}", b'{"schema": 1}', b"\xff\xfe", b"\x00" * 100, b"[" * 100_000]
)
def test_json_that_is_no_record_is_none(data: bytes) -> None:
    assert parse(data) is None


@pytest.mark.parametrize("schema", [0, 1, "2", None])
def test_a_record_of_another_version_is_left_alone(schema: object) -> None:
    assert parse(changed(schema=schema)) is None


def test_a_record_with_a_field_more_or_less_is_none() -> None:
    less = {name: value for name, value in json.loads(RECORD.to_json()).items() if name != "token"}
    assert parse(changed(more=1)) is None
    assert parse(json.dumps(less).encode()) is None


@pytest.mark.parametrize("fields", [{"size": "25"}, {"part_size": 0}, {"part_size": None}, {"stored": []}])
def test_a_record_whose_values_make_no_upload_is_none(fields: dict[str, object]) -> None:
    assert parse(changed(**fields)) is None


def test_a_record_lies_under_the_digest_of_its_key() -> None:
    home = f".storagekit/uploads/{hashlib.sha256(b'raw/a.tar').hexdigest()}/"
    assert home == prefix_for("raw/a.tar")
    assert f"{home}t0ken.json" == name_for(RECORD)


def test_a_record_gives_the_plan_and_the_upload() -> None:
    assert Plan(25, 10) == RECORD.plan
    assert Upload("data", "raw/a.tar", "U1", WriteOptions("application/x-tar", RECORD.stored), 10) == RECORD.upload


def test_the_upload_id_is_filled_in_afterwards() -> None:
    assert replace(RECORD, upload_id="U2") == RECORD.begun_as("U2")


def test_the_record_says_its_schema() -> None:
    assert json.loads(RECORD.to_json())["schema"] == SCHEMA == 2


def test_no_secret_of_the_url_is_recorded() -> None:
    url = "https://anna:s3cret@host/a.tar?X-Amz-Signature=s3cret#s3cret"
    identity = identify(url, Validators(25, '"e"'))
    record = replace(RECORD, identity=identity.digest, source=identity.shown)
    assert b"s3cret" not in record.to_json()


def test_no_byte_of_the_source_is_recorded() -> None:
    identity = BytesSource(b"s3cret").open(Cancel()).identity
    assert b"s3cret" not in replace(RECORD, identity=identity.digest, source=identity.shown).to_json()


def test_a_record_of_a_checksum_that_nobody_knows_yet_is_another_versions() -> None:
    assert parse(RECORD.to_json()) == RECORD
    assert parse(replace(RECORD, checksum="crc64nvme").to_json()) is None


def test_a_record_of_the_version_before_is_read() -> None:
    new = json.loads(RECORD.to_json())
    old = {name: value for name, value in new.items() if name not in ("checksum", "storage_class", "encryption")}
    assert parse(json.dumps(old)) == RECORD
