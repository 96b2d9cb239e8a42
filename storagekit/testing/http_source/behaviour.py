"""How a source misbehaves, and how much of each counted fault is left."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Behaviour:
    """How the source misbehaves; the default is not at all. Assigning one starts its own counts anew."""

    refuse_etag: bool = False
    """Call the right ETag wrong: If-Match gets 412 and If-Range gets the whole content, though nothing changed."""
    ignore_range: bool = False
    """Answer ranges with 200 and the whole content; sends no Accept-Ranges."""
    etag: Literal["strong", "weak", "none"] = "strong"
    """Kind of ETag shown. A weak one matches neither If-Match nor If-Range, as RFC 9110 demands."""
    last_modified: bool = True
    """Whether Last-Modified is sent."""
    content_range_total: int | str | None = None
    """Written as the total of Content-Range instead of the truth; ``"*"`` for "unknown"."""
    change_after: int | None = None
    """Change content, ETag and Last-Modified once ``bytes_served`` reaches this. Answers under way stay the old."""
    cut_after: int | None = None
    """Close the connection after so many body bytes of an answer that has more."""
    cut_times: int | None = 1
    """How many answers are cut; ``None`` for every one."""
    cut_reset: bool = False
    """Cut with a TCP reset. The kernel then drops what it had not sent yet, so the client sees fewer bytes."""
    short_by: int = 0
    """Leave so many bytes off the end of every body that Content-Length (or Content-Range) promised, then close."""
    delay_seconds: float = 0.0
    """Wait so long before the status line of every answer."""
    stall_seconds: float = 0.0
    """Pause so long once, in the middle of one body."""
    stall_after: int = 0
    """Body bytes of an answer before the pause."""
    storm_requests: int = 0
    """Answer so many requests with ``storm_status`` first."""
    storm_status: int = 503
    """Status of the storm, e.g. 500, 503, 429."""
    storm_retry_after: str | int | None = None
    """Retry-After during the storm: seconds or an HTTP date."""
    chunked: bool = False
    """Transfer-Encoding chunked and no Content-Length."""
    redirect_loop: bool = False
    """Answer 302 with a Location that is the requested URL itself."""
    content_encoding: str | None = None
    """Claim this Content-Encoding for a body that has none."""
    refuse_head: bool = False
    """Answer HEAD with 405."""


class Live:
    """A behaviour in force, with what is left of its counted faults."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self._lock = threading.Lock()
        self._left = {"storm": behaviour.storm_requests, "cut": behaviour.cut_times, "stall": 1}

    def take(self, what: str) -> bool:
        """Use up one of the counted faults; False when none is left."""
        with self._lock:
            left = self._left[what]
            if left is not None:
                self._left[what] = max(0, left - 1)
            return left is None or left > 0
