"""Downloads from a URL, with no client and no credentials but what the URL itself carries.

The URL is opened as any HTTP source is (``_http.py``), and written as any download is (``_fetch.py``): where it serves
ranges of one version, in parallel, and a killed run is gone on with. The draft is found again by the URL without its
query, the size and the validator: a URL that was signed anew for the same object goes on as well.

What comes only from its first byte to its last is read in order, into a draft that nobody goes on with, and begun again
where it breaks off.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from storagekit._clock import Cancel
from storagekit._crew import Crew
from storagekit._draft import Draft
from storagekit._fetch import Fetcher, Listener, Wish, check_target, crc, is_device, prove, require_same, require_size
from storagekit._guard import SOURCE_HINTS, Guard
from storagekit._http import HTTPSource
from storagekit._meter import Meter
from storagekit._plan import Span
from storagekit._source import Access, RangeReader, endless
from storagekit._throttle import Throttle
from storagekit._window import Window
from storagekit.driver import Code, DriverError, Failure
from storagekit.errors import IntegrityError, ServiceError, SourceTruncatedError
from storagekit.types import DownloadResult, ObjectInfo, Progress

if TYPE_CHECKING:
    from storagekit._http_look import OpenURL

_READINGS = 3
"""How often a body is begun that comes in one piece only; each reading has the retries of its request besides."""

Take = Callable[[int, memoryview], None]


@dataclass(frozen=True)
class URLDownload:
    """One URL to fetch to a file. ``size`` is what was promised of it."""

    source: HTTPSource
    window: Window
    throttle: Throttle | None
    size: int | None = None

    def to_file(self, wish: Wish) -> DownloadResult:
        """Write the file as ``wish`` says, whose path is a real one. Raises as ``download_from_url`` says."""
        check_target(wish.path, wish.range_size, overwrite=wish.overwrite, read_back=wish.verify or bool(wish.sha256))
        opened = self.source.open(wish.stop)
        try:
            info = ObjectInfo(opened.identity.shown, opened.size or 0, opened.identity.digest)
            if opened.size is not None:
                require_size(info, self.size)
            if opened.access is Access.RANGES:
                kept = Fetcher(self.window).fetch(_Version(opened, info, self.throttle), wish)
            else:
                kept, info = 0, replace(info, size=_InOrder(self, opened, wish).fetch())
            etag = (opened.etag or "").removeprefix("W/").strip('"')
        finally:
            opened.close()
        fetched, shown = info.size - kept, info.key
        return DownloadResult("", shown, str(wish.path), info.size, etag, kept > 0, kept, fetched, wish.verify, shown)


@dataclass(frozen=True)
class _Version:
    """An opened URL that serves ranges, as what is fetched."""

    opened: OpenURL
    info: ObjectInfo
    throttle: Throttle | None

    @property
    def home(self) -> tuple[str, str]:
        return "http", ""

    def meter(self, start: Progress, listener: Listener) -> Meter:
        return Meter(start, listener, self.throttle)

    def ranges(self, meter: Meter) -> _Ranges:
        return _Ranges(self.opened, meter)

    def verify(self) -> None:
        self.opened.verify()


@dataclass(frozen=True)
class _Ranges:
    """Reads ranges; each goes on by itself at the byte where a connection broke."""

    opened: OpenURL
    meter: Meter

    def read(self, span: Span, buffer: memoryview, stop: Cancel) -> None:
        reader = self.opened.open_range(span.offset, span.length, stop)
        done = 0
        try:
            done = fill(reader, buffer, self.meter, stop)
            if done < span.length:
                raise SourceTruncatedError(f"{self.opened.identity.shown} ended early", hint="Run again")
        finally:
            reader.close()


def fill(reader: RangeReader, buffer: memoryview, meter: Meter, stop: Cancel) -> int:
    """Read until the buffer is full or the reader at its end, and return how much; on failure nothing was counted."""
    done = 0
    try:
        while done < len(buffer):
            stop.check()
            count = reader.readinto(buffer[done : done + meter.block])
            if not count:
                break
            meter.let_pass(count, stop)
            done += count
    except BaseException:
        meter.add(-done)
        raise
    return done


class _InOrder:
    """A URL that is read from its first byte to its last."""

    def __init__(self, download: URLDownload, opened: OpenURL, wish: Wish) -> None:
        self._window = download.window
        self._throttle = download.throttle
        self._opened = opened
        self._wish = wish
        self._size = download.size
        source = download.source
        policy = replace(source.policy, attempts=min(_READINGS, source.policy.attempts))
        self._guard = Guard("http", _not_classified, policy, source.clock, wish.stop, SOURCE_HINTS)

    def fetch(self) -> int:
        """Write the file, and return how many bytes it has."""
        if not self._opened.ends_itself and self._size is None and self._wish.sha256 is None:
            raise endless(self._opened.identity.shown)
        return self._to_device() if is_device(self._wish.path) else self._to_file()

    def _to_device(self) -> int:
        with self._wish.path.open("wb", buffering=0) as device:

            def take(_: int, block: memoryview) -> None:
                done = 0
                while done < len(block):
                    done += device.write(block[done:]) or 0

            return self._in_a_worker(partial(self._read, take, self._meter(self._wish.listener)))

    def _to_file(self) -> int:
        wish = self._wish
        with Fetcher(self._window).private_draft(wish.path) as draft:
            draft.begin(ObjectInfo("", 0, ""), wish.range_size, self._window.budget)
            size = self._again_and_again(partial(self._write, draft), self._meter(wish.listener))
            os.ftruncate(draft.file, size)
            if wish.verify:
                again = self._again_and_again(partial(require_same, draft), self._meter(None))
                require_size(ObjectInfo(self._opened.identity.shown, size, ""), again)
            if wish.sha256 is not None:
                prove(ObjectInfo(self._opened.identity.shown, size, ""), draft, self._window, wish)
            self._opened.verify()
            draft.publish(overwrite=wish.overwrite)
        return size

    def _write(self, draft: Draft, offset: int, block: memoryview) -> None:
        draft.write(1, offset, block, crc(block), self._wish.stop)

    def _meter(self, listener: Listener) -> Meter:
        total = self._opened.size if self._size is None else self._size
        return Meter(Progress(0, total, 0, 1, self._wish.range_size), listener, self._throttle)

    def _again_and_again(self, take: Take, meter: Meter) -> int:
        """Read all, begun again where it breaks off."""

        def once() -> int:
            try:
                return self._read(take, meter)
            except ServiceError as error:
                raise DriverError(Failure(Code.NETWORK, error.message, status=error.context.status)) from error

        return self._in_a_worker(lambda: self._guard.call("read", once))

    def _in_a_worker(self, work: Callable[[], int]) -> int:
        """So Ctrl-C is seen while it waits for the server."""
        crew = Crew([Span(1, 0, 0)], lambda _: work(), self._wish.stop)
        crew.run(1)
        return crew.results[1]

    def _read(self, take: Take, meter: Meter) -> int:
        """Hand all bytes to ``take``, block by block, and return their number; on failure none was counted."""
        stop, done = self._wish.stop, 0
        reader = self._opened.open_range(0, None, stop)
        try:
            with self._window.slot(self._wish.range_size, stop) as buffer:
                while count := fill(reader, buffer, meter, stop):
                    take(done, buffer[:count])
                    done += count
            self._require_promised(done)
        except BaseException:
            meter.add(-done)
            raise
        finally:
            reader.close()
        return done

    def _require_promised(self, size: int) -> None:
        if self._size is None or size == self._size:
            return
        shown = self._opened.identity.shown
        if size < self._size and not self._opened.ends_itself:
            raise ServiceError(f"{shown} broke off after {size:,} of {self._size:,} bytes", hint="Run again")
        raise IntegrityError(f"{shown} has {size:,} bytes, and {self._size:,} were promised", hint="No file was left")


def _not_classified(error: BaseException) -> Failure:
    """Say what is not ours: a full disk is raised as it is."""
    raise error


def real(path: str | os.PathLike[str]) -> Path:
    """Return the file that a path means, behind symbolic links."""
    return Path(os.path.realpath(path))
