"""Unfinished uploads: what is live, stale and ours, which of them are meant, and how each is gone on with."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from storagekit._record import Record
from storagekit._unfinished import Wanted, is_meant, judged, why_not
from storagekit.cli._connection import Connection
from storagekit.cli._resume_command import abort_command, how_to_resume
from storagekit.cli._uri import Remote
from storagekit.types import UnfinishedUpload
from tests.engine.conftest import BUCKET

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
DATA = bytes(range(256)) * 20  # 5 parts of PART
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
UPLOAD = UnfinishedUpload("data", "raw/a.tar", "U1", NOW - 8 * DAY, 3, 30, ours=True, active=NOW - 2 * DAY)
NOTHING_LEFT = replace(UPLOAD, parts=None, kept=None)
THEIRS = replace(UPLOAD, ours=False)
RECORD = Record(BUCKET, "k", "U1", "t0", "id", "shard.bin", 25, 10, None, "", {"storagekittoken": "t0"}, None)


# --- what an upload is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quiet", "live", "stale"),
    [
        (-HOUR, True, False),
        (14 * MINUTE, True, False),
        (15 * MINUTE, False, False),
        (24 * HOUR, False, False),
        (25 * HOUR, False, True),
    ],
)
@pytest.mark.parametrize("upload", [UPLOAD, THEIRS], ids=["ours", "another tool's"])
def test_an_upload_is_live_for_a_quarter_of_an_hour_and_stale_after_a_day(
    upload: UnfinishedUpload, quiet: timedelta, live: bool, stale: bool
) -> None:
    seen = judged(replace(upload, active=NOW - quiet), NOW, held=False)
    assert (live, stale) == (seen.live, seen.stale)


def test_an_upload_whose_writer_is_seen_is_live_however_quiet() -> None:
    for upload in (UPLOAD, NOTHING_LEFT):
        seen = judged(upload, NOW, held=True)
        assert (True, False) == (seen.live, seen.stale)


def test_an_upload_without_a_time_counts_as_live() -> None:
    assert judged(UPLOAD, None, held=False).live
    assert judged(replace(UPLOAD, active=None), NOW, held=False).live


def test_a_record_whose_upload_is_gone_is_stale_unless_it_is_young() -> None:
    for now, active in ((NOW, UPLOAD.active), (NOW, None), (None, None), (None, NOW)):
        seen = judged(replace(NOTHING_LEFT, active=active), now, held=False)
        assert (False, True) == (seen.live, seen.stale)
    assert judged(replace(NOTHING_LEFT, active=NOW - MINUTE), NOW, held=False).live


# --- which are meant --------------------------------------------------------------------------------------------------

IDLE = judged(replace(UPLOAD, active=NOW - HOUR), NOW, held=False)
STALE = judged(UPLOAD, NOW, held=False)
LIVE = judged(replace(UPLOAD, active=NOW), NOW, held=False)


@pytest.mark.parametrize(
    ("wanted", "upload", "meant"),
    [
        (Wanted(key="raw/a.tar"), IDLE, True),
        (Wanted(key="raw/a"), IDLE, False),
        (Wanted(prefix="raw/a"), IDLE, True),
        (Wanted(prefix=""), IDLE, True),
        (Wanted(prefix="b"), IDLE, False),
        (Wanted(stale=True), IDLE, False),
        (Wanted(stale=True), STALE, True),
        (Wanted(stale=True), LIVE, True),
        (Wanted(older_than=8 * DAY), IDLE, True),
        (Wanted(older_than=8 * DAY + MINUTE), IDLE, False),
        (Wanted(older_than=DAY), replace(IDLE, initiated=None), True),
        (Wanted(older_than=timedelta(0)), replace(IDLE, initiated=NOW + MINUTE / 100), True),
        (Wanted(older_than=7 * DAY, stale=True), IDLE, False),
        (Wanted(older_than=7 * DAY, stale=True), STALE, True),
        (Wanted(prefix="raw/", older_than=9 * DAY, stale=True), STALE, False),
        (Wanted(key="b", stale=True), STALE, False),
    ],
)
def test_all_that_is_given_must_hold(wanted: Wanted, upload: UnfinishedUpload, meant: bool) -> None:
    assert meant == is_meant(upload, wanted, NOW)


def test_what_is_live_or_anothers_or_of_no_known_age_is_left_alone_and_it_is_said_why() -> None:
    old = Wanted(older_than=DAY)
    assert why_not(IDLE, old, NOW) is None
    assert why_not(STALE, Wanted(stale=True), NOW) is None
    assert "live" == why_not(LIVE, old, NOW)
    assert "another tool's" == why_not(replace(STALE, ours=False), old, NOW)
    assert "its age is not known" == why_not(replace(IDLE, initiated=None), old, NOW)
    assert "clock" in str(why_not(judged(UPLOAD, None, held=False), old, None))


# --- the command that goes on -----------------------------------------------------------------------------------------

TARGET = Remote("minio", "datasets", "raw/a b.tar")
QUOTED = "'minio://datasets/raw/a b.tar'"


@pytest.mark.parametrize(
    ("source", "facts", "command", "note"),
    [
        ("https://host/a.tar", {}, f"storagekit cp https://host/a.tar {QUOTED}", "query"),
        (
            "https://host/a.tar",
            {"strong": False, "size": 7},
            f"storagekit cp --size 7 https://host/a.tar {QUOTED}",
            "query",
        ),
        ("https://host/a;b", {}, f"storagekit cp 'https://host/a;b' {QUOTED}", "query"),
        ("/data/it's.tar", {}, f"storagekit cp '/data/it'\"'\"'s.tar' {QUOTED}", None),
        ("a.tar", {}, f"storagekit cp a.tar {QUOTED}", "relative"),
        ("-a.tar", {}, f"storagekit cp ./-a.tar {QUOTED}", "relative"),
        ("oss://b/k", {"size": 7}, f"storagekit cp --size 7 oss://b/k {QUOTED}", "--source-profile"),
        ("a.tar", {"promised": "source_id"}, None, "program"),
        ("standard input", {"strong": False}, f"... | storagekit cp - {QUOTED}", None),
        ("standard input", {"strong": False, "size": 9}, f"... | storagekit cp --size 9 - {QUOTED}", None),
        ("standard input", {"promised": "sha256"}, f"... | storagekit cp --sha256 HEX - {QUOTED}", "HEX"),
        ("https://h/a", {"promised": "sha256"}, f"storagekit cp --sha256 HEX https://h/a {QUOTED}", "HEX"),
        ("/a", {"size": 7}, f"storagekit cp --size 7 /a {QUOTED}", None),
        ("stream", {"strong": False}, None, "program"),
        ("stream", {}, None, "program"),
        ("5,120 bytes in memory", {}, None, "program"),
        ("name that a program gave", {"strong": False}, None, "program"),
        ("a\nb", {}, None, "program"),
    ],
)
def test_each_kind_of_source_has_its_command(
    source: str, facts: dict[str, Any], command: str | None, note: str | None
) -> None:
    upload = replace(UPLOAD, **{"strong": True, "size": None, **facts}, source=source)
    resume = how_to_resume(upload, TARGET, Connection())
    assert resume is not None
    assert command == resume.command
    assert (note is None) == (resume.note is None)
    assert (note or "") in (resume.note or "")


def test_the_options_of_the_connection_are_repeated_where_they_mean_the_same() -> None:
    connection = Connection("work", "http://host:9000", "eu")
    upload = replace(UPLOAD, strong=True, size=None, source="minio://b/k")
    options = "--profile work --endpoint-url http://host:9000 --region eu"

    resume, other = (
        how_to_resume(replace(upload, source=f"{kind}://b/k"), TARGET, connection) for kind in ("minio", "oss")
    )

    assert resume is not None
    assert other is not None
    assert f"storagekit cp {options} minio://b/k {QUOTED}" == resume.command
    assert f"storagekit cp --profile work oss://b/k {QUOTED}" == other.command
    assert f"storagekit uploads abort {options} {QUOTED} --id 'x y'" == abort_command(TARGET, "x y", connection)


def test_nothing_is_gone_on_with_where_nothing_is_kept_or_known_and_no_command_ends_in_a_slash() -> None:
    known = replace(UPLOAD, source="/a", strong=True)
    assert how_to_resume(replace(known, parts=None), TARGET, Connection()) is None
    assert how_to_resume(UPLOAD, TARGET, Connection()) is None
    slash = how_to_resume(known, replace(TARGET, key="raw/"), Connection())
    assert slash is not None
    assert slash.command is None
