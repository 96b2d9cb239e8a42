"""Swift's configuration: one proxy with the S3 interface, one server of each kind behind it, one device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def write_config(root: Path, ports: Sequence[int], secret_key: str) -> None:
    """The files of all four servers, under ``root``; the first port is the proxy's."""
    (root / "devices" / "sda").mkdir(parents=True)
    (root / "swift.conf").write_text(_HASH)
    filters = [f"[filter:{name}]\nuse = egg:swift#{name}\n{options}" for name, options in _FILTERS.items()]
    pipeline = " ".join([*_FILTERS, "proxy-server"])
    proxy = _COMMON.format(root=root, port=ports[0], pipeline=pipeline) + _PROXY + "".join(filters)
    (root / "proxy.conf").write_text(proxy.replace("{secret}", secret_key))
    for name, port in zip(BACKENDS, ports[1:], strict=True):
        common = _COMMON.format(root=root, port=port, pipeline=f"{name}-server")
        (root / f"{name}.conf").write_text(common + _BACKEND.format(name=name))


BACKENDS = ("account", "container", "object")

# One replica on one device, 2**4 partitions; the third argument is hours before a partition may move again.
MAKE_RINGS = """
import sys
from swift.common.ring import RingBuilder
for name, port in zip(("account", "container", "object"), sys.argv[2:]):
    builder = RingBuilder(4, 1, 0)
    builder.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": int(port), "device": "sda", "weight": 1})
    builder.rebalance()
    builder.get_ring().save(f"{sys.argv[1]}/{name}.ring.gz")
"""

_HASH = """
[swift-hash]
swift_hash_path_prefix = loopback
swift_hash_path_suffix = loopback
[swift-constraints]
max_file_size = 5368709122
"""

# workers = 0: serve in the process that was started, without forks, so that one pid is one server and SIGTERM ends it.
# bind_timeout: a taken port is an error after 1 s, not 30. log_address: no such socket, so nothing goes to syslog.
_COMMON = """
[DEFAULT]
swift_dir = {root}
devices = {root}/devices
mount_check = false
fallocate_reserve = 0
disable_fallocate = true
bind_ip = 127.0.0.1
bind_port = {port}
bind_timeout = 1
workers = 0
log_address = {root}/no-syslog
log_level = WARNING
recon_cache_path = {root}
[pipeline:main]
pipeline = {pipeline}
"""

_BACKEND = """
[app:{name}-server]
use = egg:swift#{name}
"""

_PROXY = """
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
allow_open_expired = false
"""

# The order is the pipeline's. 10,000 parts, as S3 has them, where Swift's default is 1,000. No memcached: what it
# remembers about an account would outlive the account's data.
_FILTERS = {
    "catch_errors": "",
    "gatekeeper": "",
    "healthcheck": "",
    "listing_formats": "",
    "bulk": "",
    "s3api": "location = us-east-1\nstorage_domain = localhost\ns3_acl = true\nmax_upload_part_num = 10000\n",
    "tempauth": "user_test_tester = {secret} .admin .reseller_admin\n",
    "slo": "max_manifest_segments = 10000\n",
    "dlo": "",
    "versioned_writes": "allow_versioned_writes = true\nallow_object_versioning = true\n",
    "symlink": "",
}
