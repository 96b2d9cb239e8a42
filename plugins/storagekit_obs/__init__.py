"""storagekit on Huawei OBS, and TLS that is verified for those who hold the vendor's client themselves.

This module imports neither the SDK nor a library: what it exports is loaded when it is first used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from storagekit import hookimpl
from storagekit.driver import Driver, DriverSpec
from storagekit_obs._settings import SETTINGS

__all__ = ["UnverifiedTLSWarning", "apply_ssl_patch"]


def _make(settings: Mapping[str, str]) -> Driver:
    from storagekit_obs.driver import ObsDriver

    return ObsDriver.from_settings(settings)


@hookimpl
def storagekit_drivers() -> Sequence[DriverSpec]:
    """Return the one driver of this package."""
    return [
        DriverSpec(
            backend="obs",
            summary="Huawei Cloud Object Storage Service",
            factory=_make,
            settings=SETTINGS,
            install_hint="storagekit-sdk[obs]",
            requires=("obs",),
        )
    ]


if TYPE_CHECKING:
    from storagekit_obs.ssl_patch import UnverifiedTLSWarning, apply_ssl_patch
else:  # hidden from type checkers, which would take any misspelt name for Any

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module 'storagekit_obs' has no attribute {name!r}")
        return getattr(import_module("storagekit_obs.ssl_patch"), name)


def __dir__() -> list[str]:
    return [*__all__, "storagekit_drivers"]
