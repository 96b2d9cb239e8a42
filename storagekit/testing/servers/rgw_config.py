"""Ceph's configuration for ``rgw.py``: who may do what, and one file for all three daemons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

#: The cluster's name for itself; no two of them ever meet.
FSID = "5f0c0ffe-e5e5-4a1f-9b1d-7374676b6974"

#: Whose keys there are, and what each may do.
KEYS = {
    "mon.": {"mon": "allow *"},
    "client.admin": {"mon": "allow *", "osd": "allow *"},
    "osd.0": {"mon": "allow profile osd", "osd": "allow *"},
    "client.rgw": {"mon": "allow rw", "osd": "allow rwx"},
}


def write_config(root: Path, ports: Sequence[int]) -> Path:
    """Write ``ceph.conf`` under ``root`` and return it. The ports: the gateway's, the monitor's two."""
    for name in ("mon", "osd", "rgw", "run"):
        (root / name).mkdir()
    config = root / "ceph.conf"
    gateway, v2, v1 = ports
    config.write_text(_CONFIG.format(root=root, fsid=FSID, gateway=gateway, v2=v2, v1=v1))
    return config


# cephx is on: without it the gateway waits 60 s per client. The monitor has no public address: with one it ignores the
# ports of its map; the storage daemon has one, else it listens to the whole network. Proposals are collected for 50 ms:
# the default adds a second to each pool that the gateway makes. tcp_nodelay: 44 ms per small GET without it. The
# storage daemon says that it has 16 GiB, of which it takes what is stored. What was deleted is kept 60 s for those who
# still read it, not two hours: it is memory here.
_CONFIG = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{v2},v1:127.0.0.1:{v1}]
mon initial members = a
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = {root}/keyring
run dir = {root}/run
admin socket =
log file = {root}/$name.log
crash dir = {root}/run
ms bind ipv6 = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
paxos propose interval = 0.05
[mon.a]
mon data = {root}/mon
[osd.0]
osd data = {root}/osd
osd objectstore = memstore
memstore device bytes = 17179869184
public addr = 127.0.0.1
cluster addr = 127.0.0.1
[client.rgw]
rgw data = {root}/rgw
rgw frontends = beast endpoint=127.0.0.1:{gateway} tcp_nodelay=1
rgw gc obj min wait = 60
rgw gc processor period = 60
rgw gc processor max time = 60
"""
