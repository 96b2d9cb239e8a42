"""Unfinished uploads on a service: what is listed, and what an abort touches and leaves alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast

import pytest

from storagekit import StorageClient, errors
from storagekit._alive import Alive
from storagekit._record import Record, StoredRecord, file_name, name_for
from storagekit._records import LocalRecords
from storagekit._retry import RetryPolicy
from storagekit._store import Store
from storagekit._survey import Survey
from storagekit._tidy import Tidying, service_time
from storagekit._unfinished import Wanted
from storagekit.driver import Code, Driver
from storagekit.drivers.memory import LIMITS, MemoryDriver
from storagekit.testing.bodies import BytesBody
from storagekit.testing.faults import Call, FakeClock, FaultyDriver, fault
from storagekit.types import AbortOutcome, PartPage, PutResult, UnfinishedUpload, Upload, WriteOptions
from tests.engine.conftest import BUCKET, PART, Service

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
DATA = bytes(range(256)) * 20  # 5 parts of PART
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
UPLOAD = UnfinishedUpload("data", "raw/a.tar", "U1", NOW - 8 * DAY, 3, 30, ours=True, active=NOW - 2 * DAY)
NOTHING_LEFT = replace(UPLOAD, parts=None, kept=None)
THEIRS = replace(UPLOAD, ours=False)
RECORD = Record(BUCKET, "k", "U1", "t0", "id", "shard.bin", 25, 10, None, "", {"storagekittoken": "t0"}, None)


# --- an abort on a service --------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """This machine's records are those of the test alone."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def client(service: Service) -> StorageClient:
    return client_of(service.driver)


def client_of(driver: Any, **options: Any) -> StorageClient:
    settings = {"part_size": PART, "workers": 1, "clock": FakeClock(), "retry": RetryPolicy(attempts=2), **options}
    return StorageClient("memory", BUCKET, driver=driver, **settings)


def leave_unfinished(service: Service, key: str = "k", **options: Any) -> None:
    """Upload until the fourth of five parts is refused; parts and record stay."""
    service.fails(lambda call: fault(Code.ACCESS_DENIED) if (call.operation, call.number) == ("put_part", 4) else None)
    with pytest.raises(errors.PermissionDeniedError):
        client_of(service.driver, **options).put_object(key, DATA)
    service.heals()


def did(outcomes: tuple[AbortOutcome, ...]) -> list[tuple[str, str, str | None]]:
    return [(one.upload.key, one.did, one.why) for one in outcomes]


def refusing(*operations: str, code: Code = Code.ACCESS_DENIED) -> Callable[[Call], Exception | None]:
    return lambda call: fault(code) if call.operation in operations else None


def holding(service: Service, key: str = "k") -> Iterator[None]:
    (stored,) = LocalRecords("memory").load(BUCKET, key) or [record_of(service)]
    alive = Alive()
    alive.hold(stored.record.token)
    yield
    alive.close()


def record_of(service: Service) -> StoredRecord:
    (info,) = service.memory.list(BUCKET, ".storagekit/uploads/").objects
    with service.memory.read(BUCKET, info.key) as reader:
        buffer = bytearray(info.size)
        reader.readinto(memoryview(buffer))
    facts = {name: value for name, value in json.loads(buffer).items() if name != "schema"}
    return StoredRecord(Record(**{**facts, "seen": ()}), info.key, info.modified)


def test_what_is_idle_goes_with_its_record_and_another_tools_stays(service: Service, client: StorageClient) -> None:
    leave_unfinished(service, "a/k")
    leave_unfinished(service, "b/k")
    theirs = service.memory.create_upload(BUCKET, "a/z", WriteOptions(), None)
    service.later(minutes=16)
    told: list[AbortOutcome] = []

    outcomes = client.abort_uploads(prefix="a/", on_outcome=told.append)

    assert [("a/k", "aborted", None), ("a/z", "skipped", "another tool's")] == did(outcomes)
    assert list(outcomes) == told
    assert 3 * PART == outcomes[0].upload.kept
    assert [("a/z", theirs.id), ("b/k", client.list_uploads()[1].upload_id)] == [
        (one.key, one.upload_id) for one in client.list_uploads()
    ]
    client.abort_uploads(key="b/k")
    assert [theirs.id] == service.left_over()


