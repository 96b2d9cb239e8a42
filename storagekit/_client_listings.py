"""The client's methods that list objects. Keys under ``.storagekit/``, which hold upload records, never show.

``list_objects`` fills one answer from as many pages of the service as it takes: a page may hold hidden keys only, or
nothing at all, and still have a successor. Each page is asked for no more than is missing, so the service's own token
goes on exactly behind the last name of the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from storagekit import _metadata
from storagekit._arguments import check
from storagekit._client_base import ClientBase
from storagekit.types import RESERVED_PREFIX, ObjectInfo, ObjectList, ObjectPage

_PAGE = 1000  # the most that any service lists at a time


class ListingMethods(ClientBase):
    """Listings of objects, in UTF-8 byte order of their keys. All arguments are named."""

    def list_objects(
        self,
        *,
        bucket: str | None = None,
        prefix: str = "",
        delimiter: str = "",
        max_keys: int = 1000,
        token: str | None = None,
        start_after: str = "",
    ) -> ObjectList:
        """Return the first objects whose keys start with ``prefix``.

        Args:
            bucket: the client's where None.
            prefix: what keys begin with.
            delimiter: keys that contain it after ``prefix`` are folded into ``prefixes``.
            max_keys: the most objects and prefixes to return; any number.
            token: ``ObjectList.token`` of the answer before, to go on behind it with the same arguments.
            start_after: leave out this key and all before it.

        Raises BucketNotFoundError, and ConfigurationError for a ``max_keys`` below 1 or a token that is none.
        """
        check(prefix=prefix, delimiter=delimiter, max_keys=max_keys, token=token, start_after=start_after)
        name = self._bucket(bucket)
        objects: list[ObjectInfo] = []
        prefixes: list[str] = []
        with self._at("list", name):
            while True:
                missing = max_keys - len(objects) - len(prefixes)
                page = self._page(name, prefix, delimiter, start_after, token, min(missing, _PAGE))
                objects += page.objects
                prefixes += page.prefixes
                token = page.token
                if token is None or len(objects) + len(prefixes) == max_keys:
                    return ObjectList(tuple(objects), tuple(prefixes), token)

    def _page(
        self, bucket: str, prefix: str, delimiter: str, start_after: str, token: str | None, limit: int
    ) -> ObjectPage:
        run = partial(self._store.driver.list, bucket, prefix, delimiter, start_after, token, limit)
        return visible(self._store.call("list", run, bucket))

    def iter_objects(
        self, *, bucket: str | None = None, prefix: str = "", start_after: str = ""
    ) -> Iterator[ObjectInfo]:
        """Yield all objects whose keys start with ``prefix``, page by page as they are asked for."""
        for page in self.iter_pages(bucket=bucket, prefix=prefix, start_after=start_after):
            yield from page.objects

    def iter_pages(
        self, *, bucket: str | None = None, prefix: str = "", delimiter: str = "", start_after: str = ""
    ) -> Iterator[ObjectPage]:
        """Yield a listing as the service pages it; a page may be empty."""
        check(prefix=prefix, delimiter=delimiter, start_after=start_after)
        name = self._bucket(bucket)
        with self._at("list", name):
            yield from map(visible, self._store.pages(name, prefix, delimiter, start_after))


def visible(page: ObjectPage) -> ObjectPage:
    """Return a page as callers see it."""
    return ObjectPage(
        tuple(_metadata.present(info) for info in page.objects if not info.key.startswith(RESERVED_PREFIX)),
        tuple(prefix for prefix in page.prefixes if not prefix.startswith(RESERVED_PREFIX)),
        page.token,
    )
