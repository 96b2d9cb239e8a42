"""The function that the page for sais-pyobs gives to people: it has branches that its own page does not reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from storagekit import StorageClient, UploadResult
from storagekit.testing.http_source import Behaviour, PatternContent, SourceServer
from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs/how-to/migrate-from-sais-pyobs.md"
MIB = 1024**2
SIZE, PART = 3 * MIB + 1, MIB
CONTENT = PatternContent(SIZE)

Stream = Callable[[StorageClient, str, str], UploadResult]


@pytest.fixture(scope="module")
def stream() -> Stream:
    """The page's function, without the call below it."""
    text = next(block.text for block in blocks(PAGE.read_text()) if "def stream(" in block.text)
    names: dict[str, Any] = {}
    exec(compile(text.partition("\n\nwith ")[0], str(PAGE), "exec", dont_inherit=True), names)
    found: Stream = names["stream"]
    return found


@pytest.fixture
def client(tmp_path: Path) -> Iterator[StorageClient]:
    (tmp_path / "bucket").mkdir()
    with StorageClient("local", "bucket", root=tmp_path, part_size=PART, environment={}) as client:
        yield client


def leave(client: StorageClient, url: str, size: int) -> None:
    """Break off as a run of the page's function does whose source ends in an error after ``size`` bytes."""

    def source() -> Iterator[bytes]:
        yield CONTENT.read(0, size)
        raise ConnectionError("broken off")

    version = f"{url} {requests.head(url, timeout=10).headers['ETag']}"
    with pytest.raises(ConnectionError, match="broken off"):
        client.upload_stream(client.init_upload("k", source_id=version), source(), total_size=SIZE)


@pytest.mark.parametrize(
    ("left", "ranges", "sent"),
    [
        (0, True, SIZE),
        (2 * PART + 1, True, SIZE - 2 * PART),
        (2 * PART + 1, False, SIZE),  # a server without ranges: mode="wb"
        (SIZE, True, 0),  # everything is there: the server says 416
    ],
    ids=["nothing there", "206", "200", "416"],
)
def test_the_two_phases_go_on_whatever_the_server_answers(
    stream: Stream, client: StorageClient, left: int, ranges: bool, sent: int
) -> None:
    with SourceServer(CONTENT, behaviour=Behaviour(ignore_range=not ranges)) as server:
        url = f"http://{server.host}:{server.port}/shard.tar"
        if left:
            leave(client, url, left)

        result = stream(client, url, "k")

    assert (SIZE, sent) == (result.size, result.sent)
    assert CONTENT.read(0, SIZE) == client.get_object("k")
    assert [] == list(client.list_uploads())
