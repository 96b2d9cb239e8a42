"""Who is let in: keys, tokens, addresses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.integration.obs_sdk.bench import Bench, check, client
from tests.integration.sdk_checks import equal


def other(sdk: Bench, **changes: Any) -> Any:
    """A client that differs; one that negotiates would ask without a key first, and learn nothing."""
    return client(replace(sdk.setting, is_signature_negotiation=False, **changes))


def refused(sdk: Bench, stranger: Any, code: str) -> None:
    """Neither writing nor reading, listing nor deleting."""
    sdk.put("kept", b"kept")
    sdk.status(stranger.putContent(sdk.bucket, "a", content=b"a"), 403, code)
    sdk.status(stranger.getObject(sdk.bucket, "kept", loadStreamInMemory=True), 403, code)
    sdk.status(stranger.listObjects(sdk.bucket), 403, code)
    sdk.status(stranger.deleteObject(sdk.bucket, "kept"), 403, code)
    equal(stranger.headObject(sdk.bucket, "kept").status, 403, "status of headObject")
    equal((sdk.keys(), sdk.read("kept")), (["kept"], b"kept"), "keys, and what was read")


@check()
def another_secret_is_refused(sdk: Bench) -> None:
    refused(sdk, other(sdk, secret_access_key="not this one"), "SignatureDoesNotMatch")


@check()
def an_unknown_key_is_refused(sdk: Bench) -> None:
    refused(sdk, other(sdk, access_key_id="NOBODY"), "InvalidAccessKeyId")


@check()
def nobody_is_refused(sdk: Bench) -> None:
    refused(sdk, other(sdk, access_key_id="", secret_access_key="", security_token=None), "AccessDenied")


@check()
def path_style_is_refused_on_the_domain(sdk: Bench) -> None:
    """OBS allows it for addresses only."""
    if sdk.setting.path_style:
        sdk.status(sdk.client.listObjects(sdk.bucket), 200)
        return
    stranger = other(sdk, path_style=True, client_mode="workflow")
    sdk.status(stranger.listObjects(sdk.bucket), 403, "VirtualHostDomainRequired")
    sdk.status(stranger.putContent(sdk.bucket, "a", content=b"a"), 403, "VirtualHostDomainRequired")
    equal(sdk.keys(), [], "keys")
