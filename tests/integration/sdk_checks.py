"""What judges of every vendor's SDK share: a list of checks, comparisons that say what they found, and how all are run.

Needs nothing but Python: it runs beside the SDK, in an environment that holds nothing else.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import random
import socket
import sys
import time
import traceback
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

PART = 100 * 1024
"""The least that a part may have which is not the last, in bytes; in OBS and in OSS."""


class Scene(Protocol):
    """What a check gets; it has a bucket of its own."""

    def fresh_bucket(self) -> str: ...


B = TypeVar("B", bound=Scene)


@dataclass(frozen=True)
class Checks(Generic[B]):
    """Every check by its name, with the SDK's version from which on it can be made."""

    all: dict[str, tuple[tuple[int, ...], Callable[[B], None]]] = field(default_factory=dict)

    def check(self, since: tuple[int, ...] = ()) -> Callable[[Callable[[B], None]], Callable[[B], None]]:
        """Register a check."""

        def register(function: Callable[[B], None]) -> Callable[[B], None]:
            name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
            assert name not in self.all
            self.all[name] = since, function
            return function

        return register

    def known(self, version: tuple[int, ...]) -> dict[str, Callable[[B], None]]:
        """Those that can be made in this version."""
        return {name: function for name, (since, function) in self.all.items() if since <= version}

    def run(self, scene: B, version: tuple[int, ...], told: Mapping[str, str]) -> None:
        """Run them; print one line of JSON each, then one that sums up and repeats what is `told` of the SDK."""
        known, failed = self.known(version), 0
        for name, function in known.items():
            began = time.monotonic()
            problem = run(scene, function)
            failed += problem is not None
            say(check=name, problem=problem, seconds=round(time.monotonic() - began, 3))
        missing = sorted(set(self.all) - set(known))
        say(ran=len(known), failed=failed, not_in_this_version=missing, python=platform.python_version(), **told)


def run(scene: B, function: Callable[[B], None]) -> str | None:
    """None, or what was wrong and where."""
    try:
        scene.fresh_bucket()
        function(scene)
    except Exception as error:  # noqa: BLE001 - whatever the SDK raises is a finding, like a comparison that failed
        ours = [
            frame for frame in traceback.extract_tb(error.__traceback__) if "_sdk" in Path(frame.filename).parent.name
        ]
        place = ours[-1] if ours[-1].name not in ("status", "equal") or len(ours) < 2 else ours[-2]
        return f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
    return None


def say(**line: Any) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def resolve_to_loopback(domain: str) -> None:
    """No DNS knows the domain: it and every name below it are this machine."""
    plain = socket.getaddrinfo

    def patched(host: Any, *arguments: Any, **keywords: Any) -> Any:
        ours = isinstance(host, str) and (host == domain or host.endswith(f".{domain}"))
        return plain("127.0.0.1" if ours else host, *arguments, **keywords)

    socket.getaddrinfo = patched


def numbers(version: str) -> tuple[int, ...]:
    """`(3, 26, 6)` for `3.26.6`."""
    return tuple(map(int, version.split(".")))


def equal(found: object, expected: object, what: str) -> None:
    """Compare, and say what differed."""
    if found != expected:
        raise AssertionError(f"{what}: {shown(found)}, not {shown(expected)}")


def shown(value: object) -> str:
    """Short enough for a line."""
    text = repr(value)
    return text if len(text) < 400 else f"{text[:400]}... ({len(text):,} characters)"


def pattern(size: int, seed: int = 0) -> bytes:
    """Bytes that look random and are the same for the same seed."""
    return random.Random(seed).randbytes(size)


def quoted_md5(data: bytes) -> str:
    """An object's ETag, as the header has it in OBS."""
    return f'"{bare_md5(data)}"'


def bare_md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def content_md5(data: bytes) -> str:
    """The header's value."""
    return b64encode(hashlib.md5(data).digest()).decode()


def crc64(data: bytes) -> int:
    """CRC-64/ECMA as OBS and OSS have it: reflected, all ones before and after. By nobody's code but ours."""
    register = ONES
    for byte in data:
        register = register >> 8 ^ CRC_TABLE[(register ^ byte) & 255]
    return register ^ ONES


def crc_entry(register: int) -> int:
    for _ in range(8):
        register = register >> 1 ^ (0xC96C5795D7870F42 if register & 1 else 0)
    return register


ONES = 0xFFFFFFFFFFFFFFFF
CRC_TABLE = [crc_entry(byte) for byte in range(256)]


class Trickle(io.RawIOBase):
    """A stream that knows neither its size nor how to go back, and gives less than it is asked for."""

    def __init__(self, data: bytes, step: int = 7001) -> None:
        self._data, self._step, self._at = data, step, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        count = min(self._step, len(self._data) - self._at, *([size] if size >= 0 else []))
        self._at += count
        return self._data[self._at - count : self._at]
