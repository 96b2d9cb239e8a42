"""Real S3 servers on loopback, for tests: MinIO and OpenStack Swift.

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

**Who stops a server.** Every server is the child of a *keeper*: this very file, run as a script, that does nothing but
wait for the end of its standard input. The pipe's other end is held by the test process alone, so the kernel closes it
however that process ends, `kill -9` included; the keeper then stops the servers by pid and removes their data.
A normal stop takes the same path: close the pipe, wait. (`PR_SET_PDEATHSIG` was the alternative: Linux only, it fires
when the *thread* that started the server ends, it needs code between fork and exec, and it leaves the data behind.)

**Ports** are free ones, found by binding and letting go. Between that and the server's own bind another process can
take one; the server then ends before it answers, and the start is repeated with others. Secrets are random per start,
so that a test which reaches somebody else's server all the same is refused.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from select import select

__all__ = ["S3Server", "Unavailable", "minio_required", "start_minio", "start_swift"]

MINIO_MODULE = "github.com/minio/minio"
#: The last commit of the archived repository (2026-02-12). It has no tag, hence a pseudo-version.
MINIO_VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"
#: Not `/minio/health/ready`, which answers 200 before the object layer is up: of 18 starts on two busy cores, 6 then
#: refused the first request with 503 XMinioServerNotInitialized, for up to 70 ms; with this one, 0 of 120 did.
MINIO_READY = "/minio/health/cluster"
SWIFT_VERSION = "2.38.3"

BUILD_SECONDS = 20 * 60  # measured: 168 s on two cores with nothing cached; the rest is for slow networks
INSTALL_SECONDS = 5 * 60  # measured: 10 s
READY_SECONDS = 60  # measured: MinIO 0.5 s, Swift 1.5 s, twice that with both cores busy
STOP_SECONDS = 5  # per process, from SIGTERM to SIGKILL; measured: below 0.1 s
ATTEMPTS = 4  # each with fresh ports


class Unavailable(Exception):
    """A server cannot be had here; the message is the reason, in one line."""


@dataclass(frozen=True)
class S3Server:
    """A server that answers, and all that a client must know about it."""

    name: str  # "minio" or "swift"
    endpoint: str  # "http://127.0.0.1:45671"
    access_key: str
    secret_key: str
    region: str
    how: str  # where it came from: "STORAGEKIT_TEST_MINIO", "minio on PATH", "cached build", "built with Go", ...
    version: str  # "" when the server is somebody else's
    data_dir: Path | None  # removed when the server stops; None when the server is somebody else's
    max_parts: int = 10_000


def minio_required() -> bool:
    """Whether a MinIO that does not run is a failure instead of a reason to test against Swift alone.

    It is where there is a way to one: Go or `minio` on PATH, an endpoint in `STORAGEKIT_TEST_MINIO`; and where
    somebody says so, as a CI job does with `STORAGEKIT_TEST_MINIO_REQUIRED=1`.
    """
    named = os.environ.get("STORAGEKIT_TEST_MINIO") or os.environ.get("STORAGEKIT_TEST_MINIO_REQUIRED")
    return bool(named or shutil.which("go") or shutil.which("minio"))


# --- MinIO ------------------------------------------------------------------------------------------------------------


@contextmanager
def start_minio(tmp_dir: Path) -> Iterator[S3Server]:
    """A MinIO with its data under `tmp_dir`, or the one that `STORAGEKIT_TEST_MINIO` names; else `Unavailable`."""
    if os.environ.get("STORAGEKIT_TEST_MINIO"):
        yield _named_minio()
        return
    binary, how, version = _find_minio()
    access_key, secret_key = "storagekit-test", secrets.token_hex(20)

    def prepare(root: Path, ports: Sequence[int]) -> list[list[str]]:
        data, certs = root / "data", root / "certs"  # an empty certs directory: ~/.minio/certs would turn TLS on
        certs.mkdir()
        address = f"127.0.0.1:{ports[0]}"
        return [[str(binary), "server", "--address", address, "--certs-dir", str(certs), str(data)]]

    env = {"MINIO_ROOT_USER": access_key, "MINIO_ROOT_PASSWORD": secret_key}
    env |= {"MINIO_BROWSER": "off", "MINIO_UPDATE": "off", "MINIO_CI_CD": "1"}  # no console, no look for updates
    with _serving(_Recipe("minio", prepare, 1, MINIO_READY, env), tmp_dir) as (endpoint, root):
        yield S3Server("minio", endpoint, access_key, secret_key, "us-east-1", how, version, root)


def _named_minio() -> S3Server:
    env, prefix = os.environ, "STORAGEKIT_TEST_MINIO"
    endpoint = env[prefix].rstrip("/")
    access_key = env.get(f"{prefix}_ACCESS_KEY", "minioadmin")
    secret_key = env.get(f"{prefix}_SECRET_KEY", "minioadmin")
    region = env.get(f"{prefix}_REGION", "us-east-1")
    if not _answers(endpoint + MINIO_READY):
        raise Unavailable(f"{prefix} names {endpoint}, where no MinIO answers")
    return S3Server("minio", endpoint, access_key, secret_key, region, prefix, "", None)


def _find_minio() -> tuple[Path, str, str]:
    """The binary, where it came from, its version."""
    if on_path := shutil.which("minio"):
        return Path(on_path), "minio on PATH", _version_of(on_path)
    binary = _cache_dir() / "minio" / MINIO_VERSION / "minio"
    with _locked(binary.parent / "lock"):
        if binary.exists():
            return binary, "cached build", MINIO_VERSION
        _build_minio(binary)
    return binary, "built with Go", MINIO_VERSION


def _version_of(minio: str) -> str:
    """`minio version RELEASE.2025-09-07T16-13-09Z (commit-id=...)` is the first line of four."""
    answer = subprocess.run([minio, "--version"], capture_output=True, text=True, timeout=30, check=False)
    words = answer.stdout.split()
    return words[2] if len(words) > 2 else "of unknown version"


def _build_minio(binary: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise Unavailable("no Go to build it with, no minio on PATH, no STORAGEKIT_TEST_MINIO")
    with tempfile.TemporaryDirectory(dir=binary.parent, prefix="build-") as bin_dir:
        command = [go, "install", f"{MINIO_MODULE}@{MINIO_VERSION}"]
        _run(command, BUILD_SECONDS, {"GOBIN": bin_dir}, "building MinIO with Go")
        (Path(bin_dir) / "minio").replace(binary)  # atomic: a binary in the cache is a whole one


# --- Swift ------------------------------------------------------------------------------------------------------------


@contextmanager
def start_swift(tmp_dir: Path) -> Iterator[S3Server]:
    """An OpenStack Swift with its S3 interface and its data under `tmp_dir`; else `Unavailable`."""
    _check_xattrs(tmp_dir)
    python, how = _find_swift()
    access_key, secret_key = "test:tester", secrets.token_hex(20)

    def prepare(root: Path, ports: Sequence[int]) -> list[list[str]]:
        _write_swift_conf(root, ports, secret_key)
        _run([str(python), "-I", "-c", _SWIFT_RINGS, str(root), *map(str, ports[1:])], 60, {}, "making Swift's rings")
        return [_swift_server(python, root, name) for name in ("proxy", *_SWIFT_BACKENDS)]

    with _serving(_Recipe("swift", prepare, 4, "/healthcheck", {}), tmp_dir) as (endpoint, root):
        yield S3Server("swift", endpoint, access_key, secret_key, "us-east-1", how, SWIFT_VERSION, root)


def _find_swift() -> tuple[Path, str]:
    """The interpreter of Swift's virtual environment, and where it came from."""
    tag = f"{SWIFT_VERSION}-py{sys.version_info.major}.{sys.version_info.minor}"
    venv = _cache_dir() / "swift" / tag
    python, marker = venv / "bin" / "python", venv / "installed"
    with _locked(venv.with_name(f"{tag}.lock")):
        if marker.exists() and python.exists():  # python is a link: it dangles once its interpreter is uninstalled
            return python, "cached install"
        _install_swift(venv, python)
        marker.touch()  # last: without it the next start takes the directory for half-finished, and makes it anew
    return python, "installed with pip"


