"""How services that are alike differ: in words, and in a few rules. One value says all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from storagekit.testing.emulator.hosts import MAX_KEY, check_key
from storagekit.testing.emulator.refusal import Refusal


@dataclass(frozen=True)
class Dialect:
    """``prefix`` begins every header of its own; ``storage_classes`` are its words for OBS's.

    Words: ``crc`` is its header for a CRC-64, ``forbid`` the one that refuses to replace an object (None: there is
    none), ``unchanged_copy`` what it says of a copy whose source is as If-None-Match says. ``upper_etags``: its ETags
    are upper-case.

    Rules: ``page`` is how many rows there are where nobody asks for a number, and ``strict_pages`` refuses to be asked
    for none, or for more than 1,000. ``from_initiation``: of two completes of one key the upload that began last
    wins. An ``outside`` range, one that is not all in the object, is ``cut`` or ``ignored``. Keys have ``max_key``
    bytes at most, and do not begin with one of ``not_first``.

    ``full`` documents and headers have what OSS's clients insist on: types, markers of pages that are the last, the
    ETag of a complete as a header, the CRC-64 of the whole object with a range of it.
    """

    name: str
    prefix: str
    namespace: str = ""
    storage_classes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    content_type: str = "binary/octet-stream"
    owner_names: bool = True
    crc: str = "checksum-crc64ecma"
    forbid: str | None = None
    unchanged_copy: str = "PreconditionFailed"
    upper_etags: bool = False
    page: int = 1000
    strict_pages: bool = False
    from_initiation: bool = False
    outside: str = "cut"
    max_key: int = MAX_KEY
    not_first: str = ""
    full: bool = False

    def header(self, name: str) -> str:
        """Return a header's name in this dialect."""
        return self.prefix + name

    def storage_class(self, word: str) -> str:
        """Return its word for one of OBS's storage classes."""
        return self.storage_classes.get(word, word)

    def own_storage_class(self, word: str) -> str:
        """Return OBS's word for one of its own."""
        return next((own for own, theirs in self.storage_classes.items() if theirs == word), word)

    def etag(self, etag: str) -> str:
        """Return a driver's ETag as clients see it, in quotes."""
        return f'"{etag.upper() if self.upper_etags else etag}"'

    def is_etag(self, given: str, etag: str) -> bool:
        """Tell whether a client means this ETag of a driver's."""
        return given.strip().strip('"') == self.etag(etag).strip('"')

    def check_key(self, key: str) -> None:
        """Raise Refusal for a key that no object can have."""
        if key and key[0] in self.not_first:
            raise Refusal("InvalidURI", f"A key does not begin with {key[0]}.")
        check_key(key, self.max_key)
