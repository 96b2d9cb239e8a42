"""The dialects of OBS: its own, and Amazon's for clients that sign as V2 or V4 do. They differ in words only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Dialect:
    """``prefix`` begins every header of its own; ``storage_classes`` are its words for OBS's."""

    name: str
    prefix: str
    namespace: str
    storage_classes: Mapping[str, str]

    def header(self, name: str) -> str:
        """Return a header's name in this dialect."""
        return self.prefix + name

    def storage_class(self, word: str) -> str:
        """Return its word for one of OBS's storage classes."""
        return self.storage_classes.get(word, word)

    def own_storage_class(self, word: str) -> str:
        """Return OBS's word for one of its own."""
        return next((own for own, theirs in self.storage_classes.items() if theirs == word), word)


OBS = Dialect("obs", "x-obs-", "http://obs.myhwclouds.com/doc/2015-06-30/", MappingProxyType({}))
AMZ = Dialect(
    "amz",
    "x-amz-",
    "http://s3.amazonaws.com/doc/2006-03-01/",
    MappingProxyType({"WARM": "STANDARD_IA", "COLD": "GLACIER"}),
)
