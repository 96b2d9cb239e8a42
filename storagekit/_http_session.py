"""The requests for one URL: the look at its first byte, ranges, a PUT; redirects, private headers.

Imported when the first URL is opened. Redirects are followed here and not by ``requests``, which reads each
redirect's body into memory, whatever its length, follows from https to http, and sends all headers but Authorization
to any host. Every request asks the original URL again: where a redirect leads may expire between two ranges.

A PUT follows 307 and 308 only, which mean the same request again, and to the same scheme: any other redirect would turn
it into a GET, or send the body where it was not meant to go.
"""

from __future__ import annotations

import functools
import os
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

import requests
from requests import PreparedRequest, Response
from requests.structures import CaseInsensitiveDict

from storagekit._http_failures import DESTINATION, SOURCE, read, told
from storagekit._http_rules import (
    Validators,
    garbled,
    public_url,
    status_failure,
    validators_of_piece,
    whole_of,
)
from storagekit._http_trust import authorities
from storagekit._http_wire import StrictAdapter
from storagekit._signed_urls import ended, has_ended, is_signed
from storagekit.driver import Code, DriverError, Failure
from storagekit.errors import RequestRefusedError, UnsupportedSourceError
from storagekit.transport import tls_wanted, wants_tls
from storagekit.transport.sending import Stream

_CONNECTIONS = 64  # kept alive; more workers than this is beyond what one source gives
_CONNECT_S = 10.0
_MOST_REDIRECTS = 20  # as browsers do
_FIRST_BYTE = {"Range": "bytes=0-0"}
_LONGEST_REFUSAL = 4096  # bytes of an answer 400 in which a server may say that it speaks TLS
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SAME_REQUEST = frozenset({307, 308})


class _Session(requests.Session):
    def get_redirect_target(self, resp: Response) -> None:
        """Called for each answer: none is followed by ``requests``."""


