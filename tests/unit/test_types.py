"""Results are values, and answer like dictionaries."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from datetime import datetime, timezone

import pytest

from storagekit.types import (
    Answers,
    DeleteFailure,
    DownloadResult,
    ObjectInfo,
    ObjectList,
    UnfinishedUpload,
    UploadResult,
)

UPLOADED = UploadResult("b", "k", 10, "e", sent=6, kept=4, parts=2, part_size=6, resumed=True, proof="head")
DOWNLOADED = DownloadResult("b", "k", "/tmp/k", 10, "e")
INFO = ObjectInfo("k", 10, "e")
UNFINISHED = UnfinishedUpload("b", "k", "id", None, 3, 30, ours=True)
FAILED = DeleteFailure("k", "access_denied", "no")

every = pytest.mark.parametrize("result", [UPLOADED, DOWNLOADED, INFO, UNFINISHED, FAILED])


@every
def test_a_result_answers_like_a_dictionary(result: Answers) -> None:
    assert {name: getattr(result, name) for name in result} == dict(result)
    assert list(result) == result.keys()


@every
def test_every_field_is_a_key_in_the_order_of_declaration(result: UploadResult) -> None:
    assert [field.name for field in fields(result)] == result.keys()


@every
def test_an_unknown_name_is_a_key_error(result: Answers) -> None:
    for name in ("missing", "keys", "__class__", ""):
        with pytest.raises(KeyError):
            result[name]


@every
def test_a_result_cannot_be_changed(result: Answers) -> None:
    with pytest.raises(FrozenInstanceError):
        result.key = "other"  # type: ignore[attr-defined]  # every result has a key


@every
def test_a_result_can_be_looked_into(result: Answers) -> None:
    assert "key" in result
    assert "missing" not in result


@every
def test_a_result_can_be_asked_for_what_it_may_not_have(result: Answers) -> None:
    assert ("k", None, 7) == (result.get("key"), result.get("missing"), result.get("missing", 7))


def test_an_object_answers_to_the_word_that_other_clients_use_for_its_time() -> None:
    noon = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
    info = ObjectInfo("k", 10, "e", noon)
    assert noon is info["last_modified"] is info.get("last_modified")
    assert "last_modified" in info
    assert "last_modified" not in list(info)


@pytest.mark.parametrize(("token", "truncated"), [(None, False), ("t", True), ("", True)])
def test_a_list_of_objects_says_whether_there_may_be_more(token: str | None, truncated: bool) -> None:
    found = ObjectList((INFO,), ("p/",), token)
    assert (truncated, truncated) == (found.is_truncated, found["is_truncated"])
    assert {"objects": (INFO,), "prefixes": ("p/",), "token": token} == dict(found)
    assert ("more may follow" if truncated else "complete") in repr(found)
    assert "objects: 1, prefixes: 1" in repr(found)


def test_a_result_can_be_spread() -> None:
    assert "k has 10 bytes" == "{key} has {size} bytes".format(**UPLOADED)


def test_the_receipt_is_not_in_the_repr() -> None:
    assert "receipt" not in repr(UPLOADED)