@pytest.mark.parametrize(
    "how",
    [{"key": "k"}, {"prefix": ""}, {"older_than": timedelta(0)}, {"stale": True}],
    ids=lambda how: next(iter(how)),
)
def test_a_live_upload_is_left_alone_by_everything_but_its_id(
    service: Service, client: StorageClient, how: dict[str, Any]
) -> None:
    leave_unfinished(service)
    service.later(minutes=14)
    before = service.left_over()

    assert [("k", "skipped", "live")] == did(client.abort_uploads(**how))

    assert before == service.left_over()
    client.abort_upload("k", client.list_uploads()[0].upload_id)
    assert [] == service.left_over()


def test_an_upload_whose_run_is_seen_on_this_machine_is_left_alone(service: Service, client: StorageClient) -> None:
    leave_unfinished(service)
    service.later(days=30)
    before = service.left_over()

    for _ in holding(service):
        assert [("k", "skipped", "live")] == did(client.abort_uploads(prefix=""))
        assert client.list_uploads()[0].live

    assert before == service.left_over()
    assert [("k", "aborted", None)] == did(client.abort_uploads(prefix=""))


def test_an_upload_is_seen_as_held_while_it_is_aborted_so_that_no_stream_takes_it_over(
    service: Service, client: StorageClient
) -> None:
    leave_unfinished(service)
    service.later(days=2)
    token, seen = record_of(service).record.token, []

    def look(call: Call) -> Exception | None:
        if call.operation == "abort_upload":
            seen.append(Alive().is_held(token))
        return None

    service.fails(look)
    client.abort_uploads(stale=True)

    assert ([True], False) == (seen, Alive().is_held(token))


def test_stale_ones_are_those_without_a_part_for_a_day(service: Service, client: StorageClient) -> None:
    leave_unfinished(service)
    service.later(hours=24)
    assert () == client.abort_uploads(stale=True)
    service.later(seconds=1)
    assert [("k", "aborted", None)] == did(client.abort_uploads(stale=True))


def test_the_age_is_counted_from_the_beginning_and_not_from_the_last_part(
    service: Service, client: StorageClient
) -> None:
    leave_unfinished(service)
    service.later(days=7)
    (pending,) = service.memory.list_uploads(BUCKET).uploads
    service.memory.put_part(Upload(BUCKET, "k", pending.id), 4, BytesBody(b"x" * PART))
    service.later(hours=1)

    assert () == client.abort_uploads(older_than=timedelta(days=8))
    assert () == client.abort_uploads(older_than=timedelta(days=7), stale=True)
    assert [("k", "aborted", None)] == did(client.abort_uploads(older_than=timedelta(days=7)))


def test_a_dry_run_says_the_same_and_does_nothing(service: Service, client: StorageClient) -> None:
    service.now = datetime.now(timezone.utc) - 2 * DAY  # a dry run goes by this machine's clock
    leave_unfinished(service)
    before = service.left_over()
    service.heals()

    assert [("k", "aborted", None)] == did(client.abort_uploads(stale=True, dry_run=True))

    assert before == service.left_over()
    assert set() == {"put", "delete", "abort_upload"} & set(service.driver.counts)


def test_nothing_that_says_which_is_refused_before_any_request(service: Service, client: StorageClient) -> None:
    service.heals()
    for wrong in ({}, {"older_than": 7}, {"key": ""}, {"prefix": 7}, {"on_note": "x", "stale": True}):
        with pytest.raises(errors.ConfigurationError):
            client.abort_uploads(**cast("dict[str, Any]", wrong))
    assert {} == service.driver.counts


def test_one_that_cannot_be_aborted_does_not_stop_the_others_and_keeps_its_record(
    service: Service, client: StorageClient
) -> None:
    leave_unfinished(service, "a")
    leave_unfinished(service, "b")
    service.later(days=2)
    once = iter([fault(Code.ACCESS_DENIED)])
    service.fails(lambda call: next(once, None) if call.operation == "abort_upload" else None)

    outcomes = client.abort_uploads(stale=True)

    assert [("a", "failed"), ("b", "aborted")] == [(one.upload.key, one.did) for one in outcomes]
    assert "access" in str(outcomes[0].why).lower()
    service.heals()
    assert [("a", True)] == [(one.key, one.ours) for one in client.list_uploads()]


