"""Conformance of copies on the server: whole objects with new labels, and ranges of objects as parts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from storagekit.driver import Code
from storagekit.testing._conformance_base import LABELLED, PLAIN, RELABELLED, Harness, pattern
from storagekit.types import Part, PutResult, Upload, WriteOptions


class CopyTests:
    """A copy has the source's bytes and none of its labels; a copy that is refused changes nothing."""

    def _copy(
        self, harness: Harness, key: str, source: str, options: WriteOptions = PLAIN, if_match: str | None = None
    ) -> PutResult:
        return harness.driver.copy(harness.bucket, key, harness.bucket, source, options, if_match)

    def test_copy(self, harness: Harness) -> None:
        data = pattern(100_000)
        harness.put("from/here", data, LABELLED)

        result = self._copy(harness, "to there", "from/here", RELABELLED)

        harness.holds("to there", data)
        harness.holds("from/here", data)
        harness.is_relabelled("to there", RELABELLED)
        harness.is_labelled("from/here", LABELLED)
        assert harness.head("to there").etag == result.etag

    def test_copy_without_labels_has_none(self, harness: Harness) -> None:
        """Where none are given, S3 keeps the source's unless it is told otherwise."""
        harness.put("source", b"bytes", LABELLED)
        harness.put("target", b"old", RELABELLED)

        self._copy(harness, "target", "source")

        harness.holds("target", b"bytes")
        harness.is_relabelled("target", PLAIN)
        assert harness.head("target").content_type not in {LABELLED.content_type, RELABELLED.content_type}

    def test_copy_replaces(self, harness: Harness) -> None:
        harness.put("source", pattern(1000))
        before = harness.put("target", pattern(2000, seed=2))

        after = self._copy(harness, "target", "source")

        assert before.etag != after.etag
        harness.holds("target", pattern(1000))
        assert harness.listed() == ["source", "target"]

    @pytest.mark.parametrize("size", [0, 1])
    def test_copy_of_next_to_nothing(self, harness: Harness, size: int) -> None:
        etag = harness.put("source", pattern(size), LABELLED).etag

        for if_match in (None, etag):
            self._copy(harness, "target", "source", RELABELLED, if_match)
            harness.holds("target", pattern(size))
            harness.is_relabelled("target", RELABELLED)
            harness.driver.delete(harness.bucket, "target")

    def test_copy_if_match(self, harness: Harness) -> None:
        etag = harness.put("source", b"source").etag
        harness.put("target", b"old")

        harness.allows(partial(self._copy, harness, "target", "source", RELABELLED, etag))

        harness.holds("target", b"source")
        harness.is_relabelled("target", RELABELLED)

    def test_copy_if_match_of_another_version(self, harness: Harness) -> None:
        """The etag that counts is the source's of now: neither an earlier one of it, nor the target's."""
        earlier = harness.put("source", b"as it was").etag
        harness.put("source", b"as it is now")
        target = harness.put("target", b"old", LABELLED).etag

        for etag in (earlier, target, "0" * 32):
            for key in ("target", "new"):
                self._is_another(harness, partial(self._copy, harness, key, "source", RELABELLED, etag))

        if "copy" in harness.unconditional:
            harness.holds("target", b"as it is now")
            return
        harness.holds("target", b"old")
        harness.is_labelled("target", LABELLED)
        harness.is_absent("new")
        harness.holds("source", b"as it is now")

    def _is_another(self, harness: Harness, copy: Callable[[], object]) -> None:
        """Of another version; a service that ignores the condition says nothing that the core could see it by."""
        if "copy" in harness.unconditional:
            harness.attempt(copy)
        else:
            harness.refuses(Code.PRECONDITION, copy)

    @pytest.mark.parametrize("conditional", [False, True])
    def test_copy_onto_itself(self, harness: Harness, conditional: bool) -> None:  # noqa: FBT001
        etag = harness.put("key", pattern(5000), LABELLED).etag

        copy = partial(self._copy, harness, "key", "key", RELABELLED, etag if conditional else None)
        if harness.copies_onto_itself:
            assert harness.allows(copy).etag == harness.head("key").etag
        else:
            harness.refuses(Code.SERVER, copy)

        harness.holds("key", pattern(5000))
        harness.is_relabelled("key", RELABELLED)

    def test_copy_onto_itself_of_another_version(self, harness: Harness) -> None:
        harness.put("key", b"bytes", LABELLED)
        self._is_another(harness, partial(self._copy, harness, "key", "key", RELABELLED, "0" * 32))
        harness.holds("key", b"bytes")
        harness.is_labelled("key", RELABELLED if "copy" in harness.unconditional else LABELLED)

    @pytest.mark.parametrize("if_match", [None, "0" * 32])
    def test_copy_of_nothing(self, harness: Harness, if_match: str | None) -> None:
        harness.put("target", b"old", LABELLED)

        for key in ("target", "new", "nothing"):
            harness.refuses(Code.NOT_FOUND, partial(self._copy, harness, key, "nothing", RELABELLED, if_match))

        harness.holds("target", b"old")
        harness.is_labelled("target", LABELLED)
        assert harness.listed() == ["target"]

    def test_copy_between_buckets(self, harness: Harness) -> None:
        with harness.another_bucket() as other:
            etag = harness.put("key", b"here", LABELLED).etag
            elsewhere = harness.driver.put(other, "key", harness.body(b"elsewhere"), LABELLED).etag
            copy = partial(harness.driver.copy, harness.bucket, "copy", other, "key", RELABELLED)

            self._is_another(harness, partial(copy, etag))
            if "copy" not in harness.unconditional:
                harness.is_absent("copy")
            harness.allows(copy, elsewhere)

            harness.holds("copy", b"elsewhere")
            harness.is_relabelled("copy", RELABELLED)
            harness.driver.copy(other, "back", harness.bucket, "key", PLAIN)
            assert [info.key for info in harness.driver.list(other).objects] == ["back", "key"]
            assert harness.listed() == ["copy", "key"]

    def test_copy_into_a_missing_bucket(self, harness: Harness) -> None:
        harness.put("key", b"x")
        copy = partial(harness.driver.copy, harness.missing_bucket, "key", harness.bucket, "key", PLAIN)
        harness.refuses(Code.BUCKET_NOT_FOUND, copy)

    def test_copy_of_odd_keys(self, harness: Harness) -> None:
        for key in harness.awkward_keys():
            etag = harness.put(key, key.encode()).etag
            harness.allows(partial(self._copy, harness, "copy", key, PLAIN, etag))
            harness.holds("copy", key.encode())

    def test_copy_to_odd_keys(self, harness: Harness) -> None:
        harness.put("source", b"x")
        keys = harness.awkward_keys()

        for key in keys:
            harness.allows(partial(self._copy, harness, key, "source"))

        assert harness.listed() == sorted([*keys, "source"], key=str.encode)

    def test_copy_of_a_multipart_object_outlives_it(self, harness: Harness) -> None:
        """On a service where an object is a list of its parts, the copy must not be a list of the same ones."""
        data = [pattern(harness.part), b"end"]
        etag = harness.multipart("source", *data).etag

        result = self._copy(harness, "target", "source", RELABELLED, etag)
        harness.driver.delete(harness.bucket, "source")

        assert harness.allows(harness.get, "target", 0, None, result.etag) == b"".join(data)
        harness.is_relabelled("target", RELABELLED)
        (listed,) = harness.driver.list(harness.bucket).objects
        assert (listed.key, listed.size) == ("target", harness.part + 3)
        assert harness.head("target").etag == result.etag
        assert (listed.etag == result.etag) == harness.copies_have_one_etag


