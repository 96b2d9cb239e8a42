"""What the libraries raise while an HTTP source is read, or a signed URL written to, as failures without their words.

Their texts hold the URL with its query, which may be a signature.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import requests
import urllib3
from requests import Response

from storagekit.driver import Code, DriverError, Failure
from storagekit.errors import StorageError
from storagekit.transport import Peer, tls_failure, tls_wanted, wants_tls

_TRUST = "SSL_CERT_FILE (REQUESTS_CA_BUNDLE where that is set)"
SOURCE = Peer("the source", "URL", _TRUST)
DESTINATION = Peer("the destination", "URL", _TRUST)

_LARGEST_READ = 256 * 1024
"""Bytes per read, whatever was asked for: each lies in memory of its own, which is beyond the budget of a transfer."""


def read(answer: Response, count: int) -> bytes:
    """Return the next bytes of a body as they are on the wire, ``count`` of them or fewer; empty at its end."""
    with told():
        data: bytes = answer.raw.read(min(count, _LARGEST_READ), decode_content=False)
        return data


@contextmanager
def told(peer: Peer = SOURCE) -> Iterator[None]:
    """Raise DriverError for what requests and urllib3 raise; our own errors pass."""
    try:
        yield
    except StorageError:
        raise
    except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
        raise DriverError(failure_of(error, peer)) from None


def failure_of(error: BaseException, peer: Peer = SOURCE) -> Failure:
    """Classify what ``requests`` and ``urllib3`` raise. Pure, as a driver's ``classify`` is."""
    causes = tuple(_causes(error))
    tls = _of_tls(error, peer)
    if tls is not None:
        return tls
    for kinds, code, detail in _MEANINGS:
        if any(isinstance(cause, kinds) for cause in causes):
            return Failure(code, detail.format(peer=peer.name))
    if isinstance(error, (requests.RequestException, urllib3.exceptions.HTTPError, OSError)):
        return Failure(Code.NETWORK, f"the connection to {_host(error) or peer.name} failed: {_reason(error)}")
    return Failure(Code.UNKNOWN, f"{type(error).__name__} while talking to {peer.name}")


def _of_tls(error: BaseException, peer: Peer) -> Failure | None:
    """Return what a failed handshake with the peer means; None for other failures, and where a proxy's failed."""
    chain = tuple(_downwards(error))
    if any(isinstance(each, (requests.exceptions.ProxyError, urllib3.exceptions.ProxyError)) for each in chain):
        return None
    if any(isinstance(each, http.client.BadStatusLine) and wants_tls(each) for each in chain):
        return tls_wanted(peer)
    found = next((each for each in chain if isinstance(each, ssl.SSLError)), None)
    return None if found is None or isinstance(found, TimeoutError) else tls_failure(found, peer)


def _host(error: BaseException) -> str | None:
    """Return where a request went, without the rest of its URL."""
    url = getattr(getattr(error, "request", None), "url", None)
    return urlsplit(url).netloc.rpartition("@")[2] if isinstance(url, str) else None


def _reason(error: BaseException) -> str:
    """Return what the system says of the innermost error ("Connection refused"), or its kind. Never its words."""
    *_, innermost = _downwards(error)
    said = innermost.strerror if isinstance(innermost, OSError) else None
    return said or type(innermost).__name__


def _downwards(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, what it wraps, what that wraps: the last argument that is an error, or the cause."""
    below: BaseException | None = error
    seen: list[BaseException] = []
    while below is not None and below not in seen:
        yield below
        seen.append(below)
        wrapped = [argument for argument in below.args if isinstance(argument, BaseException)]
        below = wrapped[-1] if wrapped else below.__cause__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it wraps: both libraries hand the first cause on as an argument of theirs."""
    yield error
    for argument in error.args:
        if isinstance(argument, BaseException):
            yield from _causes(argument)


_MEANINGS: tuple[tuple[tuple[type[BaseException], ...], Code, str], ...] = (
    (
        (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError),
        Code.TIMEOUT,
        "{peer} did not answer in time",
    ),
    (
        (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema),
        Code.REFUSED,
        "this is not a URL that can be read",
    ),
    (
        (http.client.RemoteDisconnected,),
        Code.STALE_CONNECTION,  # a kept connection that the server had given up, most of the time
        "{peer} closed the connection instead of answering",
    ),
    (
        (http.client.IncompleteRead, urllib3.exceptions.IncompleteRead),
        Code.NETWORK,
        "{peer} closed the connection early",
    ),
    (
        (http.client.HTTPException, urllib3.exceptions.InvalidHeader, requests.exceptions.InvalidHeader),
        Code.SERVER,
        "{peer} broke off, or answered something that is no HTTP",
    ),
)
"""Tried from the first to the last; ``{peer}`` is who was asked."""