def test_an_upload_that_the_service_dropped_leaves_a_record_that_is_deleted(
    service: Service, client: StorageClient
) -> None:
    leave_unfinished(service)
    service.memory.store.buckets[BUCKET].uploads.clear()
    service.later(minutes=16)
    service.heals()

    assert [("k", "forgotten", None)] == did(client.abort_uploads(stale=True))

    assert [] == service.left_over()
    assert "abort_upload" not in service.driver.counts


def test_a_part_that_comes_between_the_listing_and_the_abort_saves_the_upload(
    service: Service, client: StorageClient
) -> None:
    leave_unfinished(service)
    service.later(days=2)

    def a_run_takes_over(call: Call) -> Exception | None:
        if (call.operation, call.nth) == (
            "delete",
            1,
        ):  # of the object by which the time was asked for: after the listing
            (pending,) = service.memory.list_uploads(BUCKET).uploads
            service.memory.put_part(Upload(BUCKET, "k", pending.id), 4, BytesBody(b"x" * PART))
        return None

    service.fails(a_run_takes_over)
    assert [("k", "skipped", "live")] == did(client.abort_uploads(stale=True))
    service.heals()
    assert 4 == client.list_uploads()[0].parts


def test_where_the_service_does_not_tell_its_time_everything_counts_as_live(
    service: Service, client: StorageClient
) -> None:
    leave_unfinished(service)
    service.later(days=30)
    service.fails(refusing("put"))

    ((key, what, why),) = did(client.abort_uploads(stale=True))

    assert ("k", "skipped") == (key, what)
    assert "clock cannot be asked" in str(why)


def test_the_services_time_is_its_own_and_asking_leaves_nothing(service: Service) -> None:
    store = Store.of(cast("Driver", service.driver), "memory", RetryPolicy(attempts=1), FakeClock())
    assert service.now == service_time(store, BUCKET, "t1")
    assert [] == service.left_over()
    service.fails(refusing("delete"))
    assert service.now == service_time(store, BUCKET, "t2")
    service.fails(refusing("put", code=Code.UNSUPPORTED))
    assert service_time(store, BUCKET, "t3") is None
    service.fails(refusing("put", code=Code.BAD_CREDENTIALS))
    with pytest.raises(errors.CredentialsError):
        service_time(store, BUCKET, "t4")


# --- a service on which an abort after the complete destroys the object -----------------------------------------------


class SwiftLike(MemoryDriver):
    """After a complete it still lists the parts, as Swift does; and an abort takes the object along.

    Swift's does so during the complete only. Here it always does, so that a test sees every abort of such an upload.
    """

    def __init__(self, service: Service) -> None:
        super().__init__(LIMITS, store=service.memory.store, now=lambda: service.now)
        self.completed: dict[str, PartPage] = {}

    def complete_upload(self, upload: Upload, parts: Any) -> PutResult:
        page = super().list_parts(upload)
        result = super().complete_upload(upload, parts)
        self.completed[upload.id] = page
        return result

    def list_parts(self, upload: Upload, token: str | None = None, limit: int = 1000) -> PartPage:
        return self.completed.get(upload.id) or super().list_parts(upload, token, limit)

    def abort_upload(self, upload: Upload) -> None:
        if upload.id in self.completed:
            self.delete(upload.bucket, upload.key)
        super().abort_upload(upload)


@pytest.fixture
def swift_like(service: Service) -> SwiftLike:
    return SwiftLike(service)


def leave_a_record_of_a_complete(service: Service, driver: SwiftLike) -> Upload:
    """Publish an object by an upload whose record stays, as a kill right after the complete leaves it."""
    faulty = FaultyDriver(driver, before=refusing("delete"))  # so the intent stays as well
    client_of(faulty).put_object("k", DATA)
    return Upload(BUCKET, "k", next(iter(driver.completed)))


def test_an_upload_that_made_its_object_is_listed_without_parts_and_only_its_record_goes(
    service: Service, swift_like: SwiftLike
) -> None:
    leave_a_record_of_a_complete(service, swift_like)
    service.later(days=2)
    client = client_of(swift_like)

    assert [("k", None, None)] == [(one.key, one.parts, one.kept) for one in client.list_uploads()]
    assert [("k", "forgotten", None)] == did(client.abort_uploads(key="k"))

    assert (DATA, []) == (service.content(), service.left_over())


