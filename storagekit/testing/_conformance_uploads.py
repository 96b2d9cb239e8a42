"""Conformance of multipart uploads: any order, any number, invisible until complete."""

from __future__ import annotations

from datetime import timedelta

import pytest

from storagekit.driver import Code
from storagekit.testing._conformance_base import PLAIN, Harness, digest, pattern
from storagekit.types import Part, PartPage, PendingUpload, Upload


def numbered(harness: Harness, *numbers: int, last: int = 100) -> dict[int, bytes]:
    """Return a part's worth of bytes for each number but the highest, which has ``last`` bytes."""
    top = max(numbers)
    return {number: pattern(last if number == top else harness.part, seed=number) for number in numbers}


def send_all(harness: Harness, upload: Upload, data: dict[int, bytes]) -> list[Part]:
    """Send the parts in the order of ``data``; return them ascending, as a complete wants them."""
    sent = [harness.send(upload, number, part) for number, part in data.items()]
    return sorted(sent, key=lambda part: part.number)


def whole(data: dict[int, bytes]) -> bytes:
    """Return what an object made of ``data`` holds."""
    return b"".join(data[number] for number in sorted(data))


class UploadTests:
    """The life of one upload."""

    @pytest.mark.parametrize("numbers", [(1, 2, 3), (3, 1, 2), (3, 2, 1)])
    def test_any_order(self, harness: Harness, numbers: tuple[int, ...]) -> None:
        upload, data = harness.begin("key"), numbered(harness, *numbers)

        result = harness.driver.complete_upload(upload, send_all(harness, upload, data))

        harness.holds("key", whole(data))
        assert harness.head("key").etag == result.etag

    @pytest.mark.parametrize("parts", [1, 2])
    def test_exact_multiple_of_the_part_size(self, harness: Harness, parts: int) -> None:
        data = [pattern(harness.part, seed=number) for number in range(parts)]
        harness.multipart("key", *data)
        harness.holds("key", b"".join(data))

    @pytest.mark.parametrize("size", [0, 1, 100])
    def test_one_small_part(self, harness: Harness, size: int) -> None:
        result = harness.multipart("key", pattern(size))
        harness.holds("key", pattern(size))
        assert harness.head("key").etag == result.etag

    def test_empty_last_part(self, harness: Harness) -> None:
        data = pattern(harness.part)
        harness.multipart("key", data, b"")
        harness.holds("key", data)

    def test_parts_of_different_sizes(self, harness: Harness) -> None:
        upload = harness.driver.create_upload(harness.bucket, "key", PLAIN, None)
        data = {number: pattern(harness.part + 1000 * extra, number) for number, extra in enumerate((3, 0, 1), 1)}
        data[4] = b"end"
        parts = send_all(harness, upload, data)
        assert harness.driver.list_parts(upload).parts[2].size == len(data[3])
        harness.driver.complete_upload(upload, parts)
        harness.holds("key", whole(data))

    def test_a_part_says_what_was_stored(self, harness: Harness) -> None:
        upload, data = harness.begin("key"), pattern(harness.part)

        part = harness.send(upload, 7, data)

        assert (part.number, part.size) == (7, len(data))
        assert part.etag
        assert part.checksum is None or part.checksum == digest(part.checksum.algorithm, data)
        (listed,) = harness.driver.list_parts(upload).parts
        assert (listed.number, listed.size, listed.etag) == (7, len(data), part.etag)
        assert listed.modified is None or listed.modified.utcoffset() == timedelta(0)

    def test_unannounced_checksum(self, harness: Harness) -> None:
        upload, data = harness.begin("key"), pattern(harness.part)
        part = harness.send(upload, 1, data, checksum=None, step=1000)
        harness.driver.complete_upload(upload, [part])
        harness.holds("key", data)

    def test_same_number_replaces(self, harness: Harness) -> None:
        upload = harness.begin("key")
        data = {number: pattern(harness.part, seed=number) for number in (1, 2)}
        parts = send_all(harness, upload, data)

        for seed in (11, 12, 13):
            data[1] = pattern(harness.part, seed)
            parts[0] = harness.send(upload, 1, data[1])
            assert [p.etag for p in harness.driver.list_parts(upload).parts] == [p.etag for p in parts]

        harness.driver.complete_upload(upload, parts)
        harness.holds("key", whole(data))

    def test_last_part_is_replaced_by_a_shorter_one(self, harness: Harness) -> None:
        upload, data = harness.begin("key"), numbered(harness, 1, 2, last=2000)
        send_all(harness, upload, data)
        data[2] = b"short"
        parts = send_all(harness, upload, data)

        assert [part.size for part in harness.driver.list_parts(upload).parts] == [harness.part, 5]
        harness.driver.complete_upload(upload, parts)
        harness.holds("key", whole(data))

    @pytest.mark.parametrize("chosen", [(1, 2), (1, 3), (2, 3), (2,), (3,)])
    def test_some_of_the_parts(self, harness: Harness, chosen: tuple[int, ...]) -> None:
        upload, data = harness.begin("key"), numbered(harness, 1, 2, 3)
        parts = [part for part in send_all(harness, upload, data) if part.number in chosen]

        if harness.driver.limits.sparse_complete:
            harness.driver.complete_upload(upload, parts)
            harness.holds("key", b"".join(data[number] for number in chosen))
            harness.is_completed(upload, [1, 2, 3])
        else:
            harness.refuses(Code.PART_INVALID, harness.driver.complete_upload, upload, parts)
            harness.is_absent("key")

    def test_numbers_with_gaps(self, harness: Harness) -> None:
        upload = harness.begin("key")
        data = {number: pattern(harness.part, seed=number) for number in (2, harness.driver.limits.max_parts)}
        harness.driver.complete_upload(upload, send_all(harness, upload, data))
        harness.holds("key", whole(data))

    def test_invisible_until_complete(self, harness: Harness) -> None:
        upload, data = harness.begin("folder/key"), pattern(harness.part)
        part = harness.send(upload, 1, data)

        harness.is_absent("folder/key")
        assert harness.listed() == []
        assert list(harness.driver.list(harness.bucket, delimiter="/").prefixes) == []
        harness.driver.complete_upload(upload, [part])
        harness.holds("folder/key", data)

    def test_old_object_stays_until_complete(self, harness: Harness) -> None:
        harness.put("key", b"old")
        upload, data = harness.begin("key"), pattern(harness.part)
        part = harness.send(upload, 1, data)

        harness.holds("key", b"old")
        harness.driver.complete_upload(upload, [part])
        harness.holds("key", data)

    def test_abort_keeps_the_old_object(self, harness: Harness) -> None:
        harness.put("key", b"old")
        upload = harness.begin("key")
        harness.send(upload, 1, pattern(harness.part))
        harness.driver.abort_upload(upload)
        harness.holds("key", b"old")

    def test_two_uploads_of_one_key(self, harness: Harness) -> None:
        first, second = harness.begin("key"), harness.begin("key")
        data = {upload.id: pattern(harness.part, seed=number) for number, upload in enumerate((first, second))}
        parts = {upload.id: harness.send(upload, 1, data[upload.id]) for upload in (second, first)}
        assert first.id != second.id

        harness.driver.complete_upload(second, [parts[second.id]])
        harness.holds("key", data[second.id])
        harness.driver.complete_upload(first, [parts[first.id]])

        last = first if harness.driver.limits.complete_order == "completion" else second
        harness.holds("key", data[last.id])
        assert harness.pending("key") == set()

    def test_second_driver_finishes(self, harness: Harness) -> None:
        upload, data = harness.begin("key"), numbered(harness, 1, 2)
        harness.send(upload, 2, data[2])
        other = harness.make_driver()
        found = Upload(upload.bucket, upload.key, upload.id, part_size=upload.part_size)

        other.put_part(found, 1, harness.body(data[1]))
        other.complete_upload(found, list(other.list_parts(found).parts))

        harness.holds("key", whole(data))
        other.close()

    def test_copy_part(self, harness: Harness) -> None:
        source = pattern(harness.part + 1000)
        etag = harness.put("source", source).etag
        upload, sent = harness.begin("key"), pattern(500, seed=2)
        last = harness.send(upload, 2, sent)

        copied = harness.driver.copy_part(upload, 1, harness.bucket, "source", 10, harness.part, etag)

        assert (copied.number, copied.size) == (1, harness.part)
        assert [part.etag for part in harness.driver.list_parts(upload).parts] == [copied.etag, last.etag]
        harness.driver.complete_upload(upload, [copied, last])
        harness.holds("key", source[10 : 10 + harness.part] + sent)

    def test_copy_part_refusals(self, harness: Harness) -> None:
        etag = harness.put("source", pattern(harness.part)).etag
        harness.put("source", pattern(harness.part, seed=2))
        upload, copy = harness.begin("key"), harness.driver.copy_part

        harness.refuses(Code.PRECONDITION, copy, upload, 1, harness.bucket, "source", 0, harness.part, etag)
        harness.refuses(Code.NOT_FOUND, copy, upload, 1, harness.bucket, "nothing", 0, harness.part, etag)
        assert harness.driver.list_parts(upload).parts == ()
        harness.driver.abort_upload(upload)
        now = harness.head("source").etag
        harness.refuses(Code.UPLOAD_GONE, copy, upload, 1, harness.bucket, "source", 0, harness.part, now)


