"""The ``requests`` session of an HTTP source; imported when the first URL is opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import requests
import urllib3
from requests.adapters import HTTPAdapter

from storagekit.driver import Code, DriverError, Failure
from storagekit.errors import StorageError

_CONNECTIONS = 64  # kept alive; more workers than this is beyond what one source gives


class _Session(requests.Session):
    """Sends the caller's headers to the source's own host only; of itself, requests withholds just Authorization."""

    private: frozenset[str] = frozenset()

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Called for each redirect."""
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]  # requests is in parts
        came_from, goes_to = response.request.url or "", prepared_request.url or ""
        if self.should_strip_auth(came_from, goes_to):  # type: ignore[no-untyped-call]
            for name in self.private:
                prepared_request.headers.pop(name, None)


def make_session(headers: Mapping[str, str]) -> requests.Session:
    """Return a session that asks for bytes as they are stored and keeps its connections."""
    session = _Session()
    session.private = frozenset(headers)
    session.mount("http://", HTTPAdapter(pool_maxsize=_CONNECTIONS))
    session.mount("https://", HTTPAdapter(pool_maxsize=_CONNECTIONS))
    session.headers.update({"Accept-Encoding": "identity", **headers})
    return session


@contextmanager
def told() -> Iterator[None]:
    """Turn what requests and urllib3 raise into a failure without its text, which holds the URL with its query."""
    try:
        yield
    except StorageError:
        raise
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise DriverError(failure_of(error)) from None


def failure_of(error: BaseException) -> Failure:
    """Classify what ``requests`` and ``urllib3`` raise. Pure, as a driver's ``classify`` is."""
    if isinstance(error, (requests.exceptions.SSLError, urllib3.exceptions.SSLError)):
        return Failure(Code.REFUSED, "the source's TLS certificate was not accepted")
    if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)):
        return Failure(Code.TIMEOUT, "the source did not answer in time")
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)):
        return Failure(Code.REFUSED, "this is not a URL that can be read")
    if isinstance(error, (requests.RequestException, urllib3.exceptions.HTTPError, OSError)):
        return Failure(Code.NETWORK, f"the connection to the source failed ({type(error).__name__})")
    return Failure(Code.UNKNOWN, f"{type(error).__name__} while reading the source")