def test_by_its_id_it_is_not_aborted_either(service: Service, swift_like: SwiftLike) -> None:
    upload = leave_a_record_of_a_complete(service, swift_like)
    client_of(swift_like).abort_upload("k", upload.id)
    assert (DATA, []) == (service.content(), service.left_over())


def test_an_object_that_appears_between_the_listing_and_the_abort_is_kept(
    service: Service, swift_like: SwiftLike
) -> None:
    leave_unfinished(service)
    service.later(days=2)

    def a_run_completes(call: Call) -> Exception | None:
        if (call.operation, call.nth) == (
            "delete",
            1,
        ):  # of the object by which the time was asked for: after the listing
            (pending,) = swift_like.list_uploads(BUCKET).uploads
            upload = record_of(service).record.upload
            swift_like.complete_upload(replace(upload, id=pending.id), swift_like.list_parts(upload).parts)
        return None

    client = client_of(FaultyDriver(swift_like, before=a_run_completes))
    ((_, what, _),) = did(client.abort_uploads(stale=True))

    assert ("forgotten", DATA[: 3 * PART]) == (what, service.content())


# --- intents ----------------------------------------------------------------------------------------------------------


def leave_an_intent(service: Service, client: StorageClient, *, created: bool) -> None:
    """Leave what a kill leaves right before or right after ``create_upload`` reached the service."""
    lost: Callable[[Call], Exception | None] = refusing("create_upload", code=Code.TIMEOUT)
    service.fails(after=lost) if created else service.fails(lost)
    with pytest.raises(errors.ServiceError):
        client.put_object("k", DATA)
    service.heals()


def test_an_old_intent_goes_with_the_upload_that_it_announced(service: Service) -> None:
    client = client_of(service.driver, retry=RetryPolicy(attempts=1))
    leave_an_intent(service, client, created=True)
    service.later(hours=24)
    assert [("k", "skipped", "another tool's")] == did(client.abort_uploads(prefix=""))
    service.later(seconds=1)

    assert [("k", "aborted", None)] == did(client.abort_uploads(stale=True))

    assert [] == service.left_over()


def test_a_dry_run_leaves_an_old_intent_and_its_upload(service: Service) -> None:
    service.now = datetime.now(timezone.utc) - 2 * DAY  # a dry run goes by this machine's clock
    leave_an_intent(service, client_of(service.driver, retry=RetryPolicy(attempts=1)), created=True)
    before = service.left_over()
    assert [("k", "aborted", None)] == did(client_of(service.driver).abort_uploads(stale=True, dry_run=True))
    assert before == service.left_over()


def test_an_old_intent_that_led_to_nothing_is_deleted(service: Service) -> None:
    client = client_of(service.driver, retry=RetryPolicy(attempts=1))
    leave_an_intent(service, client, created=False)
    service.later(days=3)

    assert () == client.abort_uploads(prefix="other")
    assert () == client.abort_uploads(older_than=timedelta(days=4))
    assert () == client.abort_uploads(stale=True, key="kk")
    assert [("k", "forgotten", None)] == did(client.abort_uploads(older_than=timedelta(days=3)))

    assert [] == service.left_over()


def test_an_upload_with_a_part_is_never_taken_for_an_announced_one(service: Service) -> None:
    client = client_of(service.driver, retry=RetryPolicy(attempts=1))
    leave_an_intent(service, client, created=False)
    theirs = service.memory.create_upload(BUCKET, "k", WriteOptions(), None)
    service.memory.put_part(theirs, 1, BytesBody(b"x"))
    service.later(days=3)

    assert [("k", "forgotten"), ("k", "skipped")] == [entry[:2] for entry in did(client.abort_uploads(stale=True))]

    assert [theirs.id] == service.left_over()


def test_an_intent_stays_where_the_uploads_cannot_be_listed(service: Service) -> None:
    client = client_of(service.driver, retry=RetryPolicy(attempts=1))
    leave_an_intent(service, client, created=True)
    service.later(days=3)
    service.fails(refusing("list_uploads"))

    assert () == client.abort_uploads(stale=True)

    assert 2 == len(service.left_over())


# --- what is listed ---------------------------------------------------------------------------------------------------


def put(service: Service, name: str, data: bytes) -> None:
    service.memory.put(BUCKET, name, BytesBody(data), WriteOptions())


