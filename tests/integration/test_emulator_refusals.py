"""What the emulator refuses: each single changed byte of each signed element, and everything else that OBS refuses.

Requests are signed by `obs_signing`, which shares no line with the emulator, and go over a real socket. After the
changed ones everything is still as it was; then the request as it was signed is sent, and has to be accepted: so it was
the change that was refused. The clock is the test's.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from string import ascii_letters, digits

import pytest

from tests.integration.emulator_world import GUEST, OWNER, World
from tests.integration.obs_changes import Changes, one_in_eight
from tests.integration.obs_signing import PREFIX, Dialect, signed, signed_url, signed_url_v4, signed_v4
from tests.integration.raw_requests import Request, rfc1123, wire, with_headers
from tests.integration.refusal_requests import DENIED, REQUESTS, URLS, WRONG, Verdicts, judge, put

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("settled")]
KIND = World


TIME = WRONG | {DENIED, (403, "RequestTimeTooSkewed")}
#: What OBS may say besides "the signature does not match", where it looks at something else first.
ALSO: dict[str, Verdicts] = {
    "method": WRONG | {(405, "MethodNotAllowed"), (501, "NotImplemented")},
    "scheme": frozenset({(400, "InvalidArgument"), DENIED}),
    "access key": frozenset({(403, "InvalidAccessKeyId")}),
    "parameter AccessKeyId": frozenset({(403, "InvalidAccessKeyId")}),
    "parameter AWSAccessKeyId": frozenset({(403, "InvalidAccessKeyId")}),
    "parameter Expires": TIME,
    "header date": TIME,
    "header x-obs-date": TIME,
    "header x-amz-date": TIME,
    "name of header date": TIME,
    "name of header x-obs-date": TIME,
    "name of header x-amz-date": TIME,
    "bucket": WRONG | {(400, "InvalidBucketName")},
    "path": WRONG | {(400, "InvalidBucketName")},  # which begins with the bucket in path style
    **{f"name of parameter {name}": frozenset({DENIED}) for name in ("AccessKeyId", "AWSAccessKeyId", "Signature")},
    "name of parameter Expires": frozenset({DENIED}),
    # V4
    "date": TIME,
    "region": WRONG | {DENIED},
    "service": frozenset({DENIED}),
    "terminator": frozenset({DENIED}),
    "signed headers": WRONG | {DENIED},
    "header x-amz-content-sha256": WRONG | {(400, "InvalidArgument"), (400, "XAmzContentSHA256Mismatch")},
    "name of header x-amz-content-sha256": WRONG | {DENIED},
    "name of header x-amz-security-token": WRONG | {DENIED},
    "name of header x-amz-copy-source": WRONG | {DENIED},
    "name of header x-amz-copy-source-range": WRONG | {DENIED},
    "name of header x-amz-meta-colour": WRONG | {DENIED},
    "name of header x-amz-acl": WRONG | {DENIED},
    "parameter X-Amz-Credential": WRONG | {DENIED, (403, "InvalidAccessKeyId")},
    "parameter X-Amz-Date": TIME,
    "parameter X-Amz-Expires": TIME,
    "parameter X-Amz-SignedHeaders": WRONG | {DENIED},
    "parameter X-Amz-Algorithm": frozenset({(400, "InvalidArgument"), DENIED}),
    **{
        f"name of parameter X-Amz-{name}": WRONG | {DENIED, (400, "InvalidArgument")}
        for name in ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")
    },
}


STYLES = pytest.mark.parametrize("path_style", [False, True], ids=["virtual host", "path"])
NAMES = pytest.mark.parametrize("name", REQUESTS)
DIALECTS = pytest.mark.parametrize("dialect", ["obs", "v2"])


@STYLES
@DIALECTS
@NAMES
def test_one_changed_byte_of_a_signed_request_is_refused(
    world: World, name: str, dialect: Dialect, path_style: bool
) -> None:
    request = replace(REQUESTS[name](world, PREFIX[dialect]), path_style=path_style)
    if f"{PREFIX[dialect]}date" not in request.headers:
        request = with_headers(request, {"Date": rfc1123(world.now)})
    account = GUEST if name in ("put", "delete") else OWNER
    sent = wire(signed(request, account, dialect), world.host(request))
    judge(world, sent, Changes(sent, request.bucket).v2(), ALSO)


@STYLES
@DIALECTS
@pytest.mark.parametrize("name", URLS)
def test_one_changed_byte_of_a_signed_url_is_refused(
    world: World, name: str, dialect: Dialect, path_style: bool
) -> None:
    request = replace(URLS[name](world, PREFIX[dialect]), path_style=path_style)
    account = GUEST if name in ("put", "delete") else OWNER
    sent = wire(signed_url(request, account, int(world.now) + 300, dialect), world.host(request))
    judge(world, sent, Changes(sent, request.bucket).v2(), ALSO)


@STYLES
@NAMES
def test_one_changed_byte_of_a_request_signed_by_v4_is_refused(world: World, name: str, path_style: bool) -> None:
    request = replace(REQUESTS[name](world, PREFIX["v4"]), path_style=path_style)
    account = GUEST if name in ("put", "delete") else OWNER
    host = world.host(request)
    sent = wire(signed_v4(request, account, world.now, host), host)
    judge(world, sent, Changes(sent, request.bucket).v4(), ALSO)


@STYLES
@pytest.mark.parametrize("name", URLS)
def test_one_changed_byte_of_a_url_signed_by_v4_is_refused(world: World, name: str, path_style: bool) -> None:
    request = replace(URLS[name](world, PREFIX["v4"]), path_style=path_style)
    account = GUEST if name in ("put", "delete") else OWNER
    host = world.host(request)
    sent = wire(signed_url_v4(request, account, world.now, host), host)
    judge(world, sent, Changes(sent, request.bucket).v4(), ALSO)


@pytest.mark.parametrize("way", ["header", "URL", "V4 header", "V4 URL"])
def test_a_byte_that_is_changed_to_any_other_is_refused(world: World, way: str) -> None:
    """In ways that break the form as well, so the code is not always that of a signature; 3,000 to 5,000 of them."""
    host = world.domain_host
    request = put(world, PREFIX["v4" if "V4" in way else "obs"])
    made: dict[str, Callable[[], Request]] = {
        "header": lambda: signed(with_headers(request, {"Date": rfc1123(world.now)}), GUEST),
        "URL": lambda: signed_url(request, GUEST, int(world.now) + 300),
        "V4 header": lambda: signed_v4(request, GUEST, world.now, host),
        "V4 URL": lambda: signed_url_v4(request, GUEST, world.now, host),
    }
    sent = wire(made[way](), host)
    found = Changes(sent, request.bucket, one_in_eight)
    before = world.everything()
    answers = [(change, world.send(change.sent)) for change in (found.v4() if "V4" in way else found.v2())]
    assert [(change.element, change.how) for change, answer in answers if answer.status not in (400, 403, 405)] == []
    assert [(change.element, change.how) for change, answer in answers if not answer.code] == []
    assert len(answers) > 2000
    assert world.everything() == before
    assert world.send(sent).status == 200


def test_a_signature_whose_spare_bits_differ_is_refused(world: World) -> None:
    """Twenty bytes leave two bits of base64's last letter unused: other letters decode to the same signature."""
    request = with_headers(put(world, PREFIX["obs"]), {"Date": rfc1123(world.now)})
    sent = wire(signed(request, OWNER), world.domain_host)
    before = world.everything()
    right = sent.header("authorization")
    same = [right[:-2] + letter + "=" for letter in ascii_letters + digits + "+/" if letter != right[-2]]
    decoded = [b64decode(value.rpartition(":")[2]) == b64decode(right.rpartition(":")[2]) for value in same]
    assert decoded.count(True) == 3
    for value in (*same, right[:-1], f"{right}=", right.replace(":", ": "), f"{right} "[:-2]):
        assert world.send(sent.with_header("authorization", value)).status in (400, 403), value
    assert world.everything() == before
