"""What a key and a bucket may be called: checked before any byte moves, on writing only.

Reading, listing and deleting pass names through: what exists must be reachable.
"""

from __future__ import annotations

import re

from storagekit.driver import Limits
from storagekit.errors import InvalidNameError
from storagekit.types import RESERVED_PREFIX

_METADATA_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*\Z")


def check_key(key: str, limits: Limits) -> None:
    """Raise InvalidNameError for a key that this backend, or storagekit, does not write.

    1 to ``limits.max_key_bytes`` bytes of UTF-8; no leading slash; no ``.`` or ``..`` segment (SDKs normalise the
    path behind the signature's back); nothing under ``.storagekit/``, where upload records live.
    """
    problem = key_problem(key, limits)
    if problem:
        raise InvalidNameError(f"the key {_short(key)} cannot be written: {problem}", hint="Choose another key")


def _short(key: object) -> str:
    """Return a key as an error shows it: 60 characters tell which one it is."""
    text = repr(key)
    return text if len(text) <= 64 else f"{text[:60]}...'"


def key_problem(key: str, limits: Limits) -> str | None:
    """Return what is wrong with ``key``, or None."""
    if not isinstance(key, str):
        return f"it is {type(key).__name__}, not text"
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    if not 1 <= length <= limits.max_key_bytes:
        return f"it has {length} bytes of UTF-8, and 1 to {limits.max_key_bytes} are allowed"
    if key.startswith("/"):
        return "it begins with a slash"
    if key.startswith(RESERVED_PREFIX) or key == RESERVED_PREFIX.rstrip("/"):
        return f"{RESERVED_PREFIX} is reserved for upload records"
    return _segment_problem(key.split("/"), limits)


def _segment_problem(segments: list[str], limits: Limits) -> str | None:
    if any(segment in (".", "..") for segment in segments):
        return "a segment is '.' or '..'"
    if not limits.empty_segments and "" in segments:
        return "it ends in a slash or has two in a row, which this backend cannot hold"
    longest = max(len(segment.encode()) for segment in segments)
    if limits.max_segment_bytes is not None and longest > limits.max_segment_bytes:
        return f"a segment has {longest} bytes, and this backend holds {limits.max_segment_bytes} between two slashes"
    return None


def check_metadata_name(name: str) -> None:
    """Raise InvalidNameError for a metadata name that some service would change or refuse."""
    if not _METADATA_NAME.match(name):
        raise InvalidNameError(
            f"the metadata name {name!r} cannot be used", hint="Use lower-case ASCII letters, digits, '-' and '_'"
        )