def test_one_bad_record_does_not_break_the_listing(service: Service, client: StorageClient) -> None:
    leave_unfinished(service)
    for number, bad in enumerate(
        [
            replace(RECORD, bucket="other"),
            replace(RECORD, key="\ud800"),
            replace(RECORD, upload_id="", token="t1"),
        ]
    ):
        put(service, f".storagekit/uploads/x/{number}.json", bad.to_json())
    put(service, name_for(replace(RECORD, key="")), replace(RECORD, key="").to_json())
    put(service, name_for(replace(RECORD, key="z")), replace(RECORD, key="z", upload_id="no such").to_json())

    assert [("k", 3), ("z", None)] == [(one.key, one.parts) for one in client.list_uploads()]


@pytest.mark.parametrize("code", [Code.REFUSED, Code.INVALID_NAME])
def test_a_record_with_an_id_that_the_service_refuses_has_no_upload(
    service: Service, client: StorageClient, code: Code
) -> None:
    leave_unfinished(service)
    (pending,) = service.memory.list_uploads(BUCKET).uploads
    service.memory.abort_upload(Upload(BUCKET, pending.key, pending.id))
    service.fails(refusing("list_parts", code=code))
    assert [None] == [one.parts for one in client.list_uploads()]


def test_an_upload_whose_parts_the_service_refuses_to_list_is_left_alone(
    service: Service, client: StorageClient
) -> None:
    """It may be live: its record must not be forgotten."""
    leave_unfinished(service)
    service.later(days=3)
    service.fails(refusing("list_parts", code=Code.REFUSED))
    notes: list[str] = []

    assert () == client.abort_uploads(prefix="", stale=True, on_note=notes.append)

    assert any("its parts cannot be seen" in note for note in notes)
    service.heals()
    assert [3] == [one.parts for one in client.list_uploads()]
    assert [True] == [one.ours for one in client.list_uploads()]


def test_an_upload_that_vanishes_during_the_listing_is_left_out(service: Service, client: StorageClient) -> None:
    service.memory.create_upload(BUCKET, "a", WriteOptions(), None)
    service.memory.create_upload(BUCKET, "b", WriteOptions(), None)

    def vanish(call: Call) -> Exception | None:
        if (call.operation, call.nth) == ("list_parts", 1):
            service.memory.store.buckets[BUCKET].uploads.popitem()
        return None

    service.fails(vanish)
    assert ["a"] == [one.key for one in client.list_uploads()]


def test_another_tools_upload_whose_parts_may_not_be_seen_is_listed_without_them(
    service: Service, client: StorageClient
) -> None:
    service.memory.create_upload(BUCKET, "a", WriteOptions(), None)
    service.fails(refusing("list_parts"))
    assert [("a", None, False)] == [(one.key, one.parts, one.ours) for one in client.list_uploads()]


@pytest.mark.parametrize("operation", ["list", "list_uploads"])
def test_where_one_listing_is_refused_the_other_is_used_and_it_is_said(
    service: Service, client: StorageClient, operation: str
) -> None:
    leave_unfinished(service)
    service.fails(refusing(operation))
    notes: list[str] = []

    (found,) = client.list_uploads(on_note=notes.append)

    assert (3, operation == "list_uploads") == (found.parts, found.ours)
    assert 1 == len(notes)
    service.fails(refusing("list", "list_uploads"))
    with pytest.raises(errors.PermissionDeniedError):
        client.list_uploads()
    service.fails(refusing(operation, code=Code.BAD_CREDENTIALS))
    with pytest.raises(errors.CredentialsError):
        client.list_uploads()


def test_a_service_that_lists_whole_keys_only_is_named_as_that(service: Service, client: StorageClient) -> None:
    service.memory.limits = replace(LIMITS, exact_upload_listing=True)
    notes: list[str] = []
    client.list_uploads(on_note=notes.append)
    assert ["this service may show other tools' uploads only where their whole key is given"] == notes


