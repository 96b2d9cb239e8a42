"""Where records lie: in the bucket, on this machine, or nowhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from storagekit._record import Record, StoredRecord, name_for
from storagekit._records import AutoRecords, BucketRecords, LocalRecords, NoRecords, Records, records_for
from storagekit._retry import RetryPolicy
from storagekit._store import Store
from storagekit.driver import Code, Driver
from storagekit.drivers.memory import MemoryDriver
from storagekit.errors import CredentialsError, ServiceError
from storagekit.testing.faults import Call, FakeClock, FaultyDriver, fault

RECORD = Record("data", "raw/a.tar", "U1", "t1", "id", "a file", 25, 10, None, "", {"storagekittoken": "t1"}, None)

Refusal = Callable[[Call], "Exception | None"]


def store(before: Refusal = lambda call: None) -> Store:
    memory = MemoryDriver()
    memory.create_bucket("data")
    memory.create_bucket("copy")
    driver = cast("Driver", FaultyDriver(memory, before=before))
    return Store.of(driver, "memory", RetryPolicy(attempts=2), FakeClock())


def refusing(code: Code, *operations: str) -> Refusal:
    return lambda call: fault(code) if call.operation in operations else None


def auto(tmp_path: Path, notes: list[str], before: Refusal) -> AutoRecords:
    return AutoRecords(BucketRecords(store(before)), LocalRecords("here", tmp_path), notes.append)


def tokens(found: list[StoredRecord]) -> list[str]:
    return [stored.record.token for stored in found]


@pytest.fixture(params=["bucket", "local", "auto"])
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Records:
    return records_for(request.param, store(), "here", lambda line: None, tmp_path)


def test_a_record_is_found_by_its_key_and_gone_after_its_deletion(records: Records) -> None:
    stored = records.save(RECORD)
    assert [RECORD] == [found.record for found in records.load("data", "raw/a.tar")]
    assert [] == records.load("data", "raw/b.tar")
    records.delete(stored)
    assert [] == records.load("data", "raw/a.tar")


def test_a_record_can_be_deleted_as_it_was_found_and_twice(records: Records) -> None:
    records.save(RECORD)
    [found] = records.load("data", "raw/a.tar")
    records.delete(found)
    records.delete(found)
    assert [] == records.load("data", "raw/a.tar")


def test_all_records_of_a_key_are_found(records: Records) -> None:
    for token in ("t1", "t2", "t3"):
        records.save(replace(RECORD, token=token))
    assert ["t1", "t2", "t3"] == sorted(tokens(records.load("data", "raw/a.tar")))


def test_a_record_lies_in_the_bucket_under_its_name() -> None:
    there = store()
    BucketRecords(there).save(RECORD)
    assert RECORD.to_json() == there.read_bytes("data", name_for(RECORD), 10_000)


def test_garbage_beside_the_records_is_left_out() -> None:
    there = store()
    there.put_bytes("data", name_for(RECORD), b"not ours", "text/plain")
    assert [] == BucketRecords(there).load("data", "raw/a.tar")


def test_a_record_that_was_copied_from_another_bucket_is_none_of_this_bucket() -> None:
    there = store()
    there.put_bytes("copy", name_for(RECORD), RECORD.to_json(), "application/json")
    assert [] == BucketRecords(there).load("copy", "raw/a.tar")


def test_a_record_in_the_bucket_that_vanishes_while_it_is_read_is_left_out() -> None:
    there = store(refusing(Code.NOT_FOUND, "read"))
    records = BucketRecords(there)
    records.save(RECORD)
    assert [] == records.load("data", "raw/a.tar")


def test_a_listing_that_fails_is_an_error() -> None:
    with pytest.raises(ServiceError):
        BucketRecords(store(refusing(Code.SERVER, "list"))).load("data", "raw/a.tar")


def test_a_local_record_is_for_this_user_only(tmp_path: Path) -> None:
    path = Path(LocalRecords("here", tmp_path).save(RECORD).name)
    assert (0o600, 0o700) == (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777)


def test_a_local_record_has_no_time_of_the_services_clock(tmp_path: Path) -> None:
    records = LocalRecords("here", tmp_path)
    records.save(RECORD)
    assert [None] == [stored.modified for stored in records.load("data", "raw/a.tar")]


def test_local_records_of_other_accounts_and_buckets_are_apart(tmp_path: Path) -> None:
    LocalRecords("here", tmp_path).save(RECORD)
    assert [] == LocalRecords("there", tmp_path).load("data", "raw/a.tar")
    assert [] == LocalRecords("here", tmp_path).load("copy", "raw/a.tar")


def test_the_last_local_record_takes_its_directory_along(tmp_path: Path) -> None:
    records = LocalRecords("here", tmp_path)
    first, second = records.save(RECORD), records.save(replace(RECORD, token="t2"))
    records.delete(first)
    assert Path(second.name).exists()
    records.delete(second)
    assert [] == list((tmp_path / "uploads").iterdir())


def test_a_local_record_that_is_still_being_written_is_not_seen(tmp_path: Path) -> None:
    records = LocalRecords("here", tmp_path)
    path = Path(records.save(RECORD).name)
    path.with_suffix(".draft").write_bytes(RECORD.to_json()[:20])
    assert ["t1"] == tokens(records.load("data", "raw/a.tar"))


def test_a_local_record_that_vanishes_while_it_is_read_is_left_out(tmp_path: Path) -> None:
    records = LocalRecords("here", tmp_path)
    path = Path(records.save(RECORD).name)
    path.with_name("t2.json").symlink_to("gone")  # what another process deletes between listing and reading
    assert ["t1"] == tokens(records.load("data", "raw/a.tar"))


@pytest.mark.parametrize("code", [Code.ACCESS_DENIED, Code.REFUSED])
def test_a_record_that_the_service_refuses_goes_to_this_machine_and_says_so(tmp_path: Path, code: Code) -> None:
    notes: list[str] = []
    records = auto(tmp_path, notes, refusing(code, "put"))
    assert Path(records.save(RECORD).name).is_relative_to(tmp_path)
    assert ["t1"] == tokens(records.load("data", "raw/a.tar"))
    assert 1 == len(notes)
    assert "resumable from this machine only" in notes[0]


def test_a_record_in_the_bucket_needs_no_word(tmp_path: Path) -> None:
    notes: list[str] = []
    auto(tmp_path, notes, lambda call: None).save(RECORD)
    assert ([], []) == (notes, list(tmp_path.iterdir()))


def test_a_bucket_that_may_not_be_listed_has_no_records_to_use(tmp_path: Path) -> None:
    records = auto(tmp_path, [], refusing(Code.ACCESS_DENIED, "list"))
    LocalRecords("here", tmp_path).save(replace(RECORD, token="t2"))
    assert ["t2"] == tokens(records.load("data", "raw/a.tar"))


@pytest.mark.parametrize("code", [Code.SERVER, Code.THROTTLED])
def test_a_service_that_is_down_is_no_reason_to_fall_back(tmp_path: Path, code: Code) -> None:
    records = auto(tmp_path, [], refusing(code, "put", "list"))
    with pytest.raises(ServiceError):
        records.save(RECORD)
    with pytest.raises(ServiceError):
        records.load("data", "raw/a.tar")
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("code", [Code.EXPIRED_CREDENTIALS, Code.CLOCK_SKEW])
def test_credentials_that_expired_are_no_reason_to_begin_afresh(tmp_path: Path, code: Code) -> None:
    with pytest.raises(CredentialsError):
        auto(tmp_path, [], refusing(code, "list")).load("data", "raw/a.tar")


def test_without_records_nothing_is_kept(tmp_path: Path) -> None:
    records = records_for("off", store(), "here", lambda line: None, tmp_path)
    assert isinstance(records, NoRecords)
    records.delete(records.save(RECORD))
    assert [] == records.load("data", "raw/a.tar")
    assert [] == list(tmp_path.iterdir())
