"""What the OSS emulator refuses: each single changed byte of each signed element.

As `test_emulator_refusals` has it for OBS: requests are signed by `oss_signing`, which shares no line with the
emulator, and go over a real socket; after the changed ones everything is still as it was, and the one that was signed
is accepted.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from string import ascii_letters, digits

import pytest

from tests.integration.emulator_world import GUEST, OWNER, World
from tests.integration.obs_changes import one_in_eight
from tests.integration.oss_signing import PREFIX, signed, signed_url, signed_url_v4, signed_v4
from tests.integration.oss_world import OssChanges, OssWorld
from tests.integration.raw_requests import Request, Wire, rfc1123, wire, with_headers
from tests.integration.refusal_requests import DENIED, REQUESTS, URLS, WRONG, Verdicts, judge, put

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("settled")]
KIND = OssWorld


BAD_ARGUMENT = (400, "InvalidArgument")
TIME: Verdicts = WRONG | {DENIED, (403, "RequestTimeTooSkewed")}
UNKNOWN_KEY: Verdicts = frozenset({(403, "InvalidAccessKeyId")})
#: What OSS may say besides "the signature does not match", where it looks at something else first.
ALSO: dict[str, Verdicts] = {
    "method": WRONG | {(405, "MethodNotAllowed"), (501, "NotImplemented")},
    "scheme": frozenset({BAD_ARGUMENT}),
    "access key": UNKNOWN_KEY,
    "parameter OSSAccessKeyId": UNKNOWN_KEY,
    "parameter Expires": TIME,
    "header date": TIME,
    "header x-oss-date": TIME,
    "name of header date": TIME,
    "name of header x-oss-date": TIME,
    "bucket": WRONG | {(400, "InvalidBucketName")},
    "path": WRONG | {(400, "InvalidBucketName")},  # which begins with the bucket in path style
    "name of parameter OSSAccessKeyId": frozenset({DENIED}),
    "name of parameter Expires": frozenset({DENIED}),
    "name of parameter Signature": frozenset({DENIED}),
    # V4
    "date": WRONG | {BAD_ARGUMENT},
    "region": WRONG | {BAD_ARGUMENT},
    "service": frozenset({BAD_ARGUMENT}),
    "terminator": frozenset({BAD_ARGUMENT}),
    "additional headers": WRONG | {BAD_ARGUMENT},
    "header x-oss-content-sha256": frozenset({BAD_ARGUMENT}),
    "name of header x-oss-content-sha256": WRONG | {BAD_ARGUMENT},
    "parameter x-oss-credential": WRONG | UNKNOWN_KEY | {BAD_ARGUMENT},
    "parameter x-oss-date": TIME | {BAD_ARGUMENT},
    "parameter x-oss-expires": TIME,
    "parameter x-oss-additional-headers": WRONG | {BAD_ARGUMENT},
    "parameter x-oss-signature-version": frozenset({BAD_ARGUMENT}),
    "name of parameter x-oss-additional-headers": WRONG,
    **{
        f"name of parameter x-oss-{name}": frozenset({DENIED})
        for name in ("credential", "date", "expires", "signature", "signature-version")
    },
}
STYLES = pytest.mark.parametrize("path_style", [False, True], ids=["virtual host", "path"])
FURTHER = {"Cache-Control": "no-cache", "x-Own": "Some value"}
NAMED = ("cache-control", "x-own")


def made(world: World, name: str, path_style: bool) -> Request:
    return replace(REQUESTS[name](world, PREFIX), path_style=path_style)


@STYLES
@pytest.mark.parametrize("name", REQUESTS)
def test_one_changed_byte_of_a_signed_request_is_refused(world: World, name: str, path_style: bool) -> None:
    request = made(world, name, path_style)
    if f"{PREFIX}date" not in request.headers:
        request = with_headers(request, {"Date": rfc1123(world.now)})
    sent = wire(signed(request, GUEST if name in ("put", "delete") else OWNER), world.host(request))
    judge(world, sent, OssChanges(sent, request.bucket).v1(), ALSO)


@STYLES
@pytest.mark.parametrize("name", URLS)
def test_one_changed_byte_of_a_signed_url_is_refused(world: World, name: str, path_style: bool) -> None:
    request = made(world, name, path_style)
    user = GUEST if name in ("put", "delete") else OWNER
    sent = wire(signed_url(request, user, int(world.now) + 300), world.host(request))
    judge(world, sent, OssChanges(sent, request.bucket).v1(), ALSO)


@STYLES
@pytest.mark.parametrize("name", [name for name in REQUESTS if name != "put_with_own_date"])
def test_one_changed_byte_of_a_request_signed_by_v4_is_refused(world: World, name: str, path_style: bool) -> None:
    request = made(world, name, path_style)
    user, also = (GUEST, NAMED) if name in ("put", "delete") else (OWNER, ())
    request = with_headers(request, FURTHER if also else {})
    sent = wire(signed_v4(request, user, world.now, also), world.host(request))
    judge(world, sent, OssChanges(sent, request.bucket).v4(), ALSO)


@STYLES
@pytest.mark.parametrize("name", URLS)
def test_one_changed_byte_of_a_url_signed_by_v4_is_refused(world: World, name: str, path_style: bool) -> None:
    request = made(world, name, path_style)
    user, also = (GUEST, NAMED) if name in ("put", "delete") else (OWNER, ())
    request = with_headers(request, FURTHER if also else {})
    sent = wire(signed_url_v4(request, user, world.now, also=also), world.host(request))
    judge(world, sent, OssChanges(sent, request.bucket).v4(), ALSO)


@pytest.mark.parametrize("way", ["header", "URL", "V4 header", "V4 URL"])
def test_a_byte_that_is_changed_to_any_other_is_refused(world: World, way: str) -> None:
    """In ways that break the form as well, so the code is not always that of a signature; 3,000 to 5,000 of them."""
    request = put(world, PREFIX)
    ways: dict[str, Callable[[], Request]] = {
        "header": lambda: signed(with_headers(request, {"Date": rfc1123(world.now)}), GUEST),
        "URL": lambda: signed_url(request, GUEST, int(world.now) + 300),
        "V4 header": lambda: signed_v4(with_headers(request, FURTHER), GUEST, world.now, NAMED),
        "V4 URL": lambda: signed_url_v4(with_headers(request, FURTHER), GUEST, world.now, also=NAMED),
    }
    sent = wire(ways[way](), world.domain_host)
    found = OssChanges(sent, request.bucket, one_in_eight)
    before = world.everything()
    answers = [(change, world.send(change.sent)) for change in (found.v4() if "V4" in way else found.v1())]
    assert [(change.element, change.how) for change, answer in answers if answer.status not in (400, 403, 405)] == []
    assert [(change.element, change.how) for change, answer in answers if not answer.code] == []
    assert len(answers) > 2000
    assert world.everything() == before
    assert world.send(sent).status == 200


def test_a_signature_whose_spare_bits_differ_is_refused(world: World) -> None:
    """Twenty bytes leave two bits of base64's last letter unused: other letters decode to the same signature."""
    sent: Wire = wire(signed(with_headers(put(world, PREFIX), {"Date": rfc1123(world.now)}), OWNER), world.domain_host)
    before = world.everything()
    right = sent.header("authorization")
    same = [right[:-2] + letter + "=" for letter in ascii_letters + digits + "+/" if letter != right[-2]]
    decoded = [b64decode(value.rpartition(":")[2]) == b64decode(right.rpartition(":")[2]) for value in same]
    assert decoded.count(True) == 3
    for value in (*same, right[:-1], f"{right}=", right.replace(":", ": "), f"{right} "[:-2]):
        assert world.send(sent.with_header("authorization", value)).status in (400, 403), value
    assert world.everything() == before
