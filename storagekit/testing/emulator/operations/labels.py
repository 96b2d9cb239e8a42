"""What a service keeps with an object besides its bytes, and how that fits into a driver's metadata.

The user's own metadata stay as they are. All the rest is one further entry, JSON, which clients do not see: headers
like Cache-Control, the storage class, and which upload made the object.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from storagekit.testing.emulator.operations.dialect import Dialect
from storagekit.testing.emulator.request import Request
from storagekit.types import ObjectInfo, WriteOptions

STANDARD = "STANDARD"

_ENTRY = "storagekit-emulator"
_KEPT = ("cache-control", "content-disposition", "content-encoding", "content-language", "expires")


@dataclass(frozen=True)
class Labels:
    """``token`` names the upload that made the object in the ledger; ``begun`` says when that began, in ns."""

    content_type: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    storage_class: str = STANDARD
    token: str = ""
    begun: int = 0

    def options(self, *, if_absent: bool = False) -> WriteOptions:
        """Return what a driver is to store."""
        entry = {
            "headers": dict(self.headers),
            "storage_class": self.storage_class,
            "token": self.token,
            "begun": self.begun,
        }
        metadata = {**self.metadata, _ENTRY: json.dumps(entry, sort_keys=True)}
        return WriteOptions(self.content_type, metadata, if_absent=if_absent)


def labels_of(info: ObjectInfo) -> Labels:
    """Return the labels of an object; those of one that another program put there are its content type only."""
    metadata = dict(info.metadata)
    entry = json.loads(metadata.pop(_ENTRY, "{}"))
    return Labels(info.content_type, metadata, **entry)


def labels_in(request: Request, dialect: Dialect) -> Labels:
    """Return what a request says of the object that it makes."""
    prefix = dialect.header("meta-")
    return Labels(
        content_type=request.header("content-type"),
        metadata={name.removeprefix(prefix): value for name, value in request.prefixed(prefix).items()},
        headers={name: value for name in _KEPT if (value := request.header(name)) is not None},
        storage_class=dialect.own_storage_class(request.header(dialect.header("storage-class")) or STANDARD),
    )


def object_type(labels: Labels) -> str:
    """Return OSS's word for how an object was made."""
    return "Multipart" if labels.token else "Normal"
