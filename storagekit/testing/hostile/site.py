"""What a case serves: an honest site, told what it has, and the lies that are applied to its answers in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Literal

from storagekit.testing.hostile.wire import Answer, Request, honest
from storagekit.testing.http_source.behaviour import Behaviour
from storagekit.testing.http_source.content import Content, PatternContent
from storagekit.testing.http_source.planning import Version

Lie = Callable[[Request, Answer], Answer]

PART = 32 * 1024
PARTS = 5
CONTENT = PatternContent((PARTS - 1) * PART + 4321, seed=7)
"""Five parts, the last one short: a look, five ranges and a last look are seven requests."""

OTHER = PatternContent(CONTENT.size, seed=8)

_DAY_S = 86_400
_NOW = 1_777_636_800  # where the clock of every site stands: noon of 2026-05-01


@dataclass(frozen=True)
class Site:
    """A server of one content, and from its ``changes_at``-th request on of another one.

    ``modified`` is what its Last-Modified is: a day old, of this moment, or not there. With ``same_etag`` the
    other content has the same validators.
    """

    lies: tuple[Lie, ...] = ()
    content: Content = CONTENT
    etag: Literal["strong", "weak", "none"] = "strong"
    modified: Literal["settled", "fresh", "none"] = "settled"
    ranges: bool = True
    changes_at: int | None = None
    other: Content = OTHER
    same_etag: bool = False
    refuse_etag: bool = False

    def __call__(self, request: Request) -> Answer:
        """Answer one request."""
        behaviour = Behaviour(
            etag=self.etag,
            last_modified=self.modified != "none",
            ignore_range=not self.ranges,
            refuse_etag=self.refuse_etag,
        )
        answer = honest(request, self._version(request.nth), behaviour)
        answer = replace(answer, headers=(("Date", formatdate(_NOW, usegmt=True)), *answer.headers))
        for lie in self.lies:
            answer = lie(request, answer)
        return answer

    def _version(self, nth: int) -> Version:
        age = _DAY_S if self.modified == "settled" else 0
        first = Version(self.content, f'"{self.content.tag}"', _NOW - age)
        if self.changes_at is None or nth < self.changes_at:
            return first
        if self.same_etag:
            return Version(self.other, first.etag, first.modified)
        return Version(self.other, f'"{self.other.tag}"', first.modified + 10)
