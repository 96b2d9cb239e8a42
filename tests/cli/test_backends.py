"""``storagekit backends``, as a user sees it: in a wide and a narrow terminal, in a pipe, as events."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

PLUGIN = """
from storagekit import hookimpl
from storagekit.driver import DriverSpec

@hookimpl
def storagekit_drivers():
    return [DriverSpec({spec})]
"""
COMMAND = [sys.executable, "-m", "storagekit", "backends"]
LONG = "A backend whose summary is longer than anybody would like to read in a narrow terminal"
PIP = "Run: pip install 'storagekit-needs[sdk-of-a-vendor-with-a-long-name,and-its-friends]'"


@pytest.fixture
def plugins(tmp_path: Path) -> dict[str, str]:
    """An environment with a plugin of each kind."""
    hint = PIP.partition("'")[2].rstrip("'")
    install(tmp_path, "needs", f"'needs', {LONG!r}, print, install_hint={hint!r}, requires=('sk_no_sdk',)")
    install(tmp_path, "one", "'twin', 'One', print", aliases="twin")
    install(tmp_path, "two", "'twin', 'Two', print", aliases="twin")
    install(tmp_path, "off", "'off', 'Off', print")
    install(tmp_path, "broken", "1 / 0")
    return {**os.environ, "PYTHONPATH": str(tmp_path), "HOME": str(tmp_path), "STORAGEKIT_DISABLE_PLUGINS": "off"}


def install(home: Path, name: str, spec: str, aliases: str = "") -> None:
    (home / f"sk_{name}.py").write_text(PLUGIN.format(spec=spec))
    info = home / f"sk_{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: sk-{name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[storagekit]\n{aliases or name} = sk_{name}\n")


def in_a_terminal(environment: dict[str, str], columns: int) -> list[str]:
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
    with subprocess.Popen(COMMAND, env=environment, stdin=side, stdout=side, stderr=side) as process:
        os.close(side)
        said = bytearray()
        while chunk := read(main):
            said += chunk
    os.close(main)
    assert process.returncode == 0, said.decode()
    return said.decode().splitlines()


def read(main: int) -> bytes:
    try:
        return os.read(main, 65536)
    except OSError:  # how Linux says that the other side is closed
        return b""


@pytest.mark.parametrize("columns", [80, 200])
def test_no_line_is_wider_than_the_terminal_but_a_command_to_copy(plugins: dict[str, str], columns: int) -> None:
    lines = in_a_terminal(plugins, columns)
    assert [] == [line for line in lines if len(line) > columns and PIP not in line]
    assert 1 == sum(line.strip() == PIP for line in lines)
    for words in (["needs", "missing", "sk-needs 1.0"], ["twin", "duplicate", "sk-two 1.0"]):
        assert [line for line in lines if line.split()[: len(" ".join(words).split())] == " ".join(words).split()]


def test_a_wide_terminal_has_room_for_a_line_each(plugins: dict[str, str]) -> None:
    assert [line for line in in_a_terminal(plugins, 200) if line.endswith(LONG)]
    assert [] == [line for line in in_a_terminal(plugins, 80) if LONG in line]


def test_in_a_pipe_no_line_is_broken(plugins: dict[str, str]) -> None:
    done = subprocess.run(COMMAND, env={**plugins, "COLUMNS": "40"}, capture_output=True, text=True, check=True)
    assert [line for line in done.stdout.splitlines() if line.startswith("needs") and line.endswith(LONG)]
    assert "" == done.stderr


def test_every_plugin_is_an_event_with_what_is_wrong_with_it(plugins: dict[str, str]) -> None:
    done = subprocess.run([*COMMAND, "--json"], env=plugins, capture_output=True, text=True, check=True)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    found = {(event["backend"], event["distribution"]): event for event in events}

    assert {"backend"} == {event["event"] for event in events}
    assert {
        ("needs", "sk-needs"): "missing",
        ("twin", "sk-one"): "duplicate",
        ("twin", "sk-two"): "duplicate",
        ("off", "sk-off"): "disabled",
        ("broken", "sk-broken"): "broken",
    } == {name: event["state"] for name, event in found.items() if event["distribution"].startswith("sk-")}
    assert ["ZeroDivisionError: division by zero"] == found["broken", "sk-broken"]["problems"]
    assert PIP == found["needs", "sk-needs"]["hint"]
    assert "1.0" == found["needs", "sk-needs"]["version"]
