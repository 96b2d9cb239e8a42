"""Ceph's S3 gateway over the smallest cluster there is: one monitor, one storage daemon that keeps all in memory.

From Debian's packages, which this installs where it can (``apt-get`` and root). There is no manager: nothing here needs
one. The storage daemon is part of the first map, so that nobody has to be asked for a place in a running cluster.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from storagekit.testing.servers.cache import cache_dir, locked
from storagekit.testing.servers.commands import run
from storagekit.testing.servers.rgw_config import FSID, KEYS, write_config
from storagekit.testing.servers.server import S3Server, Unavailable
from storagekit.testing.servers.starting import Recipe, serving

PACKAGES = ("radosgw", "ceph-mon", "ceph-osd")
PROGRAMS = ("radosgw", "radosgw-admin", "ceph-mon", "ceph-osd", "ceph-authtool", "monmaptool", "osdmaptool")
INSTALL_SECONDS = 10 * 60  # measured: 20 s, the list of packages included
STEP_SECONDS = 60  # of each command before the start; measured: 0.1 s, the account 0.4 s


def rgw_required() -> bool:
    """Whether a gateway that does not run is a failure: where it is there, or can be installed."""
    return not _missing() or _can_install()


@contextmanager
def start_rgw(tmp_dir: Path) -> Iterator[S3Server]:
    """A Ceph Object Gateway with its data in memory; else `Unavailable`."""
    how = _find()
    access_key, secret_key = "storagekit-test", secrets.token_hex(20)

    def prepare(root: Path, ports: Sequence[int]) -> list[list[str]]:
        config = write_config(root, ports)
        _make_cluster(root, config, ports)
        return [_daemon(name, config) for name in ("mon", "osd", "rgw")]

    with serving(Recipe("rgw", prepare, 3, "/", {}), tmp_dir) as (endpoint, root):
        _make_account(root, access_key, secret_key)
        yield S3Server("rgw", endpoint, access_key, secret_key, "us-east-1", how, _version(), root)


def _find() -> str:
    """Install what is missing, and say where it came from."""
    if not _missing():
        return "Debian's packages"
    if not _can_install():
        raise Unavailable(f"no {_missing()[0]} here, and no apt-get and root to install it with")
    with locked(cache_dir() / "rgw" / "lock"):
        if _missing():
            _install()
    if still := _missing():
        raise Unavailable(f"installing Ceph with apt-get brought no {still[0]}")
    return "installed with apt-get"


def _missing() -> list[str]:
    return [program for program in PROGRAMS if shutil.which(program) is None]


def _can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _install() -> None:
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update"], INSTALL_SECONDS, env, "looking for Ceph with apt-get")
    install = ["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES]
    run(install, INSTALL_SECONDS, env, "installing Ceph with apt-get")


def _version() -> str:
    """`ceph version 16.2.15 (618f44...) pacific (stable)`."""
    answer = subprocess.run(["radosgw", "--version"], capture_output=True, text=True, timeout=30, check=False)
    words = answer.stdout.split()
    return words[2] if len(words) > 2 else "of unknown version"


def _make_cluster(root: Path, config: Path, ports: Sequence[int]) -> None:
    """Keys, the two maps, and the monitor's and the storage daemon's own stores."""
    keyring, monitors, daemons = root / "keyring", root / "monmap", root / "osdmap"
    _step("ceph-authtool", "--create-keyring", keyring)
    for name, rights in KEYS.items():
        caps = [word for kind, right in rights.items() for word in ("--cap", kind, right)]
        _step("ceph-authtool", keyring, "--gen-key", "-n", name, *caps)
    where = f"[v2:127.0.0.1:{ports[1]},v1:127.0.0.1:{ports[2]}]"
    _step("monmaptool", "--create", "--fsid", FSID, "--addv", "a", where, monitors)
    _step("osdmaptool", "-c", config, "--createsimple", "1", daemons)
    maps = ("--monmap", monitors, "--osdmap", daemons, "--keyring", keyring)
    _step("ceph-mon", "-c", config, "--mkfs", "-i", "a", *maps)


def _daemon(name: str, config: Path) -> list[str]:
    """``-f``: in the foreground, so that one pid is one daemon. The storage daemon asks the monitor who it is."""
    shared = ["-c", str(config)]
    if name == "mon":
        return ["ceph-mon", "-f", "-i", "a", *shared]
    if name == "rgw":
        return ["radosgw", "-f", "-n", "client.rgw", *shared]
    osd = shlex.join(["ceph-osd", "-i", "0", *shared])
    return ["sh", "-c", f"{osd} --mkfs && exec {osd} -f"]


def _make_account(root: Path, access_key: str, secret_key: str) -> None:
    account = ("--uid=storagekit", "--display-name=storagekit", f"--access-key={access_key}", f"--secret={secret_key}")
    _step("radosgw-admin", "-c", root / "ceph.conf", "user", "create", *account)


def _step(program: str, *arguments: str | Path) -> None:
    run([program, *map(str, arguments)], STEP_SECONDS, {}, f"{program} for Ceph's gateway")