def _install_swift(venv: Path, python: Path) -> None:
    shutil.rmtree(venv, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(venv)], INSTALL_SECONDS, {}, "making a virtual environment")
    pip = [str(python), "-m", "pip", "install", "--quiet", f"swift=={SWIFT_VERSION}"]
    _run(pip, INSTALL_SECONDS, {}, "installing Swift with pip")


def _swift_server(python: Path, root: Path, name: str) -> list[str]:
    """-I keeps PYTHONPATH and the user's own packages out of Swift's processes."""
    return [str(python), "-I", str(python.with_name(f"swift-{name}-server")), str(root / f"{name}.conf")]


def _check_xattrs(directory: Path) -> None:
    """Swift keeps an object's metadata in the extended attributes of its file."""
    if sys.platform != "linux":
        return
    with tempfile.NamedTemporaryFile(dir=directory) as probe:
        try:
            os.setxattr(probe.name, "user.storagekit", b"1")
        except OSError as error:
            raise Unavailable(f"Swift needs extended attributes, and {directory} has none: {error}") from error


def _write_swift_conf(root: Path, ports: Sequence[int], secret_key: str) -> None:
    (root / "devices" / "sda").mkdir(parents=True)
    (root / "swift.conf").write_text(_SWIFT_HASH)
    filters = [f"[filter:{name}]\nuse = egg:swift#{name}\n{options}" for name, options in _SWIFT_FILTERS.items()]
    pipeline = " ".join([*_SWIFT_FILTERS, "proxy-server"])
    proxy = _SWIFT_COMMON.format(root=root, port=ports[0], pipeline=pipeline) + _SWIFT_PROXY + "".join(filters)
    (root / "proxy.conf").write_text(proxy.replace("{secret}", secret_key))
    for name, port in zip(_SWIFT_BACKENDS, ports[1:], strict=True):
        common = _SWIFT_COMMON.format(root=root, port=port, pipeline=f"{name}-server")
        (root / f"{name}.conf").write_text(common + _SWIFT_BACKEND.format(name=name))


