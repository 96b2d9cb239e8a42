"""What sais-pyobs does, run by the Python of its own environment: it owns the same package ``obs`` as esdk-obs-python.

    python sais_pyobs_child.py ENDPOINT BUCKET KEY COMMAND [...]        keys in OBS_AK and OBS_SK

``leave URL 1,2,6`` leaves an upload behind as a killed run does: with these parts of 5 MiB of what is at the URL.
``readme URL MIB`` is the program of its README, with parts of so many MiB; ``short URL BYTES TOTAL`` gives it a stream
that ends early, ``two URL`` runs two uploads on one uploader. Prints in one line what it says to its user.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import requests
from pyobs import StreamUploader

MIB = 1024**2
PART = 5 * MIB


class Theirs(StreamUploader):  # type: ignore[misc]  # not in our environment, so nothing is known of it
    """Theirs; two uploads that end at the same moment do so every time."""

    meeting: threading.Barrier | None = None

    def _complete_upload(self, key: str, uid: str) -> None:
        if self.meeting:
            self.meeting.wait(60)
        super()._complete_upload(key, uid)


def get(url: str, first: int = 0) -> Any:
    return requests.get(url, headers={"Range": f"bytes={first}-"}, stream=True, timeout=60)


def leave(uploader: Theirs, key: str, url: str, numbers: str) -> str:
    data, client, bucket = get(url).content, uploader.client, uploader.bucket
    upload = client.initiateMultipartUpload(bucket, key).body.uploadId
    for number in map(int, numbers.split(",")):
        part = data[(number - 1) * PART : number * PART]
        answer = client.uploadPart(bucket, key, number, upload, content=part, partSize=len(part))
        assert answer.status < 300, answer
    return f"parts {numbers}"


def readme(uploader: Theirs, key: str, url: str, mib: str) -> str:
    uploader.part_size = int(mib) * MIB
    context = uploader.init_upload(object_key=key)
    response = get(url, context.offset)
    if response.status_code == 416:
        return "the file is complete, nothing to do"
    response.raise_for_status()
    mode = "ab" if response.status_code == 206 else "wb"
    total = int(response.headers["Content-Length"]) + (context.offset if mode == "ab" else 0)
    size = uploader.upload_stream(context, response.iter_content(MIB), total_size=total, mode=mode)
    return f"success, {size / MIB:g} MiB"


def stream(uploader: Theirs, key: str, blocks: Iterator[bytes], total: int) -> str:
    size = uploader.upload_stream(uploader.init_upload(key), blocks, total_size=total)
    return f"success, {size / MIB:g} MiB"


def short(uploader: Theirs, key: str, url: str, size: str, total: str) -> str:
    data = get(url).content[: int(size)]
    return stream(uploader, key, (data[at : at + MIB] for at in range(0, len(data), MIB)), int(total))


def two(uploader: Theirs, key: str, url: str) -> str:
    uploader.meeting, said, data = threading.Barrier(2), {}, get(url).content

    def run(name: str, mine: bytes) -> None:
        try:
            said[name] = stream(uploader, name, iter([mine]), len(mine))
        except Exception as error:  # noqa: BLE001  # whatever it is, it is what its user sees
            said[name] = f"{type(error).__name__}: {error}"

    keys = {key: data, f"{key}-2": data[::-1]}
    threads = [threading.Thread(target=run, args=item) for item in keys.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return "; ".join(said[name] for name in sorted(keys))


COMMANDS: dict[str, Callable[..., str]] = {"leave": leave, "readme": readme, "short": short, "two": two}


def main() -> None:
    logging.disable()
    endpoint, bucket, key, command, *rest = sys.argv[1:]
    uploader = Theirs(server=endpoint, bucket_name=bucket, part_size=PART)
    try:
        said = COMMANDS[command](uploader, key, *rest)
    except Exception as error:  # noqa: BLE001  # the same
        said = f"{type(error).__name__}: {error}"
    print(said.replace("\n", " "))


if __name__ == "__main__":
    main()
