"""What a console block asks for, and whether what was printed is what it shows. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_MARK = "\x1e"  # what no command prints: it stands between the outputs of two commands, with the exit code


@dataclass(frozen=True)
class Command:
    """One command of a block, and the output that the page shows below it."""

    text: str
    shown: str

    @property
    def may_fail(self) -> bool:
        """Whether the page shows that this command fails."""
        return re.search(r'^(error: |Error: |interrupted$|\{"event": "error")', self.shown, re.MULTILINE) is not None


def commands(block: str) -> list[Command]:
    """Return the commands of a console block: lines after ``$``, gone on with behind a backslash, after ``>``.

    Whatever else follows is output, as the site takes it, which copies the commands alone.
    """
    pieces = re.split(r"^\$ ", block, flags=re.MULTILINE)
    assert not pieces[0].strip(), "a console block begins with $"
    return [_command(piece) for piece in pieces[1:]]


def _command(piece: str) -> Command:
    lines = piece.splitlines()
    end = next((index for index, line in enumerate(lines, 1) if not line.endswith("\\")), len(lines))
    return Command("\n".join([lines[0], *(line.removeprefix("> ") for line in lines[1:end])]), "\n".join(lines[end:]))


def script(wanted: list[Command]) -> str:
    """Return one program for bash that runs the commands and tells their outputs apart; ``$?`` is the last one's."""
    return "".join(_marked(index, command) for index, command in enumerate(wanted))


def _marked(index: int, command: Command) -> str:
    before = "(exit $code)\n" if index else ""
    return f"{before}{command.text}\ncode=$?; printf '{_MARK}%s{_MARK}' $code\n"


def outcomes(output: str) -> Iterator[tuple[str, int]]:
    """Yield what each command printed, and its exit code."""
    pieces = output.split(_MARK)
    for text, code in zip(pieces[::2], pieces[1::2], strict=False):
        yield text, int(code)


def agrees(shown: str, printed: str) -> bool:
    """Tell whether the output is the one that is shown: nothing stands for anything, ``...`` for anything in its place.

    A line that is only ``...`` stands for any number of lines, none included.
    """
    if not shown.strip():
        return True
    pattern = "".join(_pattern(line) for line in _plain(shown).split("\n"))
    return re.fullmatch(pattern, _plain(printed) + "\n", re.DOTALL) is not None


def _pattern(line: str) -> str:
    if line == "...":
        return r"(?:.*\n)?"
    return ".*?".join(re.escape(piece) for piece in line.split("...")) + r"\n"


def _plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def complaint(command: Command, printed: str, code: int) -> str | None:
    """Return what is wrong with the outcome of a command, or None."""
    if not agrees(command.shown, printed):
        return f"$ {command.text}\n--- the page shows\n{command.shown}\n--- it printed (exit code {code})\n{printed}"
    if code and not command.may_fail:
        return f"$ {command.text}\n--- ended with exit code {code}, and the page shows no error\n{printed}"
    return None
