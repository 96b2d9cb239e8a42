"""``storagekit config``, and profiles from the command line, as a user has them; on the local backend and on MinIO."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storagekit import StorageClient
from storagekit.testing.servers import S3Server

SECRET = "hunter2hunter2hunter2"
OURS = ("STORAGEKIT_", "MINIO_", "OBS_", "OSS_", "STORAGE_", "MC_", "OSSUTIL_", "SSL_CERT_FILE", "XDG_")

Finished = subprocess.CompletedProcess[str]
Run = Callable[..., Finished]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "etc" / "config.toml"


@pytest.fixture
def environment(tmp_path: Path, config: Path) -> dict[str, str]:
    rest = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**rest, "HOME": str(tmp_path), "STORAGEKIT_CONFIG": str(config)}


@pytest.fixture
def run(tmp_path: Path, environment: dict[str, str]) -> Run:
    def command(*arguments: str, stdin: str = "", **more: str) -> Finished:
        return subprocess.run(
            [sys.executable, "-m", "storagekit", *arguments],
            env={**environment, **more},
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return command


def events(finished: Finished) -> list[dict[str, Any]]:
    return [json.loads(line) for line in finished.stdout.splitlines()]


def setting(finished: Finished, name: str) -> dict[str, Any]:
    return next(event for event in events(finished) if event.get("setting") == name)


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)


# --- set --------------------------------------------------------------------------------------------------------------


def test_a_profile_is_made_changed_and_used(run: Run, tmp_path: Path, config: Path) -> None:
    (tmp_path / "root" / "data").mkdir(parents=True)
    (tmp_path / "root" / "data" / "key").write_bytes(b"bytes")

    made = run("config", "set", "here", "backend=local", f"root={tmp_path}/root", "workers=2", "--json")
    assert {"event": "result", "profile": "here", "path": str(config)}.items() <= events(made)[-1].items()
    assert (0o600, 0o700) == (config.stat().st_mode & 0o777, config.parent.stat().st_mode & 0o777)
    changed = run("config", "set", "here", "bucket=data", "workers=")
    assert f"profile here in {config}: set bucket; removed workers\n" == changed.stdout

    assert "bytes" == run("cat", "local://data/key", "--profile", "here").stdout
    assert "bytes" == run("cat", "local://data/key", STORAGEKIT_PROFILE="here").stdout
    assert f'[profiles.here]\nbackend = "local"\nroot = "{tmp_path}/root"\nbucket = "data"\n' == config.read_text()


def test_a_secret_is_read_from_standard_input_and_never_shown(run: Run, config: Path) -> None:
    made = run("config", "set", "work", "backend=minio", "endpoint=127.0.0.1:1", "access_key=me", stdin=f"{SECRET}\n")
    again = run("config", "set", "work", "session_token", "secret_key", stdin=f"{SECRET}2\ntoken\n")

    assert [0, 0] == [made.returncode, again.returncode]
    assert f'secret_key = "{SECRET}2"\n' in config.read_text()
    assert 'session_token = "token"\n' in config.read_text()
    said = [made, again]
    said += [run("config", "show", *more, MINIO_SESSION_TOKEN=SECRET) for more in ([], ["--json"])]
    said += [run("ls", "minio://", "--profile", "work", "--log-level", "debug", MINIO_REGION="two words")]
    said += [run("config", "show", "--profile", "work", "--log-level", "debug")]
    for finished in said:
        assert SECRET not in finished.stdout + finished.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["work", "backend=minio", f"secret_key={SECRET}"], "Write secret_key without a value"),
        (["work", f"session_token={SECRET}", "backend=s3"], "Write session_token without a value"),
        (["work", "endpoint=host"], "profile work names no backend"),
        (["work", "backend=memory", "colour=blue"], "the backend 'memory' has no setting colour"),
        (["work", "backend=memory", f"{SECRET}{SECRET}{SECRET}"], "setting 2 has no name"),
        (["work", "backend=memory", "workers=many"], "'many' is no number of workers"),
        (["work", "backend=nosuch"], "there is no backend 'nosuch'"),
        (["mc:work", "backend=memory"], "'mc:work' is no name of a profile"),
        (["", "backend=memory"], "'' is no name of a profile"),
    ],
)
def test_what_cannot_be_set_is_refused_and_nothing_is_written(
    run: Run, config: Path, arguments: list[str], said: str
) -> None:
    finished = run("config", "set", *arguments, stdin=f"{SECRET}\n")

    assert 2 == finished.returncode
    assert said in finished.stderr
    assert SECRET not in finished.stderr
    assert not config.exists()


def test_a_secret_that_is_not_given_is_left_to_the_environment(run: Run, config: Path) -> None:
    finished = run("config", "set", "work", "backend=minio", "endpoint=host", "access_key=me")

    assert 0 == finished.returncode
    assert "note: secret_key is not in the profile" in finished.stderr
    assert "secret" not in config.read_text()


@pytest.mark.parametrize(
    ("typed", "said", "kept"),
    [
        (f"{SECRET}\n", "set access_key, backend, endpoint, secret_key", True),
        ("\n", "secret_key is not in the profile", False),
        ("\x04", "secret_key is not in the profile", False),  # Ctrl-D
    ],
)
def test_a_terminal_is_asked_without_echo(
    environment: dict[str, str], config: Path, typed: str, said: str, kept: bool
) -> None:
    terminal, inside = pty.openpty()
    command = ["config", "set", "work", "backend=minio", "endpoint=host", "access_key=me"]
    with subprocess.Popen(
        [sys.executable, "-m", "storagekit", *command],
        env=environment,
        stdin=inside,
        stdout=inside,
        stderr=inside,
        start_new_session=True,
    ) as process:
        os.close(inside)
        shown = until(terminal, b"leave it out): ")
        os.write(terminal, typed.encode())
        shown += until(terminal, said.encode())
        assert 0 == process.wait(60)
    os.close(terminal)

    assert SECRET.encode() not in shown
    assert kept == (f'secret_key = "{SECRET}"' in config.read_text())


def until(terminal: int, wanted: bytes) -> bytes:
    """Return what a terminal shows, up to and with ``wanted``."""
    shown = b""
    while wanted not in shown:
        assert select.select([terminal], [], [], 60)[0], shown
        shown += os.read(terminal, 1000)
    return shown


# --- show -------------------------------------------------------------------------------------------------------------


def test_show_says_where_each_value_came_from_and_what_was_ignored(run: Run, config: Path) -> None:
    put(config, f'[profiles.work]\nbackend = "minio"\nendpoint = "mine"\naccess_key = "me"\nsecret_key = "{SECRET}"\n')
    more = {"MINIO_ENDPOINT": "env", "STORAGE_ENDPOINT": "any", "STORAGEKIT_PROFILE": "other"}

    shown = run("config", "show", "--profile", "work", "--region", "eu-1", "--json", **more)

    origin = f"profile work in {config}"
    found = {
        event["setting"]: (event["value"], event["origin"]) for event in events(shown) if event["event"] == "setting"
    }
    assert {
        "endpoint": ("env", "MINIO_ENDPOINT"),
        "access_key": ("me", origin),
        "secret_key": ("***", origin),
        "region": ("eu-1", "argument"),
        "workers": ("4", "default"),
        "bucket": (None, None),
    }.items() <= found.items()
    assert ["STORAGE_ENDPOINT", origin] == setting(shown, "endpoint")["ignored"]
    assert ["MINIO_BUCKET"] == setting(shown, "bucket")["variables"]
    by_kind = {event["event"]: event for event in events(shown)}
    assert (str(config), True) == (by_kind["file"]["path"], by_kind["file"]["exists"])
    assert ["work"] == by_kind["profiles"]["profiles"]
    assert ("--profile", ["STORAGEKIT_PROFILE"]) == (by_kind["profile"]["chosen_by"], by_kind["profile"]["ignored"])
    assert ("minio", origin) == (by_kind["backend"]["backend"], by_kind["backend"]["origin"])


def test_show_writes_lines_for_people(run: Run, config: Path) -> None:
    put(config, '[profiles.default]\nbackend = "minio"\nendpoint = "mine"\n')

    lines = run("config", "show", MINIO_ENDPOINT="env", STORAGEKIT_BACKEND="s3").stdout.splitlines()

    assert f"file      {config}" == lines[0]
    assert "profiles  default" == lines[1]
    assert f"profile   default in {config}, chosen by its name" == lines[2]
    assert "backend   s3, from STORAGEKIT_BACKEND" == lines[3]
    assert ["endpoint", "env", "MINIO_ENDPOINT,", "not", "profile", "default"] == lines[4].split()
    assert (
        "missing; MINIO_SECRET_KEY or AWS_SECRET_ACCESS_KEY or STORAGE_SECRET_KEY"
        == lines[6].partition(" -  ")[2].strip()
    )
    assert lines[8].split()[:2] == ["region", "us-east-1,"]
    assert lines[8].endswith("default; MINIO_REGION or AWS_REGION or AWS_DEFAULT_REGION")


def test_show_of_a_backend_leaves_a_profile_of_another_aside(run: Run, config: Path) -> None:
    put(config, '[profiles.work]\nbackend = "minio"\n')

    shown = run("config", "show", "local://data", STORAGEKIT_PROFILE="work", STORAGEKIT_LOCAL_ROOT="/data")

    assert 0 == shown.returncode
    assert "is of the backend 'minio' and is left aside here" in shown.stderr
    assert "STORAGEKIT_LOCAL_ROOT" in shown.stdout
    assert 2 == run("config", "show", "local", "--profile", "work").returncode


def test_show_without_a_backend_shows_all_that_are_set_up(run: Run) -> None:
    nothing = run("config", "show", "--json", SSL_CERT_FILE="/etc/ca.pem", MINIO_REGION="eu-1")
    assert ["file", "profiles", "note"] == [event["event"] for event in events(nothing)]

    both = run("config", "show", "--json", STORAGEKIT_LOCAL_ROOT="/data", STORAGE_ENDPOINT="host")
    backends = [event["backend"] for event in events(both) if event["event"] == "backend"]
    assert [0, ["local", "minio", "obs", "oss"]] == [both.returncode, backends]


def test_show_names_the_file_before_it_says_what_is_wrong_with_it(run: Run, config: Path) -> None:
    put(config, '[profiles.work]\nbackend = "memory"\ncolour = "blue"\n')
    unknown = run("config", "show", "--profile", "work")
    config.chmod(0o644)
    exposed = run("config", "show")

    for finished, said in ((unknown, "has no setting colour"), (exposed, f"chmod 600 {config}")):
        assert 2 == finished.returncode
        assert f"file      {config}\n" in finished.stdout
        assert said in finished.stderr


# --- use --------------------------------------------------------------------------------------------------------------


def test_a_profile_in_the_environment_does_not_forbid_another_backend(run: Run, tmp_path: Path, config: Path) -> None:
    put(config, '[profiles.work]\nbackend = "minio"\nendpoint = "nowhere"\n')
    (tmp_path / "data").mkdir()

    more = {"STORAGEKIT_PROFILE": "work", "STORAGEKIT_LOCAL_ROOT": str(tmp_path)}
    assert 0 == run("ls", "local://data", **more).returncode
    refused = run("ls", "local://data", "--profile", "work", **more)

    assert 2 == refused.returncode
    assert f"profile work in {config} is of the backend 'minio', and what was asked for is 'local'" in refused.stderr


def test_completion_offers_profiles_and_says_nothing_of_a_bad_file(run: Run, config: Path) -> None:
    put(config, '[profiles.work]\nbackend = "memory"\n[profiles.wild]\nbackend = "memory"\n[profiles.here]\n')

    def offered(begun: str, **more: str) -> tuple[list[str], str]:
        words = f"storagekit ls --profile {begun}"
        asked = {"_STORAGEKIT_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "3", **more}
        finished = subprocess.run(
            [Path(sys.executable).with_name("storagekit")],
            env={**os.environ, "STORAGEKIT_CONFIG": str(config), "HOME": str(config.parent), **asked},
            capture_output=True,
            text=True,
            check=False,
        )
        return finished.stdout.split(), finished.stderr

    assert (["work", "wild"], "") == offered("w")
    assert (["mc:x"], "") == offered("mc", MC_HOST_x="https://a:b@host")
    config.chmod(0o644)
    assert ([], "") == offered("w")


@pytest.mark.integration
class TestMinio:
    @pytest.fixture
    def bucket(self, minio: S3Server) -> str:
        name = f"profiles-{uuid.uuid4().hex[:8]}"
        with StorageClient(
            "minio", endpoint=minio.endpoint, access_key=minio.access_key, secret_key=minio.secret_key, environment={}
        ) as client:
            client.create_bucket(name)
            client.put_object("key", b"bytes", bucket=name)
        return name

    def test_a_profile_that_was_set_reaches_the_server(self, run: Run, minio: S3Server, bucket: str) -> None:
        settings = [f"endpoint={minio.endpoint}", f"access_key={minio.access_key}", f"region={minio.region}"]
        made = run("config", "set", "default", "backend=minio", *settings, stdin=f"{minio.secret_key}\n")

        assert 0 == made.returncode
        for uri in (f"minio://{bucket}/key", f"s3://{bucket}/key"):
            assert ("bytes", "") == ((finished := run("cat", uri)).stdout, finished.stderr)

    def test_an_alias_of_mc_reaches_the_server(self, run: Run, minio: S3Server, bucket: str, tmp_path: Path) -> None:
        alias = {"url": minio.endpoint, "accessKey": minio.access_key, "secretKey": minio.secret_key}
        document = {"version": "10", "aliases": {"lab": {**alias, "api": "s3v4", "path": "auto"}}}
        put(tmp_path / ".mc" / "config.json", json.dumps(document))
        address = minio.endpoint.replace("://", f"://{minio.access_key}:{minio.secret_key}@")

        by_file = run("cat", f"minio://{bucket}/key", "--profile", "mc:lab")
        by_variable = run("cat", f"minio://{bucket}/key", STORAGEKIT_PROFILE="mc:env", MC_HOST_env=address)

        assert [("bytes", "")] * 2 == [(one.stdout, one.stderr) for one in (by_file, by_variable)]
