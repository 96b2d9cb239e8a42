"""The unmodified vendor SDK against the emulator: every call of it that storagekit covers, in every way it can talk.

Each combination of a Python, a version of the SDK and a way to talk is a process of its own, in an environment of its
own, which runs `tests/integration/obs_sdk`; a test names every check that failed in one. Which Pythons there are is in
the summary's line "interpreters for the OBS SDK".
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from storagekit.testing.emulator import Account, Emulator
from storagekit.testing.servers import Unavailable
from storagekit.testing.tls import Authority
from tests.integration.obs_sdk_environments import PYTHONS, SDKS, current, environment, interpreter

pytestmark = pytest.mark.integration
ROOT = Path(__file__).resolve().parents[2]
DOMAIN = "obs.test"
OWNER, GUEST = "OWNERKEY000000000001", "GUESTKEY000000000001"
SECRETS = {OWNER: secrets.token_hex(20), GUEST: secrets.token_hex(20)}
TOKEN = f"{secrets.token_urlsafe(40)}+/="

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


@dataclass(frozen=True)
class Servers:
    """Both of one kind; `ca_file` is the authority of the one that speaks TLS."""

    plain: Emulator
    tls: Emulator
    ca_file: str


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    accounts = {OWNER: SECRETS[OWNER], GUEST: Account(SECRETS[GUEST], token=TOKEN)}
    authority = Authority()
    certificate = authority.issue(DOMAIN, f"*.{DOMAIN}", "127.0.0.1").context()
    ca_file = authority.write(tmp_path_factory.mktemp("ca") / "ca.pem")
    with (
        Emulator("obs", accounts=accounts, domain=DOMAIN) as plain,
        Emulator("obs", accounts=accounts, domain=DOMAIN, tls=certificate) as tls,
    ):
        yield Servers(plain, tls, ca_file)


def combinations() -> Iterator[tuple[str, str, str]]:
    """Every SDK on every Python in every way; the Python that runs the tests has the newest SDK if it is another."""
    pairs = [(python, sdk) for python in PYTHONS for sdk in SDKS]
    pairs += [(current().version, SDKS[0])] * (current().version not in PYTHONS)
    for python, sdk in pairs:
        for way in WAYS:
            if SINCE.get(way, ()) <= tuple(map(int, sdk.split("."))):
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
    assert missing == [True] * (0 if sdk == SDKS[0] else 6)


def talks_tls(python: str, sdk: str) -> bool:
    """SDKs before 3.24.3 pass an argument to http.client that Python 3.12 took away, and catch nothing."""
    return tuple(map(int, sdk.split("."))) >= (3, 24, 3) or tuple(map(int, python.split("."))) < (3, 12)


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
    ran = subprocess.run(
        [environment_or_not(python, sdk), "-m", "tests.integration.obs_sdk"],
        input=json.dumps({"domain": DOMAIN, "setting": setting}),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TZ": "Asia/Shanghai"},  # the SDK turns times into local ones
    )
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def environment_or_not(python: str, sdk: str) -> Path:
    """A Python that is not there is a reason to skip on somebody's own machine, and a failure in CI."""
    try:
        return environment(interpreter(python), sdk)
    except Unavailable as error:
        if os.environ.get("CI"):
            pytest.fail(f"{error}", pytrace=False)
        pytest.skip(f"{error}")
