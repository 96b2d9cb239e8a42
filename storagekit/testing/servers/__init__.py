"""Real S3 servers on loopback, for tests: MinIO, OpenStack Swift, moto, rclone and Ceph's gateway.

    with start_minio(tmp_path) as server:
        client = Minio(endpoint=server.endpoint.removeprefix("http://"), access_key=server.access_key, ...)

**Where MinIO comes from**, the first that is there:

1. `STORAGEKIT_TEST_MINIO`, the URL of a running server (keys in `STORAGEKIT_TEST_MINIO_ACCESS_KEY` and
   `..._SECRET_KEY`, `minioadmin` when unset; region in `..._REGION`): nothing is started, nothing is stopped;
2. `minio` on PATH;
3. the binary of an earlier build, in the per-user cache directory;
4. a build with Go into that cache: 3 minutes on two cores, once per machine; 17 s when Go's own caches are warm.

MinIO is AGPL: it runs here unmodified, as a program of its own, and no part of it is ever in this repository.

**Where Swift comes from**: a virtual environment of its own in the same cache directory, made once in 10 s. Swift is
the second opinion: another code base, in Python, that verifies signatures too, and needs no compiler.

**Where the others come from.** moto and rclone are installed as Swift is (25 s and 5 s, once). Ceph's gateway is in
Debian's packages: it is installed, once per machine, where there are root and `apt-get`. Each differs from AWS in other
ways: docs/reference/servers.md.

**Who stops a server.** Every server is the child of a *keeper* (`keeper.py`), a process that does nothing but wait for
the end of its standard input, which comes however the test process ends, `kill -9` included. A normal stop takes the
same path: close the pipe, wait.

**Ports** are free ones, found by binding and letting go. Between that and the server's own bind another process can
take one; the server then ends before it answers, and the start is repeated with others. Secrets are random per start,
so that a test which reaches somebody else's server all the same is refused.
"""

from storagekit.testing.servers.minio import minio_required, start_minio
from storagekit.testing.servers.moto import start_moto
from storagekit.testing.servers.rclone import start_rclone
from storagekit.testing.servers.rgw import rgw_required, start_rgw
from storagekit.testing.servers.server import S3Server, Unavailable
from storagekit.testing.servers.swift import start_swift

__all__ = [
    "S3Server",
    "Unavailable",
    "minio_required",
    "rgw_required",
    "start_minio",
    "start_moto",
    "start_rclone",
    "start_rgw",
    "start_swift",
]
