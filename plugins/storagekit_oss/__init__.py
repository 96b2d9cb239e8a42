"""storagekit on Alibaba Cloud OSS.

This module only announces the backend; the SDK is imported by the factory, when somebody uses it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from storagekit import hookimpl
from storagekit.driver import Driver, DriverSpec
from storagekit_oss._settings import SETTINGS


def _make(settings: Mapping[str, str]) -> Driver:
    from storagekit_oss.driver import OssDriver

    return OssDriver.from_settings(settings)


@hookimpl
def storagekit_drivers() -> Sequence[DriverSpec]:
    """Return the one driver of this package."""
    return [
        DriverSpec(
            backend="oss",
            summary="Alibaba Cloud Object Storage Service",
            factory=_make,
            settings=SETTINGS,
            install_hint="storagekit-sdk[oss]",
            requires=("oss2",),
        )
    ]
