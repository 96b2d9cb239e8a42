"""Mutants of parts: how they are stored, and how they are listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from storagekit.driver import Body
from storagekit.drivers._memory_store import Refused
from storagekit.drivers.memory import MemoryDriver
from storagekit.types import Part, PartPage, PutResult, Upload
from tests.conformance.mutants._tools import Held


class PartStoresAShortBody(MemoryDriver):
    """put_part takes the end of the body for the end of the part, whatever size was announced"""

    def put_part(self, upload: Upload, number: int, body: Body) -> Part:
        held = Held(body)
        held.size = min(held.size, len(held.data))
        return super().put_part(upload, number, held)


class PartIgnoresTheChecksum(MemoryDriver):
    """put_part does not compare the bytes with the checksum"""

    def put_part(self, upload: Upload, number: int, body: Body) -> Part:
        held = Held(body)
        held.checksum = None
        return super().put_part(upload, number, held)


class PartKeepsTheFirst(MemoryDriver):
    """put_part of a number that is there answers for the new bytes and keeps the old"""

    def put_part(self, upload: Upload, number: int, body: Body) -> Part:
        before = self._pending(upload).parts.get(number)
        part = super().put_part(upload, number, body)
        if before is not None:
            with self.store.lock:
                self._pending(upload).parts[number] = before
        return part


class PartShowsBeforeItIsWhole(MemoryDriver):
    """a part is listed as soon as its first byte is wanted"""

    def put_part(self, upload: Upload, number: int, body: Body) -> Part:
        before = self._pending(upload).parts.get(number)
        if before is None:
            self._enter(upload, number, memoryview(b""))
        try:
            return super().put_part(upload, number, body)
        except Exception:
            if before is None:
                self._pending(upload).parts.pop(number, None)
            raise


class BrokenPartDropsTheOldOne(MemoryDriver):
    """put_part that fails takes the part along that was there"""

    def put_part(self, upload: Upload, number: int, body: Body) -> Part:
        try:
            return super().put_part(upload, number, body)
        except Exception:
            with self.store.lock:
                uploads = self._bucket(upload.bucket).uploads
                if upload.id in uploads:
                    uploads[upload.id].parts.pop(number, None)
            raise


class PartOutlivesTheAbort(MemoryDriver):
    """put_part is acknowledged though the upload was aborted meanwhile"""

    def put_part(self, upload: Upload, number: int, body: Body) -> Part:
        self._pending(upload)
        held = Held(body)
        try:
            return super().put_part(upload, number, held)
        except Refused as error:
            if error.code != "NoSuchUpload":
                raise
            return Part(number, held.size, "0" * 32)


class PartAnswersAQuotedEtag(MemoryDriver):
    """put_part answers the etag with its quotes, and complete takes either"""

    def put_part(self, upload: Upload, number: int, body: Body) -> Part:
        part = super().put_part(upload, number, body)
        return replace(part, etag=f'"{part.etag}"')

    def complete_upload(self, upload: Upload, parts: Sequence[Part]) -> PutResult:
        return super().complete_upload(upload, [replace(part, etag=part.etag.strip('"')) for part in parts])


class PartsHaveThePlannedSize(MemoryDriver):
    """list_parts gives the planned size for every part but the last"""

    def list_parts(self, upload: Upload, token: str | None = None, limit: int = 1000) -> PartPage:
        page = super().list_parts(upload, token, limit)
        planned = [replace(part, size=upload.part_size or part.size) for part in page.parts[:-1]]
        return replace(page, parts=(*planned, *page.parts[-1:]))


class PartsHaveQuotedEtags(MemoryDriver):
    """list_parts gives etags with their quotes"""

    def list_parts(self, upload: Upload, token: str | None = None, limit: int = 1000) -> PartPage:
        page = super().list_parts(upload, token, limit)
        return replace(page, parts=tuple(replace(part, etag=f'"{part.etag}"') for part in page.parts))


class PartsHaveNoTime(MemoryDriver):
    """list_parts does not say when a part came"""

    def list_parts(self, upload: Upload, token: str | None = None, limit: int = 1000) -> PartPage:
        page = super().list_parts(upload, token, limit)
        return replace(page, parts=tuple(replace(part, modified=None) for part in page.parts))


class PartsEndAtAThousand(MemoryDriver):
    """list_parts gives no token behind a full page of 1,000"""

    def list_parts(self, upload: Upload, token: str | None = None, limit: int = 1000) -> PartPage:
        page = super().list_parts(upload, token, limit)
        return replace(page, token=None) if len(page.parts) >= 1000 else page


class PartsLoseEveryThousandth(MemoryDriver):
    """list_parts begins the page behind a full one of 1,000 a number too late"""

    def list_parts(self, upload: Upload, token: str | None = None, limit: int = 1000) -> PartPage:
        page = super().list_parts(upload, token, limit)
        late = page.token is not None and len(page.parts) >= 1000
        return replace(page, token=str(int(page.token or 0) + 1)) if late else page


class PartsLoseTheirLastPage(MemoryDriver):
    """list_parts ends where the rest would fill no page"""

    def list_parts(self, upload: Upload, token: str | None = None, limit: int = 1000) -> PartPage:
        page = super().list_parts(upload, token, limit)
        rest = len(super().list_parts(upload, page.token, limit).parts) if page.token else 0
        return replace(page, token=page.token if rest == limit else None)


class PartsCountTheirPlace(MemoryDriver):
    """list_parts counts how many it has shown, so a part that comes meanwhile shifts the next page"""

    def list_parts(self, upload: Upload, token: str | None = None, limit: int = 1000) -> PartPage:
        start = int(token or 0)
        every = super().list_parts(upload, None, 1_000_000).parts
        return PartPage(every[start : start + limit], str(start + limit) if start + limit < len(every) else None)


class PartsComeByArrival(MemoryDriver):
    """list_parts gives a page in the order in which the parts came"""

    def list_parts(self, upload: Upload, token: str | None = None, limit: int = 1000) -> PartPage:
        page = super().list_parts(upload, token, limit)
        with self.store.lock:
            arrived = list(self._pending(upload).parts)
        return replace(page, parts=tuple(sorted(page.parts, key=lambda part: arrived.index(part.number))))


class PartsSortAsText(MemoryDriver):
    """list_parts gives 10 before 9"""

    def list_parts(self, upload: Upload, token: str | None = None, limit: int = 1000) -> PartPage:
        page = super().list_parts(upload, token, limit)
        return replace(page, parts=tuple(sorted(page.parts, key=lambda part: str(part.number))))


class PartsOfNothingAreNone(MemoryDriver):
    """list_parts of an absent upload is an empty page"""

    def list_parts(self, upload: Upload, token: str | None = None, limit: int = 1000) -> PartPage:
        try:
            return super().list_parts(upload, token, limit)
        except Refused:
            return PartPage(())


class PartsAreTheFirstThatCame(MemoryDriver):
    """list_parts shows a part as it was when it came first"""

    first: dict[tuple[str, int], Part] | None = None

    def put_part(self, upload: Upload, number: int, body: Body) -> Part:
        part = super().put_part(upload, number, body)
        self.first = {(upload.id, number): part, **(self.first or {})}
        return part

    def list_parts(self, upload: Upload, token: str | None = None, limit: int = 1000) -> PartPage:
        page = super().list_parts(upload, token, limit)
        first = self.first or {}
        return replace(page, parts=tuple(first.get((upload.id, part.number), part) for part in page.parts))


MUTANTS: tuple[type[MemoryDriver], ...] = (
    PartStoresAShortBody,
    PartIgnoresTheChecksum,
    PartKeepsTheFirst,
    PartShowsBeforeItIsWhole,
    BrokenPartDropsTheOldOne,
    PartOutlivesTheAbort,
    PartAnswersAQuotedEtag,
    PartsHaveThePlannedSize,
    PartsHaveQuotedEtags,
    PartsHaveNoTime,
    PartsEndAtAThousand,
    PartsLoseEveryThousandth,
    PartsLoseTheirLastPage,
    PartsCountTheirPlace,
    PartsComeByArrival,
    PartsSortAsText,
    PartsOfNothingAreNone,
    PartsAreTheFirstThatCame,
)