_SWIFT_BACKENDS = ("account", "container", "object")

# One replica on one device, 2**4 partitions; the third argument is hours before a partition may move again.
_SWIFT_RINGS = """
import sys
from swift.common.ring import RingBuilder
for name, port in zip(("account", "container", "object"), sys.argv[2:]):
    builder = RingBuilder(4, 1, 0)
    builder.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": int(port), "device": "sda", "weight": 1})
    builder.rebalance()
    builder.get_ring().save(f"{sys.argv[1]}/{name}.ring.gz")
"""

_SWIFT_HASH = """
[swift-hash]
swift_hash_path_prefix = loopback
swift_hash_path_suffix = loopback
[swift-constraints]
max_file_size = 5368709122
"""

# workers = 0: serve in the process that was started, without forks, so that one pid is one server and SIGTERM ends it.
# bind_timeout: a taken port is an error after 1 s, not 30. log_address: no such socket, so nothing goes to syslog.
_SWIFT_COMMON = """
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

_SWIFT_BACKEND = """
[app:{name}-server]
use = egg:swift#{name}
"""

_SWIFT_PROXY = """
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
allow_open_expired = false
"""

# The order is the pipeline's. 10,000 parts, as S3 has them, where Swift's default is 1,000. No memcached: what it
# remembers about an account would outlive the account's data.
_SWIFT_FILTERS = {
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


# --- Starting and stopping, for both ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Recipe:
    name: str
    prepare: Callable[[Path, Sequence[int]], list[list[str]]]  # (root, ports) -> one command per process
    ports: int  # how many; the first is the one that clients use
    ready: str  # a GET of this path is answered with 200 by a server that is ready
    env: Mapping[str, str]


@contextmanager
def _serving(recipe: _Recipe, tmp_dir: Path) -> Iterator[tuple[str, Path]]:
    """Endpoint and root directory of a running server; stopped, with its directory removed, at the end."""
    log = Path(tmp_dir) / f"{recipe.name}-{secrets.token_hex(4)}.log"  # beside the root: it outlives the server
    for _ in range(ATTEMPTS):
        ports = _free_ports(recipe.ports)
        endpoint = f"http://127.0.0.1:{ports[0]}"
        with _root_dir(recipe, tmp_dir) as root, _kept(recipe, root, ports, log) as keeper:
            if _ready(keeper, endpoint + recipe.ready, ports):
                yield endpoint, root
                return
    raise Unavailable(f"{recipe.name} ended {ATTEMPTS} times before it answered: {_last_line(log.read_text())}")


@contextmanager
def _root_dir(recipe: _Recipe, tmp_dir: Path) -> Iterator[Path]:
    prefix = f"{recipe.name}-"
    with tempfile.TemporaryDirectory(dir=tmp_dir, prefix=prefix, ignore_cleanup_errors=True) as root:
        yield Path(root)


def _free_ports(count: int) -> list[int]:
    """All bound at once, so that they differ."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in sockets]


