"""Settings of a driver: text in, checked values out, and errors that name the setting and the variable to set.

The core resolves arguments, environment and profile to a mapping of text. It is checked before any SDK is imported;
an error never shows a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from storagekit.driver import Limits, Setting
from storagekit.errors import ConfigurationError

T = TypeVar("T")

WIRE_SETTINGS = (
    Setting("ca_file", env=("SSL_CERT_FILE",), help="PEM file of the authorities to trust", default="certifi's"),
    Setting("connect_timeout_s", help="seconds until a connection must stand", default="10"),
    Setting("read_timeout_s", help="seconds without a byte sent or received", default="60"),
    Setting("max_connections", help="connections kept open; more are made when more threads call", default="32"),
)
"""What ``Given.wires`` reads."""


@dataclass(frozen=True)
class Wires:
    """What connections to a service are like: TLS or not, whom it trusts, when they give up (seconds), how many stay.

    ``max_connections`` are kept open; more are made when more threads call.
    """

    secure: bool
    ca_file: str | None = None
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    max_connections: int = 32


class Given:
    """What one backend was told. Every method raises ConfigurationError for what is missing or makes no sense."""

    def __init__(self, backend: str, settings: Sequence[Setting], texts: Mapping[str, str]) -> None:
        self._backend = backend
        self._settings = settings
        self._texts = texts

    def text(self, name: str) -> str | None:
        """Return a setting as it is; None where it is not given or empty."""
        return self._texts.get(name) or None

    def required(self, name: str, more: str = "") -> str:
        """Return a setting that has to be there; ``more`` ends the advice."""
        value = self._texts.get(name, "").strip()
        if value:
            return value
        variables = next(setting.env for setting in self._settings if setting.name == name)
        raise ConfigurationError(
            f"the backend {self._backend!r} needs {name}",
            hint=f"Give {name}=, or set {' or '.join(variables)}, or put it into a profile{more}",
        )

    def optional(self, name: str, convert: Callable[[str], T], default: T) -> T:
        """Return what ``convert`` makes of a setting; it raises ValueError for what makes no sense."""
        text = self._texts.get(name, "").strip()
        if not text:
            return default
        try:
            return convert(text)
        except ValueError as error:
            raise ConfigurationError(f"the {self._backend} setting {name} is {text!r}: {error}") from error

    def wires(self, *, secure: bool) -> Wires:
        """Return what the connections are to be like."""
        return Wires(
            secure=secure,
            ca_file=self.text("ca_file"),
            connect_timeout_s=self.optional("connect_timeout_s", seconds, Wires.connect_timeout_s),
            read_timeout_s=self.optional("read_timeout_s", seconds, Wires.read_timeout_s),
            max_connections=self.optional("max_connections", count, Wires.max_connections),
        )

    def limits(self, usual: Limits) -> Limits:
        """Return a service's usual limits with the sizes and counts that were given instead."""
        return replace(
            usual,
            min_part=self.optional("min_part", count, usual.min_part),
            max_part=self.optional("max_part", count, usual.max_part),
            max_parts=self.optional("max_parts", count, usual.max_parts),
            max_key_bytes=self.optional("max_key_bytes", count, usual.max_key_bytes),
        )


def boolean(text: str) -> bool:
    """Return true or false."""
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if text.lower() not in known:
        raise ValueError("neither true nor false")
    return known[text.lower()]


def seconds(text: str) -> float:
    """Return a duration."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError("not a positive number of seconds")
    return value


def count(text: str) -> int:
    """Return a number of things, or of bytes."""
    value = int(text)
    if value < 1:
        raise ValueError("not a positive number")
    return value


def one_of(*known: str) -> Callable[[str], str]:
    """Return what takes one of these words."""

    def convert(text: str) -> str:
        if text not in known:
            raise ValueError(f"none of {', '.join(known)}")
        return text

    return convert
