"""One upload, from nothing to a proven object, and every way in which it can be interrupted."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storagekit._clock import Cancel
from storagekit._source import FileSource
from storagekit.driver import Code, Limits
from storagekit.errors import (
    BucketNotFoundError,
    ConfigurationError,
    IntegrityError,
    InvalidNameError,
    PermissionDeniedError,
    ServiceError,
    SourceChangedError,
    SourceTruncatedError,
    TransferCancelled,
    UploadGoneError,
)
from storagekit.testing.faults import Call, fault
from storagekit.types import Progress, Upload
from tests.engine.conftest import BUCKET, PART, Service

DATA = bytes(range(256)) * 40  # 10 parts of 1,024 bytes


def on(operation: str, code: Code, *, number: int | None = None, nth: int | None = None) -> Any:
    def decide(call: Call) -> Exception | None:
        right = call.operation == operation and number in (None, call.number) and nth in (None, call.nth)
        return fault(code) if right else None

    return decide


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 2 * PART, 10 * PART, 10 * PART - 1])
def test_any_size_arrives_whole_and_leaves_nothing(service: Service, size: int) -> None:
    data = os.urandom(size)

    result = service.upload(data)

    assert data == service.content()
    assert (size, size, 0) == (result.size, result.sent, result.kept)
    assert service.left_over() == []


def test_an_object_of_one_part_is_one_put_and_larger_ones_are_multipart(service: Service) -> None:
    service.upload(b"x" * PART, "one")
    service.upload(b"x" * (PART + 1), "two")

    assert ["one"] == [c.key for c in service.driver.operations("put") if not (c.key or "").startswith(".storagekit/")]
    assert ["two"] == [c.key for c in service.driver.operations("create_upload")]


def test_what_can_never_have_had_parts_is_one_single_request(service: Service) -> None:
    service.memory.limits = Limits(min_part=4096, checksum="crc64")

    service.upload(b"x" * 4096, uploader={"part_size": 8192})
    service.upload(b"x" * 4096, uploader={"part_size": 8192}, source_id="mine")

    assert "put" == service.driver.calls[0].operation
    assert "list" == service.driver.calls[1].operation


def test_content_type_and_metadata_arrive_and_our_own_entries_are_there(service: Service) -> None:
    service.upload(DATA, "a.json", metadata={"who": "Zoë 100%"}, content_type="text/x-test")
    service.upload(DATA, "b.json")

    info = service.memory.head(BUCKET, "a.json")
    assert "text/x-test" == info.content_type
    assert "Zo%C3%AB 100%25" == info.metadata["who"]
    assert {"storagekittoken", "storagekitsource"} <= set(info.metadata)
    assert "application/json" == service.memory.head(BUCKET, "b.json").content_type


def test_the_receipt_names_every_part_and_its_proof(service: Service) -> None:
    result = service.upload(DATA)

    assert list(range(1, 11)) == [part.number for part in result.receipt]
    assert all(part.proof.startswith("crc64:") for part in result.receipt)


class TestBadInput:
    @pytest.mark.parametrize("key", ["", "/a", "a/../b", ".storagekit/uploads/x", "k" * 1025])
    def test_a_bad_key_is_refused_before_any_request(self, service: Service, key: str) -> None:
        with pytest.raises(InvalidNameError):
            service.upload(DATA, key)

        assert service.driver.calls == []

    def test_a_missing_bucket_is_an_error_before_any_byte_moves(self, service: Service) -> None:
        with pytest.raises(BucketNotFoundError) as caught:
            service.uploader().upload(DATA, "absent", "k")

        assert "absent" == caught.value.bucket
        assert service.sent_parts() == []

    @pytest.mark.parametrize("options", [{"workers": 0}, {"memory": 1}, {"part_size": 0}, {"checkpoint": "x"}])
    def test_numbers_that_make_no_sense_are_refused(self, service: Service, options: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError):
            service.uploader(**options)

    def test_a_part_size_the_service_does_not_take_is_refused(self, service: Service) -> None:
        service.memory.limits = Limits(min_part=4096, checksum="crc64")

        with pytest.raises(ConfigurationError, match="part size"):
            service.upload(DATA)


class TestResume:
    def test_exactly_the_missing_parts_are_sent_by_the_next_run(self, service: Service) -> None:
        service.fails(lambda c: fault(Code.SERVER) if c.operation == "put_part" and c.number in (2, 5, 6) else None)
        with pytest.raises(ServiceError) as caught:
            service.upload(DATA)
        assert "run again to go on" in str(caught.value)
        service.heals()

        result = service.upload(DATA)

        assert [2, 5, 6] == service.sent_parts()
        assert (3 * PART, 7 * PART, True) == (result.sent, result.kept, result.resumed)
        assert DATA == service.content()
        assert service.left_over() == []

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(missing=st.sets(st.integers(1, 10), min_size=1), lost_last=st.booleans(), workers=st.integers(1, 5))
    def test_any_set_of_gaps_is_filled(self, missing: set[int], lost_last: bool, workers: int) -> None:
        service = Service()
        data = DATA[:-1] if lost_last else DATA
        stop = on("complete_upload", Code.ACCESS_DENIED)
        service.fails(stop)
        with pytest.raises(PermissionDeniedError):
            service.upload(data)
        pending = next(iter(service.memory.list_uploads(BUCKET).uploads))
        drop_parts(service, pending.id, missing)
        service.heals()

        result = service.upload(data, uploader={"workers": workers})

        assert sorted(missing) == service.sent_parts()
        assert result.resumed
        assert data == service.content()
        assert service.left_over() == []

    def test_the_recorded_plan_is_adopted_whatever_part_size_is_asked_now(self, service: Service) -> None:
        interrupt_after(service, 4)

        result = service.upload(DATA, uploader={"part_size": 3000})

        assert PART == result.part_size
        assert DATA == service.content()

    def test_a_recorded_part_larger_than_this_runs_memory_is_streamed(self, service: Service) -> None:
        data = os.urandom(7 * 1024**2)
        service.fails(on("put_part", Code.ACCESS_DENIED, number=2))
        with pytest.raises(PermissionDeniedError):
            service.upload(data, uploader={"part_size": 3 * 1024**2, "workers": 1})
        service.heals()

        result = service.upload(data, uploader={"memory": 1024**2, "part_size": 1024**2})

        assert ([2, 3], 3 * 1024**2) == (service.sent_parts(), result.part_size)
        assert data == service.content()

    def test_a_new_upload_with_parts_larger_than_memory_is_streamed(self, service: Service) -> None:
        data = os.urandom(5 * 1024**2)

        service.upload(data, uploader={"part_size": 2 * 1024**2, "memory": 1024**2})

        assert data == service.content()

    def test_a_part_of_the_wrong_size_is_sent_again(self, service: Service) -> None:
        upload = interrupt_after(service, 4)
        overwrite_part(service, upload, 1, b"short")

        service.upload(DATA)

        assert 1 in service.sent_parts()
        assert DATA == service.content()

    def test_all_parts_there_completes_without_reading(self, service: Service) -> None:
        service.fails(on("complete_upload", Code.ACCESS_DENIED))
        with pytest.raises(PermissionDeniedError):
            service.upload(DATA)
        service.heals()

        result = service.upload(DATA)

        assert ([], 0, len(DATA)) == (service.sent_parts(), result.sent, result.kept)
        assert DATA == service.content()

    def test_a_changed_source_starts_afresh_and_says_so(self, service: Service) -> None:
        interrupt_after(service, 4)
        other = DATA[::-1]

        result = service.upload(other)

        assert (False, len(other)) == (result.resumed, result.sent)
        assert any("left alone" in note for note in result.notes)
        assert other == service.content()

    def test_explicitly_different_metadata_is_a_new_upload_and_silence_adopts(self, service: Service) -> None:
        service.fails(on("complete_upload", Code.ACCESS_DENIED))
        with pytest.raises(PermissionDeniedError):
            service.upload(DATA, metadata={"a": "1"}, content_type="text/plain")
        service.heals()

        service.later(minutes=16)

        assert not service.upload(DATA, "k", metadata={"a": "2"}).resumed
        assert service.left_over() == []

    def test_the_recorded_content_type_and_metadata_are_adopted(self, service: Service) -> None:
        service.fails(on("complete_upload", Code.ACCESS_DENIED))
        with pytest.raises(PermissionDeniedError):
            service.upload(DATA, metadata={"a": "1"}, content_type="text/plain")
        service.heals()

        assert service.upload(DATA).resumed
        info = service.memory.head(BUCKET, "k")
        assert ("text/plain", "1") == (info.content_type, info.metadata["a"])

    def test_restart_discards_what_was_there(self, service: Service) -> None:
        interrupt_after(service, 4)

        result = service.upload(DATA, restart=True)

        assert (False, len(DATA)) == (result.resumed, result.sent)
        assert service.left_over() == []

    def test_a_failing_listing_of_parts_is_an_error_and_not_a_fresh_start(self, service: Service) -> None:
        interrupt_after(service, 4)
        service.fails(on("list_parts", Code.SERVER))

        with pytest.raises(ServiceError):
            service.upload(DATA)

        assert service.driver.operations("create_upload") == []

    def test_a_file_is_recognised_by_its_content_not_its_path(self, service: Service, tmp_path: Path) -> None:
        first, moved = tmp_path / "a", tmp_path / "b"
        first.write_bytes(DATA)
        interrupt_after(service, 4, FileSource(first))
        first.rename(moved)

        assert service.upload(FileSource(moved)).resumed


class TestUploadGone:
    def test_expired_between_runs_starts_afresh_once_and_says_so(self, service: Service) -> None:
        upload = interrupt_after(service, 4)
        service.memory.abort_upload(upload)

        result = service.upload(DATA)

        assert (False, len(DATA)) == (result.resumed, result.sent)
        assert any("afresh" in note for note in result.notes)
        assert service.left_over() == []

    def test_lost_while_sending_starts_afresh_once(self, service: Service) -> None:
        service.fails(on("put_part", Code.UPLOAD_GONE, number=3, nth=3))

        result = service.upload(DATA, uploader={"workers": 1})

        assert any("afresh" in note for note in result.notes)
        assert DATA == service.content()
        assert service.left_over() == []

    def test_lost_twice_is_an_error(self, service: Service) -> None:
        service.fails(on("put_part", Code.UPLOAD_GONE, number=3))

        with pytest.raises(UploadGoneError):
            service.upload(DATA)

        assert 2 == len(service.driver.operations("create_upload"))

    def test_killed_between_complete_and_clean_up_is_seen_as_done(self, service: Service) -> None:
        service.fails(on("delete", Code.ACCESS_DENIED))  # of the record
        service.upload(DATA)
        assert service.left_over() != []
        service.heals()

        result = service.upload(DATA)

        assert ("head", 0) == (result.proof, result.sent)
        assert service.left_over() == []


class TestComplete:
    @pytest.mark.parametrize("code", [Code.NETWORK, Code.TIMEOUT, Code.SERVER, Code.THROTTLED, Code.STALE_CONNECTION])
    def test_a_lost_answer_is_judged_by_head(self, service: Service, code: Code) -> None:
        service.fails(after=on("complete_upload", code))

        result = service.upload(DATA)

        assert ("head", 1) == (result.proof, len(service.driver.operations("complete_upload")))
        assert DATA == service.content()
        assert service.left_over() == []

    @pytest.mark.parametrize("code", [Code.NETWORK, Code.SERVER, Code.THROTTLED])
    def test_a_complete_that_failed_is_tried_again(self, service: Service, code: Code) -> None:
        service.fails(on("complete_upload", code, nth=1))

        assert "head" == service.upload(DATA).proof
        assert DATA == service.content()

    def test_a_success_that_is_none_is_tried_again(self, service: Service) -> None:
        complete = service.memory.complete_upload
        answers = iter([True, False])

        def lie(upload: Any, parts: Any) -> Any:
            if next(answers, False):
                from storagekit.types import PutResult

                return PutResult("")
            return complete(upload, parts)

        service.memory.complete_upload = lie  # type: ignore[method-assign]

        assert "head" == service.upload(DATA).proof
        assert DATA == service.content()

    def test_head_refused_after_an_acknowledged_complete_is_a_success_by_etag(self, service: Service) -> None:
        service.fails(on("head", Code.ACCESS_DENIED))

        assert "etag" == service.upload(DATA).proof

    def test_an_object_of_another_writer_after_our_complete_supersedes(self, service: Service) -> None:
        def overwrite(call: Call) -> None:
            if call.operation == "complete_upload":
                put(service, "k", b"somebody else's")

        service.fails(after=overwrite)

        result = service.upload(DATA)

        assert "superseded" == result.proof
        assert result.superseded_by
        assert b"somebody else's" == service.content()

    def test_an_object_written_meanwhile_is_replaced_and_named(self, service: Service) -> None:
        def interfere(call: Call) -> None:
            if call.operation == "put_part" and call.nth == 5:
                put(service, "k", b"somebody else's")

        service.fails(interfere)

        assert service.upload(DATA).replaced
        assert DATA == service.content()

    def test_a_subset_that_the_service_refuses_starts_afresh_once(self, service: Service) -> None:
        service.fails(on("complete_upload", Code.PART_INVALID, nth=1))

        result = service.upload(DATA)

        assert any("afresh" in note for note in result.notes)
        assert DATA == service.content()
        assert service.left_over() == []

    def test_a_part_that_the_service_does_not_replace_costs_one_new_upload(self, service: Service) -> None:
        """rclone: a part of another size was there, and answers 501 to the right one."""
        upload = interrupt_after(service, 4)
        overwrite_part(service, upload, 2, b"short")
        service.fails(
            lambda call: (
                fault(Code.UNSUPPORTED)
                if (call.operation, call.number, call.upload_id) == ("put_part", 2, upload.id)
                else None
            )
        )

        result = service.upload(DATA)

        assert not result.resumed
        assert any("afresh" in note for note in result.notes)
        assert DATA == service.content()
        assert service.left_over() == []

    def test_a_service_that_replaces_no_part_at_all_is_an_error_and_no_endless_loop(self, service: Service) -> None:
        service.fails(on("put_part", Code.UNSUPPORTED))

        with pytest.raises(UploadGoneError, match="unsupported"):
            service.upload(DATA)

        assert 2 == len(service.driver.operations("create_upload"))

    @pytest.mark.parametrize("operation", ["put_part", "complete_upload"])
    def test_an_upload_that_is_gone_behind_a_500_is_found_out(self, service: Service, operation: str) -> None:
        """Ceph of a complete, and moto of a part too, know no other answer; the list of parts tells."""
        lost: list[str] = []

        def lose(call: Call) -> Exception | None:
            if call.operation == operation and not lost and call.upload_id:
                lost.append(call.upload_id)
                service.memory.abort_upload(Upload(BUCKET, "k", call.upload_id))
            return fault(Code.SERVER) if call.operation == operation and call.upload_id in lost else None

        service.fails(lose)

        result = service.upload(DATA)

        assert any("afresh" in note for note in result.notes)
        assert DATA == service.content()
        assert service.left_over() == []

    def test_behind_a_500_that_is_none_of_that_the_upload_is_kept(self, service: Service) -> None:
        service.fails(on("complete_upload", Code.SERVER))
        with pytest.raises(ServiceError):
            service.upload(DATA)
        service.heals()

        result = service.upload(DATA)

        assert (True, 0) == (result.resumed, result.sent)

    def test_another_tool_writing_into_our_upload_is_an_integrity_error(self, service: Service) -> None:
        upload = interrupt_after(service, 4)

        def interfere(call: Call) -> None:
            if call.operation == "put_part" and call.nth == 2:
                overwrite_part(service, upload, 1, b"!" * PART)

        service.fails(interfere)

        with pytest.raises(IntegrityError):
            service.upload(DATA)
        with pytest.raises(Exception, match="k"):
            service.memory.head(BUCKET, "k")


class TestInitiationOrder:
    def test_an_overtaken_upload_starts_afresh_where_the_last_initiated_wins(self, service: Service) -> None:
        service.memory.limits = Limits(min_part=1, checksum="crc64", complete_order="initiation")
        interrupt_after(service, 4)
        put(service, "k", b"newer")

        result = service.upload(DATA)

        assert (False, len(DATA)) == (result.resumed, result.sent)
        assert DATA == service.content()

    def test_elsewhere_it_goes_on_and_says_so(self, service: Service) -> None:
        interrupt_after(service, 4)
        put(service, "k", b"newer")

        result = service.upload(DATA)

        assert result.resumed
        assert any("replaced" in note for note in result.notes)


class TestRecords:
    def test_an_upload_whose_record_cannot_be_written_is_aborted(self, service: Service) -> None:
        service.fails(on("put", Code.SERVER))

        with pytest.raises(ServiceError):
            service.upload(DATA, uploader={"checkpoint": "bucket"})

        assert service.left_over() == []
        assert service.sent_parts() == []

    def test_where_the_bucket_refuses_the_record_it_is_kept_locally(self, service: Service, tmp_path: Path) -> None:
        options = {"state_directory": tmp_path}
        refuse = on("put", Code.ACCESS_DENIED)
        service.fails(lambda c: refuse(c) or on("put_part", Code.ACCESS_DENIED, number=7)(c))
        with pytest.raises(PermissionDeniedError):
            service.upload(DATA, uploader={**options, "workers": 1})
        assert list(tmp_path.rglob("*.json"))
        service.fails(refuse)

        result = service.upload(DATA, uploader=options)

        assert result.resumed
        assert [7, 8, 9, 10] == service.sent_parts()
        assert list(tmp_path.rglob("*.json")) == []

    def test_the_record_holds_no_query_and_names_the_upload(self, service: Service) -> None:
        interrupt_after(service, 4)

        name = service.memory.list(BUCKET, ".storagekit/").objects[0].key
        info = service.memory.head(BUCKET, name)
        assert "application/json" == info.content_type

    def test_off_keeps_nothing_and_aborts_on_failure(self, service: Service) -> None:
        service.fails(on("put_part", Code.ACCESS_DENIED, number=5))

        with pytest.raises(PermissionDeniedError):
            service.upload(DATA, uploader={"checkpoint": "off"})

        assert service.left_over() == []

    def test_a_live_upload_of_another_source_is_left_alone(self, service: Service) -> None:
        interrupt_after(service, 4)
        service.later(hours=23)

        service.upload(DATA[::-1])

        assert 2 == len(service.left_over())  # its record and its upload
        assert service.upload(DATA).resumed

    def test_an_upload_of_another_source_without_a_part_for_24_h_is_dropped(self, service: Service) -> None:
        interrupt_after(service, 4)
        service.later(hours=25)

        result = service.upload(DATA[::-1])

        assert service.left_over() == []
        assert any("no part for 25.0 h" in note for note in result.notes)

    def test_a_failing_clean_up_is_a_note(self, service: Service) -> None:
        service.fails(on("delete", Code.ACCESS_DENIED))

        result = service.upload(DATA)

        assert any("cleaned up" in note for note in result.notes)
        assert DATA == service.content()


class TestTwoWriters:
    def test_the_same_source_finishing_first_makes_the_other_succeed(self, service: Service) -> None:
        def other_run_finishes(call: Call) -> None:
            if call.operation == "put_part" and call.nth == 5:
                service.driver.before = lambda _: None
                service.uploader().upload(DATA, BUCKET, "k")

        service.fails(other_run_finishes)

        result = service.upload(DATA, uploader={"workers": 1})

        assert result.proof in ("head", "source")
        assert DATA == service.content()
        assert service.left_over() == []

    def test_an_upload_that_was_begun_after_ours_was_published_is_let_be(self, service: Service) -> None:
        def other_run_begins(call: Call) -> None:
            if call.operation == "delete" and call.nth == 2:  # of our record (the first was of the intent): we are done
                service.driver.before = on("put_part", Code.ACCESS_DENIED, number=5)
                with pytest.raises(PermissionDeniedError):
                    service.upload(DATA)
                service.heals()

        service.fails(after=other_run_begins)

        service.upload(DATA)

        assert 2 == len(service.left_over())
        assert service.upload(DATA).resumed
        assert service.left_over() == []

    @pytest.mark.parametrize("same", [True, False])
    def test_many_at_once(self, service: Service, same: bool) -> None:
        sources = [DATA if same else bytes([index]) * len(DATA) for index in range(6)]

        with ThreadPoolExecutor(6) as pool:
            results = list(pool.map(service.upload, sources))

        assert service.content() in sources
        assert service.left_over() == []
        assert all(result.size == len(DATA) for result in results)


def test_one_uploader_serves_many_uploads_from_many_threads(service: Service) -> None:
    uploader = service.uploader(memory=1024**2, workers=4)
    sources = {f"key-{index}": os.urandom(PART * (index % 7) + index) for index in range(40)}

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: uploader.upload(sources[key], BUCKET, key), sources))

    assert all(service.content(key) == data for key, data in sources.items())
    assert service.left_over() == []


class TestSourceFails:
    def test_a_file_that_is_cut_short_is_never_published(self, service: Service, tmp_path: Path) -> None:
        path = tmp_path / "f"
        path.write_bytes(DATA)
        service.fails(lambda c: os.truncate(path, 5000) if c.operation == "create_upload" else None)

        with pytest.raises((SourceTruncatedError, SourceChangedError)):
            service.upload(FileSource(path))

        assert not service.memory.list(BUCKET, "k").objects

    def test_a_file_that_changes_meanwhile_is_never_published(self, service: Service, tmp_path: Path) -> None:
        path = tmp_path / "f"
        path.write_bytes(DATA)
        os.utime(path, (1_700_000_000, 1_700_000_000))

        def rewrite(call: Call) -> None:
            if call.operation == "create_upload":
                path.write_bytes(DATA[::-1])

        service.fails(rewrite)

        with pytest.raises(SourceChangedError):
            service.upload(FileSource(path))

        assert not service.memory.list(BUCKET, "k").objects


class TestFailures:
    def test_a_damaged_part_is_sent_again(self, service: Service) -> None:
        service.fails(on("put_part", Code.INTEGRITY, number=4, nth=4))

        service.upload(DATA, uploader={"workers": 1})

        assert 2 == service.sent_parts().count(4)
        assert DATA == service.content()

    def test_a_service_that_is_down_is_given_up_after_four_parts_in_a_row(self, service: Service) -> None:
        service.fails(on("put_part", Code.NETWORK))

        with pytest.raises(ServiceError) as caught:
            service.upload(DATA * 10, uploader={"workers": 1})

        assert {1, 2, 3, 4} == set(service.sent_parts())
        assert 8 == caught.value.attempts

    def test_refused_credentials_stop_at_once_and_keep_what_is_there(self, service: Service) -> None:
        service.fails(on("put_part", Code.EXPIRED_CREDENTIALS, number=6))
        with pytest.raises(PermissionDeniedError):
            service.upload(DATA, uploader={"workers": 1})
        assert [1, 2, 3, 4, 5, 6] == service.sent_parts()
        service.heals()

        assert 5 * PART == service.upload(DATA).kept

    def test_cancelling_keeps_the_state(self, service: Service) -> None:
        cancel = Cancel()
        service.fails(lambda c: cancel.set() if c.operation == "put_part" and c.nth == 4 else None)
        with pytest.raises(TransferCancelled):
            service.upload(DATA, cancel=cancel, uploader={"workers": 1})
        service.heals()

        assert service.upload(DATA).resumed

    def test_an_interrupt_passes_and_keeps_the_state(self, service: Service) -> None:
        def interrupt(progress: Progress) -> None:
            if progress.done >= 3 * PART:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            service.upload(DATA, on_progress=interrupt, uploader={"workers": 1})

        assert service.upload(DATA).resumed

    def test_a_stalled_service_does_not_hold_up_a_cancellation(self, service: Service) -> None:
        cancel, release = Cancel(), threading.Event()

        def stall(call: Call) -> None:
            if call.operation == "put_part":
                cancel.set()
                release.wait(30)

        service.fails(stall)
        try:
            with pytest.raises(TransferCancelled):
                service.upload(DATA, cancel=cancel)
            assert not release.is_set()
        finally:
            release.set()


class TestProgress:
    def test_it_ends_at_the_size_and_starts_at_what_is_there(self, service: Service) -> None:
        interrupt_after(service, 4)
        seen: list[Progress] = []

        service.upload(DATA, on_progress=seen.append)

        assert (4 * PART, 4 * PART) == (seen[0].done, seen[0].kept)
        assert (len(DATA), len(DATA)) == (seen[-1].done, seen[-1].total)

    def test_a_retried_part_takes_its_bytes_back(self, service: Service) -> None:
        service.fails(after=on("put_part", Code.NETWORK, number=2, nth=2))
        seen: list[Progress] = []

        service.upload(DATA, on_progress=seen.append, uploader={"workers": 1})

        assert len(DATA) == seen[-1].done
        assert max(progress.done for progress in seen) == len(DATA)

    @pytest.mark.parametrize(("memory", "expected"), [(1024**2, 1), (2 * 1024**2, 2), (64 * 1024**2, 3)])
    def test_the_workers_that_memory_allows_are_shown(self, service: Service, memory: int, expected: int) -> None:
        seen: list[Progress] = []

        service.upload(bytes(4 * 1024**2), on_progress=seen.append, uploader={"memory": memory, "part_size": 1024**2})

        assert expected == seen[0].workers


def interrupt_after(service: Service, parts: int, source: Any = DATA) -> Any:
    """Leave an upload with the first ``parts`` parts behind; returns it as the driver takes it."""
    service.fails(lambda c: fault(Code.ACCESS_DENIED) if c.operation == "put_part" and c.nth > parts else None)
    with pytest.raises(PermissionDeniedError):
        service.upload(source, uploader={"workers": 1})
    service.heals()
    return pending_upload(service)


def pending_upload(service: Service) -> Any:
    pending = service.memory.list_uploads(BUCKET).uploads[0]
    return Upload(BUCKET, pending.key, pending.id, part_size=PART)


def put(service: Service, key: str, data: bytes) -> None:
    from storagekit.testing.bodies import BytesBody
    from storagekit.types import WriteOptions

    service.memory.put(BUCKET, key, BytesBody(data), WriteOptions())


def overwrite_part(service: Service, upload: Any, number: int, data: bytes) -> None:
    from storagekit.testing.bodies import BytesBody

    service.memory.put_part(upload, number, BytesBody(data))


def drop_parts(service: Service, upload_id: str, numbers: set[int]) -> None:
    """As if those parts had never been sent."""
    pending = service.memory.store.buckets[BUCKET].uploads[upload_id]
    for number in numbers:
        del pending.parts[number]
