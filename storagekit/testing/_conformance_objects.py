"""Conformance of whole objects: put, head, read, delete, copy, names, metadata, buckets."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from storagekit.driver import Code
from storagekit.testing._conformance_base import LABELLED, PLAIN, RELABELLED, Harness, drain, pattern
from storagekit.types import WriteOptions

MIB = 1 << 20


class ObjectTests:
    """One object at a time."""

    @pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB + 5])
    def test_round_trip(self, harness: Harness, size: int) -> None:
        data = pattern(size)
        result = harness.put("folder/key", data)

        harness.holds("folder/key", data)
        info = harness.head("folder/key")
        assert (info.key, info.size, info.etag) == ("folder/key", size, result.etag)
        assert '"' not in info.etag
        assert info.etag

    def test_body_in_small_reads_and_without_checksum(self, harness: Harness) -> None:
        data = pattern(10_000)
        harness.driver.put(harness.bucket, "key", harness.body(data, checksum=None, step=777), PLAIN)
        harness.holds("key", data)

    def test_modified_is_now_in_utc(self, harness: Harness) -> None:
        harness.put("key", b"x")
        listed = harness.driver.list(harness.bucket).objects[0]

        for modified in (harness.head("key").modified, listed.modified):
            assert modified is not None
            assert modified.utcoffset() == timedelta(0)
            assert abs(modified - datetime.now(timezone.utc)) < timedelta(hours=1)

    def test_overwrite(self, harness: Harness) -> None:
        first = harness.put("key", pattern(2000, seed=1))
        second = harness.put("key", pattern(1000, seed=2))

        assert first.etag != second.etag
        harness.holds("key", pattern(1000, seed=2))
        assert harness.listed() == ["key"]

    def test_labels(self, harness: Harness) -> None:
        harness.put("put", b"x", LABELLED)
        harness.multipart("multipart", b"x", options=LABELLED)

        for key in ("put", "multipart"):
            harness.is_labelled(key, LABELLED)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("storagekittoken", "0123456789abcdef" * 2),
            ("storagekitsource", "fedcba9876543210" * 4),
            ("longest", "v" * 256),  # bytes; Swift takes no more in one value
            ("a-b-c", "1"),
            ("json", '{"a": [1, "b"]}'),
            ("punctuation", "!#$%&'()*+,-./:;<=>?@[]^_`{|}~"),
        ],
    )
    def test_metadata_round_trip(self, harness: Harness, name: str, value: str) -> None:
        options = WriteOptions(metadata={name: value})
        harness.put("put", b"x", options)
        harness.multipart("multipart", b"x", options=options)
        harness.driver.copy(harness.bucket, "copy", harness.bucket, "put", options)

        for key in ("put", "multipart"):
            assert dict(harness.head(key).metadata) == {name: value}
        harness.is_relabelled("copy", options)

    def test_metadata_of_many_names(self, harness: Harness) -> None:
        metadata = {f"name-{number}": f"value {number}" for number in range(20)}
        harness.put("key", b"x", WriteOptions(metadata=metadata))
        assert dict(harness.head("key").metadata) == metadata

    def test_labels_are_replaced_with_the_object(self, harness: Harness) -> None:
        harness.put("key", b"same bytes", LABELLED)
        harness.put("key", b"same bytes", RELABELLED)
        assert harness.head("key").content_type == "image/png"
        assert dict(harness.head("key").metadata) == {"other": "1"}

        harness.multipart("key", b"same bytes", options=LABELLED)
        assert dict(harness.head("key").metadata) == dict(LABELLED.metadata)

        harness.put("key", b"same bytes")
        assert dict(harness.head("key").metadata) == {}

    def test_delete_then_put_starts_clean(self, harness: Harness) -> None:
        harness.put("key", b"x", LABELLED)
        harness.driver.delete(harness.bucket, "key")
        harness.put("key", b"x")
        assert dict(harness.head("key").metadata) == {}

    def test_odd_keys(self, harness: Harness) -> None:
        keys = harness.awkward_keys()
        for key in keys:
            harness.put(key, key.encode())

        assert harness.listed() == sorted(keys, key=str.encode)
        for key in keys:
            assert harness.head(key).key == key
            assert harness.get(key) == key.encode()
            assert harness.listed(prefix=key) == sorted((k for k in keys if k.startswith(key)), key=str.encode)

    @pytest.mark.parametrize("many", [False, True])
    def test_odd_keys_are_deleted_one_by_one(self, harness: Harness, many: bool) -> None:  # noqa: FBT001
        keys = harness.awkward_keys()
        for key in keys:
            harness.put(key, b"x")

        for key in keys:
            if many:
                assert harness.driver.delete_many(harness.bucket, [key]) == []
            else:
                harness.driver.delete(harness.bucket, key)
            harness.is_absent(key)
        assert harness.listed() == []

    def test_odd_keys_in_uploads(self, harness: Harness) -> None:
        keys = harness.awkward_keys()
        for key in keys:
            upload = harness.begin(key)
            assert (upload.bucket, upload.key) == (harness.bucket, key)
            assert harness.pending(key) == {upload.id}
            harness.driver.complete_upload(upload, [harness.send(upload, 1, key.encode())])
        for key in keys:
            harness.holds(key, key.encode())

    def test_delete(self, harness: Harness) -> None:
        harness.put("key", b"x")
        harness.put("key2", b"y")

        for key in ("key", "key", "never/was", "key2/below"):
            harness.allows(harness.driver.delete, harness.bucket, key)

        harness.is_absent("key")
        if harness.keeps_what_is_above:
            harness.holds("key2", b"y")
        else:
            harness.is_absent("key2")

    def test_delete_many(self, harness: Harness) -> None:
        for key in ("a", "b/c", "b/d", "e"):
            harness.put(key, b"x")

        assert harness.driver.delete_many(harness.bucket, ["b/c", "never", "a", "never/was", "b/d"]) == []

        assert harness.listed() == ["e"]

    def test_delete_many_of_nothing(self, harness: Harness) -> None:
        harness.put("key", b"x")
        assert harness.allows(harness.driver.delete_many, harness.bucket, []) == []
        assert harness.listed() == ["key"]

    def test_second_driver_sees_the_same(self, harness: Harness) -> None:
        harness.put("key", b"x", LABELLED)
        other = harness.make_driver()

        assert other.head(harness.bucket, "key") == harness.head("key")
        other.delete(harness.bucket, "key")
        harness.is_absent("key")
        other.close()


class ReadTests:
    """Ranges, conditions, and what a reader says of the object."""

    @pytest.mark.parametrize("length", [None, 1, 7, 1999, 2000, 5000])
    @pytest.mark.parametrize("start", [0, 1, 1000, 1999])
    def test_range(self, harness: Harness, start: int, length: int | None) -> None:
        data = pattern(2000)
        etag = harness.put("key", data).etag

        with harness.driver.read(harness.bucket, "key", start, length) as reader:
            assert (reader.etag, reader.total) == (etag, 2000)
            assert drain(reader, step=300) == data[start:][:length]
            assert reader.readinto(memoryview(bytearray(10))) == 0

    @pytest.mark.parametrize("length", [None, 1, 5000])
    def test_empty_object(self, harness: Harness, length: int | None) -> None:
        etag = harness.put("key", b"").etag

        with harness.driver.read(harness.bucket, "key", 0, length) as reader:
            assert (reader.etag, reader.total) == (etag, 0)
            assert reader.readinto(memoryview(bytearray(10))) == 0

    def test_readinto_fills_no_more_than_the_buffer(self, harness: Harness) -> None:
        harness.put("key", b"abcdef")
        buffer = bytearray(b"________")

        with harness.driver.read(harness.bucket, "key", 1, 4) as reader:
            count = reader.readinto(memoryview(buffer)[2:5])

        assert 1 <= count <= 3
        assert buffer == b"__" + b"bcd"[:count] + b"_" * (6 - count)

    def test_reader_may_be_left_unread(self, harness: Harness) -> None:
        data = pattern(2 * MIB)
        harness.put("key", data)
        for _ in range(3):
            with harness.driver.read(harness.bucket, "key") as reader:
                reader.readinto(memoryview(bytearray(1)))
        harness.holds("key", data)

    def test_if_match(self, harness: Harness) -> None:
        old = harness.put("key", b"old bytes").etag
        assert harness.get("key", 4, None, old) == b"bytes"
        new = harness.put("key", b"new bytes!").etag

        self._is_refused(harness, "key", old, new)
        assert harness.get("key", 4, None, new) == b"bytes!"

    def test_if_match_of_an_object_that_was_deleted(self, harness: Harness) -> None:
        old = harness.put("key", b"old bytes").etag
        harness.driver.delete(harness.bucket, "key")
        harness.refuses(Code.NOT_FOUND, harness.driver.read, harness.bucket, "key", 0, None, old)

    def _is_refused(self, harness: Harness, key: str, asked: str, present: str) -> None:
        """A service that ignores If-Match must at least tell the truth about the etag."""
        reader = harness.attempt(lambda: harness.driver.read(harness.bucket, key, 0, None, asked))
        if isinstance(reader, Code):
            assert reader is Code.PRECONDITION
        else:
            with reader:
                assert reader.etag == present != asked

    def test_replaced_while_read(self, harness: Harness) -> None:
        old, new = pattern(8 * MIB, seed=1), pattern(8 * MIB, seed=2)
        harness.put("key", old)
        buffer = bytearray(100_000)

        with harness.driver.read(harness.bucket, "key") as reader:
            seen = bytes(buffer[: reader.readinto(memoryview(buffer))])
            harness.put("key", new)
            rest = harness.attempt(lambda: drain(reader))
        if isinstance(rest, Code):
            assert rest in {Code.NETWORK, Code.STALE_CONNECTION, Code.INTEGRITY, Code.NOT_FOUND}
        else:
            assert seen + rest == old
        harness.steadily(lambda: harness.holds("key", new))


class BucketTests:
    """Buckets come and go."""

    def test_create_and_delete(self, harness: Harness) -> None:
        driver, bucket = harness.driver, harness.new_bucket
        assert driver.bucket_exists(bucket) is False

        driver.create_bucket(bucket)
        try:
            assert driver.bucket_exists(bucket) is True
            assert driver.list(bucket).objects == ()
            assert {bucket, harness.bucket} <= set(driver.list_buckets())
            assert list(driver.list_buckets()) == sorted(driver.list_buckets())
            self._is_there_already(harness, bucket)
            driver.put(bucket, "a/key", harness.body(b"x"), PLAIN)
            self._is_there_already(harness, bucket)
            harness.refuses(Code.BUCKET_NOT_EMPTY, driver.delete_bucket, bucket)
            assert driver.head(bucket, "a/key").size == 1
            driver.delete(bucket, "a/key")
        finally:
            harness.attempt(lambda: driver.delete_bucket(bucket))  # what it does shows below

        assert driver.bucket_exists(bucket) is False
        assert bucket not in list(driver.list_buckets())
        harness.refuses(Code.BUCKET_NOT_FOUND, driver.list, bucket)

    def _is_there_already(self, harness: Harness, bucket: str) -> None:
        if harness.refuses_own_bucket:
            harness.refuses(Code.BUCKET_EXISTS, harness.driver.create_bucket, bucket)
        else:
            harness.allows(harness.driver.create_bucket, bucket)

    def test_buckets_are_apart(self, harness: Harness) -> None:
        with harness.another_bucket() as other:
            harness.put("key", b"here")
            upload = harness.begin("upload")

            assert harness.driver.list(other).objects == ()
            harness.refuses(Code.NOT_FOUND, harness.driver.head, other, "key")
            assert harness.driver.list_uploads(other, "upload").uploads == ()
            harness.driver.delete(other, "key")

            harness.holds("key", b"here")
            assert harness.pending("upload") == {upload.id}

    def test_buckets_are_listed_in_order(self, harness: Harness) -> None:
        """Also where they were not created in order."""
        with harness.another_bucket("-0") as later, harness.another_bucket() as earlier:
            found = list(harness.driver.list_buckets())
        assert found == sorted(found)
        assert {harness.bucket, earlier, later} <= set(found)

    def test_bucket_of_the_same_name_starts_empty(self, harness: Harness) -> None:
        with harness.another_bucket() as bucket:
            harness.driver.put(bucket, "key", harness.body(b"x"), LABELLED)
        with harness.another_bucket() as bucket:
            harness.refuses(Code.NOT_FOUND, harness.driver.head, bucket, "key")
            harness.driver.put(bucket, "key", harness.body(b"x"), PLAIN)
            assert dict(harness.driver.head(bucket, "key").metadata) == {}

    def test_a_driver_that_was_closed_opens_anew(self, harness: Harness) -> None:
        """A client that was closed may be used again."""
        driver = harness.make_driver()
        driver.put(harness.bucket, "key", harness.body(b"x"), PLAIN)
        driver.close()
        driver.close()

        assert driver.head(harness.bucket, "key").size == 1
        driver.close()

    def test_limits_make_sense(self, harness: Harness) -> None:
        limits = harness.driver.limits

        assert 1 <= limits.min_part <= limits.max_part <= limits.max_object
        assert 1 <= limits.max_put <= limits.max_object
        assert limits.max_parts >= 1
        assert 1 <= (limits.max_segment_bytes or 1) <= limits.max_key_bytes
        assert limits.checksum in {"md5", "crc64", "crc32c", "none"}
        assert limits.part_checksum in {None, "crc32c", "crc64"}
        assert limits.complete_order in {"completion", "initiation"}
        assert harness.make_driver().limits == limits
