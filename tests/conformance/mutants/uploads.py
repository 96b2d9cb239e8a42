"""Mutants of multipart uploads: how they begin and end, and how they are listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from storagekit.driver import Code, Failure
from storagekit.drivers._memory_store import Pending, Refused, joined, md5
from storagekit.drivers.memory import MemoryDriver
from storagekit.types import Part, PendingUpload, PutResult, Upload, UploadPage, WriteOptions


class CreateShowsAnEmptyObject(MemoryDriver):
    """create_upload puts an empty object where there is none yet"""

    def create_upload(self, bucket: str, key: str, options: WriteOptions, part_size: int | None) -> Upload:
        upload = super().create_upload(bucket, key, options, part_size)
        with self.store.lock:
            if key not in self._bucket(bucket).blobs:
                self._publish(bucket, key, memoryview(b""), md5(b""), options)
        return upload


class OneUploadPerKey(MemoryDriver):
    """create_upload gives the upload that is open for the key, where there is one"""

    def create_upload(self, bucket: str, key: str, options: WriteOptions, part_size: int | None) -> Upload:
        with self.store.lock:
            for pending in self._bucket(bucket).uploads.values():
                if pending.upload.key == key:
                    return pending.upload
        return super().create_upload(bucket, key, options, part_size)


class UploadsAreKnownByTheirIdAlone(MemoryDriver):
    """an upload's id is good for every key"""

    def _pending(self, upload: Upload) -> Pending:
        with self.store.lock:
            pending = self._bucket(upload.bucket).uploads.get(upload.id)
        return super()._pending(replace(upload, key=pending.upload.key) if pending is not None else upload)


class CompleteIgnoresEtags(MemoryDriver):
    """complete takes the numbers of the parts and not their etags"""

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> PutResult:
        with self.store.lock:
            stored = self._pending(upload).parts
            return super().complete_upload(upload, [stored.get(p.number, (p, None))[0] for p in parts])


class CompleteTakesWhatIsThere(MemoryDriver):
    """complete joins all the parts that were sent, not those that it is given"""

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> PutResult:
        with self.store.lock:
            pending = self._pending(upload)
            self._chosen(pending, parts)
            every = [pending.parts[number][0] for number in sorted(pending.parts)]
            return super().complete_upload(upload, every)


class CompleteLeavesOutWhatIsMissing(MemoryDriver):
    """complete goes without the parts that were never sent"""

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> PutResult:
        with self.store.lock:
            stored = self._pending(upload).parts
            return super().complete_upload(upload, [part for part in parts if part.number in stored])


class CompleteJoinsByArrival(MemoryDriver):
    """complete joins the parts in the order in which they came"""

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> PutResult:
        with self.store.lock:
            pending = self._pending(upload)
            chosen = {part.number for part in self._chosen(pending, parts)}
            arrived = [data for number, (_, data) in pending.parts.items() if number in chosen]
            data, etag = joined(arrived)
            super().complete_upload(upload, parts)
            return self._publish(upload.bucket, upload.key, data, etag, pending.upload.options)


class CompleteTakesSmallParts(MemoryDriver):
    """complete does not mind a part before the last that is below the minimum"""

    def _chosen(self, pending: Pending, parts: Sequence[Part]) -> Sequence[Part]:
        try:
            return super()._chosen(pending, parts)
        except Refused as error:
            if error.code != "EntityTooSmall":
                raise
            return parts


class CompleteForgetsTheLabels(MemoryDriver):
    """complete labels the object as the caller's Upload says, not as the upload was begun"""

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> PutResult:
        with self.store.lock:
            pending = self._pending(upload)
            before, pending.upload = pending.upload, upload
            try:
                return super().complete_upload(upload, parts)
            finally:
                pending.upload = before


class CompleteAnswersAnotherEtag(MemoryDriver):
    """complete answers with the MD5 of the bytes, which is not the etag that the object has"""

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> PutResult:
        with self.store.lock:
            result = super().complete_upload(upload, parts)
            return replace(result, etag=md5(self._blob(upload.bucket, upload.key).data))


class CompletedUploadsStayListed(MemoryDriver):
    """list_uploads goes on showing an upload that was completed"""

    ghosts: tuple[tuple[str, PendingUpload], ...] = ()

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> PutResult:
        with self.store.lock:
            initiated = self._pending(upload).initiated
            result = super().complete_upload(upload, parts)
            self.ghosts += ((upload.bucket, PendingUpload(upload.key, upload.id, initiated)),)
            return result

    def list_uploads(self, bucket: str, prefix: str = "", token: str | None = None, limit: int = 1000) -> UploadPage:
        page = super().list_uploads(bucket, prefix, token, limit)
        ghosts = [pending for home, pending in self.ghosts if home == bucket and pending.key.startswith(prefix)]
        return replace(page, uploads=(*page.uploads, *ghosts)) if page.token is None else page


