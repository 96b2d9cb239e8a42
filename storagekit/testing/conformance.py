"""The conformance suite: what every driver has to pass, and the only definition of a driver that counts.

To put a driver through it, subclass and say how a fresh bucket is made:

    # test_webdav.py
    import pytest
    from storagekit.testing.conformance import DriverConformance, Harness
    from storagekit_webdav import WebdavDriver

    class TestWebdav(DriverConformance):
        @pytest.fixture
        def harness(self, server):
            def make_driver():
                return WebdavDriver(server.url)

            driver, bucket = make_driver(), f"b-{uuid4().hex}"
            driver.create_bucket(bucket)
            yield Harness(driver, bucket, make_driver, new_bucket=f"n-{uuid4().hex}")
            for info in driver.list(bucket).objects:
                driver.delete(bucket, info.key)
            driver.delete_bucket(bucket)

That is all: the tests are methods of ``DriverConformance`` and ask for nothing but ``harness``. What backends may
differ in is said by ``driver.limits`` and by the fields of ``Harness``; no test is skipped for it, each asserts
one thing or the other. A driver need not test in its own suite what is tested here; its vendor's error codes it must.

The groups, unhappy cases first: bodies that break their promise, uploads that are gone, things that are missing;
then objects, reads, copies, buckets, listings, uploads, and threads. Parts have the smallest size that
``limits.min_part`` allows, 4 KiB where it allows less; the whole suite moves about 0.4 GB where that is 5 MiB.

That the suite itself is worth something is proven by drivers with one fault each, all of which it finds:
docs/reference/conformance.md names them, and the tests that each of them fails.
"""

from __future__ import annotations

import pytest

_GROUPS = ("base", "copies", "failures", "listing", "objects", "options", "races", "uploads")
pytest.register_assert_rewrite(*(f"storagekit.testing._conformance_{group}" for group in _GROUPS))

from storagekit.testing._conformance_base import Harness, failure  # noqa: E402  # only now are asserts rewritten
from storagekit.testing._conformance_copies import CopyPartTests, CopyTests  # noqa: E402
from storagekit.testing._conformance_failures import BodyFailures, GoneFailures, MissingFailures  # noqa: E402
from storagekit.testing._conformance_listing import ListTests  # noqa: E402
from storagekit.testing._conformance_objects import BucketTests, ObjectTests, ReadTests  # noqa: E402
from storagekit.testing._conformance_options import (  # noqa: E402
    AgreedChecksumTests,
    ConditionTests,
    StorageClassTests,
)
from storagekit.testing._conformance_races import RaceTests  # noqa: E402
from storagekit.testing._conformance_uploads import UploadListingTests, UploadTests  # noqa: E402
from storagekit.testing.bodies import BodyBroke, BytesBody, digest, pattern  # noqa: E402


class DriverConformance(
    BodyFailures,
    GoneFailures,
    MissingFailures,
    ObjectTests,
    ReadTests,
    CopyTests,
    BucketTests,
    AgreedChecksumTests,
    ConditionTests,
    StorageClassTests,
    ListTests,
    UploadTests,
    CopyPartTests,
    UploadListingTests,
    RaceTests,
):
    """All the tests; a subclass brings the fixture ``harness``."""


__all__ = ["BodyBroke", "BytesBody", "DriverConformance", "Harness", "digest", "failure", "pattern"]
