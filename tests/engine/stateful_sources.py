"""Sources for the stateful test: whole versions of contents, and every way in which a source misbehaves on its way.

A ``Version`` is a value: the same seed gives the same bytes, a longer one begins with the shorter ones, and
``flip`` changes one byte in the middle. So runs meet equal sources, prefixes of each other, and twins that differ in
one part, all the time. Strong identities name a version; weak ones only the place where it was found.
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from storagekit._clock import Cancel
from storagekit._source import Access, Identity, changed, strong_identity, weak_identity
from storagekit.errors import ServiceError

LONGEST = 12  # parts


@lru_cache(maxsize=16)
def _base(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


@dataclass(frozen=True)
class Version:
    """One content: ``parts`` times the unit of the scale, and ``delta`` bytes more or fewer."""

    seed: int
    parts: int
    delta: int = 0
    flip: bool = False

    def size(self, unit: int) -> int:
        return max(0, self.parts * unit + self.delta)

    def data(self, unit: int) -> bytes:
        return _content(self, unit)


@lru_cache(maxsize=64)
def _content(version: Version, unit: int) -> bytes:
    data = _base(version.seed, (LONGEST + 1) * unit)[: version.size(unit)]
    if not (version.flip and data):
        return data
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@dataclass(frozen=True)
class Trouble:
    """What happens when ``at`` sixteenths of the bytes have been read.

    ``breaks`` (the reader raises, ``times`` times), ``ends`` (as if that were all, though more was announced),
    ``changes`` (from then on there is another version: seen where the identity is strong, or met by the next reading).
    """

    kind: str
    at: int
    times: int = 1


class Broke(ValueError):
    """What the caller's own stream raises."""


class Faucet:
    """Gives the bytes of one reading after the other, and has the trouble on the way."""

    def __init__(self, first: bytes, second: bytes, trouble: Trouble | None) -> None:
        self.data = first
        self.second = second
        self.trouble = trouble
        self.changed = False
        self._left = trouble.times if trouble else 0
        self._limit = len(first) * trouble.at // 16 if trouble else len(first) + 1

    def some(self, offset: int, wanted: int) -> bytes:
        """Return the next bytes of a reading that has reached ``offset``; raises Broke."""
        if self.trouble and self._left and offset + wanted > self._limit:
            if offset < self._limit:
                return self.data[offset : self._limit]
            return self._happens(offset, wanted)
        return self.data[offset : offset + wanted]

    def _happens(self, offset: int, wanted: int) -> bytes:
        assert self.trouble is not None
        if self.trouble.kind == "ends":
            return b""
        self._left -= 1
        if self.trouble.kind == "breaks":
            raise Broke("the stream broke")
        self.changed = True
        return self.data[offset : offset + wanted]

    def begin(self) -> None:
        """Begin another reading: of the new version, if there is one by now."""
        if self.changed:
            self.data = self.second


def iterator(faucet: Faucet, offset: int = 0, step: int = 50) -> Iterator[bytes]:
    """Yield the bytes from ``offset`` on."""
    step = max(step, len(faucet.data) // 16)
    while block := faucet.some(offset, step):
        yield block
        offset += len(block)


class Pipe(io.RawIOBase):
    """A pipe: gives what it likes, and cannot seek."""

    def __init__(self, faucet: Faucet, offset: int = 0) -> None:
        self._chunks = iterator(faucet, offset, 70)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._rest = self._rest or next(self._chunks, b"")
        block, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(block)] = block
        return len(block)


class OnlyRead:
    """A file-like object with no more than ``read``."""

    def __init__(self, faucet: Faucet) -> None:
        self._chunks = iterator(faucet, 0, 33)

    def read(self, size: int = -1) -> bytes:
        return next(self._chunks, b"")


class Announced(io.BytesIO):
    """A seekable file-like object that knows how long it should be, and may turn out shorter."""

    def __init__(self, faucet: Faucet) -> None:
        super().__init__(faucet.data)
        self._faucet = faucet

    def readinto(self, buffer: Any) -> int:
        block = self._faucet.some(self.tell(), len(buffer))
        buffer[: len(block)] = block
        self.seek(len(block), 1)
        return len(block)


@dataclass(frozen=True)
class Web:
    """A URL as the engine sees one. ``announces`` says whether the length is known beforehand."""

    place: str
    faucet: Faucet
    access: Access
    strong: bool
    announces: bool

    def open(self, cancel: Cancel) -> OpenWeb:
        return OpenWeb(self)


class OpenWeb:
    """The URL in the version that it has now."""

    name = "web"
    content_type: str | None = None
    mtime: float | None = None
    ends_itself = True

    def __init__(self, web: Web) -> None:
        self._faucet = web.faucet
        self._version = web.faucet.data
        self._strong = web.strong
        self.access = web.access
        self.size = len(self._version) if web.announces or web.access is Access.RANGES else None
        self.identity = _identity(web, self._version)

    def open_range(self, offset: int, length: int | None, cancel: Cancel) -> _Range:
        self._faucet.begin()
        self._look()
        return _Range(self, offset, len(self._faucet.data) if length is None else offset + length)

    def some(self, offset: int, wanted: int) -> bytes:
        try:
            block = self._faucet.some(offset, wanted)
        except Broke as error:
            raise ServiceError("the source broke off") from error
        self._look()
        return block

    def _look(self) -> None:
        if self._strong and (self._faucet.changed or self._faucet.data != self._version):
            raise changed(self.identity.shown)

    def check(self) -> None:
        self._look()

    def verify(self) -> None:
        self._look()

    def close(self) -> None:
        pass


def _identity(web: Web, version: bytes) -> Identity:
    if web.strong:
        return strong_identity(web.place, kind="web", place=web.place, etag=str(hash_of(version)))
    return weak_identity(web.place, kind="web", place=web.place)


def hash_of(data: bytes) -> str:
    """Return a name of a content, of which there are few."""
    import hashlib

    return hashlib.sha256(data).hexdigest()


class _Range:
    def __init__(self, source: OpenWeb, offset: int, end: int) -> None:
        self._source = source
        self._offset = offset
        self._end = end

    def readinto(self, buffer: memoryview) -> int:
        wanted = min(len(buffer), self._end - self._offset)
        block = self._source.some(self._offset, wanted) if wanted else b""
        buffer[: len(block)] = block
        self._offset += len(block)
        return len(block)

    def close(self) -> None:
        pass