class RefusedCompleteEndsTheUpload(MemoryDriver):
    """complete drops the upload also where it refuses the parts"""

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> PutResult:
        try:
            return super().complete_upload(upload, parts)
        except Refused:
            self.abort_upload(upload)
            raise


class AbortOfNothingFails(MemoryDriver):
    """abort of an absent upload is UPLOAD_GONE"""

    def abort_upload(self, upload: Upload) -> None:
        self._pending(upload)
        super().abort_upload(upload)


class AbortOnlyUnlists(MemoryDriver):
    """abort takes the upload out of the listing and leaves its parts"""

    aborted: frozenset[str] = frozenset()

    def abort_upload(self, upload: Upload) -> None:
        self.aborted |= {upload.id}

    def list_uploads(self, bucket: str, prefix: str = "", token: str | None = None, limit: int = 1000) -> UploadPage:
        page = super().list_uploads(bucket, prefix, token, limit)
        return replace(page, uploads=tuple(each for each in page.uploads if each.id not in self.aborted))


class AbortTakesAllOfTheKey(MemoryDriver):
    """abort drops every upload of the key"""

    def abort_upload(self, upload: Upload) -> None:
        with self.store.lock:
            uploads = self._bucket(upload.bucket).uploads
            for identity in [i for i, pending in uploads.items() if pending.upload.key == upload.key]:
                del uploads[identity]


def _naive(upload: PendingUpload) -> PendingUpload:
    return replace(upload, initiated=upload.initiated and upload.initiated.replace(tzinfo=None))


class UploadTimesHaveNoZone(MemoryDriver):
    """list_uploads gives the beginning without its time zone"""

    def list_uploads(self, bucket: str, prefix: str = "", token: str | None = None, limit: int = 1000) -> UploadPage:
        page = super().list_uploads(bucket, prefix, token, limit)
        naive = [
            replace(each, initiated=each.initiated and each.initiated.replace(tzinfo=None)) for each in page.uploads
        ]
        return replace(page, uploads=tuple(naive))


class UploadsAreListedWithTheirFirstPart(MemoryDriver):
    """list_uploads shows an upload only when it has a part"""

    def list_uploads(self, bucket: str, prefix: str = "", token: str | None = None, limit: int = 1000) -> UploadPage:
        page = super().list_uploads(bucket, prefix, token, limit)
        with self.store.lock:
            begun = self._bucket(bucket).uploads
            return replace(page, uploads=tuple(e for e in page.uploads if e.id in begun and begun[e.id].parts))


class UploadsAreOnePage(MemoryDriver):
    """list_uploads gives no token, so what does not fit on the first page is lost"""

    def list_uploads(self, bucket: str, prefix: str = "", token: str | None = None, limit: int = 1000) -> UploadPage:
        return replace(super().list_uploads(bucket, prefix, token, limit), token=None)


class UploadsOfEveryPrefix(MemoryDriver):
    """list_uploads ignores the prefix"""

    def list_uploads(self, bucket: str, prefix: str = "", token: str | None = None, limit: int = 1000) -> UploadPage:
        return super().list_uploads(bucket, "", token, limit)


class AbsentUploadIsNotFound(MemoryDriver):
    """classify says NOT_FOUND of an upload that is not there"""

    def classify(self, error: BaseException) -> Failure:
        failure = super().classify(error)
        return replace(failure, code=Code.NOT_FOUND) if failure.code is Code.UPLOAD_GONE else failure


class ClassifyDropsRetryAfter(MemoryDriver):
    """classify keeps only code and words of a DriverError"""

    def classify(self, error: BaseException) -> Failure:
        failure = super().classify(error)
        return Failure(failure.code, failure.detail, status=failure.status, vendor_code=failure.vendor_code)


class ClassifyTakesStrangersForTheNetwork(MemoryDriver):
    """classify calls everything that it does not know a network failure, to be tried again"""

    def classify(self, error: BaseException) -> Failure:
        failure = super().classify(error)
        return replace(failure, code=Code.NETWORK) if failure.code is Code.UNKNOWN else failure


MUTANTS: tuple[type[MemoryDriver], ...] = (
    CreateShowsAnEmptyObject,
    OneUploadPerKey,
    UploadsAreKnownByTheirIdAlone,
    CompleteIgnoresEtags,
    CompleteTakesWhatIsThere,
    CompleteLeavesOutWhatIsMissing,
    CompleteJoinsByArrival,
    CompleteTakesSmallParts,
    CompleteForgetsTheLabels,
    CompleteAnswersAnotherEtag,
    CompletedUploadsStayListed,
    RefusedCompleteEndsTheUpload,
    AbortOfNothingFails,
    AbortOnlyUnlists,
    AbortTakesAllOfTheKey,
    UploadTimesHaveNoZone,
    UploadsAreListedWithTheirFirstPart,
    UploadsAreOnePage,
    UploadsOfEveryPrefix,
    AbsentUploadIsNotFound,
    ClassifyDropsRetryAfter,
    ClassifyTakesStrangersForTheNetwork,
)
