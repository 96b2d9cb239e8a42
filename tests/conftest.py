"""Fixtures for the whole suite. A server starts once per session, when the first test asks for it.

With a way to MinIO (`minio_required`), MinIO not running is a failure, never a skip. Without one, Swift takes its
place, and then it is Swift that has to run. moto and rclone need nothing but pip, so they have to run everywhere;
Ceph's gateway has to where it is there or can be installed (`rgw_required`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from storagekit.testing.emulator import Emulator, resolving
from storagekit.testing.servers import (
    S3Server,
    Unavailable,
    minio_required,
    rgw_required,
    start_minio,
    start_moto,
    start_rclone,
    start_rgw,
    start_swift,
)

pytest_plugins = ["tests.secrets_scan"]

Start = Callable[[Path], AbstractContextManager[S3Server]]
#: What became of each server in this session: it ran (a server), it could not be had (the reason), nobody asked (None).
Outcomes = dict[str, S3Server | Unavailable | None]
S3_SERVERS = ("minio", "swift", "moto", "rclone", "rgw")
SERVICES = (*S3_SERVERS, "obs", "oss")  # the last two are our own emulator
SERVERS = pytest.StashKey[Outcomes]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "integration: talks to a real server on loopback")
    outcomes: Outcomes = dict.fromkeys(S3_SERVERS)
    config.stash[SERVERS] = outcomes


def run_server(request: pytest.FixtureRequest, name: str, start: Start, *, required: bool) -> Iterator[S3Server]:
    outcomes = request.config.stash[SERVERS]
    tmp_dir = request.getfixturevalue("tmp_path_factory").mktemp(name)
    try:
        with start(tmp_dir) as server:
            outcomes[name] = server
            from tests.secrets_scan import declare  # here: pytest loads plugins after this file, and by itself

            declare(server.secret_key)
            yield server
            return
    except Unavailable as error:
        outcomes[name] = reason = error
    if required:
        pytest.fail(f"{name} did not run: {reason}", pytrace=False)
    pytest.skip(f"{name} did not run: {reason}")


@pytest.fixture(scope="session")
def minio(request: pytest.FixtureRequest) -> Iterator[S3Server]:
    yield from run_server(request, "minio", start_minio, required=minio_required())


@pytest.fixture(scope="session")
def swift(request: pytest.FixtureRequest) -> Iterator[S3Server]:
    yield from run_server(request, "swift", start_swift, required=not minio_required())


@pytest.fixture(scope="session")
def moto(request: pytest.FixtureRequest) -> Iterator[S3Server]:
    yield from run_server(request, "moto", start_moto, required=True)


@pytest.fixture(scope="session")
def rclone(request: pytest.FixtureRequest) -> Iterator[S3Server]:
    yield from run_server(request, "rclone", start_rclone, required=True)


@pytest.fixture(scope="session")
def rgw(request: pytest.FixtureRequest) -> Iterator[S3Server]:
    yield from run_server(request, "rgw", start_rgw, required=rgw_required())


@pytest.fixture(scope="session")
def obs() -> Iterator[S3Server]:
    """The OBS emulator, which answers S3's own tools as well: at its address, with the bucket in the path."""
    yield from run_emulator("obs")


@pytest.fixture(scope="session")
def oss() -> Iterator[S3Server]:
    """The OSS emulator, which speaks OSS's dialect only."""
    yield from run_emulator("oss")


def run_emulator(vendor: str) -> Iterator[S3Server]:
    access, secret = "storagekit-access", "storagekit-secret-of-the-emulator"
    from tests.secrets_scan import declare

    declare(secret)
    with Emulator(vendor, accounts={access: secret}) as emulator, resolving(emulator.domain):
        yield S3Server(vendor, emulator.address, access, secret, "region-1", "emulator", version="", data_dir=None)


@pytest.fixture(scope="session", params=SERVICES)
def service(request: pytest.FixtureRequest) -> S3Server:
    """Runs the test once on every server there is, and on the emulator."""
    server: S3Server = request.getfixturevalue(request.param)
    return server


@pytest.fixture(scope="session", params=S3_SERVERS)
def s3_server(request: pytest.FixtureRequest) -> S3Server:
    """Runs the test once on every server there is."""
    server: S3Server = request.getfixturevalue(request.param)
    return server


@pytest.fixture(scope="session", params=[name for name in S3_SERVERS if name != "moto"])
def strict_server(request: pytest.FixtureRequest) -> S3Server:
    """Every one that verifies what a client claims (``S3Server.verifies``)."""
    server: S3Server = request.getfixturevalue(request.param)
    assert server.verifies
    return server


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    terminalreporter.write_line(servers_line(config.stash[SERVERS]))


def servers_line(outcomes: Outcomes) -> str:
    """`servers: minio (cached build, v0.0.0-...) and swift (cached install, 2.38.3) ran`."""
    ran = [described(server) for server in outcomes.values() if isinstance(server, S3Server)]
    missing = [f"{name} did not: {why}" for name, why in outcomes.items() if isinstance(why, Unavailable)]
    unused = [name for name, outcome in outcomes.items() if outcome is None]
    clauses = [f"{' and '.join(ran)} ran"] * bool(ran) + missing
    clauses += [f"{' and '.join(unused)} not used by the selected tests"] * bool(unused)
    return f"servers: {'; '.join(clauses)}"


def described(server: S3Server) -> str:
    return f"{server.name} ({', '.join(filter(None, (server.how, server.version)))})"