class CopyPartTests:
    """A part may be a range of another object; where there is no such thing, that is UNSUPPORTED, every time."""

    def _copy_part(
        self, harness: Harness, upload: Upload, number: int, start: int, length: int, etag: str
    ) -> Part | None:
        """Return the part; None where the service makes none."""
        copy = partial(harness.driver.copy_part, upload, number, harness.bucket, "source", start, length, etag)
        if harness.copies_parts:
            return harness.allows(copy)
        harness.refuses(Code.UNSUPPORTED, copy)
        return None

    def test_copy_part(self, harness: Harness) -> None:
        source = pattern(harness.part + 1000)
        etag = harness.put("source", source).etag
        upload, sent = harness.begin("key"), pattern(500, seed=2)
        last = harness.send(upload, 2, sent)

        copied = self._copy_part(harness, upload, 1, 10, harness.part, etag)

        if copied is not None:
            assert (copied.number, copied.size) == (1, harness.part)
            assert [(part.size, part.etag) for part in harness.parts(upload)] == [
                (harness.part, copied.etag),
                (500, last.etag),
            ]
            harness.driver.complete_upload(upload, [copied, last])
            harness.holds("key", source[10 : 10 + harness.part] + sent)

    def test_copy_part_up_to_the_last_byte(self, harness: Harness) -> None:
        source = pattern(2000)
        etag = harness.put("source", source).etag
        upload = harness.begin("key")

        copied = self._copy_part(harness, upload, 1, 1999, 1, etag)

        if copied is not None:
            assert [part.size for part in harness.parts(upload)] == [1] == [copied.size]
            harness.driver.complete_upload(upload, [copied])
            harness.holds("key", source[1999:])

    def test_copy_part_replaces(self, harness: Harness) -> None:
        etag = harness.put("source", b"copied").etag
        upload = harness.begin("key")
        before = harness.send(upload, 1, b"sent before")

        copied = self._copy_part(harness, upload, 1, 0, 6, etag)

        there = before if copied is None else copied
        assert [(part.size, part.etag) for part in harness.parts(upload)] == [(there.size, there.etag)]
        harness.driver.complete_upload(upload, [there])
        harness.holds("key", b"sent before" if copied is None else b"copied")

    def test_copy_part_of_odd_keys_and_another_bucket(self, harness: Harness) -> None:
        sizes: dict[int, int] = {}
        with harness.another_bucket() as other:
            upload = harness.begin("key")
            for number, key in enumerate(harness.awkward_keys(), 1):
                length = len(key.encode())
                etag = harness.driver.put(other, key, harness.body(key.encode()), PLAIN).etag
                copy = partial(harness.driver.copy_part, upload, number, other, key, 0, length, etag)
                if not harness.copies_parts:
                    harness.refuses(Code.UNSUPPORTED, copy)
                elif key in harness.lost_part_sources:
                    harness.refuses(Code.NOT_FOUND, copy)
                else:
                    sizes[number] = harness.allows(copy).size
                    assert sizes[number] == length

        if harness.copies_parts:
            assert {part.number: part.size for part in harness.parts(upload)} == sizes

    def test_copy_part_refusals(self, harness: Harness) -> None:
        etag = harness.put("source", pattern(harness.part)).etag
        harness.put("source", pattern(harness.part, seed=2))
        upload, copy = harness.begin("key"), harness.driver.copy_part
        if not harness.copies_parts:
            self._copy_part(harness, upload, 1, 0, harness.part, etag)
            return

        changed = harness.attempt(partial(copy, upload, 1, harness.bucket, "source", 0, harness.part, etag))
        assert isinstance(changed, Part) if "copy_part" in harness.unconditional else changed is Code.PRECONDITION
        harness.refuses(Code.NOT_FOUND, copy, upload, 2, harness.bucket, "nothing", 0, harness.part, etag)
        assert [part.number for part in harness.parts(upload)] == ([1] if isinstance(changed, Part) else [])
        harness.driver.abort_upload(upload)
        now = harness.head("source").etag
        gone = harness.gone("copy_part")
        harness.refuses(gone, copy, upload, 1, harness.bucket, "source", 0, harness.part, now)

    def test_refused_copy_part_keeps_the_old_part(self, harness: Harness) -> None:
        harness.put("source", b"source")
        upload = harness.begin("key")
        kept = harness.send(upload, 1, b"sent before")
        copy = partial(harness.driver.copy_part, upload, 1, harness.bucket, "source", 0, 6)

        if harness.copies_parts and "copy_part" in harness.unconditional:
            assert harness.allows(copy, "0" * 32).size == 6
            return
        harness.refuses(Code.PRECONDITION if harness.copies_parts else Code.UNSUPPORTED, copy, "0" * 32)

        assert [part.etag for part in harness.parts(upload)] == [kept.etag]
        harness.driver.complete_upload(upload, [kept])
        harness.holds("key", b"sent before")
