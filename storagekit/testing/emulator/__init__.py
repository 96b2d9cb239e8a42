"""Object storage services on this machine, strict ones: Huawei OBS and Alibaba Cloud OSS.

>>> with Emulator("obs", accounts={"AK": "SK"}) as emulator, resolving("obs.test"):
...     client = ObsClient("AK", "SK", server=emulator.endpoint)

Signatures, digests, clocks, names and limits are verified as the service does it, by code of our own: no vendor SDK
and no plugin is imported, so that an SDK's mistake is not repeated here. The data are kept by any storagekit driver: in
memory by default, in a directory with ``LocalDriver``.

How it works, module by module:

- ``listener``: a connection's bytes become a ``request``; an ``answer`` becomes bytes. ``body`` is read while it is
  stored, and proven before its last byte is handed on.
- ``obs.address``, ``obs.signature``, the same two of ``oss``, ``conditions``: pure functions of a request, with
  ``hosts`` and ``signing`` for what they have in common.
- ``obs.service`` and ``oss.service`` let a request in and find the operation, one of their own ``buckets`` or of
  ``operations``: objects, uploads and listings, in any ``operations.dialect``. They work on ``operations.store``: the
  driver, and a ``ledger`` of what drivers have no place for. ``throttle`` refuses what a test asks it to.
- ``names`` resolves ``*.obs.test`` without DNS, here or in a child; ``fixtures`` are for pytest.
"""

from storagekit.testing.emulator.accounts import Account
from storagekit.testing.emulator.emulator import LIMITS, LIMITS_OF_OSS, Emulator, Settings
from storagekit.testing.emulator.names import resolving, resolving_environment

__all__ = ["LIMITS", "LIMITS_OF_OSS", "Account", "Emulator", "Settings", "resolving", "resolving_environment"]
