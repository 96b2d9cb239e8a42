"""Conformance, the unhappy cases: bodies that break their promise, uploads that are gone, things that are missing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from storagekit.driver import Code, DriverError, Failure
from storagekit.testing._conformance_base import PLAIN, BytesBody, Harness, failure, pattern
from storagekit.testing.bodies import BodyBroke
from storagekit.types import Part, Upload

OLD = b"what was there before"

#: Ways in which a body breaks its promise. ``fail_at`` is what the source does, the others are lies.
BROKEN: dict[str, dict[str, Any]] = {
    "shorter than promised": {"lie_size": 3001},
    "much shorter than promised": {"lie_size": 3_000_000},
    "longer than promised": {"lie_size": 2999},
    "longer by a whole read": {"lie_size": 1000, "step": 1000},
    "nothing, though bytes were promised": {"lie_size": 3000, "data": b""},
    "source fails at once": {"fail_at": 0},
    "source fails half-way": {"fail_at": 1500, "step": 500},
    "source fails before the last byte": {"fail_at": 2999},
}
broken = pytest.mark.parametrize("how", BROKEN.values(), ids=BROKEN.keys())


def break_body(harness: Harness, how: dict[str, Any]) -> BytesBody:
    return harness.body(**{"data": pattern(3000), **how})


class BreaksOnce:
    """A body hook that fails the first read at ``offset`` or behind it, and none after that."""

    def __init__(self, offset: int) -> None:
        self._offset, self._broke = offset, False

    def __call__(self, at: int) -> None:
        """Raise, the first time that ``at`` is far enough into the body."""
        if at >= self._offset and not self._broke:
            self._broke = True
            raise BodyBroke(f"the source broke off after {at:,} bytes, once")


class BodyFailures:
    """Nothing is stored of a body that breaks its promise, and what was there stays."""

    @broken
    def test_broken_put_stores_nothing(self, harness: Harness, how: dict[str, Any]) -> None:
        body = break_body(harness, how)

        with pytest.raises(Exception):  # noqa: B017  # the SDK may have wrapped what the body raised
            harness.driver.put(harness.bucket, "new", body, PLAIN)

        assert (body.failed is not None) == ("fail_at" in how)
        harness.is_absent("new")

    @broken
    def test_broken_put_keeps_the_old_object(self, harness: Harness, how: dict[str, Any]) -> None:
        before = harness.put("old", OLD)

        with pytest.raises(Exception):  # noqa: B017
            harness.driver.put(harness.bucket, "old", break_body(harness, how), PLAIN)

        harness.holds("old", OLD)
        assert harness.head("old").etag == before.etag

    @broken
    def test_broken_part_is_not_listed(self, harness: Harness, how: dict[str, Any]) -> None:
        upload = harness.begin("new")
        kept = harness.send(upload, 1, pattern(harness.part))

        with pytest.raises(Exception):  # noqa: B017
            harness.driver.put_part(upload, 2, break_body(harness, how))

        assert [(part.number, part.etag) for part in harness.driver.list_parts(upload).parts] == [(1, kept.etag)]

    @broken
    def test_broken_part_keeps_the_old_part(self, harness: Harness, how: dict[str, Any]) -> None:
        upload, data = harness.begin("new"), pattern(3000, seed=1)
        kept = harness.send(upload, 1, data)

        with pytest.raises(Exception):  # noqa: B017
            harness.driver.put_part(upload, 1, break_body(harness, how))

        assert [part.etag for part in harness.driver.list_parts(upload).parts] == [kept.etag]
        harness.driver.complete_upload(upload, [kept])
        harness.holds("new", data)

    def test_put_with_wrong_checksum(self, harness: Harness) -> None:
        harness.put("old", OLD)
        wrong = harness.wrong_checksum()
        if wrong is None:
            harness.takes_bytes_unverified()
            return

        for key in ("old", "new"):
            body = harness.body(pattern(3000), checksum=wrong)
            harness.refuses(Code.INTEGRITY, harness.driver.put, harness.bucket, key, body, PLAIN)

        harness.holds("old", OLD)
        harness.is_absent("new")

    def test_part_with_wrong_checksum(self, harness: Harness) -> None:
        upload = harness.begin("key")
        kept = harness.send(upload, 1, pattern(harness.part))
        wrong = harness.wrong_checksum()
        if wrong is None:
            harness.takes_bytes_unverified()
            return

        for number in (1, 2):
            body = harness.body(pattern(harness.part, seed=9), checksum=wrong)
            harness.refuses(Code.INTEGRITY, harness.driver.put_part, upload, number, body)

        harness.outlives(upload, [kept])

    def test_wrong_checksum_of_no_bytes(self, harness: Harness) -> None:
        """The headers alone would publish an empty object."""
        upload, wrong = harness.begin("key"), harness.wrong_checksum()
        if wrong is None:
            harness.takes_bytes_unverified()
            return

        put = partial(harness.driver.put, harness.bucket, "key", harness.body(b"", checksum=wrong), PLAIN)
        harness.refuses(Code.INTEGRITY, put)
        harness.refuses(Code.INTEGRITY, harness.driver.put_part, upload, 1, harness.body(b"", checksum=wrong))

        harness.is_absent("key")
        harness.outlives(upload, [])

    @pytest.mark.parametrize("stop", [0, 70_000, 199_999])
    def test_a_body_that_is_rewound_is_sent_whole(self, harness: Harness, stop: int) -> None:
        """As the core does it before it tries again."""
        upload, data = harness.begin("parts"), pattern(200_000)
        for send in (
            partial(harness.driver.put, harness.bucket, "key", options=PLAIN),
            partial(harness.driver.put_part, upload, 1),
        ):
            body = harness.body(data, hook=BreaksOnce(stop), step=35_000)
            with pytest.raises(Exception):  # noqa: B017
                send(body=body)
            assert isinstance(body.failed, BodyBroke)
            body.rewind()
            harness.allows(partial(send, body=body))

        harness.holds("key", data)
        assert [part.size for part in harness.parts(upload)] == [len(data)]
        harness.driver.complete_upload(upload, harness.parts(upload))
        harness.holds("parts", data)

    def test_driver_is_of_use_after_a_broken_body(self, harness: Harness) -> None:
        for _ in range(3):
            with pytest.raises(Exception):  # noqa: B017
                harness.driver.put(harness.bucket, "key", harness.body(pattern(200_000), fail_at=100_000), PLAIN)
            harness.put("key", b"whole")
            harness.holds("key", b"whole")


class GoneFailures:
    """What is asked of an upload after its end is UPLOAD_GONE, and changes nothing."""

    def test_after_abort(self, harness: Harness) -> None:
        upload = harness.begin("key")
        part = harness.send(upload, 1, pattern(harness.part))
        harness.driver.abort_upload(upload)

        self._is_gone(harness, upload, [part])
        harness.is_absent("key")
        assert upload.id not in harness.pending("key")

    def test_after_complete(self, harness: Harness) -> None:
        upload, data = harness.begin("key"), pattern(harness.part)
        part = harness.send(upload, 1, data)
        result = harness.ends(upload, [part])
        etag = harness.head("key").etag

        harness.is_completed(upload, [1])
        if harness.forgets_completed:
            self._is_gone(harness, upload, [])
        if harness.repeats_complete:
            assert harness.driver.complete_upload(upload, [part]).etag == result.etag
        else:
            harness.refuses(harness.gone("complete_upload"), harness.driver.complete_upload, upload, [part])
        assert upload.id not in harness.pending("key")
        harness.allows(harness.driver.abort_upload, upload)
        harness.holds("key", data)
        assert harness.head("key").etag == etag

    def test_never_begun(self, harness: Harness) -> None:
        real = harness.begin("key")
        harness.driver.abort_upload(real)
        for identity in (real.id[:-1] + ("0" if real.id[-1] != "0" else "1"), "../../key", "x"):
            lost = Upload(harness.bucket, "key", identity, part_size=harness.part)
            self._is_gone(harness, lost, [Part(1, 1, "0" * 32)])
            harness.allows(harness.driver.abort_upload, lost)

    def test_of_another_key(self, harness: Harness) -> None:
        upload, data = harness.begin("key"), pattern(harness.part)
        part = harness.send(upload, 1, data)
        lost = Upload(harness.bucket, "another key", upload.id, part_size=harness.part)

        if not harness.ids_belong_to_keys:
            assert [found.etag for found in harness.parts(lost)] == [part.etag]
            return
        self._is_gone(harness, lost, [part])
        harness.allows(harness.driver.abort_upload, lost)

        harness.is_absent("another key")
        assert [(part.number, part.etag) for part in harness.parts(upload)] == [(1, part.etag)]
        harness.driver.complete_upload(upload, [part])
        harness.holds("key", data)

    def _is_gone(self, harness: Harness, upload: Upload, parts: list[Part]) -> None:
        """For every call; for a complete of ``parts``, where there are any."""
        put, complete = harness.gone("put_part"), harness.gone("complete_upload")
        harness.refuses(put, harness.driver.put_part, upload, 1, harness.body(pattern(harness.part)))
        harness.refuses(put, harness.driver.put_part, upload, 2, harness.body(b""))
        harness.refuses(Code.UPLOAD_GONE, harness.driver.list_parts, upload)
        if parts:
            harness.refuses(complete, harness.driver.complete_upload, upload, parts)

    def test_abort_twice(self, harness: Harness) -> None:
        upload, other = harness.begin("key"), harness.begin("key")
        kept = harness.send(other, 1, b"kept")

        for _ in range(3):
            harness.allows(harness.driver.abort_upload, upload)

        assert harness.pending("key") == {other.id}
        assert [part.etag for part in harness.parts(other)] == [kept.etag]

    @pytest.mark.parametrize("case", range(4))
    def test_complete_names_what_is_not_there(self, harness: Harness, case: int) -> None:
        upload, data = harness.begin("key"), pattern(harness.part)
        first = harness.send(upload, 1, data)
        wrong_etag = Part(1, first.size, "0" * 32)
        never_sent = Part(2, first.size, first.etag)
        parts = ([wrong_etag], [never_sent], [first, never_sent], [wrong_etag, never_sent])[case]

        harness.refuses(Code.PART_INVALID, harness.driver.complete_upload, upload, parts)

        harness.is_absent("key")
        if harness.outlives(upload, [first]):
            assert harness.pending("key") == {upload.id}
            harness.driver.complete_upload(upload, [first])
            harness.holds("key", data)

    def test_complete_names_a_part_that_was_replaced(self, harness: Harness) -> None:
        upload, data = harness.begin("key"), [pattern(harness.part, seed) for seed in (1, 2)]
        old = harness.send(upload, 1, data[0])
        new = harness.replace(upload, 1, data[1], old)

        if harness.replaces_parts:
            harness.refuses(Code.PART_INVALID, harness.driver.complete_upload, upload, [old])
        harness.driver.complete_upload(upload, [new])

        harness.holds("key", data[int(harness.replaces_parts)])

    def test_small_part_before_the_last(self, harness: Harness) -> None:
        upload, small = harness.begin("key"), b"x" * max(1, harness.driver.limits.min_part - 1)
        parts = [harness.send(upload, 1, small), harness.send(upload, 2, b"end")]

        if harness.driver.limits.min_part > 1:
            harness.refuses(Code.TOO_SMALL, harness.driver.complete_upload, upload, parts)
            harness.is_absent("key")
            harness.outlives(upload, parts)
        else:
            harness.driver.complete_upload(upload, parts)
            harness.holds("key", small + b"end")


class MissingFailures:
    """What does not exist is said not to exist."""

    def test_missing_object(self, harness: Harness) -> None:
        driver, bucket = harness.driver, harness.bucket
        harness.put("folder/key", b"x")

        for key in ("key", "folder", "folder/ke", "folder/key2", "folder/key/below"):
            harness.refuses(Code.NOT_FOUND, driver.head, bucket, key)
            harness.refuses(Code.NOT_FOUND, driver.read, bucket, key)
            harness.refuses(Code.NOT_FOUND, driver.copy, bucket, "copy", bucket, key, PLAIN)
        assert harness.listed() == ["folder/key"]

    def test_missing_bucket(self, harness: Harness) -> None:
        driver, bucket = harness.driver, harness.missing_bucket
        calls: list[Callable[[], object]] = [
            lambda: driver.put(bucket, "key", harness.body(b"x"), PLAIN),
            lambda: driver.put(bucket, "key", harness.body(b""), PLAIN),
            lambda: driver.delete(bucket, "key"),
            lambda: driver.delete_many(bucket, ["key"]),
            lambda: driver.list(bucket),
            lambda: driver.list(bucket, prefix="a/b", delimiter="/"),
            lambda: driver.create_upload(bucket, "key", PLAIN, harness.part),
            lambda: driver.list_uploads(bucket, "key"),
            lambda: driver.delete_bucket(bucket),
        ]
        for call in calls:
            assert failure(driver, call).code is Code.BUCKET_NOT_FOUND
        assert driver.bucket_exists(bucket) is False
        assert bucket not in list(driver.list_buckets())

    def test_missing_bucket_where_an_answer_has_no_body(self, harness: Harness) -> None:
        driver, bucket = harness.driver, harness.missing_bucket
        harness.put("key", b"x")
        either = {Code.NOT_FOUND, Code.BUCKET_NOT_FOUND}

        assert failure(driver, lambda: driver.head(bucket, "key")).code in either
        assert failure(driver, lambda: driver.read(bucket, "key")).code in either
        assert failure(driver, lambda: driver.copy(harness.bucket, "new", bucket, "key", PLAIN)).code in either
        assert harness.listed() == ["key"]

    def test_upload_in_a_missing_bucket(self, harness: Harness) -> None:
        driver, real = harness.driver, harness.begin("key")
        lost = Upload(harness.missing_bucket, "key", real.id, part_size=harness.part)
        calls: list[Callable[[], object]] = [
            lambda: driver.put_part(lost, 1, harness.body(b"x")),
            lambda: driver.list_parts(lost),
            lambda: driver.complete_upload(lost, [Part(1, 1, "0" * 32)]),
        ]
        for call in calls:
            assert failure(driver, call).code in {Code.BUCKET_NOT_FOUND, Code.UPLOAD_GONE}
        assert driver.list_parts(real).parts == ()

    def test_classify_knows_its_limits(self, harness: Harness) -> None:
        for stranger in (KeyError("x"), ValueError(), RuntimeError("no idea")):
            assert harness.driver.classify(stranger).code is Code.UNKNOWN

    def test_classify_passes_on_what_a_driver_error_brings(self, harness: Harness) -> None:
        brought = Failure(Code.THROTTLED, "slower, please", retry_after_s=2.5, request_id="r", status=503)
        assert harness.driver.classify(DriverError(brought)) == brought

    def test_presign_answers_with_a_url_or_says_that_it_cannot(self, harness: Harness) -> None:
        harness.put("key", b"x")
        five_minutes = timedelta(minutes=5)
        url = harness.attempt(lambda: harness.driver.presign("GET", harness.bucket, "key", five_minutes))
        assert url is Code.UNSUPPORTED or str(url).startswith(("http://", "https://"))
