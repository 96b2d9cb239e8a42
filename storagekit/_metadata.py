"""User metadata as it is stored: percent-encoded where it is not plain ASCII, with our own entries beside it.

``storagekittoken`` names the upload that published the object and ``storagekitsource`` the source it came from:
a lost answer to complete is judged by them. Both are hidden from callers. ``mtime`` (seconds since 1970, as rclone
writes it) stays visible.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote, unquote

from storagekit._names import check_metadata_name
from storagekit.errors import InvalidNameError
from storagekit.types import ObjectInfo

TOKEN = "storagekittoken"  # noqa: S105  # the name of a metadata entry
SOURCE = "storagekitsource"
MTIME = "mtime"

_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


def encode(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return metadata as it is stored. Raises InvalidNameError for a name or value that is refused or ours."""
    if not isinstance(metadata, Mapping):
        raise InvalidNameError(f"metadata is {type(metadata).__name__}", hint="Give a dictionary of texts")
    for name, value in metadata.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InvalidNameError(f"the metadata {name!r} is {type(value).__name__}, not text", hint="Give texts")
        check_metadata_name(name)
        if name in (TOKEN, SOURCE):
            raise InvalidNameError(f"the metadata name {name!r} is reserved", hint="Choose another name")
    return carry(metadata)


def carry(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return another object's metadata as it is stored: under the names that it has there."""
    try:
        return {name: quote(value.strip(), safe=_PLAIN) for name, value in metadata.items()}
    except UnicodeEncodeError as error:
        raise InvalidNameError(
            "a metadata value is not valid Unicode", hint="Give text without lone surrogates"
        ) from error


def stamp(metadata: Mapping[str, str], token: str, source: str, mtime: float | None) -> dict[str, str]:
    """Return stored metadata with our own entries; an ``mtime`` that the caller gave wins."""
    ours = {TOKEN: token, SOURCE: source}
    when = {MTIME: f"{mtime:.9f}".rstrip("0").rstrip(".")} if mtime is not None else {}
    return {**when, **metadata, **ours}


def present(info: ObjectInfo) -> ObjectInfo:
    """Return an object's facts as callers see them: decoded if we wrote it, our own entries hidden."""
    if TOKEN not in info.metadata:
        return info
    shown = {name: unquote(value) for name, value in info.metadata.items() if name not in (TOKEN, SOURCE)}
    return replace(info, metadata=shown)


def digest(metadata: Mapping[str, str]) -> str:
    """Return a digest by which a later run sees whether the caller gave the same metadata."""
    return hashlib.sha256(json.dumps(dict(metadata), sort_keys=True).encode()).hexdigest()
