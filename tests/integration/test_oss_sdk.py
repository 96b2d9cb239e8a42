"""The vendor's two SDKs, unmodified, against the emulator: every call of theirs that storagekit covers, in every way.

Each combination of a Python, an SDK and a way to talk is a process of its own, in an environment of its own, which
runs `tests/integration/oss_sdk`; a test names every check that failed in one. Which Pythons there are is in the
summary's line "interpreters for the vendors' SDKs".
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storagekit.testing.emulator import Settings
from tests.integration.sdk_environments import PYTHONS, asked, current, environment_or_not
from tests.integration.sdk_servers import GUEST, OWNER, SECRETS, TOKEN, Servers, both

pytestmark = [
    pytest.mark.integration,
    pytest.mark.shows_secrets("the vendor's own: it logs what it signs at DEBUG", only="the log of oss2"),
]
DOMAIN, OWN_DOMAINS = "oss.test", "customers.test"
REGION = "cn-hangzhou"
SDKS = {"oss2": "2.19.1", "alibabacloud-oss-v2": "1.4.1"}
"""Newest versions. Neither has an older one that talks otherwise: oss2's V4 is of 2.18, and v2 began with 1.0."""

#: How the SDKs talk, as `bench.Setting` has it.
WAYS: dict[str, dict[str, Any]] = {
    "v4": {"thorough": True},
    "v4 by address": {"path_style": True},
    "v4 token tls": {"access_key": GUEST, "tls": True},
    "v4 cname": {"cname": True},
    "v1": {"version": "v1"},
    "v1 by address tls": {"version": "v1", "path_style": True, "tls": True},
    "v1 token": {"version": "v1", "access_key": GUEST},
    "v1 cname": {"version": "v1", "cname": True},
}


ON_EVERY_PYTHON = ("v4 token tls", "v1")
"""The others differ in addresses, which are no matter of Python's version; a process takes 4 s of CPU."""


def combinations() -> Iterator[tuple[str, str, str]]:
    """Both SDKs on every Python, and in every way on the one that runs the tests."""
    for python in dict.fromkeys((*PYTHONS, current().version)):
        for sdk in SDKS:
            for way in WAYS if python == current().version else ON_EVERY_PYTHON:
                yield python, sdk, way


def names(python: str, sdk: str, way: str) -> str:
    """Begins the names of a combination's buckets."""
    return f"{sdk[:4]}-{python.replace('.', '')}-{way.replace(' ', '')}"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    begin = [names(*one) for one in combinations() if WAYS[one[2]].get("cname")]
    buckets = [f"{name}-{number}" for name in begin for number in range(200)]
    cnames = {f"{bucket}.{OWN_DOMAINS}": bucket for bucket in buckets}
    settings = Settings(region=REGION, v4_region=REGION, cnames=cnames)
    with both("oss", DOMAIN, tmp_path_factory.mktemp("ca"), settings) as servers:
        yield servers


@pytest.mark.parametrize(("python", "sdk", "way"), list(combinations()))
def test_every_call_of_the_sdk_is_answered_as_oss_does(servers: Servers, python: str, sdk: str, way: str) -> None:
    program = environment_or_not(python, sdk, SDKS[sdk])
    order = {"domains": [DOMAIN, OWN_DOMAINS], "setting": setting(servers, python, sdk, way)}
    *checks, summary = asked("tests.integration.oss_sdk", order, program)
    assert [line for line in checks if line["problem"]] == []
    assert (summary["ran"], summary["failed"], summary["not_in_this_version"]) == (len(checks), 0, [])
    assert (summary["sdk"], summary["python"].rpartition(".")[0]) == (SDKS[sdk], python)
    assert len(checks) > 100


def setting(servers: Servers, python: str, sdk: str, way: str) -> dict[str, Any]:
    """As `bench.Setting` has it."""
    own = dict(WAYS[way])
    tls, key = own.pop("tls", False), own.setdefault("access_key", OWNER)
    server = servers.tls if tls else servers.plain
    if own.get("cname"):
        own["cname"] = f"{server.scheme}://*.{OWN_DOMAINS}:{server.port}"
    return {
        "sdk": sdk,
        "endpoint": server.address if own.get("path_style") else server.endpoint,
        "names": names(python, sdk, way),
        "secret_key": SECRETS[key],
        "token": TOKEN if key == GUEST else None,
        "ca_file": servers.ca_file if tls else "",
        **own,
    }


def test_the_checks_find_what_a_laxer_service_does_wrong(tmp_path: Path) -> None:
    """They can fail: here anybody may read, and every region will do for a signature; that alone is found."""
    public = [f"{names(current().version, 'oss2', 'v4')}-{number}" for number in range(200)]
    with both("oss", DOMAIN, tmp_path, Settings(region=REGION, public_buckets=public)) as servers:
        program = environment_or_not(current().version, "oss2", SDKS["oss2"])
        order = {"domains": [DOMAIN], "setting": setting(servers, current().version, "oss2", "v4")}
        *checks, summary = asked("tests.integration.oss_sdk", order, program)
    assert {line["check"] for line in checks if line["problem"]} == {
        "buckets.a_bucket_says_what_and_where_it_is",
        "refusals.nobody_is_refused",
        "refusals.a_signature_for_another_region_is_refused",
    }
    assert summary["failed"] == 3
