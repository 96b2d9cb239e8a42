"""Who is let in: keys, tokens, addresses, regions."""

from __future__ import annotations

from tests.integration.oss_sdk.bench import Bench, Sdk, check, refused
from tests.integration.sdk_checks import equal


def shut_out(bench: Bench, stranger: Sdk, code: str) -> None:
    """Neither writing nor reading, listing nor deleting."""
    bench.put("kept", b"kept")
    for call in (
        lambda: stranger.put(bench.bucket, "a", b"a"),
        lambda: stranger.get(bench.bucket, "kept"),
        lambda: stranger.head(bench.bucket, "kept"),
        lambda: stranger.list2(bench.bucket),
        lambda: stranger.delete(bench.bucket, "kept"),
        lambda: stranger.begin(bench.bucket, "a"),
    ):
        with refused(403, code):
            call()
    equal((bench.keys(), bench.read("kept")), (["kept"], b"kept"), "keys, and what was read")
    equal(bench.sdk.uploads(bench.bucket).ids, [], "uploads")


@check()
def another_secret_is_refused(bench: Bench) -> None:
    shut_out(bench, bench.other(secret_key="not this one"), "SignatureDoesNotMatch")


@check()
def an_unknown_key_is_refused(bench: Bench) -> None:
    shut_out(bench, bench.other(access_key="NOBODY"), "InvalidAccessKeyId")


@check()
def nobody_is_refused(bench: Bench) -> None:
    shut_out(bench, bench.other(access_key="", secret_key="", token=None), "AccessDenied")


@check()
def another_token_is_refused(bench: Bench) -> None:
    if bench.setting.token:
        shut_out(bench, bench.other(token=f"{bench.setting.token}x"), "InvalidSecurityToken")
        shut_out(bench, bench.other(token=None), "InvalidSecurityToken")


@check()
def path_style_is_refused_on_the_domain(bench: Bench) -> None:
    """OSS has virtual hosts only; the emulator takes paths where the host is an address."""
    if bench.setting.path_style:
        equal(bench.sdk.list1(bench.bucket).keys, [], "keys")
        return
    stranger = bench.other(path_style=True, cname="")
    for call in (lambda: stranger.list1(bench.bucket), lambda: stranger.put(bench.bucket, "a", b"a")):
        with refused(403, "SecondLevelDomainForbidden"):
            call()
    equal(bench.keys(), [], "keys")


@check()
def a_signature_for_another_region_is_refused(bench: Bench) -> None:
    if bench.setting.version == "v4":
        stranger = bench.other(region="cn-beijing")
        with refused(400, "InvalidArgument"):
            stranger.put(bench.bucket, "a", b"a")
        equal(bench.keys(), [], "keys")
