"""What the conformance tests stand on: the harness and a few verbs that read well in a test."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from storagekit._guard import classify
from storagekit.driver import Code, Driver, Failure, Limits, Reader
from storagekit.testing.bodies import BytesBody, digest, pattern
from storagekit.types import Checksum, ObjectInfo, ObjectPage, Part, PutResult, Upload, WriteOptions

T = TypeVar("T")

PLAIN = WriteOptions()
LABELLED = WriteOptions("text/x-odd; charset=utf-8", {"mtime": "1700000000.25", "x-note": "a b=c; d%20e, f+g"})
RELABELLED = WriteOptions("image/png", {"other": "1"})
TRANSIENT = {Code.NETWORK, Code.SERVER, Code.STALE_CONNECTION, Code.THROTTLED, Code.TIMEOUT}

ODD_KEYS = (
    "spaces in  it",
    " leading space",
    "plus+sign",
    "per%2Fcent",
    "per%cent",
    "what?versionId=x",
    "hash#tag",
    "a=b&c=d",
    "<xml> & \"quotes\" 'single'",
    "semi;colon:comma,at@dollar$",
    "~tilde*star!(parens)[brackets]{braces}|pipe^caret`tick",
    ".leading-dot",
    "folder/.leading-dot",
    "..two-dots",
    "three.../dots",
    "-dash",
    "umlaut äöü ß",
    "cafe\u0301",  # e and a combining accent: must not be composed
    "中文/한국어/עברית",
    "emoji 😀/👩‍👩‍👧",
    "deep/" + "/".join("abcdefghij"),
)


def odd_keys(limits: Limits) -> list[str]:
    """Return keys of every awkward kind that ``limits`` allow, the longest one included."""
    segment = limits.max_segment_bytes or limits.max_key_bytes
    longest = ("k" * segment + "/") * (limits.max_key_bytes // segment + 1)
    longest = longest[: limits.max_key_bytes - 2] + "/z"  # no segment of it is empty, wherever the cut falls
    return [*ODD_KEYS, longest.replace("//", "k/"), *(["a//b"] * limits.empty_segments)]


@dataclass(frozen=True)
class Harness:
    """One backend as the suite sees it; made afresh for every test.

    ``bucket`` exists and is empty; ``missing_bucket`` does not exist; ``new_bucket``, and the same with ``-0`` behind,
    do not exist and may be created. ``make_driver`` returns a second instance that reaches the same data. The rest is
    what backends may legitimately differ in and ``Limits`` does not say:

    ``abort_stops_parts``: a part in flight during an abort fails; else (Swift) it may be acknowledged, and is dropped.
    ``forgets_completed``: a completed upload is gone for every call; else (Swift) its parts, which are the object's own
    segments, are still listed.
    ``one_or_the_other``: of an abort and a complete at the same moment one happens; else both may, which leaves an
    object that cannot be read (Swift) or that no answer owned up to (rclone): asked for one after the other only.
    ``repeats_complete``: a second complete of one upload is answered like the first (AWS); else UPLOAD_GONE.
    ``exact_start_after``: a page that starts behind a key in a folder is complete; else (MinIO of 2026-02, where the
    bucket takes several pages) it may leave out keys of that folder.
    ``copies_have_one_etag``: head and listing agree on the etag of a copy of a multipart object; else (Swift) head has
    the source's, and the listing the MD5 of the bytes.
    ``atomic_puts``: who looks at an object while it is replaced sees the old or the new one; else (rclone) the bytes or
    the labels of the one with the size of the other, and two that make or replace it at once may leave it listed twice
    or without an etag: asked for one after the other only.
    ``completes_have_one_etag``: a complete answers with the etag that the object has; else (rclone) with another.
    ``tells_losers``: of two calls that end one upload at the same moment, the loser is told UPLOAD_GONE; else (moto,
    Ceph, rclone) SERVER, upon which the core looks at what is there.
    ``hides_gone``: the calls that answer SERVER where the upload is gone (Ceph: a complete; moto: a part as well).
    ``ids_belong_to_keys``: an upload's id under another key is no upload; else (moto) it is good for every key.
    ``keeps_refused``: an upload outlives a complete or a part that is refused; else (rclone) it is gone.
    ``replaces_parts``: a number that is sent again with other bytes is replaced; else (rclone) that is UNSUPPORTED.
    ``gaps``: the numbers of an upload's parts may have gaps; else (rclone) a complete with one is PART_INVALID.
    ``copies_parts``: there is ``copy_part``; else (rclone) it is UNSUPPORTED.
    ``unconditional``: those of ``copy`` and ``copy_part`` that ignore ``if_match`` (Ceph: parts; moto and rclone: all),
    and of ``put`` and ``complete_upload`` that ignore ``if_absent`` (Ceph: a complete; rclone: both), where the core's
    own look beforehand is all there is.
    ``lost_part_sources``: keys that ``copy_part`` does not find (Ceph decodes them once more).
    ``copies_drop_labels``: a copy has the labels that it is given, and no others; else (rclone) also the source's.
    ``copies_onto_itself``: such a copy is answered like any other; else (rclone) it is made, and the answer is SERVER.
    ``keeps_what_is_above``: to delete ``a/b`` does nothing to ``a``; else (rclone, which tidies folders up, and takes
    ``a`` for one) it goes too, and so may a neighbour that is just being written: asked for one after the other only.
    ``hides_folders``: where no object is, a listing shows no folder; else (rclone) that of an unfinished upload, or one
    that once had such.
    ``refuses_own_bucket``: a bucket that one has is BUCKET_EXISTS; else (AWS in us-east-1, moto, Ceph) a success that
    changes nothing.
    ``tells_initiated``: the listing of uploads says when they were begun; else (moto) always the same day of 2010.
    ``pages_uploads``: that listing comes by pages; else (moto) as a whole.
    ``exact_part_pages``: a page of parts begins behind the last one of the page before; else (moto, which takes its
    number for a place) parts behind a gap in the numbers may be left out.
    ``many``: how many keys and parts the tests of full pages store: one more than a page of S3 holds. Fewer, where a
    request is slow (Swift: 10 ms), shows less.
    ``agrees_on_checksums``: an upload gets the checksum of ``Limits.part_checksum`` when it asks for it; else (Swift)
    the service is asked in vain, and parts carry ``Limits.checksum``.
    ``storage_class``: one that the service keeps beside its usual one; None where it has no other.
    ``odd_keys``: keys that the round trips leave out, because this service cannot hold them.
    """

    driver: Driver
    bucket: str
    make_driver: Callable[[], Driver]
    missing_bucket: str = "storagekit-missing-bucket"
    new_bucket: str = "storagekit-new-bucket"
    abort_stops_parts: bool = True
    forgets_completed: bool = True
    one_or_the_other: bool = True
    repeats_complete: bool = False
    exact_start_after: bool = True
    copies_have_one_etag: bool = True
    agrees_on_checksums: bool = True
    storage_class: str | None = None
    atomic_puts: bool = True
    completes_have_one_etag: bool = True
    tells_losers: bool = True
    hides_gone: frozenset[str] = frozenset()
    ids_belong_to_keys: bool = True
    keeps_refused: bool = True
    replaces_parts: bool = True
    gaps: bool = True
    copies_parts: bool = True
    unconditional: frozenset[str] = frozenset()
    lost_part_sources: frozenset[str] = frozenset()
    copies_drop_labels: bool = True
    copies_onto_itself: bool = True
    keeps_what_is_above: bool = True
    hides_folders: bool = True
    refuses_own_bucket: bool = True
    tells_initiated: bool = True
    pages_uploads: bool = True
    exact_part_pages: bool = True
    many: int = 1001
    odd_keys: frozenset[str] = frozenset()

    @property
    def part(self) -> int:
        """Size in bytes of the parts that the suite sends: the smallest allowed, at least 4 KiB."""
        return max(self.driver.limits.min_part, 4096)

    def body(self, data: bytes, **how: Any) -> BytesBody:
        """Return a body with the checksum that the driver wants; ``how`` as for ``BytesBody``."""
        return BytesBody(data, self.driver.limits.checksum, **how)

    def wrong_checksum(self) -> Checksum | None:
        """Return a checksum of other bytes than the suite sends; None where the driver declares that it verifies none.

        Then bodies carry none (``Limits.checksum``), and there is nothing to refuse.
        """
        return digest(self.driver.limits.checksum, b"other bytes")

    def takes_bytes_unverified(self) -> None:
        """Assert that bodies carry no checksum, as the driver declares, and that they are stored all the same."""
        body = self.body(b"nobody verifies this")
        assert body.checksum is None
        self.driver.put(self.bucket, "unverified", body, PLAIN)
        self.holds("unverified", b"nobody verifies this")

    def awkward_keys(self) -> list[str]:
        """Return keys of every awkward kind that the service can hold."""
        return [key for key in odd_keys(self.driver.limits) if key not in self.odd_keys]

    def put(self, key: str, data: bytes, options: WriteOptions = PLAIN) -> PutResult:
        """Store an object."""
        return self.driver.put(self.bucket, key, self.body(data), options)

    def get(self, key: str, start: int = 0, length: int | None = None, if_match: str | None = None) -> bytes:
        """Return an object's bytes, or a range of them."""
        with self.driver.read(self.bucket, key, start, length, if_match) as reader:
            return drain(reader)

    def head(self, key: str) -> ObjectInfo:
        """Return what the service says of an object."""
        return self.driver.head(self.bucket, key)

    def begin(self, key: str, options: WriteOptions = PLAIN) -> Upload:
        """Begin an upload whose planned part size is ``part``."""
        return self.driver.create_upload(self.bucket, key, options, self.part)

    def send(self, upload: Upload, number: int, data: bytes, **how: Any) -> Part:
        """Store one part."""
        return self.driver.put_part(upload, number, self.body(data, **how))

    def multipart(self, key: str, *parts: bytes, options: WriteOptions = PLAIN) -> PutResult:
        """Store an object made of ``parts``, in order."""
        upload = self.begin(key, options)
        sent = [self.send(upload, number, data) for number, data in enumerate(parts, 1)]
        return self.driver.complete_upload(upload, sent)

    def pages(self, limit: int = 1000, **where: str) -> Iterator[ObjectPage]:
        """Yield the pages of a listing."""
        token: str | None = None
        while True:
            page = self.driver.list(self.bucket, token=token, limit=limit, **where)
            yield page
            token = page.token
            if token is None:
                return

    def listed(self, limit: int = 1000, **where: str) -> list[str]:
        """Return the keys of a whole listing."""
        return [info.key for page in self.pages(limit, **where) for info in page.objects]

    def pending(self, key: str) -> set[str]:
        """Return the ids of the unfinished uploads of ``key``."""
        found = self.driver.list_uploads(self.bucket, key).uploads
        return {upload.id for upload in found if upload.key == key}

    def gone(self, call: str) -> Code:
        """Return what ``call`` answers where the upload is gone."""
        return Code.SERVER if call in self.hides_gone else Code.UPLOAD_GONE

    def has_lost(self, code: Code) -> bool:
        """Tell whether that is what a call may answer which another one was quicker than."""
        return code is Code.UPLOAD_GONE or (code is Code.SERVER and not self.tells_losers)

    def ends(self, upload: Upload, parts: list[Part]) -> PutResult:
        """Complete the upload; assert that the answer's etag is the object's, or where that is declared, not."""
        result = self.driver.complete_upload(upload, parts)
        assert (self.head(upload.key).etag == result.etag) == self.completes_have_one_etag
        return result

    def replace(self, upload: Upload, number: int, data: bytes, instead_of: Part) -> Part:
        """Send a part once more, with other bytes; return what is there then. What is declared is asserted."""
        if self.replaces_parts:
            return self.send(upload, number, data)
        self.refuses(Code.UNSUPPORTED, self.driver.put_part, upload, number, self.body(data))
        return instead_of

    def outlives(self, upload: Upload, parts: list[Part]) -> bool:
        """Tell whether an upload of which something was refused is still there; assert that it is as declared."""
        if not self.keeps_refused:
            self.refuses(Code.UPLOAD_GONE, self.driver.list_parts, upload)
            return False
        found = self.allows(self.parts, upload)
        assert [(part.number, part.etag) for part in found] == [(part.number, part.etag) for part in parts]
        return True

    def is_completed(self, upload: Upload, numbers: list[int]) -> None:
        """Assert what a completed upload of these parts is: gone, or still listed where that is declared."""
        if self.forgets_completed:
            self.refuses(Code.UPLOAD_GONE, self.driver.list_parts, upload)
        else:
            assert [part.number for part in self.driver.list_parts(upload).parts] == numbers

    def attempt(self, call: Callable[[], T]) -> T | Code:
        """Return what ``call`` returns, or the code of its failure, where a backend may do the one or the other."""
        try:
            return call()
        except Exception as error:  # noqa: BLE001  # which class it is, is the driver's business
            return classify(self.driver.classify, error).code

    def steadily(self, call: Callable[[], T]) -> T:
        """Return what ``call`` returns; again, as the core would, where a service under load is out of breath."""
        for _ in range(20):
            try:
                return call()
            except Exception as error:
                if classify(self.driver.classify, error).code not in TRANSIENT:
                    raise
            time.sleep(0.1)
        return call()

    def refuses(self, code: Code, call: Callable[..., object], *args: Any) -> None:
        """Assert that ``call(*args)`` fails with ``code``."""
        assert failure(self.driver, partial(call, *args)).code is code

    def allows(self, call: Callable[..., T], *args: Any) -> T:
        """Return what ``call(*args)`` returns; where the contract says that it is a success, a failure is a finding."""
        outcome = self.attempt(partial(call, *args))
        assert not isinstance(outcome, Code), f"a success is due, not {outcome}"
        return outcome

    def parts(self, upload: Upload, limit: int = 1000) -> list[Part]:
        """Return the parts of a whole listing."""
        found: list[Part] = []
        token: str | None = None
        while True:
            page = self.driver.list_parts(upload, token, limit)
            assert len(page.parts) <= limit
            found += page.parts
            token = page.token
            if token is None:
                return found

    @contextmanager
    def another_bucket(self, suffix: str = "") -> Iterator[str]:
        """Create ``new_bucket`` (with ``suffix`` behind) and remove it at the end with the objects in it."""
        bucket = self.new_bucket + suffix
        self.driver.create_bucket(bucket)
        try:
            yield bucket
        finally:
            self.attempt(lambda: self.driver.delete_many(bucket, [o.key for o in self.driver.list(bucket).objects]))
            self.attempt(lambda: self.driver.delete_bucket(bucket))  # a clean-up that fails hides no finding

    def is_absent(self, key: str) -> None:
        """Assert that there is no object at ``key``, neither for head nor in a listing."""
        self.refuses(Code.NOT_FOUND, self.driver.head, self.bucket, key)
        assert key not in self.listed(prefix=key)

    def is_labelled(self, key: str, options: WriteOptions) -> None:
        """Assert content type and metadata of the object at ``key``."""
        info = self.head(key)
        assert (info.content_type, dict(info.metadata)) == (options.content_type, dict(options.metadata))

    def is_relabelled(self, key: str, options: WriteOptions) -> None:
        """Assert that of the copy at ``key``, which has other labels than its source where that is declared."""
        found = self.head(key)
        if self.copies_drop_labels:
            assert dict(found.metadata) == dict(options.metadata)
        assert {**found.metadata}.items() >= {**options.metadata}.items()
        assert options.content_type in (None, found.content_type)

    def holds(self, key: str, data: bytes) -> None:
        """Assert that the object at ``key`` is ``data``, for head, listing and read alike."""
        info = self.head(key)
        listed = [found for page in self.pages(prefix=key) for found in page.objects if found.key == key]
        assert [(found.size, found.etag) for found in listed] == [(len(data), info.etag)]
        assert info.size == len(data)
        assert self.get(key) == data


def drain(reader: Reader, step: int = 1 << 16) -> bytes:
    """Return what is left in ``reader``, read ``step`` bytes at a time."""
    data, buffer = bytearray(), memoryview(bytearray(step))
    while count := reader.readinto(buffer):
        data += buffer[:count]
    return bytes(data)


def failure(driver: Driver, call: Callable[[], object]) -> Failure:
    """Run ``call``, which must fail, and return what the driver makes of its exception."""
    try:
        result = call()
    except Exception as error:  # noqa: BLE001  # which class it is, is the driver's business
        return classify(driver.classify, error)
    raise AssertionError(f"no failure, but {result!r}")


__all__ = ["LABELLED", "PLAIN", "RELABELLED", "BytesBody", "Harness", "digest", "drain", "failure", "pattern"]
