"""The page of JSON events says what the commands say: each runs, and what it prints is looked up in the page."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
from collections import defaultdict
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from storagekit import StorageClient
from storagekit.cli import main
from storagekit.errors import Context
from tests.docs.command_pages import commands
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs/reference/json-events.md").read_text()
Events = dict[str, set[str]]
"""The fields of each kind of event."""

#: Section of the page, and a command of each way to get there. Those that fail are named with their exit code.
SCENARIOS: list[tuple[str, str]] = [
    ("cp", "cp big.bin local://datasets/raw/"),
    ("cp", "cp --dry-run big.bin local://datasets/raw/"),
    ("cp", "cp --verify local://datasets/there.bin back.bin"),
    ("cp -r", "cp -r tree local://datasets/tree"),
    ("cp -r", "cp -r --dry-run tree local://datasets/tree"),
    ("cp -r", "cp -r clash local://datasets/"),
    ("ls", "ls local://"),
    ("ls", "ls local://datasets"),
    ("stat", "stat local://datasets/there.bin"),
    ("rm", "rm local://datasets/there.bin"),
    ("rm", "rm --dry-run local://datasets/there.bin"),
    ("rm -r", "rm -r --dry-run local://datasets/below"),
    ("rm -r", "rm -r --yes local://datasets/below"),
    ("mb", "mb --dry-run local://another"),
    ("mb", "mb local://another"),
    ("rb", "rb --dry-run local://empty"),
    ("rb", "rb --yes local://empty"),
    ("rb", "rb --force --yes local://datasets"),
    ("uploads list", "uploads list local://datasets"),
    ("uploads abort", "uploads abort --prefix local://datasets"),
    ("uploads abort", "uploads abort local://datasets/live.bin --id UPLOAD_ID"),
    ("presign", "presign s3://datasets/x --endpoint-url http://127.0.0.1:1 --region r"),
    ("backends", "backends"),
    ("config show", "config show"),
    ("config show", "config show --profile work"),
    ("config set", "config set work root=/tmp/x"),
    ("config check", "config check local://datasets"),
    ("emulate obs", "emulate obs --port 0"),
    ("emulate oss", "emulate oss --port 0"),
]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bucket with objects, a prefix and an unfinished upload, and files to send."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("STORAGEKIT_LOCAL_ROOT", str(tmp_path / "buckets"))
    monkeypatch.delenv("STORAGEKIT_BACKEND", raising=False)
    monkeypatch.setenv("MINIO_ACCESS_KEY", "for-presign")
    monkeypatch.setenv("MINIO_SECRET_KEY", "for-presign-alone")
    monkeypatch.setenv("STORAGEKIT_CONFIG", str(tmp_path / "config.toml"))
    profile = tmp_path / "config.toml"
    profile.write_text(f'[profiles.work]\nbackend = "local"\nroot = "{tmp_path}/buckets"\n')
    profile.chmod(0o600)
    Path("big.bin").write_bytes(bytes(3 * 1024**2))
    Path("tree/below").mkdir(parents=True)
    Path("tree/one.txt").write_text("one")
    Path("tree/below/two.txt").write_text("two")
    Path("clash").mkdir()
    Path("clash/there.bin").symlink_to("nowhere")
    with StorageClient("local", "datasets", environment={"STORAGEKIT_LOCAL_ROOT": "buckets"}) as client:
        for bucket in ("datasets", "empty"):
            client.create_bucket(bucket)
        client.put_object("there.bin", b"here")
        client.put_object("below/three.txt", b"three")
        client.init_upload("live.bin", source_id="one")
        (unfinished,) = client.list_uploads()
    Path("upload-id").write_text(unfinished.upload_id)
    return tmp_path


def _end_what_serves() -> None:
    """Send the SIGTERM that ends a server, as soon as it has said that it wants it."""
    while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)


def run(command: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capsys.readouterr()
    if command.startswith("emulate"):
        threading.Thread(target=_end_what_serves, daemon=True).start()
    words = (command.replace("UPLOAD_ID", Path("upload-id").read_text()) if "UPLOAD_ID" in command else command).split()
    main._run_for_a_program([*words, "--json"])
    said = capsys.readouterr()
    return [json.loads(line) for line in said.out.splitlines()]


def kinds(events: list[dict[str, Any]]) -> Events:
    found: Events = defaultdict(set)
    for event in events:
        found[event["event"]] |= event.keys() - {"event"}
    return dict(found)


def documented(section: str) -> Events:
    """Return what the page says of a command: of every row of its tables the kind, and the fields named in it."""
    text = re.search(rf"^## `?{re.escape(section)}`?$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert text is not None, f"the page has no section `{section}`"
    found: Events = defaultdict(set)
    for kind, named in re.findall(r"^\| `(\w+)` \| (.*?) \| .* \|$", text[1], re.MULTILINE):
        found[kind] |= set(re.findall(r"`(\w+)`", named))
    return dict(found)


@pytest.mark.shows_secrets("presign says the URL", only="the captured output")
@pytest.mark.parametrize("section", sorted({section for section, _ in SCENARIOS}))
def test_a_command_says_what_the_page_says(machine: Path, capsys: pytest.CaptureFixture[str], section: str) -> None:
    seen: Events = defaultdict(set)
    for _, command in (scenario for scenario in SCENARIOS if scenario[0] == section):
        for kind, names in kinds(run(command, capsys)).items():
            seen[kind] |= names
    of_all = documented("Every command")

    assert documented(section) == {kind: names for kind, names in seen.items() if kind not in of_all}


def test_every_command_with_events_is_in_the_page() -> None:
    with_json = {name for name, command in commands().items() if any("--json" in p.opts for p in command.params)}

    assert with_json == {re.sub(" -r$", "", section) for section, _ in SCENARIOS}


def test_an_error_says_what_the_page_says(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = {field.name for field in fields(Context)}
    error = run("cp nothing.bin local://datasets/", capsys)[-1]

    assert error.keys() - {"event"} <= documented("Every command")["error"]
    assert documented("Every command")["error"] == {"error", "exit_code", "message", "hint"} | place
    assert {"text"} == documented("Every command")["note"]


def test_a_wrong_option_is_an_event_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert ["error"] == [event["event"] for event in run("ls --no-such-option local://datasets", capsys)]
