"""A whole upload through the command line, killed and taken up again."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sftp_server import sftp_server
from storagekit_sftp.driver import SftpDriver

from storagekit.types import Upload

MIB = 1 << 20
DATA = os.urandom(32 * MIB)
STORAGEKIT = [sys.executable, "-m", "storagekit"]
UPLOAD = [*STORAGEKIT, "cp", "--json", "--part-size", "1MiB", "big.bin", "sftp://data/raw/"]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    with sftp_server(tmp_path) as settings:
        for name, value in settings.items():
            monkeypatch.setenv(f"SFTP_{name.upper()}", value)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.chdir(tmp_path)
        yield settings


def code_of(*arguments: str) -> int:
    return subprocess.run([*STORAGEKIT, *arguments], timeout=60, check=False).returncode


def test_a_killed_upload_goes_on_where_it_stopped(server: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "big.bin").write_bytes(DATA)
    assert code_of("mb", "sftp://data") == 0
    with subprocess.Popen(UPLOAD, stdout=subprocess.DEVNULL) as killed:
        kept = wait_for_parts(server, 5)
        killed.kill()
    assert killed.returncode < 0
    assert code_of("stat", "sftp://data/raw/big.bin") == 3

    again = subprocess.run(UPLOAD, stdout=subprocess.PIPE, timeout=60, check=True)

    result = json.loads(again.stdout.splitlines()[-1])
    assert result["resumed"] is True
    assert result["kept"] >= kept * MIB
    assert result["kept"] + result["sent"] == len(DATA)
    assert code_of("cp", "--quiet", "sftp://data/raw/big.bin", "back.bin") == 0
    assert (tmp_path / "back.bin").read_bytes() == DATA


def wait_for_parts(server: dict[str, str], count: int) -> int:
    """Return how many parts are stored, as soon as these are so many."""
    driver, end, stored = SftpDriver.from_settings(server), time.monotonic() + 60, 0
    while stored < count and time.monotonic() < end:
        for found in driver.list_uploads("data").uploads:
            stored = len(driver.list_parts(Upload("data", found.key, found.id)).parts)
    driver.close()
    assert stored >= count
    return stored
