"""Conformance of what may be asked for beside the bytes: a checksum for all parts, no object in the way, a class."""

from __future__ import annotations

from dataclasses import replace

from storagekit.driver import Code
from storagekit.testing._conformance_base import LABELLED, Harness, digest, pattern
from storagekit.types import Part, Upload, WriteOptions

_ABSENT = WriteOptions(if_absent=True)


def agreed(harness: Harness, key: str = "key") -> Upload:
    """Begin an upload and ask for the checksum that ``Limits.part_checksum`` names, if any."""
    options = replace(LABELLED, checksum=harness.driver.limits.part_checksum)
    return harness.driver.create_upload(harness.bucket, key, options, harness.part)


def carrying(harness: Harness, upload: Upload, number: int, data: bytes) -> Part:
    """Store one part with the checksum that holds for its upload."""
    algorithm = upload.options.checksum or harness.driver.limits.checksum
    return harness.send(upload, number, data, checksum=digest(algorithm, data))


class AgreedChecksumTests:
    """An upload whose parts carry another checksum than other bodies do, where the service agreed."""

    def test_agreement_is_what_is_declared(self, harness: Harness) -> None:
        upload = agreed(harness)
        declared = harness.driver.limits.part_checksum
        assert upload.options.checksum == (declared if harness.agrees_on_checksums else None)
        assert harness.begin("other").options.checksum is None

    def test_agreed_upload_becomes_an_object(self, harness: Harness) -> None:
        upload = agreed(harness)
        data = {number: pattern(harness.part if number < 3 else 100, seed=number) for number in (1, 2, 3)}

        parts = [carrying(harness, upload, number, data[number]) for number in (3, 1, 2)]

        listed = harness.driver.list_parts(upload).parts
        assert [part.number for part in listed] == [1, 2, 3]
        for part in (*parts, *listed):
            assert part.checksum is None or part.checksum == digest(part.checksum.algorithm, data[part.number])
        result = harness.driver.complete_upload(upload, sorted(parts, key=lambda part: part.number))
        whole = data[1] + data[2] + data[3]
        harness.holds("key", whole)
        harness.is_labelled("key", LABELLED)
        assert result.checksum is None or result.checksum == digest(result.checksum.algorithm, whole)

    def test_another_driver_finishes_an_agreed_upload(self, harness: Harness) -> None:
        upload, data = agreed(harness), pattern(harness.part)
        carrying(harness, upload, 1, data)
        second = harness.make_driver()
        tail = harness.body(b"end", checksum=digest(upload.options.checksum or second.limits.checksum, b"end"))
        second.put_part(upload, 2, tail)

        second.complete_upload(upload, second.list_parts(upload).parts)

        harness.holds("key", data + b"end")
        second.close()

    def test_wrong_checksum_of_an_agreed_part(self, harness: Harness) -> None:
        upload, data = agreed(harness), pattern(harness.part)
        algorithm = upload.options.checksum or harness.driver.limits.checksum
        wrong = digest(algorithm, b"other bytes")
        if wrong is None:
            harness.takes_bytes_unverified()
            return
        body = harness.body(data, checksum=wrong)
        harness.refuses(Code.INTEGRITY, harness.driver.put_part, upload, 1, body)
        if harness.keeps_refused:
            assert [part for part in harness.driver.list_parts(upload).parts if part.size] == []
        else:
            harness.refuses(Code.UPLOAD_GONE, harness.driver.list_parts, upload)


class ConditionTests:
    """``if_absent``: the service looks in the moment in which it publishes, or (declared) not at all."""

    def test_put_where_there_is_nothing(self, harness: Harness) -> None:
        harness.put("key", b"data", _ABSENT)
        harness.holds("key", b"data")

    def test_put_where_there_is_an_object(self, harness: Harness) -> None:
        harness.put("key", b"old")
        if "put" not in harness.unconditional:
            harness.refuses(Code.PRECONDITION, harness.put, "key", b"new", _ABSENT)
        else:
            harness.put("key", b"new", _ABSENT)
        harness.holds("key", b"new" if "put" in harness.unconditional else b"old")

    def test_complete_where_there_is_an_object(self, harness: Harness) -> None:
        """A refused complete changes nothing: without the condition the same upload is completed."""
        upload = harness.begin("key")
        part = harness.send(upload, 1, b"new")
        harness.put("key", b"old")
        conditional = replace(upload, options=replace(upload.options, if_absent=True))
        if "complete_upload" not in harness.unconditional:
            harness.refuses(Code.PRECONDITION, harness.driver.complete_upload, conditional, [part])
            harness.holds("key", b"old")
            conditional = upload
        harness.driver.complete_upload(conditional, [part])
        harness.holds("key", b"new")

    def test_complete_where_there_is_nothing(self, harness: Harness) -> None:
        upload = harness.begin("key")
        conditional = replace(upload, options=replace(upload.options, if_absent=True))
        harness.driver.complete_upload(conditional, [harness.send(upload, 1, b"data")])
        harness.holds("key", b"data")


class StorageClassTests:
    """A storage class is kept where the service knows it, and its usual one has no name."""

    def test_storage_class(self, harness: Harness) -> None:
        options = WriteOptions(storage_class=harness.storage_class)
        harness.put("put", b"data", options)
        upload = harness.begin("parts", options)
        harness.driver.complete_upload(upload, [harness.send(upload, 1, b"data")])
        harness.driver.copy(harness.bucket, "copy", harness.bucket, "put", options)
        harness.put("plain", b"data")
        kept = {key: harness.head(key).storage_class for key in ("copy", "parts", "plain", "put")}
        wanted = harness.storage_class
        assert kept == {"copy": wanted, "parts": wanted, "plain": None, "put": wanted}
