"""A run that is killed between asking for an upload and recording it leaves nothing that nobody knows."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from storagekit import RetryPolicy
from storagekit._alive import Alive
from storagekit._record import parse
from storagekit.driver import Code
from storagekit.errors import PermissionDeniedError, ServiceError
from storagekit.testing.bodies import BytesBody
from storagekit.testing.faults import Call, fault, never
from storagekit.types import WriteOptions
from tests.engine.conftest import BUCKET, PART, Service
from tests.engine.test_upload import DATA, on


class Killed(BaseException):
    """What a kill looks like from inside."""


def kill(service: Service, operation: str, *, nth: int = 1, after: bool = False) -> None:
    """Run an upload that dies at this call: before it reaches the service, or after it took effect.

    From then on no request gets through, so what the engine does on its way out changes nothing.
    """
    dead = False

    def die(call: Call) -> BaseException | None:
        nonlocal dead
        if dead:
            return fault(Code.ACCESS_DENIED)
        dead = call.operation == operation and call.nth == nth
        return Killed() if dead else None

    def refuse(call: Call) -> Exception | None:
        return fault(Code.ACCESS_DENIED) if dead else None

    if after:
        service.fails(refuse, die)  # type: ignore[arg-type]  # a kill is no Exception
    else:
        service.fails(die)  # type: ignore[arg-type]
    with pytest.raises(Killed):
        service.upload(DATA)
    service.heals()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("operation", ["put", "create_upload", "put_part", "complete_upload", "delete"])
@pytest.mark.parametrize("nth", [1, 2])
def test_whatever_a_kill_left_is_gone_after_the_next_run(
    service: Service, operation: str, nth: int, *, after: bool
) -> None:
    if (operation, nth) in {("create_upload", 2), ("complete_upload", 2)}:
        nth = 1
    kill(service, operation, nth=nth, after=after)

    service.upload(DATA)

    assert DATA == service.content()
    assert service.left_over() == []


def test_kills_in_a_row_between_asking_and_recording_are_all_tidied_up(service: Service) -> None:
    for _ in range(3):
        kill(service, "put", nth=2)  # the first put is the intent, the second the record
        service.later(seconds=1)
    assert 3 == len(service.memory.list_uploads(BUCKET).uploads)

    service.upload(DATA)

    assert service.left_over() == []


@pytest.mark.parametrize("when", ["before", "soon after", "long after"])
def test_an_upload_of_another_tool_is_not_taken_for_ours(service: Service, when: str) -> None:
    """Not even one without a part: ours came first. (If ours was not made, "soon after" could not be told.)"""
    if when == "before":
        theirs = service.memory.create_upload(BUCKET, "k", WriteOptions(), None)
    kill(service, "create_upload", after=when == "soon after")
    service.later(seconds=30 if when == "long after" else 2)
    if when != "before":
        theirs = service.memory.create_upload(BUCKET, "k", WriteOptions(), None)

    service.upload(DATA)

    assert [theirs.id] == [upload.id for upload in service.memory.list_uploads(BUCKET).uploads]


@pytest.mark.parametrize("after", [False, True], ids=["ours was not made", "ours was made"])
def test_an_upload_that_has_parts_is_never_dropped(service: Service, *, after: bool) -> None:
    kill(service, "create_upload", after=after)
    theirs = service.memory.create_upload(BUCKET, "k", WriteOptions(), None)
    service.memory.put_part(theirs, 1, BytesBody(b"x" * PART, "crc64"))

    service.upload(DATA)

    assert [theirs.id] == [upload.id for upload in service.memory.list_uploads(BUCKET).uploads]


def test_a_living_run_between_asking_and_recording_is_let_be(service: Service) -> None:
    def other_run(call: Call) -> None:
        if call.operation == "create_upload" and call.nth == 1:
            service.upload(DATA)

    service.fails(after=other_run)

    result = service.upload(DATA)

    assert DATA == service.content()
    assert result.proof in ("head", "source")
    assert service.left_over() == []


def test_where_create_was_refused_no_intent_stays(service: Service) -> None:
    service.fails(on("create_upload", Code.ACCESS_DENIED))
    with pytest.raises(PermissionDeniedError):
        service.upload(DATA)

    assert service.left_over() == []


def test_where_a_second_try_was_refused_the_first_may_have_landed(service: Service) -> None:
    service.fails(before=on("create_upload", Code.ACCESS_DENIED, nth=2), after=on("create_upload", Code.NETWORK, nth=1))
    with pytest.raises(PermissionDeniedError):
        service.upload(DATA)
    service.heals()
    assert 2 == len(service.left_over())

    service.upload(DATA)

    assert service.left_over() == []


def test_where_the_answer_to_create_was_lost_the_next_run_finds_the_upload(service: Service) -> None:
    service.fails(after=on("create_upload", Code.NETWORK))
    with pytest.raises(ServiceError):
        service.upload(DATA, uploader={"retry": RetryPolicy(attempts=1)})
    service.heals()
    assert 2 == len(service.left_over())

    service.upload(DATA)

    assert service.left_over() == []


@pytest.mark.parametrize("times", [1, 3])
def test_what_an_unanswered_try_made_is_dropped_by_the_same_run(service: Service, times: int) -> None:
    theirs = service.memory.create_upload(BUCKET, "k", WriteOptions(), None)
    service.fails(
        after=lambda call: fault(Code.NETWORK) if call.operation == "create_upload" and call.nth <= times else None
    )

    service.upload(DATA)

    assert DATA == service.content()
    assert [theirs.id] == service.left_over()


def test_an_upload_that_somebody_recorded_meanwhile_is_not_taken_for_an_unanswered_one(service: Service) -> None:
    other = DATA[::-1]
    begun: list[str] = []

    def meanwhile(call: Call) -> Exception | None:
        if call.operation == "create_upload" and call.nth == 1:
            service.driver.before = never
            begun.append(service.uploader().init_upload(BUCKET, "k", source_id="other").upload_id)
            return fault(Code.SERVER)
        return None

    service.fails(meanwhile)
    service.upload(DATA)
    service.heals()

    assert begun == [upload.id for upload in service.memory.list_uploads(BUCKET).uploads]
    context = service.uploader().init_upload(BUCKET, "k", source_id="other")
    service.uploader().upload_stream(context, iter([other]))
    assert service.left_over() == []


def test_an_intent_whose_upload_could_not_be_aborted_stays(service: Service) -> None:
    kill(service, "create_upload", after=True)
    service.fails(on("abort_upload", Code.ACCESS_DENIED))
    service.upload(DATA)
    assert 2 == len(service.left_over())
    service.heals()

    service.upload(DATA)

    assert service.left_over() == []


def test_restart_drops_what_was_never_recorded_as_well(service: Service) -> None:
    kill(service, "create_upload", after=True)

    service.upload(DATA[::-1], restart=True)

    assert service.left_over() == []


def test_a_service_that_lists_no_uploads_gets_no_intent(service: Service) -> None:
    service.fails(on("list_uploads", Code.UNSUPPORTED))

    service.upload(DATA)

    keys = [call.key or "" for call in service.driver.operations("put")]
    assert [False] == [key.endswith(".intent.json") for key in keys]


def test_the_intents_of_another_source_are_left_alone_for_a_day(service: Service) -> None:
    kill(service, "create_upload", after=True)
    other = DATA[::-1]

    service.upload(other)
    assert 2 == len(service.left_over())
    service.later(hours=25)
    service.upload(other)

    assert service.left_over() == []


def test_a_lock_is_seen_while_its_holder_lives() -> None:
    holder, other = Alive(), Alive()
    holder.hold("t0ken")

    assert other.is_held("t0ken")
    assert not other.hold("t0ken")
    assert holder.hold("t0ken")
    assert not holder.is_held("t0ken")  # not by another
    other.close()
    assert other.is_held("t0ken")
    holder.close()
    assert not other.is_held("t0ken")


def test_where_no_lock_can_be_made_nobody_is_said_to_live(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    nowhere = Alive(tmp_path / "file" / "below")

    assert nowhere.hold("t0ken")
    assert not nowhere.is_held("t0ken")
    nowhere.close()


def test_an_intent_is_no_record() -> None:
    from tests.unit.test_record import RECORD

    intent = replace(RECORD, upload_id="", seen=("U1",))

    assert parse(intent.to_json()) == intent
    assert intent.is_intent
    assert not intent.begun_as("U2").is_intent


def test_an_empty_upload_whose_record_is_kept_locally_is_dropped_after_a_day_too(
    service: Service, tmp_path: Path
) -> None:
    local = {"state_directory": tmp_path}
    service.uploader(checkpoint="local", **local).init_upload(BUCKET, "k")
    service.later(hours=23)
    service.upload(DATA, uploader=local)
    assert 1 == len(service.left_over())
    service.later(hours=2)

    service.upload(DATA, uploader=local)

    assert service.left_over() == []
    assert [] == [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_kill_between_asking_and_recording_is_tidied_up_with_local_records_too(tmp_path: Path) -> None:
    service = Service(now=datetime.now(timezone.utc))
    local = {"checkpoint": "local", "state_directory": tmp_path}
    service.fails(after=lambda call: fault(Code.NETWORK) if call.operation == "create_upload" else None)
    with pytest.raises(ServiceError):
        service.upload(DATA, uploader={**local, "retry": RetryPolicy(attempts=1)})
    service.heals()
    assert 1 == len(service.left_over())

    service.upload(DATA, uploader=local)

    assert service.left_over() == []
    assert [] == [path for path in tmp_path.rglob("*") if path.is_file()]
