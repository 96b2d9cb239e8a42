"""``storagekit config check`` for OBS: all is well, and each thing that can be wrong, by the installed command."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storagekit.testing.emulator import Account, Emulator, resolving_environment

pytestmark = pytest.mark.integration

KEYS = {"OBS_ACCESS_KEY_ID": "AK", "OBS_SECRET_ACCESS_KEY": "SK-of-the-checkup"}
ACCOUNTS: dict[str, str | Account] = {
    "AK": KEYS["OBS_SECRET_ACCESS_KEY"],
    "TEMPORARY": Account("TK-of-the-checkup", token="a-token"),
}

Run = Callable[..., tuple[int, str]]


def runner(emulator: Emulator, home: Path) -> Run:
    def run(*arguments: str, **others: str) -> tuple[int, str]:
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "OBS_SERVER": emulator.endpoint, **KEYS, **others}
        command = [sys.executable, "-m", "storagekit", *arguments]
        done = subprocess.run(
            command,
            env=resolving_environment("obs.test", environment),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator("obs", accounts=ACCOUNTS) as emulator:
        yield emulator


@pytest.fixture
def run(emulator: Emulator, tmp_path: Path) -> Run:
    run = runner(emulator, tmp_path)
    run("mb", "obs://datasets")
    return run


def test_where_all_is_well_each_step_says_so_and_nothing_is_left(run: Run) -> None:
    code, said = run("config", "check", "obs://datasets")
    assert (0, "all is well") == (code, said.strip().splitlines()[-1])
    assert "OBS answers" in said
    assert (0, "") == run("ls", "-r", "obs://datasets")


@pytest.mark.parametrize(
    ("wrong", "code", "sentence"),
    [
        ({"OBS_SECRET_ACCESS_KEY": "of-another-account"}, 4, "the secret key does not fit the access key"),
        ({"OBS_ACCESS_KEY_ID": "unknown"}, 4, "failed      credentials"),
        (
            {"OBS_ACCESS_KEY_ID": "TEMPORARY", "OBS_SECRET_ACCESS_KEY": "TK-of-the-checkup"},
            4,
            "failed      credentials",
        ),
        ({"OBS_SERVER": "https://{address}"}, 2, "speaks plain HTTP at obs.test"),
        ({"OBS_SERVER": "http://nowhere.invalid:{port}"}, 5, "failed      name"),
    ],
    ids=["secret key", "access key", "no token", "TLS where there is none", "name"],
)
def test_what_is_wrong_is_named(run: Run, emulator: Emulator, wrong: dict[str, str], code: int, sentence: str) -> None:
    place = {"address": f"obs.test:{emulator.port}", "port": emulator.port}
    found, said = run("config", "check", "obs://datasets", **{k: v.format(**place) for k, v in wrong.items()})
    assert (code, True) == (found, sentence in said), said


def test_temporary_keys_are_taken_with_their_token(run: Run) -> None:
    keys = {"OBS_ACCESS_KEY_ID": "TEMPORARY", "OBS_SECRET_ACCESS_KEY": "TK-of-the-checkup"}
    assert 0 == run("config", "check", "obs://datasets", **keys, OBS_SECURITY_TOKEN="a-token")[0]


def test_a_bucket_that_is_not_there(run: Run) -> None:
    code, said = run("config", "check", "obs://no-such-bucket")
    assert (3, True) == (code, "there is no bucket obs://no-such-bucket" in said)


def test_a_clock_that_is_wrong_by_an_hour(tmp_path: Path) -> None:
    with Emulator("obs", accounts=ACCOUNTS, clock=lambda: time.time() + 3630) as emulator:
        code, said = runner(emulator, tmp_path)("config", "check", "obs://datasets")
    assert (4, True) == (code, "this machine's clock is 60 min behind" in said), said


def test_path_style_where_hosts_are_wanted(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f'[profiles.p]\nbackend = "obs"\nendpoint = "{emulator.endpoint}"\npath_style = true\n'
        'access_key = "AK"\nsecret_key = "SK-of-the-checkup"\n'
    )
    config.chmod(0o600)
    code, said = run("ls", "--profile", "p", "obs://datasets", STORAGEKIT_CONFIG=str(config), OBS_SERVER="")
    assert (2, True) == (code, "Leave path_style out" in said), said
