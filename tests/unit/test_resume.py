"""The decisions of the resume protocol, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagekit._metadata import SOURCE, TOKEN
from storagekit._plan import Plan
from storagekit._record import Record, StoredRecord
from storagekit._resume import (
    Candidate,
    Request,
    adoptable,
    choose,
    differing,
    in_doubt,
    is_made_by,
    is_opaque,
    kept_parts,
    orphans,
    overtaken,
    proof,
    quiet_for,
    same_bytes,
    split,
    unbroken,
)
from storagekit._source import Identity
from storagekit.types import Checksum, ObjectInfo, Part, PendingUpload

NOON = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
STRONG = Identity("mine", "a file", strong=True)
WEAK = replace(STRONG, strong=False)
RECORD = Record("b", "k", "U1", "t1", "mine", "a file", 25, 10, "text/plain", "m1", {}, None)


def stored(token: str = "t1", **fields: object) -> StoredRecord:
    record = replace(RECORD, token=token, **fields)  # type: ignore[arg-type]  # fields of a record, by name
    return StoredRecord(record, f"{token}.json", NOON)


def parts(*sizes: int, modified: datetime | None = None) -> dict[int, Part]:
    return {number: Part(number, size, f"e{number}", modified=modified) for number, size in enumerate(sizes, start=1)}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (Request(STRONG, 25, None, None), True),
        (Request(STRONG, 25, "text/plain", None), True),
        (Request(STRONG, 25, None, "m1"), True),
        (Request(STRONG, 25, "text/plain", "m1"), True),
        (Request(STRONG, 25, "text/html", None), False),
        (Request(STRONG, 25, None, "m2"), False),
        (Request(STRONG, 25, "text/html", "m1"), False),
        (Request(WEAK, 25, None, None), False),
        (Request(replace(STRONG, digest="other"), 25, None, None), False),
        (Request(STRONG, 24, None, None), False),
        (Request(replace(STRONG, shown="renamed"), 25, None, None), True),
    ],
)
def test_only_an_upload_of_this_very_source_is_adopted(request_: Request, *, expected: bool) -> None:
    assert expected == adoptable(RECORD, request_)


def test_a_guessed_content_type_is_adopted_and_a_given_one_is_not() -> None:
    guessed = replace(RECORD, content_type=None)
    assert adoptable(guessed, Request(STRONG, 25, None, None))
    assert not adoptable(guessed, Request(STRONG, 25, "text/plain", None))


def test_records_of_other_sources_are_told_apart_from_mine_with_other_options() -> None:
    mine, other, differently = stored("t1"), stored("t2", identity="other"), stored("t3", content_type="text/html")
    expected = ([mine], [other])
    assert expected == split([mine, other, differently], Request(STRONG, 25, "text/plain", None))


def test_parts_of_another_size_or_number_are_not_kept() -> None:
    listed = {number: Part(number, size, "e") for number, size in {0: 10, 1: 10, 2: 9, 3: 5, 4: 10}.items()}
    assert [1, 3] == list(kept_parts(Plan(25, 10), listed))


@given(st.integers(0, 60), st.integers(1, 20), st.dictionaries(st.integers(-2, 70), st.integers(0, 20)))
def test_kept_parts_are_exactly_those_of_the_plan(size: int, part_size: int, listed: Mapping[int, int]) -> None:
    plan = Plan(size, part_size)
    kept = kept_parts(plan, {number: Part(number, length, "e") for number, length in listed.items()})
    planned = {span.number: span.length for span in plan.spans()}
    assert {number: length for number, length in listed.items() if planned.get(number) == length} == {
        number: part.size for number, part in kept.items()
    }


def test_the_upload_with_the_most_usable_bytes_is_chosen() -> None:
    little = Candidate(stored("t1"), parts(10))
    much = Candidate(stored("t2"), parts(10, 10))
    unusable = Candidate(stored("t3"), parts(11, 11, 11))
    assert much is choose([little, much, unusable])


def test_of_equals_the_oldest_is_chosen_by_everybody() -> None:
    first, second = Candidate(stored("t1"), parts(10)), Candidate(stored("t2"), parts(10))
    assert first is choose([first, second])


def test_without_candidates_nothing_is_chosen() -> None:
    assert choose([]) is None


@pytest.mark.parametrize(
    ("size", "metadata", "identity", "expected"),
    [
        (25, {TOKEN: "t1", SOURCE: "mine"}, STRONG, "head"),
        (25, {TOKEN: "t1"}, WEAK, "head"),
        (25, {TOKEN: "t2", SOURCE: "mine"}, STRONG, "source"),
        (25, {TOKEN: "t2", SOURCE: "mine"}, WEAK, None),
        (25, {TOKEN: "t2", SOURCE: "other"}, STRONG, None),
        (25, {}, STRONG, None),
        (24, {TOKEN: "t1", SOURCE: "mine"}, STRONG, None),
        (25, {TOKEN: "t0", SOURCE: "mine"}, STRONG, None),
    ],
)
def test_an_upload_is_done_when_the_object_says_so(
    size: int, metadata: dict[str, str], identity: Identity, expected: str | None
) -> None:
    record = replace(RECORD, previous_token="t0")
    assert expected == proof(ObjectInfo("k", size, "e", metadata=metadata), record, identity, 25)


@pytest.mark.parametrize(
    ("content_type", "metadata", "expected"),
    [
        ("text/plain", {"who": "me", "mtime": "2"}, "source"),
        (None, {"who": "me", "more": "x"}, "source"),
        ("text/html", {"who": "me"}, None),
        ("text/plain", {"who": "you"}, None),
        ("text/plain", {}, None),
    ],
)
def test_an_object_of_another_run_has_to_be_described_alike(
    content_type: str | None, metadata: dict[str, str], expected: str | None
) -> None:
    record = replace(RECORD, stored={"who": "me", "mtime": "1", TOKEN: "t1", SOURCE: "mine"})
    found = {**metadata, TOKEN: "t2", SOURCE: "mine"}
    assert expected == proof(ObjectInfo("k", 25, "e", None, content_type, found), record, STRONG, 25)


def test_no_object_proves_nothing() -> None:
    assert proof(None, RECORD, STRONG, 25) is None


@pytest.mark.parametrize(
    ("previous", "now", "expected"), [(None, None, False), (None, "e", True), ("e", None, True), ("e", "e", False)]
)
def test_another_object_at_the_key_is_noticed(previous: str | None, now: str | None, *, expected: bool) -> None:
    info = ObjectInfo("k", 1, now) if now else None
    assert expected == overtaken(replace(RECORD, previous_etag=previous), info)


@pytest.mark.parametrize(
    ("begun", "last_part", "now", "expected"),
    [
        (0, None, 25, 25),
        (0, 2, 25, 23),
        (3, 2, 25, 22),
        (None, 2, 27, 25),
        (None, None, 99, 0),
        (0, None, None, 0),
    ],
)
def test_an_upload_is_quiet_since_it_was_begun_or_got_a_part(
    begun: int | None, last_part: int | None, now: int | None, expected: int
) -> None:
    def at(hours: int | None) -> datetime | None:
        return None if hours is None else NOON + timedelta(hours=hours)

    quiet = quiet_for(replace(stored(), modified=at(begun)), parts(10, modified=at(last_part)), at(now))
    assert timedelta(hours=expected) == quiet


@pytest.mark.parametrize(
    ("listed", "numbers"),
    [
        (parts(10, 10), []),
        (parts(10, 10, 10), []),
        (parts(10), [2]),
        (parts(9, 10), [1]),
        ({1: Part(1, 10, "else"), 2: Part(2, 10, "e2")}, [1]),
        ({}, [1, 2]),
    ],
)
def test_parts_that_are_listed_otherwise_are_named(listed: dict[int, Part], numbers: Sequence[int]) -> None:
    assert numbers == differing(parts(10, 10), listed)


def test_a_stream_goes_on_after_the_full_parts_that_follow_each_other() -> None:
    plan = Plan(None, 10, era=2, ceiling=20)
    assert 3 == unbroken(plan, parts(10, 10, 20))
    assert 2 == unbroken(plan, parts(10, 10, 10))
    assert 1 == unbroken(plan, {1: Part(1, 10, "e"), 3: Part(3, 20, "e")})
    assert 0 == unbroken(plan, {})


def test_of_an_unknown_length_a_smaller_part_may_be_the_last_one() -> None:
    plan = Plan(None, 10, era=2, ceiling=20)
    listed = {number: Part(number, size, "e") for number, size in {0: 5, 1: 10, 2: 11, 3: 7, 4: 20}.items()}
    assert [1, 3, 4] == list(kept_parts(plan, listed))


MD5_ETAG, OTHER_MD5 = "0" * 31 + "1", "0" * 31 + "2"
CRC = Checksum("crc64", "c" * 16)


@pytest.mark.parametrize(
    ("etag", "checksum", "expected"),
    [
        (MD5_ETAG, None, True),
        (MD5_ETAG, Checksum("crc64", "d" * 16), True),
        (OTHER_MD5, None, False),
        (OTHER_MD5, CRC, False),  # an etag that could be an MD5 says more than a checksum of 64 bits
        (MD5_ETAG.upper(), None, True),
        ("opaque", CRC, True),
        ("opaque", Checksum("crc64", "d" * 16), False),
        ("opaque", None, False),
    ],
)
def test_a_part_is_the_same_by_md5_or_where_there_is_none_by_checksum(
    etag: str, checksum: Checksum | None, *, expected: bool
) -> None:
    assert expected == same_bytes(Part(1, 10, etag, checksum), MD5_ETAG, CRC)


def test_an_etag_that_looks_like_an_md5_and_is_none_is_opaque() -> None:
    assert is_opaque(Part(1, 10, OTHER_MD5), MD5_ETAG)
    assert not is_opaque(Part(1, 10, MD5_ETAG), MD5_ETAG)
    assert not is_opaque(Part(1, 10, "c" * 16), MD5_ETAG)


@pytest.mark.parametrize(
    ("seconds", "upload_id", "key", "expected"),
    [
        (0, "U", "k", True),
        (-1, "U", "k", True),
        (5, "U", "k", True),
        (-2, "U", "k", False),
        (6, "U", "k", False),
        (0, "seen", "k", False),
        (0, "recorded", "k", False),
        (0, "U", "kk", False),
    ],
)
def test_an_orphan_was_begun_in_the_moment_of_the_intent_and_is_nobodys(
    seconds: int, upload_id: str, key: str, *, expected: bool
) -> None:
    when = datetime(2026, 1, 1, tzinfo=timezone.utc)
    intent = StoredRecord(replace(RECORD, key="k", upload_id="", seen=("seen",)), "name", when)
    pending = [PendingUpload(key, upload_id, when + timedelta(seconds=seconds)), PendingUpload("k", "dateless")]
    found = [upload.id for upload in orphans(intent, pending, {"recorded"})]
    assert (["U"] if expected else []) == found


def test_a_weak_identity_is_adopted_by_its_like_only() -> None:
    record = replace(RECORD, identity=WEAK.digest, strong=False, size=None)
    assert adoptable(record, Request(WEAK, None, None, None))
    assert not adoptable(record, Request(replace(WEAK, strong=True), None, None, None))
    assert adoptable(record, Request(WEAK, 25, None, None))
    assert not adoptable(replace(record, size=25), Request(WEAK, None, None, None))
    strong = replace(record, identity=STRONG.digest, strong=True)
    assert not adoptable(strong, Request(STRONG, 25, None, None))


def test_a_weak_identity_proves_nothing_before_all_of_it_was_read() -> None:
    info = ObjectInfo("k", 25, "e", metadata={TOKEN: "t1"})
    assert proof(info, RECORD, WEAK, None) is None
    assert proof(info, RECORD, STRONG, None) == "head"


@pytest.mark.parametrize(
    ("apart", "age", "expected"),
    [(0, 0, True), (5, 60, True), (6, 0, False), (0, 16 * 60, False)],
)
def test_an_intent_is_in_doubt_while_another_source_may_be_about_to_record(
    apart: int, age: int, *, expected: bool
) -> None:
    when = datetime(2026, 1, 1, tzinfo=timezone.utc)
    intent, other = (
        replace(stored("t1"), modified=when),
        replace(stored("t2"), modified=when - timedelta(seconds=apart)),
    )
    assert expected == in_doubt(intent, [other], when + timedelta(seconds=age))


def test_an_intent_without_a_time_is_always_in_doubt() -> None:
    assert in_doubt(replace(stored("t1"), modified=None), [], None)


@pytest.mark.parametrize(
    ("record", "metadata", "upload_id", "expected"),
    [
        (RECORD, {TOKEN: "t1"}, None, True),
        (RECORD, {TOKEN: "t2"}, None, False),
        (RECORD, {}, "U1", True),  # the service itself says which upload made it
        (RECORD, {}, "U2", False),
        (RECORD, {TOKEN: "t1"}, "U2", True),
        (replace(RECORD, upload_id=""), {}, "", False),  # an intent, which has made nothing
    ],
)
def test_an_object_is_known_by_our_token_or_by_the_upload_that_the_service_names(
    record: Record, metadata: Mapping[str, str], upload_id: str | None, expected: bool
) -> None:
    assert is_made_by(ObjectInfo("k", 25, "e", metadata=metadata, upload_id=upload_id), record) is expected


def test_where_there_is_no_object_nobody_made_it() -> None:
    assert not is_made_by(None, RECORD)
