"""One request as a value: what was asked, without the body and without a socket.

Everything that is decided from a request (address, signature, conditions, route) is a function of this.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_plus


@dataclass(frozen=True)
class Request:
    """``path`` is as it was sent, percent-encoded; names and values of ``query`` are decoded.

    The value of a parameter that was sent without ``=`` is empty. Names in ``headers`` are lower-case, their values
    without the blanks around them.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()

    def header(self, name: str) -> str | None:
        """Return a header's value, several of the name joined with commas, or None where there is none."""
        values = [value for one, value in self.headers if one == name]
        return ",".join(values) if values else None

    def param(self, name: str) -> str | None:
        """Return the first value of a parameter, or None where there is none."""
        return next((value for one, value in self.query if one == name), None)

    def prefixed(self, prefix: str) -> dict[str, str]:
        """Return the headers that begin so, sorted by name; several of one name joined with commas."""
        names = sorted({name for name, _ in self.headers if name.startswith(prefix)})
        return {name: self.header(name) or "" for name in names}


def parse_request(method: str, target: str, headers: Iterable[tuple[str, str]]) -> Request:
    """Return the request of a request line and its headers, which are Latin-1 as ``http.client`` reads them."""
    path, _, query = _origin_form(target).partition("?")
    pairs = (piece.partition("=") for piece in query.split("&") if piece)
    return Request(
        method,
        path or "/",
        tuple((_decoded(name), _decoded(value)) for name, _, value in pairs),
        tuple((name.lower(), _utf8(value).strip(" \t")) for name, value in headers),
    )


def _origin_form(target: str) -> str:
    """Return path and query, also of the whole URL that is sent to a proxy."""
    scheme, colon, rest = target.partition("://")
    if colon and scheme.lower() in ("http", "https"):
        return "/" + rest.partition("/")[2]
    return target


def _decoded(text: str) -> str:
    return unquote_plus(text, errors="surrogateescape")


def _utf8(text: str) -> str:
    return text.encode("latin-1", "replace").decode("utf-8", "surrogateescape")