def _ready(keeper: subprocess.Popen[bytes], url: str, ports: Sequence[int]) -> bool:
    """True when every process answers, False when one has ended; neither within READY_SECONDS is `Unavailable`."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if keeper.poll() is not None:
            return False
        if all(map(_listens, ports)) and _answers(url):
            return keeper.poll() is None
        time.sleep(0.05)
    raise Unavailable(f"{url} does not answer after {READY_SECONDS} s")


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def _answers(url: str) -> bool:
    """Whether a GET gets a 200, past any proxy that the environment names."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as response:
            return bool(response.status == http.client.OK)
    except (OSError, ValueError, http.client.HTTPException):  # refused, reset, 503; not a URL; not HTTP
        return False


# --- The keeper -------------------------------------------------------------------------------------------------------


@contextmanager
def _kept(recipe: _Recipe, root: Path, ports: Sequence[int], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A session of its own: Ctrl-C in the terminal reaches the tests, and not the servers that their clean-up needs."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MINIO_")}
    commands = json.dumps(recipe.prepare(root, ports))
    with log.open("ab") as output:
        keeper = subprocess.Popen(
            [sys.executable, "-I", __file__, commands, str(root)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**inherited, **recipe.env},
            start_new_session=True,
        )
    try:
        yield keeper
    finally:
        keeper.communicate()  # closes the pipe, waits


def _keep(commands: list[list[str]], root: str) -> None:
    """The keeper's whole life: runs in a process of its own, until its standard input or one of its children ends."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        children = [stack.enter_context(_child(command)) for command in commands]
        while all(child.poll() is None for child in children):
            if select([0], [], [], 0.2)[0]:  # nothing is ever written: readable means closed
                break


@contextmanager
def _child(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# --- The cache --------------------------------------------------------------------------------------------------------


def _cache_dir() -> Path:
    import platformdirs  # here: the keeper runs this file too, and has no use for it

    return Path(platformdirs.user_cache_dir("storagekit-test"))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time makes what is beside `path`. The kernel lets go of the lock when its holder dies."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError as error:
        raise Unavailable(f"the cache directory cannot be written: {error}") from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(command: Sequence[str], seconds: float, env: Mapping[str, str], what: str) -> None:
    """Run to the end, or kill the whole group: `go` and `pip` have children, which would go on alone."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **env},
            start_new_session=True,
        )
        try:
            code = process.wait(seconds)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise Unavailable(f"{what} took longer than {seconds:.0f} s") from error
            raise
        output.seek(0)
        if code != 0:
            raise Unavailable(f"{what} failed: {_last_line(output.read())}")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


if __name__ == "__main__":
    _keep(json.loads(sys.argv[1]), sys.argv[2])
