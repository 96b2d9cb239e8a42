"""HTTP sources: one version of a URL, read in parallel ranges where the server lets us, else from its first byte on.

``open`` asks for the first byte. What the answer is decides how the bytes can be had (the modules beside this one):

    206, total known, strong ETag or settled Last-Modified   Access.RANGES: any range from any thread, each one pinned
                                                             to the version of the look (``_http_ranges.py``)
    anything else that carries the bytes                     Access.RESTART: one answer without Range, read from its
                                                             first byte to its proven end (``_http_whole.py``)

Anything else is: no ranges, a total of ``*``, a weak ETag, no validator, a Last-Modified of this minute, chunked,
compressed (decoded on the way, ``_http_coding.py``), or ended by closing the connection (``ends_itself`` is False: the
caller must state the size or the digest). A whole answer to the look is not thrown away: it is the first reading.

What answers mean is decided in ``_http_rules.py``, by values alone. Requests, redirects and what the libraries raise
are in ``_http_session.py``; what http.client lets pass and we do not is in ``_http_wire.py``. Three kinds of trouble:

    the server refuses                        the error of its status (_http_rules.STATUS_CODES)
    it answers what HTTP does not allow       ServiceError, after retries: another server of the pool may do better
    it answers what is allowed, but not here  UnsupportedSourceError: brotli, a body without any end, ...
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from storagekit._clock import Cancel, Clock
from storagekit._guard import SOURCE_HINTS, Guard
from storagekit._http_rules import public_url
from storagekit._retry import RetryPolicy

if TYPE_CHECKING:
    from storagekit._http_look import OpenURL


@dataclass(frozen=True)
class HTTPSource:
    """A URL (http or https).

    ``headers`` are sent with every request to the URL's own host. Neither they nor the URL show in the repr.
    ``timeout_s`` is how many seconds the server may be silent, before its answer and within it.
    """

    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    clock: Clock = field(default_factory=Clock, repr=False)
    timeout_s: float = 60.0

    def open(self, cancel: Cancel) -> OpenURL:
        """Ask for the first byte and learn size, type, validators and how the bytes can be had.

        Raises ObjectNotFoundError, PermissionDeniedError, RequestRefusedError, ServiceError, ConfigurationError for
        what is no URL, and UnsupportedSourceError for an answer that cannot be read.
        """
        from storagekit._http_failures import failure_of
        from storagekit._http_look import open_url
        from storagekit._http_session import Requester

        public_url(self.url)
        requester = Requester(self.url, dict(self.headers), self.timeout_s)
        try:
            return open_url(requester, Guard("http", failure_of, self.policy, self.clock, cancel, SOURCE_HINTS))
        except BaseException:
            requester.close()
            raise