class UploadListingTests:
    """What the service says of parts and uploads is the truth about progress."""

    def test_no_part_yet(self, harness: Harness) -> None:
        assert harness.driver.list_parts(harness.begin("key")) == PartPage(())

    @pytest.mark.parametrize("limit", [1, 2, 4, 5])
    def test_parts_by_pages(self, harness: Harness, limit: int) -> None:
        upload = harness.begin("key")
        sent = send_all(harness, upload, {number: pattern(100, seed=number) for number in (10, 9, 2, 1)})
        listed: list[Part] = []
        token: str | None = None
        while token is not None or not listed:
            page = harness.driver.list_parts(upload, token, limit)
            assert 1 <= len(page.parts) <= limit
            listed += page.parts
            token = page.token
            if token is None:
                break

        assert [(part.number, part.etag) for part in listed] == [(part.number, part.etag) for part in sent]

    def test_uploads_come_and_go(self, harness: Harness) -> None:
        first, second = harness.begin("a/key"), harness.begin("a/key")
        assert harness.pending("a/key") == {first.id, second.id}
        (*found,) = (up for up in harness.driver.list_uploads(harness.bucket, "a/key").uploads if up.id == first.id)
        assert [upload.key for upload in found] == ["a/key"]
        assert found[0].initiated is None or found[0].initiated.utcoffset() == timedelta(0)

        harness.driver.complete_upload(first, [harness.send(first, 1, b"x")])
        assert harness.pending("a/key") == {second.id}
        harness.driver.abort_upload(second)
        assert harness.pending("a/key") == set()

    @pytest.mark.parametrize("limit", [1, 2, 1000])
    def test_uploads_by_prefix_and_pages(self, harness: Harness, limit: int) -> None:
        keys = ["a/1", "a/1", "a/2", "b"]
        begun = [harness.begin(key) for key in keys]
        wanted = "a/1" if harness.driver.limits.exact_upload_listing else "a/"
        found: list[PendingUpload] = []
        token: str | None = None
        while True:
            page = harness.driver.list_uploads(harness.bucket, wanted, token, limit)
            assert len(page.uploads) <= limit
            found += page.uploads
            token = page.token
            if token is None:
                break

        expected = [(upload.key, upload.id) for upload in begun if upload.key.startswith(wanted)]
        assert sorted((upload.key, upload.id) for upload in found) == sorted(expected)
        assert [upload.key for upload in found] == sorted(upload.key for upload in found)