def test_a_listing_goes_by_this_machines_clock_or_by_a_later_one_that_it_sees(service: Service, state: Path) -> None:
    leave_unfinished(service)
    store = Store.of(cast("Driver", service.driver), "memory", RetryPolicy(attempts=1), FakeClock())
    for wall, live, stale in (
        (service.now + HOUR, False, False),
        (service.now + 2 * DAY, False, True),
        (service.now - 9 * DAY, True, False),
    ):
        survey = Survey(store, LocalRecords("s", state), Alive(), lambda wall=wall: wall, lambda line: None)  # type: ignore[misc]
        (entry,) = survey.find(BUCKET, "").entries
        assert (live, stale) == (entry.upload.live, entry.upload.stale)
    service.later(days=2)
    leave_unfinished(service, "later")
    survey = Survey(store, LocalRecords("s", state), Alive(), lambda: NOW - 900 * DAY, lambda line: None)
    assert [("k", True), ("later", False)] == [
        (one.upload.key, one.upload.stale) for one in survey.find(BUCKET, "").entries
    ]


# --- records on this machine ------------------------------------------------------------------------------------------


def test_uploads_whose_record_is_on_this_machine_are_listed_and_aborted_wherever_they_begin(
    service: Service, client: StorageClient, state: Path
) -> None:
    service.memory.limits = replace(LIMITS, exact_upload_listing=True)
    leave_unfinished(service, "a/k", checkpoint="local")
    service.later(days=2)

    assert [("a/k", 3, True)] == [(one.key, one.parts, one.ours) for one in client.list_uploads()]
    assert () == client.list_uploads(prefix="b")
    assert [("a/k", "aborted", None)] == did(client.abort_uploads(stale=True))
    assert [] == list(state.rglob("*.json"))


def test_below_finds_this_scopes_records_of_the_bucket_and_nothing_else(tmp_path: Path) -> None:
    mine, other = LocalRecords("mine", tmp_path), LocalRecords("other", tmp_path)
    mine.save(RECORD)
    mine.save(replace(RECORD, key="k2", token="t2"))
    mine.save(replace(RECORD, bucket="elsewhere", token="t3"))
    other.save(replace(RECORD, token="t4"))
    home = Path(mine.save(replace(RECORD, key="bad", token="t5")).name).parent
    (home / file_name(replace(RECORD, token="t5"))).write_bytes(b"{")
    (home / "big.json").write_bytes(replace(RECORD, key="bad", source="x" * 300_000).to_json())
    (home / "surrogate.json").write_bytes(replace(RECORD, key="\udcff").to_json())
    (home / "directory.json").mkdir()

    def tokens(prefix: str) -> list[str]:
        return sorted(one.record.token for one in mine.below(BUCKET, prefix))

    assert (["t0", "t2"], ["t2"], []) == (tokens(""), tokens("k2"), tokens("x"))
    assert [] == list(LocalRecords("mine", tmp_path / "none").below(BUCKET, ""))


def test_a_bucket_takes_this_machines_records_of_it_along(service: Service, client: StorageClient, state: Path) -> None:
    leave_unfinished(service, checkpoint="local")
    client.create_bucket("keep")
    kept = LocalRecords("memory").save(replace(RECORD, bucket="keep"))

    client.delete_bucket(BUCKET)

    assert [Path(kept.name)] == list(state.rglob("*.json"))


def test_an_upload_recorded_on_this_machine_only_is_aborted_before_its_bucket_goes(
    service: Service, client: StorageClient
) -> None:
    leave_unfinished(service)
    leave_unfinished(service, "other", checkpoint="local")
    service.heals()

    client.delete_bucket(BUCKET)

    assert 2 == service.driver.counts["abort_upload"]


def test_a_tidying_that_is_broken_off_lets_go_of_what_it_held(service: Service, state: Path) -> None:
    leave_unfinished(service)
    service.later(days=2)
    token = record_of(service).record.token

    def stop(outcome: AbortOutcome) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client_of(service.driver).abort_uploads(stale=True, on_outcome=stop)

    assert not Alive().is_held(token)


def test_two_that_tidy_at_once_do_not_disturb_each_other(service: Service, state: Path) -> None:
    leave_unfinished(service)
    service.later(days=2)
    store = Store.of(cast("Driver", service.driver), "memory", RetryPolicy(attempts=1), FakeClock())
    one, two = (
        Tidying(
            Survey(store, LocalRecords("s", state), alive, lambda: service.now, lambda line: None),
            Wanted(stale=True),
            name,
        )
        for alive, name in ((Alive(), "1"), (Alive(), "2"))
    )
    first, second = one.run(BUCKET), two.run(BUCKET)

    assert "aborted" == next(first).did
    assert [] == list(second)
    one.survey.alive.close()
