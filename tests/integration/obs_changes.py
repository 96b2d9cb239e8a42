"""Every way to change one byte of a signed request, by the signed element that it is in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tests.integration.obs_signing import SUB_RESOURCES
from tests.integration.raw_requests import Wire

#: Headers that OBS's own signature and V2 cover besides `x-obs-` and `x-amz-`; V4 says itself what it covers.
ALWAYS_SIGNED = frozenset({"content-md5", "content-type", "date"})
#: What a signed URL adds to the query.
PROOF = frozenset({"AccessKeyId", "AWSAccessKeyId", "Expires", "Signature"})

Others = Callable[[str, int], Iterator[str]]
"""What a byte is changed to, from the byte and its place in the text."""


@dataclass(frozen=True)
class Change:
    """`element` names what was changed: `method`, `header date`, `name of header x-obs-acl`, `signature`..."""

    element: str
    sent: Wire
    how: str


def neighbours(char: str, at: int) -> Iterator[str]:
    """A byte of the same kind, so that what is sent is still what it was in form; and the other case."""
    if char.isdigit():
        yield str((int(char) + 1) % 10)
    elif char.isalpha():
        first = "a" if char.islower() else "A"
        yield chr((ord(char) - ord(first) + 1) % 26 + ord(first))
        yield char.swapcase()
    else:
        yield "x"


def one_in_eight(char: str, at: int) -> Iterator[str]:
    """Of all that ASCII can print, another eighth at each place: whatever it does to the form."""
    yield from (chr(code) for code in range(33 + at * 3 % 8, 127, 8) if chr(code) != char)


@dataclass(frozen=True)
class Changes:
    """Of a request that was accepted as it was signed: `sent`, about `bucket`."""

    sent: Wire
    bucket: str
    others: Others = neighbours
    parameters: frozenset[str] = SUB_RESOURCES | PROOF
    prefixes: tuple[str, ...] = ("x-obs-", "x-amz-")

    def v2(self) -> Iterator[Change]:
        """Of one signed by OBS's own signature or V2."""
        yield from self._of_address()
        for index, (name, _) in enumerate(self.sent.query):
            if name in self.parameters:
                yield from self._of_parameter(index)
        for index, (name, value) in enumerate(self.sent.headers):
            if name.lower() == "authorization":
                scheme, access_key, signature = value.replace(":", " ").split(" ")
                for element, text in (("scheme", scheme), ("access key", access_key), ("signature", signature)):
                    yield from self._in_header(index, element, text)
            elif name.lower() in ALWAYS_SIGNED or name.startswith(self.prefixes):
                yield from self._of_header(index)

    def v4(self) -> Iterator[Change]:
        """Of one signed by V4, in a header or in its URL: the whole query, and the headers that it lists."""
        yield from self._of_address()
        for index in range(len(self.sent.query)):
            yield from self._of_parameter(index)
        listed = self.listed()
        for index, (name, value) in enumerate(self.sent.headers):
            if name.lower() == "authorization":
                for element, text in self.pieces(value).items():
                    yield from self._in_header(index, element, text)
            elif name.lower() in listed and name.lower() != "host":  # the host is an address
                yield from self._of_header(index)

    def listed(self) -> set[str]:
        """Headers that V4 signs."""
        return signed_headers(self.sent)

    def pieces(self, authorization: str) -> dict[str, str]:
        """The header's pieces by what they are, in V4."""
        return v4_pieces(authorization)

    def _of_address(self) -> Iterator[Change]:
        """Method, path, and the bucket in the host."""
        for changed in self._texts(self.sent.method):
            yield Change("method", replace(self.sent, method=changed), changed)
        for changed in self._texts(self.sent.path[1:]):
            yield Change("path", replace(self.sent, path=f"/{changed}"), changed)
        host = self.sent.header("host")
        if host.startswith(f"{self.bucket}."):
            for changed in self._texts(self.bucket, case=False):  # host names have none
                yield Change("bucket", self.sent.with_header("host", host.replace(self.bucket, changed, 1)), changed)

    def _of_parameter(self, index: int) -> Iterator[Change]:
        name, value = self.sent.query[index]
        for changed in self._texts(name):
            yield Change(f"name of parameter {name}", self._with_parameter(index, changed, value), changed)
        for changed in self._texts(value or ""):
            yield Change(f"parameter {name}", self._with_parameter(index, name, changed), changed)

    def _with_parameter(self, index: int, name: str, value: str | None) -> Wire:
        return replace(self.sent, query=(*self.sent.query[:index], (name, value), *self.sent.query[index + 1 :]))

    def _of_header(self, index: int) -> Iterator[Change]:
        name, value = self.sent.headers[index]
        for changed in self._texts(name, case=False):  # nor have names of headers
            yield Change(f"name of header {name.lower()}", self._with_pair(index, changed, value), changed)
        for changed in self._texts(value):
            yield Change(f"header {name.lower()}", self._with_pair(index, name, changed), changed)

    def _in_header(self, index: int, element: str, text: str) -> Iterator[Change]:
        """Change `text` where it stands in the header's value."""
        name, value = self.sent.headers[index]
        assert text in value
        for changed in self._texts(text):
            yield Change(element, self._with_pair(index, name, value.replace(text, changed, 1)), changed)

    def _with_pair(self, index: int, name: str, value: str) -> Wire:
        return replace(self.sent, headers=(*self.sent.headers[:index], (name, value), *self.sent.headers[index + 1 :]))

    def _texts(self, text: str, *, case: bool = True) -> Iterator[str]:
        """`text` with each byte changed, the last one left out, and one added."""
        for index, char in enumerate(text):
            escaped = "%" in text[max(0, index - 2) : index]  # %2f is %2F
            for other in self.others(char, index):
                if other != char.swapcase() or (case and not escaped):
                    yield text[:index] + other + text[index + 1 :]
        if len(text) > 1:
            yield text[:-1]
        if text:
            yield text + "0"


def signed_headers(sent: Wire) -> set[str]:
    """The names that V4 says it has signed."""
    in_url = dict(sent.query).get("X-Amz-SignedHeaders") or ""
    in_header = sent.header("authorization").partition("SignedHeaders=")[2].partition(",")[0]
    return set((in_header or in_url.replace("%3B", ";")).split(";"))


def v4_pieces(authorization: str) -> dict[str, str]:
    """The header's pieces by what they are."""
    scheme, credential, names, signature = authorization.replace(",", "").split(" ")
    parts = credential.partition("=")[2].split("/")
    pieces = dict(zip(("access key", "date", "region", "service", "terminator"), parts, strict=True))
    named = {"signed headers": names.partition("=")[2], "signature": signature.partition("=")[2]}
    return {"scheme": scheme, **pieces, **named}
