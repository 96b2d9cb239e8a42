"""What a draft already holds: a small text file beside it, written only after a range's bytes are in the draft.

    {"etag": "9b2c...", "range": 16777216, "schema": 1, "size": 1073741824}
    3 995dc9bbdf1939fa
    1 2e0f6a41c0de81b7

The first line is the plan; each further one a finished range: its number and the CRC-64 of its bytes. Lines are
appended with one ``write`` each, so that workers need no lock and a kill tears at most the last one. Nothing is flushed
to the disk: a killed process loses no write, and after a power failure the checksums say which ranges got there.

Reading is strict: a first line that is not this plan, or a line that is not one of ours, and nothing counts.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from storagekit._plan import Plan
from storagekit.types import ObjectInfo

_SCHEMA = 1
_RANGE = re.compile(rb'"range": ([1-9][0-9]{0,15}),')
_LINE = re.compile(rb"([1-9][0-9]{0,15}) ([0-9a-f]{16})")
_MOST_BYTES = 64 * 1024**2
"""No journal is as long: 24 bytes a line make 2.7 million ranges, 43 TiB in ranges of 16 MiB."""


@dataclass
class Journal:
    """A draft's finished ranges: number to CRC-64 of the bytes, 16 hex digits."""

    path: Path
    plan: Plan
    ranges: dict[int, str] = field(default_factory=dict)

    def add(self, number: int, crc: str) -> None:
        """Note one finished range. From any thread."""
        with contextlib.suppress(FileNotFoundError):  # swept as a journal without a draft, in the moment it got one
            _append(self.path, os.O_WRONLY, f"{number} {crc}\n".encode())
        self.ranges[number] = crc


def start(path: Path, info: ObjectInfo, plan: Plan) -> Journal:
    """Return a new, empty journal in place of what is at ``path``."""
    path.unlink(missing_ok=True)  # not emptied: a worker of an earlier run may still have it open
    _append(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _head(info, plan.part_size) + b"\n")
    return Journal(path, plan)


def resume(path: Path, info: ObjectInfo, most: int) -> Journal | None:
    """Return the journal at ``path``, cut behind its last whole line; None where it is not to be trusted.

    That is: missing, somebody else's, of another version, with ranges of more than ``most`` bytes, or garbage.
    """
    data = _read(path)
    whole = data[: data.rfind(b"\n") + 1]
    head, _, lines = whole.partition(b"\n")
    plan = _plan(head, info)
    ranges = parse(lines, plan.count) if plan and plan.part_size <= most else None
    if plan is None or ranges is None:
        return None
    if whole != data:
        os.truncate(path, len(whole))
    return Journal(path, plan, dict(ranges))


def parse(lines: bytes, count: int) -> Mapping[int, str] | None:
    """Return the ranges that ``lines`` name, the last word on each; None for anything but ranges 1 to ``count``."""
    ranges = {}
    for line in lines.splitlines():
        found = _LINE.fullmatch(line)
        if found is None or int(found[1]) > count:
            return None
        ranges[int(found[1])] = found[2].decode()
    return ranges


def _head(info: ObjectInfo, range_size: int) -> bytes:
    facts = {"schema": _SCHEMA, "etag": info.etag, "size": info.size, "range": range_size}
    return json.dumps(facts, sort_keys=True).encode()


def _plan(line: bytes, info: ObjectInfo) -> Plan | None:
    """Return the plan that the first line holds, if it is one that we would write for this version."""
    found = _RANGE.search(line)
    if found is None or line != _head(info, int(found[1])):
        return None
    return Plan(info.size, int(found[1]))


def _read(path: Path) -> bytes:
    """Return the journal's bytes; none where it is missing or not our own plain file."""
    with contextlib.suppress(OSError), os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        if os.fstat(file.fileno()).st_uid == os.geteuid():
            return file.read(_MOST_BYTES)
    return b""


def _append(path: Path, flags: int, data: bytes) -> None:
    file = os.open(path, flags | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    try:
        os.write(file, data)
    finally:
        os.close(file)
