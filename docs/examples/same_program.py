"""The same program on every backend: which one, and with which keys, is configuration only.

    python same_program.py https://host/shard-0001.tar

makes a bucket, streams the URL into it, copies, lists, reads a piece, downloads, and removes all of it again.
``STORAGEKIT_BACKEND`` says where (``obs``, ``oss``, ``local``, ...); the backend's own variables, or a profile, say
how it is reached: docs/reference/configuration.md.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path
from uuid import uuid4

from storagekit import StorageClient, download_from_url, errors
from storagekit.types import UploadResult


def main(url: str) -> None:
    """Run the whole round; what is said is the same on every backend."""
    bucket = f"example-{uuid4().hex[:12]}"
    with StorageClient(bucket=bucket) as client:
        client.create_bucket()
        try:
            run(client, url)
        finally:
            client.delete_tree("")
            client.delete_bucket(bucket)
            print("removed", not client.bucket_exists(bucket))


def run(client: StorageClient, url: str) -> None:
    """Upload, copy, look, download, delete."""
    result: UploadResult = client.upload_url(url, key="raw/shard.tar", metadata={"origin": "example"})
    print("uploaded", result.size, "bytes in", result.parts, "parts")

    client.copy_object("raw/shard.tar", "backup/shard.tar")
    for info in client.list_objects(prefix="").objects:
        print("object", info.key, info.size)
    print("origin", client.head_object("backup/shard.tar").metadata["origin"])
    print("first bytes", client.get_object("raw/shard.tar", length=4).hex())

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "shard.tar"
        client.download_file("backup/shard.tar", path)
        print("sha256", hashlib.sha256(path.read_bytes()).hexdigest())
        try:
            print("by a signed URL", download_from_url(client.presigned_url("GET", key="raw/shard.tar"), path).size)
        except errors.RequestRefusedError:
            print("no signed URLs here")  # a directory

    client.delete_objects(["raw/shard.tar", "never/there"])
    print("left", [info.key for info in client.list_objects().objects])


if __name__ == "__main__":
    main(*sys.argv[1:])
