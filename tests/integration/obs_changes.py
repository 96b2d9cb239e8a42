"""Every way to change one byte of a signed request, by the signed element that it is in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.integration.obs_signing import SUB_RESOURCES, Wire

#: Headers that OBS's own signature and V2 cover besides `x-obs-` and `x-amz-`; V4 says itself what it covers.
ALWAYS_SIGNED = frozenset({"content-md5", "content-type", "date"})
#: What a signed URL adds to the query.
PROOF = frozenset({"AccessKeyId", "AWSAccessKeyId", "Expires", "Signature"})


@dataclass(frozen=True)
class Change:
    """`element` names what was changed: `method`, `header date`, `name of header x-obs-acl`, `signature`..."""

    element: str
    sent: Wire
    how: str


def changes(sent: Wire, bucket: str) -> Iterator[Change]:
    """Of a request that is signed by OBS's own signature or V2."""
    yield from of_address(sent, bucket)
    for index, (name, _) in enumerate(sent.query):
        if name in SUB_RESOURCES or name in PROOF:
            yield from of_parameter(sent, index)
    for index, (name, value) in enumerate(sent.headers):
        if name.lower() == "authorization":
            scheme, access_key, signature = value.replace(":", " ").split(" ")
            for element, text in (("scheme", scheme), ("access key", access_key), ("signature", signature)):
                yield from in_header(sent, index, element, text)
        elif name.lower() in ALWAYS_SIGNED or name.startswith(("x-obs-", "x-amz-")):
            yield from of_header(sent, index)


def changes_v4(sent: Wire, bucket: str) -> Iterator[Change]:
    """Of a request that is signed by V4, in a header or in its URL: the whole query, and the headers that it lists."""
    yield from of_address(sent, bucket)
    for index in range(len(sent.query)):
        yield from of_parameter(sent, index)
    listed = signed_headers(sent)
    for index, (name, value) in enumerate(sent.headers):
        if name.lower() == "authorization":
            scheme, credential, names, signature = value.replace(",", "").split(" ")
            parts = credential.partition("=")[2].split("/")
            pieces = dict(zip(("access key", "date", "region", "service", "terminator"), parts, strict=True))
            pieces |= {"scheme": scheme, "signed headers": names.partition("=")[2]}
            pieces |= {"signature": signature.partition("=")[2]}
            for element, text in pieces.items():
                yield from in_header(sent, index, element, text)
        elif name.lower() in listed and name.lower() != "host":  # the host is an address
            yield from of_header(sent, index)


def signed_headers(sent: Wire) -> set[str]:
    in_url = dict(sent.query).get("X-Amz-SignedHeaders") or ""
    in_header = sent.header("authorization").partition("SignedHeaders=")[2].partition(",")[0]
    return set((in_header or in_url.replace("%3B", ";")).split(";"))


def of_address(sent: Wire, bucket: str) -> Iterator[Change]:
    """Method, path, and the bucket in the host."""
    for changed in texts(sent.method):
        yield Change("method", replace(sent, method=changed), changed)
    for changed in texts(sent.path[1:]):
        yield Change("path", replace(sent, path=f"/{changed}"), changed)
    host = sent.header("host")
    if host.startswith(f"{bucket}."):
        for changed in texts(bucket, case=False):  # host names have none
            yield Change("bucket", sent.with_header("host", host.replace(bucket, changed, 1)), changed)


def of_parameter(sent: Wire, index: int) -> Iterator[Change]:
    name, value = sent.query[index]
    for changed in texts(name):
        yield Change(f"name of parameter {name}", with_parameter(sent, index, changed, value), changed)
    for changed in texts(value or "", keep="%"):
        yield Change(f"parameter {name}", with_parameter(sent, index, name, changed), changed)


def with_parameter(sent: Wire, index: int, name: str, value: str | None) -> Wire:
    return replace(sent, query=(*sent.query[:index], (name, value), *sent.query[index + 1 :]))


def of_header(sent: Wire, index: int) -> Iterator[Change]:
    name, value = sent.headers[index]
    for changed in texts(name, case=False):  # nor have names of headers
        yield Change(f"name of header {name.lower()}", with_pair(sent, index, changed, value), changed)
    for changed in texts(value):
        yield Change(f"header {name.lower()}", with_pair(sent, index, name, changed), changed)


def in_header(sent: Wire, index: int, element: str, text: str) -> Iterator[Change]:
    """Change `text` where it stands in the header's value."""
    name, value = sent.headers[index]
    assert text in value
    for changed in texts(text):
        yield Change(element, with_pair(sent, index, name, value.replace(text, changed, 1)), changed)


def with_pair(sent: Wire, index: int, name: str, value: str) -> Wire:
    return replace(sent, headers=(*sent.headers[:index], (name, value), *sent.headers[index + 1 :]))


def texts(text: str, *, case: bool = True, keep: str = "") -> Iterator[str]:
    """`text` with each byte changed, the last one left out, and one added."""
    for index, char in enumerate(text):
        if char in keep:
            continue
        for other in others(char, case=case and text[max(0, index - 2) : index].find("%") < 0):
            yield text[:index] + other + text[index + 1 :]
    if len(text) > 1:
        yield text[:-1]
    if text:
        yield text + "0"


def others(char: str, *, case: bool) -> Iterator[str]:
    """A neighbour of the same kind, so that what is sent is still HTTP; the other case, where that counts."""
    if char.isdigit():
        yield str((int(char) + 1) % 10)
    elif char.isalpha():
        first = "a" if char.islower() else "A"
        yield chr((ord(char) - ord(first) + 1) % 26 + ord(first))
        if case:
            yield char.swapcase()
    else:
        yield "x"
