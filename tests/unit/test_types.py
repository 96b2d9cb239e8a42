"""Results are values, and answer like dictionaries."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest

from storagekit.types import Answers, DownloadResult, ObjectInfo, UploadResult

UPLOADED = UploadResult("b", "k", 10, "e", sent=6, kept=4, parts=2, part_size=6, resumed=True, proof="head")
DOWNLOADED = DownloadResult("b", "k", "/tmp/k", 10, "e")
INFO = ObjectInfo("k", 10, "e")

every = pytest.mark.parametrize("result", [UPLOADED, DOWNLOADED, INFO])


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


def test_a_result_can_be_spread() -> None:
    assert "k has 10 bytes" == "{key} has {size} bytes".format(**UPLOADED)


def test_the_receipt_is_not_in_the_repr() -> None:
    assert "receipt" not in repr(UPLOADED)
