"""storagekit on Huawei OBS, and TLS that is verified for those who hold the vendor's client themselves.

This module imports neither the SDK nor a library: what it exports is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["UnverifiedTLSWarning", "apply_ssl_patch"]

if TYPE_CHECKING:
    from storagekit_obs.ssl_patch import UnverifiedTLSWarning, apply_ssl_patch
else:  # hidden from type checkers, which would take any misspelt name for Any

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module 'storagekit_obs' has no attribute {name!r}")
        return getattr(import_module("storagekit_obs.ssl_patch"), name)


def __dir__() -> list[str]:
    return __all__
