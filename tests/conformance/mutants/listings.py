"""Mutants of the listings of objects, and of buckets."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import replace

from storagekit.drivers.memory import MemoryDriver
from storagekit.types import ObjectPage


class ListsInUtf16Order(MemoryDriver):
    """list sorts by UTF-16, which puts emoji before some characters that UTF-8 puts before emoji"""

    def list(
        self,
        bucket: str,
        prefix: str = "",
        delimiter: str = "",
        start_after: str = "",
        token: str | None = None,
        limit: int = 1000,
    ) -> ObjectPage:
        page = super().list(bucket, prefix, delimiter, start_after, token, limit)
        return replace(page, objects=tuple(sorted(page.objects, key=lambda info: info.key.encode("utf-16-be"))))


class ListLosesAKeyAtABorder(MemoryDriver):
    """list leaves out the first key of every page but the first"""

    def list(
        self,
        bucket: str,
        prefix: str = "",
        delimiter: str = "",
        start_after: str = "",
        token: str | None = None,
        limit: int = 1000,
    ) -> ObjectPage:
        page = super().list(bucket, prefix, delimiter, start_after, token, limit)
        return replace(page, objects=page.objects[1:]) if token else page


class ListRepeatsAKeyAtABorder(MemoryDriver):
    """list begins a page with the last key of the page before"""

    def list(
        self,
        bucket: str,
        prefix: str = "",
        delimiter: str = "",
        start_after: str = "",
        token: str | None = None,
        limit: int = 1000,
    ) -> ObjectPage:
        with self.store.lock:
            last = self._bucket(bucket).blobs.get(token[1:]) if token and limit > 1 else None
        page = super().list(bucket, prefix, delimiter, start_after, token, limit - (last is not None))
        return replace(page, objects=(last.info, *page.objects)) if last is not None else page


class ListRepeatsAPrefixAtABorder(MemoryDriver):
    """list shows a common prefix again where a page ended within it"""

    def list(
        self,
        bucket: str,
        prefix: str = "",
        delimiter: str = "",
        start_after: str = "",
        token: str | None = None,
        limit: int = 1000,
    ) -> ObjectPage:
        page = super().list(bucket, prefix, delimiter, start_after, token, limit)
        if page.token is None or page.token[0] == "k":
            return page
        with self.store.lock:
            place = max(start_after, token[1:] if token else "")
            first = next(self._bucket(bucket).after(place, page.prefixes[-1]), "")
        return replace(page, token=f"k{first}")


class ListCountsItsPlace(MemoryDriver):
    """list counts how many names it has shown, so what is written or deleted meanwhile shifts the next page"""

    def list(
        self,
        bucket: str,
        prefix: str = "",
        delimiter: str = "",
        start_after: str = "",
        token: str | None = None,
        limit: int = 1000,
    ) -> ObjectPage:
        start = int(token or 0)
        page = super().list(bucket, prefix, delimiter, start_after, None, 1_000_000)
        names = sorted([*(info.key for info in page.objects), *page.prefixes])
        shown = set(names[start : start + limit])
        return ObjectPage(
            tuple(info for info in page.objects if info.key in shown),
            tuple(name for name in page.prefixes if name in shown),
            str(start + limit) if start + limit < len(names) else None,
        )


class ListShowsFoldedKeys(MemoryDriver):
    """list with a delimiter shows the keys below a common prefix as well"""

    def list(
        self,
        bucket: str,
        prefix: str = "",
        delimiter: str = "",
        start_after: str = "",
        token: str | None = None,
        limit: int = 1000,
    ) -> ObjectPage:
        page = super().list(bucket, prefix, delimiter, start_after, token, limit)
        below = [info for each in page.prefixes for info in super(ListShowsFoldedKeys, self).list(bucket, each).objects]
        return replace(page, objects=tuple(sorted([*page.objects, *below], key=lambda info: info.key)))


class ListStartsAtStartAfter(MemoryDriver):
    """list shows the key start_after too"""

    def list(
        self,
        bucket: str,
        prefix: str = "",
        delimiter: str = "",
        start_after: str = "",
        token: str | None = None,
        limit: int = 1000,
    ) -> ObjectPage:
        with self.store.lock:
            home = self._bucket(bucket)
            place = bisect_left(home.keys, start_after)
            before = home.keys[place - 1] if place else ""
        return super().list(bucket, prefix, delimiter, before if start_after else "", token, limit)


class ListEndsAtAThousand(MemoryDriver):
    """list gives no token behind a full page of 1,000"""

    def list(
        self,
        bucket: str,
        prefix: str = "",
        delimiter: str = "",
        start_after: str = "",
        token: str | None = None,
        limit: int = 1000,
    ) -> ObjectPage:
        page = super().list(bucket, prefix, delimiter, start_after, token, limit)
        return replace(page, token=None) if len(page.objects) >= 1000 else page


class ListTakesPrefixesForFolders(MemoryDriver):
    """list shows only whole folders and whole names: of the prefix a/b not a/b-c"""

    def list(
        self,
        bucket: str,
        prefix: str = "",
        delimiter: str = "",
        start_after: str = "",
        token: str | None = None,
        limit: int = 1000,
    ) -> ObjectPage:
        page = super().list(bucket, prefix, delimiter, start_after, token, limit)
        folder = f"{prefix.rstrip('/')}/" if prefix else ""
        return replace(page, objects=tuple(o for o in page.objects if o.key == prefix or o.key.startswith(folder)))


class ListQuotesEtags(MemoryDriver):
    """list gives etags with their quotes"""

    def list(
        self,
        bucket: str,
        prefix: str = "",
        delimiter: str = "",
        start_after: str = "",
        token: str | None = None,
        limit: int = 1000,
    ) -> ObjectPage:
        page = super().list(bucket, prefix, delimiter, start_after, token, limit)
        return replace(page, objects=tuple(replace(info, etag=f'"{info.etag}"') for info in page.objects))


class ListOfNoBucketIsEmpty(MemoryDriver):
    """list of a missing bucket is an empty page"""

    def list(
        self,
        bucket: str,
        prefix: str = "",
        delimiter: str = "",
        start_after: str = "",
        token: str | None = None,
        limit: int = 1000,
    ) -> ObjectPage:
        if not self.bucket_exists(bucket):
            return ObjectPage(())
        return super().list(bucket, prefix, delimiter, start_after, token, limit)


class BucketsInOrderOfCreation(MemoryDriver):
    """list_buckets gives the names in the order in which they were created"""

    def list_buckets(self) -> Iterable[str]:
        with self.store.lock:
            return list(self.store.buckets)


class CreateBucketTwice(MemoryDriver):
    """create_bucket of a bucket that exists is a success"""

    def create_bucket(self, bucket: str, location: str | None = None) -> None:
        if not self.bucket_exists(bucket):
            super().create_bucket(bucket, location)


class DeleteBucketWithObjects(MemoryDriver):
    """delete_bucket takes the objects along"""

    def delete_bucket(self, bucket: str) -> None:
        with self.store.lock:
            self._bucket(bucket).blobs.clear()
            super().delete_bucket(bucket)


class DeletedBucketSeemsToExist(MemoryDriver):
    """bucket_exists remembers what it once found"""

    found: frozenset[str] = frozenset()

    def bucket_exists(self, bucket: str) -> bool:
        if super().bucket_exists(bucket):
            self.found |= {bucket}
        return bucket in self.found


MUTANTS: tuple[type[MemoryDriver], ...] = (
    ListsInUtf16Order,
    ListLosesAKeyAtABorder,
    ListRepeatsAKeyAtABorder,
    ListRepeatsAPrefixAtABorder,
    ListCountsItsPlace,
    ListShowsFoldedKeys,
    ListStartsAtStartAfter,
    ListEndsAtAThousand,
    ListTakesPrefixesForFolders,
    ListQuotesEtags,
    ListOfNoBucketIsEmpty,
    BucketsInOrderOfCreation,
    CreateBucketTwice,
    DeleteBucketWithObjects,
    DeletedBucketSeemsToExist,
)
