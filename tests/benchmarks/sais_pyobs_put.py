"""sais-pyobs sends parts of 16 MiB, run by the Python of its own environment, as its ``StreamUploader`` does.

    python sais_pyobs_put.py ENDPOINT        keys in OBS_AK and OBS_SK

Each line of standard input, ``WORKERS BYTES``, is one upload of so many bytes that lie in memory; answered is a line
with its seconds, and those of this process's CPU. Making the upload and finding none to go on with is not counted.
"""

from __future__ import annotations

import logging
import os
import sys
import time

from pyobs import StreamUploader

PART = 16 * 1024**2


def main() -> None:
    logging.disable()
    data = os.urandom(PART)
    for line in sys.stdin:
        workers, size = map(int, line.split())
        uploader = StreamUploader(server=sys.argv[1], bucket_name="bench", part_size=PART, max_workers=workers)
        context = uploader.init_upload("key")
        began, cpu = time.perf_counter(), time.process_time()
        uploader.upload_stream(context, (data for _ in range(size // PART)), total_size=size)
        print(time.perf_counter() - began, time.process_time() - cpu, flush=True)


if __name__ == "__main__":
    main()
