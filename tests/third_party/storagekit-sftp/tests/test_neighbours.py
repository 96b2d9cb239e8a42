"""Directories are made with a key and removed with the last one in them, while others are about to use them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sftp_server import sftp_server
from storagekit_sftp.driver import SftpDriver

from storagekit.testing.conformance import Harness


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    with sftp_server(tmp_path) as settings:
        driver = SftpDriver.from_settings(settings)
        driver.create_bucket("bucket")
        yield Harness(driver, "bucket", lambda: SftpDriver.from_settings(settings))
        driver.close()


@pytest.mark.parametrize("multipart", [False, True])
def test_neighbours_come_and_go(harness: Harness, multipart: bool) -> None:
    def work(number: int) -> None:
        for turn in range(8):
            key, data = f"a/b/c/{number}", b"%d %d" % (number, turn)
            _ = harness.multipart(key, data) if multipart else harness.put(key, data)
            assert harness.get(key) == data
            harness.driver.delete("bucket", key)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert harness.listed() == []


def test_what_others_put_there_is_no_object(harness: Harness, tmp_path: Path) -> None:
    harness.put("folder/key", b"x")
    for name in ("README", "folder.d/notes.txt", "folder.o.swp"):
        (tmp_path / "root/bucket/objects" / name).write_text("not ours")
    (tmp_path / "root/bucket/objects/plain").mkdir()
    assert harness.listed() == ["folder/key"]
