"""The log of requests: a row while it is being served, and the frozen record that is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LOGGED_HEADERS = (
    "host",
    "user-agent",
    "accept",
    "accept-encoding",
    "authorization",
    "range",
    "if-match",
    "if-none-match",
    "if-range",
    "if-modified-since",
    "if-unmodified-since",
)


@dataclass(frozen=True)
class RequestRecord:
    """One request as the source saw it."""

    method: str
    path: str
    """The request target, with its query."""
    range: str | None
    """The Range header."""
    status: int
    """0 while no status line has been sent."""
    bytes_sent: int
    """Body bytes the kernel took."""
    headers: Mapping[str, str]
    """The request headers in ``LOGGED_HEADERS``, lower case."""
    connection: int
    """Port of the client: equal for requests on one connection."""
    finished: bool
    """Whether the handler is done with it (well or badly)."""


@dataclass
class Entry:
    """The mutable row behind a RequestRecord; written by its one serving thread only."""

    method: str
    path: str
    headers: dict[str, str]
    connection: int
    status: int = 0
    bytes_sent: int = 0
    finished: bool = False

    def record(self) -> RequestRecord:
        """The row as it stands."""
        return RequestRecord(range=self.headers.get("range"), **vars(self))
