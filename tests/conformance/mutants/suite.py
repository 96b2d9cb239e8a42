"""The conformance suite on every mutant, and on the memory driver itself as the control.

Not collected by itself: ``test_mutants.py`` runs it in processes of its own, with the plugin ``verdicts``, which calls
each test once for every driver.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from storagekit.drivers.memory import LIMITS, MemoryDriver, MemoryStore
from storagekit.testing.conformance import DriverConformance, Harness
from storagekit.types import ObjectInfo
from tests.conformance.mutants import copies, listings, objects, parts, uploads
from tests.conformance.mutants.watched import Crashes, Watched

MUTANTS = (*objects.MUTANTS, *copies.MUTANTS, *parts.MUTANTS, *uploads.MUTANTS, *listings.MUTANTS)


class Crashing(MemoryDriver):
    """no mutant: head fails with a KeyError, which the suite alone would take for a refusal of the wrong kind"""

    def head(self, bucket: str, key: str) -> ObjectInfo:
        return self.store.buckets[bucket].blobs[key].info


DRIVERS: tuple[type[MemoryDriver], ...] = (MemoryDriver, Crashing, *MUTANTS)
STRICT = replace(LIMITS, min_part=5000)  # as S3 is: what is too small is refused


def make_harness(driver_class: type[MemoryDriver], crashes: Crashes) -> Harness:
    """Return a fresh harness for one test on one driver; what crashes in the driver is noted in ``crashes``."""
    store = MemoryStore()

    def make_driver() -> Watched:
        return Watched(driver_class(STRICT, store=store), crashes)

    driver = make_driver()
    driver.create_bucket("bucket")
    return Harness(driver, "bucket", make_driver)


class TestMutants(DriverConformance):
    @pytest.fixture
    def harness(self) -> None:
        """The plugin brings one for each of ``DRIVERS``."""
