"""A careful listing of objects, for MinIO, whose pages cannot be trusted.

Read in MinIO's source of 2026-02-12 and seen on a server of that version, one drive:

* A page that begins at a ``start-after`` is walked only until ``max-keys + 1`` objects were met. Those before the
  starting point count (``b`` is met on the way to ``b-c``, because its directory ``b/`` is not before it), and when
  the count is reached below a slash, the walk goes on with one object of the level above: ``a/b-c`` is followed by
  ``a0``, everything between is lost, and the page may call itself the last.
* With ``max-keys=1`` and the key of an object as prefix, that object is the whole answer.
* With a delimiter other than a slash, a page that ends in a common prefix is followed by itself, for ever.

A listing that begins at its beginning and goes on with the service's own tokens is right. So the careful one never
sends ``start-after``, never asks for one key, folds other delimiters itself, and drops what is not behind the place
where it stands. Its token is the service's, of the page that it is in, and the last name that it returned. The price:
what stands before ``start_after`` is listed too, and a page may be empty though it has a successor.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from storagekit.errors import ConfigurationError
from storagekit.types import ObjectInfo, ObjectPage

Ask = Callable[[str, str | None, int], ObjectPage]
"""Asks the service for one page of a listing: by delimiter, the service's token, and limit."""


def careful_page(ask: Ask, prefix: str, delimiter: str, start_after: str, token: str | None, limit: int) -> ObjectPage:
    """Return one page that loses nothing on MinIO; see the module docstring."""
    service, after = _place(token) if token else (None, start_after)
    page = ask("/" if delimiter == "/" else "", service, max(limit, 2))
    fresh = {name: item for name, item in _folded(page, prefix, delimiter).items() if _is_behind(name, item, after)}
    names = sorted(fresh)[:limit]
    place = names[-1] if names else after
    objects = tuple(item for item in map(fresh.__getitem__, names) if item is not None)
    prefixes = tuple(name for name in names if fresh[name] is None)
    if len(fresh) > limit:
        return ObjectPage(objects, prefixes, json.dumps([service, place]))
    return ObjectPage(objects, prefixes, json.dumps([page.token, place]) if page.token else None)


def _place(token: str) -> tuple[str | None, str]:
    """Return the service's token, and the name that was returned last. Raises ConfigurationError for another text."""
    try:
        service, after = json.loads(token)
    except (ValueError, TypeError):  # no JSON, or not two of something
        service, after = None, None
    if not isinstance(after, str) or not isinstance(service, (str, type(None))):
        raise ConfigurationError("the token is none of ours", hint="Give the token of the answer before, as it is")
    return service, after


def _folded(page: ObjectPage, prefix: str, delimiter: str) -> dict[str, ObjectInfo | None]:
    """The page by names; a common prefix has no object."""
    found: dict[str, ObjectInfo | None] = dict.fromkeys(page.prefixes)
    for info in page.objects:
        cut = info.key.find(delimiter, len(prefix)) if delimiter else -1
        if cut < 0:
            found[info.key] = info
        else:
            found[info.key[: cut + len(delimiter)]] = None
    return found


def _is_behind(name: str, item: ObjectInfo | None, after: str) -> bool:
    """A common prefix is behind what it holds, and not behind itself: some of what it holds may be."""
    return name > after or (item is None and name != after and after.startswith(name))
