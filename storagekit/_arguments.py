"""What the arguments of client and uploader must be: one rule per name, looked at before anything else happens.

Without it a number given as a bucket comes up as a TypeError of some SDK. Keys and metadata have rules of their own
(``_names.py``, ``_metadata.py``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from storagekit._clock import Cancel
from storagekit._context import UploadContext
from storagekit._retry import RetryPolicy
from storagekit.errors import ConfigurationError

_SHA256 = re.compile("[0-9a-fA-F]{64}")

Rule = tuple[Callable[[Any], bool], str]
"""Whether a value will do, and what to give instead."""


def check(**given: object) -> None:
    """Raise ConfigurationError for the first argument that breaks the rule of its name, naming it."""
    for name, value in given.items():
        holds, wanted = _RULES[name]
        if not holds(value):
            raise ConfigurationError(f"{name} is {_shown(value)}", hint=f"Give {wanted}")


def _shown(value: object) -> str:
    """Return a number as it is, and of anything else its type: it may be long, or a secret."""
    plain = value is None or isinstance(value, (bool, int, float))
    return repr(value) if plain else f"of type {type(value).__name__}"


def _of(*kinds: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kinds)


def _count(least: int) -> Callable[[Any], bool]:
    """A whole number, also one of another library's: what can be an index."""
    return lambda value: hasattr(value, "__index__") and not isinstance(value, bool) and value >= least


def _is_plain(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _or_none(rule: Rule) -> Rule:
    holds, wanted = rule
    return lambda value: value is None or holds(value), f"{wanted}, or None"


_TEXT: Rule = (_of(str), "text")
_is_path = _of(str, os.PathLike)
_PATH: Rule = (_is_path, "a path, or the text of one")
_SOME: Rule = (_count(1), "a whole number, at least 1")
_BYTES: Rule = (_count(0), "a whole number of bytes, not a negative one")
_FUNCTION: Rule = (callable, "a function")
_LENGTH: Rule = (lambda value: _is_plain(value) and value >= 0, "a number of bytes, as an int")  # goes into a record
_PART: Rule = (lambda value: _is_plain(value) and value >= 1, "a number of bytes, as an int of at least 1")
_DIGEST: Rule = (lambda value: isinstance(value, str) and _SHA256.fullmatch(value) is not None, "64 hex digits")
_LINE: Rule = (
    lambda value: isinstance(value, str) and value.isprintable() and value.isascii(),
    "a line of ASCII",
)

_RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "bucket": _or_none(_TEXT),
        "location": _or_none(_TEXT),
        "prefix": _TEXT,
        "delimiter": _TEXT,
        "start_after": _TEXT,
        "token": _or_none(_TEXT),
        "upload_id": _TEXT,
        "url": _TEXT,
        "headers": _or_none((_of(Mapping), "a dictionary of texts")),
        "file_path": _PATH,
        "directory": (lambda value: _is_path(value) and os.fspath(value) != "", "a path, or the text of one"),
        "keys": (_of(Iterable), "the keys in a list"),
        "max_keys": _SOME,
        "start": _BYTES,
        "length": _or_none(_BYTES),
        "chunk_size": _or_none(_PART),
        "part_size": _or_none(_PART),
        "size": _or_none(_LENGTH),
        "total_size": _or_none(_LENGTH),
        "sha256": _or_none(_DIGEST),
        "content_type": _or_none(_LINE),
        "storage_class": _or_none(_LINE),
        "source_id": _or_none(_TEXT),
        "workers": _SOME,
        "max_speed": _or_none(_SOME),
        "memory": _BYTES,
        "retry": _or_none((_of(RetryPolicy), "a RetryPolicy")),
        "on_progress": _or_none(_FUNCTION),
        "on_note": _or_none(_FUNCTION),
        "cancel": _or_none((_of(Cancel), "a storagekit.client.Cancel")),
        "older_than": _or_none((_of(timedelta), "a datetime.timedelta")),
        "on_outcome": _or_none(_FUNCTION),
        "ctx": (_of(UploadContext), "what init_upload returned"),
        "context": (_of(UploadContext), "what init_upload returned"),
    }
)