class Requester:
    """Sends the requests for one URL; used by all threads of a transfer.

    The caller's headers, and user and password of the URL, go to the URL's own host only.
    """

    def __init__(self, url: str, headers: Mapping[str, str], timeout_s: float) -> None:
        self.url, login = _without_login(url)
        self.shown = public_url(url)
        own = CaseInsensitiveDict({**login, **headers})
        self._private = frozenset(own)
        self._auth = _as_it_is if "Authorization" in own or is_signed(url) else None
        self._timeout = (_CONNECT_S, timeout_s)
        self._session = _Session()
        self._session.mount("http://", StrictAdapter(pool_maxsize=_CONNECTIONS))
        self._session.mount("https://", StrictAdapter(pool_maxsize=_CONNECTIONS))
        trusted = authorities(os.environ)
        self._session.verify = trusted.path or True
        self._check_trust = functools.cache(trusted.check)  # the first request over TLS reads the file: 15 ms
        self._session.headers.update({"Accept-Encoding": "identity", **own})

    def get(self, headers: Mapping[str, str]) -> Response:
        """Return the answer behind all redirects; its body is not read yet, and the caller closes it.

        Raises DriverError, and StorageError for a redirect that must not be followed.
        """
        url, own_host = self.url, True
        for _ in range(_MOST_REDIRECTS + 1):
            answer = self._send("GET", url, headers, None, own_host=own_host)
            if answer.status_code not in _REDIRECTS or not answer.headers.get("Location"):
                return answer
            answer.close()
            target = self._target(url, answer.headers["Location"])
            own_host = own_host and not self._leaves(url, target)
            url = target
        raise DriverError(Failure(Code.REFUSED, f"the source {self.shown} redirects without end"))

    def put(self, headers: Mapping[str, str], body: Stream | None) -> Response:
        """Send a body, again where the answer says that it belongs elsewhere; else as ``get``. None is an empty one."""
        url, own_host = self.url, True
        for _ in range(_MOST_REDIRECTS + 1):
            answer = self._send("PUT", url, headers, body, own_host=own_host)
            if answer.status_code not in _REDIRECTS:
                return answer
            answer.close()
            target = self._put_target(url, answer)
            own_host = own_host and not self._leaves(url, target)
            url = target
            if body is not None:
                body.rewind()
        raise DriverError(Failure(Code.REFUSED, f"{self.shown} redirects without end"))

    def _put_target(self, url: str, answer: Response) -> str:
        target = self._target(url, answer.headers.get("Location", ""))
        if answer.status_code not in _SAME_REQUEST or urlsplit(target).scheme != urlsplit(url).scheme.lower():
            raise RequestRefusedError(
                f"{self.shown} answers a PUT with a redirect ({answer.status_code}) that would not be the same request",
                hint="Use the URL that it leads to, if that is where the bytes belong",
            )
        return target

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: Stream | None, *, own_host: bool
    ) -> Response:
        withheld = {} if own_host else dict.fromkeys(self._private)
        auth = self._auth if own_host else None
        if url.lower().startswith("https:"):
            self._check_trust()
        with told(DESTINATION if method == "PUT" else SOURCE):
            return self._session.request(
                method,
                url,
                headers={**withheld, **headers},
                data=cast("Any", body),
                auth=auth,
                stream=True,
                timeout=self._timeout,
            )

    def _leaves(self, url: str, target: str) -> bool:
        return bool(self._session.should_strip_auth(url, target))  # type: ignore[no-untyped-call]  # requests is in parts

    def _target(self, url: str, location: str) -> str:
        """Return where a redirect leads. Raises for a scheme that cannot be read, and from https to http."""
        text = location.encode("latin-1").decode("utf-8", "replace")  # http.client reads headers as latin-1
        target = _joined(url, text)
        scheme = urlsplit(target).scheme.lower()
        if scheme not in ("http", "https"):
            raise UnsupportedSourceError(
                f"{self.shown} redirects to what is no http(s) URL", hint="Give the URL of the file itself"
            )
        if url.lower().startswith("https:") and scheme == "http":
            raise RequestRefusedError(
                f"{self.shown} redirects from https to plain http",
                hint="Give the http:// URL itself, if it may be read without encryption",
            )
        return target

    def first_byte(self) -> Response:
        """Ask for the first byte, without any condition, and return the answer: 200, 206 or 416."""
        return self.checked(self.get(_FIRST_BYTE), 200, 206, 416)

    def everything(self) -> Response:
        """Ask for all bytes and return the answer, a 200 whose framing makes sense."""
        answer = self.get({})
        if answer.status_code == 206:
            answer.close()
            raise garbled(self.shown, "a part of it, which nobody asked for")
        return self.readable(self.checked(answer, 200))

    def readable(self, answer: Response) -> Response:
        """Return a 200 that can be read to its end, or close it and raise."""
        try:
            whole_of(answer.headers, self.shown)
        except BaseException:
            answer.close()
            raise
        return answer

    def look(self) -> Validators:
        """Return which version the server has now."""
        with self.first_byte() as answer:
            if answer.status_code == 206:
                return validators_of_piece(answer.headers, self.shown)
            if answer.status_code == 200:
                return whole_of(answer.headers, self.shown).validators
        with self.everything() as answer:  # after a 416, which need not show any validator
            return whole_of(answer.headers, self.shown).validators

    def checked(self, answer: Response, *statuses: int) -> Response:
        """Return the answer if it has one of the statuses, else close it and raise what its status means."""
        if answer.status_code in statuses:
            return answer
        with answer:
            if _says_tls(answer):
                raise DriverError(tls_wanted(SOURCE, answer.status_code))
        over = has_ended(self.url, answer.headers) if answer.status_code in (400, 401, 403) else None
        if over is not None:
            raise DriverError(ended(self.shown, over, answer.status_code))
        raise DriverError(status_failure(answer.status_code, answer.headers, self.shown))

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def _says_tls(answer: Response) -> bool:
    """Tell whether a refusal says that TLS is spoken at this port; one that cannot be read says nothing."""
    with suppress(DriverError):
        return answer.status_code == 400 and wants_tls(read(answer, _LONGEST_REFUSAL))
    return False


def _without_login(url: str) -> tuple[str, dict[str, str]]:
    """Return the URL without user and password, and the header that carries them instead."""
    parts = urlsplit(url)
    if parts.username is None:
        return url, {}
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    return urlunsplit(bare), {"Authorization": f"Basic {b64encode(login.encode()).decode()}"}


def _as_it_is(request: PreparedRequest) -> PreparedRequest:
    """Keep the Authorization that is there: without any ``auth``, requests puts that of ~/.netrc over it."""
    return request


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        return ""
