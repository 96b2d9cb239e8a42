"""The help of every command: quick by what it loads, with examples, and readable at 80 columns; and completion."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from storagekit.cli.main import app

ENGINE = {
    "storagekit.client",
    "storagekit.uploader",
    "storagekit.plugins",
    "storagekit.testing",
    "storagekit_minio",
}
LIBRARIES = {"minio", "requests", "urllib3", "rich", "pytest", "hypothesis", "http.client", "tomlkit"}


def commands(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command and sub-command with the words that call it."""
    group = get_command(app) if group is None else group
    for name, command in group.commands.items():
        yield (*path, name), command
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))


COMMANDS = [words for words, _ in commands()]


def help_of(*words: str) -> str:
    run = subprocess.run(
        [sys.executable, "-m", "storagekit", *words, "--help"],
        env={"COLUMNS": "80", "PATH": str(Path(sys.executable).parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout


def test_help_loads_neither_engine_nor_sdk() -> None:
    program = (
        "import contextlib, io, sys\n"
        "from storagekit.__main__ import main\n"
        f"for words in {[(), *COMMANDS]!r}:\n"
        "    sys.argv = ['storagekit', *words, '--help']\n"
        "    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "        main()\n"
        "print(*sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert set() == (ENGINE | LIBRARIES) & set(run.stdout.split())


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_says_what_it_does_and_shows_how(words: tuple[str, ...]) -> None:
    command = dict(commands())[words]
    said = command.help or ""

    assert said.partition("\n")[0].endswith(".")
    if not hasattr(command, "commands"):
        examples = said.rpartition("\b\n")[2].splitlines()
        assert examples[0] in ("Example:", "Examples:")
        assert examples[1:]
        for line in examples[1:]:
            assert f"storagekit {' '.join(words)}" in line
            assert len(line) <= 78
        assert [] == [option.name for option in command.params if not getattr(option, "help", "x")]


@pytest.mark.parametrize("words", [("cp",), ("uploads", "abort"), ("config", "check")], ids=" ".join)
def test_help_fits_eighty_columns(words: tuple[str, ...]) -> None:
    assert [] == [line for line in help_of(*words).splitlines() if len(line) > 80]


def test_the_first_page_lists_every_command() -> None:
    said = help_of()

    for words in COMMANDS:
        if len(words) == 1:
            assert f"\n  {words[0]} " in said


def completed(program: str, line: str) -> list[str]:
    """Return what bash itself offers after ``line``, with the script that the program gives out for it."""
    home = Path(sys.executable).parent
    script = (
        f'PATH="{home}:$PATH"\n'
        f"source <({program} --show-completion bash)\n"
        f"COMP_WORDS=({line}) COMP_CWORD=$(( {len(line.split())} - 1 ))\n"
        f'_{program}_completion {program}\nprintf "%s\\n" "${{COMPREPLY[@]}}"\n'
    )
    run = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={"SHELL": "/bin/bash", "PATH": "/usr/bin:/bin", "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.split()


@pytest.mark.parametrize("program", ["storagekit", "sk"])
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("{} de", ["demo"]),
        ("{} cp --part", ["--part-size"]),
        ("{} ls --log-level de", ["debug"]),
        ("{} uploads ab", ["abort"]),
    ],
)
def test_bash_completes_commands_options_and_values(program: str, line: str, offered: list[str]) -> None:
    assert offered == completed(program, line.format(program))


@pytest.mark.parametrize("shell", ["zsh", "fish", "powershell"])
def test_other_shells_get_a_script(shell: str) -> None:
    run = subprocess.run(
        [Path(sys.executable).with_name("storagekit"), "--show-completion", shell],
        env={"PATH": "/usr/bin:/bin", "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "_STORAGEKIT_COMPLETE" in run.stdout


@pytest.mark.parametrize(
    "words", [["backends"], ["config", "check", "memory://b"], ["config", "show"], ["ls", "memory://"]]
)
def test_a_closed_standard_output_is_no_crash(words: list[str], tmp_path: Path) -> None:
    command = " ".join(["storagekit", *words, ">&-"])
    run = subprocess.run(
        ["sh", "-c", command],
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("option", ["", "--json"])
def test_a_full_disk_as_standard_output_is_said(option: str, tmp_path: Path) -> None:
    run = subprocess.run(
        ["sh", "-c", f"storagekit config show {option} > /dev/full"],
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert 1 == run.returncode
    assert "No space left on device" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("where", ["2>/dev/full", "2>&-"])
def test_standard_error_that_takes_nothing_neither_stops_a_transfer_nor_changes_its_exit_code(
    where: str, tmp_path: Path
) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "file").write_bytes(b"x" * 3_000_000)
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "STORAGEKIT_LOCAL_ROOT": str(tmp_path),
    }

    def run(command: str) -> int:
        finished = subprocess.run(["sh", "-c", f"{command} {where}"], env=environment, cwd=tmp_path, check=False)
        return finished.returncode

    assert 0 == run("storagekit cp file local://b/k --part-size 1MiB")
    assert 3_000_000 == (tmp_path / "b" / "k").stat().st_size
    assert 3 == run("storagekit stat local://b/nothing")
