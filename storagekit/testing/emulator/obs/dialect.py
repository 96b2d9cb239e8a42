"""The dialects of OBS: its own, and Amazon's for clients that sign as V2 or V4 do. They differ in words only."""

from __future__ import annotations

from types import MappingProxyType

from storagekit.testing.emulator.operations.dialect import Dialect

OBS = Dialect("obs", "x-obs-", "http://obs.myhwclouds.com/doc/2015-06-30/", owner_names=False, from_initiation=True)
AMZ = Dialect(
    "amz",
    "x-amz-",
    "http://s3.amazonaws.com/doc/2006-03-01/",
    MappingProxyType({"WARM": "STANDARD_IA", "COLD": "GLACIER"}),
    from_initiation=True,
)
