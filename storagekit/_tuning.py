"""How a client transfers where its caller does not say: part size, workers, memory, checkpoint, speed. Pure.

These are settings like those of a driver, so that a profile can hold them; text in, numbers out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from storagekit._records import CHECKPOINTS
from storagekit._units import parse_rate, parse_size
from storagekit.driver import Setting
from storagekit.errors import ConfigurationError
from storagekit.uploader import DEFAULT_MEMORY, DEFAULT_WORKERS


@dataclass(frozen=True)
class Tuning:
    """Sizes are bytes, speed bytes per second; ``part_size`` None is 16 MiB, ``max_speed`` None no limit."""

    part_size: int | None = None
    workers: int = DEFAULT_WORKERS
    memory: int = DEFAULT_MEMORY
    checkpoint: str = "auto"
    max_speed: int | None = None

    def but(
        self,
        *,
        part_size: int | None,
        workers: int | None,
        memory: int | None,
        checkpoint: str | None,
        max_speed: int | None,
    ) -> Tuning:
        """Return this with what is given, where something is."""
        given = {
            "part_size": part_size,
            "workers": workers,
            "memory": memory,
            "checkpoint": checkpoint,
            "max_speed": max_speed,
        }
        known: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        return replace(self, **known)


def settings(part_size_env: tuple[str, ...] = ()) -> tuple[Setting, ...]:
    """Return the settings; a backend may have a variable for the part size."""
    return (
        Setting("part_size", part_size_env, help="bytes per part of new uploads, such as 16MiB", default="16MiB"),
        Setting("workers", help="parts under way at once", default="4"),
        Setting("memory", help="budget for all parts under way, such as 256MiB", default="256MiB"),
        Setting("checkpoint", help="where upload records are kept: auto, bucket, local, off", default="auto"),
        Setting("max_speed", help="bytes per second at most, such as 50MB/s", default="no limit"),
    )


def parse(values: Mapping[str, tuple[str, str]]) -> Tuning:
    """Return what the texts mean; each comes with its origin, and names that are no such setting are left alone.

    Raises ConfigurationError, naming the setting and the origin.
    """
    found: dict[str, Any] = {
        name: _parsed(name, *values[name], convert) for name, convert in _CONVERT.items() if name in values
    }
    return replace(Tuning(), **found)


def _parsed(name: str, text: str, origin: str, convert: Callable[[str], object]) -> object:
    try:
        return convert(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{name} of {origin}: {error.message}", hint=error.hint) from None


def _part_size(text: str) -> int:
    size = parse_size(text)
    if size < 1:
        raise ConfigurationError(f"{text!r} is no size of a part", hint="Write it like 16MiB")
    return size


def _workers(text: str) -> int:
    count = int(text) if text.strip().isdecimal() else 0
    if count < 1:
        raise ConfigurationError(f"{text!r} is no number of workers", hint="Give a whole number, at least 1")
    return count


def _checkpoint(text: str) -> str:
    if text not in CHECKPOINTS:
        raise ConfigurationError(f"{text!r} is no place for upload records", hint=f"Give {', '.join(CHECKPOINTS)}")
    return text


_CONVERT: Mapping[str, Callable[[str], object]] = MappingProxyType(
    {
        "part_size": _part_size,
        "workers": _workers,
        "memory": parse_size,
        "checkpoint": _checkpoint,
        "max_speed": parse_rate,
    }
)
