"""The unmodified vendor SDK against the emulator: every call of it that storagekit covers, in every way it can talk.

Each combination of a Python, a version of the SDK and a way to talk is a process of its own, in an environment of its
own, which runs `tests/integration/obs_sdk`; a test names every check that failed in one. Which Pythons there are is in
the summary's line "interpreters for the vendors' SDKs".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from storagekit.testing.servers import S3Server
from tests.integration.sdk_checks import numbers
from tests.integration.sdk_environments import PYTHONS, asked, current, environment_or_not, interpreters_line
from tests.integration.sdk_servers import GUEST, OWNER, SECRETS, TOKEN, Servers, both

pytestmark = pytest.mark.integration
SDKS = ("3.26.6", "3.21.8")
"""The newest, and the one that every older program has: 2021, as old as the `huaweicloud-sdk-python-obs` on PyPI."""

DOMAIN = "obs.test"

#: How the SDK talks: its own arguments. What is not said is as it is by default here (`bench.Setting`).
WAYS: dict[str, dict[str, Any]] = {
    "obs": {"thorough": True},
    "obs negotiated": {"is_signature_negotiation": True},
    "obs path": {"path_style": True, "client_mode": "workflow"},
    "obs token": {"access_key_id": GUEST, "security_token": TOKEN},
    "obs tls": {"tls": True},
    "obs kept connections": {"long_conn_mode": True},
    "obs requests": {"long_conn_mode": True, "use_http_conns": True},
    "v2": {"signature": "v2"},
    "v2 path": {"signature": "v2", "path_style": True},
    "v2 token": {"signature": "v2", "access_key_id": GUEST, "security_token": TOKEN},
    "v4": {"signature": "v4"},
    "v4 path tls": {"signature": "v4", "path_style": True, "tls": True},
    "v4 token": {"signature": "v4", "access_key_id": GUEST, "security_token": TOKEN},
}
SINCE = {"obs requests": (3, 25, 3)}
"""The SDK's version that an argument came with."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with both("obs", DOMAIN, tmp_path_factory.mktemp("ca")) as servers:
        yield servers


def combinations() -> Iterator[tuple[str, str, str]]:
    """Every SDK on every Python in every way; the Python that runs the tests has the newest SDK if it is another."""
    pairs = [(python, sdk) for python in PYTHONS for sdk in SDKS]
    pairs += [(current().version, SDKS[0])] * (current().version not in PYTHONS)
    for python, sdk in pairs:
        for way in WAYS:
            if SINCE.get(way, ()) <= numbers(sdk):
                yield python, sdk, way


@pytest.mark.parametrize(("python", "sdk", "way"), list(combinations()))
def test_every_call_of_the_sdk_is_answered_as_obs_does(servers: Servers, python: str, sdk: str, way: str) -> None:
    lines = run(servers, python, sdk, WAYS[way])
    *checks, summary = lines
    if not talks_tls(python, sdk) and WAYS[way].get("tls"):
        assert {line["problem"].partition(":")[0] for line in checks} == {"TypeError"}  # before a byte is sent
        return
    assert [line for line in checks if line["problem"]] == []
    assert (summary["ran"], summary["failed"]) == (len(checks), 0)
    assert (summary["sdk"], summary["python"].rpartition(".")[0]) == (sdk, python)
    assert len(checks) > 100
    missing = ["crc64" in name for name in summary["not_in_this_version"]]
    assert missing == [True] * (0 if sdk == SDKS[0] else 7)


#: What moto is known to let through, from every kind: docs/reference/servers.md.
LAX = {
    "refusals.another_secret_is_refused",
    "refusals.nobody_is_refused",
    "objects.another_body_s_md5_is_refused_and_nothing_stored",
    "uploads.pages_of_uploads_hold_every_upload_once",
    "uploads.of_two_uploads_the_later_begun_wins",
    "copies.conditions_that_do_not_hold_refuse_it",
    "listing.pages_of_folded_keys_hold_everything_once",
    "urls.an_expired_url_is_refused",
}


def test_the_checks_find_what_another_server_does_wrong(moto: S3Server) -> None:
    """They can fail: moto, which the SDK takes for an OBS that speaks V2, verifies nothing."""
    keys = {"access_key_id": moto.access_key, "secret_access_key": moto.secret_key}
    *checks, summary = ask({**keys, "server": moto.endpoint, "signature": "v2"}, current().version, SDKS[0])
    wrong = {line["check"] for line in checks if line["problem"]}
    assert wrong >= LAX
    assert summary["failed"] == len(wrong) < len(checks) / 2


def talks_tls(python: str, sdk: str) -> bool:
    """SDKs before 3.24.3 pass an argument to http.client that Python 3.12 took away, and catch nothing."""
    return numbers(sdk) >= (3, 24, 3) or numbers(python) < (3, 12)


def run(servers: Servers, python: str, sdk: str, way: dict[str, Any]) -> list[dict[str, Any]]:
    """What the SDK's process printed."""
    setting = {name: value for name, value in way.items() if name != "tls"}
    server = servers.tls if way.get("tls") else servers.plain
    key = setting.setdefault("access_key_id", OWNER)
    setting |= {
        "secret_access_key": SECRETS[key],
        "server": server.address if way.get("path_style") else server.endpoint,
    }
    if way.get("tls"):
        setting["ssl_verify"] = servers.ca_file
    return ask(setting, python, sdk)


def ask(setting: dict[str, Any], python: str, sdk: str) -> list[dict[str, Any]]:
    program = environment_or_not(python, "esdk-obs-python", sdk)
    return asked("tests.integration.obs_sdk", {"domain": DOMAIN, "setting": setting}, program)


def test_a_python_that_is_not_there_is_skipped_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.integration.sdk_environments.PYTHONS", (current().version, "3.99"))
    said = f"interpreters for the vendors' SDKs: {current().version} (runs the tests); 3.99 not used: no python3.99 on"
    assert interpreters_line().startswith(said)
    with pytest.raises(pytest.skip.Exception, match=r"no python3\.99 on PATH"):
        environment_or_not("3.99", "esdk-obs-python", SDKS[0])
