"""All cases, by name."""

from __future__ import annotations

from storagekit.testing.hostile import faults, framing, pieces, versions

CASES = tuple(case for module in (versions, pieces, framing, faults) for case in module.cases())
"""Every case, in the order of the printed table."""
