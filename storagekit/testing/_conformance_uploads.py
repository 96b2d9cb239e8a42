"""Conformance of multipart uploads: any order, any number, invisible until complete."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest

from storagekit.driver import Code
from storagekit.testing._conformance_base import LABELLED, PLAIN, Harness, digest, pattern
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


def is_begun(harness: Harness, upload: PendingUpload) -> None:
    """Assert that the listing says when an upload was begun, as far as the service does."""
    if harness.tells_initiated:
        is_recent(upload.initiated)
    else:
        assert upload.initiated is not None


def is_recent(moment: datetime | None) -> None:
    """Assert that it is aware UTC and within an hour of now: clocks of server and tests may differ."""
    assert moment is not None
    assert moment.utcoffset() == timedelta(0)
    assert abs(moment - datetime.now(timezone.utc)) < timedelta(hours=1)


class UploadTests:
    """The life of one upload."""

    @pytest.mark.parametrize("numbers", [(1, 2, 3), (3, 1, 2), (3, 2, 1)])
    def test_any_order(self, harness: Harness, numbers: tuple[int, ...]) -> None:
        upload, data = harness.begin("key"), numbered(harness, *numbers)

        harness.ends(upload, send_all(harness, upload, data))

        harness.holds("key", whole(data))

    @pytest.mark.parametrize("parts", [1, 2])
    def test_exact_multiple_of_the_part_size(self, harness: Harness, parts: int) -> None:
        data = [pattern(harness.part, seed=number) for number in range(parts)]
        harness.multipart("key", *data)
        harness.holds("key", b"".join(data))

    @pytest.mark.parametrize("size", [0, 1, 100])
    def test_one_small_part(self, harness: Harness, size: int) -> None:
        upload = harness.begin("key")
        harness.ends(upload, [harness.send(upload, 1, pattern(size))])
        harness.holds("key", pattern(size))

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
        assert '"' not in part.etag
        is_recent(listed.modified)

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
            other = pattern(harness.part, seed)
            parts[0] = harness.replace(upload, 1, other, parts[0])
            data[1] = other if harness.replaces_parts else data[1]
            assert [p.etag for p in harness.driver.list_parts(upload).parts] == [p.etag for p in parts]

        harness.driver.complete_upload(upload, parts)
        harness.holds("key", whole(data))

    def test_last_part_is_replaced_by_a_shorter_one(self, harness: Harness) -> None:
        upload, data = harness.begin("key"), numbered(harness, 1, 2, last=2000)
        parts = send_all(harness, upload, data)
        parts[1] = harness.replace(upload, 2, b"short", parts[1])
        data[2] = b"short" if harness.replaces_parts else data[2]

        assert [part.size for part in harness.driver.list_parts(upload).parts] == [harness.part, len(data[2])]
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
        parts = send_all(harness, upload, data)
        if harness.gaps:
            harness.driver.complete_upload(upload, parts)
            harness.holds("key", whole(data))
        else:
            harness.refuses(Code.PART_INVALID, harness.driver.complete_upload, upload, parts)
            harness.is_absent("key")

    def test_invisible_until_complete(self, harness: Harness) -> None:
        upload, data = harness.begin("folder/key"), pattern(harness.part)
        part = harness.send(upload, 1, data)

        harness.is_absent("folder/key")
        assert harness.listed() == []
        folders = [] if harness.hides_folders else ["folder/"]
        assert list(harness.driver.list(harness.bucket, delimiter="/").prefixes) == folders
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
        upload, data = harness.begin("key", LABELLED), numbered(harness, 1, 2)
        harness.send(upload, 2, data[2])
        other = harness.make_driver()
        found = Upload(upload.bucket, upload.key, upload.id, part_size=upload.part_size)

        other.put_part(found, 1, harness.body(data[1]))
        other.complete_upload(found, list(other.list_parts(found).parts))

        harness.holds("key", whole(data))
        harness.is_labelled("key", LABELLED)  # those that it was begun with
        other.close()


class UploadListingTests:
    """What the service says of parts and uploads is the truth about progress."""

    def test_no_part_yet(self, harness: Harness) -> None:
        assert harness.driver.list_parts(harness.begin("key")) == PartPage(())

    @pytest.mark.parametrize("limit", [1, 2, 4, 5])
    def test_parts_by_pages(self, harness: Harness, limit: int) -> None:
        upload = harness.begin("key")
        sent = send_all(harness, upload, {number: pattern(100, seed=number) for number in (10, 9, 2, 1)})

        found = [(part.number, part.etag) for part in harness.parts(upload, limit)]

        wanted = [(part.number, part.etag) for part in sent]
        if harness.exact_part_pages:
            assert found == wanted
        else:
            assert found == wanted[: len(found)]
            assert len(found) >= 3

    def test_more_parts_than_a_page_holds(self, harness: Harness) -> None:
        """A page has at most 1,000; a service that is asked for more cuts in silence."""
        count = min(harness.driver.limits.max_parts, harness.many)
        upload, numbers = harness.begin("key"), range(1, count + 1)
        with ThreadPoolExecutor(8) as pool:
            sent = list(pool.map(lambda number: harness.send(upload, number, b"%d" % number), numbers))

        listed = harness.parts(upload)

        assert [part.number for part in listed] == list(numbers)
        assert [(part.size, part.etag) for part in listed] == [(len(str(part.number)), part.etag) for part in sent]

    def test_parts_sent_between_pages(self, harness: Harness) -> None:
        """What was there at the beginning is neither lost nor repeated."""
        upload = harness.begin("key")
        there = [harness.send(upload, number, b"%d" % number) for number in (10, 20, 30, 40, 50)]
        numbers: list[int] = []
        token: str | None = None
        while True:
            page = harness.driver.list_parts(upload, token, 2)
            numbers += [part.number for part in page.parts]
            for number in (numbers[-1] - 5, numbers[-1] + 5):  # before and behind the place that was reached
                harness.send(upload, number, b"new")
            harness.send(upload, 10, b"10")  # the same again
            token = page.token
            if token is None:
                break

        assert numbers == sorted(set(numbers))
        found = [number for number in numbers if number % 10 == 0]
        if harness.exact_part_pages:
            assert found == [part.number for part in there]
        else:
            assert set(found) <= {part.number for part in there}

    def test_sizes_are_those_that_were_sent(self, harness: Harness) -> None:
        """Whatever was planned: a part of another size is how a resume finds out that it is not its own."""
        upload, part = harness.begin("key"), harness.part
        sizes = {1: part + 100, 2: part - 1, 3: part, 4: 0, 5: 1}
        for number, size in sizes.items():
            harness.send(upload, number, pattern(size, seed=number))
        assert {part.number: part.size for part in harness.parts(upload)} == sizes

        others = {1: 7, 3: part + 1, 5: part}
        for sent in harness.parts(upload):
            if sent.number in others:
                harness.replace(upload, sent.number, pattern(others[sent.number], seed=10 + sent.number), sent)
        sizes |= others if harness.replaces_parts else {}
        assert {part.number: part.size for part in harness.parts(upload)} == sizes

    def test_modified_follows_a_part_that_is_sent_again(self, harness: Harness) -> None:
        upload = harness.begin("key")
        harness.send(upload, 1, b"first")
        (first,) = harness.parts(upload)
        harness.replace(upload, 1, b"second", first)
        (second,) = harness.parts(upload)

        for part in (first, second):
            is_recent(part.modified)
        assert first.modified is not None
        assert second.modified is not None
        assert first.modified <= second.modified
        assert (first.size, second.size) == (5, 6 if harness.replaces_parts else 5)

    def test_another_driver_goes_on_with_the_tokens(self, harness: Harness) -> None:
        uploads = [harness.begin("key") for _ in range(3)]
        sent = [harness.send(uploads[0], number, b"%d" % number) for number in (1, 2, 3)]
        other = harness.make_driver()

        parts = harness.driver.list_parts(uploads[0], limit=2)
        rest = other.list_parts(uploads[0], parts.token)
        begun = harness.driver.list_uploads(harness.bucket, "key", limit=2)
        others = other.list_uploads(harness.bucket, "key", begun.token).uploads if harness.pages_uploads else ()

        assert [part.etag for part in parts.parts + rest.parts] == [part.etag for part in sent]
        assert {upload.id for upload in (*begun.uploads, *others)} == {upload.id for upload in uploads}
        other.close()

    def test_uploads_come_and_go(self, harness: Harness) -> None:
        first, second = harness.begin("a/key"), harness.begin("a/key")
        assert harness.pending("a/key") == {first.id, second.id}
        (*found,) = (up for up in harness.driver.list_uploads(harness.bucket, "a/key").uploads if up.id == first.id)
        assert [upload.key for upload in found] == ["a/key"]
        is_begun(harness, found[0])

        harness.driver.complete_upload(first, [harness.send(first, 1, b"x")])
        assert harness.pending("a/key") == {second.id}
        harness.driver.abort_upload(second)
        assert harness.pending("a/key") == set()

    def test_an_upload_is_found_at_once_by_its_key(self, harness: Harness) -> None:
        """Before it has a part, by another driver too, among uploads of keys that are nearly the same."""
        other = harness.make_driver()
        keys = ["a/key", "a/key2", "a/ke", "a/key/below", "A/key", "a/key"]
        begun: dict[str, set[str]] = {}
        for key in keys:
            begun.setdefault(key, set()).add(harness.begin(key).id)
            for driver in (harness.driver, other):
                page = driver.list_uploads(harness.bucket, key)
                assert {upload.id for upload in page.uploads if upload.key == key} == begun[key]
                for upload in page.uploads:
                    assert upload.key.startswith(key)
                    is_begun(harness, upload)
        other.close()

    def test_initiated_stays(self, harness: Harness) -> None:
        upload = harness.begin("key")
        before = harness.driver.list_uploads(harness.bucket, "key").uploads
        harness.send(upload, 1, b"x")

        assert [each.id for each in before] == [upload.id]
        assert harness.driver.list_uploads(harness.bucket, "key").uploads == before

    @pytest.mark.parametrize("limit", [1, 2, 1000])
    def test_uploads_by_prefix_and_pages(self, harness: Harness, limit: int) -> None:
        keys = ["a/1", "a/1", "a/2", "b"]
        begun = [harness.begin(key) for key in keys]
        wanted = "a/1" if harness.driver.limits.exact_upload_listing else "a/"
        found: list[PendingUpload] = []
        token: str | None = None
        while True:
            page = harness.driver.list_uploads(harness.bucket, wanted, token, limit)
            assert len(page.uploads) <= limit or not harness.pages_uploads
            found += page.uploads
            token = page.token
            if token is None:
                break

        expected = [(upload.key, upload.id) for upload in begun if upload.key.startswith(wanted)]
        assert sorted((upload.key, upload.id) for upload in found) == sorted(expected)
        assert [upload.key for upload in found] == sorted(upload.key for upload in found)
